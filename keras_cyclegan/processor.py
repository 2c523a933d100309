"""Switches oneDNN on where it is faster and TensorFlow leaves it off.

TensorFlow reads the switch once, when it is imported, so that this is done when the package is
imported. With `TF_ENABLE_ONEDNN_OPTS` in the environment, 0 for off or 1 for on, nothing is done.
"""

import os
import sys
import warnings

SWITCH = "TF_ENABLE_ONEDNN_OPTS"
# With any of these, TensorFlow on Linux switches oneDNN on itself.
ENOUGH_FOR_TENSORFLOW = {
    "avx512_vnni",
    "avx512_bf16",
    "avx_vnni",
    "amx_tile",
    "amx_int8",
    "amx_bf16",
}

_came_too_late = False


def vector_extensions(path="/proc/cpuinfo"):
    """Return Linux's names of an x86 processor's features, or an empty set."""
    try:
        with open(path, encoding="utf-8") as file:
            for line in file:  # up to the first processor: the file is long, and slow to read
                if line.startswith("flags"):
                    return frozenset(line.partition(":")[2].split())
    except OSError:
        pass
    return frozenset()


def prefer_onednn(environment=os.environ, modules=sys.modules, extensions=None):
    """Switch oneDNN on where it is faster and TensorFlow would leave it off.

    This is so on x86 processors with AVX2 and without instructions for neural networks. There, a
    training step takes 1.4 times as long with TensorFlow's own kernels.

    Args:
        environment: mapping of environment variables, which is changed.
        modules: mapping of the modules that are imported.
        extensions: set of names, see `vector_extensions`. None, the default, takes this machine's.
    """
    global _came_too_late
    if SWITCH in environment:
        return
    extensions = vector_extensions() if extensions is None else extensions
    if "avx2" not in extensions or extensions & ENOUGH_FOR_TENSORFLOW:
        return
    if "tensorflow" in modules:
        _came_too_late = True
    else:
        environment[SWITCH] = "1"


def warn_if_too_late():
    """Warn once if TensorFlow was imported before oneDNN could be switched on."""
    global _came_too_late
    if _came_too_late:
        _came_too_late = False
        warnings.warn(
            "TensorFlow was imported before keras_cyclegan and leaves oneDNN off on this "
            "processor: a training step takes up to twice as long. Import keras_cyclegan before "
            f"keras and tensorflow, or set {SWITCH}=1 in the environment (0 to keep it off and "
            "end this warning).",
            stacklevel=3,
        )
