"""Makes the preset `glyphs`, which ships in the package, of a finished run.

keras-cyclegan train glyphs --out run --image-size 32 --epochs 10 --steps-per-epoch 150 \\
    --batch-size 4 --filters 24 --blocks 4 --discriminator-filters 32 --discriminator-layers 2
python benchmarks/presets/make_glyphs_preset.py run keras_cyclegan/presets/shipped/glyphs
"""

import sys

import keras
import numpy as np

import keras_cyclegan
from keras_cyclegan.commands.quickstart import paired_error

run, target = sys.argv[1:]
model = keras.saving.load_model(f"{run}/model.keras")
_, pairs = keras_cyclegan.data.load("glyphs")
images_a, images_b = (np.concatenate(batches) for batches in zip(*pairs, strict=True))
scores = {
    "untranslated": float(np.abs(images_a - images_b).mean()) / 2,
    "A to B": paired_error(model.generator_ab, images_a, images_b),
    "B to A": paired_error(model.generator_ba, images_b, images_a),
}
model.save_to_preset(
    target,
    half_precision=True,
    card={
        "description": "Characters of DejaVu Sans (A) to DejaVu Serif Bold Italic (B), and back.",
        "recipe": (
            "`keras-cyclegan train glyphs`: 1,500 steps of 4 images of 32×32, ResNet of 4 blocks "
            "and width 24, PatchGAN of 2 layers and width 32, Adam 2e-4 with linear decay over "
            "the second half, minutes on two cores."
        ),
        "origin": "trained with keras-cyclegan",
        "data_licence": (
            "The DejaVu fonts, bundled with matplotlib, under the Bitstream Vera licence: free."
        ),
        "scores": (
            "Mean absolute error against the same character in the other typeface, 192 held-out "
            "characters, black to white = 1: "
            + ", ".join(f"{name} {value:.4f}" for name, value in scores.items())
            + "."
        ),
        "known_failures": (
            "Accents can vanish or merge with a letter; thin strokes can break. It has seen "
            "nothing but black characters on white at 32×32."
        ),
    },
)
