"""One operation gives what Keras's Adam gives."""

import keras
import numpy as np
import pytest

from keras_cyclegan.optimizers import LinearDecay
from keras_cyclegan.optimizers.adam import FusedAdam

pytestmark = pytest.mark.backend


def run(optimizer, jit_compile, steps=4):
    """Some steps with gradients of several sizes; the variables, and the optimizer's."""
    random = np.random.RandomState(0)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    model.set_weights([random.normal(size=(3, 2)), random.normal(size=2)])
    model.compile(optimizer, "mse", jit_compile=jit_compile)
    for _ in range(steps):
        x, y = random.normal(size=(4, 3)), 1e-3 * random.normal(size=(4, 2))
        model.train_on_batch(x, y)
    variables = [*model.trainable_variables, *model.optimizer.variables]
    return [keras.ops.convert_to_numpy(v) for v in variables]


@pytest.mark.parametrize("jit_compile", [False, True])
@pytest.mark.parametrize("options", [{}, {"global_clipnorm": 0.1}, {"amsgrad": True}])
def test_steps_and_moments_are_those_of_keras_s_adam(options, jit_compile):
    if jit_compile and keras.backend.backend() == "torch":
        pytest.skip("torch compiles no step")
    options |= {"beta_1": 0.5, "epsilon": 1e-8}
    results = []
    for kind in (FusedAdam, keras.optimizers.Adam):
        rate = LinearDecay(1e-2, constant_steps=1, decay_steps=10)
        results.append(run(kind(rate, **options), jit_compile))
    for ours, theirs in zip(*results, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-6)  # steps are of 1e-2


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="looks into a graph")
def test_an_update_is_one_operation():
    import tensorflow as tf

    variable, optimizer = keras.Variable(np.ones(3, "float32")), FusedAdam()
    optimizer.build([variable])

    @tf.function
    def update(gradient):
        optimizer.apply([gradient], [variable])

    graph = update.get_concrete_function(tf.ones(3)).graph
    assert [op.type for op in graph.get_operations()].count("ResourceApplyAdam") == 1
    assert not any(op.type == "Sqrt" for op in graph.get_operations())
