"""Warnings of the three failures that users of CycleGAN report most, each measured."""

import warnings
from typing import Any

import keras
import numpy as np

from keras_cyclegan.inference.runner import runner
from keras_cyclegan.inference.translate import generators_of
from keras_cyclegan.training.sample_grid import first_images

FLAT = 1e-4  # standard deviation of pixels below which an image counts as flat
LIMITS = {"change": 0.03, "spread": 0.1, "correlation": -0.4}  # 0.03 is 4 of 255 levels

ADVICE = {
    "change": "returns its input: it changes a pixel by {value:.3f} of [-1, 1] on average (alarm "
    "below {limit:g}). Try `compile(identity_loss=IdentityLoss(weight=0.5))` or none, then a cycle "
    "weight of 5; and look whether the two folders really hold different images.",
    "spread": "gives nearly the same output for every input: outputs differ {value:.0%} as much as "
    "inputs do (alarm below {limit:.0%}). Try another seed, a lower learning rate of the "
    "discriminators, and a cycle weight of 10 or more; and look whether the target folder holds "
    "more than a few distinct images.",
    "correlation": "inverts brightness or colours: outputs correlate with inputs by {value:+.2f} "
    "(alarm below {limit:+.2f}), and the way back inverts again. If domains aren't negatives, keep "
    "the identity loss and start again with another seed.",
}


class FailureAlarms(keras.callbacks.Callback):
    """Measures the three failures that are reported most, and warns about each.

    At the end of each epoch it translates the same few images, and adds these numbers to the logs,
    for A → B (`change_ab`, …) and B → A (`change_ba`, …):

    - `change`, the mean of |output − input|: below 0.03 where a generator returns its input. Not
      measured where the domains differ in channels.
    - `spread`, how much outputs differ from each other, divided by how much inputs do: below 0.1
      where all outputs are alike.
    - `correlation` of the output's values with the input's, the mean over images: below -0.4 where
      brightness or colours are inverted.

    Args:
        dataset: batches `(a, b)`, the first images of which are taken; best validation data.
        count: images of each domain; `spread` takes two.
        patience: epochs in a row before a warning.
    """

    def __init__(self, dataset: Any, count: int = 8, patience: int = 3) -> None:
        super().__init__()
        self.images_a, self.images_b = first_images(dataset, count)
        self.patience = patience
        self.epochs_beyond: dict[str, int] = {}  # by the name in the logs

    def on_epoch_end(self, epoch, logs=None):
        for direction, generator in generators_of(self.model).items():
            images = self.images_a if direction.source == "a" else self.images_b
            for kind, value in failure_measures(images, runner(generator)(images)).items():
                name = f"{kind}_{direction.suffix}"
                if logs is not None:
                    logs[name] = value
                limit, before = LIMITS[kind], self.epochs_beyond.get(name, 0)
                self.epochs_beyond[name] = before + 1 if value < limit else 0
                if self.epochs_beyond[name] == self.patience:
                    who = f"For {self.patience} epoch(s) in a row, generator_{direction.suffix}"
                    advice = ADVICE[kind].format(value=value, limit=limit)
                    warnings.warn(f"{who} {advice}", stacklevel=2)


def failure_measures(real, fake):
    """Measure what shows the three failures, as far as these images allow it.

    `real` and `fake`, the translations, are `(n, height, width, channels)`, in [-1, 1].
    """
    real, fake = (np.asarray(images, "float64") for images in (real, fake))
    measures = {}
    if real.shape == fake.shape:
        measures["change"] = float(np.abs(fake - real).mean())
    else:
        real, fake = (images.mean(axis=-1, keepdims=True) for images in (real, fake))
    spread = real.std(axis=0).mean()
    if spread > FLAT:  # there are at least two different images
        measures["spread"] = float(fake.std(axis=0).mean() / spread)
    axes = (1, 2)  # channel by channel, so that one inverted hue counts
    real, fake = (images - images.mean(axis=axes, keepdims=True) for images in (real, fake))
    scale = np.sqrt((real**2).mean(axis=axes) * (fake**2).mean(axis=axes))
    varied = scale > FLAT**2  # a flat image correlates with nothing
    if varied.any():
        covariance = (real * fake).mean(axis=axes)
        measures["correlation"] = float((covariance[varied] / scale[varied]).mean())
    return measures
