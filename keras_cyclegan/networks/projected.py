"""A discriminator that judges what a pretrained network sees, on frozen features."""

import concurrent.futures
import functools
import inspect
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from keras_cyclegan.data.pixels import unit_to_pixels
from keras_cyclegan.layers import DifferentiableAugmentation, SpectralNormalization
from keras_cyclegan.networks.building_blocks import (
    check_image_shape,
    conv,
    float32_activation,
)
from keras_cyclegan.networks.efficientnet import VARIANTS, efficientnet_lite, normalise
from keras_cyclegan.networks.image_network import ImageNetwork
from keras_cyclegan.networks.patchgan import PatchDiscriminator

STRIDES = (4, 8, 16, 32)
MIXED = 64  # channels of each mixed map
OWN = "own"  # stands in a config for a model that was given


@keras.saving.register_keras_serializable("keras_cyclegan")
class ProjectedDiscriminator(ImageNetwork):
    """Judges frozen features of a pretrained network, patch by patch, at several scales.

    Sauer et al. 2021, "Projected GANs Converge Faster"; Kumari et al. 2022 (vision-aided GAN). Maps
    of a frozen network at strides 4, 8, 16 and 32 are mixed by random, frozen convolutions: across
    channels, and from coarse scales to fine ones. A small head with spectral norm judges each
    scale; beside them a narrow PatchGAN looks at the pixels, for texture and grids. A translator
    learns from it in thousands of steps what a PatchGAN alone takes tens of thousands for.

    The frozen part is made when it is first needed, and is no part of `weights`, of files or of
    presets: a config names it with its hash, and the mixing's random weights are those of `seed`.
    A preset loads and translates where it is missing.

    Args:
        image_shape: `(height, width, channels)` of the input, 1 or 3 channels. Heads halve their
            maps until they are about 8×8 at this size; other sizes work too.
        features: `"efficientnet-lite1"` (`pip install keras-cyclegan[fast]`); the name of a network
            of `keras.applications`, which Keras downloads; or a `keras.Model` from images in
            [-1, 1] to several maps, fine ones first, each half as high and wide as the one before.
            A model isn't kept in saved files.
        filters: int. Width of the heads.
        pixel_filters: int. Width of the PatchGAN on the pixels; 0 for none.
        augmentation: dict of arguments of `DifferentiableAugmentation`, through which all images
            are seen in training; None for none.
        num_scales: int. Heads, the finest scale first; None for one for each map.
        seed: int. Of the random mixing.
        features_hash: SHA-256 of the frozen weights, None for whatever they are. A config has it.
        dtype: dtype or policy of the heads; features and logits are float32 under each.

    Call arguments:
        images: `(batch, height, width, channels)`, in [-1, 1].

    Returns:
        A list of logits `(batch, rows, columns, 1)`, float32: one map for each scale, then the
        PatchGAN's.

    Raises:
        ValueError: an option is unknown or doesn't fit the images.
        ImportError: when it is first called, where the frozen weights are missing.

    Example:

    ```python
    shape = (128, 128, 3)
    judges = [ProjectedDiscriminator(shape, augmentation={}) for _ in range(2)]
    model = CycleGAN(discriminator_a=judges[0], discriminator_b=judges[1], image_shape=shape)
    ```
    """

    def __init__(
        self,
        image_shape: tuple[int | None, int | None, int] = (256, 256, 3),
        features: str = "efficientnet-lite1",
        filters: int = 64,
        pixel_filters: int | None = 32,
        augmentation: Any = None,
        num_scales: int | None = None,
        seed: int = 0,
        features_hash: str | None = None,
        dtype: Any = None,
        name: str | None = None,
    ) -> None:
        image_shape = check_image_shape(image_shape)
        if image_shape[2] not in (1, 3):
            raise ValueError(
                "Frozen features are of grayscale or RGB images: 1 or 3 channels. Received "
                f"image_shape={image_shape}."
            )
        frozen = ProjectedFeatures(
            features, num_scales, seed, features_hash, dtype="float32", name="features"
        )
        images = keras.Input((None, None, image_shape[2]), name="images")
        x = images
        if augmentation is not None:
            augment = DifferentiableAugmentation(**augmentation, dtype="float32", name="augment")
            x = augment(x)
        side = min(size or 256 for size in image_shape[:2])
        logits = [
            _head(scale, _halvings(side, stride), filters, f"scale{i + 1}", dtype)
            for i, (scale, stride) in enumerate(zip(frozen(x), frozen.strides, strict=True))
        ]
        if pixel_filters:
            patch = PatchDiscriminator(image_shape, pixel_filters, dtype=dtype, name="pixels")
            logits.append(patch(x))
        super().__init__(
            images,
            logits,
            dtype,
            name,
            image_shape=image_shape,
            features=frozen.features,
            filters=filters,
            pixel_filters=pixel_filters,
            augmentation=augmentation,
            num_scales=frozen.num_scales,
            seed=seed,
            features_hash=frozen.features_hash,
        )


def _halvings(side, stride):
    """How often a map of this stride is halved until it is at most about 8 wide."""
    return max(0, round(np.log2(side / stride / 8)))


def _head(x, halvings, filters, name, dtype):
    """Patch logits of one scale: 4×4 convolutions of stride 2, one of 3×3, one for the logits."""

    def convolve(x, count, kernel_size, strides, name):
        x = layers.ZeroPadding2D(1, name=f"{name}_pad", dtype=dtype)(x)
        convolution = conv(count, kernel_size, strides, f"{name}_conv", dtype, stddev=0.05)
        return SpectralNormalization(convolution, name=name, dtype=dtype)(x)

    for i in range(halvings + 1):
        last = i == halvings
        layer = f"{name}_conv{i + 1}"
        x = convolve(x, filters, 3 if last else 4, 1 if last else 2, layer)
        # Not batch norm: at batch size 1 its statistics are those of one image or of two.
        x = layers.GroupNormalization(8, name=f"{layer}_norm", dtype=dtype)(x)
        x = layers.LeakyReLU(0.2, name=f"{layer}_relu", dtype=dtype)(x)
    x = convolve(x, 1, 3, 1, f"{name}_logits")
    return float32_activation("linear", name)(x)


@keras.saving.register_keras_serializable("keras_cyclegan")
class ProjectedFeatures(layers.Layer):
    """Maps of a frozen network at several scales, mixed by random frozen convolutions.

    Args:
        features, num_scales, seed, features_hash: as for `ProjectedDiscriminator`.

    Call arguments:
        images: `(batch, height, width, 1 or 3)`, in [-1, 1].

    Returns:
        A list of float32 maps `(batch, rows, columns, 64)`, the finest first.
    """

    def __init__(
        self, features="efficientnet-lite1", num_scales=None, seed=0, features_hash=None, **kwargs
    ):
        super().__init__(**kwargs)
        given = features if isinstance(features, keras.Model) else None
        available = len(given.outputs) if given else len(STRIDES)
        if given is None and not isinstance(features, str):
            raise ValueError(
                "`features` is 'efficientnet-lite1', a network of keras.applications or a "
                f"keras.Model. Received {features!r}."
            )
        if features == OWN and num_scales:
            available = num_scales
        num_scales = num_scales or available
        if not 0 < num_scales <= available:
            raise ValueError(
                f"`num_scales` must be 1 to {available} here. Received num_scales={num_scales}."
            )
        self.features = OWN if given else features
        self.num_scales = num_scales
        self.seed = seed
        self.features_hash = features_hash
        if features in VARIANTS and features_hash is None:
            self.features_hash = VARIANTS[features].sha256
        self.strides = [4 * 2**i for i in range(num_scales)]
        # A function hides the frozen network from Keras, which would save and count its weights.
        self._network = functools.cache(lambda: _alone(self._make, given))

    def _make(self, given):
        if given is not None:
            return _Projection(given, self.num_scales, self.seed)
        if self.features == OWN:
            raise ValueError(
                "This ProjectedDiscriminator was made with a model of your own for its features, "
                "which is in no file. Make one with that model, and give it these weights."
            )
        known = VARIANTS[self.features].sha256 if self.features in VARIANTS else None
        if self.features_hash != known:
            raise ValueError(
                f"This discriminator was trained on weights of {self.features} whose SHA-256 is "
                f"{self.features_hash}. This version of keras_cyclegan has {known}."
            )
        return _named_projection(self.features, self.num_scales, self.seed)

    def call(self, images):
        if images.shape[-1] == 1:
            images = ops.repeat(images, 3, axis=-1)
        return self._network()(images)

    def compute_output_shape(self, input_shape):
        batch, *size, _ = input_shape
        return [
            (batch, *(side and -(-side // stride) for side in size), MIXED)
            for stride in self.strides
        ]

    def get_config(self):
        own = ("features", "num_scales", "seed", "features_hash")
        return {**super().get_config(), **{name: getattr(self, name) for name in own}}


def _alone(function, *arguments):
    """`function(*arguments)` outside of whatever graph, trace or scope this is called in.

    All of those belong to a thread. Variables that are made in one can't be used in the next.
    """
    with concurrent.futures.ThreadPoolExecutor(1) as thread:
        return thread.submit(function, *arguments).result()


@functools.cache
def _named_projection(name, num_scales, seed):
    """One frozen network for all discriminators of a process that ask for the same."""
    return _Projection(_named_features(name), num_scales, seed)


def _named_features(name):
    """A function from RGB images in [-1, 1] to maps at strides 4, 8, 16 and 32."""
    if name in VARIANTS:
        network = efficientnet_lite(name, taps=True)
        return lambda images: network(normalise(images), training=False)
    modules = {
        function: module
        for _, module in inspect.getmembers(keras.applications, inspect.ismodule)
        for function, _ in inspect.getmembers(module, inspect.isfunction)
        if function[0].isupper()
    }
    if name not in modules:
        raise ValueError(
            f"`features` is one of {', '.join(VARIANTS)}, a keras.Model, or one of "
            f"keras.applications: {', '.join(modules)}. Received {name!r}."
        )
    network = getattr(modules[name], name)(include_top=False, input_shape=(256, 256, 3))
    at_stride = {}
    for layer in network.layers:
        shape = getattr(layer.output, "shape", ())
        if len(shape) == 4 and shape[1] and shape[1] == shape[2] and 256 % shape[1] == 0:
            at_stride[256 // shape[1]] = layer.output  # the last of each stride stays
    taps = keras.Model(network.input, [at_stride[stride] for stride in STRIDES])
    taps.trainable = False
    preprocess = modules[name].preprocess_input
    return lambda images: taps(preprocess(unit_to_pixels(images)), training=False)


class _Projection:
    """A frozen network and the random convolutions that mix its maps; no weight of any model.

    Args:
        extract: function from images in [-1, 1] to a list of maps, the finest first.
        num_scales: int.
        seed: int.
    """

    def __init__(self, extract, num_scales, seed):
        self.extract = extract
        channels = [x.shape[-1] for x in extract(np.zeros((1, 64, 64, 3), "float32"))[:num_scales]]
        random = np.random.RandomState(seed)  # the same numbers in every version of numpy
        self.across = [self._kernel(random, 1, count) for count in channels]
        self.down = [self._kernel(random, 3, MIXED) for _ in channels[1:]]

    @staticmethod
    def _kernel(random, size, channels):
        """He et al. 2015, less the factor 2 of a ReLU, which doesn't follow."""
        deviation = 1.0 / np.sqrt(size * size * channels)
        values = deviation * random.standard_normal((size, size, channels, MIXED))
        return keras.Variable(values.astype("float32"), dtype="float32", trainable=False)

    def __call__(self, images):
        maps = self.extract(images)[: len(self.across)]
        mixed, coarser = [], None
        for i in reversed(range(len(self.across))):
            x = ops.conv(ops.cast(maps[i], "float32"), self.across[i].value, padding="valid")
            if coarser is not None:
                above = ops.conv(coarser, self.down[i].value, padding="same")
                height, width = ops.shape(x)[1:3]
                above = ops.image.resize(above, _doubled(above), interpolation="bilinear")
                x = x + above[:, :height, :width]
            mixed.append(coarser := x)
        return mixed[::-1]


def _doubled(x):
    height, width = ops.shape(x)[1:3]
    return 2 * height, 2 * width
