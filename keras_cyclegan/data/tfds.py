"""Unpaired datasets of tensorflow-datasets (imported where it is used)."""

import io

from keras_cyclegan.data.store import Split

SPLITS = ("trainA", "trainB", "testA", "testB")


def tfds_splits(name):
    """Return the four `Split`s of a dataset; download it first where it is missing."""
    import tensorflow_datasets as tfds

    try:
        builder = tfds.builder(name)
    except Exception as error:  # of many kinds, with the list of all datasets in the message
        raise ValueError(
            f"tensorflow-datasets can't open {name!r}: {str(error).splitlines()[0]} Expected a "
            'name such as "cycle_gan/horse2zebra".'
        ) from error
    try:
        builder.download_and_prepare()
    except Exception as error:
        raise RuntimeError(
            f"tensorflow-datasets could not download or prepare {name!r}: {error} "
            f"({type(error).__name__}). Without internet, give a folder with the images in the "
            f"folders {', '.join(SPLITS)}."
        ) from error
    return tuple(_split(builder, split) for split in SPLITS)


def _split(builder, split):
    import tensorflow_datasets as tfds

    title = f"{builder.info.full_name} {split}"
    # Left encoded, so that Pillow decodes the images of all sources.
    decoders = {"image": tfds.decode.SkipDecoding()}
    try:
        dataset = builder.as_dataset(split=split, decoders=decoders)
    except ValueError as error:
        raise ValueError(
            f"{builder.info.full_name} isn't an unpaired dataset: expected the splits "
            f"{', '.join(SPLITS)} with a feature `image`. tensorflow-datasets says: {error}"
        ) from error
    names = [f"example {i}" for i in range(len(dataset))]

    def records():
        for name, example in zip(names, tfds.as_numpy(dataset), strict=True):
            yield name, io.BytesIO(example["image"])

    return Split(title, title, names, records)
