"""Docstrings name every argument, and their examples run as they stand.

An example may use the package's public names, the names of its own module, and what `given` lists.
"""

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
from keras_cyclegan.evaluation import evaluate
from keras_cyclegan.losses import perceptual
from keras_cyclegan.networks import PatchDiscriminator, ResNetGenerator
from keras_cyclegan.scores import InceptionFeatures

PACKAGE = Path(keras_cyclegan.__file__).parent
METHODS = ("fit", "compile", "translate", "reconstruct", "export", "from_preset", "save_to_preset")
SECTIONS = ("Attributes", "Args", "Call arguments", "Returns", "Raises", "Example", "Examples")
SHAPE = (32, 32, 3)


def public_objects():
    """The public classes and functions by name, and the methods of `CycleGAN` that users call."""
    public = {name: getattr(keras_cyclegan, name) for name in keras_cyclegan.__all__}
    modules = filter(inspect.ismodule, public.values())
    named = public | {name: getattr(module, name) for module in modules for name in module.__all__}
    named |= {f"CycleGAN.{name}": getattr(CycleGAN, name) for name in METHODS}
    return {name: one for name, one in named.items() if callable(one)}


OBJECTS = public_objects()


def is_error(one):
    return isinstance(one, type) and issubclass(one, Exception)


def parameters(one):
    """The parameters by name; none for a class whose `__init__` is Keras's or Python's."""
    function = one.__init__ if isinstance(one, type) else one
    own = getattr(function, "__module__", "").startswith("keras_cyclegan")
    return inspect.signature(function).parameters if own else {}


@pytest.mark.parametrize("name", OBJECTS)
def test_docstring_names_every_argument(name):
    text = inspect.getdoc(OBJECTS[name])
    names = set(parameters(OBJECTS[name])) - {"self", "name", "args", "kwargs"}
    assert not [name for name in names if not re.search(rf"\b{name}\b", text)]


@pytest.mark.parametrize("name", OBJECTS)
def test_sections_come_in_keras_hubs_order(name):
    found = re.findall(r"^([A-Z][A-Za-z ]*):$", inspect.getdoc(OBJECTS[name]), re.MULTILINE)
    assert found == [section for section in SECTIONS if section in found]


@pytest.mark.parametrize("name", [n for n in OBJECTS if is_error(OBJECTS[n])])
def test_error_says_when_it_is_raised(name):
    assert OBJECTS[name].__doc__.startswith("Raised ")


def examples():
    """`(module, name, code)` of every example; a module's own names may be used in it."""
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        module = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, (ast.ClassDef, ast.FunctionDef)):
                text = ast.get_docstring(node) or ""
                assert ">>>" not in text, f"{module}.{node.name}: examples are ```python blocks"
                for code in re.findall(r"```python\n(.*?)```", text, re.DOTALL):
                    yield pytest.param(module, node.name, code, id=f"{module}.{node.name}")


@pytest.fixture(scope="module")
def model():
    networks = [ResNetGenerator(SHAPE, filters=2, num_blocks=0) for _ in range(2)]
    networks += [PatchDiscriminator(SHAPE, 2, num_layers=1) for _ in range(2)]
    model = CycleGAN(*networks, image_shape=SHAPE, pool_size=1)
    model.compile(jit_compile=False)
    return model


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder of images, `path/to/images`, and `horse.jpg`."""
    folder = tmp_path_factory.mktemp("images")
    for place in ("trainA", "trainB", "testA", "testB"):
        for data in ("images", "horse2zebra"):
            (folder / "path/to" / data / place).mkdir(parents=True)
            PIL.Image.new("RGB", (40, 40), "red").save(folder / "path/to" / data / place / "1.png")
    PIL.Image.new("RGB", (40, 40), "red").save(folder / "horse.jpg")
    return folder


@pytest.fixture(scope="module")
def names(model):
    """What examples take for granted: a model, batches of both domains, an evaluation."""
    train, validation = keras_cyclegan.data.load("glyphs", batch_size=1, seed=0)
    real, fake, images = np.random.default_rng(0).uniform(-1, 1, (3, 1, *SHAPE)).astype("float32")
    return {
        **OBJECTS,
        **{"keras": keras, "keras_cyclegan": keras_cyclegan, "np": np, "PIL": PIL, "tf": tf},
        **{"model": model, "discriminator": model.discriminator_b},
        **{"train": train, "validation": validation},
        **{"real": tf.constant(real), "fake": tf.constant(fake), "images": tf.constant(images)},
        "step": 0,
        "evaluation": evaluate(model, "glyphs", extractor="none"),
        "print": lambda *values: None,
    }


@pytest.fixture(scope="module")
def loaded():
    """Models by the arguments of `from_preset`: none of the examples changes one."""
    return {}


class Inception:
    """What `InceptionFeatures` is to the metrics, without its weights."""

    protocol = InceptionFeatures.protocol

    def __call__(self, images):
        return np.zeros((len(images), 2048), "float32")


@pytest.fixture
def given(names, folder, loaded, monkeypatch, tmp_path):
    """The names, in a folder with images. Nothing is trained, downloaded or uploaded."""
    monkeypatch.chdir(tmp_path)
    for name in ("path", "horse.jpg"):
        (tmp_path / name).symlink_to(folder / name)
    # Only the arguments are looked at.
    fit = inspect.signature(CycleGAN.fit)
    monkeypatch.setattr(CycleGAN, "fit", lambda *args, **kwargs: fit.bind(*args, **kwargs))
    upload = mock.create_autospec(keras_cyclegan.presets.upload_preset)
    monkeypatch.setattr(keras_cyclegan, "upload_preset", upload, raising=False)

    from_preset = CycleGAN.from_preset

    def load_once(preset, load_weights=True, **overrides):
        key = f"{preset} {load_weights} {overrides}"
        if key not in loaded:
            loaded[key] = from_preset(preset, load_weights, **overrides)
        return loaded[key]

    monkeypatch.setattr(CycleGAN, "from_preset", load_once)
    for name in perceptual.NAMED:
        monkeypatch.setitem(perceptual.NAMED, name, lambda *depths: lambda images: images)
    monkeypatch.setattr("keras_cyclegan.scores.extractors.efficientnet_lite", mock.Mock())
    return {
        **names,
        "InceptionFeatures": Inception,
        "convert_checkpoints": lambda *paths: {"pool_size": 0},
        "upload_preset": upload,
    }


def expected_value(line):
    """The value that a comment says, as in `x.shape  # (1, 8, 8, 3)`; None if it says none."""
    comment = line.partition("  # ")[2]
    for text in (comment, comment.partition(",")[0]):
        try:
            return ast.literal_eval(text.strip())
        except (ValueError, SyntaxError):
            pass
    return None


@pytest.mark.parametrize(("module", "name", "code"), list(examples()))
def test_example_runs_and_gives_what_it_says(module, name, code, given):
    scope = {**vars(importlib.import_module(module)), **given}
    for statement in ast.parse(code).body:
        source = ast.get_source_segment(code, statement)
        expected = expected_value(code.splitlines()[statement.end_lineno - 1])
        if isinstance(statement, ast.Expr) and expected is not None:
            found = eval(source, scope)
            if isinstance(expected, (str, bool)):
                assert found == expected, source
            else:
                found = keras.ops.convert_to_numpy(found)
                np.testing.assert_allclose(found, expected, rtol=1e-5, err_msg=source)
        else:
            exec(compile(source, name, "exec"), scope)
