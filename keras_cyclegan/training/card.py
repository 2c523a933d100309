"""Describes a run on the model card of its preset."""

import os
import platform
from pathlib import Path

import keras

from keras_cyclegan.processor import has_accelerator
from keras_cyclegan.training.folder import CHANGEABLE, as_json
from keras_cyclegan.training.history import mean_of, read_history
from keras_cyclegan.training.option import as_flag
from keras_cyclegan.training.options import TrainingOptions


def describe_run(options, model, history, extractor=None):
    """Return the model card of a run's preset as a dict, up to date.

    `history` is the path of `history.jsonl`; `extractor` describes the features for KID, if any.
    """
    options, rows = as_json(options), read_history(history)
    flags = " ".join(
        as_flag(name, value)
        for name, value in options.items()
        if value != getattr(TrainingOptions, name, None) and name not in CHANGEABLE
    )
    steps = int(keras.ops.convert_to_numpy(model.optimizer.iterations))
    hours = sum(row.get("seconds", 0) for row in rows) / 3600
    card = {
        "description": f"A CycleGAN, trained on {options['data']} by `keras-cyclegan train`.",
        "training_data": f"{options['data']}. Its licence was not stated.",
        "recipe": f"The paper's{f', but for `{flags}`' if flags else ''}.",
        "training": f"{steps:,} steps of batch size {options['batch_size']}, {hours:.1f} hours on "
        f"{processor()}, {keras.backend.backend()}.",
    }
    if measured := [row for row in rows if mean_of(row) is not None]:
        last = measured[-1]
        card["scores"] = (
            f"KID×100 after epoch {last['epoch']}: {100 * last['kid_ab']:.2f} from A to B, "
            f"{100 * last['kid_ba']:.2f} from B to A, on {options['scores']} at "
            f"{options['image_size']} pixels, features of {extractor}."
        )
    return card


def processor():
    """Describe the machine: number and name of its processors, and whether it has a GPU."""
    name, info = platform.processor() or platform.machine(), Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = (line.partition(":")[2].strip() for line in lines if "model name" in line)
    accelerated = " and a GPU or TPU" if has_accelerator() else ""
    return f"{os.cpu_count()} × {next(names, name)}{accelerated}"
