"""Passes that are computed again for their gradients."""

import keras
import pytest
from support.cyclegan_helpers import (
    IMAGES_A,
    IMAGES_B,
    assert_same_state,
    make_networks,
    make_plain_model,
    sgd,
)

from keras_cyclegan import CycleGAN
from keras_cyclegan.networks import ResNetGenerator


@pytest.mark.backend
def test_a_step_is_the_same_with_and_without():
    models = []
    # With instance norms, whose gradient is the package's own on TensorFlow.
    real = ("generator_ab",) if keras.backend.backend() == "tensorflow" else ()
    for remat in (True, False):
        model = make_plain_model(real=real)
        model.compile(**sgd(), remat=remat, run_eagerly=not remat)
        model.train_on_batch(IMAGES_A[:2], IMAGES_B[:2])
        models.append(model)
    assert_same_state(*models, atol=1e-5)


def test_a_pass_that_would_draw_anew_is_refused():
    networks = make_networks()
    networks["generator_ab"] = ResNetGenerator((16, 16, 3), filters=4, num_blocks=1, dropout=0.5)
    with pytest.raises(ValueError, match="leave dropout and batch norm out"):
        CycleGAN(**networks, image_shape=(16, 16, 3)).compile(remat=True)
