"""CUT: a translator of one side, whose translations keep the content of each patch by contrast.

    python contrastive.py glyphs run

Park et al. 2020, "Contrastive Learning for Unpaired Image-to-Image Translation", arXiv 2007.15651.
There is no way back: one generator, one discriminator, and PatchNCE in place of the cycle. A patch
of a translation must be found again, by the generator's own features, among those of its image.
"""

from pathlib import Path

import keras
import numpy as np
import typer
from keras import layers, ops

import keras_cyclegan as kcg
from keras_cyclegan.losses import Term, average


@keras.saving.register_keras_serializable("examples")
class PatchNCETerm(Term):
    """Cross-entropy of finding each patch's own image patch among others; eq. (3) and (4).

    Args:
        features: names of the generator's layers that are compared.
        patches: int. Places compared in an image.
        temperature: float. τ.
    """

    names = ("nce_a", "nce_b")  # λ_X = λ_Y = 1: images of the target domain should stay
    needs = ("same_b",)

    def __init__(self, features, patches=64, temperature=0.07, **kwargs):
        super().__init__(**kwargs)
        self.features, self.patches, self.temperature = features, patches, temperature
        self.seed_generator = keras.random.SeedGenerator(0)

    def prepare(self, model):
        maps = [model.generator_ab.get_layer(name).output for name in self.features]
        self.encode = keras.Model(model.generator_ab.input, maps)
        self.project = []  # F, a small network for each of the layers
        for x in maps:
            mlp = [layers.Dense(64, "relu"), layers.Dense(64), layers.UnitNormalization()]
            self.project.append(keras.Sequential([keras.Input((None, x.shape[-1])), *mlp]))

    def __call__(self, passes):
        pairs = (passes.batch.a, passes.fake_b), (passes.batch.b, passes.same_b)
        return {n: self.contrast(*pair) for n, pair in zip(self.names, pairs, strict=True)}

    def contrast(self, images, translations):
        maps = zip(self.encode(images), self.encode(translations), self.project, strict=True)
        return sum(self.distance(*each) for each in maps) / len(self.project)

    def distance(self, keys, queries, project):
        count, height, width, channels = ops.shape(keys)
        places = keras.random.shuffle(ops.arange(height * width), seed=self.seed_generator)
        keys, queries = (
            project(ops.take(ops.reshape(x, (count, -1, channels)), places[: self.patches], axis=1))
            for x in (keys, queries)
        )  # (n, patches, 64), of length 1
        keys = ops.transpose(ops.stop_gradient(keys), (0, 2, 1))
        logits = ops.matmul(queries, keys) / self.temperature  # (n, patches, patches)
        return average(-ops.diagonal(ops.log_softmax(logits), axis1=1, axis2=2))

    def get_config(self):
        names = "features", "patches", "temperature"
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


def main(data: str, out: Path, size: int = 32, steps: int = 400):
    train, _ = kcg.data.load(data, image_size=size, batch_size=4, steps_per_epoch=steps)
    options = {"filters": 16, "num_blocks": 4, "upsampling": "resize", "input_skip": True}
    generator = kcg.networks.ResNetGenerator((size, size, 3), **options)
    judge = kcg.networks.PatchDiscriminator((size, size, 3), 32, num_layers=2 if size < 64 else 3)
    model = kcg.CycleGAN(generator, None, None, judge, image_shape=(size, size, 3))
    term = PatchNCETerm(["stem_relu", "down1_relu", "block2_add"])
    model.compile(cycle_loss=None, identity_loss=None, terms=[term], ema_momentum=0.99)
    model.fit(train)
    model.save_to_preset(out / "preset")
    a, b, paired = kcg.data.load_sets(data, size)
    if paired:  # the mean error to the truth, black to white = 1
        before, after = (np.abs(x - b.astype(float)).mean() / 255 for x in (a, model.translate(a)))
        print(f"Error untranslated {before:.4f}, translated {after:.4f}.")


if __name__ == "__main__":
    typer.run(main)
