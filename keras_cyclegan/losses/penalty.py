"""Penalties on the gradient of a discriminator."""

from typing import Any, Self

import keras
from keras import ops

from keras_cyclegan.arguments import Tensor, check_choice, check_weight, own_config
from keras_cyclegan.layers.pool import random_integers
from keras_cyclegan.terms import TermOfEach, average


@keras.saving.register_keras_serializable("keras_cyclegan")
class GradientPenalty:
    """Penalises a discriminator's gradient, so that its judgement stays smooth.

    With D(x) the mean of the logits over all patches and maps of an image x:

    - `"r1"`: ½ · weight · ‖∇D(x)‖² on real images (Mescheder et al. 2018);
    - `"wgan_gp"`: weight · (‖∇D(x)‖ − 1)² on points between real and translated images (Gulrajani
      et al. 2017), which the Wasserstein loss needs.

    Args:
        kind: `"r1"` or `"wgan_gp"`.
        weight: float, 10 in both papers.
        every: int, as in `Lazy`. None takes 16 for `"r1"` and 1 for `"wgan_gp"`.
        seed: int, of the random points between images.
    """

    kinds = ("r1", "wgan_gp")

    def __init__(
        self, kind: str = "r1", weight: float = 10.0, every: int | None = None, seed: int = 0
    ) -> None:
        check_choice("kind", kind, self.kinds)
        check_weight("weight", weight)
        self.kind = kind
        self.weight = float(weight)
        self.every = (16 if kind == "r1" else 1) if every is None else every
        self.seed = seed

    def __call__(
        self, judge: Any, real: Tensor, fake: Tensor, step: Any, input_gradient: Any
    ) -> Tensor:
        if self.kind == "r1":
            slope = _squared_slope(judge, real, input_gradient)
            return 0.5 * self.weight * ops.mean(slope)
        slope = _squared_slope(judge, self._between(real, fake, step), input_gradient)
        distance = ops.sqrt(slope + 1e-12) - 1.0  # the root has no gradient at 0
        return self.weight * ops.mean(ops.square(distance))

    def _between(self, real, fake, step):
        """Draw a random point on the line from each translated image to its real one."""
        count = ops.shape(real)[0]
        state = ops.stack([ops.cast(self.seed, "int32"), ops.cast(step, "int32")])
        fraction = ops.cast(random_integers(state, count), "float32") / 2.0**31
        fraction = ops.cast(ops.reshape(fraction, (count, 1, 1, 1)), real.dtype)
        return ops.stop_gradient(fake + fraction * (real - fake))

    def get_config(self) -> dict[str, Any]:
        return own_config(self)

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        return cls(**config)


def _squared_slope(judge, images, input_gradient):
    """Compute ‖∇D(x)‖² of each image, `(batch,)`."""

    def total(images):
        maps = keras.tree.flatten(judge(images))
        # Each image is judged on its own, so that the sum's gradient holds each image's own.
        means = [ops.mean(ops.cast(x, "float32"), axis=(1, 2, 3)) for x in maps]
        return ops.sum(sum(means)) / len(means)

    gradient = ops.cast(input_gradient(total, images), "float32")
    return ops.sum(ops.square(gradient), axis=(1, 2, 3))


class PenaltyTerm(TermOfEach):
    """The gradient penalty of each discriminator; validation has none."""

    player = "discriminators"
    validates = False
    log_name = "penalty_{target}"

    def value(self, game, source, target):
        judge, real, fake = game.discriminator(target), game.real(target), game.fakes[target]
        return average(self.loss(judge, real, fake, game.step, game.model.input_gradient))
