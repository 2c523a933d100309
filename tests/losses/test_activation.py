"""U-GAT-IT's auxiliary heads: what they learn, and how their loss joins the objective."""

import keras
import numpy as np
import pytest
from support.cyclegan_helpers import array, discriminator_losses, generator_losses, make_model
from support.gradients import input_gradient

from keras_cyclegan import CycleGAN
from keras_cyclegan.losses import AdversarialLoss, ClassActivationLoss, WeightSchedule
from keras_cyclegan.networks import UGATITDiscriminator, UGATITGenerator

SHAPE = (32, 32, 3)
A, B = (
    np.random.RandomState(seed).uniform(-1, 1, (2, *SHAPE)).astype("float32") for seed in (0, 1)
)


@pytest.fixture(scope="module")
def model():
    """Its losses as in the paper; its heads' weights large enough to tell images apart."""
    keras.utils.set_random_seed(0)
    generators = [UGATITGenerator(SHAPE, filters=2, num_blocks=1) for _ in range(2)]
    judges = [UGATITDiscriminator(SHAPE, filters=2, num_layers=3) for _ in range(2)]
    for generator in generators:
        head = generator.get_layer("activation")
        for weight in head.weights:
            weight.assign(np.random.RandomState(0).normal(size=weight.shape))
    model = CycleGAN(*generators, *judges, image_shape=SHAPE, pool_size=0)
    model.compile(
        adversarial_loss=AdversarialLoss(weight=4.0),
        activation_loss=1000.0,
        cycle_schedule=WeightSchedule(0.1, decay_steps=4),
        run_eagerly=True,
    )
    return model


def cross_entropy(logits, target):
    probability = 1 / (1 + np.exp(-np.asarray(logits, "float64")))
    return -np.log(probability if target else 1 - probability).mean()


@pytest.mark.backend
def test_loss_and_gradients_are_those_of_a_cross_entropy():
    source, target = np.random.RandomState(0).normal(0, 3, (2, 5, 2)).astype("float32")
    loss = ClassActivationLoss(7.0)
    expected = 7 * (cross_entropy(source, 1) + cross_entropy(target, 0))
    assert float(array(loss(source, target))) == pytest.approx(expected, rel=1e-5)

    sigmoid = 1 / (1 + np.exp(-np.stack([source, target])))
    tensors = [keras.ops.convert_to_tensor(x) for x in (source, target)]
    found = input_gradient(lambda x: loss(x, tensors[1]), tensors[0])
    np.testing.assert_allclose(array(found), 7 * (sigmoid[0] - 1) / 10, atol=1e-5)
    found = input_gradient(lambda x: loss(tensors[0], x), tensors[1])
    np.testing.assert_allclose(array(found), 7 * sigmoid[1] / 10, atol=1e-5)


def test_loss_is_saved_with_its_weight_and_refuses_a_negative_one():
    copy = keras.saving.deserialize_keras_object(
        keras.saving.serialize_keras_object(ClassActivationLoss(3.0))
    )
    assert (copy.weight, copy.name) == (3.0, "activation")
    with pytest.raises(ValueError, match="weight=-1"):
        ClassActivationLoss(-1)


def test_each_head_learns_which_images_are_its_own_to_translate(model):
    losses, _ = generator_losses(model, A, B, training=True)
    for name, generator, own, others in (
        ("activation_ab", model.generator_ab, A, B),
        ("activation_ba", model.generator_ba, B, A),
    ):
        logits = [array(generator.class_logits(x)) for x in (own, others)]
        expected = 1000 * (cross_entropy(logits[0], 1) + cross_entropy(logits[1], 0))
        assert float(array(losses[name])) == pytest.approx(expected, rel=1e-4)
    assert float(array(losses["activation_ab"])) != pytest.approx(
        float(array(losses["activation_ba"])), rel=0.01
    )


def test_adversarial_loss_sums_both_maps_and_both_heads(model):
    """The authors' sums: squares for each of four outputs; the discriminators' by half."""
    losses, (fake_a, fake_b) = generator_losses(model, A, B, training=False)
    fooled = [np.square(array(x) - 1).mean() for x in model.discriminator_b(fake_b)]
    assert len(fooled) == 4
    assert float(array(losses["adversarial_ab"])) == pytest.approx(sum(fooled), rel=1e-4)

    losses = discriminator_losses(model, A, B, fake_a, fake_b, training=False)
    outputs = zip(model.discriminator_a(A), model.discriminator_a(fake_a), strict=True)
    told = [np.square(array(r) - 1).mean() + np.square(array(f)).mean() for r, f in outputs]
    assert float(array(losses["discriminator_a"])) == pytest.approx(sum(told) / 2, rel=1e-4)


# Under other backends: tests/networks/test_several_maps_and_attention.py.
def test_a_step_trains_the_heads_and_logs_their_loss(model):
    head = model.generator_ab.get_layer("activation")
    before = array(head.of_means)
    logs = model.train_on_batch(A, B, return_dict=True)
    assert logs["activation_ab"] > 0
    assert logs["activation_ba"] > 0
    assert np.abs(array(head.of_means) - before).max() > 1e-5


def test_the_logits_of_a_head_cost_no_weights_and_no_files(model):
    generator = model.generator_ab
    names = {id(weight) for weight in generator.weights}
    assert len(names) == len(generator.weights)
    assert array(generator.class_logits(A)).shape == (2, 2)
    with pytest.raises(ValueError, match=r"multiples of 4\. Received 30×32"):
        generator.class_logits(A[:, :30])


def test_generators_without_a_head_are_refused():
    with pytest.raises(ValueError, match=r"class_logits\(images\).*ResNetGenerator"):
        make_model().compile(activation_loss=1.0)
