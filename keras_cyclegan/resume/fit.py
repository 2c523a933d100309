"""`fit` that continues an interrupted run."""

import logging
from collections.abc import Iterable
from typing import Any

import keras

from keras_cyclegan.arguments import PathLike
from keras_cyclegan.resume.training_state import TrainingState

logger = logging.getLogger(__name__)


def fit(
    model: Any,
    dataset: Any,
    folder: PathLike,
    epochs: int,
    callbacks: Iterable[Any] = (),
    minutes: float = 5.0,
    steps: int | None = None,
    keep: int = 2,
    **kwargs: Any,
) -> None:
    """Train as `model.fit` does, continuing from the newest checkpoint in `folder`.

    Called again after a power cut, it continues the run; on one processor the weights in the end
    are the same as without the interruption. `TrainingState` says what a checkpoint holds.

    Args:
        model: compiled `CycleGAN`, built and compiled as it was when the run began.
        dataset: training dataset of `data.unpaired_dataset` or `data.load`, which can seek.
        folder: path of the folder of checkpoints; made where it doesn't exist.
        epochs: int. Epochs of the whole run.
        callbacks: list of further `keras.callbacks.Callback`s, empty by default.
        minutes: float, 5 by default. A checkpoint is written when so many minutes have passed.
        steps: int. One is also written after so many steps. None, the default: only `minutes`
            counts.
        keep: int, 2 by default. How many of the newest checkpoints to keep.
        **kwargs: further arguments of `CycleGAN.fit`.

    Raises:
        ValueError: `dataset` can't seek.
        DamagedCheckpointError: there are checkpoints, and all of them are damaged.
        DivergenceError: a loss is NaN or infinite.
        OSError: the last checkpoint could not be written.
        KeyboardInterrupt: after Ctrl-C.
        SystemExit: with status 143, after SIGTERM.

    Example:

    ```python
    train, validation = keras_cyclegan.data.load("glyphs", image_size=32)
    model = keras_cyclegan.CycleGAN(image_shape=(32, 32, 3))
    model.compile()
    keras_cyclegan.resume.fit(model, train, "run/checkpoints", epochs=200)
    ```
    """
    if not hasattr(dataset, "seek"):
        raise ValueError(
            "`resume.fit` needs a dataset that can seek, from `data.load` or "
            "`data.unpaired_dataset`; `map`, `take`, `prefetch` and others take that away. "
            f"Received {type(dataset).__name__}."
        )
    state = TrainingState(folder, dataset, minutes, steps, keep)
    state.set_model(model)
    if path := state.restore():
        logger.info("Going on at step %d, from %s.", state.step, path)
    length = dataset.steps_per_epoch
    # The state comes last: a checkpoint at the end of an epoch follows its other files.
    with state.interruption:
        if done := state.step % length:
            # The rest of an epoch, in a `fit` of its own: Keras takes all epochs of one `fit` to be
            # of one length. If the data ended early instead, TensorFlow would already have run the
            # operations of the next step that need no data.
            stop = keras.callbacks.LambdaCallback(
                on_epoch_end=lambda epoch, logs: setattr(model, "stop_training", True)
            )
            state.is_partial = True
            model.fit(
                dataset,
                epochs=epochs,
                initial_epoch=state.step // length,
                steps_per_epoch=length - done,
                callbacks=[*callbacks, stop, state],
                **kwargs,
            )
            state.is_partial = False
        model.fit(
            dataset,
            epochs=epochs,
            initial_epoch=state.step // length,
            callbacks=[*callbacks, state],
            **kwargs,
        )
    if state.interruption.signal:
        state.leave()
