"""Checkpoints from which an interrupted run continues as if it had never stopped."""

import contextlib
import logging
import os
import signal
import threading
import time
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import keras

from keras_cyclegan.arguments import PathLike
from keras_cyclegan.files.atomic import remove_abandoned
from keras_cyclegan.steps.distribution import is_chief, largest_of_all
from keras_cyclegan.training.checkpoint import (
    DamagedCheckpointError,
    read_checkpoint,
    restore_checkpoint,
    write_checkpoint,
)
from keras_cyclegan.training.divergence import check_losses

logger = logging.getLogger(__name__)


class TrainingState(keras.callbacks.Callback):
    """Writes checkpoints of a run while it trains; `resume.fit` restores them.

    A checkpoint holds the weights, both optimizers, the image pools, the state of every random
    generator and the epoch's means; the newest two are kept. If the disk is full, it warns, keeps
    the earlier ones, and tries again when the next is due.

    Args:
        folder: path of the folder of checkpoints.
        dataset: training dataset of `data.unpaired_dataset` or `data.load`, also given to `fit`.
        minutes: float. Minutes from one checkpoint to the next; 0 writes one after each step.
    """

    kept = 2  # checkpoints

    def __init__(self, folder: PathLike, dataset: Any, minutes: float = 5.0) -> None:
        super().__init__()
        self.folder = Path(folder)
        self.dataset = dataset
        self.minutes = minutes
        self.step = self.saved_step = 0
        self.means = self.random_states = None
        self.signal: signal.Signals | None = None
        self.is_rest = False  # whether this `fit` trains the rest of an epoch only
        self.is_over = False  # whether a callback ended the training in that rest

    def checkpoints(self) -> list[Any]:
        """List the paths of all checkpoints, the oldest first."""
        return sorted(self.folder.glob(f"step-{'[0-9]' * 9}.npz"))

    def restore(self) -> Any:
        """Load the newest undamaged checkpoint; return its path, or None. Raises as `fit` does."""
        path, arrays, length = self._read_newest()
        step = int(path.stem.removeprefix("step-")) if path else 0
        if largest_of_all(step) != -largest_of_all(-step):
            raise RuntimeError(
                "The machines read different checkpoints: they must share the folder of the run "
                "(NFS, for example), which the first machine writes."
            )
        if path is None:
            return None
        if length and length != self.dataset.steps_per_epoch:
            raise ValueError(
                f"{path} is of a run with epochs of {length} steps, and this dataset has epochs of "
                f"{self.dataset.steps_per_epoch}. Give the same images, or to go on with others "
                f"`steps_per_epoch={length}`."
            )
        self.means, self.random_states = restore_checkpoint(self.model, arrays, path)
        self.step = self.saved_step = step
        return path

    def _read_newest(self):
        damaged = []
        for path in reversed(self.checkpoints()):
            try:
                found = read_checkpoint(path)
            except DamagedCheckpointError as error:
                damaged.append(path)
                warnings.warn(f"{error}. Trying the one before.", stacklevel=3)
                continue
            for newer in damaged if is_chief() else ():
                newer.unlink(missing_ok=True)
            return path, *found
        if damaged:
            raise DamagedCheckpointError(
                f"None of the {len(damaged)} checkpoints in {self.folder} is whole. Remove them to "
                "begin anew."
            )
        return None, None, 0

    def save(self) -> None:
        """Write a checkpoint now; warn if the disk is full."""
        self.saved_at = time.monotonic()
        try:
            self._write()
        except OSError as error:
            warnings.warn(
                f"The checkpoint of step {self.step} could not be written ({error}). Training "
                f"goes on; the last good checkpoint is {self._newest()}.",
                stacklevel=2,
            )

    def _write(self):
        if is_chief():
            path = self.folder / f"step-{self.step:09d}.npz"
            random_states = self.random_states or self.model.random_states()
            length = getattr(self.dataset, "steps_per_epoch", 0)
            write_checkpoint(path, self.model, self.step, self._newest(), random_states, length)
            for old in self.checkpoints()[: -self.kept]:
                old.unlink(missing_ok=True)
        self.saved_step = self.step

    def _newest(self):
        return next(reversed(self.checkpoints()), None)

    def on_train_begin(self, logs=None):
        if is_chief():
            remove_abandoned(self.folder)  # by a run that was killed while it saved
        self.saved_at = time.monotonic()
        self.stride = self.model.steps_per_execution

    def on_epoch_begin(self, epoch, logs=None):
        self.dataset.seek(self.step)
        length = self.dataset.steps_per_epoch
        self.epoch_end = (self.step // length + 1) * length
        if self.means and self.step % length:
            for variable, mean in zip(self.model.metrics_variables, self.means, strict=True):
                variable.assign(mean)  # Keras has just reset them
        self.means = None

    def on_train_batch_begin(self, batch, logs=None):
        if self.random_states is not None:
            self.model.restore_random_states(self.random_states)
            self.random_states = None

    def on_train_batch_end(self, batch, logs=None):
        first = self.step + 1
        self.step = min(self.step + self.stride, self.epoch_end)
        check_losses(logs, "step", first, self.step, self._newest)
        if self.step < self.epoch_end:
            self._save_if_due()
        else:  # `on_epoch_end` saves, after the other callbacks have written their files
            self.random_states = self.model.random_states()  # torch's loader draws between epochs

    def on_epoch_end(self, epoch, logs=None):
        self._save_if_due()
        if self.is_rest:
            self.is_over, self.model.stop_training = self.model.stop_training, True

    def on_train_end(self, logs=None):
        if self.is_rest and not self.is_over:
            return  # `fit` trains the other epochs next
        if self.saved_step < self.step:
            self._write()

    @contextlib.contextmanager
    def interruptible(self):
        """Only note SIGTERM and Ctrl-C, which then end the run after its step, with a checkpoint.

        A second Ctrl-C ends it at once. In another thread than the main one, nothing is noted.
        """

        def note(number, frame):
            if self.signal is not None and number == signal.SIGINT:
                raise KeyboardInterrupt
            self.signal = self.signal or signal.Signals(number)
            # Not `print`, which the signal may have interrupted.
            os.write(2, b"\nEnding after this step, with a checkpoint. Ctrl-C ends at once.\n")

        is_main = threading.current_thread() is threading.main_thread()
        earlier = {
            number: signal.signal(number, note)
            for number in (signal.SIGTERM, signal.SIGINT)
            if is_main and signal.getsignal(number) not in (signal.SIG_IGN, None)
        }
        try:
            yield
        finally:
            for number, handler in earlier.items():
                signal.signal(number, handler)

    def _save_if_due(self):
        # All machines leave after the same step: one that continued alone would wait for ever.
        if number := largest_of_all(self.signal or 0):
            self.signal = signal.Signals(number)
            self.save()
            self.leave()
        if time.monotonic() - self.saved_at >= 60 * self.minutes:
            self.save()

    def leave(self):
        """Raise what the signal stands for: KeyboardInterrupt, or exit status 143 for SIGTERM."""
        text = "Stopped by %s at step %d. Started again, the run goes on from %s."
        logger.warning(text, self.signal.name, self.step, self._newest())
        raise KeyboardInterrupt if self.signal == signal.SIGINT else SystemExit(128 + self.signal)


def fit(
    model: Any,
    dataset: Any,
    folder: PathLike,
    epochs: int,
    callbacks: Iterable[Any] = (),
    minutes: float = 5.0,
    **kwargs: Any,
) -> None:
    """Train as `model.fit` does, continuing from the newest undamaged checkpoint in `folder`.

    On one processor the weights in the end are the same as without the interruption. SIGTERM and
    Ctrl-C end the run after the current step, with a last checkpoint.

    Args:
        model: compiled `CycleGAN`, built and compiled as it was when the run began.
        dataset, folder, minutes: as in `TrainingState`.
        epochs: int. Epochs of the whole run.
        callbacks: list of further `keras.callbacks.Callback`s.
        **kwargs: further arguments of `CycleGAN.fit`.

    Raises:
        DamagedCheckpointError: there are checkpoints, and all of them are damaged.
        DivergenceError: a loss is NaN or infinite.
        ValueError: the dataset can't seek, or the run's epochs have another number of steps.
        OSError: the last checkpoint could not be written.
        SystemExit: with status 143, after SIGTERM.
    """
    if not hasattr(dataset, "seek"):
        raise ValueError(
            "`resume.fit` needs a dataset that can seek, from `data.load` or "
            "`data.unpaired_dataset`; `map`, `take`, `prefetch` and others take that away. "
            f"Received {type(dataset).__name__}."
        )
    state = TrainingState(folder, dataset, minutes)
    state.set_model(model)
    if path := state.restore():
        logger.info("Going on at step %d, from %s.", state.step, path)
    length = dataset.steps_per_epoch

    def fit_from_here(**options):
        # The state comes last: a checkpoint at the end of an epoch follows its other files.
        options |= {"callbacks": [*callbacks, state], "initial_epoch": state.step // length}
        model.fit(dataset, epochs=epochs, **options, **kwargs)

    with state.interruptible():
        if done := state.step % length:
            # The rest of an epoch, in a `fit` of its own: Keras takes all epochs of one `fit` to be
            # of one length. If the data ended early instead, TensorFlow would already have run the
            # operations of the next step that need no data.
            state.is_rest = True
            fit_from_here(steps_per_epoch=length - done)
            state.is_rest = False
        if not state.is_over:
            fit_from_here()
    if state.signal:
        state.leave()
