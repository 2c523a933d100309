"""KID on held-out training images against processor time, recipe `fast` against recipe `paper`.

    python benchmarks/presets/recipes_curve.py path/with/trainA/trainB --out curve --minutes 60

trains four runs, one after the other, each for the same processor time: `fast`; `fast` with ResNet
generators that skip from the input, which tells what is owed to features in the generator;
`contrastive`, one way without a cycle; and the paper's recipe. `--runs discriminators` compares
what `fast` has chosen for its discriminators with other choices, each alone. A trial of each tells
before how many steps that is (`plan.json`), so that the rates fall as each recipe has it. The last
120 images of `trainA` and 140 of `trainB` in sorted order are left out of training, and KID is
measured on them (`--scores`; `pip install "keras-cyclegan[fast,scores]"`). Prints a markdown table
and draws `curve.png`. Ended and started again, it goes on; `--show` prints and draws what there is
until then.

Processor time is that of all cores together: steps times the median of the epochs in which nothing
was scored. So it counts neither the scoring nor the tracing of graphs, some ten seconds a run.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from math import nan
from pathlib import Path

HOLDOUT = {"A": 120, "B": 140}
RUNS = {
    "fast": ["--recipe", "fast"],
    "fast, ResNet": [
        *("--recipe", "fast", "--generator", "resnet", "--filters", "32", "--blocks", "6"),
        *("--upsampling", "resize", "--input-skip"),
    ],
    "contrastive": ["--recipe", "contrastive"],
    "paper": ["--recipe", "paper"],
}
# What `fast` would be with another loss, other heads, another rate, or other images to judge.
OTHERS = {
    "PatchGAN, images as they are": ["--discriminator", "patch", "--no-augment"],
    "no PatchGAN beside it": ["--discriminator-pixel-filters", "0"],
    "hinge": ["--adversarial-loss", "hinge"],
    "twice the rate": ["--discriminator-learning-rate", "2e-4"],
    "images as they are": ["--no-augment"],
}
DISCRIMINATORS = {f"fast, {name}": ["--recipe", "fast", *words] for name, words in OTHERS.items()}
GROUPS = {"recipes": list(RUNS), "discriminators": ["fast", *DISCRIMINATORS]}
RUNS |= DISCRIMINATORS
TRIAL_STEPS, TRIAL_EPOCHS = 20, 3  # the first epoch traces the graphs
EVERY = 2  # epochs between two scores: from those between, a step's time is taken


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data", type=Path, help="folder with trainA and trainB")
    parser.add_argument("--out", type=Path, required=True, help="folder of the runs")
    parser.add_argument("--minutes", type=float, default=60, help="processor time of each run")
    parser.add_argument("--points", type=int, default=8, help="scores of each run")
    parser.add_argument("--image-size", type=int, default=128)
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--runs", nargs="+", default=["recipes"], choices=[*GROUPS, *RUNS])
    parser.add_argument("--holdout", type=int, nargs=2, default=list(HOLDOUT.values()))
    parser.add_argument("--show", action="store_true", help="train nothing, show what there is")
    options = parser.parse_args()
    options.runs = [name for one in options.runs for name in GROUPS.get(one, [one])]
    held_out = hold_out(options.data, options.out / "data", options.holdout)
    for name in () if options.show else options.runs:
        steps = plan(options, held_out, name)
        folder, epochs = folder_of(options.out, name), EVERY * options.points
        scores = ("--scores", held_out, "--scores-every", EVERY)
        train(options, held_out, name, folder, epochs, steps, scores)
    show(options, held_out)


def show(options, held_out):
    """Print and draw what the runs have come to, also those that haven't ended."""
    curves = {name: curve(folder_of(options.out, name) / "history.jsonl") for name in options.runs}
    curves = {name: points for name, points in curves.items() if points}
    if not curves:
        raise SystemExit(f"No run in {options.out} has come to its third epoch yet.")
    start = untranslated(held_out, options.image_size)
    print(table(curves, start))
    draw(curves, start).savefig(options.out / "curve.png", dpi=120)
    print(
        f"\n{options.image_size}×{options.image_size}, {options.dtype}; {machine()}. "
        f"Drawn: {options.out}/curve.png"
    )


def hold_out(data, folder, counts):
    """Links to the images: the last of each domain as testA and testB, and the rest to train on."""
    for domain, count in zip("AB", counts, strict=True):
        paths = sorted(path for path in (data / f"train{domain}").iterdir() if path.is_file())
        if len(paths) <= count:
            raise ValueError(
                f"{data}/train{domain} has {len(paths)} images. Expected more than the {count} "
                "that are held out: give fewer with --holdout."
            )
        for part, some in (("train", paths[:-count]), ("test", paths[-count:])):
            place = folder / f"{part}{domain}"
            place.mkdir(parents=True, exist_ok=True)
            for path in some:
                if not os.path.lexists(place / path.name):
                    (place / path.name).symlink_to(path.resolve())
    return folder


def folder_of(out, name):
    return out / name.replace(", ", "-").replace(" ", "-")


def plan(options, data, name):
    """Steps of an epoch, so that all epochs of a run take the planned time."""
    file = options.out / "plan.json"
    planned = json.loads(file.read_text()) if file.exists() else {}
    if name not in planned:
        trial = options.out / "trials" / folder_of(Path(), name)
        train(options, data, name, trial, TRIAL_EPOCHS, TRIAL_STEPS, ())
        seconds = step_seconds(rows_of(trial / "history.jsonl")[1:])
        steps = 60 * options.minutes / seconds / (EVERY * options.points)
        planned[name] = {"seconds_a_step": seconds, "steps_per_epoch": max(1, round(steps))}
        file.write_text(json.dumps(planned, indent=2) + "\n")
    return planned[name]["steps_per_epoch"]


def train(options, data, name, folder, epochs, steps, others):
    """Run the train command to its end; run again, it goes on."""
    command = [
        *(sys.executable, "-m", "keras_cyclegan", "train", data, "--out", folder),
        *(*RUNS[name], "--image-size", options.image_size, "--dtype", options.dtype),
        *("--epochs", epochs, "--steps-per-epoch", steps, *others),
    ]
    subprocess.run([str(word) for word in command], check=True)


def curve(history):
    """Points of a run: `(step, processor hours, KID×100 A→B, KID×100 B→A)`."""
    rows = rows_of(history)
    # The first epoch traces the graphs, and every other one is scored.
    timed = [row for row in rows[1:] if row["epoch"] % EVERY]
    if not timed:
        return []
    seconds = step_seconds(timed)
    points = []
    for row in rows[EVERY - 1 :: EVERY]:
        kid = [100 * row.get(name, nan) for name in ("kid_ab", "kid_ba")]  # of one way, there alone
        points.append((row["step"], row["step"] * seconds / 3600, *kid))
    return points


def step_seconds(rows):
    """The median processor seconds of a step."""
    return statistics.median(row["processor_seconds"] / row["epoch_steps"] for row in rows)


def rows_of(history):
    """The lines of a run's history, with the number of steps in each epoch."""
    from keras_cyclegan.training.history import read_history

    rows, before = read_history(history), 0
    for row in rows:
        row["epoch_steps"], before = row["step"] - before, row["step"]
    return rows


def untranslated(data, image_size):
    """KID×100 of the held-out images as they are."""
    from keras_cyclegan.data import load_sets
    from keras_cyclegan.metrics import KernelInceptionDistance
    from keras_cyclegan.scores.extractors import find_extractor

    extractor, _ = find_extractor(None)
    images_a, images_b, _ = load_sets(data, image_size)
    count = min(len(images_a), len(images_b))  # as in training
    distance = KernelInceptionDistance(extractor)
    for start in range(0, count, 20):
        some = slice(start, min(start + 20, count))
        distance.update_state(real=images_b[some], generated=images_a[some])
    return 100 * float(distance.result())


def table(curves, start):
    lines = [
        "| recipe | steps | processor hours | KID×100 A→B | KID×100 B→A |",
        "|---|---|---|---|---|",
        f"| untranslated | 0 | 0 | {start:.2f} | {start:.2f} |",
    ]
    for name, points in curves.items():
        for step, hours, there, back in points:
            lines.append(f"| {name} | {step:,} | {hours:.2f} | {there:.2f} | {back:.2f} |")
    return "\n".join(lines).replace("nan", "–")


def draw(curves, start):
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.4), layout="constrained")
    for i, (axes, title) in enumerate(zip(figure.subplots(1, 2), ("A→B", "B→A"), strict=True)):
        axes.axhline(start, color="gray", linestyle=":", label="untranslated")
        for name, points in curves.items():
            axes.plot(*zip(*[(p[1], p[2 + i]) for p in points], strict=True), "o-", label=name)
        axes.set(title=title, xlabel="processor hours", ylabel="KID×100, held out", ylim=(0, None))
        axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    return figure


def machine():
    import keras

    from keras_cyclegan.processor import describe_machine

    return f"{describe_machine()}, {keras.backend.backend()}"


if __name__ == "__main__":
    main()
