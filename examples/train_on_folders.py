"""Train a translator between two folders of images; killed and started again, it goes on.

    python train_on_folders.py path/to/images run
    python train_on_folders.py glyphs run --toy

`path/to/images` holds the folders `trainA` and `trainB`. Images for the samples come from `testA`
and `testB`, or, where there are none, a tenth of the training images is held out.
"""

from pathlib import Path

import typer

import keras_cyclegan as kcg

kcg.import_keras_quietly()  # without the lines that TensorFlow prints as it is loaded

import keras

from keras_cyclegan.networks import PatchDiscriminator, ResNetGenerator


def main(
    data: str,
    out: Path,
    image_size: int = 256,
    filters: int = 64,
    blocks: int = 9,
    epochs: int = 200,
    steps_per_epoch: int | None = None,
    seed: int = 0,
    toy: bool = False,
):
    if toy:  # to see it run, in a minute
        image_size, filters, blocks, epochs, steps_per_epoch = 32, 8, 1, 2, 20
    keras.utils.set_random_seed(seed)
    to_hold_out = data != "glyphs" and not Path(data, "testA").is_dir()
    train, validation = kcg.data.load(
        data,
        image_size=image_size,
        seed=seed,
        steps_per_epoch=steps_per_epoch,
        validation_split=0.1 if to_hold_out else 0.0,
    )
    model = build_model((image_size, image_size, 3), filters, blocks)
    model.compile(ema_momentum=0.999)  # averages of the weights make calmer translations
    kcg.resume.fit(
        model,
        train,
        out / "checkpoints",
        epochs,
        callbacks=[
            kcg.callbacks.SampleGrid(out / "samples", validation),
            kcg.callbacks.FailureAlarms(validation),  # copies, collapse, inverted colours
            kcg.callbacks.HistoryFile(out / "history.jsonl"),
            kcg.callbacks.PresetKeeper(out / "preset"),  # for `keras-cyclegan translate`, any time
        ],
    )
    print(f"Look at {out}/samples, then: keras-cyclegan translate --preset {out}/preset IN OUT")


def build_model(shape, filters, blocks):
    """The paper's networks; upsampling by resizing leaves no checkerboard."""

    def generator(name):
        return ResNetGenerator(
            shape, filters=filters, num_blocks=blocks, upsampling="resize", name=name
        )

    def discriminator(name):
        return PatchDiscriminator(shape, filters, num_layers=3 if shape[0] >= 64 else 2, name=name)

    return kcg.CycleGAN(
        generator("generator_ab"),
        generator("generator_ba"),
        discriminator("discriminator_a"),
        discriminator("discriminator_b"),
        image_shape=shape,
    )


if __name__ == "__main__":
    typer.run(main)
