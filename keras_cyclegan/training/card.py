"""Describes a run on the model card of its preset."""

import os
import platform
import time

import keras

from keras_cyclegan.processor import has_accelerator
from keras_cyclegan.training.folder import CHANGEABLE, as_json
from keras_cyclegan.training.history import mean_of, read_history
from keras_cyclegan.training.option import as_flag
from keras_cyclegan.training.options import TrainingOptions


class RunCard:
    """Makes the model card of a run's preset, up to date at each call.

    `history` is the path of `history.jsonl`; `extractor` describes the features for KID, if any.
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
        flags = " ".join(
            as_flag(name, value)
            for name, value in options.items()
            if value != getattr(TrainingOptions, name, None) and name not in CHANGEABLE
        )
        steps = int(keras.ops.convert_to_numpy(self.model.optimizer.iterations))
        hours = (self.earlier + time.perf_counter() - self.began) / 3600
        card = {
            "description": f"A CycleGAN, trained on {options['data']} by `keras-cyclegan train`.",
            "training_data": f"{options['data']}. Its licence was not stated.",
            "recipe": f"The paper's{f', but for `{flags}`' if flags else ''}.",
            "training": f"{steps:,} steps of batch size {options['batch_size']}, {hours:.1f} hours "
            f"on {processor()}, {keras.backend.backend()}.",
        }
        if measured := [row for row in read_history(self.history) if mean_of(row) is not None]:
            last = measured[-1]
            card["scores"] = (
                f"KID×100 after epoch {last['epoch']}: {100 * last['kid_ab']:.2f} from A to B, "
                f"{100 * last['kid_ba']:.2f} from B to A, on {options['scores']} at "
                f"{options['image_size']} pixels, features of {self.extractor}."
            )
        return card


def processor():
    """Describe the machine: number and name of its processors, and whether it has a GPU."""
    name = platform.processor() or platform.machine()
    if os.path.exists("/proc/cpuinfo"):
        with open("/proc/cpuinfo") as file:
            names = (line.split(":", 1)[1].strip() for line in file if "model name" in line)
            name = next(names, name)
    return f"{os.cpu_count()} × {name}" + (" and a GPU or TPU" if has_accelerator() else "")
