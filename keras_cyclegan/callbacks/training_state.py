"""Checkpoints from which a killed run goes on as if it had never stopped."""

import re
import time
import warnings
from pathlib import Path

import h5py
import keras

from keras_cyclegan.whole import whole_file


class TrainingState(keras.callbacks.Callback):
    """Saves all that a run is made of, and restores it when the run is started again.

    A checkpoint holds the weights, both optimizers, the image pools with their random generators
    and the epoch's means; its name says the step. It is written beside its place and then renamed,
    so that a file under its name is whole. The data goes on at that step with `dataset.seek`.

    Args:
        folder: where the checkpoints are.
        dataset: what `fit` is given: `keras_cyclegan.data.unpaired_dataset` or `load`'s first.
        minutes: float. Least time between two checkpoints; the end of training writes one too.
        keep: int. Newest checkpoints kept.

    Example:

    ```python
    state = TrainingState("run/checkpoints", train)
    state.fit(model, epochs=200, callbacks=[SampleGrid("run/samples", validation)])
    ```
    """

    def __init__(self, folder, dataset, minutes=5.0, keep=2):
        super().__init__()
        if keep < 1:
            raise ValueError(f"`keep` must be at least 1. Received keep={keep}.")
        self.folder = Path(folder)
        self.dataset = dataset
        self.minutes = minutes
        self.keep = keep
        self.step = self.checkpoints()[-1][0] if self.checkpoints() else 0

    def fit(self, model, epochs, callbacks=(), **kwargs):
        """`model.fit` on the dataset, from where the newest checkpoint stands.

        Args:
            model: compiled `CycleGAN`, built and compiled as it was when the run began.
            epochs: int. Epochs of the whole run.
            callbacks: further callbacks.
            **kwargs: further arguments of `fit`.
        """

        self.set_model(model)
        self.restored = self.restore()

        def fit(callbacks, **more):
            epoch = self.step // self.dataset.steps_per_epoch
            model.fit(
                self.dataset,
                epochs=epochs,
                initial_epoch=epoch,
                callbacks=[self, *callbacks],
                **more,
                **kwargs,
            )

        done = self.step % self.dataset.steps_per_epoch
        if done:
            # The rest of an epoch. Keras takes all epochs of a `fit` to be of one length, and where
            # the data ends early TensorFlow has already run what of a step needs no data.
            stop = keras.callbacks.LambdaCallback(
                on_epoch_end=lambda epoch, logs: setattr(model, "stop_training", True)
            )
            fit([*callbacks, stop], steps_per_epoch=self.dataset.steps_per_epoch - done)
        fit(callbacks)

    def checkpoints(self):
        """`(step, path)` of every checkpoint, the oldest first."""
        paths = ((re.fullmatch(r"step-(\d+)\.weights\.h5", p.name), p) for p in self._files())
        return sorted((int(match[1]), path) for match, path in paths if match)

    def _files(self):
        return self.folder.iterdir() if self.folder.is_dir() else ()

    def on_train_begin(self, logs=None):
        for path in self.folder.glob(".unfinished-*"):
            path.unlink()  # of a run that was killed while it saved
        self.saved_at = time.monotonic()

    def restore(self):
        """Load the newest checkpoint that is whole; return its path, or None."""
        for step, path in reversed(self.checkpoints()):
            try:
                self.model.load_weights(path)
            except (OSError, KeyError, ValueError) as error:
                if step == self.checkpoints()[0][0]:
                    raise
                warnings.warn(
                    f"Checkpoint {path} can't be read ({error}). Trying the one before.",
                    stacklevel=2,
                )
                continue
            self.step = step
            return path
        return None

    def on_epoch_begin(self, epoch, logs=None):
        self.dataset.seek(self.step)
        if self.restored and self.step % self.dataset.steps_per_epoch:
            # Keras has just reset the epoch's means.
            with h5py.File(self.restored) as file:
                for variable, value in zip(self._means(), file["means"], strict=True):
                    variable.assign(value)
        self.restored = None

    def on_train_batch_end(self, batch, logs=None):
        self.step += self.model.steps_per_execution
        if time.monotonic() - self.saved_at >= self.minutes * 60:
            self.save()

    def on_train_end(self, logs=None):
        self.save()

    def save(self):
        """Write a checkpoint now."""
        path = self.folder / f"step-{self.step:09d}.weights.h5"
        with whole_file(path) as unfinished:
            self.model.save_weights(unfinished, overwrite=True)
            with h5py.File(unfinished, "r+") as file:  # Keras leaves metrics out
                file["means"] = [keras.ops.convert_to_numpy(mean) for mean in self._means()]
        for _, old in self.checkpoints()[: -self.keep]:
            old.unlink()
        self.saved_at = time.monotonic()

    def _means(self):
        return [variable for metric in self.model.metrics for variable in metric.variables]
