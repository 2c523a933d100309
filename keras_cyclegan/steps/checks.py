"""Checks before the first step: of arguments, data and callbacks."""

import math
import types
import warnings

import keras
import numpy as np

from keras_cyclegan.data.pixels import check_unit, seems_zero_to_one


def check_arguments(given, weight_a, weight_b, ema_momentum):
    """Raise a ValueError for unknown arguments of `CycleGAN.compile` and numbers out of range.

    Args:
        given: dict of the arguments meant for `keras.Model.compile`.
        weight_a, weight_b, ema_momentum: arguments of `CycleGAN.compile`.
    """
    known = {"jit_compile", "steps_per_execution", "run_eagerly", "auto_scale_loss"}
    if unknown := sorted(set(given) - known):
        raise ValueError(
            f"`CycleGAN.compile` has no argument {', '.join(unknown)}. Its two optimizers are "
            "`generator_optimizer` and `discriminator_optimizer`, its losses `adversarial_loss`, "
            "`cycle_loss`, `identity_loss`, `perceptual_loss`, `activation_loss` and "
            "`gradient_penalty`."
        )
    for name, weight in (("weight_a", weight_a), ("weight_b", weight_b)):
        if not isinstance(weight, (int, float)) or not weight >= 0:
            raise ValueError(f"`{name}` must be a number of at least 0. Received {weight!r}.")
    if ema_momentum is not None and not 0.0 < ema_momentum < 1.0:
        raise ValueError(
            f"`ema_momentum` must lie between 0 and 1: 0.999, for example. Received {ema_momentum}."
        )


def check_objective(cycle_loss, identity_loss, channels_a, channels_b):
    """Raise a ValueError without a cycle term, or for an identity term between unlike domains."""
    if identity_loss is not None and channels_a != channels_b:
        raise ValueError(
            "The identity loss feeds images of one domain to the generator of the other: both "
            f"need the same channels. Received {channels_a} and {channels_b}. Compile with "
            "`identity_loss=None`."
        )
    if cycle_loss is None:
        raise ValueError("`cycle_loss` must be a loss or its norm. Received None.")


def check_activation(loss, generators, channels_a, channels_b):
    """Refuse a loss of the generators' auxiliary heads where they have none, or can't be asked."""
    if loss is None:
        return
    for generator in generators:
        if not hasattr(generator, "class_logits"):
            raise ValueError(
                "`activation_loss` needs generators with an auxiliary head, such as "
                "`networks.UGATITGenerator`: a method `class_logits(images)`. Received "
                f"{generator.name}, a {type(generator).__name__}."
            )
    if channels_a != channels_b:
        raise ValueError(
            "`activation_loss` shows images of both domains to each generator: both need the same "
            f"channels. Received {channels_a} and {channels_b}."
        )


def check_remat(remat, *generators):
    """Raise a ValueError for `remat` of generators that draw numbers or keep statistics."""
    if remat and any(generator.non_trainable_variables for generator in generators):
        raise ValueError(
            "`remat=True` computes a generator's pass twice, and both must be equal: it takes no "
            "generator with dropout or batch norm. Leave these out, or compile with `remat=False`."
        )


def check_adversarial(loss, penalty):
    """Raise a ValueError for a loss without both methods, or Wasserstein without penalty."""
    if not (hasattr(loss, "generator") and hasattr(loss, "discriminator")):
        raise ValueError(
            "`adversarial_loss` must be an `AdversarialLoss`, its kind, or an object with the "
            "methods `generator(judged_fake)` and `discriminator(judged_real, judged_fake)`; the "
            "former gets judged real images too where the attribute `needs_real` is True. "
            f"Received {loss!r}."
        )
    if getattr(loss, "kind", None) == "wasserstein" and penalty is None:
        raise ValueError(
            "The Wasserstein loss diverges without a penalty on the discriminators' gradient. "
            'Compile with `gradient_penalty="wgan_gp"`.'
        )


def check_data(data, second, check_shapes, check_values):
    """Check the first batch of `fit(data, second)`.

    Of a dataset that can seek (from `data.load` or `data.unpaired_dataset`) no batch is taken:
    it makes batches from uint8 images, so that their values are right.

    Args:
        data, second: arguments of `fit`.
        check_shapes: function that raises for a batch, or the specs of one, of wrong shapes.
        check_values: function that raises for a batch of wrong values.

    Returns:
        `data`; or in place of a generator, which can be read only once, one that checks when it
        starts.
    """

    def check(batch):
        check_shapes(batch)
        check_values(batch)

    if isinstance(data, types.GeneratorType):
        return _checked(data, check)
    if isinstance(data, (tuple, list, dict)):
        raise ValueError(  # Keras would take all of it for images of domain A
            f"Give `fit` two arrays as two arguments, `fit(a, b)`. Received one "
            f"{type(data).__name__} of {len(data)}."
        )
    if hasattr(data, "shape"):
        check(data[:8] if second is None else (data[:8], second[:8]))
    elif isinstance(data, keras.utils.PyDataset):
        check(data[0])
    elif hasattr(data, "seek"):
        check_shapes(data.element_spec)
    elif hasattr(data, "element_spec"):
        first = next(iter(data), None)
        if first is None:
            raise ValueError("The dataset has no batch. Are there fewer images than `batch_size`?")
        check(first)
    return data


def check_callbacks(callbacks):
    """Raise a ValueError for a callback that sets a rate which the schedule sets too."""
    setters = keras.callbacks.LearningRateScheduler, keras.callbacks.ReduceLROnPlateau
    callbacks = getattr(callbacks, "callbacks", callbacks)  # a CallbackList
    for callback in keras.tree.flatten(callbacks):
        if isinstance(callback, setters):
            raise ValueError(
                f"{type(callback).__name__} sets the learning rate, and so does the schedule that "
                "`compile()` chose. Compile with two optimizers of a constant rate, the paper's: "
                "`keras.optimizers.Adam(2e-4, beta_1=0.5, epsilon=1e-8)`."
            )


def count_steps(data, batch_size=None, steps_per_epoch=None, validation_split=0.0):
    """Return the steps of an epoch of `fit`, or None where they are unknown."""
    if steps := getattr(data, "steps_per_epoch", None) or steps_per_epoch:
        return steps
    if hasattr(data, "shape"):
        images = math.floor(len(data) * (1 - validation_split))
        return math.ceil(images / (batch_size or 32))
    try:
        count = data.num_batches if isinstance(data, keras.utils.PyDataset) else len(data)
    except TypeError:
        return None
    return count if count and count > 0 else None


def _checked(batches, check):
    first = next(batches)
    check(first)
    yield first
    yield from batches


def unpack_batch(data, channels_a, channels_b):
    """Return the two tensors of one batch `(a, b)`, `(batch, height, width, channels)` each."""
    if isinstance(data, (tuple, list)) and len(data) == 3 and data[2] is None:
        data = data[:2]  # `train_on_batch(a, b)` adds None for the sample weights
    if not isinstance(data, (tuple, list)) or len(data) != 2:
        raise _no_pair(data)
    for name, images, channels in (("A", data[0], channels_a), ("B", data[1], channels_b)):
        if len(images.shape) != 4 or images.shape[-1] != channels:
            raise ValueError(
                f"Images of domain {name} must have shape (batch, height, width, {channels}). "
                f"Received {tuple(images.shape)}."
            )
    return data


def _no_pair(data):
    """Make the error for a batch that isn't `(a, b)`."""
    if isinstance(data, (tuple, list)):
        received = f"a {type(data).__name__} of {len(data)}"
    elif isinstance(data, dict):
        received = f"a dict with keys {sorted(data)}"
    else:
        received = f"one array of shape {tuple(data.shape)}"
    return ValueError(
        "A batch must be a pair (images of domain A, images of domain B). Received "
        f"{received}. Give two arrays as two arguments: `fit(a, b)`."
    )


def check_values(images_a, images_b):
    """Raise a ValueError for values outside of [-1, 1]; warn if all lie in [0, 1]."""
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
