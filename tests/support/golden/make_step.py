"""Write `step.json`: losses and weights of three whole steps of the plain-PyTorch CycleGAN.

Run `python tests/support/golden/make_step.py` where torch is installed. `test_torch_parity.py`
holds the package to the file where torch is absent.
"""

import json
import re
import sys
from pathlib import Path

import torch

FOLDER = Path(__file__).parent
sys.path.insert(0, str(FOLDER.parents[1]))

from support import torch_reference as reference  # noqa: E402
from support.step_inputs import (  # noqa: E402
    FILTERS,
    LEARNING_RATES,
    NETWORKS,
    RECIPES,
    draw_images,
    draw_weights,
)


def make_networks():
    networks = (
        reference.ResNetGenerator(3, 3, FILTERS, num_blocks=2),
        reference.UNetGenerator(3, 3, FILTERS, num_downsamplings=5),
        reference.PatchDiscriminator(3, FILTERS, num_layers=2),
        reference.PixelDiscriminator(3, FILTERS),
    )
    for seed, network in enumerate(networks):
        shapes = [array.shape for array in reference.keras_weights(network)]
        reference.load_keras_weights(network, draw_weights(shapes, seed))
    return networks


class Adam(torch.optim.Adam):
    """Adam with epsilon where Keras has it: beside the moment before its bias is corrected.

    Torch has it behind the correction, so Keras's 1e-8 acts as 3e-7 in the first step. It matters
    to gradients that small, of which the lowest layers of this U-Net have many.
    """

    def __init__(self, parameters, rate):
        super().__init__(parameters, rate, betas=(0.5, 0.999), eps=1e-8)
        self.steps_taken = 0

    def step(self):
        self.steps_taken += 1
        for group in self.param_groups:
            group["eps"] = 1e-8 / (1 - 0.999**self.steps_taken) ** 0.5
        super().step()


def make_optimizer(name):
    rate = LEARNING_RATES[name]
    if name == "sgd":
        return lambda parameters: torch.optim.SGD(parameters, rate)
    return lambda parameters: Adam(parameters, rate)


def run(recipe):
    """Three steps; the losses of each, and the networks."""
    networks = make_networks()
    options = {**RECIPES[recipe]}
    step = reference.Step(networks, make_optimizer(options.pop("optimizer")), **options)
    return [step(a, b) for a, b in draw_images()], networks


def summarize(arrays):
    """Sum, sum of absolute values and first value of each array."""
    return [[float(x.sum()), float(abs(x).sum()), float(x.flat[0])] for x in arrays]


def main():
    golden = {}
    for recipe in RECIPES:
        losses, networks = run(recipe)
        golden[recipe] = {
            "losses": [{k: round(v, 6) for k, v in step.items()} for step in losses],
            "weights": {
                name: [
                    [round(v, 6) for v in row]
                    for row in summarize(reference.keras_weights(network))
                ]
                for name, network in zip(NETWORKS, networks, strict=True)
            },
        }
    text = json.dumps(golden, indent=1)
    text = re.sub(r"\[\s+([^\[\]{}]+?)\s+\]", lambda row: f"[{' '.join(row[1].split())}]", text)
    (FOLDER / "step.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
