"""Steps that share an update of the weights."""

import keras
import numpy as np
import pytest
from support.cyclegan_helpers import IMAGES_A, IMAGES_B, array, compiled, make_plain_model

from keras_cyclegan.optimizers import paper_adam

pytestmark = pytest.mark.backend


def trained(steps, batch, run_eagerly, **options):
    """The trained variables after some steps; SGD hides no factor."""
    generators, discriminators = (keras.optimizers.SGD(0.01, **options) for _ in range(2))
    model = compiled(
        make_plain_model(pool_size=0),
        run_eagerly,
        generator_optimizer=generators,
        discriminator_optimizer=discriminators,
    )
    for i in range(steps):
        part = slice(i * batch, (i + 1) * batch)
        model.train_on_batch(IMAGES_A[part], IMAGES_B[part])
    return [array(v) for v in model.trainable_variables]


def test_two_steps_of_one_image_are_one_step_of_two():
    apart = trained(2, 1, run_eagerly=False, gradient_accumulation_steps=2)
    together = trained(1, 2, run_eagerly=None)
    for ours, theirs in zip(apart, together, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-6)


def test_the_paper_s_adam_updates_after_so_many_steps():
    variable = keras.Variable(np.ones(3, "float32"))
    optimizer = paper_adam(0.5, accumulate=3)
    optimizer.build([variable])
    found = []
    for gradient in (1.0, 2.0, 3.0, 1.0):
        optimizer.apply([keras.ops.full((3,), gradient)], [variable])
        found.append(float(array(variable)[0]))
    np.testing.assert_allclose(found, [1.0, 1.0, 0.5, 0.5], atol=1e-5)  # Adam begins at its rate
    assert paper_adam().gradient_accumulation_steps is None
