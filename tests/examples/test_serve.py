"""`examples/serve`: an exported model behind FastAPI, as its users meet it."""

import io

import numpy as np
import pytest
from PIL import Image
from support.examples import example

from keras_cyclegan import CycleGAN

testclient = pytest.importorskip("fastapi.testclient", reason="fastapi and httpx are absent")


@pytest.fixture(scope="module")
def server(preset, tmp_path_factory):
    folder = tmp_path_factory.mktemp("served") / "model"
    CycleGAN.from_preset(str(preset)).export(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MODEL", str(folder))
        patch.setenv("MAX_PIXELS", "4096")
        patch.setenv("MAX_BYTES", "5000")
        with testclient.TestClient(example("serve/app").app) as client:
            yield client


def encoded(picture, format="PNG", **options):
    file = io.BytesIO()
    Image.fromarray(picture).save(file, format, **options)
    return file.getvalue()


@pytest.fixture
def picture():
    return np.random.default_rng(0).integers(0, 256, (19, 26, 3), "uint8")


def decoded(answer):
    assert answer.status_code == 200, answer.text
    return np.asarray(Image.open(io.BytesIO(answer.content)))


@pytest.mark.parametrize("direction", ["a_to_b", "b_to_a"])
def test_pictures_come_back_as_the_model_translates_them(server, preset, picture, direction):
    made = decoded(server.post(f"/{direction}", content=encoded(picture))).astype(int)
    expected = CycleGAN.from_preset(str(preset)).translate(picture, direction)
    assert np.abs(made - expected).max() <= 1
    assert direction in server.get("/directions").json()


def test_pictures_are_turned_upright_and_put_on_white(server, preset, picture):
    turned = Image.Exif()
    turned[0x0112] = 6  # a quarter to the right
    made = decoded(server.post("/a_to_b", content=encoded(picture, "JPEG", exif=turned)))
    assert made.shape == (26, 19, 3)
    clear = np.concatenate([picture, np.zeros((19, 26, 1), "uint8")], axis=-1)
    white = CycleGAN.from_preset(str(preset)).translate(np.full_like(picture, 255)).astype(int)
    made = decoded(server.post("/a_to_b", content=encoded(clear)))
    assert np.abs(made - white).max() <= 1


@pytest.mark.parametrize(
    ("path", "body", "status", "says"),
    [
        ("/sideways", b"", 404, "a_to_b and b_to_a"),
        ("/a_to_b", b"", 422, "Expected a whole picture"),
        ("/a_to_b", b"no picture", 422, "Expected a whole picture"),
        ("/a_to_b", encoded(np.zeros((20, 20, 3), "uint8"))[:-20], 422, "Expected a whole picture"),
        ("/a_to_b", encoded(np.zeros((9, 9, 3), "uint8"), "TIFF"), 422, "JPEG, PNG, WEBP"),
        ("/a_to_b", encoded(np.zeros((65, 26, 3), "uint8")), 413, "26×65 are more than 4096"),
        ("/a_to_b", bytes(5001), 413, "more than 5000 bytes"),
    ],
)
def test_what_is_no_picture_or_too_large_is_refused(server, path, body, status, says):
    answer = server.post(path, content=body)
    assert answer.status_code == status
    assert says in answer.json()["detail"]


def test_page_to_try_it_with_loads_nothing_from_elsewhere(server):
    page = server.get("/")
    assert page.headers["content-type"].startswith("text/html")
    assert "http://" not in page.text
    assert "https://" not in page.text
