"""Contrast of patches, which ties a translation to its image without a way back, and its term."""

from typing import Any

import keras
from keras import layers, ops

from keras_cyclegan.arguments import Tensor
from keras_cyclegan.losses.weights import WeightedLoss
from keras_cyclegan.passes import OTHER
from keras_cyclegan.terms import Term

LAYERS = (
    *("stem_relu", "down1_relu", "down2_relu", "block1_add", "block5_add"),  # ResNetGenerator
    *("stem2_relu", "lateral4_relu", "lateral8_relu", "lateral16_relu"),  # FeatureGenerator
)


@keras.saving.register_keras_serializable("keras_cyclegan")
class PatchNCELoss(WeightedLoss):
    """Cross-entropy of finding each patch of a translation among those of its image.

    Park et al. 2020 (CUT), arXiv 2007.15651, eq. (3): the one at the same place is the right one.

    Args:
        weight: float; 1 is CUT's, FastCUT takes 10.
        temperature: float. τ.

    Call arguments:
        y_true: features of an image's patches, `(batch, patches, features)`, of length 1.
        y_pred: those of the same places of its translation.
    """

    default_name = "nce"

    def __init__(self, weight: float = 1.0, temperature: float = 0.07, **kwargs: Any) -> None:
        super().__init__(weight, **kwargs)
        self.temperature = temperature

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        keys = ops.transpose(ops.stop_gradient(y_true), (0, 2, 1))
        logits = ops.matmul(y_pred, keys) / self.temperature  # (n, patches, patches)
        return -self.weight * ops.diagonal(ops.log_softmax(logits), axis1=1, axis2=2)


@keras.saving.register_keras_serializable("keras_cyclegan")
class PatchNCETerm(Term):
    """A translation keeps the content of each patch, in the features of its own generator.

    Park et al. 2020 (CUT), eq. (4) to (6): maps of some of the generator's layers, each through a
    small network that is trained with it. In both directions it is Han et al. 2021 (DCLGAN).

    Args:
        weight: float.
        names_of_layers: names of the generators' layers. None takes CUT's of a
            `ResNetGenerator`, or what a `FeatureGenerator` reads of its frozen network.
        patches: int. Places compared in an image.
        same: bool. Whether images of a generator's target domain keep theirs too, as CUT has it, in
            place of the identity loss.
    """

    def __init__(
        self,
        weight: float = 1.0,
        names_of_layers: Any = None,
        patches: int = 256,
        same: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.loss = PatchNCELoss(weight)
        self.weight, self.patches, self.same = weight, patches, same
        self.names_of_layers = names_of_layers
        self.seed_generator = keras.random.SeedGenerator(0)

    def prepare(self, model):
        self.compared, self.encoders, self.projections = {}, {}, {}
        for target in model.targets:
            source = OTHER[target]
            way, generator = source + target, getattr(model, f"generator_{source}{target}")
            known = {layer.name: layer.output for layer in generator.layers}
            wanted = self.names_of_layers or [name for name in LAYERS if name in known]
            if not wanted or (missing := [name for name in wanted if name not in known]):
                raise ValueError(
                    "The contrast of patches needs names of the generators' layers, a "
                    "ResNetGenerator or a FeatureGenerator. Received "
                    f"{missing if wanted else type(generator).__name__}."
                )
            maps = [known[name] for name in wanted]
            self.encoders[way] = keras.Model(generator.input, maps)
            self.projections[way] = [_projection(x.shape[-1]) for x in maps]
            self.compared[f"nce_{source}"] = (way, source, f"fake_{target}")
            if self.same:
                self.compared[f"nce_same_{target}"] = (way, target, f"same_{target}")
        self.names = tuple(self.compared)
        self.needs = tuple(made for _, _, made in self.compared.values())

    def __call__(self, passes):
        losses = {}
        for name, (way, domain, made) in self.compared.items():
            encode, images = self.encoders[way], (passes.batch[domain], getattr(passes, made))
            maps = zip(*(encode(x) for x in images), self.projections[way], strict=True)
            found = [self.contrast(*each) for each in maps]
            losses[name] = sum(found) / len(found)
        return losses

    def contrast(self, true, made, project):
        """Return the loss of two maps, `(n, height, width, channels)`, at places drawn for both."""
        count, height, width, channels = ops.shape(true)
        places = keras.random.shuffle(ops.arange(height * width), seed=self.seed_generator)
        features = (
            ops.take(ops.reshape(x, (count, -1, channels)), places[: self.patches], axis=1)
            for x in (true, made)
        )
        return self.loss(*(_unit_length(project(x)) for x in features))


def _projection(channels):
    dense = [layers.Dense(256, "relu"), layers.Dense(256)]
    return keras.Sequential([keras.Input((None, channels)), *dense])


def _unit_length(features):
    # What is 0, as behind a ReLU, would have an endless gradient.
    return features * ops.rsqrt(ops.sum(features**2, axis=-1, keepdims=True) + 1e-4)
