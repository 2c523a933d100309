"""Why cycle consistency? Each term of the objective by itself, at equal steps.

    python examples/why_cycle_consistency.py --out study

trains the same small networks under one objective after the other (Zhu et al. 2017, tables 4 and 5,
in small), prints what came of it as a markdown table, and draws one picture. Ended and started
again, it goes on with the runs that are missing. `--data shapes` draws two domains that differ in
geometry, and compares what may help there. Pairs in files, as pix2pix's facades come:

    python examples/why_cycle_consistency.py --out study --data path/to/facades --palette facades
        --image-size 64 --steps 1000 --seeds 1

The left half of each picture is A, the right half B; or give a folder with `trainA`, `trainB`,
`testA` and `testB`. Where both test folders hold the same names, errors against the truth are
reported, and with `--palette` (the colours of the label maps that B then is) the scores of the
paper's tables 4 and 5; where they don't, only what needs no truth.
"""

import argparse
import dataclasses
import json
import sys
import time
from pathlib import Path

import numpy as np
from study_data import BATCH, load
from study_scores import COLUMNS, score, score_commonest, score_untranslated

GENERATOR = {"filters": 16, "num_blocks": 3}
DISCRIMINATOR_FILTERS = 16
STEPS = 400
RATE = 1e-3  # five times the paper's, for runs this short


@dataclasses.dataclass(frozen=True)
class Objective:
    """What one run minimises. The defaults are the full objective of the paper, less identity.

    Args:
        adversarial: float. Weight of the adversarial losses.
        forward, backward: floats. Weights of ‖ba(ab(a)) − a‖ and ‖ab(ba(b)) − b‖.
        norm: their norm.
        identity: float. Weight of the identity terms.
        game: kind of `AdversarialLoss`.
        discriminator: `"patch"`, `"projected"` or `"ugatit"`.
        generator: `"resnet"`, `"attention"` or `"ugatit"`.
        input_skip: whether what an attention generator paints begins as the image.
        final: float. Part of the cycle weights that is left at the end.
        content: kind of a `ContentLoss` of weight 2, or None.
        pairs: int. Images of both domains that show the same, with a `PairTerm` of weight 10.
        masks: whether images are kept outside of discs around their shapes (`KeepTerm`, weight 10),
            and discriminators see no further.
    """

    adversarial: float = 1.0
    forward: float = 10.0
    backward: float = 10.0
    norm: str = "l1"
    identity: float = 0.0
    game: str = "least_squares"
    discriminator: str = "patch"
    generator: str = "resnet"
    input_skip: bool = False
    final: float = 1.0
    content: str | None = None
    pairs: int = 0
    masks: bool = False


FULL = "full: both cycles, L1, least squares, PatchGAN"
OBJECTIVES = {
    "adversarial only": Objective(forward=0.0, backward=0.0),
    "+ forward cycle": Objective(backward=0.0),
    "+ backward cycle": Objective(forward=0.0),
    FULL: Objective(),
    "full + identity": Objective(identity=5.0),
    "full, L2": Objective(norm="l2"),
    "full, min-max": Objective(game="min_max"),
    "full, hinge": Objective(game="hinge"),
    "full, projected": Objective(discriminator="projected"),
}
CONTENTS = {
    f"full + {name}": Objective(content=kind)
    for name, kind in (
        ("edges", "edges"),
        ("structure", "structure"),
        ("mutual information", "mutual_information"),
    )
}
OBJECTIVES |= CONTENTS
# What may help where geometry has to change.
GEOMETRY = {
    "adversarial only": Objective(forward=0.0, backward=0.0),
    FULL: Objective(),
    "full + identity": Objective(identity=5.0),
    "weak cycle, λ = 1": Objective(forward=1.0, backward=1.0),
    "λ from 10 to 0.5": Objective(final=0.05),
    "full, attention": Objective(generator="attention"),
    "full, attention with input skip": Objective(generator="attention", input_skip=True),
    # Its four outputs are summed, ours averaged.
    "U-GAT-IT": Objective(4.0, identity=10.0, generator="ugatit", discriminator="ugatit"),
    **CONTENTS,
    "full + masks": Objective(masks=True),
    "full + 16 pairs": Objective(pairs=16),
}
# For images of other sources: the rows of Zhu et al. 2017, table 5, and identity.
PAPER = {
    "cycle only": Objective(adversarial=0.0),
    **{name: OBJECTIVES[name] for name in list(OBJECTIVES)[:5]},
    **{f"full + identity + {n} pairs": Objective(identity=5.0, pairs=n) for n in (4, 16, 64)},
}


def main():
    options = parse()
    # Not before `--help` was answered.
    global keras, kcg
    import keras_cyclegan as kcg

    kcg.import_keras_quietly()
    import keras

    options.out.mkdir(parents=True, exist_ok=True)
    objectives = {"glyphs": OBJECTIVES, "shapes": GEOMETRY}.get(options.data, PAPER)
    if unknown := [name for name in options.objectives or () if name not in objectives]:
        raise SystemExit(f"--objectives are some of {list(objectives)}. Received {unknown}.")
    objectives = {name: objectives[name] for name in options.objectives or objectives}
    results = options.out / "results.jsonl"
    for name, objective in objectives.items():
        keys = [describe(options, name, seed) for seed in range(options.seeds)]
        missing = [key for key in keys if find(results, key) is None]
        if options.show:
            missing = []
        if missing:
            trial = Trial(options, objective)
        for key in missing:
            scores, samples = trial.run(key["seed"])
            np.savez_compressed(sample_file(options.out, key), **samples)
            with open(results, "a") as file:
                file.write(json.dumps({**key, **scores}) + "\n")
            print(f"{name}, seed {key['seed']}: {scores}", file=sys.stderr, flush=True)
    print(markdown(options, objectives, results))
    draw(options, objectives).savefig(options.out / "study.png", dpi=100, bbox_inches="tight")
    if any(objective.pairs for objective in objectives.values()) and options.data != "shapes":
        draw_pairs(options, objectives, results).savefig(options.out / "pairs.png", dpi=100)


def parse():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path, required=True, help="folder of the results")
    parser.add_argument("--data", default="glyphs", help="glyphs, shapes, or a folder of images")
    parser.add_argument("--palette", help="colours of label maps in B: facades, or a JSON file")
    parser.add_argument("--objectives", nargs="+", help="rows of the table; default: all")
    parser.add_argument("--steps", type=int, default=STEPS, help="training steps of each run")
    parser.add_argument("--seeds", type=int, default=3, help="runs of each objective")
    parser.add_argument("--image-size", type=int, default=32, help="height and width in pixels")
    parser.add_argument("--show", action="store_true", help="train nothing, show what there is")
    return parser.parse_args()


def describe(options, name, seed):
    """What a run is known by: with another setting it is another run."""
    return {
        "objective": name,
        "seed": seed,
        "data": Path(options.data).name,
        "steps": options.steps,
        "image_size": options.image_size,
    }


def find(results, key):
    """The scores of a run that was made before, or None."""
    if not results.exists():
        return None
    for line in results.read_text().splitlines():
        row = json.loads(line)
        if all(row[name] == value for name, value in key.items()):
            return row
    return None


def sample_file(folder, key):
    letters = "".join(c if c.isalnum() else "-" for c in "-".join(map(str, key.values())))
    return folder / f"{letters}.npz"


# --- one run -------------------------------------------------------------------------------------


class Trial:
    """One objective, to be trained under from several seeds: all in one graph."""

    def __init__(self, options, objective):
        keras.utils.clear_session(free_memory=True)
        self.options = options
        self.objective = objective
        self.shape = (options.image_size, options.image_size, 3)
        self.model = build(objective, self.shape)
        compile_model(self.model, objective)
        model = self.model
        kept = (*model.optimizer.variables, *model.pool_a.variables, *model.pool_b.variables)
        self.start = [(variable, keras.ops.convert_to_numpy(variable)) for variable in kept]

    def run(self, seed):
        """Train anew, and return the scores and some images."""
        keras.utils.set_random_seed(seed)
        fresh = build(self.objective, self.shape)
        for name in ("generator_ab", "generator_ba", "discriminator_a", "discriminator_b"):
            getattr(self.model, name).set_weights(getattr(fresh, name).get_weights())
        for variable, value in self.start:
            variable.assign(value)
        train, test = load(self.options, seed, self.objective.pairs, self.objective.masks)
        began = time.perf_counter(), time.process_time()
        self.model.fit(train, epochs=1, verbose=0)
        seconds = {
            "seconds": round(time.perf_counter() - began[0], 1),
            "processor_seconds": round(time.process_time() - began[1], 1),
        }
        scores, samples = score(self.model, test, **scoring(self.options))
        return {**scores, **seconds}, samples


def scoring(options):
    """What is measured of this data beside what is measured of any."""
    from keras_cyclegan.evaluation import read_palette

    return {"turns": options.data == "shapes", "palette": read_palette(options.palette)}


def build(objective, shape):
    networks = kcg.networks
    size = GENERATOR if objective.generator != "ugatit" else {"filters": 8, "num_blocks": 2}
    make = {
        "resnet": networks.ResNetGenerator,
        "attention": networks.AttentionGenerator,
        "ugatit": networks.UGATITGenerator,
    }[objective.generator]
    if objective.generator == "attention":
        size = {**size, "shared_decoder": True, "input_skip": objective.input_skip}
    generators = [make(shape, **size) for _ in range(2)]
    if objective.discriminator == "projected":
        judges = [
            networks.ProjectedDiscriminator(
                shape, filters=32, pixel_filters=DISCRIMINATOR_FILTERS, num_scales=2
            )
            for _ in range(2)
        ]
    elif objective.discriminator == "ugatit":
        judges = [
            networks.UGATITDiscriminator(shape, DISCRIMINATOR_FILTERS, num_layers=(3, 4))
            for _ in range(2)
        ]
    else:
        judges = [
            networks.PatchDiscriminator(shape, DISCRIMINATOR_FILTERS, num_layers=2)
            for _ in range(2)
        ]
    return kcg.CycleGAN(*generators, *judges, image_shape=shape)


def compile_model(model, objective):
    losses, weight = kcg.losses, max(objective.forward, objective.backward)
    closeness = losses.CycleConsistencyLoss("l1", weight=10.0)
    terms = [losses.PairTerm(closeness)] if objective.pairs else []
    terms += [losses.KeepTerm(closeness)] if objective.masks else []
    rates = [kcg.optimizers.paper_adam(kcg.optimizers.LinearDecay(RATE)) for _ in range(2)]
    model.compile(
        *rates,
        adversarial_loss=losses.AdversarialLoss(objective.game, objective.adversarial),
        cycle_loss=losses.CycleConsistencyLoss(objective.norm, weight),
        # `weight_a` and `weight_b` are factors of one weight, of the identity terms too, which
        # none of the objectives with one cycle has.
        weight_a=objective.forward / weight if weight else 1.0,
        weight_b=objective.backward / weight if weight else 1.0,
        identity_loss=losses.IdentityLoss(weight=objective.identity)
        if objective.identity
        else None,
        content_loss=objective.content and losses.ContentLoss(objective.content, weight=2.0),
        activation_loss=100.0 if objective.generator == "ugatit" else None,
        cycle_schedule=losses.WeightSchedule(objective.final) if objective.final < 1 else None,
        terms=terms,
        shown=losses.inside_masks if objective.masks else None,
    )


# --- what is shown -------------------------------------------------------------------------------


def markdown(options, objectives, results):
    """The table: means and standard deviations over the seeds, of what the data allows."""
    found = {
        name: [find(results, describe(options, name, seed)) for seed in range(options.seeds)]
        for name in objectives
    }
    found = {name: [row for row in rows if row is not None] for name, rows in found.items()}
    trained = [row for rows in found.values() for row in rows]
    _, test = load(options, seed=0)
    baselines = {"untranslated": [score_untranslated(test, **scoring(options))]}
    if palette := scoring(options)["palette"]:
        baselines["the commonest label everywhere"] = [score_commonest(test, palette)]
    rows = {**baselines, **{name: some for name, some in found.items() if some}}
    keys = [(name, way) for name in COLUMNS for way in ("ab", "ba")]
    keys = [
        key for key in keys if any("_".join(key) in row for some in rows.values() for row in some)
    ]
    titles = [f"{name.replace('_', ' ')} {'→'.join(way.upper())}" for name, way in keys]
    lines = [f"| objective | {' | '.join(titles)} |", "|---" * (len(titles) + 1) + "|"]
    for name, some in rows.items():
        cells = [cell([row.get("_".join(key)) for row in some], COLUMNS[key[0]]) for key in keys]
        if name in found and len(some) < options.seeds:
            name += f" ({len(some)} of {options.seeds} seeds)"
        lines.append(f"| {name} | {' | '.join(cells)} |")
    minutes, processor_minutes = (
        sum(row[name] for row in trained) / 60 for name in ("seconds", "processor_seconds")
    )
    seeds = f"{options.seeds} seeds, mean ± standard deviation" if options.seeds > 1 else "one seed"
    lines.append(
        f"\n{options.steps} steps of {BATCH} images of {options.image_size}×{options.image_size}, "
        f"{seeds}. Training took {minutes:.0f} minutes, {processor_minutes:.0f} of them processor "
        f"minutes, on {machine()}."
    )
    return "\n".join(lines)


def cell(values, form):
    values = [value for value in values if value is not None]
    if not values:
        return "–"
    spread = f" ± {form.format(np.std(values))}" if len(values) > 1 else ""
    return form.format(np.mean(values)) + spread


def machine():
    from keras_cyclegan.processor import describe_machine

    return f"{describe_machine()}, {keras.backend.backend()}"


def draw(options, objectives):
    """A row of translations A→B for each objective, of the first seed, below what was given."""
    from matplotlib.figure import Figure

    files = {name: sample_file(options.out, describe(options, name, 0)) for name in objectives}
    samples = {name: dict(np.load(file)) for name, file in files.items() if file.exists()}
    if not samples:
        raise SystemExit("No run has ended yet.")
    first = next(iter(samples.values()))
    rows = {"domain A": first["a"], "domain B, the same": first["b"]}
    rows |= {name: each["ab"] for name, each in samples.items()}
    figure = Figure(figsize=(9, 0.62 * len(rows)), layout="constrained")
    for axes, (name, images) in zip(figure.subplots(len(rows)), rows.items(), strict=True):
        axes.imshow(np.concatenate(list(images), axis=1), interpolation="nearest")
        axes.set_axis_off()
        axes.text(-4, images.shape[1] / 2, name.split(":")[0], ha="right", va="center", fontsize=9)
    return figure


def draw_pairs(options, objectives, results):
    """Scores against the number of pairs, means and standard deviations over the seeds."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 2.8), layout="constrained")
    titles = {"error_ab": "error A→B", "error_ba": "error B→A", "mean_iou_ab": "mean IoU A→B"}
    for axes, (key, title) in zip(figure.subplots(1, len(titles)), titles.items(), strict=True):
        points = []
        for name, objective in objectives.items():
            keys = (describe(options, name, seed) for seed in range(options.seeds))
            values = [row[key] for row in (find(results, k) for k in keys) if row and key in row]
            if values:
                points.append((objective.pairs, np.mean(values), np.std(values)))
        if points:
            axes.errorbar(*zip(*sorted(points), strict=True), marker="o", capsize=3)
        axes.set_xscale("symlog", linthresh=4)
        axes.set(title=title, xlabel="pairs", xticks=sorted({point[0] for point in points}))
        axes.xaxis.set_major_formatter("{x:.0f}")
        axes.spines[["top", "right"]].set_visible(False)
    return figure


if __name__ == "__main__":
    main()
