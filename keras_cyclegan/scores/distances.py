"""The distances between sets, KID and FID, as `evaluate` measures them."""

import keras
import numpy as np

from keras_cyclegan.data import to_unit
from keras_cyclegan.scores.features import describe_extractor
from keras_cyclegan.scores.frechet import FrechetInceptionDistance
from keras_cyclegan.scores.images import as_levels
from keras_cyclegan.scores.kernel import KernelInceptionDistance
from keras_cyclegan.scores.measured import BATCH, Measured, batches

MIN_STEADY = 50  # with fewer images, KID varies more by chance than between translators


def measure(evaluation):
    """Measure KID and FID to the real images, of translations and of untranslated images."""
    extractor, fid = evaluation.options["extractor"], evaluation.options["fid"]
    chosen = evaluation.options["score_channels"]
    smallest = min(len(images) for images in evaluation.images.values())
    counts = {images.shape[-1] for images in evaluation.images.values()}
    if extractor is None:
        return
    if smallest < 2:
        evaluation.notes.append("KID is left out: it needs at least two images of each domain.")
        return
    if not chosen and not counts <= {1, 3}:
        evaluation.notes.append(
            "KID and FID are left out: their features are of RGB, and images have "
            f"{' and '.join(map(str, sorted(counts)))} channels. --score-channels 0,1,2 measures "
            "three of them, --score-channels 0 one."
        )
        return
    protocol = {**describe_extractor(extractor), **evaluation.conditions}
    if chosen:
        protocol["channels"] = ", ".join(map(str, chosen))
    real = {d: _features(extractor, images, chosen) for d, images in evaluation.images.items()}
    translated = {d: _features(extractor, x, chosen) for d, x in evaluation.translated.items()}
    distances = {"KID": KernelInceptionDistance}
    if fid is None:
        fid = all(len(features) > features.shape[1] for features in real.values())
    if fid:
        distances["FID"] = FrechetInceptionDistance
    for name, distance in distances.items():
        for direction in evaluation.round_trips:
            scores = []
            for generated in (translated[direction], real[direction.source]):
                metric = distance(extractor=None, protocol=protocol)
                metric.update_state(real=real[direction.target], generated=generated)
                scores.append(metric.score())
            yield Measured(name, direction, "lower", *scores)
    if smallest < MIN_STEADY:
        evaluation.notes.append(
            f"KID of {smallest} images has no bias, but varies much by chance: take more images to "
            "compare translators."
        )
    if not fid:
        evaluation.notes.append(
            "FID is left out: with fewer images than features it is strongly biased, and there are "
            f"{smallest} images. KID is not biased. --fid measures FID nevertheless."
        )


def _features(extractor, images, channels):
    if channels:
        images = images[..., [min(channel, images.shape[-1] - 1) for channel in channels]]
    images = as_levels(images)
    images = np.repeat(images, 3, axis=-1) if images.shape[-1] == 1 else images
    if isinstance(extractor, keras.Model):
        return extractor.predict(to_unit(images), batch_size=BATCH, verbose=0)
    return np.concatenate([extractor(batch) for batch in batches(images)])
