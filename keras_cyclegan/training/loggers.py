"""Logs of a run for other programs: CSV, TensorBoard, Weights & Biases."""

import secrets

import keras

from keras_cyclegan.arguments import to_install
from keras_cyclegan.training.folder import as_json


def make_loggers(folder, options):
    """Make the callbacks of `options.log`, which write below the folder of a run."""
    makers = {
        "csv": lambda: keras.callbacks.CSVLogger(folder / "log.csv", append=True),
        "tensorboard": lambda: keras.callbacks.TensorBoard(folder / "log", write_graph=False),
        "wandb": lambda: weights_and_biases(folder, as_json(options)),
    }
    return [makers[name]() for name in options.log.split(",")] if options.log else []


def weights_and_biases(folder, options):
    """Log each epoch to one run of Weights & Biases, which goes on when training does.

    `WANDB_MODE=offline` writes to `folder` only, for `wandb sync`.
    """
    try:
        import wandb
    except ImportError as error:
        raise ImportError(f"`log=wandb` needs {to_install('wandb')}. ({error})") from error

    def start(logs):
        place = folder / "wandb_id"
        if not place.exists():
            place.write_text(secrets.token_hex(4))
        run = {"id": place.read_text(), "resume": "allow", "name": folder.resolve().name}
        wandb.init(project="keras_cyclegan", dir=folder, config=options, **run)

    return keras.callbacks.LambdaCallback(
        on_train_begin=start,
        on_epoch_end=lambda epoch, logs: wandb.log(
            {name: float(value) for name, value in (logs or {}).items()}, step=epoch + 1
        ),
        on_train_end=lambda logs: wandb.finish(),
    )
