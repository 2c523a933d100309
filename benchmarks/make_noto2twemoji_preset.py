"""Makes the preset `noto2twemoji`, which ships in the package, of a training of `emoji.py`.

    python benchmarks/make_noto2twemoji_preset.py GOOGLE TWITTER RUN TARGET "MACHINE" "FAILURES"

GOOGLE and TWITTER are those of `emoji.py`, RUN is its folder; TARGET is
`keras_cyclegan/presets/shipped/noto2twemoji`. MACHINE is where it was trained, FAILURES what the
pictures show; a last argument says what was otherwise in the first steps, if something was. The
scores in the card are measured on the generators as they ship, in float16.
"""

import json
import pathlib
import sys

from emoji import split, table
from strength import strengthen

from keras_cyclegan import CycleGAN
from keras_cyclegan.callbacks.history import read_history

CARD = {
    "description": "Emoji of Noto (A) to Twemoji (B), and back; pictures of 64×64 on white.",
    "data_licence": (
        "[Noto Emoji](https://github.com/googlefonts/noto-emoji), Google, Apache-2.0, and "
        "[Twemoji](https://github.com/jdecked/twemoji), Copyright 2019 Twitter, Inc and other "
        "contributors, [CC BY 4.0](https://creativecommons.org/licenses/by/4.0/), as packed by "
        "`emoji-datasource-google` and `emoji-datasource-twitter` 16.0.0. Translations are made "
        "of both: name both where you show them."
    ),
}
RECIPE = """\
`python benchmarks/emoji.py GOOGLE TWITTER --run RUN {flags}`: {steps:,} steps of {batch} \
pictures of each hand at 64×64 (820 and 825 pictures, of characters that aren't in both; flips, \
no crops), {minutes:.0f} processor minutes on {machine}. {before}Generators: ResNet of {blocks} \
blocks and width {filters}, resized upsampling, a skip from the input. Discriminators of three \
parts: frozen EfficientNet-Lite1 features, of pictures at twice their size, under spectral-norm \
patch heads, a PatchGAN of two layers and width 32, and a network without norms of images, which \
sees flat colours. Their patches count by the ink in them, which the pictures' opacity tells, and \
what is drawn beside it is wiped off before they see it. Least squares, cycle weight \
{cycle_weight:g}, weight 5 for leaving the paper blank, no identity loss, no image pool, Adam \
(0.5, 0.999), {rate:g}, reached after 400 steps, and for the discriminators \
{discriminator_rate:g}, falling to zero over the second half; averages of {ema:g}. At last what \
the generators add to a picture is multiplied by {strength:g}. Recipes, and this number, were \
compared on 128 other characters; nothing was chosen on those of the test."""
STRENGTH = 0.6
SCORES = """192 test characters, which no network saw in either hand. Mean absolute error (black \
to white = 1) and SSIM against the other hand's picture of the same character, and KID on \
EfficientNet-Lite0 features, of the family that a part of the discriminators looks through. One \
command measures them: `python benchmarks/emoji.py GOOGLE TWITTER --preset noto2twemoji`."""
FLAGS = (
    "batch",
    "filters",
    "blocks",
    "rate",
    "discriminator_rate",
    "cycle_weight",
    "ema",
    "dtype",
)


def recipe(run, machine, before):
    """Describe a training by its options and its history."""
    options = json.loads((run / "config.json").read_text())
    history = read_history(run / "history.jsonl")
    flags = [f"--{name.replace('_', '-')} {options[name]}" for name in ("steps", *FLAGS)]
    minutes = sum(row["processor_seconds"] for row in history) / 60
    known = options | {"steps": history[-1]["step"], "strength": STRENGTH}
    return RECIPE.format(
        **known, flags=" ".join(flags), minutes=minutes, machine=machine, before=before
    )


def main(google, twitter, run, target, machine, failures, before=""):
    run, folders = pathlib.Path(run), (google, twitter)
    model = CycleGAN.from_preset(str(run / "preset"))
    for generator in model.generators():
        strengthen(generator, STRENGTH)
    model.save_to_preset(target, half_precision=True, discriminators=False)
    scores = table(CycleGAN.from_preset(target), folders, split(folders)["test"])
    card = {
        **CARD,
        "recipe": recipe(run, machine, before and f"{before} "),
        "known_failures": failures,
        "scores": f"{SCORES}\n\n{scores}",
    }
    model.save_to_preset(target, card=card, half_precision=True, discriminators=False)


if __name__ == "__main__":
    main(*sys.argv[1:])
