"""Logs of a run for other programs: CSV, TensorBoard, Weights & Biases."""

import secrets
from pathlib import Path

import keras

from keras_cyclegan.arguments import to_install
from keras_cyclegan.training.folder import as_json


def make_loggers(folder, options):
    """Make the callbacks of `options.log`, which write below the folder of a run."""
    makers = {
        "csv": lambda: keras.callbacks.CSVLogger(folder / "log.csv", append=True),
        "tensorboard": lambda: keras.callbacks.TensorBoard(folder / "log", write_graph=False),
        "wandb": lambda: WeightsAndBiases(folder, as_json(options)),
    }
    return [makers[name]() for name in options.log.split(",")] if options.log else []


class WeightsAndBiases(keras.callbacks.Callback):
    """Logs each epoch to one run of Weights & Biases, which goes on when training does.

    `WANDB_MODE=offline` writes to `folder` only, for `wandb sync`.
    """

    def __init__(self, folder, options):
        super().__init__()
        try:
            import wandb
        except ImportError as error:
            raise ImportError(f"`log=wandb` needs {to_install('wandb')}. ({error})") from error
        self.start = wandb.init
        self.options = options
        self.folder = Path(folder)

    def on_train_begin(self, logs=None):
        place = self.folder / "wandb_id"
        if not place.exists():
            place.write_text(secrets.token_hex(4))
        self.run = self.start(
            project="keras_cyclegan",
            name=self.folder.resolve().name,
            dir=self.folder,
            id=place.read_text(),
            resume="allow",
            config=self.options,
        )

    def on_epoch_end(self, epoch, logs=None):
        self.run.log({name: float(value) for name, value in (logs or {}).items()}, step=epoch + 1)

    def on_train_end(self, logs=None):
        self.run.finish()
