"""A term of your own: `python edge_term.py` keeps edges; `--weight 0` shows what it changes."""

import typer

import keras_cyclegan as kcg


class EdgeTerm(kcg.losses.Term):
    names, weight = ("edges_a", "edges_b"), 10.0

    def __call__(self, passes):
        changes = passes.fake_b - passes.batch.a, passes.fake_a - passes.batch.b
        return {n: self.weight * edges(x) for n, x in zip(self.names, changes, strict=True)}


def edges(change):  # L1 of what changes from each pixel to the next, down and across
    down, across = change[:, 1:] - change[:, :-1], change[:, :, 1:] - change[:, :, :-1]
    return sum(kcg.losses.average(abs(x)) for x in (down, across))


def main(weight: float = 10.0, steps: int = 300):
    train, test = kcg.data.load("glyphs", image_size=32, batch_size=4, steps_per_epoch=steps)
    model, EdgeTerm.weight = kcg.CycleGAN.from_preset("glyphs"), weight
    model.compile(terms=[EdgeTerm()])
    model.fit(train)
    changed = [float(edges(model.generator_ab(a) - a)) for a, _ in test]
    print(f"Edges of A change by {sum(changed) / len(changed):.4f} in translation.")


if __name__ == "__main__":
    typer.run(main)
