"""Checks that the networks given to a `CycleGAN` are networks, and fit together."""

import keras

NETWORKS = ("generator_ab", "generator_ba", "discriminator_a", "discriminator_b")


def check_network(name, network):
    """Raise a ValueError unless `network` is a Keras model, None or `"auto"`."""
    if network is None or (isinstance(network, str) and network == "auto"):
        return
    if not isinstance(network, keras.Model):
        raise ValueError(
            f"`{name}` must be a `keras.Model`; None for none; left out, it is the paper's. "
            f"Received {network!r}."
        )
    try:
        _ = network.input_shape, network.output_shape
    except (AttributeError, ValueError) as error:
        raise ValueError(
            f"`{name}` doesn't know its shapes. Make it a functional or a Sequential model that "
            f"begins with a `keras.Input`. Received {network!r}."
        ) from error


def domain_channels(image_shape, generator_ab, generator_ba):
    """Return the channels of both domains, which the given generators may fix.

    Returns:
        Channels of domain A and of domain B.

    Raises:
        ValueError: a generator contradicts `image_shape`.
    """
    if isinstance(generator_ab, keras.Model):
        channels_a, channels_b = generator_ab.input_shape[-1], generator_ab.output_shape[-1]
    elif isinstance(generator_ba, keras.Model):
        channels_a, channels_b = generator_ba.output_shape[-1], generator_ba.input_shape[-1]
    else:
        return image_shape[2], image_shape[2]
    if channels_a != image_shape[2]:
        raise ValueError(
            f"`image_shape` {image_shape} says that images of domain A have {image_shape[2]} "
            f"channels; the generators say {channels_a}."
        )
    return channels_a, channels_b


def check_networks(image_shape, networks):
    """Raise a ValueError where a network is missing or doesn't fit the others.

    Args:
        image_shape: `(height, width, channels)` of domain A.
        networks: dict of both generators and both discriminators by name, in `NETWORKS`' order.

    Returns:
        Channels of domain A and of domain B.
    """
    generator_ab, generator_ba, discriminator_a, discriminator_b = networks.values()
    missing = [name for name, network in networks.items() if network is None]
    if missing:
        raise ValueError(
            f"Training needs all four networks. This model has no {', '.join(missing)}."
        )
    if generator_ab is generator_ba or discriminator_a is discriminator_b:
        raise ValueError("Both directions are one network. Each needs its own weights: make two.")
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
    size = tuple(image_shape[:2])
    for name, network in networks.items() if None not in size else ():
        try:
            given = network.compute_output_shape((1, *size, network.input_shape[-1]))
        except ValueError as error:
            raise ValueError(
                f"{name} can't take images of {size[0]}×{size[1]} pixels (`image_shape`): {error}"
            ) from error
        if name.startswith("generator") and tuple(given[1:3]) != size:
            raise ValueError(
                f"{name} must give back the size of its images: {size[0]}×{size[1]} pixels "
                f"(`image_shape`). It makes {' × '.join(map(str, given[1:]))}."
            )
    return channels_a, channels_b
