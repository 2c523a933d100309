"""`*.weights.h5`: the weights of networks, by readable names."""

import os
from pathlib import Path

import h5py
import keras
import numpy as np

from keras_cyclegan.files.untrusted import brief, listing

DTYPES = (np.dtype("float32"), np.dtype("float16"))
MAX_HALF = np.finfo("float16").max


def write_weights(path, networks, half_precision=False):
    """Write every weight of `networks`, a dict of models by name, and nothing else, to HDF5.

    A tensor's name is `network.layer.weight`, `generator_ab.stem_conv.kernel`. Frozen layers that
    several networks have in common are written once, under the name of their encoder. A ValueError
    names weights that are NaN, infinite, or too large for float16 where that is asked for.
    """
    arrays = {}
    for name, (variable, *_) in _variables(networks).items():
        array = keras.ops.convert_to_numpy(keras.ops.cast(variable, "float32"))
        with np.errstate(over="ignore"):
            arrays[name] = array.astype("float16") if half_precision else array
    broken = [name for name, array in arrays.items() if not np.isfinite(array).all()]
    if broken:
        raise ValueError(
            f"Nothing was written: {listing(broken)} holds NaN, infinity"
            f"{' or values too large for float16' if half_precision else ''}."
        )
    # In memory first: on a full disk HDF5 raises other errors than OSError, and raises them again
    # when it retries later.
    with h5py.File(path, "w", driver="core", backing_store=False) as file:
        for name, array in arrays.items():
            file.create_dataset(name, data=array)
        file.flush()
        Path(path).write_bytes(file.id.get_file_image())


def read_weights(path, networks, skip=()):
    """Read float32 arrays by name of `networks`, and not of those in `skip`, for `assign_weights`.

    A ValueError says that the file is damaged, or names each tensor that doesn't fit and why.
    """
    variables = {name: equal[0] for name, equal in _variables(networks).items()}
    try:
        with h5py.File(path, "r") as file:
            arrays, problems = _read_arrays(file, variables, skip, os.path.getsize(path))
    # On damaged bytes HDF5's reader can raise nearly anything.
    except Exception as error:
        raise ValueError(f"{path} is damaged or no HDF5 file: {brief(error)}") from error
    if problems:
        raise ValueError(f"{path} does not fit the preset's config: {listing(problems, '; ')}.")
    return arrays


def assign_weights(networks, arrays):
    """Assign `arrays` to the weights of `networks` by name; the others stay as they are."""
    for name, equal in _variables(networks).items():
        for variable in equal if name in arrays else ():
            variable.assign(arrays[name])


def _read_arrays(file, variables, skip, left):
    """Return arrays and problems; `left` is the number of bytes that arrays may take together."""
    arrays = {}
    problems = [f"{name} is missing" for name in variables if name not in file]
    for name in file:
        if name.partition(".")[0] in skip:
            continue
        variable = variables.get(name)
        # A link could lead to any file of this machine.
        if not isinstance(file.get(name, getlink=True), h5py.HardLink):
            problems.append(f"{name} is a link")
        elif variable is None:
            problems.append(f"{name} is unknown")
        elif not isinstance(data := file[name], h5py.Dataset) or data.dtype not in DTYPES:
            problems.append(f"{name} is no tensor of float32 or float16")
        elif data.is_virtual or data.external:
            problems.append(f"{name} lies outside of the file")
        elif data.shape != tuple(variable.shape):
            problems.append(f"{name} has shape {data.shape}, expected {tuple(variable.shape)}")
        elif data.chunks is not None:  # with compression a small file could fill the memory
            problems.append(f"{name} is stored in chunks")
        elif (stored := data.id.get_storage_size()) != data.nbytes:  # the rest is read as zeros
            problems.append(f"{name} has {stored} bytes in the file, expected {data.nbytes}")
        elif data.nbytes > left:
            problems.append(f"{name} shares its bytes with another tensor")
        else:
            left -= data.nbytes
            arrays[name] = data[()].astype("float32")
            if not np.isfinite(arrays[name]).all():
                problems.append(f"{name} holds NaN or infinity")
            elif variable.dtype == "float16" and np.any(np.abs(arrays[name]) > MAX_HALF):
                problems.append(f"{name} holds values too large for float16")
    return arrays, problems


def _variables(networks):
    """Return a dict from a tensor's name to the variables that have its value, one or more."""
    variables = {}
    for name, network in networks.items():
        found = _named(network, name)
        if len(found) != len(network.weights):
            raise ValueError(
                f"{name} has {len(network.weights)} weights, of which {len(found)} have a name of "
                "their own: weights must belong to layers of different names."
            )
        for key, variable in found.items():
            variables.setdefault(key, []).append(variable)
    return variables


def _named(network, prefix):
    variables = {}
    shared = getattr(network, "frozen_layers", ())
    for layer in network.layers:
        name = f"{network.encoder if layer.name in shared else prefix}.{layer.name}"
        if isinstance(layer, keras.Model):
            variables |= _named(layer, name)
            continue
        for variable in layer.weights:
            inner = variable.path.rpartition(f"{layer.name}/")[2]
            variables[f"{name}.{inner.replace('/', '.')}"] = variable
    return variables
