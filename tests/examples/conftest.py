"""What the examples share here: a folder of small pictures, and training without compilation."""

import keras
import numpy as np
import pytest
from PIL import Image
from support.eager import eagerly

from keras_cyclegan import CycleGAN
from keras_cyclegan.networks import PatchDiscriminator, ResNetGenerator


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """Six noisy squares a domain, in `trainA` and `trainB`, of 20×20 pixels in two colours."""
    root = tmp_path_factory.mktemp("images")
    random = np.random.default_rng(0)
    for name in ("trainA", "trainB"):
        (root / name).mkdir()
        for i in range(6):
            image = random.integers(0, 256, (20, 20, 3), "uint8")
            image[5:15, 5:15] = (255, 0, 0) if name.endswith("A") else (0, 0, 255)
            Image.fromarray(image).save(root / name / f"{i}.png")
    return root


@pytest.fixture(scope="session")
def preset(tmp_path_factory):
    """A translator of 16×16 pixels, both ways, without weights of its discriminators."""
    keras.utils.set_random_seed(0)
    path, shape = tmp_path_factory.mktemp("preset") / "tiny", (16, 16, 3)
    networks = [ResNetGenerator(shape, filters=4, num_blocks=0) for _ in range(2)]
    networks += [PatchDiscriminator(shape, filters=4, num_layers=1) for _ in range(2)]
    CycleGAN(*networks, image_shape=shape).save_to_preset(path, discriminators=False)
    return path


@pytest.fixture
def eager():
    """Steps without a graph: tracing one takes longer than the few steps of a test."""
    with eagerly():
        yield


@pytest.fixture
def small():
    """Options by which an example trains in a moment."""
    return {"image_size": 16, "filters": 4, "blocks": 0, "epochs": 1, "steps_per_epoch": 1}
