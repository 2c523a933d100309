"""Train with losses of your own: round trips that keep edges, and a hinge game with a margin.

    python custom_loss.py path/to/images run
    python custom_loss.py glyphs run --toy

A cycle loss is any `keras.losses.Loss` of images and their round trips. The adversarial loss is any
object with a side for each player: `generator(fake_logits)`, `discriminator(real_logits,
fake_logits)`. Both are registered, so that a saved model finds them again.
"""

from pathlib import Path

import typer

import keras_cyclegan as kcg

kcg.import_keras_quietly()  # without the lines that TensorFlow prints as it is loaded

import keras
from keras import ops

from keras_cyclegan.networks import PatchDiscriminator, ResNetGenerator


@keras.saving.register_keras_serializable("examples")
class EdgeCycleLoss(keras.losses.Loss):
    """L1 of the pixels, and L1 of their differences to the right and below: blur costs twice.

    Args:
        weight: float. λ, 10 in the paper.
        edges: float. Weight of the differences beside the pixels.
    """

    def __init__(self, weight=10.0, edges=1.0, name="edge_cycle", **kwargs):
        super().__init__(name=name, **kwargs)
        self.weight = weight
        self.edges = edges

    def call(self, y_true, y_pred):
        error = y_pred - y_true  # (n, h, w, c)
        down = ops.abs(error[:, 1:] - error[:, :-1])
        across = ops.abs(error[:, :, 1:] - error[:, :, :-1])
        pixels, down, across = (ops.mean(x, axis=(1, 2, 3)) for x in (ops.abs(error), down, across))
        return self.weight * (pixels + self.edges * (down + across))  # (n,)

    def get_config(self):
        return {**super().get_config(), "weight": self.weight, "edges": self.edges}


@keras.saving.register_keras_serializable("examples")
class MarginGame:
    """The hinge game, in which the discriminator asks for a margin.

    Args:
        margin: float. Beyond it, a judgement that is right costs nothing.
    """

    needs_real = False  # the generator's side looks at its own images only

    def __init__(self, margin=1.0):
        self.margin = margin

    def generator(self, fake_logits):
        return -ops.mean(fake_logits)

    def discriminator(self, real_logits, fake_logits):
        real = ops.mean(ops.relu(self.margin - real_logits))
        return real + ops.mean(ops.relu(self.margin + fake_logits))

    def get_config(self):
        return {"margin": self.margin}

    @classmethod
    def from_config(cls, config):
        return cls(**config)


def main(
    data: str,
    out: Path,
    image_size: int = 256,
    filters: int = 64,
    blocks: int = 9,
    epochs: int = 200,
    steps_per_epoch: int | None = None,
    margin: float = 1.0,
    edges: float = 1.0,
    toy: bool = False,
):
    if toy:
        image_size, filters, blocks, epochs, steps_per_epoch = 32, 8, 1, 1, 10
    train, validation = kcg.data.load(data, image_size=image_size, steps_per_epoch=steps_per_epoch)
    shape, layers = (image_size, image_size, 3), 3 if image_size >= 64 else 2
    generators = [ResNetGenerator(shape, filters=filters, num_blocks=blocks) for _ in range(2)]
    discriminators = [PatchDiscriminator(shape, filters, num_layers=layers) for _ in range(2)]
    model = kcg.CycleGAN(*generators, *discriminators, image_shape=shape)
    model.compile(adversarial_loss=MarginGame(margin), cycle_loss=EdgeCycleLoss(edges=edges))
    model.fit(train, validation_data=validation, epochs=epochs)

    out.mkdir(parents=True, exist_ok=True)
    model.save(out / "model.keras")
    reloaded = keras.saving.load_model(out / "model.keras")
    print(f"{out}/model.keras plays on with a margin of {reloaded.adversarial_loss.margin}.")


if __name__ == "__main__":
    typer.run(main)
