"""The adversarial loss, given a discriminator's logits; and the term of each player."""

from typing import Any

import keras
from keras import ops

from keras_cyclegan.arguments import Tensor, check_choice, check_weight
from keras_cyclegan.losses.weights import WeightedLoss
from keras_cyclegan.terms import Average, TermOfEach


def _cross_entropies(real, fake, wanted=1.0):
    return 0.5 * (ops.softplus(real) - wanted * real + ops.softplus(fake))


def _relativistic(real, fake, wanted=1.0):
    above, below = real - ops.mean(fake), fake - ops.mean(real)
    return 0.5 * (ops.softplus(-above) + ops.softplus(below))


# What a generator minimises of logits, and a discriminator, which wants real ones to be `w`.
GAMES = {
    "least_squares": (
        lambda r, f: ops.square(f - 1.0),
        lambda r, f, w: 0.5 * (ops.square(r - w) + ops.square(f)),
    ),
    "min_max": (lambda r, f: ops.softplus(-f), _cross_entropies),
    "min_max_saturating": (lambda r, f: -ops.softplus(f), _cross_entropies),
    "hinge": (lambda r, f: -f, lambda r, f, w: 0.5 * (ops.relu(1.0 - r) + ops.relu(1.0 + f))),
    "wasserstein": (lambda r, f: -f, lambda r, f, w: 0.5 * (f - r)),
    "relativistic_average": (lambda r, f: _relativistic(f, r), _relativistic),
}


@keras.saving.register_keras_serializable("keras_cyclegan")
class AdversarialLoss(WeightedLoss):
    """The game between a generator and the discriminator of its target domain.

    With r a discriminator's logits for real images and f those for translated ones, each a mean
    over patches and images, and over the maps of discriminators that give several:

    | kind | generator | discriminator | |
    |---|---|---|---|
    | `"least_squares"` | (f − 1)² | ½ [(r − 1)² + f²] | Mao et al. 2017; the paper's, section 4 |
    | `"min_max"` | −log σ(f) | ½ [−log σ(r) − log(1 − σ(f))] | Goodfellow et al. 2014 |
    | `"min_max_saturating"` | log(1 − σ(f)) | the same | the same, eq. (1) |
    | `"hinge"` | −f | ½ [max(0, 1 − r) + max(0, 1 + f)] | Lim and Ye 2017 |
    | `"wasserstein"` | −f | ½ [f − r] | Arjovsky et al. 2017; needs a `GradientPenalty` |
    | `"relativistic_average"` | ½ [−log σ(f − r̄) − log(1 − σ(r − f̄))] | ½ [−log σ(r − f̄) − \
    log(1 − σ(f − r̄))] | Jolicoeur-Martineau 2018; r̄ and f̄ are means |

    Args:
        kind: str, one of the above.
        weight: float. Factor of the loss, for both players.
        label_smoothing: float in [0, 1). The discriminator's target for real images is 1 less this
            (Salimans et al. 2016, one-sided); for least squares and min-max.
        last_map_weight: float. Factor of the last of several maps, for both players: in a
            `ProjectedDiscriminator` it is that of the PatchGAN beside the features.
    """

    kinds = tuple(GAMES)
    with_targets = ("least_squares", "min_max", "min_max_saturating")
    default_name = "adversarial"

    def __init__(
        self,
        kind: str = "least_squares",
        weight: float = 1.0,
        label_smoothing: float = 0.0,
        last_map_weight: float = 1.0,
        **kwargs: Any,
    ) -> None:
        check_choice("kind", kind, self.kinds)
        super().__init__(weight, **kwargs)
        if not 0 <= label_smoothing < 1:
            raise ValueError(f"`label_smoothing` must lie in [0, 1). Received {label_smoothing=}.")
        if label_smoothing and kind not in self.with_targets:
            kinds = ", ".join(self.with_targets)
            raise ValueError(f"Labels can be smoothed for {kinds}; {kind!r} has none.")
        check_weight("last_map_weight", last_map_weight)
        self.kind, self.label_smoothing = kind, float(label_smoothing)
        self.needs_real = kind == "relativistic_average"  # of `generator`
        self.last_map_weight = float(last_map_weight)
        self._mean = Average(name=f"{self.name}_mean", reduction=self.reduction, dtype=self.dtype)

    def generator(self, fake_logits: Any, real_logits: Any = None) -> Tensor:
        """Compute what a generator minimises.

        Logits are `(batch, rows, columns, 1)`, or a list of such maps; real ones are of the target
        domain's images, where `needs_real` is True.
        """
        if self.needs_real and real_logits is None:
            raise ValueError(f"The generator's loss {self.kind!r} needs `real_logits` too.")
        return self._over_maps(GAMES[self.kind][0], fake_logits, real_logits)

    def discriminator(self, real_logits: Any, fake_logits: Any) -> Tensor:
        """Compute what a discriminator minimises: half on real, half on translated images."""
        wanted = 1.0 - self.label_smoothing
        return self._over_maps(GAMES[self.kind][1], fake_logits, real_logits, wanted)

    def _over_maps(self, values, fake_logits, real_logits, *wanted):
        fakes, losses = keras.tree.flatten(fake_logits), []
        reals = [None] * len(fakes) if real_logits is None else keras.tree.flatten(real_logits)
        for fake, real in zip(fakes, reals, strict=True):
            fake, real = (None if x is None else ops.cast(x, self.dtype) for x in (fake, real))
            found = self.weight * values(real, fake, *wanted)
            losses.append(self._mean(found, found))
        if len(losses) > 1:
            losses[-1] = self.last_map_weight * losses[-1]
        return sum(losses) / len(losses)


class AdversarialTerm(TermOfEach):
    """The generators' side of the game: translations that pass for real; Zhu et al., eq. (1)."""

    log_name = "adversarial_{source}{target}"
    pass_name = "fake_{target}"

    def prepare(self, model):
        super().prepare(model)
        if missing := [d for d in model.targets if f"discriminator_{d}" not in model.networks]:
            raise ValueError(
                f"Training is against discriminators; there is no discriminator_{missing[0]}: give "
                "`CycleGAN` one, or leave the argument out for the paper's."
            )

    def value(self, passes, source, target):
        logits = [getattr(passes, f"fake_logits_{target}")]
        if getattr(self.loss, "needs_real", False):
            logits.append(getattr(passes, f"real_logits_{target}"))
        return self.loss.generator(*logits)


class DiscriminatorTerm(TermOfEach):
    """The discriminators' side: to tell real images from translations."""

    player = "discriminators"
    log_name = "discriminator_{target}"

    def value(self, game, source, target):
        return self.loss.discriminator(*game.logits(target))
