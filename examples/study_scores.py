"""What the runs of `why_cycle_consistency.py` are measured by."""

import numpy as np

SHOWN = 10  # images of domain A in the picture
# By name: how a score is written. Those that a data set has no truth for are left out.
COLUMNS = {
    "error": "{:.4f}",
    "found": "{:.0%}",
    "turned": "{:.0%}",
    "tilt_kept": "{:.0%}",
    "diversity": "{:.2f}",
    "round_trip": "{:.4f}",
    "pixel_accuracy": "{:.3f}",
    "class_accuracy": "{:.3f}",
    "mean_iou": "{:.3f}",
}


def score(model, test, turns=False, palette=None):
    """What a run is worth, by name, and images to look at.

    - error: mean absolute difference to the truth, black to white = 1, as quickstart reports it.
    - found: of how many translations the own truth is the nearest of all images of the target
      domain, which says whether the content is kept, whatever the style.
    - turned: of how many translations the object lies as it does in the target domain: upright in
      A, on its side in B.
    - tilt kept: how many degrees the translation is tilted for each that its source is tilted. B
      has no tilted objects, so that 0 is right.
    - diversity: mean distance of two translations, as a part of that of two real images of the
      target domain: near 0 where all images become one.
    - round trip: mean absolute difference of an image and its translation back.
    - pixel accuracy, class accuracy, mean IoU: of label maps, the domain B, as Zhu et al. 2017,
      section 5.1.1, score photo → labels.
    """
    scores, samples = {}, {"a": test.a[:SHOWN], "b": test.b[:SHOWN]}
    for direction, source, target in (("ab", test.a, test.b), ("ba", test.b, test.a)):
        way = "a_to_b" if direction == "ab" else "b_to_a"
        fake = model.translate(source, direction=way)
        back = model.reconstruct(source, direction=way)
        samples[direction], samples[f"{direction}_back"] = fake[:SHOWN], back[:SHOWN]
        scores |= measure(direction, source, fake, back, target, test.paired, turns, palette)
    return scores, samples


def score_untranslated(test, turns=False, palette=None):
    """The scores of a model that changes nothing."""
    there = measure("ab", test.a, test.a, test.a, test.b, test.paired, turns, palette)
    return there | measure("ba", test.b, test.b, test.b, test.a, test.paired, turns, palette)


def score_commonest(test, palette):
    """The scores of label maps that show the commonest class everywhere."""
    classes = [label_scores(test.b, np.full_like(test.b, colour), palette) for colour in palette]
    best = max(classes, key=lambda scores: scores["pixel_accuracy"])
    return {f"{name}_ab": round(value, 4) for name, value in best.items()}


def measure(direction, source, fake, back, target, paired, turns=False, palette=None):
    values = {
        "diversity": spread(fake) / spread(target),
        "round_trip": np.abs(back / 255 - source / 255).mean(),
    }
    if paired:
        to_real = distances(fake, target)
        own = np.arange(len(fake))
        values["error"] = to_real[own, own].mean()
        values["found"] = (to_real.argmin(1) == own).mean()
    if turns:
        flat, tilts = tilt(fake)
        values["turned"] = (flat if direction == "ab" else ~flat).mean()
        if direction == "ab":
            _, given = tilt(source)
            values["tilt_kept"] = abs(np.cov(given, tilts)[0, 1]) / given.var(ddof=1)
    if palette is not None and direction == "ab":
        values |= label_scores(target, fake, palette)
    return {f"{name}_{direction}": round(float(value), 4) for name, value in values.items()}


def distances(first, second):
    """Mean absolute difference of each image of the one to each of the other, `(n, m)`."""
    first, second = (np.float32(x).reshape(len(x), -1) / 255 for x in (first, second))
    return np.stack([np.abs(second - image).mean(1) for image in first])


def spread(images):
    """Mean distance of two different images."""
    between = distances(images, images)
    return between.sum() / (len(images) * (len(images) - 1))


def tilt(images):
    """Whether the dark object of each image is wider than high, and its tilt from there, radians.

    By the moments of its darkness: by the main axis of inertia, from the nearer axis of the image.
    """
    dark = 1 - np.float64(images).mean(-1) / 255
    dark *= dark > 0.25
    weights = dark / np.maximum(dark.sum((1, 2), keepdims=True), 1e-9)
    y, x = np.mgrid[: images.shape[1], : images.shape[2]]

    def mean(values):
        return (weights * values).sum((1, 2), keepdims=True)

    x, y = x - mean(x), y - mean(y)
    wide, high, both = (mean(values)[:, 0, 0] for values in (x * x, y * y, x * y))
    return wide > high, 0.5 * np.arctan2(2 * both, np.abs(wide - high))


def label_scores(truth, fake, palette):
    from keras_cyclegan.metrics import SegmentationScores

    scores = SegmentationScores(palette)
    scores.update_state(truth, fake)
    return scores.result()
