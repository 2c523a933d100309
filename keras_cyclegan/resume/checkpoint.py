"""A checkpoint: every variable of a compiled model in one file that notices damage."""

import zipfile

import keras
import numpy as np

from keras_cyclegan.files.atomic import atomic_file
from keras_cyclegan.resume.divergence import DivergenceError


class DamagedCheckpointError(ValueError):
    """A checkpoint is not what was written."""


def write_checkpoint(path, model, step, kept=None, random_states=()):
    """Write all state of a compiled model, whole or not at all.

    A NumPy archive, because it is written as any file is and has a checksum for each array: HDF5,
    in which Keras saves weights, notices no changed byte, and ends the process with a segmentation
    fault after the disk was full.

    Args:
        path: file to write.
        model: compiled `CycleGAN`.
        step: int. Step for the error.
        kept: function that returns the path of the last good checkpoint, for the error.
        random_states: what the model's `random_states` gave after the step.

    Raises:
        DivergenceError: a variable holds NaN or infinity; nothing is written.
        OSError: the disk is full, for example.
    """
    variables = _state(model)
    arrays = {name: _to_numpy(variable) for name, variable in variables.items()}
    broken = [variables[name].path for name in arrays if not np.isfinite(arrays[name]).all()]
    if broken:
        more = f" and {len(broken) - 1} more" if broken[1:] else ""
        raise DivergenceError(f"after step {step}, {broken[0]}{more} hold NaN or infinity.", kept)
    for i, state in enumerate(random_states):
        arrays[f"random.{i}"] = state
    with atomic_file(path) as unfinished, open(unfinished, "wb") as file:
        np.savez(file, **arrays)


def read_checkpoint(path):
    """The arrays that `write_checkpoint` wrote, all of them checked.

    Raises:
        DamagedCheckpointError: the file is empty, cut off or changed.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise DamagedCheckpointError(f"Checkpoint {path} is damaged: {error}") from error


def restore_checkpoint(model, arrays, path):
    """Give a model the state that `read_checkpoint` read from `path`.

    Returns:
        The metrics' values, which Keras resets when an epoch begins: `restore_metrics` comes after.
        And the states of the random generators that are no variables.

    Raises:
        ValueError: it is of a model that was built or compiled in another way.
    """
    random_states = [arrays.pop(name) for name in list(arrays) if name.startswith("random.")]
    variables = _state(model)
    shapes = {name: tuple(variable.shape) for name, variable in variables.items()}
    if shapes != {name: array.shape for name, array in arrays.items()}:
        raise ValueError(
            f"Checkpoint {path} is of another model: it holds {len(arrays)} arrays, this one has "
            f"{len(shapes)} variables, or their shapes differ. Build and compile the model as it "
            "was when the run began."
        )
    for name, variable in variables.items():
        variable.assign(arrays[name])
    return [arrays[name] for name in arrays if name.startswith("metrics.")], random_states


def restore_metrics(model, values):
    """Give the epoch's means what `restore_checkpoint` returned."""
    for variable, value in zip(model.metrics_variables, values, strict=True):
        variable.assign(value)


def _state(model):
    """All variables under unique names; seeds of dropout and of the pools are among the model's."""
    kinds = {
        "model": model.variables,
        "optimizer": model.optimizer.variables,
        "metrics": model.metrics_variables,
    }
    return {
        f"{kind}.{i}": variable
        for kind, variables in kinds.items()
        for i, variable in enumerate(variables)
    }


def _to_numpy(variable):
    array = keras.ops.convert_to_numpy(variable)
    return array.astype("float32") if array.dtype.kind == "V" else array  # bfloat16, to NumPy
