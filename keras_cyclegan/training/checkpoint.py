"""A checkpoint: every variable of a compiled model, in one file with checksums.

It is a NumPy archive, which has a checksum for each array. HDF5, in which Keras saves weights,
doesn't notice a changed byte, and ends the process with a segmentation fault on a full disk.
"""

import keras
import numpy as np

from keras_cyclegan.files.atomic import atomic_file
from keras_cyclegan.training.divergence import DivergenceError

ABOUT = "about"  # the array of the count of the others, and of the steps of an epoch


class DamagedCheckpointError(ValueError):
    """Raised when checkpoints were damaged after they were written: remove or replace them."""


def write_checkpoint(path, model, step, kept=None, random_states=(), steps_per_epoch=0):
    """Write all state of a compiled model, and its `random_states()`; refuse NaN and infinity."""
    variables = _state(model)
    arrays = {name: _to_numpy(variable) for name, variable in variables.items()}
    broken = [variables[name].path for name in arrays if not np.isfinite(arrays[name]).all()]
    if broken:
        more = f" and {len(broken) - 1} more" if broken[1:] else ""
        raise DivergenceError(f"after step {step}, {broken[0]}{more} hold NaN or infinity.", kept)
    arrays |= {f"random.{i}": state for i, state in enumerate(random_states)}
    about = np.array([len(arrays), steps_per_epoch])
    with atomic_file(path) as unfinished, open(unfinished, "wb") as file:
        np.savez(file, **{ABOUT: about}, **arrays)


def read_checkpoint(path):
    """Read the arrays of a checkpoint, each checked, and the steps of an epoch, or 0."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = dict(archive)
        count, steps_per_epoch = map(int, arrays.pop(ABOUT))
        if count != len(arrays):
            raise ValueError(f"it holds {len(arrays)} of {count} arrays")
        return arrays, steps_per_epoch
    except Exception as error:  # which one, depends on the byte that is wrong
        raise DamagedCheckpointError(f"Checkpoint {path} is damaged: {error}") from error


def restore_checkpoint(model, arrays, path):
    """Assign what `read_checkpoint` read; return the metrics' values and random states.

    They are assigned once more, after Keras has reset them at the start of an epoch.
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


def _state(model):
    """Return all variables by unique names, the seeds of dropout and of the pools included."""
    variables = {"model": model.variables, "optimizer": model.optimizer.variables}
    variables["metrics"] = model.metrics_variables
    return {f"{kind}.{i}": x for kind, found in variables.items() for i, x in enumerate(found)}


def _to_numpy(variable):
    array = keras.ops.convert_to_numpy(variable)
    return array.astype("float32") if array.dtype.kind == "V" else array  # bfloat16, to NumPy
