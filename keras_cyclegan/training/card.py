"""Describes a run on the model card of its preset."""

import os
import platform
import time

import keras

from keras_cyclegan.training.folder import CHANGEABLE, as_json
from keras_cyclegan.training.history import read_history
from keras_cyclegan.training.option import as_flag
from keras_cyclegan.training.options import TrainingOptions


class RunCard:
    """Makes the model card of a run's preset, up to date at each call.

    Args:
        options: `TrainingOptions`.
        model: the `CycleGAN` that is trained.
        history: path of the run's `history.jsonl`.
        extractor: str. Description of the features for KID, or None.
    """

    def __init__(self, options, model, history, extractor=None):
        self.options = options
        self.model = model
        self.history = history
        self.extractor = extractor
        self.began = time.perf_counter()
        self.earlier = sum(row.get("seconds", 0) for row in read_history(history))

    def __call__(self):
        options = as_json(self.options)
        given = {
            name: value
            for name, value in options.items()
            if value != getattr(TrainingOptions, name, None) and name not in CHANGEABLE
        }
        steps = int(keras.ops.convert_to_numpy(self.model.optimizer.iterations))
        hours = (self.earlier + time.perf_counter() - self.began) / 3600
        flags = " ".join(as_flag(*option) for option in given.items())
        card = {
            "description": f"A CycleGAN, trained on {options['data']} by `keras-cyclegan train`.",
            "training_data": f"{options['data']}. Its licence was not stated.",
            "recipe": f"The paper's{f', but for `{flags}`' if flags else ''}.",
            "training": f"{steps:,} steps of batch size {options['batch_size']}, {hours:.1f} hours "
            f"on {processor()}, {keras.backend.backend()}.",
        }
        if scores := self._scores():
            card["scores"] = scores
        return card

    def _scores(self):
        measured = [row for row in read_history(self.history) if "kid_ab" in row]
        if not measured:
            return ""
        row, images = measured[-1], as_json(self.options)["scores"]
        return (
            f"KID×100 after epoch {row['epoch']}: {100 * row['kid_ab']:.2f} from A to B, "
            f"{100 * row['kid_ba']:.2f} from B to A, on {images} at {self.options.image_size} "
            f"pixels, features of {self.extractor}."
        )


def processor():
    """Describe the machine: number and name of its processors, and its GPUs."""
    name = platform.processor() or platform.machine()
    if os.path.exists("/proc/cpuinfo"):
        with open("/proc/cpuinfo") as file:
            names = [line.split(":", 1)[1].strip() for line in file if "model name" in line]
        name = names[0] if names else name
    gpus = _count_gpus()
    return f"{os.cpu_count()} × {name}" + (f" and {gpus} GPU{'s' * (gpus > 1)}" if gpus else "")


def _count_gpus():
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        return len(tf.config.list_physical_devices("GPU"))
    if backend == "jax":
        import jax

        return sum(device.platform == "gpu" for device in jax.devices())
    import torch

    return torch.cuda.device_count()
