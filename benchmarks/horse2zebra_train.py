"""Trains horse2zebra further, with discriminators that look at animals alone.

    python benchmarks/horse2zebra_train.py DATA --init PRESET --out RUN --minutes 60

DATA has trainA and trainB; PRESET is a preset's name or folder, or a file of `load_start`. RUN gets
a preset every few minutes (`RUN/step-001500`), and the losses (`RUN/history.jsonl`).

Most of a photo is landscape, and zebras stand in other landscapes than horses: discriminators that
see whole photos reward stripes on bushes and water. Here generators learn from the animals alone,
cut out by the masks of `animal_masks.py`: what discriminators see beside a translated animal is the
photo as it was (`--background photo`) or gray, as beside real ones (`gray`); and a term keeps it:

    L = L_GAN(m_a · ab(a) + (1 - m_a) · a, b) + … + λ (cycles) + κ (‖(1 - m_a)(ab(a) - a)‖₁ + …)

The masks are used in training alone. The last photos of each folder, `horse2zebra_kid.HOLDOUT`,
are held out. The rates fall in a straight line to zero over the planned time.
"""

import argparse
import json
import os
import pathlib
import platform
import time

import keras
import numpy as np
from animal_masks import masks_of
from horse2zebra_kid import HOLDOUT, all_paths, load_images, load_preset, load_start, resize
from masked_cyclegan import MaskedCycleGAN

from keras_cyclegan import CycleGAN, data
from keras_cyclegan.losses import AdversarialLoss, CycleConsistencyLoss
from keras_cyclegan.networks import ProjectedDiscriminator, ResNetGenerator
from keras_cyclegan.optimizers import paper_adam

SIDE = 128  # what the preset is for
# No cutout: the masks cover enough.
AUGMENTATION = {
    "brightness": 0.3,
    "saturation": 0.6,
    "contrast": 0.4,
    "translation": 0.125,
    "cutout": 0.0,
}


class PixelsCountMore(AdversarialLoss):
    """Least squares, with the last map, that of the PatchGAN on pixels, counted several times."""

    times = 3

    def generator(self, judged_fake, judged_real=None):
        return super().generator(self._more(judged_fake), judged_real)

    def discriminator(self, judged_real, judged_fake):
        return super().discriminator(self._more(judged_real), self._more(judged_fake))

    def _more(self, judged):
        return [*judged, *[judged[-1]] * (self.times - 1)]


def build(arguments):
    """The networks of the preset, in the policy asked for; new discriminators if it has none."""
    loaded = load_start if arguments.init.endswith(".npz") else load_preset
    found = loaded(arguments.init)
    generators = []
    for name in ("generator_ab", "generator_ba"):
        source = getattr(found, name)
        generators.append(
            ResNetGenerator.from_config(source.get_config() | {"dtype": arguments.dtype})
        )
        generators[-1].set_weights(source.get_weights())
    shape = (arguments.crop, arguments.crop, 3)
    judges = [
        ProjectedDiscriminator(shape, augmentation=AUGMENTATION, dtype=arguments.dtype, name=name)
        for name in ("discriminator_a", "discriminator_b")
    ]
    for judge in () if arguments.new_discriminators else judges:
        if (source := getattr(found, judge.name)) is not None:
            judge.set_weights(source.get_weights())
    model = MaskedCycleGAN(*generators, *judges, image_shape=shape)
    model.background = arguments.background
    model.keep_weight = arguments.keep_weight
    rate = arguments.rate
    loss = PixelsCountMore()
    loss.times = arguments.pixels
    model.compile(
        paper_adam(0.0),
        paper_adam(rate * arguments.discriminator_share),
        adversarial_loss=loss,
        cycle_loss=CycleConsistencyLoss(weight=arguments.cycle_weight),
        identity_loss=None,
        ema_momentum=arguments.ema,
    )
    return model


def photos_with_masks(arguments):
    """Both domains' photos without the holdout, uint8 `(n, load, load, 4)`."""
    both = []
    for domain, side in zip("ab", arguments.load_size, strict=True):
        folder = f"train{domain.upper()}"
        masks = masks_of(arguments.data, folder, pathlib.Path(arguments.out).parent / "masks")
        paths = all_paths(pathlib.Path(arguments.data) / folder)[: -HOLDOUT[domain]]
        photos = load_images(paths, side)
        masks = np.stack([resize(mask, side) for mask in masks[: len(photos)]])
        both.append(np.concatenate([photos, masks[..., None]], axis=-1))
    return both


class Watch(keras.callbacks.Callback):
    """Sets the rates by the time that has passed, keeps presets, writes losses, ends the run."""

    def __init__(self, arguments):
        super().__init__()
        self.arguments = arguments
        self.folder = pathlib.Path(arguments.out)
        self.step = 0
        self.written = self.began = time.time()

    def on_train_batch_end(self, batch, logs=None):
        self.step += 1
        passed = (time.time() - self.began) / 60 / self.arguments.minutes
        if self.step % 10 == 0:
            constant = self.arguments.constant
            falling = min(1.0, (1.0 - passed) / (1.0 - constant))
            rate = self.arguments.rate * max(falling, 0.01)
            optimizer = self.model.optimizer
            # Discriminators alone at first: they are new, the generators aren't.
            alone = max(0.0, min(1.0, self.step / self.arguments.alone - 1.0))
            optimizer.generator_optimizer.learning_rate = rate * alone
            optimizer.discriminator_optimizer.learning_rate = (
                rate * self.arguments.discriminator_share
            )
        if self.step % 100 == 0:
            row = {"step": self.step, "minutes": (time.time() - self.began) / 60}
            row |= {name: round(float(value), 4) for name, value in logs.items()}
            with open(self.folder / "history.jsonl", "a") as file:
                file.write(json.dumps(row) + "\n")
            self.model.reset_metrics()
        ends = passed >= 1.0
        if ends or time.time() - self.written > 60 * self.arguments.every:
            self.written = time.time()
            judges = self.model.discriminator_a, self.model.discriminator_b
            translator = CycleGAN(*self.model.generators(), *judges, (SIDE, SIDE, 3))
            translator.save_to_preset(self.folder / f"step-{self.step:06}", half_precision=True)
        self.model.stop_training = self.model.stop_training or ends


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", help="folder with trainA and trainB")
    parser.add_argument("--init", required=True, help="preset, or .npz of `load_start`")
    parser.add_argument("--out", required=True, help="folder of the run; masks go beside it")
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--constant", type=float, default=0.4, help="part before the rates fall")
    parser.add_argument("--every", type=float, default=8.0, help="minutes between two presets")
    parser.add_argument("--alone", type=int, default=100, help="first steps, discriminators alone")
    parser.add_argument("--rate", type=float, default=2e-4)
    parser.add_argument("--discriminator-share", type=float, default=0.5)
    parser.add_argument("--cycle-weight", type=float, default=2.0)
    parser.add_argument("--keep-weight", type=float, default=10.0)
    parser.add_argument("--background", choices=["photo", "gray"], default="photo")
    parser.add_argument("--new-discriminators", action="store_true", help="not the preset's")
    parser.add_argument("--pixels", type=int, default=3, help="how often the PatchGAN counts")
    parser.add_argument("--load-size", type=int, nargs=2, default=(136, 128), metavar=("A", "B"))
    parser.add_argument("--crop", type=int, default=96, help="side of what is cut from them")
    parser.add_argument("--ema", type=float, default=0.998)
    parser.add_argument("--dtype", default="mixed_bfloat16")
    arguments = parser.parse_args()

    folder = pathlib.Path(arguments.out)
    folder.mkdir(parents=True, exist_ok=True)
    machine = f"{os.cpu_count()} × {platform.machine()}"
    (folder / "config.json").write_text(json.dumps(vars(arguments) | {"machine": machine}))
    model = build(arguments)
    batches = data.unpaired_dataset(
        *photos_with_masks(arguments), image_size=arguments.crop, seed=0
    )
    model.fit(batches, epochs=1000, verbose=0, callbacks=[Watch(arguments)])


if __name__ == "__main__":
    main()
