"""`evaluate --judge`: what a user's own network says before and after translation."""

import json

import keras
import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from keras_cyclegan import CycleGAN
from keras_cyclegan.cli import app
from keras_cyclegan.evaluation import evaluate, write_json, write_report
from keras_cyclegan.networks import encoders
from keras_cyclegan.scores import judge as judges

SIDE = 16
LEVELS = {"dark": [20, 40, 60], "light": [140, 200]}  # of the images of A, by class


@pytest.fixture(scope="module")
def model():
    """Inverts, one way: x → -x on [-1, 1]."""
    inputs = keras.Input((None, None, 3))
    return CycleGAN(keras.Model(inputs, -inputs), None, None, None, image_shape=(SIDE, SIDE, 3))


@pytest.fixture(scope="module")
def judge():
    """Calls inverted images by their class: dark ones are light, of [-1, 1]."""
    inputs = keras.Input((SIDE, SIDE, 3))
    mean = keras.layers.GlobalAveragePooling2D()(inputs)
    mean = keras.ops.mean(mean, axis=-1, keepdims=True)
    return keras.Model(inputs, keras.ops.concatenate([mean, -mean], axis=-1), name="by_light")


@pytest.fixture
def data(tmp_path):
    """Images of even brightness in A, of which one dark one is nearly light; B has others."""
    for kind, levels in LEVELS.items():
        (tmp_path / "labels" / kind).mkdir(parents=True)
        for level in levels:
            save(tmp_path / "data" / "testA" / f"{level}.png", np.full((SIDE, SIDE, 3), level))
            save(tmp_path / "labels" / kind / f"{level}.png", np.zeros((1, 1)))
    for level in (10, 30):
        save(tmp_path / "data" / "testB" / f"b{level}.png", np.full((SIDE, SIDE, 3), level))
    return tmp_path / "data"


def save(path, image):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(image, "uint8")).save(path)


def shares(evaluation, name):
    (score,) = [score for score in evaluation.measured if score.name == name]
    return score.translated.value, score.untranslated and score.untranslated.value


def test_answers_are_held_against_labels_before_and_after(model, judge, data):
    # 140 becomes 115, light of the inverted: all are right afterwards, and none before.
    found = evaluate(model, data, "none", judge=judge, labels=data.parent / "labels")
    assert shares(found, "Judge's accuracy") == (1.0, 0.0)
    assert shares(evaluate(model, data, "none", judge=judge), "Judge's agreement with itself") == (
        0.0,
        None,
    )
    protocol = found.measured[-1].translated.protocol
    assert (protocol["judge"], protocol["images"]) == ("by_light", 5)


def test_classes_and_images_are_worst_first(model, judge, data):
    wrong = data.parent / "labels" / "dark" / "20.png"
    wrong.rename(data.parent / "labels" / "light" / "20.png")
    judged = evaluate(model, data, "none", judge=judge, labels=data.parent / "labels").judged
    classes, images = judged["a_to_b"].classes, judged["a_to_b"].images
    assert [(row["name"], row["count"]) for row in classes] == [("light", 3), ("dark", 2)]
    assert [row["translated"] for row in classes] == [pytest.approx(2 / 3), 1.0]
    assert [row["untranslated"] for row in classes] == [pytest.approx(1 / 3), 0.0]
    assert [row["name"] for row in images] == [
        *("20.png", "140.png", "200.png", "40.png", "60.png")
    ]
    assert (images[0]["label"], images[0]["answer"]) == ("light", "dark")
    assert [row["right"] for row in images] == [0.0, 1.0, 1.0, 1.0, 1.0]


def test_maps_of_classes_are_scored_by_pixel_and_255_counts_nowhere(model, data):
    inputs = keras.Input((None, None, 3))
    segmenter = keras.Model(inputs, keras.ops.stack([inputs[..., 0], -inputs[..., 0]], axis=-1))
    truth = np.zeros((SIDE, SIDE), "uint8")  # "light of the inverted" is class 0
    truth[:, :4], truth[:, 4:8] = 1, 255
    for level in [level for levels in LEVELS.values() for level in levels]:
        save(data.parent / "maps" / f"{level}.png", truth)
    found = evaluate(model, data, "none", judge=segmenter, labels=data.parent / "maps")
    # Three dark images are wholly class 0 afterwards, two light ones wholly class 1.
    assert shares(found, "Judge's accuracy") == (
        pytest.approx((3 * 8 + 2 * 4) / (5 * 12)),
        pytest.approx((3 * 4 + 2 * 8) / (5 * 12)),
    )
    ious = [3 * 8 / (5 * 8 + 3 * 4), 2 * 4 / (5 * 4 + 2 * 8)]  # right / (labelled or answered)
    assert shares(found, "Judge's accuracy, mean IoU")[0] == pytest.approx(np.mean(ious))
    assert found.judged["a_to_b"].images[0]["right"] == pytest.approx(4 / 12)


def test_a_direction_without_labels_is_left_out_and_missing_ones_are_listed(judge, data):
    inputs = keras.Input((None, None, 3))
    both = CycleGAN(
        *(keras.Model(inputs, -inputs) for _ in range(2)), None, None, image_shape=(SIDE, SIDE, 3)
    )
    found = evaluate(both, data, "none", judge=judge, labels=data.parent / "labels")
    assert list(found.judged) == ["a_to_b"]
    assert any("no image of B has a label" in note for note in found.notes)
    (data.parent / "labels" / "dark" / "20.png").unlink()
    with pytest.raises(ValueError, match=r"lacks labels of 1 of 5 images of A: 20\.png"):
        evaluate(both, data, "none", judge=judge, labels=data.parent / "labels")
    (data.parent / "labels" / "third").mkdir()
    save(data.parent / "labels" / "third" / "20.png", np.zeros((1, 1)))
    with pytest.raises(ValueError, match=r"knows 2 classes.*3 sub-folders: dark, light, third"):
        evaluate(both, data, "none", judge=judge, labels=data.parent / "labels")
    with pytest.raises(ValueError, match="without `judge`"):
        evaluate(both, data, "none", labels=data.parent / "labels")


def test_a_judge_gets_its_own_size_channels_and_range():
    inputs = keras.Input((4, 4, 1))
    network = keras.Model(inputs, keras.layers.Flatten()(inputs))
    judge = judges.find_judge(network, (0.0, 2.0))
    images = np.full((3, 8, 8, 3), (255, 0, 0), "uint8")
    np.testing.assert_allclose(judge(images), np.full((3, 16), 2 * 76 / 255), rtol=1e-6)
    colour = keras.Input((8, 8, 3))
    judge = judges.find_judge(keras.Model(colour, keras.layers.Flatten()(colour)))
    gray = judge(np.full((1, 8, 8, 1), 51, "uint8"))
    np.testing.assert_allclose(gray, np.full((1, 192), 51 / 127.5 - 1), rtol=1e-6)
    floats = images / np.float32(127.5) - 1  # what `evaluate` has of 16 bits
    np.testing.assert_array_equal(judges.answers(judge, floats), judges.answers(judge, images))


def test_the_class_of_number_255_counts_for_images(model, data):
    inputs = keras.Input((SIDE, SIDE, 3))
    always = keras.ops.one_hot(keras.ops.full((1,), 255, "int32"), 300)
    judge = keras.Model(inputs, keras.ops.mean(inputs, axis=(1, 2))[:, :1] * 0 + always)
    for level in [level for levels in LEVELS.values() for level in levels]:
        save(data.parent / "numbers" / "255" / f"{level}.png", np.zeros((1, 1)))
    found = evaluate(model, data, "none", judge=judge, labels=data.parent / "numbers")
    assert shares(found, "Judge's accuracy") == (1.0, 1.0)
    (data.parent / "numbers" / "255").rename(data.parent / "numbers" / "300")
    with pytest.raises(ValueError, match="up to 300"):
        evaluate(model, data, "none", judge=judge, labels=data.parent / "numbers")


def test_one_output_is_two_classes_and_what_is_no_answer_is_refused():
    images = np.zeros((2, 4, 4, 3), "uint8")

    def says(values):
        return judges.Judge(lambda x: np.array(values, "float32"), (4, 4, 3), "it", lambda x: x)

    assert judges.answers(says([[0.4], [0.6]]), images).argmax(-1).tolist() == [0, 1]
    assert judges.answers(says([[-3.0], [0.4]]), images).argmax(-1).tolist() == [0, 1]
    with pytest.raises(ValueError, match="gives `"):
        judges.answers(says([1.0, 2.0]), images)
    with pytest.raises(ValueError, match="all finite"):
        judges.answers(says([[np.nan, 0.0], [0.0, 1.0]]), images)


@pytest.mark.parametrize("channels_first", [False, True])
@pytest.mark.parametrize("batch", ["n", 1])
def test_onnx_files_judge_as_the_network_that_they_hold(tmp_path, channels_first, batch):
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    kernel = np.random.default_rng(0).normal(size=(2, 3, 1, 1)).astype("float32")
    made = onnx.helper.make_node
    nodes = [made("Conv", ["x", "kernel"], ["map"]), made("GlobalMaxPool", ["map"], ["pooled"])]
    nodes.append(made("Flatten", ["pooled"], ["answer"]))
    if not channels_first:
        nodes[0] = made("Conv", ["turned", "kernel"], ["map"])
        nodes.insert(0, made("Transpose", ["x"], ["turned"], perm=[0, 3, 1, 2]))
    shape = [batch, 3, 8, 8] if channels_first else [batch, 8, 8, 3]
    info = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        *(nodes, "judge", [info("x", 1, shape)], [info("answer", 1, [batch, 2])]),
        [onnx.numpy_helper.from_array(kernel, "kernel")],
    )
    opset = [onnx.helper.make_opsetid("", 17)]
    onnx.save(onnx.helper.make_model(graph, opset_imports=opset, ir_version=8), tmp_path / "j.onnx")
    images = np.random.default_rng(1).integers(0, 256, (3, 8, 8, 3), "uint8")
    found = judges.answers(judges.find_judge(tmp_path / "j.onnx"), images)
    expected = ((images / 127.5 - 1) @ kernel[:, :, 0, 0].T).max(axis=(1, 2))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_names_of_judges_are_found_or_refused(tmp_path, monkeypatch):
    def build(weights):
        assert weights == "imagenet"
        return keras.applications.MobileNet(weights=None, input_shape=(32, 32, 3), classes=5)

    monkeypatch.setattr(
        judges, "find_application", lambda *names: (build, lambda images: images / 127.5 - 1)
    )
    judge = judges.find_judge("MobileNet")
    assert judges.answers(judge, np.zeros((2, 16, 16, 3), "uint8")).shape == (2, 5)
    assert judge.title == "keras.applications.MobileNet, imagenet"
    monkeypatch.setattr(judges, "find_application", encoders.find_application)
    with pytest.raises(ValueError, match=r"\.onnx file.*Received 'nobody'"):
        judges.find_judge("nobody")
    with pytest.raises(FileNotFoundError, match=r"absent\.onnx"):
        judges.find_judge(tmp_path / "absent.onnx")


def test_the_command_shows_the_judge_in_the_table_the_file_and_the_page(
    model, judge, data, tmp_path, monkeypatch
):
    monkeypatch.setenv("COLUMNS", "120")
    judge.save(tmp_path / "judge.keras")
    model.save_to_preset(tmp_path / "preset")
    out = tmp_path / "scores.json"
    result = CliRunner().invoke(app, [
        *("evaluate", str(data), "--preset", str(tmp_path / "preset"), "--extractor", "none"),
        *("--judge", str(tmp_path / "judge.keras"), "--labels", str(data.parent / "labels")),
        *("--judge-range", "-1", "1"),
        *("--out", str(out), "--report", str(tmp_path / "report")),
    ])  # fmt: skip
    assert result.exit_code == 0, result.output
    assert "worst first" in result.output
    written = json.loads(out.read_text())
    assert written["judged"]["a_to_b"]["classes"][0]["translated"] == 1.0
    page = (tmp_path / "report" / "index.html").read_text()
    assert "right answers by class" in page
    assert "What it gets most wrong" not in page  # nothing is


def test_the_page_shows_what_the_judge_gets_wrong(model, judge, data, tmp_path):
    (data.parent / "labels/dark/20.png").rename(data.parent / "labels/light/20.png")
    found = evaluate(model, data, "none", judge=judge, labels=data.parent / "labels")
    page = write_report(found, model, tmp_path / "report", "inverts").read_text()
    assert "What it gets most wrong" in page
    assert "dark, not light" in page
    write_json(found, tmp_path / "scores.json", "inverts")
