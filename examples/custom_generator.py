"""Train a generator of your own design: any Keras model from images to images.

    python custom_generator.py path/to/images run
    python custom_generator.py glyphs run --toy

This one works on patches of 4×4 pixels with ConvNeXt blocks (Liu et al. 2022): a depthwise 7×7
convolution, then two layers for each place by itself. What a generator has to heed: it gives back
the height and width that it was given (of a multiple of its patch; `translate` does the rest), its
values lie in [-1, 1], and it normalises each image by itself, as it is trained on one at a time.
"""

from pathlib import Path

import numpy as np
import typer

import keras_cyclegan as kcg

kcg.import_keras_quietly()  # without the lines that TensorFlow prints as it is loaded

import keras
from keras import layers

from keras_cyclegan.networks import PatchDiscriminator

PATCH = 4


def convnext_generator(channels=3, filters=192, blocks=9, name=None):
    """Make a model from images `(n, height, width, channels)` in [-1, 1] to the same."""
    images = keras.Input((None, None, channels))
    x = layers.Conv2D(filters, PATCH, strides=PATCH)(images)  # (n, height / 4, width / 4, filters)
    for _ in range(blocks):
        y = layers.DepthwiseConv2D(7, padding="same")(x)
        y = layers.LayerNormalization(epsilon=1e-6)(y)
        y = layers.Dense(4 * filters, activation="gelu")(y)
        x = layers.Add()([x, layers.Dense(filters)(y)])
    for width in (filters // 2, filters // 4):
        x = layers.UpSampling2D()(x)
        x = layers.Conv2D(width, 3, padding="same")(x)
        x = layers.GroupNormalization(groups=-1, epsilon=1e-5)(x)  # each image by itself
        x = layers.Activation("gelu")(x)
    x = layers.Conv2D(channels, 7, padding="same")(x)
    # In float32 under any policy: losses are differences of these values.
    return keras.Model(images, layers.Activation("tanh", dtype="float32")(x), name=name)


def main(
    data: str,
    out: Path,
    image_size: int = 256,
    filters: int = 192,
    blocks: int = 9,
    epochs: int = 200,
    steps_per_epoch: int | None = None,
    toy: bool = False,
):
    if toy:
        image_size, filters, blocks, epochs, steps_per_epoch = 32, 16, 1, 1, 10
    train, validation = kcg.data.load(data, image_size=image_size, steps_per_epoch=steps_per_epoch)
    shape, depth = (image_size, image_size, 3), 3 if image_size >= 64 else 2
    model = kcg.CycleGAN(
        convnext_generator(filters=filters, blocks=blocks, name="generator_ab"),
        convnext_generator(filters=filters, blocks=blocks, name="generator_ba"),
        PatchDiscriminator(shape, num_layers=depth, name="discriminator_a"),
        PatchDiscriminator(shape, num_layers=depth, name="discriminator_b"),
        image_shape=shape,
    )
    model.compile()
    model.fit(train, validation_data=validation, epochs=epochs)
    model.save_to_preset(out / "preset")

    # All that the package's own generators can do, this one can: any size, presets, exports.
    picture = np.full((70, 101, 3), 200, "uint8")
    translated = kcg.CycleGAN.from_preset(str(out / "preset")).translate(picture)
    print(f"{out}/preset translates {picture.shape} to {translated.shape}.")


if __name__ == "__main__":
    typer.run(main)
