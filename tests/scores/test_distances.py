"""Kernel and Fréchet distance: their numbers, their protocol, and what they refuse."""

import ast
import importlib
import itertools
import operator
import pathlib
import sys

import keras
import numpy as np
import pytest

from keras_cyclegan.metrics import (
    FrechetInceptionDistance,
    KernelInceptionDistance,
    ProtocolMismatchError,
    Score,
)

DISTANCES = [KernelInceptionDistance, FrechetInceptionDistance]


@pytest.fixture
def features():
    """Two sets of unequal size whose Gaussians differ, on the scale of pooled activations."""
    random = np.random.default_rng(0)
    mixing = random.normal(size=(16, 16))
    real = np.abs(random.normal(size=(90, 16)) @ mixing)
    generated = np.abs(random.normal(size=(70, 16)) @ mixing * 1.3 + 0.4)
    return real.astype("float32"), generated.astype("float32")


def distance_of(distance, real, generated, batch_size=1000):
    metric = distance(extractor=None)
    for start in range(0, max(len(real), len(generated)), batch_size):
        batches = [x[start : start + batch_size] for x in (real, generated)]
        metric.update_state(*[batch if len(batch) else None for batch in batches])
    return metric


def test_kernel_distance_equals_a_plain_double_loop(features):
    real, generated = (x[:12].astype("float64") for x in features)
    kernel = lambda x, y: (sum(a * b for a, b in zip(x, y, strict=True)) / 16 + 1) ** 3  # noqa: E731
    within = [
        np.mean([kernel(s[i], s[j]) for i, j in itertools.permutations(range(12), 2)])
        for s in (real, generated)
    ]
    between = np.mean([kernel(x, y) for x in real for y in generated])
    metric = distance_of(KernelInceptionDistance, real, generated)
    assert metric.result() == pytest.approx(sum(within) - 2 * between, rel=1e-10)


def test_kernel_distance_has_no_bias_for_small_sets():
    random = np.random.default_rng(5)
    values = [
        distance_of(
            KernelInceptionDistance, random.normal(size=(6, 4)), random.normal(size=(5, 4))
        ).result()
        for _ in range(600)
    ]
    error = np.std(values) / np.sqrt(len(values))
    assert abs(np.mean(values)) < 4 * error
    assert min(values) < 0


def test_kernel_sums_do_not_depend_on_their_blocks(features):
    from keras_cyclegan.scores.distances import _kernel_sum

    assert _kernel_sum(*features, block=7) == pytest.approx(_kernel_sum(*features), rel=1e-12)


def test_frechet_distance_equals_pytorch_fid(features, monkeypatch):
    pytest.importorskip("scipy")
    pytest.importorskip("torch")
    pytest.importorskip("pytorch_fid")
    try:
        importlib.import_module("torchvision")
    except ImportError:
        importlib.import_module("support.torch_inception").stand_in_for_torchvision(monkeypatch)
    reference = importlib.import_module("pytorch_fid.fid_score").calculate_frechet_distance
    real, generated = (x.astype("float64") for x in features)
    moments = [f(x) for x in (real, generated) for f in (mean, covariance)]
    expected = reference(*moments)
    value = distance_of(FrechetInceptionDistance, *features).result()
    assert value == pytest.approx(expected, rel=1e-6)


def mean(x):
    return x.mean(axis=0)


def covariance(x):
    return np.cov(x, rowvar=False)


def test_frechet_distance_of_known_gaussians():
    from keras_cyclegan.scores.distances import frechet_distance

    # Diagonal: (μ − μ')² + (σ − σ')² in each dimension. One of them has no spread at all.
    value = frechet_distance(
        np.array([1.0, 2.0, 0.0]), np.diag([4.0, 9.0, 0.0]),
        np.array([0.0, 2.0, 3.0]), np.diag([1.0, 16.0, 0.25]),
    )  # fmt: skip
    assert value == pytest.approx(1 + 1 + 0 + 1 + 9 + 0.25)


@pytest.mark.parametrize("counts", [(90, 70), (90, 9), (9, 90), (9, 12)])
def test_frechet_distance_of_few_and_of_many_images_is_that_of_singular_values(features, counts):
    from keras_cyclegan.scores.distances import frechet_distance

    # One feature that never varies: then no number of images gives the covariance full rank.
    for constant in (False, True):
        sets = [x[:count].astype("float64") for x, count in zip(features, counts, strict=True)]
        if constant:
            sets[0][:, 3] = 0.0
        (m1, c1), (m2, c2) = [(mean(x), covariance(x)) for x in sets]
        (u1, s1, _), (u2, s2, _) = np.linalg.svd(c1), np.linalg.svd(c2)
        product = (u1 * np.sqrt(s1)).T @ (u2 * np.sqrt(s2))
        overlap = np.linalg.svd(product, compute_uv=False).sum()
        expected = np.sum((m1 - m2) ** 2) + np.trace(c1) + np.trace(c2) - 2 * overlap
        # The roots of eigenvalues that should be 0 are noise of 1e-8 in the expected number too.
        assert frechet_distance(m1, c1, m2, c2) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("distance", DISTANCES)
def test_result_does_not_depend_on_the_batch_size(distance, features):
    # Far from zero, where sums of squares would cancel.
    real, generated = (x.astype("float64") + 1000.0 for x in features)
    expected = distance_of(distance, real, generated).result()
    for batch_size in (1, 7, 64):
        value = distance_of(distance, real, generated, batch_size).result()
        assert value == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("distance", DISTANCES)
def test_reset_forgets_everything(distance, features):
    real, generated = features
    metric = distance_of(distance, real + 5, generated)
    metric.reset_state()
    metric.update_state(real[:, :10], generated[:, :10])
    assert metric.result() == distance_of(distance, real[:, :10], generated[:, :10]).result()


def test_features_are_kept_by_value(features):
    real, generated = features
    buffer = real.copy()
    metric = KernelInceptionDistance(extractor=None)
    metric.update_state(buffer, generated)
    buffer[:] = 0
    assert metric.result() == distance_of(KernelInceptionDistance, real, generated).result()


@pytest.mark.parametrize("distance", DISTANCES)
class TestBadInput:
    def test_empty_and_single_sets_are_refused(self, distance, features):
        metric = distance(extractor=None)
        with pytest.raises(ValueError, match="0 real images"):
            metric.result()
        metric.update_state(real=features[0], generated=features[1][:1])
        with pytest.raises(ValueError, match="1 generated image"):
            metric.result()

    def test_broken_features_are_refused_before_anything_is_kept(self, distance, features):
        real, generated = features[0], features[1].copy()
        generated[[3, 4], 5] = np.nan, np.inf
        metric = distance(extractor=None)
        with pytest.raises(ValueError, match=r"finite.*generated images"):
            metric.update_state(real, generated)
        metric.update_state(real, features[1])
        assert metric.result() == distance_of(distance, real, features[1]).result()

    def test_maps_in_place_of_vectors_are_refused(self, distance):
        with pytest.raises(ValueError, match="pooling"):
            distance(extractor=None).update_state(real=np.zeros((2, 4, 4, 8)))


@pytest.fixture
def extractor():
    keras.utils.set_random_seed(0)
    pooled = [keras.layers.Conv2D(6, 3), keras.layers.GlobalAveragePooling2D()]
    return keras.Sequential([keras.Input((8, 8, 3)), *pooled])


@pytest.fixture
def images():
    return np.random.default_rng(4).uniform(-1, 1, (20, 8, 8, 3)).astype("float32")


def test_any_keras_model_extracts(extractor, images):
    metric = KernelInceptionDistance(extractor)
    metric.update_state(real=images[:12])
    metric.update_state(generated=images[12:])
    by_hand = extractor.predict_on_batch(images)
    expected = distance_of(KernelInceptionDistance, by_hand[:12], by_hand[12:]).result()
    assert metric.result() == pytest.approx(expected, abs=1e-6)
    protocol = metric.score().protocol
    assert protocol["real images"] == 12
    assert protocol["generated images"] == 8
    assert protocol["generated image size"] == "8×8"


def test_a_score_names_its_extractor(images):
    def channel_means(batch):
        return batch.mean(axis=(1, 2))

    metric = FrechetInceptionDistance(channel_means)
    metric.update_state(images, images + 0.1)
    assert "channel_means" in metric.score().protocol["extractor"]
    named = {"extractor": "means", "resizing": "none"}
    metric = FrechetInceptionDistance(channel_means, protocol=named)
    metric.update_state(images, images + 0.1)
    assert named.items() <= metric.score().protocol.items()


def test_scores_of_different_protocols_refuse_to_be_compared(features):
    real, generated = features
    whole = distance_of(KernelInceptionDistance, real, generated).score()
    fewer = distance_of(KernelInceptionDistance, real, generated[:50]).score()
    for compare in (operator.lt, operator.gt, operator.sub, min):
        compare(whole, whole)
        with pytest.raises(ProtocolMismatchError, match="generated images"):
            compare(whole, fewer)


def test_scores_of_one_protocol_compare_as_numbers():
    low, high = (Score(value, {"images": 3}) for value in (1.0, 2.5))
    assert low < high
    assert high > low
    assert low != high
    assert high - low == 1.5


@pytest.mark.parametrize("distance", DISTANCES)
def test_config_round_trips(distance, extractor, images):
    metric = distance(extractor, name="mine")
    copy = distance.from_config(metric.get_config())
    metric.update_state(images[:10], images[10:])
    copy.update_state(images[:10], images[10:])
    assert copy.name == "mine"
    assert distance.from_config(distance(extractor=None).get_config()).extractor is None


def test_importing_metrics_imports_nothing_optional():
    allowed = {"keras", "numpy", "PIL", "keras_cyclegan", *sys.stdlib_module_names}
    folder = pathlib.Path(importlib.import_module("keras_cyclegan.scores").__file__).parent
    for path in folder.glob("*.py"):
        for statement in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(statement, ast.Import):
                names = [alias.name for alias in statement.names]
            else:
                names = [statement.module] if isinstance(statement, ast.ImportFrom) else []
            assert {name.split(".")[0] for name in names} <= allowed, path.name
