"""The package against a plain-PyTorch CycleGAN (`torch_reference.py`) and its golden values.

Without torch the golden table (`golden/step.json`, made by `golden/make_step.py`) holds the step.
"""

import json
from pathlib import Path

import keras
import numpy as np
import pytest
from support.step_inputs import (
    FILTERS,
    LEARNING_RATES,
    NETWORKS,
    RECIPES,
    SIZE,
    STEPS,
    draw_images,
    draw_weights,
)

from keras_cyclegan import CycleGAN
from keras_cyclegan.networks import (
    PatchDiscriminator,
    PixelDiscriminator,
    ResNetGenerator,
    UNetGenerator,
)

GOLDEN = Path(__file__).parents[1] / "support" / "golden"


@pytest.fixture(scope="module")
def reference():
    pytest.importorskip("torch", reason="torch is absent: the golden values hold the step instead")
    from support import torch_reference

    return torch_reference


@pytest.fixture(scope="module")
def make_step(reference):
    from support.golden import make_step

    return make_step


def make_networks(dtype=None):
    shape = (SIZE, SIZE, 3)
    networks = (
        ResNetGenerator(shape, filters=FILTERS, num_blocks=2, dtype=dtype),
        UNetGenerator(shape, filters=FILTERS, num_downsamplings=5, dtype=dtype),
        PatchDiscriminator(shape, filters=FILTERS, num_layers=2, dtype=dtype),
        PixelDiscriminator(shape, filters=FILTERS, dtype=dtype),
    )
    for seed, network in enumerate(networks):
        network.set_weights(draw_weights([w.shape for w in network.weights], seed))
    return networks


def make_optimizer(name):
    if name == "sgd":
        return keras.optimizers.SGD(LEARNING_RATES[name])
    return keras.optimizers.Adam(LEARNING_RATES[name], beta_1=0.5, beta_2=0.999, epsilon=1e-8)


def run(recipe, pool_size=0, **kwargs):
    """Three steps; the losses of each, and the model."""
    options = {**RECIPES[recipe]}
    optimizer = options.pop("optimizer")
    names = {"adversarial": "adversarial_loss", "cycle": "cycle_loss", "identity": "identity_loss"}
    model = CycleGAN(*make_networks(), image_shape=(SIZE, SIZE, 3), pool_size=pool_size)
    model.compile(
        make_optimizer(optimizer),
        make_optimizer(optimizer),
        **{names.get(name, name): value for name, value in options.items()},
        **kwargs,
    )
    losses = []
    for images in draw_images():
        model.reset_metrics()
        logs = model.train_on_batch(*images, return_dict=True)
        losses.append({name: float(value) for name, value in logs.items()})
    return losses, model


@pytest.fixture(scope="module")
def trained():
    """Each recipe trained once; the tests look at it from two sides."""
    runs = {}

    def get(recipe):
        if recipe not in runs:
            # Eager steps spare the tracing; the first recipe runs as `fit` does.
            runs[recipe] = run(recipe, run_eagerly=recipe != "sgd")
        return runs[recipe]

    return get


def assert_losses_equal(losses, expected):
    for ours, theirs in zip(losses, expected, strict=True):
        assert ours.keys() == theirs.keys()
        for name, value in theirs.items():
            assert ours[name] == pytest.approx(value, rel=1e-4, abs=1e-4), name


def has_effect(network, index):
    """Whether a weight changes the output: a bias before an instance norm does not, and Adam
    turns the rounding noise of its gradient into whole steps."""
    weight = network.weights[index]
    if not weight.path.endswith("bias"):
        return True
    layer_names = [layer.name for layer in network.layers]
    position = layer_names.index(weight.path.split("/")[-2])
    following = network.layers[position + 1 : position + 3]
    return not any(isinstance(x, keras.layers.GroupNormalization) for x in following)


@pytest.mark.parametrize("recipe", RECIPES)
def test_three_steps_equal_those_of_pytorch(recipe, trained, make_step, reference):
    check_against_pytorch(recipe, *trained(recipe), make_step, reference)


def test_three_steps_with_a_pool_that_still_fills_equal_those_of_pytorch(make_step, reference):
    check_against_pytorch("sgd", *run("sgd", 50, run_eagerly=True), make_step, reference)


def check_against_pytorch(recipe, losses, model, make_step, reference):
    expected_losses, expected_networks = make_step.run(recipe)
    assert_losses_equal(losses, expected_losses)
    for name, expected in zip(NETWORKS, expected_networks, strict=True):
        network = getattr(model, name)
        start = make_networks()[NETWORKS.index(name)].get_weights()
        for i, (ours, theirs) in enumerate(
            zip(network.get_weights(), reference.keras_weights(expected), strict=True)
        ):
            if not has_effect(network, i):
                continue
            path = f"{name}/{network.weights[i].path}"
            difference = np.abs(ours - theirs)
            # Rounding may turn the sign of an L1 term at a pixel, and with it a weight's step.
            assert (difference > 1e-4).sum() <= max(1, ours.size / 1000), path
            assert difference.max() < 4e-4, path
            if ours.ndim == 4:
                assert np.abs(ours - start[i]).max() > 2e-4, f"{path} was not trained"


@pytest.mark.parametrize("recipe", RECIPES)
def test_three_steps_equal_the_golden_values(recipe, trained):
    golden = json.loads((GOLDEN / "step.json").read_text())[recipe]
    losses, model = trained(recipe)
    assert len(losses) == STEPS
    assert_losses_equal(losses, golden["losses"])
    for name in NETWORKS:
        network = getattr(model, name)
        rows = zip(network.get_weights(), golden["weights"][name], strict=True)
        for i, (array, (total, magnitude, first)) in enumerate(rows):
            if not has_effect(network, i):
                continue
            tolerance = 1e-4 * np.sqrt(array.size)
            path = f"{name}/{network.weights[i].path}"
            assert array.sum() == pytest.approx(total, abs=tolerance), path
            assert np.abs(array).sum() == pytest.approx(magnitude, abs=tolerance), path
            assert array.flat[0] == pytest.approx(first, abs=1e-4), path


def test_golden_values_are_those_of_the_pytorch_step(make_step):
    golden = json.loads((GOLDEN / "step.json").read_text())
    assert golden.keys() == RECIPES.keys()
    assert_losses_equal(make_step.run("sgd")[0], golden["sgd"]["losses"])


PAIRS = {
    "resnet_6blocks": (
        lambda: ResNetGenerator((None, None, 3), filters=4, num_blocks=6),
        lambda torch: torch.ResNetGenerator(3, 3, 4, 6),
    ),
    "resnet_9blocks_of_other_channels": (
        lambda: ResNetGenerator((None, None, 1), 4, filters=4, num_blocks=9),
        lambda torch: torch.ResNetGenerator(1, 4, 4, 9),
    ),
    "unet_of_5": (
        lambda: UNetGenerator((None, None, 3), 2, filters=4, num_downsamplings=5),
        lambda torch: torch.UNetGenerator(3, 2, 4, 5),
    ),
    "unet_of_6": (
        lambda: UNetGenerator((None, None, 3), filters=2, num_downsamplings=6),
        lambda torch: torch.UNetGenerator(3, 3, 2, 6),
    ),
    "patch_3": (
        lambda: PatchDiscriminator((None, None, 3), filters=4),
        lambda torch: torch.PatchDiscriminator(3, 4, 3),
    ),
    "patch_1": (
        lambda: PatchDiscriminator((None, None, 3), filters=4, num_layers=1),
        lambda torch: torch.PatchDiscriminator(3, 4, 1),
    ),
    "patch_5": (
        lambda: PatchDiscriminator((None, None, 1), filters=2, num_layers=5),
        lambda torch: torch.PatchDiscriminator(1, 2, 5),
    ),
    "pixel": (
        lambda: PixelDiscriminator((None, None, 3), filters=4),
        lambda torch: torch.PixelDiscriminator(3, 4),
    ),
}


@pytest.mark.parametrize("pair", PAIRS)
def test_network_equals_pytorch_on_random_weights(pair, reference):
    ours, theirs = PAIRS[pair][0](), PAIRS[pair][1](reference)
    weights = draw_weights([weight.shape for weight in ours.weights], seed=1)
    ours.set_weights(weights)
    reference.load_keras_weights(theirs, weights)
    height, width = (128, 192) if "5" in pair or "6" in pair else (44, 52)
    channels = ours.input_shape[-1]
    if pair.startswith("resnet"):
        height, width = 44, 52
    images = np.random.RandomState(0).uniform(-1, 1, (2, height, width, channels))
    images = images.astype("float32")
    expected = theirs(reference.as_torch(images)).detach().numpy().transpose(0, 2, 3, 1)
    output = keras.ops.convert_to_numpy(ours(images))
    assert output.shape == expected.shape
    assert np.std(expected) > 1e-3
    np.testing.assert_allclose(output, expected, rtol=0, atol=1e-4)
