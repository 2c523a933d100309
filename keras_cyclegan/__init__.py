"""CycleGAN for Keras 3: unpaired image-to-image translation.

Subpackages are imported when they are first used. Their classes are registered with Keras as soon
as both packages are imported, in either order: `keras.saving.load_model` needs only
`import keras_cyclegan`.
"""

import contextlib
import importlib
import pkgutil
import sys
from typing import TYPE_CHECKING

import wrapt

from keras_cyclegan.processor import prefer_onednn

if TYPE_CHECKING:
    from keras_cyclegan import callbacks as callbacks
    from keras_cyclegan import data as data
    from keras_cyclegan import evaluation as evaluation
    from keras_cyclegan import layers as layers
    from keras_cyclegan import losses as losses
    from keras_cyclegan import metrics as metrics
    from keras_cyclegan import networks as networks
    from keras_cyclegan import optimizers as optimizers
    from keras_cyclegan import presets as presets
    from keras_cyclegan import recipes as recipes
    from keras_cyclegan import resume as resume
    from keras_cyclegan.cyclegan import CycleGAN as CycleGAN
    from keras_cyclegan.data import TooManyPixelsError as TooManyPixelsError
    from keras_cyclegan.data import UnusableImagesError as UnusableImagesError
    from keras_cyclegan.files.download import DownloadError as DownloadError
    from keras_cyclegan.metrics import ProtocolMismatchError as ProtocolMismatchError
    from keras_cyclegan.presets import list_presets as list_presets
    from keras_cyclegan.presets import upload_preset as upload_preset
    from keras_cyclegan.quiet import import_keras_quietly as import_keras_quietly
    from keras_cyclegan.resume import DamagedCheckpointError as DamagedCheckpointError
    from keras_cyclegan.resume import DivergenceError as DivergenceError
    from keras_cyclegan.training.run import train as train

__version__ = "0.1.0"

# Modules of the names that are no modules themselves.
_ORIGINS = {
    "CycleGAN": "cyclegan",
    "DamagedCheckpointError": "resume",
    "DivergenceError": "resume",
    "DownloadError": "files.download",
    "ProtocolMismatchError": "metrics",
    "TooManyPixelsError": "data",
    "UnusableImagesError": "data",
    "import_keras_quietly": "quiet",
    "list_presets": "presets",
    "train": "training.run",
    "upload_preset": "presets",
}
__all__ = [
    *_ORIGINS,
    *("callbacks", "data", "evaluation", "layers", "losses", "metrics", "networks"),
    *("optimizers", "presets", "recipes", "resume"),
]


if not TYPE_CHECKING:  # or a checker would take every name to exist

    def __getattr__(name):
        if name not in __all__:
            raise AttributeError(f"module 'keras_cyclegan' has no attribute {name!r}")
        module = importlib.import_module(f"keras_cyclegan.{_ORIGINS.get(name, name)}")
        value = getattr(module, name) if name in _ORIGINS else module
        globals()[name] = value
        return value


def __dir__():
    return sorted({*globals(), *__all__})


def _register_classes(_):
    """Import the modules that register classes, once Keras is imported.

    If one of these modules is just importing Keras, it is unfinished, and the import here fails; it
    is tried again when that module is finished. An import that fails for another reason raises when
    the module is used.
    """
    if "keras" in sys.modules:
        with contextlib.suppress(ImportError):
            for name in ("cyclegan", "metrics"):  # `cyclegan` imports the other ones
                importlib.import_module(f"keras_cyclegan.{name}")


prefer_onednn()
wrapt.when_imported("keras")(_register_classes)
for _module in pkgutil.iter_modules(__path__, "keras_cyclegan."):
    wrapt.when_imported(_module.name)(_register_classes)
