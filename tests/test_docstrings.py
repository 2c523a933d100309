"""The examples in docstrings run as they stand."""

import ast
import importlib
import inspect
import re
from pathlib import Path
from unittest import mock

import keras
import numpy as np
import PIL.Image
import pytest
import tensorflow as tf

import keras_cyclegan
from keras_cyclegan import CycleGAN
from keras_cyclegan.networks import PatchDiscriminator, ResNetGenerator

PACKAGE = Path(keras_cyclegan.__file__).parent
SHAPE = (32, 32, 3)


def examples():
    """`(module, name, code)` of every example; a module's own names may be used in it."""
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        module = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, (ast.ClassDef, ast.FunctionDef)):
                found = re.findall(r"```python\n(.*?)```", ast.get_docstring(node) or "", re.DOTALL)
                for code in found:
                    yield pytest.param(module, node.name, code, id=f"{module}.{node.name}")


@pytest.fixture
def model():
    networks = [ResNetGenerator(SHAPE, filters=2, num_blocks=1) for _ in range(2)]
    networks += [PatchDiscriminator(SHAPE, 2, num_layers=1) for _ in range(2)]
    model = CycleGAN(*networks, image_shape=SHAPE, pool_size=1)
    model.compile(jit_compile=False)
    return model


@pytest.fixture
def given(model, monkeypatch, tmp_path):
    """What examples take for granted: a folder of images, a model, batches of both domains."""
    monkeypatch.chdir(tmp_path)
    for folder in ("trainA", "trainB", "testA", "testB"):
        for data in ("images", "horse2zebra"):
            place = tmp_path / "path" / "to" / data / folder
            place.mkdir(parents=True)
            PIL.Image.new("RGB", (40, 40), "red").save(place / "1.png")
    PIL.Image.new("RGB", (40, 40), "red").save("horse.jpg")

    # 200 epochs are not trained here: only what `fit` takes is looked at.
    fit = inspect.signature(CycleGAN.fit)
    monkeypatch.setattr(CycleGAN, "fit", lambda *args, **kwargs: fit.bind(*args, **kwargs))
    # Nor is anything uploaded, or read that was published.
    hubs = importlib.import_module("keras_cyclegan.presets.hubs")
    upload = mock.create_autospec(hubs.upload_preset)
    monkeypatch.setattr(keras_cyclegan, "upload_preset", upload, raising=False)

    train, validation = keras_cyclegan.data.load("glyphs", batch_size=1, seed=0)
    real, fake, images = np.random.default_rng(0).uniform(-1, 1, (3, 1, *SHAPE)).astype("float32")
    return {
        "keras": keras,
        "keras_cyclegan": keras_cyclegan,
        "CycleGAN": CycleGAN,
        "StructuralSimilarity": keras_cyclegan.metrics.StructuralSimilarity,
        "TranslationMetrics": keras_cyclegan.callbacks.TranslationMetrics,
        "np": np,
        "PIL": PIL,
        "tf": tf,
        "model": model,
        "discriminator": model.discriminator_b,
        "train": train,
        "validation": validation,
        **{"real": tf.constant(real), "fake": tf.constant(fake), "images": tf.constant(images)},
        **{"h": images, "x": np.ones((1, 8, 8, 16), "float32"), "step": 0},
        "print": lambda *values: None,
    }


@pytest.mark.parametrize(("module", "name", "code"), examples())
def test_example_runs_and_gives_what_it_says(module, name, code, given, monkeypatch):
    if name == "convert_checkpoints":
        monkeypatch.setattr(f"{module}.{name}", lambda *paths: given["model"])
    names = {**vars(importlib.import_module(module)), **given}
    exec(compile(code, name, "exec"), names)
    for expression, value in re.findall(r"^(\S.*\))\s+# (\d\S*)", code, re.MULTILINE):
        found = eval(expression, names)
        assert float(found) == pytest.approx(float(value.rstrip(","))), expression
