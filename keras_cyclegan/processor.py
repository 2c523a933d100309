"""What the processor computes fast: oneDNN is switched on where TensorFlow leaves it off.

It happens as the package is imported, before TensorFlow is, which looks once, as it is loaded.
`TF_ENABLE_ONEDNN_OPTS=0` in the environment keeps oneDNN off, `=1` on, whatever stands here.
"""

import os
import sys
import warnings

SWITCH = "TF_ENABLE_ONEDNN_OPTS"
# With any of these TensorFlow on Linux switches oneDNN on by itself.
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
    """Return the names that Linux has for what an x86 processor can, or an empty set."""
    try:
        with open(path, encoding="utf-8") as file:
            for line in file:  # and no further: with many cores the file is long, and slow to read
                if line.startswith("flags"):
                    return frozenset(line.partition(":")[2].split())
    except OSError:
        pass
    return frozenset()


def prefer_onednn(environment=os.environ, modules=sys.modules, extensions=None):
    """Have TensorFlow compute with oneDNN where it wins and TensorFlow wouldn't by itself.

    That is on x86 processors with AVX2 and without instructions made for neural networks: without
    AVX-512 a training step takes 1.4 times as long on TensorFlow's own kernels.

    Args:
        environment: mapping of environment variables, which is changed.
        modules: mapping of the modules that are imported.
        extensions: set of names as `vector_extensions` gives them; None: this machine's.
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
    """Tell once, before much is computed on TensorFlow, if it was imported without oneDNN."""
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
