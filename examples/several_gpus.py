"""Train on all GPUs of a machine, with TensorFlow or JAX: they share each batch.

    python several_gpus.py path/to/images run --batch-size 8
    KERAS_BACKEND=jax python several_gpus.py path/to/images run --batch-size 8
    python several_gpus.py glyphs run --toy    # two devices that are parts of the processor

The result is that of one device with the same batch: losses are means over the whole of it, and the
pools of older translations are one history. A larger batch makes fewer steps of an epoch, so the
learning rate grows with its square root, which suits Adam (Malladi et al. 2022).
"""

import os
from pathlib import Path

import typer


def main(
    data: str,
    out: Path,
    batch_size: int = 8,
    image_size: int = 256,
    filters: int = 64,
    blocks: int = 9,
    epochs: int = 200,
    steps_per_epoch: int | None = None,
    toy: bool = False,
):
    if toy:
        batch_size, image_size, filters, blocks, epochs, steps_per_epoch = 4, 32, 8, 1, 1, 5
        # Before JAX or TensorFlow looks at the machine.
        os.environ["XLA_FLAGS"] = "--xla_force_host_platform_device_count=2"
    import keras_cyclegan as kcg

    kcg.import_keras_quietly()
    import keras

    if toy and keras.backend.backend() == "tensorflow":
        split_processor()

    from keras_cyclegan.networks import PatchDiscriminator, ResNetGenerator
    from keras_cyclegan.optimizers import LinearDecay, paper_adam

    scope, devices = share_batches()
    if batch_size % devices:
        raise typer.BadParameter(f"--batch-size must be a multiple of the {devices} devices.")
    print(f"{devices} devices, {batch_size // devices} images of each domain on each.")
    train, _ = kcg.data.load(
        data, image_size=image_size, batch_size=batch_size, steps_per_epoch=steps_per_epoch
    )
    shape, depth = (image_size, image_size, 3), 3 if image_size >= 64 else 2
    with scope:  # around all that makes variables
        model = kcg.CycleGAN(
            *(ResNetGenerator(shape, filters=filters, num_blocks=blocks) for _ in range(2)),
            *(PatchDiscriminator(shape, filters, num_layers=depth) for _ in range(2)),
            image_shape=shape,
        )
        rate = 2e-4 * batch_size**0.5
        model.compile(paper_adam(LinearDecay(rate)), paper_adam(LinearDecay(rate)))
        model.fit(train, epochs=epochs)
    model.save_to_preset(out / "preset")
    print(f"Wrote {out}/preset")


def share_batches():
    """The scope in which devices share each batch, and how many they are."""
    import keras

    if keras.backend.backend() == "jax":
        return keras.distribution.DataParallel().scope(), keras.distribution.get_device_count()
    import tensorflow as tf

    devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    return tf.distribute.MirroredStrategy([one.name for one in devices]).scope(), len(devices)


def split_processor():
    """Two virtual devices: no gain, and the same code."""
    import tensorflow as tf

    processor = tf.config.list_physical_devices("CPU")[0]
    halves = [tf.config.LogicalDeviceConfiguration()] * 2
    tf.config.set_logical_device_configuration(processor, halves)


if __name__ == "__main__":
    typer.run(main)
