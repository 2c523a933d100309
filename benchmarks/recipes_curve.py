"""KID on held-out training images against processor hours, recipe `fast` against recipe `paper`.

    python benchmarks/recipes_curve.py path/with/trainA/trainB --out curve --epochs 40

trains three runs of equal steps at 128×128, one after the other: `fast`; the paper's recipe with
the paper's networks; and the paper's recipe with the generators of `fast`, which tells what is owed
to the discriminators alone. The last 120 images of `trainA` and 140 of `trainB` in sorted order are
left out of training, and KID is measured on them (`--scores`; `pip install
"keras-cyclegan[fast,scores]"`). Prints a markdown table and draws `curve.png`. Ended and started
again, it goes on. Processor time is that of all cores together, scoring included.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path

HOLDOUT = {"A": 120, "B": 140}
RUNS = {
    "fast": ["--recipe", "fast"],
    "paper": ["--recipe", "paper"],
    "paper, generators of fast": [
        *("--recipe", "paper", "--filters", "32", "--blocks", "6"),
        *("--upsampling", "resize", "--input-skip"),
    ],
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data", type=Path, help="folder with trainA and trainB")
    parser.add_argument("--out", type=Path, required=True, help="folder of the runs")
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--steps-per-epoch", type=int, default=250)
    parser.add_argument("--every", type=int, default=2, help="epochs between two scores")
    parser.add_argument("--image-size", type=int, default=128)
    parser.add_argument("--runs", nargs="+", default=list(RUNS), choices=list(RUNS))
    parser.add_argument("--holdout", type=int, nargs=2, default=list(HOLDOUT.values()))
    options = parser.parse_args()
    held_out = hold_out(options.data, options.out / "data", options.holdout)
    for name in options.runs:
        train(options, held_out, name)
    curves = {name: curve(folder_of(options.out, name) / "history.jsonl") for name in options.runs}
    print(table(curves))
    draw(curves).savefig(options.out / "curve.png", dpi=120)
    print(
        f"\n{machine()}; {options.steps_per_epoch} steps an epoch. Drawn: {options.out}/curve.png"
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


def train(options, data, name):
    """Run the train command to its end; run again, it goes on."""
    subprocess.run(
        [
            *(sys.executable, "-m", "keras_cyclegan.commands.cli", "train", data),
            *("--out", folder_of(options.out, name), *RUNS[name]),
            *("--image-size", str(options.image_size), "--epochs", str(options.epochs)),
            *("--steps-per-epoch", str(options.steps_per_epoch)),
            *("--scores", data, "--scores-every", str(options.every)),
        ],
        check=True,
    )


def curve(history):
    """Points of a run: `(step, processor hours so far, KID×100 A→B, KID×100 B→A)`."""
    from keras_cyclegan.callbacks.history import read_history

    points, seconds = [], 0.0
    for row in read_history(history):
        seconds += row["processor_seconds"]
        if "kid_ab" in row:
            kid = 100 * row["kid_ab"], 100 * row["kid_ba"]
            points.append((row["step"], seconds / 3600, *kid))
    return points


def table(curves):
    lines = [
        "| recipe | steps | processor hours | KID×100 A→B | KID×100 B→A |",
        "|---|---|---|---|---|",
    ]
    for name, points in curves.items():
        for step, hours, there, back in points:
            lines.append(f"| {name} | {step:,} | {hours:.2f} | {there:.2f} | {back:.2f} |")
    return "\n".join(lines)


def draw(curves):
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.4), layout="constrained")
    for i, (axes, title) in enumerate(zip(figure.subplots(1, 2), ("A→B", "B→A"), strict=True)):
        for name, points in curves.items():
            axes.plot(*zip(*[(p[1], p[2 + i]) for p in points], strict=True), "o-", label=name)
        axes.set(title=title, xlabel="processor hours", ylabel="KID×100, held out", ylim=(0, None))
        axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    return figure


def machine():
    import keras

    from keras_cyclegan.commands.run_card import processor

    return f"{processor()}, {keras.backend.backend()}"


if __name__ == "__main__":
    main()
