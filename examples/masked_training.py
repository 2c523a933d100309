"""Masks ride along: `python masked_training.py` lets only the right half of characters change."""

import numpy as np
import typer
from keras import ops

import keras_cyclegan as kcg


class KeepTerm(kcg.losses.Term):
    names = ("keep_a", "keep_b")

    def __call__(self, passes):
        a, b, mask_a, mask_b = (passes.batch[name] for name in ("a", "b", "mask_a", "mask_b"))
        kept = (1 - mask_a) * (passes.fake_b - a), (1 - mask_b) * (passes.fake_a - b)
        losses = (10 * kcg.losses.average(ops.abs(x)) for x in kept)
        return dict(zip(self.names, losses, strict=True))


def inside(images, origin, batch):  # outside of a mask, discriminators see the original
    return batch[origin] + batch[f"mask_{origin}"] * (images - batch[origin])


def main(steps: int = 300):
    a, b, _ = kcg.data.load_sets("glyphs", 32, split="train")
    right = np.broadcast_to(255 * (np.arange(32) >= 16)[:, None], (len(a), 32, 32, 1))
    masks = {"mask_a": right.astype("uint8"), "mask_b": right[: len(b)].astype("uint8")}
    train = kcg.data.unpaired_dataset(
        a, b, batch_size=4, flip=False, steps_per_epoch=steps, companions=masks
    )
    model = kcg.CycleGAN.from_preset("glyphs")
    model.compile(terms=[KeepTerm()], shown=inside)
    model.fit(train)
    test, _, _ = kcg.data.load_sets("glyphs", 32)
    change = np.abs(model.translate(test) - test.astype(float)).mean(axis=(0, 1, 3))
    print(f"Levels changed: left {change[:16].mean():.1f}, right {change[16:].mean():.1f}.")


if __name__ == "__main__":
    typer.run(main)
