"""Converts PyTorch checkpoints of the authors' networks to arguments of `CycleGAN`."""

from typing import Any

from keras_cyclegan.arguments import PathLike
from keras_cyclegan.files.torch_checkpoint import read_state_dict
from keras_cyclegan.networks.checkpoints import convert_network
from keras_cyclegan.networks.compatibility import NETWORKS


def convert_checkpoints(
    a_to_b: PathLike,
    b_to_a: PathLike | None = None,
    discriminator_a: PathLike | None = None,
    discriminator_b: PathLike | None = None,
    image_size: tuple[int, int] | None = None,
) -> dict[str, Any]:
    """Read the networks of checkpoints that the authors' PyTorch code wrote, without torch.

    Zhu et al.'s code, junyanz/pytorch-CycleGAN-and-pix2pix, and other code with its names of
    tensors. Nothing in a checkpoint is run. The architecture follows from the tensors' names and
    shapes, but for dropout: a ResNet that has it gets the authors' 0.5; a U-Net's can't be seen.

    Args:
        a_to_b, b_to_a: paths of the generators, the authors' `latest_net_G_A.pth` and
            `latest_net_G_B.pth`. Without the second the model translates in one direction only.
        discriminator_a, discriminator_b: paths of the discriminators that judge domains A and B,
            the authors' `latest_net_D_B.pth` and `latest_net_D_A.pth`. Those left out are fresh
            ones of the paper, if there are both generators.
        image_size: `(height, width)` of the training images. None: 256×256, and 128×128 for a
            ResNet of 6 blocks or fewer and for a U-Net of 7 halvings or fewer.

    Returns:
        dict of arguments of `CycleGAN`: the four networks and `image_shape`.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: a file is no checkpoint, or a tensor is missing, unknown or of another shape.
    """
    paths = zip(NETWORKS, (a_to_b, b_to_a, discriminator_a, discriminator_b), strict=True)
    networks: dict[str, Any] = {}
    for name, path in paths:
        kind = name.partition("_")[0]
        if path is None:
            networks[name] = None if b_to_a is None or kind == "generator" else "auto"
            continue
        try:
            networks[name] = convert_network(read_state_dict(path), image_size, name)
        except ValueError as error:
            raise ValueError(f"{name}, {path}: {error}") from error
        if hasattr(networks[name], "output_channels") != (kind == "generator"):
            found = type(networks[name]).__name__
            raise ValueError(f"{name} must be a {kind}. {path} holds a {found}.")
    return networks | {"image_shape": networks["generator_ab"].image_shape}
