"""`examples/onnx_in_browser`: the page that it gathers, in Chromium, from a server of files."""

import base64
import functools
import http.server
import importlib.util
import io
import json
import re
import shutil
import threading

import numpy as np
import pytest
from PIL import Image
from support.examples import EXAMPLES, example

from keras_cyclegan import CycleGAN
from keras_cyclegan.data.glyphs import render_glyphs

SOURCE = EXAMPLES / "onnx_in_browser"
SECONDS = 120


def test_page_refers_to_files_that_are_gathered_and_to_nothing_elsewhere():
    build = example("onnx_in_browser/build")
    text = "".join((SOURCE / name).read_text() for name in build.PAGE)
    assert not re.search(r"https?://", text)
    named = set(re.findall(r'(?:src|href)="([\w.]+)"|new Worker\("([\w.]+)"', text))
    assert {name for pair in named for name in pair if name} == {*build.PAGE} - {"index.html"}
    assert f"./runtime/{build.RUNTIME_FILES[0]}" in text


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The gathered page, behind a server that knows nothing but files."""
    for program in ("npm", "chromium", "chromedriver"):
        if not shutil.which(program):
            pytest.skip(f"{program} is absent: apt-get install npm chromium chromium-driver")
    for package in ("tf2onnx", "selenium"):
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"{package} is absent: pip install .[onnx,test]")
    folder = tmp_path_factory.mktemp("page") / "site"
    example("onnx_in_browser/build").main(folder, preset="glyphs")
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=folder)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.fixture(scope="module")
def browser(site, tmp_path_factory):
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium")
    for argument in (
        *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
        *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
        *("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"),
        f"--user-data-dir={tmp_path_factory.mktemp('chromium')}",
        "--window-size=1000,900",
    ):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"performance": "ALL"})
    service = webdriver.ChromeService(shutil.which("chromedriver"))
    browser = webdriver.Chrome(options=options, service=service)
    yield browser
    browser.quit()


class Page:
    """What a user does on the page, and sees there."""

    def __init__(self, browser, address):
        self.browser = browser
        browser.get(address)
        self.wait_for("Ready")

    def wait_for(self, text):
        from selenium.webdriver.support.ui import WebDriverWait

        def said(browser):
            return text in browser.find_element("id", "message").text

        message = self.browser.find_element("id", "message").text
        WebDriverWait(self.browser, SECONDS).until(said, f"{text!r}, not {message!r}")

    def drop(self, content, name="picture.png"):
        """Drop a file on the page, as a hand does."""
        self.browser.execute_script(
            """
            const bytes = Uint8Array.from(atob(arguments[0]), (c) => c.charCodeAt(0));
            const dataTransfer = new DataTransfer();
            dataTransfer.items.add(new File([bytes], arguments[1]));
            document.getElementById("message").textContent = "";
            for (const kind of ["dragover", "drop"]) {
              const options = { dataTransfer, bubbles: true, cancelable: true };
              document.getElementById("drop").dispatchEvent(new DragEvent(kind, options));
            }
            """,
            base64.b64encode(content).decode(),
            name,
        )

    def choose(self, name, value):
        self.browser.find_element("css selector", f"#{name} option[value='{value}']").click()

    def pixels(self, canvas):
        address = self.browser.execute_script(
            "return document.getElementById(arguments[0]).toDataURL()", canvas
        )
        return np.asarray(Image.open(io.BytesIO(base64.b64decode(address.split(",")[1]))))[..., :3]

    def addresses(self):
        """All that the browser has asked for."""
        entries = [
            json.loads(one["message"])["message"] for one in self.browser.get_log("performance")
        ]
        return [
            entry["params"]["request"]["url"]
            for entry in entries
            if entry["method"] == "Network.requestWillBeSent"
        ]


@pytest.fixture(scope="module")
def page(browser, site):
    return Page(browser, site)


@pytest.fixture(scope="module")
def glyphs():
    return np.concatenate(render_glyphs("RE", "a"), axis=1)  # wider than high


def png(picture):
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "PNG")
    return file.getvalue()


def difference(made, picture, direction):
    expected = CycleGAN.from_preset("glyphs").translate(picture, direction)
    assert made.shape == expected.shape
    return np.abs(made.astype(int) - expected).max()


@pytest.mark.slow
def test_dropped_picture_is_translated_both_ways_as_by_the_model(page, glyphs):
    page.drop(png(glyphs))
    page.wait_for("64×32 pixels in")
    np.testing.assert_array_equal(page.pixels("given"), glyphs)
    assert difference(page.pixels("made"), glyphs, "a_to_b") <= 1
    assert page.browser.find_element("id", "download").is_displayed()
    page.choose("direction", "b_to_a")
    page.wait_for("64×32 pixels in")
    assert difference(page.pixels("made"), glyphs, "b_to_a") <= 1
    page.choose("direction", "a_to_b")


@pytest.mark.slow
def test_large_picture_is_shrunk_to_the_chosen_side(page, glyphs):
    page.drop(png(glyphs.repeat(10, axis=0).repeat(10, axis=1)))
    page.wait_for("256×128 pixels in")
    assert page.pixels("made").shape == (128, 256, 3)


@pytest.mark.slow
def test_what_is_no_picture_is_said_and_the_page_goes_on(page, glyphs):
    page.drop(b"no picture", "notes.txt")
    page.wait_for("can't read this file as a picture")
    page.drop(png(glyphs))
    page.wait_for("64×32 pixels in")


@pytest.mark.slow
def test_camera_is_translated_frame_after_frame_until_it_is_switched_off(page):
    button = page.browser.find_element("id", "camera")
    page.browser.execute_script("document.getElementById('message').textContent = ''")
    button.click()
    page.wait_for("256×192 pixels in")  # the stand-in's 640×480
    first = page.pixels("made")
    assert first.shape == (192, 256, 3)
    assert button.get_attribute("aria-pressed") == "true"
    assert first.std() > 5
    button.click()
    assert button.get_attribute("aria-pressed") == "false"
    assert page.browser.execute_script("return document.getElementById('video').srcObject") is None


@pytest.mark.slow
def test_browser_asks_for_nothing_beside_the_site(page, site):
    fetched = [url for url in page.addresses() if not url.startswith(("data:", "blob:", "chrome"))]
    assert f"{site}page.js" in fetched
    assert [url for url in fetched if not url.startswith(site)] == []
