"""What a `CycleGAN` is given, looked at before training: each error says what is expected."""

import keras

from keras_cyclegan.data.scale import check_unit


def domain_channels(image_shape, generator_ab, generator_ba):
    """Channels of both domains, as far as the given generators fix them.

    Raises:
        ValueError: a generator contradicts `image_shape`.
    """
    for generator, shape_a, shape_b in (
        (generator_ab, "input_shape", "output_shape"),
        (generator_ba, "output_shape", "input_shape"),
    ):
        if isinstance(generator, keras.Model):
            channels = getattr(generator, shape_a)[-1], getattr(generator, shape_b)[-1]
            if channels[0] != image_shape[2]:
                raise ValueError(
                    f"`image_shape` {image_shape} says that images of domain A have "
                    f"{image_shape[2]} channels; the generators say {channels[0]}."
                )
            return channels
    return image_shape[2], image_shape[2]


def check_networks(generator_ab, generator_ba, discriminator_a, discriminator_b):
    """Refuse to train networks of which one is missing or doesn't fit the others.

    Returns:
        Channels of domain A and of domain B.
    """
    missing = [name for name, network in locals().items() if network is None]
    if missing:
        raise ValueError(
            f"Training needs all four networks. This model has no {', '.join(missing)}."
        )
    channels_a, channels_b = generator_ab.input_shape[-1], generator_ba.input_shape[-1]
    for name, given, expected in (
        ("generator_ab gives", generator_ab.output_shape[-1], channels_b),
        ("generator_ba gives", generator_ba.output_shape[-1], channels_a),
        ("discriminator_a takes", discriminator_a.input_shape[-1], channels_a),
        ("discriminator_b takes", discriminator_b.input_shape[-1], channels_b),
    ):
        if given != expected:
            raise ValueError(
                f"The networks don't fit together: the generators take images of {channels_a} (A) "
                f"and {channels_b} (B) channels, but {name} {given}, not {expected}."
            )
    return channels_a, channels_b


def unpack_batch(data, channels_a, channels_b):
    """Return the two tensors of one batch `(a, b)`, `(batch, height, width, channels)` each."""
    if isinstance(data, (tuple, list)) and len(data) == 3 and data[2] is None:
        data = data[:2]  # `train_on_batch(a, b)` adds that there are no sample weights
    if not isinstance(data, (tuple, list)) or len(data) != 2:
        raise ValueError(
            "A batch must be a pair (images of domain A, images of domain B). Received "
            f"{_describe(data)}."
        )
    for name, images, channels in (("A", data[0], channels_a), ("B", data[1], channels_b)):
        if len(images.shape) != 4 or images.shape[-1] != channels:
            raise ValueError(
                f"Images of domain {name} must have shape (batch, height, width, {channels}). "
                f"Received {tuple(images.shape)}."
            )
    return data


def first_batch(data, second=None):
    """The first images that `fit(data, second)` would see, or None where it can't be told.

    `data.load` makes its batches of uint8 images: those are right, and aren't drawn twice.
    """
    if hasattr(data, "shape"):
        return data[:8] if second is None else (data[:8], second[:8])
    if hasattr(data, "element_spec") and not hasattr(data, "seek"):
        return next(iter(data), None)
    return None


def check_values(images):
    """Refuse images with values that a generator can't give."""
    check_unit(keras.ops.convert_to_numpy(images).astype("float32"))


def _describe(data):
    if isinstance(data, (tuple, list)):
        return f"a {type(data).__name__} of {len(data)}"
    if isinstance(data, dict):
        return f"a dict with keys {sorted(data)}"
    return f"one array of shape {tuple(data.shape)}"
