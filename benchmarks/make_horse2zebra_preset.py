"""Makes the preset `horse2zebra`, which ships in the package, of the runs that trained it.

python benchmarks/make_horse2zebra_preset.py DATA TARGET RUN [RUN ...]

DATA has trainA, trainB, testA and testB; TARGET is `keras_cyclegan/presets/shipped/horse2zebra`;
the RUNs are folders of `keras-cyclegan train`, each begun with `--init` of the one before. What the
card says of the recipe is read from them; its scores are of the preset as it ships, in float16.
"""

import json
import pathlib
import sys

from horse2zebra_kid import HorseToZebraBenchmark, load_preset, load_run, translator

SHOWN = (
    "image_size",
    "load_size",
    "batch_size",
    "learning_rate",
    "decay_epochs",
    "identity_weight",
)


def stage(run):
    """One line of the recipe: what a run was told, how long it went on."""
    options = json.loads((run / "config.json").read_text(encoding="utf-8"))
    epochs = [json.loads(line) for line in (run / "history.jsonl").open(encoding="utf-8")]
    told = ", ".join(f"{name} {options[name]}" for name in SHOWN if options[name] is not None)
    hours = sum(epoch["seconds"] for epoch in epochs) / 3600
    return f"{epochs[-1]['step']:,} steps ({hours:.1f} hours): {told}."


def scores(data, preset):
    """A table of KID×100 at the native size and at twice that, beside the untranslated images."""
    translate = translator(load_preset(preset))
    lines = [
        "KID×100 on EfficientNet-Lite0 features, 120 test horses against 140 test zebras; lower is "
        "better. All are scored at 128×128 (`benchmarks/horse2zebra_kid.py` in the repository).",
        "",
        "| | horse → zebra | zebra → horse |",
        "|---|---|---|",
    ]
    for side, name in ((128, "resized to 128×128"), (256, "translated at 256×256")):
        benchmark = HorseToZebraBenchmark(data, translate_at=side)
        if side == 128:
            untranslated = [benchmark.untranslated(way) for way in ("a_to_b", "b_to_a")]
            lines.append(row("untranslated", untranslated))
        found = [
            benchmark.score(lambda images, way=way: translate(images, way), way)
            for way in ("a_to_b", "b_to_a")
        ]
        lines.append(row(name, found))
    return "\n".join(lines)


def row(name, found):
    return f"| {name} | " + " | ".join(f"{100 * score.value:.1f}" for score in found) + " |"


def main(data, target, *runs):
    runs = [pathlib.Path(run) for run in runs]
    model = load_run(runs[-1])
    model.save_to_preset(target, half_precision=True)
    stages = "\n".join(f"{number}. {stage(run)}" for number, run in enumerate(runs, start=1))
    card = {
        "description": "Horses (A) to zebras (B), and back.",
        "recipe": (
            "`keras-cyclegan train` on two cores of an AMD EPYC, without a GPU, in stages, each "
            f"from the networks of the one before:\n\n{stages}\n\n"
            "ResNet of 6 blocks and width 32 with resized upsampling, PatchGAN of width 64, least "
            "squares, cycle weight 10, image pool of 50, Adam, bfloat16. The generators are "
            "averages over about 1,000 steps. Small crops first: a step costs less, and stripes "
            "are a texture."
        ),
        "data_licence": (
            "horse2zebra of the CycleGAN authors, photos of ImageNet: non-commercial research. "
            "None of them is in the package."
        ),
        "scores": scores(data, target),
        "sizes": (
            "Trained on crops of photos resized to 143×143, it takes any size, but knows horses "
            "as large as they are there. The table tells which is better for a larger photo: "
            "resizing it to 128×128 and translating that, or translating it as it is."
        ),
        "known_failures": (
            "Brown and dark horses work best. White and distant horses get few stripes; riders, "
            "tree trunks and dark bushes can get some too; green grass turns dry, since "
            "most of the zebras stand on such. Zebras keep a part of their stripes as horses."
        ),
    }
    model.save_to_preset(target, card=card, half_precision=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
