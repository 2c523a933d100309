"""Terms on what rides along with images: pairs that show the same, masks of what may change."""

from typing import Any

import keras

from keras_cyclegan.terms import TermOfEach


@keras.saving.register_keras_serializable("keras_cyclegan")
class PairTerm(TermOfEach):
    """The translation of a pair's image is its other half: Isola et al. 2017 (pix2pix), eq. (3).

    For the few pairs that there are beside unpaired images, `pair_a` and `pair_b` of a batch: the
    folders `pairA` and `pairB`.

    Args:
        loss: a loss of images and translations.
    """

    log_name = "pair_{source}"
    validates = False  # validation has no pairs beside its images

    def value(self, passes, source, target):
        image, truth = (companion(passes.batch, f"pair_{d}") for d in (source, target))
        return self.loss(truth, passes(f"generator_{source}{target}", image))


@keras.saving.register_keras_serializable("keras_cyclegan")
class KeepTerm(TermOfEach):
    """What lies outside of an image's mask stays as it is.

    Masks are `mask_a` and `mask_b` of a batch, 0 where an image stays and 1 where it may change:
    the folders `maskA` and `maskB`.

    Args:
        loss: as for `PairTerm`.
    """

    log_name = "keep_{source}"

    def value(self, passes, source, target):
        photo, mask = passes.batch[source], companion(passes.batch, f"mask_{source}")
        change = getattr(passes, f"fake_{target}") - photo
        return self.loss(photo, photo + (1.0 - mask) * change)


@keras.saving.register_keras_serializable("keras_cyclegan")
def inside_masks(images: Any, origin: str, batch: Any) -> Any:
    """Return `images` inside of masks, and the photo that they were made of outside.

    As `compile(shown=…)` it is what discriminators see, as `compile(painted=…)` what generators
    may change. `origin` is the photo's domain, `batch` has it and its mask.
    """
    photo = batch[origin]
    return photo + companion(batch, f"mask_{origin}") * (images - photo)


def companion(batch, name):
    """Return what rides along in a batch under a name; raise a ValueError where it doesn't."""
    if name not in batch:
        folder = f"{name[:4]}{name[-1].upper()}"
        raise ValueError(
            f"This training needs `{name}`, the folder {folder} beside trainA and trainB, or "
            f"companions of the dataset. Its batches have {', '.join(batch)}."
        )
    return batch[name]
