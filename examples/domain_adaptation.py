"""A classifier that was trained on clean digits reads digits on a board, once these are translated.

    python examples/domain_adaptation.py --out run                   # minutes, offline
    python examples/domain_adaptation.py --out run --seeds 0 1 2     # the table in docs/how_to

Domain A: digits in chalk on a coloured, grainy board, in many typefaces; nobody has labelled them.
Domain B: digits in black on white, labelled. A classifier learns B alone; a CycleGAN learns to turn
A into B from images without labels. Does the classifier read A better after translation? That is
the question of `keras-cyclegan evaluate --judge`, here asked from Python: labels of A's test images
serve to answer it, and nothing else.
"""

import argparse
from pathlib import Path

import numpy as np

FONTS = (
    *("DejaVuSans", "DejaVuSans-Bold", "DejaVuSans-Oblique", "DejaVuSansMono", "DejaVuSerif"),
    *("DejaVuSerif-Italic", "STIXGeneral", "STIXGeneralBol", "STIXGeneralItalic", "cmr10"),
    *("cmss10", "cmtt10", "cmb10"),
)
SIDE = 32


def digits(count, domain, seed):
    """Draw digits: uint8 images `(n, 32, 32, 3)` and their labels, of a seed."""
    import matplotlib
    from PIL import Image, ImageDraw, ImageFont

    folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    random = np.random.RandomState(seed)
    labels = random.randint(0, 10, count)
    images = np.empty((count, SIDE, SIDE, 3), "uint8")
    for image, label in zip(images, labels, strict=True):
        font = ImageFont.truetype(folder / f"{random.choice(FONTS)}.ttf", random.randint(44, 56))
        canvas = Image.new("L", (2 * SIDE, 2 * SIDE))
        middle = tuple(SIDE + random.uniform(-5, 5, 2))
        ImageDraw.Draw(canvas).text(middle, str(label), font=font, fill=255, anchor="mm")
        canvas = canvas.rotate(random.uniform(-12, 12), Image.Resampling.BICUBIC)
        ink = np.asarray(canvas.resize((SIDE, SIDE), Image.Resampling.BOX))[..., None] / 255
        image[:] = 255 * (1 - ink) if domain == "b" else on_board(ink, random)
    return images, labels


def on_board(ink, random):
    """Draw in chalk on a board whose light and colour vary."""
    colour = random.uniform((20, 60, 50), (70, 130, 130))
    slope = np.linspace(-1, 1, SIDE)
    light = 1 + 0.3 * random.uniform(-1, 1) * slope[:, None] + 0.3 * random.uniform(-1, 1) * slope
    grain = random.normal(0, 10, (SIDE, SIDE, 1))
    chalk = ink * random.uniform(0.55, 1.0, (SIDE, SIDE, 1))  # with gaps
    return np.clip((1 - chalk) * (colour * light[..., None] + grain) + chalk * 235, 0, 255)


def classifier(images, labels, seed):
    """Train a small classifier on images in [-1, 1]."""
    import keras
    from keras import layers

    keras.utils.set_random_seed(seed)
    model = keras.Sequential(
        [
            keras.Input((SIDE, SIDE, 3)),
            layers.Conv2D(16, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(32, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dropout(0.3),
            layers.Dense(10),
        ],
        name="digits",
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss, metrics=["accuracy"])
    model.fit(images / 127.5 - 1, labels, batch_size=64, epochs=6, verbose=0)
    return model


def translator(a, b, steps, seed):
    """Train a small CycleGAN on images without labels."""
    import keras

    import keras_cyclegan as kcg
    from keras_cyclegan.networks import PatchDiscriminator, ResNetGenerator

    keras.utils.set_random_seed(seed)
    shape = (SIDE, SIDE, 3)
    generators = [ResNetGenerator(shape, filters=16, num_blocks=3) for _ in "ab"]
    judges = [PatchDiscriminator(shape, filters=32, num_layers=2) for _ in "ab"]
    model = kcg.CycleGAN(*generators, *judges, image_shape=shape)
    model.compile(identity_loss=None)
    batches = kcg.data.unpaired_dataset(
        a, b, batch_size=4, flip=False, seed=seed, steps_per_epoch=steps // 2
    )
    model.fit(batches, epochs=2, verbose=2)
    return model


def write(folder, images, labels):
    """Write test images, and the same files by class, as `evaluate` takes them."""
    from PIL import Image

    for domain in "ab":
        for index, (image, label) in enumerate(zip(images[domain], labels[domain], strict=True)):
            name = f"{domain}{index:04}.png"
            for path in (folder / f"test{domain.upper()}", folder / "labels" / str(label)):
                path.mkdir(parents=True, exist_ok=True)
                Image.fromarray(image).save(path / name)


def run(folder, steps, seed, count=2_000):
    """One seed from end to end: the accuracies on A, before and after, and on B."""
    from rich.console import Console

    from keras_cyclegan import evaluation

    train = {d: digits(count, d, 10 * seed + i) for i, d in enumerate("ab")}
    test = {d: digits(500, d, 10 * seed + 5 + i) for i, d in enumerate("ab")}
    write(folder, {d: test[d][0] for d in "ab"}, {d: test[d][1] for d in "ab"})
    judge = classifier(*train["b"], seed)
    judge.save(folder / "judge.keras")
    model = translator(train["a"][0], train["b"][0], steps, seed)
    model.save_to_preset(folder / "preset")
    found = evaluation.evaluate(
        model, folder, extractor="none", judge=judge, labels=folder / "labels"
    )
    evaluation.write_report(found, model, folder / "report", "chalk to print")
    evaluation.print_scores(found, Console())
    scores = {s.direction: s for s in found.measured if s.name == "Judge's accuracy"}
    shown = scores["a_to_b"]
    return (
        shown.untranslated.value,
        shown.translated.value,
        scores["b_to_a"].untranslated.value,
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("domain_adaptation"))
    parser.add_argument("--steps", type=int, default=1_500)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--toy", action="store_true", help="a minute: too short to gain much")
    options = parser.parse_args()
    rows = ["| seed | chalk, untranslated | chalk, translated | print |", "|---|---|---|---|"]
    for seed in options.seeds:
        small = (60, seed, 300) if options.toy else (options.steps, seed)
        accuracies = run(options.out / f"seed-{seed}", *small)
        rows.append(f"| {seed} | " + " | ".join(f"{x:.1%}" for x in accuracies) + " |")
    print("\n".join(rows))


if __name__ == "__main__":
    main()
