"""Weights of torch's feature extractors for Keras networks with the same names of layers."""

from keras import layers


def assign_state_dict(model, state, title):
    """Assign the weights of a torch state dict to a network.

    Args:
        model: functional `keras.Model` of convolutions and batch normalisations, each named after
            its torch module.
        state: dict of torch's keys to arrays. The classifier (`fc`), which features don't use, and
            batch counters are left out.
        title: string. Whose state dict it should be, for the error.

    Raises:
        ValueError: a key is missing, unknown or of another shape. The message names the keys.
    """
    wanted, depthwise = {}, set()
    for layer in model.layers:
        if isinstance(layer, (layers.Conv2D, layers.DepthwiseConv2D)):
            wanted[f"{layer.name}.weight"] = layer.kernel
            if isinstance(layer, layers.DepthwiseConv2D):
                depthwise.add(f"{layer.name}.weight")
        elif isinstance(layer, layers.BatchNormalization):
            wanted[f"{layer.name}.weight"] = layer.gamma
            wanted[f"{layer.name}.bias"] = layer.beta
            wanted[f"{layer.name}.running_mean"] = layer.moving_mean
            wanted[f"{layer.name}.running_var"] = layer.moving_variance
    given = {
        key: _channels_last(value, key in depthwise)
        for key, value in state.items()
        if not key.startswith("fc.") and not key.endswith(".num_batches_tracked")
    }
    wrong = sorted(wanted.keys() ^ given.keys()) or [
        f"{key} {given[key].shape}, expected {tuple(variable.shape)}"
        for key, variable in wanted.items()
        if tuple(variable.shape) != given[key].shape
    ]
    if wrong:
        raise ValueError(
            f"This is not the state dict of {title}. Missing, unknown or of another shape: "
            f"{', '.join(wrong[:5])}{' …' if len(wrong) > 5 else ''}."
        )
    for key, variable in wanted.items():
        variable.assign(given[key])


def _channels_last(value, depthwise):
    if value.ndim != 4:
        return value
    # Torch's kernels are (out, in, height, width), depthwise ones (channels, 1, height, width).
    return value.transpose(2, 3, 0, 1) if depthwise else value.transpose(2, 3, 1, 0)
