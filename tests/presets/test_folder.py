import json
import os
import re

import h5py
import keras
import numpy as np
import PIL.Image
import pytest
from support.presets_helpers import (
    assert_same_weights,
    have_same_weights,
    images,
    small_model,
    weights_of,
)

import keras_cyclegan as kcg
from keras_cyclegan import CycleGAN
from keras_cyclegan.presets import folder as preset_folder

ALL_FOUR = ("generator_ab", "generator_ba", "discriminator_a", "discriminator_b")


@pytest.fixture
def model():
    return small_model()


@pytest.fixture
def folder(model, tmp_path):
    model.save_to_preset(tmp_path / "mine", card={"description": "Horses.", "licence": "CC0"})
    return tmp_path / "mine"


def edit_config(folder, edit):
    path = folder / "config.json"
    config = json.loads(path.read_text())
    edit(config)
    path.write_text(json.dumps(config))


def test_round_trip_gives_all_networks_their_weights(model, folder):
    loaded = CycleGAN.from_preset(str(folder))
    for name in ALL_FOUR:
        assert_same_weights(getattr(loaded, name), getattr(model, name))
    assert (loaded.image_shape, loaded.pool_size) == ((32, 32, 3), 3)
    x = images(model.generator_ab)
    np.testing.assert_array_equal(loaded.predict(x, verbose=0), model.predict(x, verbose=0))


def test_folder_is_keras_hubs_and_holds_neither_optimizer_nor_pool(tmp_path):
    model = small_model()
    model.compile(identity_loss=None, run_eagerly=True)
    batch = images(model.generator_ab), images(model.generator_ba)
    model.train_on_batch(*batch)
    model.save_to_preset(tmp_path / "mine")
    assert sorted(os.listdir(tmp_path / "mine")) == sorted(preset_folder.FILES)
    for file, kind in (("model", "generator"), ("discriminators", "discriminator")):
        networks = [getattr(model, name) for name in ALL_FOUR if name.startswith(kind)]
        with h5py.File(tmp_path / "mine" / f"{file}.weights.h5") as stored:
            count = sum(stored[name].size for name in stored)
        assert count == sum(network.count_params() for network in networks)
    config = (tmp_path / "mine" / "config.json").read_text()
    assert "compile_config" not in config
    assert "Adam" not in config
    metadata = json.loads((tmp_path / "mine" / "metadata.json").read_text())
    generators = model.generator_ab.count_params() + model.generator_ba.count_params()
    assert metadata["parameter_count"] == generators
    assert metadata["keras_version"] == keras.__version__


def test_weights_load_whatever_was_built_before(model, folder):
    keras.backend.clear_session()
    for _ in range(3):
        small_model(name="other")
    assert json.loads((folder / "config.json").read_text())["config"].keys().isdisjoint({"name"})
    loaded = CycleGAN.from_preset(folder, name="renamed")
    assert loaded.name == "renamed"
    assert_same_weights(loaded.generator_ba, model.generator_ba)


def test_half_precision_takes_half_the_bytes_and_loads_as_float32(model, folder, tmp_path):
    model.save_to_preset(tmp_path / "half", half_precision=True)
    loaded = CycleGAN.from_preset(tmp_path / "half")
    assert {weight.dtype for weight in loaded.generator_ab.weights} == {"float32"}
    assert_same_weights(loaded.generator_ab, model.generator_ab, tolerance=1e-3)
    with h5py.File(tmp_path / "half" / "model.weights.h5") as stored:
        assert {stored[name].dtype for name in stored} == {np.dtype("float16")}


def test_weights_too_large_for_half_precision_are_refused_before_anything_is_written(
    model, tmp_path
):
    model.generator_ab.get_layer("stem_conv").bias.assign([7e4, 0.0])
    with pytest.raises(ValueError, match=r"generator_ab\.stem_conv\.bias"):
        model.save_to_preset(tmp_path / "half", half_precision=True)
    assert os.listdir(tmp_path) == []


def test_without_weights_the_architecture_is_the_same_and_the_weights_are_fresh(model, folder):
    (folder / "model.weights.h5").unlink()
    loaded = CycleGAN.from_preset(folder, load_weights=False)
    assert loaded.generator_ba.num_blocks == 2
    assert not have_same_weights(loaded.generator_ab, model.generator_ab)
    assert_drawn(loaded.generator_ab)


def assert_drawn(network):
    """Not left at zero, as weights are that a file has."""
    for kernel in (weight for weight in network.get_weights() if weight.ndim == 4):
        assert 0.01 < kernel.std() < 0.04


def test_without_discriminator_file_it_translates_and_trains_on(model, tmp_path):
    model.save_to_preset(tmp_path / "mine", discriminators=False)
    assert not (tmp_path / "mine" / "discriminators.weights.h5").exists()
    loaded = CycleGAN.from_preset(tmp_path / "mine")
    assert_same_weights(loaded.generator_ab, model.generator_ab)
    assert not have_same_weights(loaded.discriminator_a, model.discriminator_a)
    assert_drawn(loaded.discriminator_a)
    loaded.compile(identity_loss=None, run_eagerly=True)
    losses = loaded.train_on_batch(images(model.generator_ab), images(model.generator_ba))
    assert np.isfinite(losses).all()


def test_one_way_model(tmp_path):
    model = CycleGAN(kcg.networks.ResNetGenerator((32, 32, 3), filters=2), None, None, None)
    model.save_to_preset(tmp_path / "one_way")
    loaded = CycleGAN.from_preset(tmp_path / "one_way")
    assert loaded.generator_ba is None
    assert loaded.discriminator_a is None
    assert_same_weights(loaded.generator_ab, model.generator_ab)


def test_functional_networks_of_keras_layers_round_trip(tmp_path):
    inputs = keras.Input((None, None, 3))
    inner = keras.Sequential([keras.Input((None, None, 3)), keras.layers.Conv2D(3, 1, name="conv")])
    outer = keras.Sequential(
        [keras.Input((None, None, 3)), inner, keras.layers.Conv2D(3, 1, name="conv")]
    )
    x = keras.layers.Conv2D(3, 1, kernel_regularizer="l2", name="conv")(inputs)
    outputs = keras.ops.tanh(outer(x))
    generator = keras.Model(inputs, outputs + inputs)
    generator.compile("adam", "mse")
    model = CycleGAN(generator, None, None, None, image_shape=(8, 8, 3))
    model.save_to_preset(tmp_path / "own")
    loaded = CycleGAN.from_preset(tmp_path / "own")
    x = images(generator, size=8)
    np.testing.assert_array_equal(loaded.generator_ab(x), generator(x))


def test_dtype_reaches_every_network_and_training_dtype_is_not_kept(tmp_path):
    generator = kcg.networks.ResNetGenerator((32, 32, 3), filters=2, dtype="mixed_bfloat16")
    model = CycleGAN(generator, None, None, None, dtype="mixed_bfloat16")
    model.save_to_preset(tmp_path / "mine")
    conv = CycleGAN.from_preset(tmp_path / "mine").generator_ab.get_layer("stem_conv")
    assert conv.compute_dtype == "float32"
    mixed = CycleGAN.from_preset(tmp_path / "mine", dtype="mixed_float16")
    assert mixed.generator_ab.get_layer("stem_conv").compute_dtype == "float16"
    assert mixed.dtype_policy.name == "mixed_float16"


def test_overrides_replace_arguments_and_networks(model, folder):
    judge = kcg.networks.PatchDiscriminator((32, 32, 3), filters=4, num_layers=2)
    before = weights_of(judge)
    loaded = CycleGAN.from_preset(folder, pool_size=7, discriminator_a=judge)
    assert loaded.pool_size == 7
    assert loaded.discriminator_a is judge
    np.testing.assert_array_equal(weights_of(judge)[0], before[0])
    assert_same_weights(loaded.discriminator_b, model.discriminator_b)


def test_unknown_override_is_named(folder):
    with pytest.raises(ValueError, match="pool_sise"):
        CycleGAN.from_preset(folder, pool_sise=7)
    with pytest.raises(ValueError, match="float31"):
        CycleGAN.from_preset(folder, dtype="float31")


def test_saving_again_replaces_a_preset_but_nothing_else(model, folder):
    other = small_model()
    other.save_to_preset(folder, discriminators=False)
    assert_same_weights(CycleGAN.from_preset(folder).generator_ab, other.generator_ab)
    assert not (folder / "discriminators.weights.h5").exists()
    (folder / "thesis.tex").write_text("years of work")
    with pytest.raises(ValueError, match=r"thesis\.tex"):
        model.save_to_preset(folder)
    assert (folder / "thesis.tex").exists()


def test_a_failed_save_leaves_the_former_preset_whole(model, folder, monkeypatch):
    def full(*_, **__):
        raise OSError("No space left on device")

    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    monkeypatch.setattr(preset_folder, "model_card", full)
    with pytest.raises(OSError, match="No space"):
        small_model().save_to_preset(folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert os.listdir(folder.parent) == [folder.name]


def test_card_has_provenance_usage_and_hub_header(folder):
    card = (folder / "README.md").read_text()
    assert card.startswith("---\n")
    assert "pipeline_tag: image-to-image" in card
    assert "Horses." in card
    assert "## Licence\n\nCC0" in card
    assert 'from_preset("mine")' in card


def test_usage_in_the_card_runs_where_it_was_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    small_model().save_to_preset('tom\'s "horses"')
    PIL.Image.new("RGB", (20, 12)).save("image.jpg")
    card = (tmp_path / 'tom\'s "horses"' / "README.md").read_text()
    names = {}
    exec(re.search("```python\n(.*?)```", card, re.DOTALL)[1], names)
    assert names["translated"].shape == (12, 20, 1)
    assert names["back"].shape == (12, 20, 3)


def test_a_folder_in_the_home_may_be_given_by_its_tilde(model, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    model.save_to_preset("~/mine")
    assert (tmp_path / "mine" / "config.json").exists()
    assert_same_weights(CycleGAN.from_preset("~/mine").generator_ab, model.generator_ab)


def test_folder_that_is_no_preset(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"config\.json"):
        CycleGAN.from_preset(tmp_path)
