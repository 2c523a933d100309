"""What a training run shows in the terminal."""

from keras_cyclegan.training.history import Progress, figures


def test_progress_is_one_line_an_epoch_that_fits_the_terminal(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    progress = Progress()
    progress.set_params({"epochs": 2, "steps": 6})
    progress.compiled = True
    logs = {"loss": 31.25, "cycle_a": 10.5, "cycle_b": 9.0, "identity_a": 8.0, "val_loss": 1.0}
    for epoch in range(2):
        progress.on_epoch_begin(epoch)
        for batch in (1, 3, 5):  # two steps an execution
            progress.on_train_batch_end(batch, logs)
        progress.on_epoch_end(epoch, logs)
    written = capsys.readouterr().out
    assert written.count("\n") == 2
    last = [line.split("\r")[-1] for line in written.split("\n")]
    assert last[1].startswith("Epoch 2/2 ")
    assert "6/6" in last[1]
    assert "loss 31.250, cycle 19.500" in last[1]
    assert all(len(shown.rstrip()) <= 80 for shown in written.replace("\n", "\r").split("\r"))


def test_the_first_step_is_told_to_compile(capsys):
    progress = Progress()
    progress.set_params({"epochs": 2, "steps": 1})
    for epoch in range(2):
        progress.on_epoch_begin(epoch)
        assert ("the first step compiles" in capsys.readouterr().out) == (epoch == 0)
        progress.on_train_batch_end(0, {"loss": 1.0})
        progress.on_epoch_end(epoch)
        assert "compiles" not in capsys.readouterr().out.split("\r")[-1]


def test_figures_add_both_directions_and_leave_validation_out():
    logs = {"loss": 3.0, "discriminator_a": 0.5, "discriminator_b": 0.25, "val_cycle_a": 9.0}
    assert figures(logs) == "loss 3.000, cycle 0.000, discriminator 0.750"
