"""The discriminators that give several maps, and attention: each against numpy or torch."""

import keras
import numpy as np
import pytest
from support.plain_networks import plain_network

from keras_cyclegan import CycleGAN
from keras_cyclegan.layers import (
    AdaptiveInstanceLayerNormalization,
    InstanceLayerNormalization,
)
from keras_cyclegan.networks import (
    AttentionGenerator,
    MultiScaleDiscriminator,
    ProjectedDiscriminator,
    ResNetGenerator,
    UGATITDiscriminator,
    UGATITGenerator,
    UNetGenerator,
)
from keras_cyclegan.networks.patchgan import HalveByMean
from keras_cyclegan.networks.size_limits import build_without_weights


def numpy(tensor):
    return keras.ops.convert_to_numpy(tensor)


def images(height=32, width=32, channels=3):
    shape = (2, height, width, channels)
    return np.random.RandomState(0).uniform(-1, 1, shape).astype("float32")


@pytest.mark.backend
@pytest.mark.parametrize(("height", "width"), [(8, 6), (7, 9)])
def test_halving_equals_torch_s_mean_of_the_pixels_inside(height, width):
    torch = pytest.importorskip("torch", reason="parity is measured against torch")
    pool = torch.nn.AvgPool2d(3, stride=2, padding=1, count_include_pad=False)
    expected = pool(torch.tensor(images(height, width).transpose(0, 3, 1, 2))).numpy()
    halved = HalveByMean()(images(height, width))
    np.testing.assert_allclose(numpy(halved), expected.transpose(0, 2, 3, 1), atol=1e-6)


@pytest.mark.backend
def test_every_scale_judges_the_halved_image_with_weights_of_its_own():
    network = MultiScaleDiscriminator((32, 32, 3), num_scales=2, filters=4, num_layers=1)
    fine, coarse = network(images())
    halved = HalveByMean()(images())
    np.testing.assert_allclose(numpy(network.get_layer("scale2")(halved)), numpy(coarse), atol=1e-5)
    np.testing.assert_allclose(numpy(network.get_layer("scale1")(images())), numpy(fine), atol=1e-5)
    assert coarse.shape[1] < fine.shape[1]


def mixed(given, rho):
    def normal(axes):
        deviation = given - given.mean(axes, keepdims=True)
        return deviation / np.sqrt(given.var(axes, ddof=1, keepdims=True) + 1e-5)

    return rho * normal((1, 2)) + (1 - rho) * normal((1, 2, 3))


@pytest.mark.backend
def test_layer_instance_norms_equal_numpy():
    rho = np.array([0.0, 0.25, 1.0], "float32")
    scale, offset = np.random.RandomState(1).standard_normal((2, 2, 3)).astype("float32")
    adaptive, own = AdaptiveInstanceLayerNormalization(), InstanceLayerNormalization()
    found = adaptive([images(), scale, offset])
    np.testing.assert_allclose(numpy(adaptive.rho), 0.9)
    expected = mixed(images(), 0.9) * scale[:, None, None] + offset[:, None, None]
    np.testing.assert_allclose(numpy(found), expected, atol=1e-4)

    np.testing.assert_allclose(numpy(own(images())), mixed(images(), 0), atol=1e-4)
    own.rho.assign(rho)
    own.gamma.assign(scale[0])
    own.beta.assign(offset[0])
    expected = mixed(images(), rho) * scale[0] + offset[0]
    np.testing.assert_allclose(numpy(own(images())), expected, atol=1e-4)


def test_the_mixture_stays_between_both_norms():
    constraint = AdaptiveInstanceLayerNormalization()
    constraint.build([(None, 4, 4, 2), (None, 2), (None, 2)])
    np.testing.assert_array_equal(numpy(constraint.rho.constraint(np.array([-1.0, 2.0]))), [0, 1])


def test_ugatit_has_the_published_number_of_parameters():
    # The light form's 134.0 million: two generators, two discriminators of two PatchGANs each.
    networks = [
        build_without_weights(lambda make=make: make((256, 256, 3)))
        for make in (UGATITGenerator, UGATITDiscriminator)
    ]
    counts = [sum(np.prod(w.shape) for w in n.trainable_weights) for n in networks]
    assert round(2 * sum(counts) / 1e6, 1) == 134.0


@pytest.mark.backend
def test_ugatit_s_head_classifies_and_its_weights_scale_the_features():
    network = UGATITGenerator((32, 32, 3), filters=4, num_blocks=1)
    layer = network.get_layer("activation")
    features, attended = (
        keras.Model(network.input, tensor) for tensor in (layer.input, layer.output[0])
    )
    logits = network.class_logits(images(20, 36))
    x = numpy(features(images(20, 36)))
    means, maxima = numpy(layer.of_means), numpy(layer.of_maxima)
    expected = np.stack([x.mean((1, 2)) @ means, x.max((1, 2)) @ maxima], -1)
    np.testing.assert_allclose(numpy(logits), expected, atol=1e-5)
    weighed = np.concatenate([x * means, x * maxima], -1)
    np.testing.assert_allclose(numpy(attended(images(20, 36))), weighed, atol=1e-5)


def test_ugatit_judges_small_and_large_patches_and_whole_images():
    network = UGATITDiscriminator((128, 128, 3), filters=2)
    shapes = network.compute_output_shape((1, 128, 128, 3))
    assert shapes == [(1, 14, 14, 1), (1, 1, 1, 2), (1, 2, 2, 1), (1, 1, 1, 2)]
    assert [logits.shape for logits in network(images(128, 128)[:1])] == shapes


@pytest.mark.backend
@pytest.mark.parametrize(
    "policy",
    [
        pytest.param(
            "float32",
            marks=pytest.mark.skipif(
                keras.backend.backend() == "jax",
                reason="JAX takes long to compile a step; the other policy's is in float32 in part",
            ),
        ),
        "mixed_bfloat16",
    ],
)
def test_ugatit_takes_a_step_under_each_policy_and_keeps_its_mixtures_in_range(policy):
    generators = [
        UGATITGenerator((32, 32, 3), filters=2, num_blocks=1, dtype=policy) for _ in range(2)
    ]
    judge = UGATITDiscriminator((32, 32, 3), filters=2, num_layers=(3, 3), dtype=policy)
    judges = [judge, plain_network("discriminator_b")]
    model = CycleGAN(*generators, *judges, image_shape=(32, 32, 3), pool_size=0)
    fast = [keras.optimizers.SGD(1e3) for _ in range(2)]
    # JAX's eager steps take minutes.
    eager = keras.backend.backend() != "jax"
    model.compile(
        *fast, identity_loss=None, activation_loss=1.0, run_eagerly=eager, jit_compile=not eager
    )
    head = generators[0].get_layer("activation")
    before = numpy(head.of_means)
    losses = model.train_on_batch(images(), images(), return_dict=True)
    assert all(np.isfinite(value) for value in losses.values())
    assert losses["activation_ab"] > 0
    assert losses["activation_ba"] > 0
    assert np.abs(numpy(head.of_means) - before).max() > 1e-5
    rho = [numpy(w) for w in generators[0].trainable_weights if w.name == "rho"]
    assert all(0 <= values.min() <= values.max() <= 1 for values in rho)
    assert any((values != 0).any() and (values != 0.9).any() for values in rho)


@pytest.mark.backend
def test_a_shared_decoder_is_as_cheap_as_the_resnet_and_starts_by_painting_everything():
    options = {"filters": 8, "num_blocks": 2, "block": "separable"}
    network = AttentionGenerator((32, 32, 3), shared_decoder=True, **options)
    resnet = ResNetGenerator((32, 32, 3), **options)
    # A mask takes one more output of the 7×7 head.
    assert network.count_params() - resnet.count_params() == 7 * 7 * 8 + 1
    mask = numpy(network.foreground(images()))
    assert mask.shape == (2, 32, 32, 1)
    assert 0.5 < mask.min() <= mask.max() < 0.995
    assert mask.mean() == pytest.approx(1 / (1 + np.exp(-3)), abs=0.05)

    painted = keras.Model(network.input, network.get_layer("content").output)
    expected = mask * numpy(painted(images())) + (1 - mask) * images()
    np.testing.assert_allclose(numpy(network(images())), expected, atol=1e-5)


@pytest.mark.backend
def test_four_families_take_a_step_on_each_backend():
    """In one model, because JAX compiles each for long; the others' steps are tested elsewhere."""
    shape = (32, 32, 3)
    pixels = keras.Input((None, None, 3))
    fine = keras.layers.Conv2D(4, 4, 4)(pixels)
    features = keras.Model(pixels, [fine, keras.layers.Conv2D(4, 2, 2)(fine)])
    networks = (
        AttentionGenerator(shape, filters=2, num_blocks=1, foregrounds=2),
        UNetGenerator(shape, filters=2, num_downsamplings=5),
        ProjectedDiscriminator(shape, features, filters=8, pixel_filters=0, augmentation={}),
        MultiScaleDiscriminator(shape, num_scales=2, filters=2, num_layers=1, spectral_norm=True),
    )
    model = CycleGAN(*networks, image_shape=shape, pool_size=2)
    rates = [keras.optimizers.SGD(0.1) for _ in range(2)]
    model.compile(*rates, identity_loss=None, run_eagerly=keras.backend.backend() != "jax")
    before = [network.get_weights() for network in networks]
    losses = model.train_on_batch(images(), images(), return_dict=True)
    assert all(np.isfinite(value) for value in losses.values())
    for network, old in zip(networks, before, strict=True):
        pairs = [p for p in zip(old, network.get_weights(), strict=True) if p[0].ndim == 4]
        assert np.mean([np.any(a != b) for a, b in pairs]) > 0.9, network.name
