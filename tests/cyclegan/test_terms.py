"""Terms of one's own, batches that carry more than a pair, and training one side."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops
from support.cyclegan_helpers import (
    IMAGES_A,
    IMAGES_B,
    array,
    compiled,
    generator_losses,
    make_model,
    make_networks,
    make_plain_model,
    sgd,
    weights,
)

from keras_cyclegan import CycleGAN
from keras_cyclegan.losses import Lazy, Scheduled, Term, WeightSchedule, average
from keras_cyclegan.passes import Batch

MASK = np.zeros((6, 16, 16, 1), "float32")
MASK[:, 4:12, 4:12] = 1


@keras.saving.register_keras_serializable("tests")
class KeepTerm(Term):
    """What lies outside of the mask stays."""

    names = ("keep_b",)

    def __init__(self, weight=2.0, **kwargs):
        super().__init__(**kwargs)
        self.weight = weight

    def __call__(self, passes):
        change = ops.abs(passes.fake_b - passes.batch.a)
        return {"keep_b": self.weight * average((1.0 - passes.batch.mask_a) * change)}

    def get_config(self):
        return {**super().get_config(), "weight": self.weight}


@keras.saving.register_keras_serializable("tests")
class ProjectedTerm(Term):
    """A term with weights of its own."""

    names = ("projected",)

    def prepare(self, model):
        self.project = keras.layers.Dense(2)
        self.project.build((None, None, None, 3))

    def __call__(self, passes):
        return {"projected": average(ops.square(self.project(passes.fake_b) - 1.0))}


@keras.saving.register_keras_serializable("tests")
class WeightDecayTerm(Term):
    names = ("decay",)
    player = "discriminators"

    def __call__(self, game):
        kernels = game.discriminator("a").trainable_variables
        return {"decay": average(sum(ops.sum(ops.square(kernel)) for kernel in kernels))}


def masked_batch(n=2):
    return {"a": IMAGES_A[:n], "b": IMAGES_B[:n], "mask_a": MASK[:n]}


@pytest.mark.backend
def test_a_term_sees_the_passes_and_what_rides_along():
    model = make_plain_model()
    model.compile(terms=[KeepTerm(3.0)], **sgd())
    fake = array(model.generator_ab(IMAGES_A[:2]))
    expected = 3 * np.mean((1 - MASK[:2]) * np.abs(fake - IMAGES_A[:2]))
    plain = make_plain_model()
    plain.compile(**sgd())
    logs = model.fit(masked_batch(), batch_size=2, verbose=0, shuffle=False).history
    without = plain.fit(IMAGES_A[:2], IMAGES_B[:2], batch_size=2, verbose=0, shuffle=False).history
    assert logs["keep_b"][0] == pytest.approx(expected, rel=1e-4)
    assert logs["loss"][0] == pytest.approx(without["loss"][0] + expected, rel=1e-4)
    moved = [
        np.abs(first - second).max()
        for first, second in zip(
            weights(model, "generator_ab"), weights(plain, "generator_ab"), strict=True
        )
    ]
    assert max(moved) > 1e-6  # its gradient reached the generator


def test_datasets_of_dicts_train_validate_and_predict():
    model = compiled(make_plain_model(), terms=[KeepTerm()])
    data = tf.data.Dataset.from_tensor_slices(masked_batch(4)).batch(2)
    history = model.fit(data, validation_data=data, verbose=0).history
    assert {"keep_b", "val_keep_b"} <= history.keys()
    np.testing.assert_allclose(model.predict(data, verbose=0), model.predict(IMAGES_A[:4]))


def test_what_a_term_misses_in_the_batch_is_named():
    model = compiled(make_plain_model(), terms=[KeepTerm()], run_eagerly=True)
    with pytest.raises(AttributeError, match=r"no 'mask_a'; it has 'a', 'b'"):
        model.train_on_batch(IMAGES_A[:1], IMAGES_B[:1])


@pytest.mark.backend
def test_weights_of_a_term_are_trained_saved_and_restored(tmp_path):
    model = make_plain_model()
    model.compile(terms=[ProjectedTerm()], **sgd())
    kernel = model.added_terms.terms[0].project.kernel
    before = array(kernel)
    model.fit(IMAGES_A[:2], IMAGES_B[:2], batch_size=1, verbose=0)
    assert np.abs(array(kernel) - before).max() > 1e-5
    assert any(variable is kernel for variable in model.generator_variables)
    model.save(tmp_path / "model.keras")
    copy = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(array(copy.added_terms.terms[0].project.kernel), array(kernel))
    copy.fit(IMAGES_A[:2], IMAGES_B[:2], batch_size=1, verbose=0)


def test_a_custom_term_is_saved_with_its_options(tmp_path):
    model = compiled(terms=[Lazy(KeepTerm(3.0), 2), Scheduled(KeepTwice(), WeightSchedule(0.5))])
    model.save(tmp_path / "model.keras")
    lazy, scheduled = keras.saving.load_model(tmp_path / "model.keras").added_terms
    assert (lazy.every, lazy.term.weight) == (2, 3.0)
    assert (scheduled.schedule.final_learning_rate, scheduled.term.weight) == (0.5, 2.0)


@keras.saving.register_keras_serializable("tests")
class KeepTwice(KeepTerm):
    names = ("keep_twice",)

    def __call__(self, passes):
        return {"keep_twice": super().__call__(passes)["keep_b"]}


@pytest.mark.backend
def test_a_lazy_term_counts_in_some_steps_for_the_others():
    model = make_plain_model()
    model.compile(terms=[Lazy(KeepTerm(), 2), KeepTwice()], **sgd())
    for step in range(3):
        model.reset_metrics()
        data = {name: x[:2] for name, x in masked_batch().items()}
        logs = model.train_on_batch(data, return_dict=True)
        expected = 2 * float(logs["keep_twice"]) if step % 2 == 0 else 0.0
        assert float(logs["keep_b"]) == pytest.approx(expected, rel=1e-4)


def test_a_scheduled_term_falls_in_training_and_is_whole_in_validation():
    model = compiled(terms=[Scheduled(KeepTerm(), WeightSchedule(0.0, decay_steps=4))])
    model.optimizer.iterations.assign(2)
    batch = Batch(masked_batch())
    full, half = (model.objective(batch, training=t)[0]["keep_b"] for t in (False, True))
    assert float(half) == pytest.approx(0.5 * float(full), rel=1e-5)


@pytest.mark.backend
def test_a_term_of_the_discriminators_reaches_them():
    plain, model = make_plain_model(), make_plain_model()
    plain.compile(**sgd())
    model.compile(terms=[WeightDecayTerm()], **sgd())
    for each in (plain, model):
        each.fit(IMAGES_A[:2], IMAGES_B[:2], batch_size=2, verbose=0, shuffle=False)
    norms = [np.sum(np.square(weights(m, "discriminator_a")[0])) for m in (plain, model)]
    assert norms[1] < 0.99 * norms[0]
    for first, second in zip(
        weights(plain, "generator_ab"), weights(model, "generator_ab"), strict=True
    ):
        np.testing.assert_allclose(first, second, atol=1e-6)


@pytest.mark.backend
def test_one_side_trains_without_the_other():
    networks = {**make_networks(), "generator_ba": None, "discriminator_a": None}
    model = CycleGAN(**networks, image_shape=(16, 16, 3), pool_size=2)
    model.compile(cycle_loss=None, ema_momentum=0.9, **sgd())
    before = weights(model, "generator_ab"), weights(model, "discriminator_b")
    history = model.fit(IMAGES_A, IMAGES_B, batch_size=2, verbose=0).history
    assert history.keys() == {"loss", "adversarial_ab", "identity_b", "discriminator_b"}
    for name, old in zip(("generator_ab", "discriminator_b"), before, strict=True):
        assert any(
            np.abs(w - o).max() > 1e-6 for w, o in zip(weights(model, name), old, strict=True)
        )
    assert model.evaluate(IMAGES_A, IMAGES_B, verbose=0, return_dict=True).keys() == history.keys()


def test_the_other_side_trains_alone_too():
    networks = {**make_networks(), "generator_ab": None, "discriminator_b": None}
    model = CycleGAN(**networks, image_shape=(16, 16, 3), pool_size=0)
    compiled(model, cycle_loss=None)
    logs = model.train_on_batch(IMAGES_A[:1], IMAGES_B[:1], return_dict=True)
    assert logs.keys() == {"loss", "adversarial_ba", "identity_a", "discriminator_a"}


@pytest.mark.parametrize(
    ("missing", "arguments", "message"),
    [
        (["generator_ba", "discriminator_a"], {}, "Cycle consistency needs both generators"),
        (["discriminator_b"], {}, "no discriminator_b: give"),
        (["generator_ab", "generator_ba"], {}, "needs a generator"),
    ],
)
def test_what_a_term_needs_is_named(missing, arguments, message):
    networks = {**make_networks(), **dict.fromkeys(missing)}
    with pytest.raises(ValueError, match=message):
        CycleGAN(**networks, image_shape=(16, 16, 3)).compile(**arguments)


def test_nothing_is_computed_that_no_term_asks_for():
    called = []
    model = compiled(cycle_loss=None, identity_loss=None)
    generator = model.generator_ab

    class Counting:
        losses = ()

        def __call__(self, images, training):
            called.append(images.shape)
            return generator(images, training=training)

    model.generators = lambda training: (Counting(), model.generator_ba)
    generator_losses(model, IMAGES_A[:2], IMAGES_B[:2], training=True)
    assert called == [(2, 16, 16, 3)]


@pytest.mark.backend
def test_what_a_layer_adds_is_a_term_with_a_name():
    """A layer's `add_loss` changed no digit once."""

    class Costly(keras.layers.Layer):
        def call(self, x):
            self.add_loss(1000.0 * ops.mean(ops.abs(x)))
            return x

    images = keras.Input((16, 16, 3))
    regular = keras.regularizers.L2(0.5)
    networks = make_networks()
    head = keras.layers.Conv2D(3, 1, activation="tanh", kernel_regularizer=regular)
    networks["generator_ab"] = keras.Model(images, Costly()(head(images)), name="generator_ab")
    model = CycleGAN(**networks, image_shape=(16, 16, 3), pool_size=0)
    model.compile(cycle_loss=None, identity_loss=None, **sgd())
    expected = 1000 * np.mean(np.abs(array(networks["generator_ab"](IMAGES_A[:2]))))
    expected += 0.5 * np.sum(np.square(array(head.kernel)))
    before = np.abs(array(head.kernel)).sum()
    logs = model.fit(IMAGES_A[:2], IMAGES_B[:2], batch_size=2, verbose=0).history
    assert logs["generator_ab_losses"][0] == pytest.approx(expected, rel=1e-4)
    assert np.abs(array(head.kernel)).sum() != pytest.approx(before, rel=0.01)
    assert model.evaluate(IMAGES_A[:2], IMAGES_B[:2], verbose=0, return_dict=True)[
        "generator_ab_losses"
    ]


def inside(images, origin, batch):
    mask = batch.get(f"mask_{origin}", 1.0)
    return mask * images + (1.0 - mask) * batch[origin]


def test_discriminators_see_what_the_hook_shows_them():
    model = compiled(make_model(pool_size=0), shown=inside)
    seen, original = [], model.game

    def record(batch, fakes, training=True):
        seen.append(array(fakes["b"]))
        return original(batch, fakes, training)

    model.game = record
    fake = array(model.generator_ab(IMAGES_A[:2]))
    model.train_on_batch(masked_batch())
    expected = MASK[:2] * fake + (1 - MASK[:2]) * IMAGES_A[:2]
    np.testing.assert_allclose(seen[0], expected, atol=1e-5)
    losses, _ = model.objective(Batch(masked_batch()), training=False)
    logits = array(model.discriminator_b(expected))
    fake = array(model.generator_ab(IMAGES_A[:2]))
    logits = array(model.discriminator_b(inside(fake, "a", masked_batch())))
    assert float(losses["adversarial_ab"]) == pytest.approx(np.mean((logits - 1) ** 2), rel=1e-4)


def test_terms_may_not_share_a_name_and_must_have_one():
    with pytest.raises(ValueError, match="Two terms log 'keep_b': KeepTerm and KeepTerm"):
        make_model().compile(terms=[KeepTerm(), KeepTerm()])

    class Nameless(Term):
        pass

    with pytest.raises(ValueError, match="Nameless has no `names`"):
        make_model().compile(terms=[Nameless()])
