"""Every class that Keras finds by its name in a file gives all of its arguments to `get_config`."""

import importlib
import inspect
from pathlib import Path

import keras
import pytest

import keras_cyclegan
from keras_cyclegan.losses import CycleConsistencyLoss, Term, WeightSchedule, perceptual
from keras_cyclegan.networks import PatchDiscriminator, ResNetGenerator

PACKAGE = Path(keras_cyclegan.__file__).parent
SHAPE = (32, 32, 3)
SMALL = {"image_shape": SHAPE, "filters": 2}
# Arguments of the classes that need some, or would be large without them.
ARGUMENTS = {
    "AttentionGenerator": {**SMALL, "num_blocks": 1, "foregrounds": 2},
    "Conv2D": {"filters": 2, "kernel_size": (3, 3)},
    "DepthwiseConv2D": {"kernel_size": (3, 3)},
    "MultiScaleDiscriminator": {**SMALL, "num_scales": 2, "num_layers": 1},
    "PatchDiscriminator": {**SMALL, "num_layers": 1},
    "PixelDiscriminator": SMALL,
    "ProjectedDiscriminator": {"image_shape": SHAPE, "filters": 8, "pixel_filters": 2},
    "ResNetGenerator": {**SMALL, "num_blocks": 1},
    "SegmentationScores": {"palette": ((0, 0, 0), (255, 255, 255))},
    "UGATITDiscriminator": {"image_shape": (64, 64, 3), "filters": 2, "num_layers": (3, 4)},
    "UGATITGenerator": {**SMALL, "num_blocks": 1},
    "UNetGenerator": {**SMALL, "num_downsamplings": 5},
}


# Of a model that doesn't know what its images' numbers mean: 8 bits are meant.
LEFT_OUT = {"pixels_a", "pixels_b"}


def registered():
    """The package's classes by the names under which Keras has them."""
    for path in PACKAGE.rglob("*.py"):
        if "@keras.saving.register_keras_serializable" in path.read_text(encoding="utf-8"):
            parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
            importlib.import_module(".".join(parts))
    known = keras.saving.get_custom_objects().values()
    ours = [one for one in known if one.__module__.startswith("keras_cyclegan.")]
    ours = [one for one in ours if isinstance(one, type)]  # a function has no config
    names = [keras.saving.get_registered_name(one).removeprefix("keras_cyclegan>") for one in ours]
    return dict(sorted(zip(names, ours, strict=True)))


REGISTERED = registered()


def arguments(name):
    if name == "CycleGAN":
        generators = [ResNetGenerator(SHAPE, filters=2, num_blocks=0) for _ in range(2)]
        judges = [PatchDiscriminator(SHAPE, 2, num_layers=1) for _ in range(2)]
        names = ("generator_ab", "generator_ba", "discriminator_a", "discriminator_b")
        networks = zip(names, generators + judges, strict=True)
        return {**dict(networks), "image_shape": SHAPE, "pool_size": 1}
    if name == "SpectralNormalization":
        return {"layer": keras.layers.Dense(2)}
    if name in ("Lazy", "Scheduled"):
        own = {"every": 2} if name == "Lazy" else {"schedule": WeightSchedule(0.5)}
        return {"term": Term(name="inner"), **own}
    if name in ("PairTerm", "KeepTerm"):
        return {"loss": CycleConsistencyLoss("l2")}
    return ARGUMENTS.get(name, {})


@pytest.fixture(autouse=True)
def without_weights(monkeypatch):
    for name in perceptual.NAMED:
        monkeypatch.setitem(perceptual.NAMED, name, lambda *depths: lambda images: images)


@pytest.mark.parametrize("name", REGISTERED)
def test_config_holds_every_argument_and_makes_an_object_of_the_same_config(name):
    kind, given = REGISTERED[name], arguments(name)
    made = kind(**given)
    config = made.get_config()
    parameters = inspect.signature(kind).parameters.values()
    wanted = {one.name for one in parameters if not str(one).startswith("*")}
    assert not wanted - config.keys() - LEFT_OUT
    for argument, value in given.items():
        if isinstance(value, (keras.layers.Layer, keras.losses.Loss, WeightSchedule)):
            value = keras.saving.serialize_keras_object(value)
        assert config[argument] == value
    assert kind.from_config(made.get_config()).get_config() == config


def test_table_names_registered_classes_only():
    assert ARGUMENTS.keys() <= REGISTERED.keys()
