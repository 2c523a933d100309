"""Makes the preset `horse2zebra`, which ships in the package, of a preset that was trained.

python benchmarks/presets/make_horse2zebra_preset.py DATA SOURCE TARGET

DATA has trainA, trainB, testA and testB; SOURCE is a preset folder, whose card tells its recipe and
its known failures; TARGET is `keras_cyclegan/presets/shipped/horse2zebra`. The scores in the card
are measured on the generators as they ship, in float16.
"""

import json
import pathlib
import sys

from horse2zebra_kid import DIRECTIONS, HorseToZebraBenchmark, load_preset, translator

CARD = {
    "description": "Horses (A) to zebras (B), and back; photos at 128×128.",
    "data_licence": (
        "horse2zebra of the CycleGAN authors, photos of ImageNet: for research. None of them is in "
        "the package."
    ),
}
PROTOCOL = """KID×100 on EfficientNet-Lite0 features, 120 test horses and 140 test zebras at \
128×128; lower is better, 0 is other real images. One command measures it: \
`python benchmarks/presets/horse2zebra_kid.py DATA --preset horse2zebra`."""


def scores(data, preset):
    """A table of both directions, beside the untranslated images."""
    benchmark = HorseToZebraBenchmark(data)
    translate = translator(load_preset(preset))
    found = {
        "untranslated": [benchmark.untranslated(direction) for direction in DIRECTIONS],
        "this preset": [
            benchmark.score(lambda images, d=direction: translate(images, d), direction)
            for direction in DIRECTIONS
        ],
    }
    rows = [
        f"| {name} | " + " | ".join(f"{100 * score.value:.2f}" for score in row) + " |"
        for name, row in found.items()
    ]
    return "\n".join([PROTOCOL, "", "| | horse → zebra | zebra → horse |", "|---|---|---|", *rows])


def main(data, source, target):
    model = load_preset(source)
    source = pathlib.Path(source)
    told = json.loads((source / "metadata.json").read_text(encoding="utf-8"))["card"]
    judges = (source / "discriminators.weights.h5").exists()
    model.save_to_preset(target, half_precision=True, discriminators=judges)
    card = CARD | told | {"scores": scores(data, target)}
    model.save_to_preset(target, card=card, half_precision=True, discriminators=judges)


if __name__ == "__main__":
    main(*sys.argv[1:])
