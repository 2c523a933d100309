"""Terms on pairs and masks that ride along with the images."""

import keras
import numpy as np
import pytest
from support.plain_networks import plain_network
from support.step_inputs import NETWORKS

from keras_cyclegan import CycleGAN
from keras_cyclegan.data import unpaired_dataset
from keras_cyclegan.losses import CycleConsistencyLoss, KeepTerm, Lazy, PairTerm, inside_masks
from keras_cyclegan.passes import Batch, Passes
from keras_cyclegan.training.losses import make_losses
from keras_cyclegan.training.options import TrainingOptions

SHAPE = (16, 16, 3)
RANDOM = np.random.default_rng(0)
BATCH = {name: RANDOM.uniform(-1, 1, (2, *SHAPE)) for name in ("a", "b", "pair_a", "pair_b")}
BATCH |= {f"mask_{d}": RANDOM.integers(0, 2, (2, 16, 16, 1)) for d in "ab"}
BATCH = {name: values.astype("float32") for name, values in BATCH.items()}


def compiled(*terms, **options):
    networks = [plain_network(name) for name in NETWORKS]
    model = CycleGAN(*networks, image_shape=SHAPE, pool_size=0)
    model.compile(terms=list(terms), identity_loss=None, **options)
    return model


def values(term, batch=BATCH):
    model = compiled(term)
    found = term(Passes(model, Batch(batch), training=True))
    return model, {name: float(keras.ops.convert_to_numpy(x)) for name, x in found.items()}


def distance(x, y):
    return np.abs(keras.ops.convert_to_numpy(x) - y).mean()


def test_the_translation_of_a_pair_is_held_to_its_other_half():
    model, found = values(PairTerm(CycleConsistencyLoss(weight=2.0)))
    a, b = BATCH["pair_a"], BATCH["pair_b"]
    assert found["pair_a"] == pytest.approx(2 * distance(model.generator_ab(a), b), rel=1e-4)
    assert found["pair_b"] == pytest.approx(2 * distance(model.generator_ba(b), a), rel=1e-4)


def test_what_lies_outside_of_a_mask_is_kept():
    model, found = values(KeepTerm(CycleConsistencyLoss(weight=3.0)))
    change = np.abs(keras.ops.convert_to_numpy(model.generator_ab(BATCH["a"])) - BATCH["a"])
    outside = (change * (1 - BATCH["mask_a"])).mean()
    assert found["keep_a"] == pytest.approx(3 * outside, rel=1e-4)
    seen = inside_masks(BATCH["a"] + 1, "a", Batch(BATCH))
    np.testing.assert_allclose(seen, BATCH["a"] + BATCH["mask_a"], rtol=1e-5, atol=1e-6)


def test_what_is_painted_is_the_photo_outside_of_masks_there_and_back():
    model = compiled(painted=inside_masks)
    passes = Passes(model, Batch(BATCH), training=True)
    there, mask = keras.ops.convert_to_numpy(passes.fake_b), BATCH["mask_a"]
    given = keras.ops.convert_to_numpy(model.generator_ab(BATCH["a"]))
    expected = np.where(mask, given, BATCH["a"])
    np.testing.assert_allclose(there, expected, rtol=1e-5, atol=1e-5)
    back = keras.ops.convert_to_numpy(model.generator_ba(expected))
    np.testing.assert_allclose(passes.cycle_a, np.where(mask, back, BATCH["a"]), atol=1e-5)
    np.testing.assert_allclose(passes.shown_b, there)  # what discriminators judge


def test_what_is_missing_is_named_before_a_step_is_made():
    bare = {name: BATCH[name] for name in "ab"}
    for term, folder in ((PairTerm, "pairA"), (KeepTerm, "maskA")):
        with pytest.raises(ValueError, match=f"folder {folder}.*batches have a, b"):
            values(term(CycleConsistencyLoss()), bare)
    with pytest.raises(ValueError, match="folder maskB"):
        inside_masks(BATCH["b"], "b", Batch(bare))


def test_a_run_s_options_make_the_terms_which_train_and_are_saved(tmp_path):
    weights = {"pair_weight": 2.0, "pair_every": 2, "keep_weight": 5.0}
    options = TrainingOptions("", **weights, see_masks=True, paint_masks=True)
    made = make_losses(options)
    pair, keep = made["terms"]
    assert isinstance(pair, Lazy)
    assert (pair.every, pair.term.loss.weight, keep.loss.weight) == (2, 2.0, 5.0)
    hooks = {name: made[name] for name in ("shown", "painted")}
    model = compiled(pair, keep, **hooks, run_eagerly=True)
    pixels = {name: np.uint8(255 * (x > 0)) for name, x in BATCH.items()}
    train = unpaired_dataset(
        pixels.pop("a"), pixels.pop("b"), batch_size=1, steps_per_epoch=2, companions=pixels
    )
    history = model.fit(train, verbose=0).history
    assert {"pair_a", "pair_b", "keep_a", "keep_b"} <= set(history)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert [type(term) for term in again.added_terms] == [Lazy, KeepTerm]
    assert again.shown is again.painted is inside_masks
