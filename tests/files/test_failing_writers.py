"""Whatever the package writes is old or new, though any line of the writing fails.

Presets have a test of their own, `presets/test_failing_saves.py`.
"""

import errno
import itertools
import json
import shutil
import types
import warnings

import keras
import numpy as np
import pytest
from PIL import Image
from support import stops

from keras_cyclegan.data import writers
from keras_cyclegan.export import export as exporting
from keras_cyclegan.export import formats
from keras_cyclegan.files import atomic
from keras_cyclegan.training import (
    TrainingOptions,
    checkpoint,
    history,
    sample_grid,
    training_state,
)
from keras_cyclegan.training import folder as run_folder


def state_of(value):
    """What `TrainingState` saves of a model; each variable holds `value`."""
    variables = [np.full((3, 5), float(value)), np.full(7, float(value))]
    optimizer = types.SimpleNamespace(variables=variables[:1])
    return types.SimpleNamespace(
        variables=variables, optimizer=optimizer, metrics_variables=[], random_states=lambda: []
    )


class Checkpoint:
    name = "step-000000002.npz"
    sources = (checkpoint, training_state)
    says_so = True  # by a warning, as long as the run goes on

    def write(self, place, value):
        state = training_state.TrainingState(place.parent, None)
        state.set_model(state_of(value))
        state.step = 2
        state.save()

    def read(self, place):
        arrays, _ = checkpoint.read_checkpoint(place)
        assert {array.shape for array in arrays.values()} == {(3, 5), (7,)}
        (value,) = {float(x) for array in arrays.values() for x in array.ravel()}
        return value


class Log:
    name = "history.jsonl"
    sources = (history,)
    says_so = True

    def write(self, place, value):
        log = history.HistoryFile(place)
        log.set_model(types.SimpleNamespace(optimizer=types.SimpleNamespace(iterations=3)))
        for epoch in (0, 1):
            log.on_epoch_begin(epoch)
            log.on_epoch_end(epoch, {"loss": value})

    def read(self, place):
        rows = [json.loads(line) for line in place.read_text().splitlines()]
        # A run's second epoch may be missing: it is written with the third.
        assert [row["epoch"] for row in rows] in ([1], [1, 2])
        (value,) = {row["loss"] for row in rows}
        return value


class Grid:
    name = "epoch-0001.png"
    sources = (sample_grid,)
    says_so = False

    def write(self, place, value):
        sample_grid.save_png(np.full((9, 9, 3), value, "uint8"), place)

    def read(self, place):
        with Image.open(place) as image:
            (value,) = set(np.asarray(image).ravel())
        return float(value)


class Translation(Grid):
    name = "horse.png"
    sources = (writers,)

    def write(self, place, value):
        writers.write_images(place, np.full((1, 9, 9, 3), value, "uint8"))


class Options:
    name = run_folder.CONFIG
    sources = (run_folder,)
    says_so = False

    def write(self, place, value):
        options = TrainingOptions(data="glyphs", image_size=32, cycle_weight=value)
        run_folder.write_options(place.parent, options)

    def read(self, place):
        return run_folder.read_options(place.parent)["cycle_weight"]


class Export:
    """What TensorFlow writes lies in the unfinished folder, whatever it is: here are two files."""

    name = "served"
    sources = (exporting, formats)
    says_so = False

    def write(self, place, value):
        def write(endpoints, path, weights):
            path.mkdir()
            for name in ("saved_model.pb", "variables"):
                (path / name).write_text(str(value))

        generator = types.SimpleNamespace(weights=[], working_size=None)
        entry = formats.FORMATS["tf_saved_model"]._replace(write=write)
        with pytest.MonkeyPatch.context() as patch:
            patch.setitem(formats.FORMATS, "tf_saved_model", entry)
            patch.setattr(exporting, "generators_of", lambda model: {"a_to_b": model})
            patch.setattr(exporting, "formats_of", lambda model, direction: None)
            patch.setattr(exporting, "endpoint", lambda *given: given)
            exporting.ExportMixin.export(generator, place, overwrite=True)

    def read(self, place):
        names = sorted(path.name for path in place.iterdir())
        assert names == ["saved_model.pb", "variables"]
        (value,) = {float((place / name).read_text()) for name in names}
        return value


WRITERS = [Checkpoint(), Log(), Grid(), Translation(), Options(), Export()]


@pytest.mark.parametrize("writer", WRITERS, ids=lambda writer: type(writer).__name__)
def test_a_failure_at_any_line_leaves_the_old_or_the_new(writer, tmp_path):
    if writer.name == "served" and keras.backend.backend() != "tensorflow":
        pytest.skip("exports are traced by TensorFlow")

    def fail():
        raise OSError(errno.EIO, "Input/output error")

    sources = {module.__file__ for module in (atomic, *writer.sources)}
    place, found = tmp_path / writer.name, []
    writer.write(place, 1.0)
    assert writer.read(place) == 1.0
    for n in itertools.count():
        writer.write(place, 1.0)
        try:
            with (
                warnings.catch_warnings(record=True) as caught,
                stops.stop_at(n, sources, fail) as stopped,
            ):
                warnings.simplefilter("always")
                writer.write(place, 2.0)
        except OSError:
            assert stopped
        else:
            swallowed = stopped and writer.read(place) == 1.0
            assert not swallowed or (writer.says_so and caught), f"silent at {stopped}"
        atomic.recover(place, patience=0)  # to bring it back may have failed too
        found.append(writer.read(place))
        seen = {path.name for path in tmp_path.iterdir() if path.name[0] != "."}
        assert seen == {writer.name}, f"failed at {stopped}"
        for left in tmp_path.glob(f"{atomic.REPLACED}*"):  # its removal failed
            shutil.rmtree(left)
        if not stopped:
            break
    assert set(found) == {1.0, 2.0}
    assert found[-1] == 2.0
    assert n > 20
