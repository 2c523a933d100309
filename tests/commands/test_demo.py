"""The web demo as its users meet it: a server of its own, and Debian's Chromium before it."""

import contextlib
import importlib.util
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from keras_cyclegan import CycleGAN
from keras_cyclegan.cli import app
from keras_cyclegan.commands.demo import MAX_WAITING, build_demo, find_examples
from keras_cyclegan.data.glyphs import render_glyphs
from keras_cyclegan.inference import doubt

SECONDS = 120
CHROMIUM = ("chromium", "chromedriver")
needs_gradio = pytest.mark.skipif(
    importlib.util.find_spec("gradio") is None,
    reason="gradio is absent: pip install keras-cyclegan[demo]",
)


@pytest.fixture(scope="module")
def model():
    return CycleGAN.from_preset("glyphs")


# --- in the browser ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def examples(tmp_path_factory):
    """A folder with a letter of each typeface."""
    folder = tmp_path_factory.mktemp("examples")
    for domain in "ab":
        (folder / domain).mkdir()
        Image.fromarray(render_glyphs("R", domain)[0]).save(folder / domain / f"R_{domain}.png")
    return folder


@pytest.fixture(scope="module")
def address(tmp_path_factory, examples):
    """`keras-cyclegan demo`, which ends with Ctrl-C."""
    pytest.importorskip("gradio", reason="gradio is absent: pip install keras-cyclegan[demo]")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    kept = tmp_path_factory.mktemp("temporary")
    server = subprocess.Popen(
        [
            *(sys.executable, "-m", "keras_cyclegan", "demo", "--preset", "glyphs"),
            *("--port", str(port), "--max-megapixels", "0.5", "--examples", str(examples)),
        ],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(kept)},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    said = server.stdout.readline()
    try:
        assert f"http://127.0.0.1:{port}/" in said
        yield f"http://127.0.0.1:{port}/"
        assert list(kept.rglob("*.png"))
        server.send_signal(signal.SIGINT)
        server.wait(SECONDS)
        assert list(kept.iterdir()) == []  # what was uploaded is gone
    finally:
        server.kill()


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    selenium = pytest.importorskip("selenium.webdriver", reason="selenium is absent")
    absent = [program for program in CHROMIUM if not shutil.which(program)]
    if absent:
        pytest.skip(f"{' and '.join(absent)} absent: apt-get install chromium chromium-driver")
    options = selenium.ChromeOptions()
    options.binary_location = shutil.which("chromium")
    for argument in (
        *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
        *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
        f"--user-data-dir={tmp_path_factory.mktemp('chromium')}",
        "--window-size=1300,900",
    ):
        options.add_argument(argument)
    downloads = tmp_path_factory.mktemp("downloads")
    options.add_experimental_option("prefs", {"download.default_directory": str(downloads)})
    options.set_capability("goog:loggingPrefs", {"performance": "ALL"})
    service = selenium.ChromeService(shutil.which("chromedriver"))
    browser = selenium.Chrome(options=options, service=service)
    browser.downloads = downloads
    yield browser
    browser.quit()


@pytest.fixture
def page(browser, address):
    return Page(browser, address)


class Page:
    """What a user does on the page, and sees there."""

    def __init__(self, browser, address):
        self.browser = browser
        browser.get(address)
        self.one("#translate")

    def one(self, selector, shown=True):
        """The element, as soon as there is one."""

        def look(browser):
            found = browser.find_elements("css selector", selector)
            return next((one for one in found if one.is_displayed() or not shown), None)

        return self.wait(look, f"no {selector}")

    def wait(self, condition, message):
        from selenium.webdriver.support.ui import WebDriverWait

        return WebDriverWait(self.browser, SECONDS).until(condition, message)

    def upload(self, path):
        self.one("#input input[type=file]", shown=False).send_keys(str(path))

    def translate(self, path, direction="a_to_b"):
        self.upload(path)
        self.one("#input img")
        self.one(f"#direction input[value={direction}]").click()
        self.one("#translate").click()

    def pixels(self, name):
        """The picture that the page shows, at full size."""
        self.one(f"#{name} img")
        *_, last = self.browser.find_elements("css selector", f"#{name} img")  # after, in a slider
        with urllib.request.urlopen(last.get_attribute("src")) as file:
            return np.asarray(Image.open(file))

    def downloaded(self, name):
        path = self.browser.downloads / name  # Chromium gives it this name when it is whole
        self.wait(lambda browser: path.exists(), f"no {path}")
        return path

    def error(self):
        return self.one("[data-testid=toast-body]").text


@pytest.fixture
def glyph(tmp_path):
    """Upright and wider than high, to tell a picture from its transpose."""
    path = tmp_path / "glyphs.png"
    Image.fromarray(np.concatenate(render_glyphs("RE", "a"), axis=1)).save(path)
    return path


def test_upload_is_translated_and_makes_the_round_trip(page, model, glyph):
    page.translate(glyph)
    np.testing.assert_array_equal(page.pixels("round_trip"), model.reconstruct(glyph))
    np.testing.assert_array_equal(page.pixels("translation"), model.translate(glyph))
    np.testing.assert_array_equal(page.pixels("input"), np.asarray(Image.open(glyph)))


def test_translation_is_downloaded_under_the_name_of_its_image(page, model, glyph):
    page.translate(glyph)
    page.one("#round_trip img")
    page.one("#download").click()
    downloaded = page.downloaded("glyphs_a_to_b.png")
    np.testing.assert_array_equal(np.asarray(Image.open(downloaded)), model.translate(glyph))


def test_other_direction_uses_the_other_generator(page, model, glyph):
    page.translate(glyph, direction="b_to_a")
    expected = model.reconstruct(glyph, direction="b_to_a")
    np.testing.assert_array_equal(page.pixels("round_trip"), expected)
    expected = model.translate(glyph, direction="b_to_a")
    np.testing.assert_array_equal(page.pixels("translation"), expected)


def test_example_is_translated_with_one_click_in_its_direction(page, model, examples):
    path, direction = find_examples(examples)[-1]
    page.one(".gallery-item:last-of-type").click()
    np.testing.assert_array_equal(
        page.pixels("round_trip"), model.reconstruct(path, direction=direction)
    )
    assert page.one(f"#direction input[value={direction}]").is_selected()


def test_tiff_that_browsers_cannot_show_is_shown(page, glyph):
    Image.open(glyph).save(glyph.with_suffix(".tiff"))
    page.translate(glyph.with_suffix(".tiff"))
    page.one("#round_trip img")
    np.testing.assert_array_equal(page.pixels("input"), np.asarray(Image.open(glyph)))


def test_what_is_no_image_says_so_and_tells_no_path_of_the_server(page, tmp_path):
    (tmp_path / "note.png").write_bytes(b"no image")
    page.translate(tmp_path / "note.png")
    assert "Can't read note.png" in page.error()
    assert "cannot identify image file" in page.error()
    assert "/" not in page.error()


def test_truncated_image_says_so(page, glyph):
    glyph.write_bytes(glyph.read_bytes()[:-200])
    page.translate(glyph)
    assert "truncated" in page.error()


def test_small_file_with_too_many_pixels_is_refused(page, tmp_path):
    Image.new("L", (1000, 1000)).save(tmp_path / "bomb.png")
    page.translate(tmp_path / "bomb.png")
    assert "bomb.png has more than 0.5 megapixels" in page.error()


def test_too_large_file_is_refused(page, tmp_path):
    (tmp_path / "large.png").write_bytes(os.urandom(3_000_000))
    page.upload(tmp_path / "large.png")
    assert "exceed" in page.error()


def test_no_image_at_all_says_so(page):
    page.one("#translate").click()
    assert "Drop an image" in page.error()


def test_page_sends_requests_to_its_own_server_only(page, address, glyph):
    page.browser.get_log("performance")
    page.browser.get(address)
    page.translate(glyph)
    page.one("#round_trip img")
    events = [json.loads(e["message"])["message"] for e in page.browser.get_log("performance")]
    asked = [
        event["params"]["request"]["url"]
        for event in events
        if event["method"] == "Network.requestWillBeSent"
    ]
    assert len(asked) > 10
    assert [url for url in asked if not url.startswith((address, "data:", "blob:"))] == []
    assert "preconnect" not in page.browser.page_source


# --- pages of others --------------------------------------------------------------------------


def status(address, path="", data=None, **headers):
    request = urllib.request.Request(address + path, data=data, headers=headers)
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


def test_only_known_names_of_this_machine_are_answered(address):
    assert status(address) == 200
    assert status(address, Host="localhost") == 200
    for path, data in (("", None), ("gradio_api/upload", b"x"), ("gradio_api/queue/join", b"{}")):
        assert status(address, path, data, Host="evil.example:80") == 400


def test_page_of_another_origin_may_not_read_the_answer(address):
    for origin, may in (("http://localhost", True), ("https://evil.example", False)):
        request = urllib.request.Request(address, headers={"Origin": origin})
        with urllib.request.urlopen(request) as answer:
            assert (answer.headers["Access-Control-Allow-Origin"] == origin) == may


# --- many at once ------------------------------------------------------------------------------


def test_fifty_requests_at_once_wait_or_are_told_to_try_again(address, glyph, model):
    client = pytest.importorskip("gradio_client", reason="gradio is absent")
    demo = client.Client(address, verbose=False)
    arguments = (client.handle_file(str(glyph)), "a_to_b")
    jobs = [demo.submit(*arguments, api_name="/translate") for _ in range(50)]
    refused = [str(job.exception(SECONDS)) for job in jobs if job.exception(SECONDS)]
    assert set(refused) <= {"Queue is full! Please try again."}
    assert 50 - len(refused) >= MAX_WAITING
    # The last of its answers has the round trip, and leaves the others as they were.
    (after,) = [x for x in demo.predict(*arguments, api_name="/translate") if type(x) is str]
    np.testing.assert_array_equal(np.asarray(Image.open(after)), model.reconstruct(glyph))


# --- without a browser -------------------------------------------------------------------------


@needs_gradio
def test_one_way_model_offers_its_direction_and_no_round_trip(model):
    one_way = CycleGAN(None, model.generator_ba, None, None, image_shape=(32, 32, 3))
    parts = {
        part.elem_id: part
        for part in build_demo(one_way, "one way").blocks.values()
        if hasattr(part, "elem_id")
    }
    assert [value for _, value in parts["direction"].choices] == ["b_to_a"]
    assert not parts["round_trip"].visible


@needs_gradio
def test_a_thin_picture_counts_with_what_is_padded(model, tmp_path):
    gradio = pytest.importorskip("gradio")
    Image.new("L", (900, 1)).save(tmp_path / "thin.png")
    for limit, refused in ((7_000, True), (7_300, False)):
        page = build_demo(model, "glyphs", max_pixels=limit)
        translate = next(f.fn for f in page.fns.values() if f.name == "translate")
        with (
            pytest.raises(gradio.Error, match="megapixels") if refused else contextlib.nullcontext()
        ):
            next(translate({"path": str(tmp_path / "thin.png")}, "a_to_b"))


@needs_gradio
def test_pictures_are_translated_without_the_extras_of_doubt(tmp_path, monkeypatch):
    def absent(images):
        raise ImportError("The weights of efficientnet-lite0 need an extra.")

    monkeypatch.setattr(doubt, "_features", absent)
    Image.new("RGB", (32, 32), "white").save(tmp_path / "white.png")
    page = build_demo(CycleGAN.from_preset("glyphs"), "glyphs")
    translate = next(f.fn for f in page.fns.values() if f.name == "translate")
    _, shown, pictures, *_ = next(translate({"path": str(tmp_path / "white.png")}, "a_to_b"))
    assert shown is None
    assert Image.open(pictures[1]).size == (32, 32)


@needs_gradio
def test_all_translations_wait_in_one_line(model, examples):
    page = build_demo(model, "glyphs", examples=find_examples(examples))
    functions = [f for f in page.fns.values() if f.name == "translate"]
    assert len(functions) == 2  # of the button, and of the examples
    assert {(f.concurrency_id, f.concurrency_limit) for f in functions} == {("model", 1)}


def test_examples_of_a_folder_know_their_direction(tmp_path):
    for name in ("one.png", "a/two.JPG", "b/three.webp", "b/note.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert [(path.name, way) for path, way in find_examples(tmp_path)] == [
        ("one.png", "a_to_b"),
        ("two.JPG", "a_to_b"),
        ("three.webp", "b_to_a"),
    ]
    with pytest.raises(FileNotFoundError, match="no example in"):
        find_examples(tmp_path / "b" / "nothing")


def test_missing_gradio_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "gradio", None)
    result = CliRunner().invoke(app, ["demo", "--preset", "glyphs"])
    assert result.exit_code == 1
    assert "pip install 'gradio>=6'" in result.output
