"""Why cycle consistency? Each term of the objective by itself, at equal steps.

    python examples/why_cycle_consistency.py --out study

trains the same small networks under one objective after the other (Zhu et al. 2017, tables 4 and 5,
in small), prints what came of it as a markdown table, and draws one picture. Ended and started
again, it goes on with the runs that are missing. Another set of images:

    python examples/why_cycle_consistency.py --out study --data path/to/facades --image-size 128

where `testA` and `testB` hold pairs (the same names, less `_A` and `_B`), errors against the truth
are reported too; where they don't, only what needs no truth. `--data shapes` draws two domains that
differ in geometry, and compares what may help there.
"""

import argparse
import dataclasses
import json
import sys
import time
from pathlib import Path

import numpy as np

GENERATOR = {"filters": 16, "num_blocks": 3}
DISCRIMINATOR_FILTERS = 16
BATCH = 4
SHOWN = 10  # images of domain A in the picture
STEPS = 400
RATE = 1e-3  # five times the paper's, for runs this short


@dataclasses.dataclass(frozen=True)
class Objective:
    """What one run minimises. The defaults are the full objective of the paper, less identity.

    Args:
        forward, backward: floats. Weights of ‖ba(ab(a)) − a‖ and ‖ab(ba(b)) − b‖.
        norm: their norm.
        identity: float. Weight of the identity terms.
        game: kind of `AdversarialLoss`.
        discriminator: `"patch"` or `"projected"`.
        generator: `"resnet"`, `"attention"` or `"ugatit"`.
        final: float. Part of the cycle weights that is left at the end.
    """

    forward: float = 10.0
    backward: float = 10.0
    norm: str = "l1"
    identity: float = 0.0
    game: str = "least_squares"
    discriminator: str = "patch"
    generator: str = "resnet"
    final: float = 1.0


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
# What may help where geometry has to change.
GEOMETRY = {
    "adversarial only": Objective(forward=0.0, backward=0.0),
    FULL: Objective(),
    "full + identity": Objective(identity=5.0),
    "weak cycle, λ = 1": Objective(forward=1.0, backward=1.0),
    "λ from 10 to 0.5": Objective(final=0.05),
    "full, attention": Objective(generator="attention"),
    "full, U-GAT-IT": Objective(generator="ugatit", identity=10.0),
}


def main():
    options = parse()
    # Not before `--help` was answered.
    global keras, kcg
    import keras

    import keras_cyclegan as kcg

    options.out.mkdir(parents=True, exist_ok=True)
    objectives = GEOMETRY if options.data == "shapes" else OBJECTIVES
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


def parse():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path, required=True, help="folder of the results")
    parser.add_argument("--data", default="glyphs", help="glyphs, shapes, or a folder of images")
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
        train, test = load(self.options, seed)
        began = time.perf_counter(), time.process_time()
        self.model.fit(train, epochs=1, verbose=0)
        seconds = {
            "seconds": round(time.perf_counter() - began[0], 1),
            "processor_seconds": round(time.process_time() - began[1], 1),
        }
        scores, samples = score(self.model, test)
        return {**scores, **seconds}, samples


def load(options, seed):
    """Unpaired batches for training, and whole sets to score on."""
    size, steps = options.image_size, options.steps
    if options.data == "shapes":
        from keras_cyclegan.data.image_sets import ImageSets

        train = [shapes(domain, 800, seed=i, size=size) for i, domain in enumerate("ab")]
        train = kcg.data.unpaired_dataset(
            *train, batch_size=BATCH, flip=False, seed=seed, steps_per_epoch=steps
        )
        test = [shapes(domain, 192, seed=2, size=size) for domain in "ab"]
        return train, ImageSets(*test, paired=True)
    train, _ = kcg.data.load(
        options.data, image_size=size, batch_size=BATCH, seed=seed, steps_per_epoch=steps
    )
    return train, kcg.data.load_sets(options.data, size)


def build(objective, shape):
    networks = kcg.networks
    size = GENERATOR if objective.generator != "ugatit" else {"filters": 8, "num_blocks": 2}
    make = {
        "resnet": networks.ResNetGenerator,
        "attention": networks.AttentionGenerator,
        "ugatit": networks.UGATITGenerator,
    }[objective.generator]
    if objective.generator == "attention":
        size = {**size, "shared_decoder": True}
    generators = [make(shape, **size) for _ in range(2)]
    if objective.discriminator == "projected":
        judges = [
            networks.ProjectedDiscriminator(
                shape, filters=32, pixel_filters=DISCRIMINATOR_FILTERS, num_scales=2
            )
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
    rates = [kcg.optimizers.paper_adam(kcg.optimizers.LinearDecay(RATE)) for _ in range(2)]
    model.compile(
        *rates,
        adversarial_loss=objective.game,
        cycle_loss=losses.CycleConsistencyLoss(objective.norm, weight),
        # `weight_a` and `weight_b` are factors of one weight, of the identity terms too, which
        # none of the objectives with one cycle has.
        weight_a=objective.forward / weight if weight else 1.0,
        weight_b=objective.backward / weight if weight else 1.0,
        identity_loss=losses.IdentityLoss(weight=objective.identity)
        if objective.identity
        else None,
        activation_loss=100.0 if objective.generator == "ugatit" else None,
        cycle_schedule=losses.WeightSchedule(objective.final) if objective.final < 1 else None,
    )


# --- scores --------------------------------------------------------------------------------------


def score(model, test):
    """What a run is worth, by name, and images to look at.

    - error: mean absolute difference to the truth, black to white = 1, as quickstart reports it.
    - found: of how many translations the own truth is the nearest of all images of the target
      domain, which says whether the content is kept, whatever the style.
    - diversity: mean distance of two translations, as a part of that of two real images of the
      target domain: near 0 where all images become one.
    - round trip: mean absolute difference of an image and its translation back.
    """
    scores, samples = {}, {"a": test.a[:SHOWN], "b": test.b[:SHOWN]}
    for direction, source, target in (("ab", test.a, test.b), ("ba", test.b, test.a)):
        way = "a_to_b" if direction == "ab" else "b_to_a"
        fake = model.translate(source, direction=way)
        back = model.reconstruct(source, direction=way)
        samples[direction], samples[f"{direction}_back"] = fake[:SHOWN], back[:SHOWN]
        found = measure(source, fake, back, target, test.paired)
        scores |= {f"{name}_{direction}": value for name, value in found.items()}
    return scores, samples


def score_untranslated(test):
    """The scores of a model that changes nothing."""
    there = measure(test.a, test.a, test.a, test.b, test.paired)
    back = measure(test.b, test.b, test.b, test.a, test.paired)
    return {f"{name}_ab": value for name, value in there.items()} | {
        f"{name}_ba": value for name, value in back.items()
    }


def measure(source, fake, back, target, paired):
    to_real = distances(fake, target) if paired else None
    own = np.arange(len(fake))
    values = {
        "error": to_real[own, own].mean() if paired else None,
        "found": (to_real.argmin(1) == own).mean() if paired else None,
        "diversity": spread(fake) / spread(target),
        "round_trip": np.abs(back / 255 - source / 255).mean(),
    }
    return {k: None if v is None else round(float(v), 4) for k, v in values.items()}


def distances(first, second):
    """Mean absolute difference of each image of the one to each of the other, `(n, m)`."""
    first, second = (np.float32(x).reshape(len(x), -1) / 255 for x in (first, second))
    return np.stack([np.abs(second - image).mean(1) for image in first])


def spread(images):
    """Mean distance of two different images."""
    between = distances(images, images)
    return between.sum() / (len(images) * (len(images) - 1))


# --- data with another geometry ------------------------------------------------------------------


def shapes(domain, count, seed, size=32):
    """Draw upright ellipses (A) or lying rectangles (B), of one colour each, on pale grounds.

    Image i of both domains has the same middle, area and colours: the pair that a translator
    should find, if it kept all that the domains share.
    """
    from PIL import Image, ImageDraw

    random = np.random.RandomState(seed)
    images = np.empty((count, size, size, 3), "uint8")
    for image in images:
        ground, colour = random.randint(200, 256, 3), random.randint(0, 160, 3)
        x, y = random.uniform(0.35, 0.65, 2) * 4 * size
        radius = random.uniform(0.1, 0.2) * 4 * size
        high, wide = (1.6 * radius, 0.8 * radius) if domain == "a" else (0.7 * radius, 1.4 * radius)
        canvas = Image.new("RGB", (4 * size, 4 * size), tuple(map(int, ground)))
        box = [x - wide, y - high, x + wide, y + high]
        draw = ImageDraw.Draw(canvas)
        (draw.ellipse if domain == "a" else draw.rectangle)(box, fill=tuple(map(int, colour)))
        image[:] = np.asarray(canvas.resize((size, size), Image.Resampling.BOX))
    return images


# --- what is shown -------------------------------------------------------------------------------

COLUMNS = {"error": "{:.4f}", "found": "{:.0%}", "diversity": "{:.2f}", "round_trip": "{:.4f}"}


def markdown(options, objectives, results):
    """The table: means over the seeds, and the standard deviation of the first column."""
    titles = [f"{name.replace('_', ' ')} {way}" for name in COLUMNS for way in ("A→B", "B→A")]
    lines = [f"| objective | {' | '.join(titles)} |", "|---" * (len(titles) + 1) + "|"]
    seconds, processor = [], []
    _, test = load(options, seed=0)
    for name in ("untranslated", *objectives):
        rows = [find(results, describe(options, name, seed)) for seed in range(options.seeds)]
        if name == "untranslated":
            rows = [{**score_untranslated(test), "seconds": 0, "processor_seconds": 0}]
        rows = [row for row in rows if row is not None]
        if not rows:
            continue
        cells = []
        for column, form in COLUMNS.items():
            for direction in ("ab", "ba"):
                values = [row[f"{column}_{direction}"] for row in rows]
                if None in values:
                    cells.append("–")
                    continue
                cell = form.format(np.mean(values))
                if len(values) > 1:
                    cell += f" ± {form.format(np.std(values))}"
                cells.append(cell)
        part = ""
        if name != "untranslated" and len(rows) < options.seeds:
            part = f" ({len(rows)} of {options.seeds} seeds)"
        lines.append(f"| {name}{part} | {' | '.join(cells)} |")
        seconds += [row["seconds"] for row in rows]
        processor += [row["processor_seconds"] for row in rows]
    lines.append(
        f"\n{options.steps} steps of {BATCH} images of {options.image_size}×{options.image_size}, "
        f"{options.seeds} seeds, mean ± standard deviation. Training took {sum(seconds) / 60:.0f} "
        f"minutes, {sum(processor) / 60:.0f} of them processor minutes, on {machine()}."
    )
    return "\n".join(lines)


def machine():
    from keras_cyclegan.commands.run_card import processor

    return f"{processor()}, {keras.backend.backend()}"


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


if __name__ == "__main__":
    main()
