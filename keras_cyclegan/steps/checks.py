"""Checks before the first step: of terms, data and callbacks."""

import itertools
import math
import types
import warnings

import keras
import numpy as np

from keras_cyclegan.data.pixels import check_unit, seems_zero_to_one
from keras_cyclegan.passes import Batch
from keras_cyclegan.terms import Term


def check_terms(terms):
    """Raise a ValueError unless all of `terms` are terms."""
    for term in terms:
        if not isinstance(term, Term):
            raise ValueError(f"`terms` must be a list of `losses.Term` objects. Received {term!r}.")


def check_names(terms):
    """Raise a ValueError for terms that have no name in the log, or share one."""
    taken = {}
    for term in terms:
        kind = type(term)
        for name in term.names:
            if name in taken:
                raise ValueError(
                    f"Two terms log {name!r}: {taken[name].__name__} and {kind.__name__}. Give one "
                    "of them other `names`."
                )
            taken[name] = kind
        if not term.names and not kind.__module__.startswith("keras_cyclegan."):
            raise ValueError(f"{kind.__name__} has no `names`: give it a tuple, a name a scalar.")


def check_remat(remat, *generators):
    """Raise a ValueError for `remat` of generators that draw numbers or keep statistics."""
    if remat and any(generator.non_trainable_variables for generator in generators):
        raise ValueError(
            "`remat=True` computes a generator's pass twice, and both must be equal: leave dropout "
            "and batch norm out of generators, or compile with `remat=False`."
        )


def check_adversarial(loss, penalty):
    """Raise a ValueError for a loss without both methods, or Wasserstein without penalty."""
    if not (hasattr(loss, "generator") and hasattr(loss, "discriminator")):
        raise ValueError(
            "`adversarial_loss` must be an `AdversarialLoss`, its kind, or an object with the "
            "methods `generator(fake_logits)` and `discriminator(real_logits, fake_logits)`. "
            f"Received {loss!r}."
        )
    if getattr(loss, "kind", None) == "wasserstein" and penalty is None:
        raise ValueError('The Wasserstein loss needs a penalty: `gradient_penalty="wgan_gp"`.')


def check_data(data, second, check_shapes):
    """Check the first batch of `fit(data, second)`; return `data`, or a generator of the same.

    `check_shapes(batch)` raises a ValueError, or returns what `unpack_batch` does.
    """
    if hasattr(data, "seek"):  # from `data.load`, whose values are right
        check_shapes(data.element_spec)
        return data
    if isinstance(data, types.GeneratorType):
        first = next(data, None)
        data = (batch for batch in itertools.chain([first], data))
    elif isinstance(data, (tuple, list)):  # Keras would take all of it for images of domain A
        raise ValueError(
            "Give `fit` two arrays as two arguments, `fit(a, b)`, or one dict of arrays. Received "
            f"one {type(data).__name__} of {len(data)}."
        )
    elif isinstance(data, dict):
        first = {name: array[:8] for name, array in data.items()}
    elif hasattr(data, "shape"):
        first = data[:8] if second is None else (data[:8], second[:8])
    elif isinstance(data, keras.utils.PyDataset):
        first = data[0]
    elif hasattr(data, "element_spec"):
        specs = keras.tree.flatten(data.element_spec)
        if any(getattr(getattr(spec, "shape", ()), "rank", 0) is None for spec in specs):
            raise ValueError(
                "The dataset doesn't say the shape of its batches: map `tf.ensure_shape` over it, "
                f"(None, height, width, channels) each. Received {data.element_spec}."
            )
        first = next(iter(data), None)
    else:
        return data
    if first is None:
        raise ValueError("The dataset has no batch. Are there fewer images than `batch_size`?")
    check_values(check_shapes(first))
    return data


def check_callbacks(callbacks):
    """Raise a ValueError for a callback that sets a rate which the schedule sets too."""
    setters = keras.callbacks.LearningRateScheduler, keras.callbacks.ReduceLROnPlateau
    for callback in keras.tree.flatten(getattr(callbacks, "callbacks", callbacks)):
        if isinstance(callback, setters):
            raise ValueError(
                f"{type(callback).__name__} sets the learning rate, and so does the schedule of "
                "`compile()`. Compile with two optimizers of a constant rate: `paper_adam(2e-4)`."
            )


def count_steps(data, batch_size=None, steps_per_epoch=None, validation_split=0.0):
    """Return the steps of an epoch of `fit`, or None where they are unknown."""
    if steps := getattr(data, "steps_per_epoch", None) or steps_per_epoch:
        return steps
    if isinstance(data, dict):
        data = data["a"]
    if hasattr(data, "shape"):
        images = math.floor(len(data) * (1 - validation_split))
        return math.ceil(images / (batch_size or 32))
    try:
        count = data.num_batches if isinstance(data, keras.utils.PyDataset) else len(data)
    except TypeError:
        return None
    return count if count and count > 0 else None


def unpack_batch(data, channels):
    """Return a `Batch` of a pair `(a, b)` or of a dict, `(n, height, width, channels)` each."""
    if isinstance(data, (tuple, list)):
        # `train_on_batch(a, b)` adds None for the sample weights, `fit(dict)` for the targets too.
        parts = [part for part in data if part is not None]
        data = parts[0] if len(parts) == 1 else tuple(parts)
    if isinstance(data, tuple) and len(data) == 2:
        data = {"a": data[0], "b": data[1]}
    if not isinstance(data, dict) or not {"a", "b"} <= data.keys():
        received = f"of shape {tuple(data.shape)}" if hasattr(data, "shape") else f"of {len(data)}"
        received = f"with keys {sorted(data)}" if isinstance(data, dict) else received
        raise ValueError(
            "A batch must be a pair (images of domain A, images of domain B), or a dict of 'a', "
            "'b' and what rides along: give two arrays as `fit(a, b)`. Received one "
            f"{type(data).__name__} {received}."
        )
    for name, count in zip("ab", channels, strict=True):
        if len(data[name].shape) != 4 or data[name].shape[-1] != count:
            raise ValueError(
                f"Images of domain {name.upper()} must have shape (batch, height, width, {count}). "
                f"Received {tuple(data[name].shape)}."
            )
    # `train_on_batch` leaves the arrays of a dict as they are, and torch can't multiply by them.
    arrays = {name: value for name, value in data.items() if isinstance(value, np.ndarray)}
    return Batch(data | {name: keras.ops.convert_to_tensor(x) for name, x in arrays.items()})


def check_values(batch):
    """Raise a ValueError for values outside of [-1, 1]; warn if all lie in [0, 1]."""
    domains = {f"domain {name.upper()}": keras.ops.convert_to_numpy(batch[name]) for name in "ab"}
    for domain, images in domains.items():
        try:
            check_unit(images.astype("float32"))
        except ValueError as error:
            raise ValueError(f"Images of {domain}: {error}") from None
    if seems_zero_to_one(*domains.values()):
        message = "No value of the first images is below 0. Are they in [0, 1]? Scale them to "
        warnings.warn(f"{message}[-1, 1]: `2 * images - 1`.", stacklevel=4)
