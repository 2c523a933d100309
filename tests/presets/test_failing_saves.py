"""A preset's save that fails at every line, and at every size that a disk can be full at."""

import errno
import itertools
import os
import resource

import keras
import numpy as np
import pytest
from support import stops

from keras_cyclegan import CycleGAN
from keras_cyclegan.files import atomic
from keras_cyclegan.files.atomic import recover
from keras_cyclegan.presets import card, weights
from keras_cyclegan.presets import folder as preset_folder


def tiny_model(value):
    """One way, one convolution, all weights `value`."""
    layers = [keras.Input((None, None, 3)), keras.layers.Conv2D(3, 7, padding="same", name="conv")]
    model = CycleGAN(keras.Sequential(layers), None, None, None, image_shape=(8, 8, 3))
    for weight in model.generator_ab.weights:
        weight.assign(np.full(weight.shape, value))
    return model


def value_of(folder):
    """The value of a preset's weights, once all of it has been read."""
    model = CycleGAN.from_preset(folder)
    assert "A CycleGAN" in (folder / "README.md").read_text()
    assert preset_folder.read_json(folder / "metadata.json")["parameter_count"] == 444
    (value,) = {float(v) for weight in model.generator_ab.get_weights() for v in weight.ravel()}
    return value


@pytest.fixture
def saved(tmp_path):
    tiny_model(1.0).save_to_preset(tmp_path / "mine")
    return tmp_path / "mine"


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_failure_at_any_line_leaves_the_old_preset_or_the_new(saved):
    def fail():
        raise OSError(errno.EIO, "Input/output error")

    model = tiny_model(2.0)
    before, files = contents(saved), {m.__file__ for m in (atomic, preset_folder, weights, card)}
    found = []
    for n in itertools.count():
        try:
            with stops.stop_at(n, files, fail) as stopped:
                model.save_to_preset(saved)
        except OSError:
            if not stopped:
                raise
        recover(saved, patience=0)  # to bring it back may have failed too
        whole = contents(saved)
        found.append("old" if whole == before else value_of(saved))
        if whole != before:
            model.save_to_preset(saved)  # the rest of the lines, from what is there now
            before = contents(saved)
        if not stopped:
            break
    assert {*found} == {"old", 2.0}
    assert n > 60
    assert {path.name for path in saved.parent.iterdir() if path.name[0] != "."} == {"mine"}


def test_a_disk_that_is_full_at_any_size_leaves_the_old_preset(saved):
    before = contents(saved)
    largest = max(map(len, before.values()))
    model = tiny_model(2.0)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    for size in range(0, largest, 97):
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
        try:
            with pytest.raises(OSError, match="File too large"):
                model.save_to_preset(saved)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        assert contents(saved) == before
        assert os.listdir(saved.parent) == ["mine"]
    model.save_to_preset(saved)
    assert value_of(saved) == 2.0
