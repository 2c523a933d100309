"""Every block of code in the README and on the site runs, or its page says why it can't.

Python runs page by page, each block after the others, with networks and trainings as small as
can be. Of a shell block each command is parsed by the command line itself; those marked slow are
run by `pytest -m slow tests/site`.
"""

import inspect
import os
import shlex
import shutil
import subprocess
import sys

import numpy as np
import PIL.Image
import pytest
from support.blocks import ALL, BLOCK, PAGES, pages_with
from typer.testing import CliRunner

import keras_cyclegan
from keras_cyclegan import CycleGAN, cli, cyclegan, networks
from keras_cyclegan.commands import parser
from keras_cyclegan.presets.table import SHIPPED

SMALL = 64  # pixels; larger models are made and not trained
# What makes a training short; given last, it counts.
TOY = "--epochs 1 --steps-per-epoch 1 --image-size 32 --load-size 36"
TOY_NETWORKS = (
    "--filters 2 --blocks 1 "
    "--discriminator patch --discriminator-filters 2 --discriminator-layers 1"
)


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with the images and presets that the pages take for granted."""
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(0)
    for folder in ("trainA", "trainB", "testA", "testB"):
        for data in ("images", "horse2zebra"):
            at = tmp_path / "path" / "to" / data / folder
            at.mkdir(parents=True)
            for name in "1234":
                levels = random.integers(0, 256, (40, 40, 3), "uint8")
                PIL.Image.fromarray(levels).save(at / f"{name}.png")
    PIL.Image.new("RGB", (40, 40), "red").save("horse.jpg")
    for preset in ("mine", "run/preset"):
        shutil.copytree(SHIPPED / "glyphs", preset)
    return tmp_path


@pytest.fixture
def small(monkeypatch):
    """Networks left out are tiny, `fit` is one step, and validation is two batches."""

    def generator(shape, channels=3, **given):
        return networks.ResNetGenerator(shape, channels, filters=2, num_blocks=0, **given)

    def discriminator(shape, **given):
        return networks.PatchDiscriminator(shape, filters=2, num_layers=1, **given)

    monkeypatch.setattr(cyclegan, "ResNetGenerator", generator)
    monkeypatch.setattr(cyclegan, "PatchDiscriminator", discriminator)
    fit, signature = CycleGAN.fit, inspect.signature(CycleGAN.fit)

    def one_step(self, *args, **kwargs):
        given = signature.bind(self, *args, **kwargs)
        if max(self.image_shape[:2]) <= SMALL:
            self.run_eagerly = True
            if kwargs.get("epochs", 1) > 1:
                kwargs |= {"epochs": 1, "steps_per_epoch": 1}
            return fit(self, *args, **kwargs)
        return given

    monkeypatch.setattr(CycleGAN, "fit", one_step)
    load = keras_cyclegan.data.load

    def load_few(*args, **kwargs):
        train, validation = load(*args, **kwargs)
        return train, validation and validation.take(2)

    monkeypatch.setattr(keras_cyclegan.data, "load", load_few)


@pytest.fixture
def elsewhere(monkeypatch):
    """wandb without its service, and exports that another page makes."""
    monkeypatch.setenv("WANDB_MODE", "offline")
    signature = inspect.signature(CycleGAN.export)
    monkeypatch.setattr(CycleGAN, "export", lambda *a, **k: signature.bind(*a, **k))


def run_python(page, how):
    """Run a page's blocks in one namespace; those that are told to be run so."""
    names = {"__name__": "__main__"}
    for block in ALL[page]:
        if block.language == "python" and block.how in how:
            code = "\n" * (block.line - 1) + block.code
            exec(compile(code, block.page, "exec"), names)


@pytest.mark.parametrize("page", pages_with("python", how=(None,)))
def test_python_of_a_page_runs(page, place, small, request):
    if page != "docs/how_to/export.md":
        request.getfixturevalue("elsewhere")
    run_python(page, [None])


@pytest.mark.slow
@pytest.mark.parametrize("page", pages_with("python", how=("slow",)))
def test_slow_python_of_a_page_runs(page, place, small):
    run_python(page, [None, "slow"])


@pytest.mark.parametrize("page", pages_with("bash"))
def test_commands_of_a_page_are_commands(page, monkeypatch):
    class Parsed(Exception):
        """All arguments are understood; what the command does isn't the subject."""

    def parsed():
        raise Parsed

    monkeypatch.setattr(parser, "import_keras_quietly", parsed)
    for block in ALL[page]:
        if block.language != "bash":
            continue
        checked = subprocess.run(["bash", "-n"], input=block.code, text=True, capture_output=True)
        assert not checked.returncode, f"{block}: {checked.stderr}"
        for line in block.code.replace("\\\n", " ").splitlines():
            words = shlex.split(line, comments=True)
            if words[:1] == ["keras-cyclegan"]:
                result = CliRunner().invoke(cli.app, words[1:])
                understood = isinstance(result.exception, Parsed) or not result.exit_code
                assert understood, f"{block}: {line}\n{result.output}"


@pytest.mark.slow
@pytest.mark.parametrize("page", pages_with("bash", how=("slow",)))
def test_slow_commands_of_a_page_run(page, place):
    code = [b.code for b in ALL[page] if b.language == "bash" and b.how == "slow"]
    if any("keras-cyclegan train" in one for one in code):
        shutil.rmtree("run")  # the page makes it
    shim = place / "bin" / "keras-cyclegan"
    shim.parent.mkdir()
    python = f"{shlex.quote(sys.executable)} -m keras_cyclegan"
    shim.write_text(
        "#!/usr/bin/env bash\n"
        f'if [ "$1" != train ]; then exec {python} "$@"; fi\n'
        f'if [[ "$*" = *--init* ]]; then exec {python} "$@" {TOY}; fi\n'  # has networks
        f'exec {python} "$@" {TOY} {TOY_NETWORKS}\n'
    )
    shim.chmod(0o755)
    path = os.pathsep.join([str(shim.parent), os.environ["PATH"]])
    source = str(PAGES[0].parent)
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", "\n".join(code)],
        env={**os.environ, "PATH": path, "PYTHONPATH": source},
        capture_output=True,
        text=True,
    )
    assert not done.returncode, done.stdout + done.stderr


def test_every_fence_is_a_block():
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        fences = sum(line.startswith("```") for line in text.splitlines())
        plain = text.count("\n```{") + text.startswith("```{")
        assert fences == 2 * (len(BLOCK.findall(text)) + plain), page
        assert {block.language for block in ALL[str(page.relative_to(PAGES[0].parent))]} <= {
            "python",
            "bash",
            "text",
        }


def test_blocks_are_not_run_for_a_reason_only():
    unmarked = [str(b) for found in ALL.values() for b in found if b.how == "not run"]
    assert len(unmarked) < 12, unmarked  # more would be a habit
    assert keras_cyclegan.__version__
