"""What a `CycleGAN` is given, looked at before training: each error says what is expected."""

import types
import warnings

import keras
import numpy as np

from keras_cyclegan.data.pixels import check_unit, seems_zero_to_one


def check_network(name, network):
    """Refuse what is neither a network, nor None, nor `"paper"`."""
    if network is None or (isinstance(network, str) and network == "paper"):
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
    """Channels of both domains, as far as the given generators fix them.

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
    """Refuse to train networks of which one is missing or doesn't fit the others.

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


def check_arguments(given, weight_a, weight_b, ema_momentum):
    """Refuse what `CycleGAN.compile` would have to pass over in silence, and numbers out of range.

    Args:
        given: dict of the arguments meant for `keras.Model.compile`.
        weight_a, weight_b, ema_momentum: arguments of `CycleGAN.compile`.
    """
    known = {"jit_compile", "steps_per_execution", "run_eagerly", "auto_scale_loss"}
    if unknown := sorted(set(given) - known):
        raise ValueError(
            f"`CycleGAN.compile` has no argument {', '.join(unknown)}. Its two optimizers are "
            "`generator_optimizer` and `discriminator_optimizer`, its losses `adversarial_loss`, "
            "`cycle_loss`, `identity_loss` and `perceptual_loss`."
        )
    for name, weight in (("weight_a", weight_a), ("weight_b", weight_b)):
        if not isinstance(weight, (int, float)) or not weight >= 0:
            raise ValueError(f"`{name}` must be a number of at least 0. Received {weight!r}.")
    if ema_momentum is not None and not 0.0 < ema_momentum < 1.0:
        raise ValueError(
            f"`ema_momentum` must lie between 0 and 1, at 0.999 say. Received {ema_momentum}."
        )


def check_objective(adversarial_loss, cycle_loss, identity_loss, channels_a, channels_b):
    """Refuse an objective without its two main terms, or with one that the domains don't allow."""
    if identity_loss is not None and channels_a != channels_b:
        raise ValueError(
            "The identity loss feeds images of one domain to the generator of the other: both "
            f"need the same channels. Received {channels_a} and {channels_b}. Compile with "
            "`identity_loss=None`."
        )
    for name, loss in (("adversarial_loss", adversarial_loss), ("cycle_loss", cycle_loss)):
        if loss is None:
            raise ValueError(f"`{name}` must be a loss or its kind. Received None.")


def check_callbacks(callbacks):
    """Refuse a callback that sets the learning rate beside the paper's schedule, which sets it."""
    setters = keras.callbacks.LearningRateScheduler, keras.callbacks.ReduceLROnPlateau
    callbacks = getattr(callbacks, "callbacks", callbacks)  # a CallbackList
    for callback in keras.tree.flatten(callbacks):
        if isinstance(callback, setters):
            raise ValueError(
                f"{type(callback).__name__} sets the learning rate, and so does the schedule that "
                "`compile()` chose. Compile with two optimizers of a constant rate, the paper's: "
                "`keras.optimizers.Adam(2e-4, beta_1=0.5, epsilon=1e-8)`."
            )


def unpack_batch(data, channels_a, channels_b):
    """Return the two tensors of one batch `(a, b)`, `(batch, height, width, channels)` each."""
    if isinstance(data, (tuple, list)) and len(data) == 3 and data[2] is None:
        data = data[:2]  # `train_on_batch(a, b)` adds that there are no sample weights
    if not isinstance(data, (tuple, list)) or len(data) != 2:
        raise _no_pair(data)
    for name, images, channels in (("A", data[0], channels_a), ("B", data[1], channels_b)):
        if len(images.shape) != 4 or images.shape[-1] != channels:
            raise ValueError(
                f"Images of domain {name} must have shape (batch, height, width, {channels}). "
                f"Received {tuple(images.shape)}."
            )
    return data


def check_data(data, second, check):
    """`check` the first batch that `fit(data, second)` will see.

    `data.load` makes its batches of uint8 images: those are right, and aren't drawn twice.

    Returns:
        `data`, or where it can be walked only once, a generator that checks as it begins.
    """
    if isinstance(data, types.GeneratorType):
        return _checked(data, check)
    if isinstance(data, (tuple, list, dict)):
        raise ValueError(  # Keras would take all of it for images of domain A
            f"`fit` takes two arrays apart, `fit(a, b)`. Received one {type(data).__name__} of "
            f"{len(data)}."
        )
    if hasattr(data, "shape"):
        check(data[:8] if second is None else (data[:8], second[:8]))
    elif isinstance(data, keras.utils.PyDataset):
        check(data[0])
    elif hasattr(data, "element_spec") and not hasattr(data, "seek"):
        first = next(iter(data), None)
        if first is None:
            raise ValueError("The dataset has no batch. Are there fewer images than `batch_size`?")
        check(first)
    return data


def _checked(batches, check):
    first = next(batches)
    check(first)
    yield first
    yield from batches


def check_values(images_a, images_b):
    """Refuse images with values that a generator can't give, and doubt those in [0, 1]."""
    domains = {}
    for domain, images in (("A", images_a), ("B", images_b)):
        images = keras.ops.convert_to_numpy(images)
        if np.issubdtype(images.dtype, np.integer):
            raise ValueError(
                f"Images of domain {domain} are {images.dtype}. Training takes floats in [-1, 1]: "
                "`keras_cyclegan.data.to_unit` makes them of pixels of 0 … 255."
            )
        domains[domain] = images = images.astype("float32")
        try:
            check_unit(images)
        except ValueError as error:
            raise ValueError(f"Images of domain {domain}: {error}") from None
    if seems_zero_to_one(*domains.values()):
        warnings.warn(
            "No value of the first images is below 0. If they are scaled to [0, 1], scale them to "
            "[-1, 1]: `2 * images - 1`.",
            stacklevel=4,
        )


def _no_pair(data):
    """The error for what is not `(a, b)`."""
    if isinstance(data, (tuple, list)):
        received = f"a {type(data).__name__} of {len(data)}"
    elif isinstance(data, dict):
        received = f"a dict with keys {sorted(data)}"
    else:
        received = f"one array of shape {tuple(data.shape)}"
    return ValueError(
        "A batch must be a pair (images of domain A, images of domain B). Received "
        f"{received}. Two arrays are given apart: `fit(a, b)`."
    )
