import hashlib
import sys

import keras
import numpy as np
import pytest
import typer.testing
from pooch import core
from support.presets_helpers import assert_same_weights, small_model, torch_modules
from support.presets_server import Server, serving

import keras_cyclegan as kcg
from keras_cyclegan import CycleGAN
from keras_cyclegan.cli import app
from keras_cyclegan.files.download import DownloadError
from keras_cyclegan.presets import convert, table

FACTS = {
    *("description", "direction", "architecture", "native_size", "parameters", "bytes"),
    *("origin", "code_licence", "data_licence", "recipe", "ships"),
}
GENERATORS = {
    *("apple2orange", "orange2apple", "summer2winter_yosemite", "winter2summer_yosemite"),
    *("horse2zebra", "zebra2horse", "monet2photo", "style_monet", "style_cezanne"),
    *("style_ukiyoe", "style_vangogh", "sat2map", "map2sat", "cityscapes_photo2label"),
    *("cityscapes_label2photo", "facades_photo2label", "facades_label2photo"),
    "iphone2dslr_flower",
}


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "home"))
    return tmp_path / "home" / "keras_cyclegan"


def test_all_published_generators_are_reachable_once():
    files = [file for preset in table.PUBLISHED.values() for file in preset["files"]]
    assert sorted(files) == sorted(GENERATORS)


@pytest.mark.parametrize("name", kcg.list_presets())
def test_every_built_in_name_loads_its_architecture_without_a_download(name, monkeypatch):
    monkeypatch.setenv("KERAS_CYCLEGAN_OFFLINE", "1")
    facts = CycleGAN.presets[name]
    assert set(facts) == FACTS
    assert all(facts[fact] not in (None, "", 0) for fact in FACTS - {"ships"})
    model = CycleGAN.from_preset(name, load_weights=False)
    generators = [g for g in (model.generator_ab, model.generator_ba) if g is not None]
    assert sum(g.count_params() for g in generators) == facts["parameters"]
    assert model.image_shape[:2] == facts["native_size"]
    assert ("b_to_a" in facts["direction"]) == (model.generator_ba is not None)
    assert (model.discriminator_a is None) == (model.generator_ba is None)
    assert type(model.generator_ab).__name__ in facts["architecture"]


@pytest.mark.parametrize("folder", table.shipped_folders(), ids=lambda folder: folder.name)
def test_what_ships_loads_offline(folder, monkeypatch):
    monkeypatch.setenv("KERAS_CYCLEGAN_OFFLINE", "1")
    model = CycleGAN.from_preset(folder.name)
    image = np.random.default_rng(0).integers(0, 256, (*model.image_shape[:2], 3), "uint8")
    for direction in ("a_to_b", "b_to_a") if model.generator_ba is not None else ("a_to_b",):
        translated = model.translate(image, direction=direction)
        assert (translated.shape[:2], translated.dtype) == (image.shape[:2], np.uint8)
        assert np.std(translated) > 1


def test_a_folder_in_the_package_is_a_built_in_preset(tmp_path, monkeypatch):
    monkeypatch.setattr(table, "SHIPPED", tmp_path / "shipped")
    model = small_model()
    card = {"description": "Letters.", "data_licence": "CC0", "recipe": "1 step"}
    model.save_to_preset(tmp_path / "shipped" / "letters", card=card)
    (tmp_path / "shipped" / "notes").mkdir()
    facts = kcg.list_presets()["letters"]
    assert set(facts) == FACTS
    assert facts["description"] == "Letters."
    assert facts["ships"] is True
    assert facts["architecture"] == "ResNetGenerator, 1 blocks, width 2"
    assert_same_weights(CycleGAN.from_preset("letters").generator_ba, model.generator_ba)


def test_presets_command_shows_every_name_whole(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    shown = typer.testing.CliRunner().invoke(app, ["presets"]).output
    assert all(name in shown for name in kcg.list_presets())


def test_a_command_says_which_client_is_missing(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    ran = typer.testing.CliRunner().invoke(app, ["export", "hf://me/mine", str(tmp_path / "out")])
    assert ran.exit_code == 1
    assert "keras-cyclegan[hub]" in ran.output


def test_unknown_name_says_what_there_is():
    with pytest.raises(ValueError, match=r"no preset 'van_gogh'.*list_presets\(\).*hf://"):
        CycleGAN.from_preset("van_gogh")


def test_a_folder_named_like_a_preset_is_not_taken_for_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = small_model()
    model.save_to_preset("maps_256")
    with pytest.raises(ValueError, match=r"\./maps_256"):
        CycleGAN.from_preset("maps_256")
    assert_same_weights(CycleGAN.from_preset("./maps_256").generator_ab, model.generator_ab)


@pytest.fixture
def authors(monkeypatch, tmp_path):
    """The authors' server with one small generator for every name."""
    torch, reference = torch_modules()
    path = tmp_path / "generator.pth"
    module = reference.ResNetGenerator(3, 3, 4, 1)
    torch.save(module.state_dict(), path, _use_new_zipfile_serialization=False)
    with serving(Server(path.read_bytes())) as server:
        monkeypatch.setattr(table, "ADDRESS", server.url.replace("file.bin", "{}.pth"))
        monkeypatch.setattr(core.time, "sleep", lambda seconds: None)
        server.expected = convert.convert_network(convert.read_state_dict(path))
        yield server


def test_published_model_is_downloaded_once_and_converted(authors, home):
    model = CycleGAN.from_preset("horse2zebra_256")
    assert_same_weights(model.generator_ab, authors.expected)
    assert_same_weights(model.generator_ba, authors.expected)
    assert model.discriminator_a.count_params() == 2_764_737
    assert authors.requests == 2
    assert (model.scale, model.working_size) == ("whole", 256)
    half = CycleGAN.from_preset("horse2zebra_256", dtype="mixed_float16", generator_ba=None)
    assert half.generator_ab.get_layer("stem_conv").compute_dtype == "float16"
    assert half.generator_ba is None
    assert keras.config.dtype_policy().name == "float32"
    assert authors.requests == 2


def test_a_pinned_checkpoint_must_have_its_hash(authors, home, monkeypatch):
    pins = {"style_vangogh": "0" * 64}
    monkeypatch.setitem(table.PUBLISHED["vangogh_256"], "files", pins)
    with pytest.raises(DownloadError, match=f"expected {'0' * 64} but got [0-9a-f]{{64}}"):
        CycleGAN.from_preset("vangogh_256")
    pins["style_vangogh"] = hashlib.sha256(authors.content).hexdigest()
    assert_same_weights(CycleGAN.from_preset("vangogh_256").generator_ab, authors.expected)


def test_a_changed_origin_is_noticed(authors, home):
    CycleGAN.from_preset("vangogh_256")
    (home / "checkpoints" / "style_vangogh.pth").unlink()
    authors.content += b" "
    with pytest.raises(DownloadError, match=r"style_vangogh\.pth.*does not match"):
        CycleGAN.from_preset("vangogh_256")


def test_a_download_that_is_no_checkpoint_is_not_kept(authors, home):
    good, authors.content = authors.content, b"<html>moved</html>"
    with pytest.raises(ValueError, match=r"style_vangogh\.pth"):
        CycleGAN.from_preset("vangogh_256")
    authors.content = good
    assert_same_weights(CycleGAN.from_preset("vangogh_256").generator_ab, authors.expected)


def test_a_read_only_cache_of_a_published_preset_is_used(authors, home, monkeypatch):
    CycleGAN.from_preset("vangogh_256")

    def denied(*_, **__):
        raise PermissionError("Permission denied")

    monkeypatch.setattr(core, "stream_download", denied)
    assert_same_weights(CycleGAN.from_preset("vangogh_256").generator_ab, authors.expected)
    with pytest.raises(DownloadError, match="KERAS_HOME"):
        CycleGAN.from_preset("cezanne_256")


def test_a_run_is_taken_by_its_preset_and_its_model_file_is_told_from_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = small_model()
    model.save_to_preset("run/preset")
    for name in ("config.json", "model.keras"):  # of the run
        (tmp_path / "run" / name).write_text("{}")
    assert_same_weights(CycleGAN.from_preset("run").generator_ab, model.generator_ab)
    with pytest.raises(ValueError, match=r"no preset 'run/model\.keras'.*load_model"):
        CycleGAN.from_preset("run/model.keras")
