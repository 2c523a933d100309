"""Reads networks from PyTorch's state dicts; each family says itself how it is read."""

import itertools
import re
from typing import Any

import keras
import numpy as np

from keras_cyclegan import networks
from keras_cyclegan.files.untrusted import listing
from keras_cyclegan.networks.size_limits import build_without_weights, check_weights

LEFT_OVERS = (".running_mean", ".running_var", ".num_batches_tracked")
MAX_PREFIXES = 4  # `module.`, `_orig_mod.`, `netG_A.` … one before the other
FOREIGN = {  # what other code names its tensors
    r"(.*\.)?filt": "`filt` are the blur filters of CUT's networks",
    r"(.*\.)?model\.\d+\.block\..*": "PyTorch-GAN's generator, of `block`s, doubles by resizing",
}


def convert_network(
    state_dict: dict[str, Any], image_size: tuple[int, int] | None = None, name: str | None = None
) -> keras.Model:
    """Make the ResNet, U-Net, PatchGAN or pixel network that a state dict belongs to.

    Args:
        state_dict: dict from torch's names to numpy arrays, kernels in torch's layout. What
            wrappers put before all names (`module.`, `_orig_mod.`, `netG_A.`) is left out.
        image_size: as in `convert_checkpoints`.

    Raises:
        ValueError: the tensors make no such network.
    """
    for key, (pattern, reason) in itertools.product(state_dict, FOREIGN.items()):
        if len(key) < 1000 and re.fullmatch(pattern, key):
            raise ValueError(f"{key} belongs to another architecture: {reason}.")
    tensors = {key: value for key, value in state_dict.items() if not key.endswith(LEFT_OVERS)}
    family, tensors, arguments, modules = _find_family(tensors)
    if image_size:
        arguments["image_shape"] = (*image_size, arguments["image_shape"][2])
    scales = [key for key, value in tensors.items() if key.endswith(".weight") and value.ndim == 1]
    arguments |= {"affine_norm": bool(scales), "name": name}
    described = build_without_weights(lambda: family(**arguments))
    check_weights([described])
    arrays, problems = _arrays(tensors, described, modules)
    if problems:
        _refuse_batch_norm(state_dict)
        raise ValueError(
            f"These tensors don't make a {family.__name__}: {listing(problems, '; ')}."
        )
    network = family(**arguments)
    for key, variable in _variables(network, modules).items():
        variable.assign(arrays[key])
    return network


class TorchTensors(dict):
    """Tensors by torch's names; an error names the one that is missing."""

    def kernel(self, key):
        """Return the shape of a convolution's kernel."""
        if key not in self:
            raise ValueError(f"{key} is missing")
        shape = self[key].shape
        if len(shape) != 4 or 0 in shape:
            raise ValueError(f"{key} has shape {shape}, expected a kernel of 4 dimensions")
        return shape

    def matches(self, pattern):
        """Return the matches of a pattern at the beginning of names."""
        return [found for key in self if (found := re.match(pattern, key))]

    def last(self, pattern, otherwise=0):
        """Return the largest number that stands in a name where `pattern` has its group."""
        return max((int(found[1]) for found in self.matches(pattern)), default=otherwise)


def _find_family(tensors):
    """Return the class, tensors without prefix, its arguments, its layers by torch's names."""
    # A class that can be read has `torch_layout(tensors)`, which gives None for another family's
    # tensors, else the arguments and the layers. It bounds what depth it takes from the names.
    given = tensors
    for _ in range(MAX_PREFIXES):
        for family in map(networks.__dict__.get, networks.__all__):
            layout = getattr(family, "torch_layout", lambda _: None)(TorchTensors(tensors))
            if layout is not None:
                return family, tensors, *layout
        prefixes = {key.partition(".")[0] for key in tensors}
        if len(prefixes) != 1:
            break
        tensors = {key.partition(".")[2]: value for key, value in tensors.items()}
    raise ValueError(
        "These tensors belong to no network that can be converted: ResNet and U-Net generators, "
        "PatchGAN and pixel discriminators, under the authors' names. Received "
        f"{listing(sorted(given)) or 'none'}."
    )


def _refuse_batch_norm(state_dict):
    for key in state_dict:
        module = key.removesuffix(".running_mean")
        if module != key and f"{module}.weight" in state_dict:
            raise ValueError(
                f"{module} is a batch norm ({key} beside its weight). Networks here have instance "
                "norm: train with the authors' `--norm instance`."
            )


def _variables(network, modules):
    """Return the network's variables by torch's names."""
    return {
        f"{module}.{'bias' if variable.name in ('bias', 'beta') else 'weight'}": variable
        for module, layer in modules.items()
        for variable in network.get_layer(layer).weights
    }


def _arrays(tensors, network, modules):
    """Return the values of the network's variables by torch's names, and what is wrong."""
    variables = _variables(network, modules)
    arrays, problems = {}, [f"{key} is missing" for key in variables if key not in tensors]
    for key, tensor in tensors.items():
        # A kernel is (out, in, h, w), transposed (in, out, h, w); in Keras (h, w, in, out), (h, w,
        # out, in). No flip.
        array = tensor.transpose(2, 3, 1, 0) if tensor.ndim == 4 else tensor
        expected = tuple(variables[key].shape) if key in variables else None
        if expected is None:
            problems.append(f"{key} is unknown")
        elif array.shape != expected:
            if tensor.ndim == 4:
                expected = tuple(expected[axis] for axis in (3, 2, 0, 1))
            problems.append(f"{key} has shape {tensor.shape}, expected {expected}")
        elif array.dtype.kind != "f":
            problems.append(f"{key} has dtype {array.dtype}, expected floats")
        else:
            with np.errstate(over="ignore"):
                arrays[key] = array.astype("float32")
            if not np.isfinite(arrays[key]).all():
                problems.append(f"{key} holds NaN or infinity")
    return arrays, problems
