"""Two microscopes that count photons in 12 bits: from one's images to the other's, in its counts.

    python sixteen_bits.py run
    python sixteen_bits.py run --toy

The same kind of cells is drawn for both: one sees light that they send out, the other light that
passes them. No cell is in both training sets; in the test sets, both show the same cells, so that
the error against the truth is known, in counts. The images are TIFF files of 16 bits before and
after.
"""

from pathlib import Path

import numpy as np
import tifffile
import typer

import keras_cyclegan as kcg

kcg.import_keras_quietly()  # without the lines that TensorFlow prints as it is loaded

import keras

from keras_cyclegan.inference.files import plan_files, translate_files
from keras_cyclegan.networks import PatchDiscriminator, ResNetGenerator

SIZE, LARGEST = 32, 4095  # 12 bits


def main(out: Path, steps: int = 800, images: int = 200, seed: int = 0, toy: bool = False):
    if toy:  # to see it run, in a minute
        steps, images = 20, 12
    keras.utils.set_random_seed(seed)
    draw_sets(out / "data", images, np.random.default_rng(seed))
    train, _ = kcg.data.load(
        out / "data",
        image_size=SIZE,
        load_size=SIZE,
        channels=1,
        range_a=(0, LARGEST),  # without it, images of 12 bits in files of 16 are refused
        range_b=(0, LARGEST),
        unit_a="photons",
        unit_b="photons",
        flip="rot90",  # cells have no up
        batch_size=4,
        steps_per_epoch=steps // 2,
        seed=seed,
    )
    model = build_model()
    # Cells are dark in one and bright in the other: an image of A isn't to look like one of B.
    model.compile(identity_loss=None)
    model.fit(train, epochs=2, verbose=2)
    model.save_to_preset(out / "preset")  # with the ranges and the units

    model = kcg.CycleGAN.from_preset(str(out / "preset"))
    pairs = plan_files(out / "data" / "testA", out / "translated")
    for path, _, error in translate_files(model, pairs):
        assert error is None, f"{path}: {error}"
    a, b, fake = (
        np.stack([tifffile.imread(path) for path in sorted(folder.iterdir())]).astype(float)
        for folder in (out / "data" / "testA", out / "data" / "testB", out / "translated")
    )
    print(f"Mean absolute error in photons, of {LARGEST}:")
    print(f"  untranslated        {np.abs(a - b).mean():7.1f}")
    print(f"  a flat image        {np.abs(np.median(b) - b).mean():7.1f}")
    print(f"  translated          {np.abs(fake - b).mean():7.1f}")


def draw_sets(folder, count, random):
    """Draw cells, as both microscopes see them, to TIFF files of 16 bits."""
    for name, seen_by in (("trainA", [sent]), ("trainB", [passed]), ("test", [sent, passed])):
        for number in range(count):
            cells = draw_cells(random)
            for domain, see in zip("AB", seen_by, strict=False):
                place = folder / (f"test{domain}" if name == "test" else name)
                place.mkdir(parents=True, exist_ok=True)
                light = random.poisson(see(cells)).clip(0, LARGEST).astype("uint16")
                tifffile.imwrite(place / f"{number:04}.tif", light)


def draw_cells(random):
    """Return the thickness of a few round cells with a nucleus, 0 to about 1."""
    rows, columns = np.mgrid[:SIZE, :SIZE]
    cells = np.zeros((SIZE, SIZE))
    for _ in range(random.integers(1, 4)):
        row, column = random.uniform(4, SIZE - 4, 2)
        radius = random.uniform(4, 8)
        distance = np.hypot(rows - row, columns - column) / radius
        cells = np.maximum(cells, 0.4 * (distance < 1) + 0.6 * (distance < 0.45))
    return cells


def sent(cells):
    return 150 + 3000 * cells


def passed(cells):
    return 3500 * np.exp(-2.0 * cells)


def build_model():
    shape = (SIZE, SIZE, 1)
    generators = [ResNetGenerator(shape, 1, filters=16, num_blocks=2) for _ in "ab"]
    judges = [PatchDiscriminator(shape, 16, num_layers=2) for _ in "ab"]
    return kcg.CycleGAN(*generators, *judges, image_shape=shape)


if __name__ == "__main__":
    typer.run(main)
