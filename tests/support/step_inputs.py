"""Weights and images of the whole-step tests: numpy's frozen generator, so the same everywhere."""

import numpy as np

SIZE = 32
BATCH = 2
STEPS = 3
FILTERS = 4

# One network of each kind; every pair of neighbours in the cycle differs.
NETWORKS = ("generator_ab", "generator_ba", "discriminator_a", "discriminator_b")
RECIPES = {
    "sgd": {"optimizer": "sgd"},
    "adam": {"optimizer": "adam"},
    "min_max": {
        "optimizer": "sgd",
        "adversarial": "min_max",
        "cycle": "l2",
        "identity": "l2",
        "weight_a": 0.5,
        "weight_b": 2.0,
    },
    "no_identity": {"optimizer": "sgd", "identity": None},
}
LEARNING_RATES = {"sgd": 0.01, "adam": 2e-4}


def draw_weights(shapes, seed):
    """Kernels of about unit gain, so that every layer matters after three steps; small biases."""
    random = np.random.RandomState(seed)
    weights = []
    for shape in shapes:
        scale = 1.0 / np.sqrt(np.prod(shape[:3])) if len(shape) == 4 else 0.05
        weights.append((scale * random.standard_normal(shape)).astype("float32"))
    return weights


def draw_images(seed=0):
    """`STEPS` batches `(a, b)`; B is brighter than A."""
    random = np.random.RandomState(seed)
    shape = (BATCH, SIZE, SIZE, 3)
    return [
        (
            random.uniform(-1, 0.5, shape).astype("float32"),
            random.uniform(-0.5, 1, shape).astype("float32"),
        )
        for _ in range(STEPS)
    ]
