"""CUT: a translator of one side, whose translations keep the content of each patch by contrast.

    python contrastive.py glyphs run

Park et al. 2020, "Contrastive Learning for Unpaired Image-to-Image Translation", arXiv 2007.15651.
There is no way back: one generator, one discriminator, and `PatchNCETerm` in place of the cycle.
"""

from pathlib import Path

import numpy as np
import typer

import keras_cyclegan as kcg


def main(data: str, out: Path, size: int = 32, steps: int = 400):
    train, _ = kcg.data.load(data, image_size=size, batch_size=4, steps_per_epoch=steps)
    options = {"filters": 16, "num_blocks": 4, "upsampling": "resize", "input_skip": True}
    generator = kcg.networks.ResNetGenerator((size, size, 3), **options)
    judge = kcg.networks.PatchDiscriminator((size, size, 3), 32, num_layers=2 if size < 64 else 3)
    model = kcg.CycleGAN(generator, None, None, judge, image_shape=(size, size, 3))
    layers = ["stem_relu", "down1_relu", "block2_add"]
    term = kcg.losses.PatchNCETerm(names_of_layers=layers, patches=64)
    model.compile(cycle_loss=None, identity_loss=None, terms=[term], ema_momentum=0.99)
    model.fit(train)
    model.save_to_preset(out / "preset")
    a, b, paired = kcg.data.load_sets(data, size)
    if paired:  # the mean error to the truth, black to white = 1
        before, after = (np.abs(x - b.astype(float)).mean() / 255 for x in (a, model.translate(a)))
        print(f"Error untranslated {before:.4f}, translated {after:.4f}.")


if __name__ == "__main__":
    typer.run(main)
