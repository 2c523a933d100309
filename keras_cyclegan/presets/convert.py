"""Converts PyTorch checkpoints of the authors' networks to models of this package."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_cyclegan.arguments import PathLike
from keras_cyclegan.files.download import sha256_of
from keras_cyclegan.files.torch_checkpoint import read_state_dict
from keras_cyclegan.networks import (
    PatchDiscriminator,
    PixelDiscriminator,
    ResNetGenerator,
    UNetGenerator,
)
from keras_cyclegan.presets.shapes_only import build_without_weights, check_counts
from keras_cyclegan.presets.weights import listing

if TYPE_CHECKING:
    import keras

    from keras_cyclegan.cyclegan import CycleGAN

LEFT_OVERS = (".running_mean", ".running_var", ".num_batches_tracked")


def convert_checkpoints(
    a_to_b: PathLike,
    b_to_a: PathLike | None = None,
    discriminator_a: PathLike | None = None,
    discriminator_b: PathLike | None = None,
    image_size: int | None = None,
) -> "CycleGAN":
    """Make a CycleGAN of checkpoints that the authors' PyTorch code wrote.

    Zhu et al.'s code, junyanz/pytorch-CycleGAN-and-pix2pix, and other code with its names of
    tensors. torch is not needed, and nothing in a checkpoint is run. Architecture, width, number of
    blocks, dropout and affine norms follow from the tensors' names and shapes. A dropout rate
    doesn't: a ResNet with dropout gets the authors' 0.5, and a U-Net's dropout can't be seen.

    Args:
        a_to_b: path of the generator from A to B, the authors' `latest_net_G_A.pth`.
        b_to_a: path of the generator from B to A, `latest_net_G_B.pth`. None, the default,
            makes a model that translates in one direction only and can't be trained.
        discriminator_a: path of the discriminator that judges domain A, the authors'
            `latest_net_D_B.pth`. None, the default, takes the paper's with fresh weights in a model
            with both generators, and none in another.
        discriminator_b: path of the discriminator that judges domain B, `latest_net_D_A.pth`.
            None, the default, as for domain A.
        image_size: `(height, width)` of the training images. None, the default, takes 256×256, and
            128×128 for a ResNet of 6 blocks or fewer and for a U-Net of 7 halvings or fewer.

    Returns:
        `CycleGAN`.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: a file is no checkpoint, or a tensor is missing, unknown or of another shape;
            the message names each.

    Example:

    ```python
    model = convert_checkpoints("horse2zebra.pth", "zebra2horse.pth")
    model.save_to_preset("horse2zebra_256")
    ```
    """
    from keras_cyclegan.cyclegan import CycleGAN

    networks: dict[str, Any] = {}
    for name, path, wanted in (
        ("generator_ab", a_to_b, "generator"),
        ("generator_ba", b_to_a, "generator"),
        ("discriminator_a", discriminator_a, "discriminator"),
        ("discriminator_b", discriminator_b, "discriminator"),
    ):
        if path is None:
            fresh = b_to_a is not None and wanted == "discriminator"
            networks[name] = "auto" if fresh else None
            continue
        try:
            networks[name] = convert_network(read_state_dict(path), image_size, name)
        except ValueError as error:
            raise ValueError(f"{name}, {path}: {error}") from error
        is_generator = isinstance(networks[name], ResNetGenerator | UNetGenerator)
        if is_generator != (wanted == "generator"):
            raise ValueError(
                f"{name} must be a {wanted}. {path} holds a {type(networks[name]).__name__}."
            )
    return CycleGAN(**networks, image_shape=networks["generator_ab"].image_shape)


def conversion_card(**paths):
    """Return the card for `convert_checkpoints(**paths)`: the files and their SHA-256."""
    origin = [
        f"- {name}: `{Path(path).name}`, SHA-256 `{sha256_of(path)}`"
        for name, path in paths.items()
        if path is not None
    ]
    return {
        "description": "A CycleGAN, converted by keras-cyclegan from PyTorch checkpoints.",
        "origin": "\n".join(origin),
    }


def convert_network(
    state_dict: dict[str, Any], image_size: int | None = None, name: str | None = None
) -> "keras.Model":
    """Make the network that a state dict belongs to, with its weights.

    For weights that don't come in the authors' files: `convert_checkpoints` reads those.

    Args:
        state_dict: dict from torch's names to numpy arrays, kernels in torch's layout.
        image_size: `(height, width)`, None by default, as in `convert_checkpoints`.
        name: str. Name of the network; None, the default, lets Keras choose one.

    Returns:
        `ResNetGenerator`, `UNetGenerator`, `PatchDiscriminator` or `PixelDiscriminator`.

    Raises:
        ValueError: the tensors belong to no network that can be converted, or one is missing,
            unknown or of another shape.

    Example:

    ```python
    shapes = {"net.0": (64, 3, 1, 1), "net.2": (128, 64, 1, 1), "net.5": (1, 128, 1, 1)}
    state = {f"{layer}.weight": np.ones(shape, "float32") for layer, shape in shapes.items()}
    state |= {f"{layer}.bias": np.zeros(shape[0], "float32") for layer, shape in shapes.items()}
    discriminator = convert_network(state)  # a `PixelDiscriminator`
    discriminator.filters  # 64
    ```
    """
    prefix = "module." if all(key.startswith("module.") for key in state_dict) else ""
    tensors = {
        key.removeprefix(prefix): tensor
        for key, tensor in state_dict.items()
        if not key.endswith(LEFT_OVERS)
    }
    network_class, arguments, modules = _description(tensors, image_size)

    def build():
        return network_class(**arguments, affine_norm=_has_affine_norm(tensors), name=name)

    arrays = _arrays(tensors, build_without_weights(build), modules)
    network = build()
    for key, variable in _variables(network, modules).items():
        variable.assign(arrays[key])
    return network


def _description(tensors, image_size):
    """Return a network's class, its arguments, and its layers' names by torch's module names."""
    for matches, describe in (
        (lambda key: key.startswith("model.model."), _unet),
        (lambda key: ".conv_block." in key, _resnet),
        (lambda key: key.startswith("net."), _pixel_discriminator),
        (lambda key: key == "model.0.weight", _patch_discriminator),
        (lambda key: key == "model.1.weight", _resnet),
    ):
        if any(map(matches, tensors)):
            return describe(_Shapes(tensors), image_size)
    raise ValueError(
        "These tensors belong to no network that can be converted: ResNet and U-Net generators, "
        "PatchGAN and pixel discriminators, under the authors' names. Received "
        f"{listing(sorted(tensors)) or 'none'}."
    )


class _Shapes:
    """The shapes of tensors by torch's names; an error names the tensor that is missing."""

    def __init__(self, tensors):
        self.tensors = tensors

    def __contains__(self, key):
        return key in self.tensors

    def kernel(self, key):
        if key not in self.tensors:
            raise ValueError(f"{key} is missing")
        shape = self.tensors[key].shape
        if len(shape) != 4 or 0 in shape:
            raise ValueError(f"{key} has shape {shape}, expected a kernel of 4 dimensions")
        return shape

    def last(self, pattern, otherwise=0):
        """Return the largest number in a name that matches `pattern`."""
        found = (re.fullmatch(pattern, key) for key in self.tensors)
        return max((int(match[1]) for match in found if match), default=otherwise)


def _has_affine_norm(tensors):
    return any(tensor.ndim == 1 for key, tensor in tensors.items() if key.endswith(".weight"))


def _resnet(shapes, image_size):
    num_blocks = max(0, shapes.last(r"model\.(\d{1,9})\.conv_block\..*", otherwise=9) - 9)
    check_counts("ResNetGenerator", {"num_blocks": num_blocks})
    last = num_blocks + 17
    filters, channels = shapes.kernel("model.1.weight")[:2]
    first_block = "model.10.conv_block."
    has_dropout = (
        f"{first_block}6.weight" in shapes and shapes.tensors[f"{first_block}6.weight"].ndim == 4
    )
    size = image_size or ((256, 256) if num_blocks > 6 else (128, 128))
    arguments = {
        "image_shape": (*size, channels),
        "output_channels": shapes.kernel(f"model.{last}.weight")[0],
        "filters": filters,
        "num_blocks": num_blocks,
        "dropout": 0.5 if has_dropout else 0.0,
    }
    modules = {}
    for index, stage in (
        (1, "stem"),
        (4, "down1"),
        (7, "down2"),
        (last - 7, "up1"),
        (last - 4, "up2"),
    ):
        modules[f"model.{index}"] = f"{stage}_conv"
        modules[f"model.{index + 1}"] = f"{stage}_norm"
    for i in range(num_blocks):
        for half, index in ((1, 1), (2, 6 if has_dropout else 5)):
            modules[f"model.{10 + i}.conv_block.{index}"] = f"block{i + 1}_{half}_conv"
            modules[f"model.{10 + i}.conv_block.{index + 1}"] = f"block{i + 1}_{half}_norm"
    modules[f"model.{last}"] = "head_conv"
    return ResNetGenerator, arguments, modules


def _unet(shapes, image_size):
    filters, channels = shapes.kernel("model.model.0.weight")[:2]
    found = (re.match(r"model\.model\.1\.model\.((3\.model\.)*)", key) for key in shapes.tensors)
    inner = max((len(match[1]) // len("3.model.") for match in found if match), default=0)
    check_counts("UNetGenerator", {"num_downsamplings": inner + 2})
    # torch's prefix of each level
    levels = ["model.model.", *("model.model.1.model." + i * "3.model." for i in range(inner + 1))]
    size = image_size or (max(2 ** len(levels), 128),) * 2
    arguments = {
        "image_shape": (*size, channels),
        "output_channels": shapes.kernel("model.model.3.weight")[1],
        "filters": filters,
        "num_downsamplings": len(levels),
    }
    modules = {"model.model.0": "down1_conv", "model.model.3": "up1_conv"}
    for level, prefix in enumerate(levels[1:], start=2):
        innermost = level == len(levels)
        modules[f"{prefix}1"] = f"down{level}_conv"
        if not innermost:
            modules[f"{prefix}2"] = f"down{level}_norm"
        modules[f"{prefix}{3 if innermost else 5}"] = f"up{level}_conv"
        modules[f"{prefix}{4 if innermost else 6}"] = f"up{level}_norm"
    return UNetGenerator, arguments, modules


def _patch_discriminator(shapes, image_size):
    filters, channels = shapes.kernel("model.0.weight")[:2]
    last = shapes.last(r"model\.(\d{1,9})\.weight")  # the logits' 3 * num_layers + 2
    num_layers = max(1, (last - 2) // 3)
    check_counts("PatchDiscriminator", {"num_layers": num_layers})
    arguments = {
        "image_shape": (*(image_size or (None, None)), channels),
        "filters": filters,
        "num_layers": num_layers,
    }
    modules = {"model.0": "conv1", f"model.{3 * num_layers + 2}": "logits_conv"}
    for i in range(1, num_layers + 1):
        modules[f"model.{3 * i - 1}"] = f"conv{i + 1}"
        modules[f"model.{3 * i}"] = f"norm{i + 1}"
    return PatchDiscriminator, arguments, modules


def _pixel_discriminator(shapes, image_size):
    filters, channels = shapes.kernel("net.0.weight")[:2]
    arguments = {"image_shape": (*(image_size or (None, None)), channels), "filters": filters}
    modules = {"net.0": "conv1", "net.2": "conv2", "net.3": "norm2", "net.5": "logits_conv"}
    return PixelDiscriminator, arguments, modules


def _variables(network, modules):
    """Return the network's variables by torch's names."""
    return {
        f"{module}.{'bias' if variable.name in ('bias', 'beta') else 'weight'}": variable
        for module, layer in modules.items()
        for variable in network.get_layer(layer).weights
    }


def _arrays(tensors, network, modules):
    """Return the values of the network's variables by torch's names; use every tensor."""
    variables = _variables(network, modules)
    problems = [f"{key} is missing" for key in variables if key not in tensors]
    arrays = {}
    for key, tensor in tensors.items():
        if key not in variables:
            problems.append(f"{key} is unknown")
            continue
        # A kernel is (out, in, h, w), transposed (in, out, h, w); in Keras (h, w, in, out), (h, w,
        # out, in). No flip.
        array = tensor.transpose(2, 3, 1, 0) if tensor.ndim == 4 else tensor
        expected = tuple(variables[key].shape)
        if array.shape != expected:
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
    if problems:
        raise ValueError(
            f"These tensors don't make a {type(network).__name__}: {listing(problems, '; ')}."
        )
    return arrays
