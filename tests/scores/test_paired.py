"""Scores against ground truth, and what a cycle loses."""

import keras
import numpy as np
import pytest

from keras_cyclegan.metrics import (
    FACADES_PALETTE,
    ContentChange,
    CycleError,
    MeanAbsoluteError,
    PeakSignalToNoiseRatio,
    SegmentationScores,
    StructuralSimilarity,
)

PAIRED = [
    MeanAbsoluteError,
    PeakSignalToNoiseRatio,
    StructuralSimilarity,
    CycleError,
    ContentChange,
]


def smooth(seed, shape=(5, 32, 24, 3)):
    """uint8 images with some structure, and the same with noise: pairs worth comparing."""
    random = np.random.default_rng(seed)
    rows, columns = np.mgrid[: shape[1], : shape[2]]
    phases = random.uniform(0, 6, (shape[0], 1, 1, shape[3]))
    images = 127 + 100 * np.sin(rows[..., None] / 4 + phases) * np.cos(columns[..., None] / 5)
    noise = random.normal(size=shape) * np.linspace(2, 60, shape[0])[:, None, None, None]
    return images.astype("uint8"), np.clip(images + noise, 0, 255).astype("uint8")


def to_floats(images):
    return images.astype("float32") / 127.5 - 1


@pytest.mark.parametrize("metric", PAIRED)
def test_result_does_not_depend_on_the_batch_size_or_the_kind_of_images(metric):
    truth, guess = smooth(1)
    whole = metric()
    whole.update_state(truth, guess)
    for batch_size in (1, 2, 3):
        parts = metric()
        for start in range(0, 5, batch_size):
            batch = slice(start, start + batch_size)
            parts.update_state(to_floats(truth[batch]), guess[batch])
        assert float(parts.result()) == pytest.approx(float(whole.result()), rel=1e-4)


@pytest.mark.parametrize("metric", PAIRED)
def test_bad_images_are_refused(metric):
    truth, guess = smooth(2)
    with pytest.raises(ValueError, match="one shape"):
        metric().update_state(truth, guess[:, :20])
    with pytest.raises(ValueError, match="one shape"):
        metric().update_state(truth, guess[..., :1])
    with pytest.raises(ValueError, match=r"float32 from 0\.0 to"):
        metric().update_state(truth, guess.astype("float32"))
    with pytest.raises(ValueError, match="nan"):
        metric().update_state(truth, np.full(truth.shape, np.nan, "float32"))
    with pytest.raises(ValueError, match="no images"):
        metric().update_state(truth[:0], guess[:0])


@pytest.mark.parametrize("metric", [PeakSignalToNoiseRatio, StructuralSimilarity])
def test_numbers_equal_scikit_image(metric):
    skimage = pytest.importorskip("skimage.metrics", reason="parity is with scikit-image")
    truth, guess = smooth(3)
    reference = {
        PeakSignalToNoiseRatio: lambda a, b: skimage.peak_signal_noise_ratio(a, b, data_range=255),
        StructuralSimilarity: lambda a, b: skimage.structural_similarity(
            a, b, data_range=255, gaussian_weights=True, sigma=1.5, use_sample_covariance=False,
            channel_axis=-1,
        ),
    }[metric]  # fmt: skip
    for one_truth, one_guess in zip(truth, guess, strict=True):
        score = metric()
        score.update_state(one_truth[None], one_guess[None])
        assert float(score.result()) == pytest.approx(reference(one_truth, one_guess), rel=1e-4)


def test_numbers_of_known_images():
    truth = np.full((1, 16, 16, 3), 100, "uint8")
    guess = np.full((1, 16, 16, 3), 151, "uint8")
    psnr, ssim, error = PeakSignalToNoiseRatio(), StructuralSimilarity(), MeanAbsoluteError()
    for score in (psnr, ssim, error):
        score.update_state(truth, guess)
    assert float(psnr.result()) == pytest.approx(20 * np.log10(255 / 51), rel=1e-5)
    assert float(error.result()) == pytest.approx(51 / 127.5, rel=1e-5)
    # Flat images: only the brightness term is left.
    expected = (2 * 100 * 151 + 2.55**2) / (100**2 + 151**2 + 2.55**2)
    assert float(ssim.result()) == pytest.approx(expected, rel=1e-4)


def test_equal_images_are_perfect():
    images, _ = smooth(4)
    for metric, perfect in ((MeanAbsoluteError, 0), (StructuralSimilarity, 1)):
        score = metric()
        score.update_state(images, images)
        assert float(score.result()) == pytest.approx(perfect, abs=1e-5)
    psnr = PeakSignalToNoiseRatio()
    psnr.update_state(images, images)
    assert float(psnr.result()) == np.inf


def test_ssim_refuses_images_smaller_than_its_window():
    with pytest.raises(ValueError, match="10×32"):
        StructuralSimilarity().update_state(*[np.zeros((1, 10, 32, 3), "uint8")] * 2)


def test_paired_scores_work_in_a_compiled_step_with_unknown_sizes():
    inputs = keras.Input((None, None, 3))
    model = keras.Model(inputs, keras.layers.Rescaling(0.5)(inputs))
    model.compile(loss="mae", metrics=[MeanAbsoluteError(), StructuralSimilarity()])
    images = to_floats(smooth(5)[0])
    logs = model.evaluate(images, images, batch_size=2, verbose=0, return_dict=True)
    assert logs["mean_absolute_error"] == pytest.approx(np.abs(images).mean() / 2, rel=1e-4)
    by_hand = StructuralSimilarity()
    by_hand.update_state(images, images / 2)
    assert logs["ssim"] == pytest.approx(float(by_hand.result()), rel=1e-4)


def test_mean_absolute_error_equals_that_of_keras_and_weighs_samples():
    truth, guess = (to_floats(x) for x in smooth(6))
    ours, reference = MeanAbsoluteError(), keras.metrics.MeanAbsoluteError()
    for score in (ours, reference):
        score.update_state(truth, guess)
    assert float(ours.result()) == pytest.approx(float(reference.result()), rel=1e-5)
    weighted = MeanAbsoluteError()
    weighted.update_state(truth, guess, sample_weight=np.array([0, 0, 0, 3, 0]))
    expected = np.abs(truth[3] - guess[3]).mean()
    assert float(weighted.result()) == pytest.approx(expected, rel=1e-5)


BLACK_GREY_WHITE = [(0, 0, 0), (128, 128, 128), (255, 255, 255)]


def labels(*levels):
    image = np.array(levels, "uint8").reshape(1, 1, -1, 1)
    return image.repeat(3, axis=-1)


def test_segmentation_scores_of_a_known_confusion():
    scores = SegmentationScores(BLACK_GREY_WHITE)
    # One label map at a time, and colours that are only near to the palette's.
    scores.update_state(labels(0, 0, 0, 0), labels(3, 10, 120, 250))
    scores.update_state(labels(128, 128), labels(130, 100))
    # White is never true, once guessed: no accuracy of its own, an IoU of 0.
    result = scores.result()
    assert result["pixel_accuracy"] == pytest.approx(4 / 6)
    assert result["class_accuracy"] == pytest.approx((2 / 4 + 2 / 2) / 2)
    assert result["mean_iou"] == pytest.approx((2 / 4 + 2 / 3 + 0) / 3)


def test_segmentation_equals_the_fcn_formulas_on_random_labels():
    random = np.random.default_rng(7)
    palette = np.array(FACADES_PALETTE, "uint8")
    truth, guess = random.integers(0, 12, (2, 3, 16, 16))
    guess = np.where(random.random(truth.shape) < 0.6, truth, guess)
    scores = SegmentationScores(FACADES_PALETTE)
    scores.update_state(palette[truth], to_floats(palette[guess]))
    accuracy = [np.mean(guess[truth == c] == c) for c in range(12)]
    overlap = [
        np.sum((truth == c) & (guess == c)) / np.sum((truth == c) | (guess == c)) for c in range(12)
    ]
    result = scores.result()
    assert result["pixel_accuracy"] == pytest.approx(np.mean(truth == guess))
    assert result["class_accuracy"] == pytest.approx(np.mean(accuracy))
    assert result["mean_iou"] == pytest.approx(np.mean(overlap))


def test_classes_that_never_occur_are_left_out():
    scores = SegmentationScores(BLACK_GREY_WHITE)
    scores.update_state(labels(0, 128), labels(0, 128))
    assert scores.result() == {"pixel_accuracy": 1.0, "class_accuracy": 1.0, "mean_iou": 1.0}


def test_a_palette_that_does_not_match_is_refused():
    photo = np.full((1, 4, 4, 3), (120, 200, 60), "uint8")
    with pytest.raises(ValueError, match="100% of the ground truth"):
        SegmentationScores(BLACK_GREY_WHITE).update_state(photo, photo)
    # A translation may have any colours: that is what is scored.
    SegmentationScores(BLACK_GREY_WHITE).update_state(np.zeros_like(photo), photo)
    with pytest.raises(ValueError, match="3 channels"):
        SegmentationScores(BLACK_GREY_WHITE).update_state(photo[..., :1], photo[..., :1])
    with pytest.raises(ValueError, match="palette"):
        SegmentationScores([(0, 0, 0), (0, 0, 0)])


@pytest.mark.parametrize("metric", [*PAIRED, SegmentationScores])
def test_config_round_trips(metric):
    options = {"palette": BLACK_GREY_WHITE} if metric is SegmentationScores else {}
    original = metric(name="mine", **options)
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(original))
    assert type(copy) is metric
    assert copy.get_config() == original.get_config()
