"""Makes the preset `noto2twemoji`, which ships in the package, of a finished training.

    python benchmarks/make_noto2twemoji_preset.py GOOGLE TWITTER RUN/preset TARGET STEPS \\
        "MINUTES AND MACHINE" "KNOWN FAILURES"

GOOGLE and TWITTER are those of `emoji.py`; TARGET is
`keras_cyclegan/presets/shipped/noto2twemoji`. The scores in the card are measured on the
generators as they ship, in float16.
"""

import sys

from emoji import split, table

from keras_cyclegan import CycleGAN

CARD = {
    "description": (
        "Emoji of Noto (A) to Twemoji (B), and back: pictures of 64×64 on white. Two hands drew "
        "the same characters; no character was ever shown to the networks in both."
    ),
    "data_licence": (
        "[Noto Emoji](https://github.com/googlefonts/noto-emoji), Google, Apache-2.0, and "
        "[Twemoji](https://github.com/jdecked/twemoji), Copyright 2019 Twitter, Inc and other "
        "contributors, [CC BY 4.0](https://creativecommons.org/licenses/by/4.0/), as packed by "
        "`emoji-datasource-google` and `emoji-datasource-twitter` 16.0.0. Translations are made "
        "of both: name both where you show them."
    ),
}
RECIPE = """`python benchmarks/emoji.py GOOGLE TWITTER --run RUN --steps {steps} --dtype \
mixed_bfloat16`: {steps:,} steps of 2 pictures of each hand at 64×64 (820 and 825 pictures of \
other characters; flips, no crops), {effort}. Generators: ResNet of 6 blocks and width 32, resized \
upsampling, a skip from the input. Discriminators: frozen EfficientNet-Lite1 features under \
spectral-norm patch heads, beside a PatchGAN of width 32, behind weak changes of colour (0.1), \
translation (0.1) and cutout (0.3). Least squares, image pool of 50, cycle weight 3, no identity \
loss, Adam (0.5, 0.999), 2e-4 and for the discriminators 1e-4, falling to zero over the second \
half, averages of 0.999. The last weights: nothing was chosen on the test characters."""
SCORES = """192 test characters, which no network saw in either hand. Mean absolute error (black \
to white = 1) and SSIM against the other hand's picture of the same character, and KID on \
EfficientNet-Lite0 features. One command measures them: `python benchmarks/emoji.py GOOGLE \
TWITTER --preset noto2twemoji`."""


def main(google, twitter, source, target, steps, effort, failures):
    model = CycleGAN.from_preset(source)
    folders = google, twitter
    told = {
        "recipe": RECIPE.format(steps=int(steps), effort=effort),
        "known_failures": failures,
    }
    model.save_to_preset(target, half_precision=True, discriminators=False)
    scores = table(CycleGAN.from_preset(target), folders, split(folders)["test"])
    card = CARD | told | {"scores": f"{SCORES}\n\n{scores}"}
    model.save_to_preset(target, card=card, half_precision=True, discriminators=False)


if __name__ == "__main__":
    main(*sys.argv[1:])
