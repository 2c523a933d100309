"""The embedded set: letters and numbers in two of matplotlib's fonts. Works offline."""

import os
import unicodedata
import zlib

import numpy as np

from keras_cyclegan.data.store import Split

FONTS = {"a": "DejaVuSans.ttf", "b": "DejaVuSerif-BoldItalic.ttf"}
TEST_CHARACTERS = 192


def glyph_characters():
    """Split the letters and numbers that both fonts have into train A, train B and test.

    Many of 1,931 look alike (the Latin, Greek and Cyrillic A). Of those with the same 32×32 picture
    in one of the fonts only the first is kept, so that no test picture is trained on: 1,747 remain.
    """
    from matplotlib.ft2font import FT2Font

    tables = [FT2Font(_font_path(domain)).get_charmap() for domain in "ab"]
    shared = [chr(code) for code in sorted(set(tables[0]) & set(tables[1]))]
    letters = [c for c in shared if unicodedata.category(c)[0] in "LN"]
    drawings = zip(*(render_glyphs(letters, domain, channels=1) for domain in "ab"), strict=True)
    seen, distinct = set(), []
    for character, pair in zip(letters, drawings, strict=True):
        pair = {(domain, drawing.tobytes()) for domain, drawing in zip("ab", pair, strict=True)}
        if not pair & seen:
            distinct.append(character)
        seen |= pair
    # By checksum: as random as a shuffle, and the same on every machine and version.
    distinct.sort(key=lambda c: (zlib.crc32(c.encode()), c))
    test, train = distinct[:TEST_CHARACTERS], distinct[TEST_CHARACTERS:]
    return train[::2], train[1::2], test


def glyph_splits():
    """Return a `Split` each of train A, train B, test A and test B; the latter two are aligned."""
    train_a, train_b, test = glyph_characters()
    return [_split(train_a, "a"), _split(train_b, "b"), _split(test, "a"), _split(test, "b")]


def _split(characters, domain):
    def draw(size, channels):
        if size[0] != size[1]:
            raise ValueError(f"Glyphs are square. Received image_size={size[0]}×{size[1]}.")
        return render_glyphs(characters, domain, size[0], channels)

    return Split(f"glyphs {domain}", "", list(characters), list, draw)


def render_glyphs(characters, domain, size=32, channels=3):
    """Draw characters black on white on a common baseline: uint8 `(n, size, size, channels)`.

    A border of a sixteenth of the size stays free for shifts: characters that would reach into it
    are moved or drawn smaller.
    """
    from PIL import Image, ImageDraw, ImageFont

    points = range(round(size * 22 / 32), 0, -1)
    # The other layout needs a library that not every build of Pillow has.
    basic = ImageFont.Layout.BASIC
    path = _font_path(domain)
    fonts = [ImageFont.truetype(path, number, layout_engine=basic) for number in points]
    margin = size // 16
    images = np.empty((len(characters), size, size), "uint8")
    for image, character in zip(images, characters, strict=True):
        for font in fonts:
            left, top, right, bottom = font.getbbox(character, anchor="ls")
            if max(right - left, bottom - top) <= size - 2 * margin:
                break
        x = (size - left - right) // 2
        y = min(max(size * 3 // 4, margin - top), size - margin - bottom)
        canvas = Image.new("L", (size, size), 255)
        ImageDraw.Draw(canvas).text((x, y), character, font=font, fill=0, anchor="ls")
        image[:] = np.asarray(canvas)
    return np.repeat(images[..., None], channels, axis=-1)


def _font_path(domain):
    import matplotlib

    return os.path.join(matplotlib.get_data_path(), "fonts", "ttf", FONTS[domain])
