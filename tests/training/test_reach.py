"""What Python offers, the command line reaches: some option moves every argument of a training."""

import dataclasses
import inspect

import pytest

import keras_cyclegan
from keras_cyclegan import cyclegan, data, layers, losses, networks, optimizers
from keras_cyclegan.training import TrainingOptions
from keras_cyclegan.training.data import load_images
from keras_cyclegan.training.networks import DISCRIMINATORS, GENERATORS, build_model
from keras_cyclegan.training.optimisation import compile_model
from keras_cyclegan.training.option import Size, options_of

# Arguments that no option moves, and why.
EXCEPTIONS = {
    ("*", "name"): "a label",
    ("*", "reduction"): "a loss of a training is a scalar",
    **{
        (name, steps): "`CycleGAN.fit` sets the steps from the epochs"
        for name in ("LinearDecay", "WeightSchedule")
        for steps in ("constant_steps", "decay_steps")
    },
    ("ProjectedDiscriminator", "seed"): "any random mixing is as good",
    ("ProjectedDiscriminator", "features_hash"): "the hash of the weights that are installed",
    ("DifferentiableAugmentation", "seed"): "drawn from the run's seed",
    **{
        ("DifferentiableAugmentation", name): "of the paper; Python takes others"
        for name in ("brightness", "saturation", "contrast", "translation", "cutout")
    },
    **{
        (name, "affine_norm"): "of generators only"
        for name in ("PatchDiscriminator", "PixelDiscriminator", "MultiScaleDiscriminator")
    },
    ("AttentionGenerator", "foregrounds"): "the authors'; Python takes others",
    ("AttentionGenerator", "shared_decoder"): "the authors'; Python takes the other",
    ("GradientPenalty", "seed"): "any points between images are as good",
    ("ContentLoss", "depths"): "Johnson et al.'s; `compile(content_loss=…)` takes others",
    ("PatchNCETerm", "names_of_layers"): "CUT's; `compile(terms=…)` takes others",
    ("PatchNCETerm", "patches"): "CUT's; `compile(terms=…)` takes others",
    ("PatchNCETerm", "same"): "CUT's; `compile(terms=…)` takes others",
    ("ContentLoss", "from_logits"): "of a network, which Python gives",
    ("CycleGAN", "pixels_a"): "the data's",
    ("CycleGAN", "pixels_b"): "the data's",
    **{
        ("compile", name): "how Keras runs a step, of any model"
        for name in ("jit_compile", "run_eagerly", "steps_per_execution", "auto_scale_loss")
    },
    ("load", "process_share"): "what this machine of several reads",
    ("load", "memory_limit"): "what doesn't fit goes to disk by itself",
    ("load", "cache_folder"): "in KERAS_HOME, of the environment",
}
# Options of each kind of network, and of what is there only if it is asked for.
BASES = [
    *({"generator": name} for name in GENERATORS),
    *({"discriminator": name} for name in DISCRIMINATORS),
    {
        **{"discriminator": "projected", "augment": True, "gradient_penalty": "r1"},
        **{"final_cycle_weight": 1.0, "perceptual_weight": 1.0, "activation_weight": 1.0},
        **{"content": "features", "pair_weight": 1.0},
    },
]
OWN_TERMS = {  # what terms are made of, and a function
    *("Term", "Scheduled", "average", "PatchNCELoss", "inside_masks"),
}
PLACES = {  # where the names stand that a run calls
    **{name: networks for name in networks.__all__},
    **{name: losses for name in set(losses.__all__) - OWN_TERMS},
    **{"CycleGAN": cyclegan, "LinearDecay": optimizers, "paper_adam": optimizers, "load": data},
}
OFFERED = {
    **{name: getattr(networks, name) for name in networks.__all__},
    **{name: getattr(losses, name) for name in set(losses.__all__) - OWN_TERMS},
    "DifferentiableAugmentation": layers.DifferentiableAugmentation,
    "LinearDecay": optimizers.LinearDecay,
    "paper_adam": optimizers.paper_adam,
    "CycleGAN": keras_cyclegan.CycleGAN,
    "compile": keras_cyclegan.CycleGAN.compile,
    "load": data.load,
}


def arguments(name):
    """The named arguments of a class or a function."""
    found = inspect.signature(OFFERED[name]).parameters.values()
    return {p.name for p in found if p.kind is not p.VAR_KEYWORD and p.name != "self"}


@pytest.fixture
def calls(monkeypatch):
    """A function from options to `{(name, argument): value}` of all that a run calls."""
    made = {}

    def note(name):
        signature = inspect.signature(OFFERED[name])

        def stand_in(*args, **kwargs):
            given = signature.bind(*args, **kwargs).arguments
            for argument, value in given.items():
                made[name, argument] = (*made.get((name, argument), ()), value)
            if given.get("augmentation") is not None:
                note("DifferentiableAugmentation")(**given["augmentation"])
            return name, tuple(sorted(given.items(), key=str))

        stand_in.__signature__ = signature
        stand_in.kinds = getattr(OFFERED[name], "kinds", ())
        return stand_in

    for name, place in PLACES.items():
        monkeypatch.setattr(place, name, note(name))
    model = type("Model", (), {"compile": note("compile")})()

    def record(options):
        made.clear()
        load_images(options)
        build_model(options)
        compile_model(model, options)
        return dict(made)

    return record


def alternatives(option):
    if option.choices:
        return tuple(option.choices)
    return {
        **{bool: (True, False), int: (2, 12), float: (0.25, 1e-5), str: ("MobileNetV2",)},
        Size: (32, "32x64"),
    }[option.kind]


def test_some_option_moves_every_argument_of_networks_losses_and_optimizers(calls):
    moved = set()
    for base in BASES:
        options = TrainingOptions("glyphs", **base)
        before = calls(options)
        for name, option in options_of(TrainingOptions).items():
            if name in ("init", "scores"):
                continue
            for value in alternatives(option):
                try:
                    after = calls(dataclasses.replace(options, **{name: value}))
                except ValueError:
                    continue  # not for this base
                moved |= {
                    key
                    for key in {*before, *after}
                    if before.get(key) != after.get(key) and key[0] in OFFERED
                }
    wanted = {(name, argument) for name in OFFERED for argument in arguments(name)}
    excepted = {key for key in wanted if key in EXCEPTIONS or ("*", key[1]) in EXCEPTIONS}
    assert wanted - excepted - moved == set()
    needless = {key for key in EXCEPTIONS if key in moved or (key[0] != "*" and key not in wanted)}
    assert needless == set()
