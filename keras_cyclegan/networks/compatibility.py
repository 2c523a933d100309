"""Checks that the networks given to a `CycleGAN` are networks, and fit together."""

import keras

NETWORKS = ("generator_ab", "generator_ba", "discriminator_a", "discriminator_b")


def check_network(name, network):
    """Raise a ValueError unless `network` is a Keras model, None or `"auto"`."""
    if network != "auto" and not isinstance(network, keras.Model | None):
        raise ValueError(
            f"`{name}` must be a `keras.Model`; None for none; left out, it is the paper's. "
            f"Received {network!r}."
        )


def domain_channels(image_shape, generator_ab, generator_ba):
    """Return the channels of domains A and B; raise if a generator contradicts `image_shape`."""
    channels_a = channels_b = image_shape[2]
    if isinstance(generator_ab, keras.Model):
        channels_a, channels_b = generator_ab.input_shape[-1], generator_ab.output_shape[-1]
    elif isinstance(generator_ba, keras.Model):
        channels_b, channels_a = generator_ba.input_shape[-1], generator_ba.output_shape[-1]
    if channels_a != image_shape[2]:
        raise ValueError(
            f"`image_shape` {image_shape} says that images of domain A have {image_shape[2]} "
            f"channels; the generators say {channels_a}."
        )
    return channels_a, channels_b


def check_networks(image_shape, networks, channels):
    """Raise a ValueError where a dict of networks by name doesn't fit sizes and channels."""
    if not any(name.startswith("generator") for name in networks):
        raise ValueError("Training needs a generator; this model has none.")
    if len({id(network) for network in networks.values()}) < len(networks):
        raise ValueError("Both directions are one network. Each needs its own weights: make two.")
    channels_of = dict(zip("ab", channels, strict=True))
    size = tuple(image_shape[:2])
    for name, network in networks.items():
        player, domains = name.split("_")
        found = [network.input_shape[-1], network.output_shape[-1]][: len(domains)]
        expected = [channels_of[domain] for domain in domains]
        if found != expected:
            raise ValueError(
                f"The networks don't fit together: from A to B images have {channels} channels, "
                f"but {name} is for {found}, not {expected}."
            )
        if None in size:
            continue
        try:
            made = network.compute_output_shape((1, *size, network.input_shape[-1]))
        except ValueError as error:
            raise ValueError(
                f"{name} can't take images of {size[0]}×{size[1]} pixels (`image_shape`). Fewer "
                f"layers or larger images may do. {error}"
            ) from error
        if player == "generator" and tuple(made[1:3]) != size:
            raise ValueError(
                f"{name} must give back the size of its images: {size[0]}×{size[1]} pixels "
                f"(`image_shape`). It makes {' × '.join(map(str, made[1:]))}."
            )
