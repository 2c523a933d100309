"""A run continues from a checkpoint, whatever ended it or damaged its files."""

import resource
import signal
import subprocess
import threading

import keras
import numpy as np
import pytest

from keras_cyclegan import CycleGAN, data, resume
from keras_cyclegan.callbacks import (
    DivergenceError,
    HistoryFile,
    SampleGrid,
    StopAtDivergence,
    TrainingState,
)
from keras_cyclegan.networks import PatchDiscriminator, ResNetGenerator
from keras_cyclegan.training.checkpoint import DamagedCheckpointError, read_checkpoint
from keras_cyclegan.training.history import read_history

SHAPE = (8, 8, 3)
IMAGES = np.random.default_rng(0).integers(0, 256, (4, 9, 9, 3), "uint8")


def make_model(filters=2, dtype=None, dropout=0.5, seed=0, **arguments):
    keras.utils.set_random_seed(seed)
    options = {"filters": filters, "dropout": dropout, "dtype": dtype}
    model = CycleGAN(
        *(ResNetGenerator(SHAPE, num_blocks=n, **options) for n in (1, 0)),
        *(PatchDiscriminator(SHAPE, 2, num_layers=1, dtype=dtype) for _ in range(2)),
        image_shape=SHAPE,
        pool_size=2,
    )
    model.compile(identity_loss=None, run_eagerly=True, **arguments)
    return model


def make_state(folder, steps_per_epoch=3, **options):
    dataset = data.unpaired_dataset(
        IMAGES, IMAGES, image_size=8, batch_size=1, seed=0, steps_per_epoch=steps_per_epoch
    )
    return TrainingState(folder, dataset, **options)


def fit(state, model, epochs=2, callbacks=()):
    where = state.dataset, state.folder
    resume.fit(model, *where, epochs, callbacks, minutes=state.minutes, verbose=0)


def steps(folder):
    return [int(path.stem[5:]) for path in TrainingState(folder, None).checkpoints()]


class At(keras.callbacks.Callback):
    """Calls a function before a step, counted from 1."""

    def __init__(self, step, function):
        super().__init__()
        self.step, self.function, self.seen = step, function, 0

    def on_train_batch_begin(self, batch, logs=None):
        self.seen += 1
        if self.seen == self.step:
            self.function()


def break_weights(model):
    kernel = model.generator_ab.trainable_variables[0]
    kernel.assign(np.full(kernel.shape, np.nan))


@pytest.fixture
def steps_that_only_count(monkeypatch):
    """Where checkpoints, signals and disks are the subject, and not what the steps do."""

    def train_step(self, data):
        zeros = [keras.ops.zeros_like(v) for v in self.trainable_variables]
        self.optimizer.apply(zeros, self.trainable_variables)
        return {"loss": 0.0}

    monkeypatch.setattr(CycleGAN, "train_step", train_step)


counting = pytest.mark.usefixtures("steps_that_only_count")


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """Checkpoints of steps 5 and 6, and the model that they were taken of."""
    folder, model = tmp_path_factory.mktemp("finished"), make_model()
    fit(make_state(folder, minutes=0), model)
    assert steps(folder) == [5, 6]
    return folder, model


def copied(folder, target):
    for path in folder.iterdir():
        (target / path.name).write_bytes(path.read_bytes())


def restore(folder, model=None, **options):
    state = make_state(folder, **options)
    state.set_model(model or make_model(seed=1))
    return state, state.restore()


# --- checkpoints ---------------------------------------------------------------------------------


def test_checkpoint_brings_back_every_variable(finished):
    folder, model = finished
    copy = make_model(seed=1)
    state, _ = restore(folder, copy)
    assert state.step == 6
    for kind in (lambda m: m.variables, lambda m: m.optimizer.variables):
        for one, other in zip(kind(model), kind(copy), strict=True):
            one, other = (keras.ops.convert_to_numpy(v) for v in (one, other))
            np.testing.assert_array_equal(one, other)
    assert any("seed" in variable.path for variable in model.variables)


DAMAGES = {
    "cut": lambda content: content[:1000],
    "empty": lambda content: b"",
    "garbage_within": lambda content: content[:5000] + b"garbage" + content[5007:],
    "one_bit": lambda content: content[:5000] + bytes([content[5000] ^ 1]) + content[5001:],
    "zeros_at_the_end": lambda content: content[:-3000] + bytes(3000),
}


@pytest.mark.parametrize(("damage", "step"), [*zip(DAMAGES, (6, 7, 8, 6, 7), strict=True)])
def test_damaged_newest_checkpoint_gives_way_to_the_one_before(finished, tmp_path, damage, step):
    copied(finished[0], tmp_path)
    newest = tmp_path / "step-000000006.npz"
    newest.write_bytes(DAMAGES[damage](newest.read_bytes()))
    with pytest.warns(UserWarning, match="step-000000006.npz is damaged.*one before"):
        state, path = restore(tmp_path, finished[1])
    assert (state.step, path.name) == (5, "step-000000005.npz")
    # The next checkpoint is kept, and not the damaged one in its place.
    state.step = step
    state.save()
    assert steps(tmp_path) == [5, step]
    restore(tmp_path, finished[1])  # whole, though a damaged one had the same name


def test_no_whole_checkpoint_is_an_error_and_no_new_beginning(finished, tmp_path):
    copied(finished[0], tmp_path)
    for path in tmp_path.iterdir():
        path.write_bytes(path.read_bytes()[:-9])
    with (
        pytest.warns(UserWarning, match="damaged"),
        pytest.raises(DamagedCheckpointError, match="None of the 2 checkpoints"),
    ):
        restore(tmp_path, finished[1])


def test_a_checkpoint_that_lost_an_array_gives_way_to_the_one_before(finished, tmp_path):
    copied(finished[0], tmp_path)
    newest = tmp_path / "step-000000006.npz"
    with np.load(newest) as archive:
        arrays = dict(archive)
    del arrays["model.3"]
    np.savez(newest, **arrays)
    with pytest.warns(UserWarning, match=r"damaged: it holds \d+ of \d+ arrays.*one before"):
        state, _ = restore(tmp_path, finished[1])
    assert state.step == 5


def test_epochs_of_another_length_are_refused(finished):
    with pytest.raises(ValueError, match="epochs of 3 steps, and this dataset has epochs of 5"):
        restore(finished[0], finished[1], steps_per_epoch=5)


def test_checkpoint_of_another_model_is_an_error(finished):
    with pytest.raises(ValueError, match="of another model"):
        restore(finished[0], make_model(filters=3))


# --- divergence ----------------------------------------------------------------------------------


def test_divergence_ends_the_run_at_its_step_and_keeps_the_last_good_checkpoint(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(TrainingState, "kept", 9)
    model = make_model()
    with pytest.raises(DivergenceError) as caught:
        fit(
            make_state(tmp_path, minutes=0),
            model,
            callbacks=[At(5, lambda: break_weights(model))],
        )
    for part in ("at step 5", "cycle_a is nan", "step-000000004.npz", "learning rate", "clip"):
        assert part in str(caught.value)
    # No checkpoint of step 3: after the last step of an epoch it is written at the epoch's end.
    assert steps(tmp_path) == [1, 2, 3, 4]


def test_divergence_within_several_steps_per_execution_names_them(tmp_path):
    model = make_model(steps_per_execution=2)
    with pytest.raises(DivergenceError, match="at steps 3 to 4"):
        fit(
            make_state(tmp_path, steps_per_epoch=4),
            model,
            callbacks=[At(2, lambda: break_weights(model))],
        )


def test_weights_that_are_not_finite_are_never_written(finished, tmp_path):
    copied(finished[0], tmp_path)
    model = make_model()
    state, _ = restore(tmp_path, model)
    break_weights(model)
    state.step = 7
    with pytest.raises(DivergenceError, match=r"step 7, .*kernel .*NaN.*step-000000006"):
        state.save()
    assert steps(tmp_path) == [5, 6]
    assert len(list(tmp_path.iterdir())) == 2


def test_step_left_out_by_loss_scaling_is_no_divergence(tmp_path):
    model = make_model(dtype="mixed_float16")
    model.optimizer.dynamic_scale.assign(8.0)  # the first, 2¹⁵, overflows before it has settled
    overflow = At(2, lambda: model.optimizer.dynamic_scale.assign(1e30))
    fit(make_state(tmp_path), model, epochs=1, callbacks=[overflow])
    assert int(model.optimizer.iterations) == 1


def test_stop_at_divergence_works_alone():
    model = make_model()
    images = np.zeros((4, *SHAPE), "float32")
    callbacks = [At(6, lambda: break_weights(model)), StopAtDivergence()]
    with pytest.raises(DivergenceError, match="at epoch 2, step 2, "):
        model.fit(images, images, batch_size=1, epochs=3, callbacks=callbacks, verbose=0)


@counting
def test_a_callback_that_ends_the_training_ends_it_in_a_resumed_epoch_too(tmp_path):
    interrupt = At(2, lambda: signal.raise_signal(signal.SIGTERM))
    with pytest.raises(SystemExit):
        fit(make_state(tmp_path), make_model(), callbacks=[interrupt])
    model = make_model()
    end = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: setattr(model, "stop_training", True)
    )
    fit(make_state(tmp_path), model, epochs=5, callbacks=[end])
    assert steps(tmp_path)[-1] == 3


# --- SIGTERM and Ctrl-C --------------------------------------------------------------------------


@pytest.fixture
def interruptible():
    """Ctrl-C as in a terminal: a job in the background starts with it ignored."""
    earlier = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, earlier)


@counting
@pytest.mark.parametrize(
    ("number", "raised", "step"),
    [(signal.SIGTERM, SystemExit, 3), (signal.SIGINT, KeyboardInterrupt, 2)],
)
def test_signal_ends_the_run_after_its_step_with_a_checkpoint(
    number, raised, step, tmp_path, caplog, interruptible
):
    handler = signal.getsignal(number)
    history = HistoryFile(tmp_path / "history.jsonl")
    interrupt = At(step, lambda: signal.raise_signal(number))
    with pytest.raises(raised) as caught:
        fit(make_state(tmp_path / "checkpoints"), make_model(), callbacks=[history, interrupt])
    if number == signal.SIGTERM:
        assert caught.value.code == 143
    assert steps(tmp_path / "checkpoints") == [step]
    assert len(read_history(tmp_path / "history.jsonl")) == step // 3  # a whole epoch has its line
    assert f"Stopped by {number.name} at step {step}" in caplog.text
    assert signal.getsignal(number) is handler


@counting
def test_second_ctrl_c_ends_the_run_at_once(tmp_path, interruptible):
    def twice():
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)

    model = make_model()
    with pytest.raises(KeyboardInterrupt):
        fit(make_state(tmp_path), model, callbacks=[At(2, twice)])
    assert int(model.optimizer.iterations) == 1
    assert steps(tmp_path) == []


@counting
def test_run_outside_of_the_main_thread_leaves_signals_alone(tmp_path):
    model, handler = make_model(), signal.getsignal(signal.SIGTERM)
    seen = []
    look = At(1, lambda: seen.append(signal.getsignal(signal.SIGTERM)))
    thread = threading.Thread(
        target=fit, args=(make_state(tmp_path), model, 1), kwargs={"callbacks": [look]}
    )
    thread.start()
    thread.join()
    assert seen == [handler]
    assert steps(tmp_path) == [3]


# --- a full disk ---------------------------------------------------------------------------------


@pytest.fixture(params=["tmpfs", "limit"])
def disk(request, tmp_path):
    """A folder, and functions that fill its disk and make room again."""
    if request.param == "tmpfs":
        mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", tmp_path]
        if subprocess.run(mount, capture_output=True).returncode:
            pytest.skip("only root can mount a small disk")
        filler = tmp_path / "filler"

        def fill():
            try:
                with open(filler, "wb", buffering=0) as file:
                    while True:
                        file.write(bytes(4096))
            except OSError:
                pass

        yield tmp_path, fill, lambda: filler.unlink()
        subprocess.run(["umount", tmp_path], check=True)
    else:
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)

        def limit(size):
            resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))

        yield tmp_path, lambda: limit(10), lambda: limit(soft)
        limit(soft)


@counting
def test_full_disk_warns_and_the_next_checkpoint_is_tried(disk, monkeypatch):
    monkeypatch.setattr(TrainingState, "kept", 9)
    folder, fill, free = disk
    state = make_state(folder / "checkpoints", minutes=0)
    history = HistoryFile(folder / "history.jsonl")
    samples = SampleGrid(folder / "samples", [(IMAGES[:1, :8, :8] / 255.0,) * 2], count=1)
    with pytest.warns(UserWarning, match="could not be written") as caught:
        fit(state, make_model(), callbacks=[history, samples, At(2, fill), At(5, free)])
    messages = [str(warning.message) for warning in caught]
    messages = [message for message in messages if "could not be written" in message]
    for part in ("checkpoint of step 2", "checkpoint of step 4", "history.jsonl", "epoch-0001.png"):
        assert any(part in message for message in messages), part
    assert "last good checkpoint is" in messages[0]
    assert steps(folder / "checkpoints") == [1, 5, 6]
    assert [row["epoch"] for row in read_history(folder / "history.jsonl")] == [1, 2]
    assert not list(folder.rglob(".unfinished-*"))
    _, path = restore(folder / "checkpoints")
    assert path.name == "step-000000006.npz"


@counting
def test_last_checkpoint_that_cannot_be_written_is_an_error_and_the_earlier_stay(disk):
    folder, fill, free = disk
    with (
        pytest.warns(UserWarning, match="step 6 could not be written"),
        pytest.raises(OSError, match=r"space|large"),
    ):
        fit(make_state(folder, minutes=0), make_model(), callbacks=[At(5, fill)])
    free()
    _, path = restore(folder)
    assert path.name == "step-000000004.npz"


@pytest.mark.parametrize(("offset", "byte"), [(8, 1), (10, 99)])  # encrypted; unknown compression
def test_a_changed_byte_of_the_archives_directory_is_damage(tmp_path, offset, byte):
    path = tmp_path / "step-000000001.npz"
    np.savez(path, a=np.arange(3))
    content = bytearray(path.read_bytes())
    content[content.rindex(b"PK\x01\x02") + offset] = byte
    path.write_bytes(content)
    with pytest.raises(resume.DamagedCheckpointError, match="is damaged"):
        read_checkpoint(path)


def test_a_dataset_that_can_not_seek_is_refused_with_what_takes_that_away(tmp_path):
    with pytest.raises(ValueError, match=r"can seek.*`map`.*Received list"):
        resume.fit(None, [], tmp_path, epochs=1)
