"""Distances between images: value and gradient are those of torch's own functions."""

import keras
import numpy as np
import pytest
from support.gradients import input_gradient

from keras_cyclegan.losses import CycleConsistencyLoss, IdentityLoss, PerceptualLoss

torch = pytest.importorskip("torch", reason="parity is measured against torch")
functional = torch.nn.functional
pytestmark = pytest.mark.backend

KERNEL = np.random.RandomState(0).standard_normal((3, 3, 3, 4)).astype("float32")
DISTANCES = {"l1": functional.l1_loss, "l2": functional.mse_loss}


def features():
    """A convolution, and the same with its pixels averaged by four."""
    images = keras.Input((None, None, 3))
    conv = keras.layers.Conv2D(4, 3, use_bias=False)
    maps = conv(images)
    conv.set_weights([KERNEL])
    return keras.Model(images, [maps, keras.layers.AveragePooling2D(2)(maps)])


def perceptual(norm, real, shown):
    kernel = torch.tensor(KERNEL.transpose(3, 2, 0, 1))
    fine = [functional.conv2d(x.permute(0, 3, 1, 2), kernel) for x in (real, shown)]
    coarse = [functional.avg_pool2d(x, 2) for x in fine]
    return 3.0 * (DISTANCES[norm](*fine) + DISTANCES[norm](*coarse))


CASES = {
    "cycle": (lambda norm: CycleConsistencyLoss(norm), lambda n, *x: 10.0 * DISTANCES[n](*x)),
    "identity": (lambda norm: IdentityLoss(norm, 2.0), lambda n, *x: 2.0 * DISTANCES[n](*x)),
    "perceptual": (lambda norm: PerceptualLoss(features(), norm, weight=3.0), perceptual),
}


@pytest.mark.parametrize("norm", DISTANCES)
@pytest.mark.parametrize("case", CASES)
def test_value_and_gradient_equal_torch_s(case, norm):
    make, expected = CASES[case]
    real, shown = np.random.RandomState(1).uniform(-1, 1, (2, 2, 6, 8, 3)).astype("float32")
    tensor = torch.tensor(shown, requires_grad=True)
    wanted = expected(norm, torch.tensor(real), tensor)
    wanted.backward()

    loss, given = make(norm), keras.ops.convert_to_tensor(shown)
    value = keras.ops.convert_to_numpy(loss(real, given))
    assert float(value) == pytest.approx(float(wanted.detach()), rel=1e-5)
    found = keras.ops.convert_to_numpy(input_gradient(lambda x: loss(real, x), given))
    np.testing.assert_allclose(found, tensor.grad.numpy(), atol=1e-5)
