"""The table of docs/how_to/pixels.md: each cell is run, and the table is what came of it.

KINDS_TABLE=write pytest -m slow tests/data/test_table_of_kinds.py
"""

import itertools
import os
import re
from pathlib import Path

import keras
import numpy as np
import pytest
from data.test_kinds import make_dicom

from keras_cyclegan import CycleGAN
from keras_cyclegan.data import PixelFormat, load
from keras_cyclegan.data.decode import open_image
from keras_cyclegan.data.folders import frames
from keras_cyclegan.data.kinds import ALL, KINDS
from keras_cyclegan.data.writers import check_kind, write_images
from keras_cyclegan.evaluation import evaluate
from keras_cyclegan.inference.files import translate_files

PAGE = Path(__file__).parents[2] / "docs" / "how_to" / "pixels.md"
START, END = "<!-- table of kinds: made by its test -->\n", "<!-- end of the table -->\n"
CHANNELS = (1, 3, 5)
COLUMNS = ("train", "translate", "evaluate", "export")
FORMATS = {
    "uint8": {"low": 0.0, "high": 255.0},
    "uint16": {"low": 0.0, "high": 4095.0},
    "int16": {"low": -1024.0, "high": 3071.0},
    "float32": {"low": -1.0, "high": 3.0},
}


def unchanging(channels):
    images = keras.Input((None, None, channels))
    return keras.Model(images, keras.layers.Activation("linear")(images))


def model_of(pixels):
    networks = unchanging(pixels.channels), unchanging(pixels.channels), None, None
    shape = (16, 16, pixels.channels)
    return CycleGAN(*networks, image_shape=shape, pixels_a=pixels, pixels_b=pixels)


def make(path, kind, pixels):
    """Write an image with values of its range; a DICOM file needs a header to begin with."""
    rows, columns, channel = np.mgrid[:16, :16, : pixels.channels]
    share = (rows * (channel + 1) + columns) % 31 / 30
    share = np.sort(share, axis=0)  # smooth, since JPEG loses noise
    image = (pixels.low + (pixels.high - pixels.low) * share)[None]
    image = image if pixels.dtype == "float32" else np.rint(image)
    like = None
    if kind == "DICOM":
        like = path.parent.parent / "header.dcm"
        slope = 0.5 if pixels.dtype == "float32" else 1.0
        make_dicom(like, slope=slope, intercept=0 if pixels.dtype == "uint16" else -1024)
        image = np.rint(image) / (2 if pixels.dtype == "float32" else 1)
    write_images(path, image.astype(pixels.dtype), like)


def train(root, pixels):
    ends = None if pixels.dtype == "uint8" else (pixels.low, pixels.high)
    options = {"channels": pixels.channels, "range_a": ends, "range_b": ends}
    batches, _ = load(root, image_size=16, **options)
    assert (batches.pixels_a.dtype, batches.pixels_a.channels) == (pixels.dtype, pixels.channels)


def translate(root, pixels):
    path = next((root / "trainA").iterdir())
    into = root / "out" / path.name
    ((*_, error),) = translate_files(model_of(pixels), [(path, into)])
    if error is not None:
        raise error
    first, second = (
        open_image(frames(p, pixels.channels)[0], pixels.channels, pixels=pixels).pixels
        for p in (path, into)
    )
    assert first.dtype == second.dtype
    assert np.abs(first.astype(float) - second).mean() <= (3 if path.suffix in LOSSY else 1e-3)


LOSSY = (".jpg", ".webp", ".heic")


def score(root, pixels):
    assert evaluate(model_of(pixels), root, extractor="none", split="train").measured


def export(root, pixels):
    import tensorflow as tf

    model_of(pixels).export(root / "served", direction="a_to_b")
    images = np.full((1, 8, 8, pixels.channels), pixels.high, pixels.dtype)
    found = tf.saved_model.load(str(root / "served")).a_to_b(images).numpy()
    np.testing.assert_allclose(found, images)


@pytest.mark.slow
def test_the_table_of_the_docs_is_what_each_cell_does(tmp_path):
    exported, rows = {}, []
    for kind, dtype in itertools.product(KINDS, ALL):
        done = {column: [] for column in COLUMNS}
        for channels in CHANNELS:
            pixels = PixelFormat(dtype, channels, **FORMATS[dtype])
            root = tmp_path / kind / dtype / str(channels)
            try:
                check_kind(f"x{KINDS[kind].suffixes[0]}", dtype, channels)
            except ValueError:
                continue
            for name in ("trainA", "trainB"):
                (root / name).mkdir(parents=True)
                make(root / name / f"x{KINDS[kind].suffixes[0]}", kind, pixels)
            for column, run in zip(COLUMNS[:3], (train, translate, score), strict=True):
                run(root, pixels)
                done[column].append(channels)
            if (dtype, channels) not in exported:
                export(root, pixels)
                exported[dtype, channels] = True
            done["export"].append(channels)
        if done["train"]:
            cells = [" ".join(map(str, done[column])).replace("5", "any") for column in COLUMNS]
            suffixes = ", ".join(f"`{suffix}`" for suffix in KINDS[kind].suffixes)
            rows.append(f"| {kind} | {suffixes} | {dtype} | {' | '.join(cells)} |")
    table = "\n".join(
        [
            f"| kind | files | pixels | {' | '.join(COLUMNS)} |",
            "|---|---|---|" + "---|" * len(COLUMNS),
            *rows,
            "",
        ]
    )
    page = PAGE.read_text()
    if os.environ.get("KINDS_TABLE") == "write":
        before, after = page.split(START)[0], page.split(END)[1]
        page = before + START + table + END + after
        PAGE.write_text(page)
    assert page.split(START)[1].split(END)[0] == table


def test_the_table_has_every_kind_and_suffix():
    table = PAGE.read_text().split(START)[1].split(END)[0]
    assert {row.split("|")[1].strip() for row in table.splitlines()[2:]} == set(KINDS)
    for kind in KINDS.values():
        for suffix in kind.suffixes:
            assert f"`{suffix}`" in table
    assert len(re.findall(r"\| (?:uint8|uint16|int16|float32) \|", table)) == sum(
        len(kind.dtypes) for kind in KINDS.values()
    )
