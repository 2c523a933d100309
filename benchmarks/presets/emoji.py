"""Emoji of Noto (A) and Twemoji (B): an unpaired task in colour whose ground truth is known.

    npm pack emoji-datasource-google@16.0.0 emoji-datasource-twitter@16.0.0   # and unpack both
    python benchmarks/presets/emoji.py GOOGLE TWITTER --preset noto2twemoji   # scores
    python benchmarks/presets/emoji.py GOOGLE TWITTER --write DATA            # folders to train on

GOOGLE and TWITTER are the packages' `img/google/64` and `img/twitter/64`: 3,786 pictures each, of
the same names. They are Noto Emoji (Apache-2.0) and Twemoji (CC BY 4.0, Twitter and contributors).

Both hands draw the same characters, so a translation can be held against what the other one drew.
The characters are split so that no one is in both training domains, and those of the test are in
neither; skin tones, genders and directions of one emoji are one character here. Pictures are put
on white. Scores are of one picture of each test character: mean absolute error (black to white =
1), SSIM, and KID on EfficientNet-Lite0 features, beside the untranslated pictures.
"""

import argparse
import os
import pathlib
import platform
import time
import zlib

import numpy as np
from PIL import Image

SIDE = 64
TEST, VALIDATION = 192, 128  # characters
MAX_OF_ONE = 3  # training pictures of one character: not a thousand pairs of hands
VARIANTS = {  # code points that don't make another character: five skin tones,
    *("1f3fb", "1f3fc", "1f3fd", "1f3fe", "1f3ff"),
    *("200d", "fe0f"),  # joiner, coloured presentation,
    *("2640", "2642", "27a1"),  # female, male, facing right
}
PERSON = {"1f468": "1f9d1", "1f469": "1f9d1"}  # man and woman
DIRECTIONS = {"a_to_b": "Noto → Twemoji", "b_to_a": "Twemoji → Noto"}


def characters(names):
    """Group names of pictures (code points in hexadecimal, joined by "-") by their character.

    Returns:
        A dict from each character's code points, a tuple, to the sorted names of its pictures.
    """
    groups = {}
    for name in sorted(names):
        codes = tuple(PERSON.get(c, c) for c in name.split("-") if c not in VARIANTS)
        groups.setdefault(codes or (name,), []).append(name)
    return groups


def split(folders):
    """Split what both folders have, the same on every machine.

    Of characters that one hand draws alike (some flags) the first is kept.

    Args:
        folders: paths `(a, b)`.

    Returns:
        A dict from `"train_a"`, `"train_b"`, `"validation"` and `"test"` to names of pictures;
        no character is in two of them.
    """
    names = [{path.stem for path in pathlib.Path(folder).glob("*.png")} for folder in folders]
    if not names[0] & names[1]:
        raise FileNotFoundError(f"{folders[0]} and {folders[1]} share no name of a .png file.")
    seen, groups = set(), []
    for codes, group in characters(names[0] & names[1]).items():
        drawn = {(i, on_white(f, group[:1]).tobytes()) for i, f in enumerate(folders)}
        if not drawn & seen:
            groups.append((zlib.crc32("-".join(codes).encode()), group))
        seen |= drawn
    groups = [group for _, group in sorted(groups)]  # by a checksum: as good as a shuffle
    train = groups[TEST + VALIDATION :]
    return {
        "train_a": [name for group in train[::2] for name in chosen(group)],
        "train_b": [name for group in train[1::2] for name in chosen(group)],
        "validation": [group[0] for group in groups[TEST : TEST + VALIDATION]],
        "test": [group[0] for group in groups[:TEST]],
    }


def chosen(group):
    """A few of a character's pictures, far apart in their order."""
    return [group[i * len(group) // MAX_OF_ONE] for i in range(MAX_OF_ONE)][: len(group)]


def with_opacity(folder, names):
    """Read pictures as uint8 `(n, 64, 64, 4)`: their colours on white, and their opacity."""
    images = np.empty((len(names), SIDE, SIDE, 4), "uint8")
    for image, name in zip(images, names, strict=True):
        picture = Image.open(pathlib.Path(folder) / f"{name}.png").convert("RGBA")
        if picture.size != (SIDE, SIDE):
            raise ValueError(f"Pictures are {SIDE}×{SIDE}. {name}.png in {folder}: {picture.size}.")
        white = Image.new("RGBA", picture.size, "white")
        white.alpha_composite(picture)
        image[..., :3] = np.asarray(white.convert("RGB"))
        image[..., 3] = np.asarray(picture)[..., 3]
    return images


def on_white(folder, names):
    """Read pictures as uint8 `(n, 64, 64, 3)`, on white where they are transparent."""
    return np.ascontiguousarray(with_opacity(folder, names)[..., :3])


def write(folders, names, target):
    """Write the pictures on white and their opacity as masks, for `keras-cyclegan train`."""
    parts = {"trainA": "train_a", "trainB": "train_b", "testA": "test", "testB": "test"}
    for part, key in parts.items():
        folder = folders["AB".index(part[-1])]
        for name, image in zip(names[key], with_opacity(folder, names[key]), strict=True):
            shown = {part: image[..., :3], f"mask{part[-1]}": image[..., 3]}
            for kind, pixels in shown.items():
                (target / kind).mkdir(parents=True, exist_ok=True)
                Image.fromarray(np.ascontiguousarray(pixels)).save(target / kind / f"{name}.png")


def metrics():
    from keras_cyclegan.metrics import (
        EfficientNetLite0Features,
        KernelInceptionDistance,
        MeanAbsoluteError,
        StructuralSimilarity,
    )

    features = EfficientNetLite0Features()
    return [
        MeanAbsoluteError(name="mae"),
        StructuralSimilarity(name="ssim"),
        KernelInceptionDistance(features, protocol=features.protocol, name="kid"),
    ]


def scores(images, real, kinds):
    """Return `{"mae": …, "ssim": …, "kid": …}` of uint8 pictures against the other hand's."""
    found = {}
    for metric in kinds:
        metric.reset_state()
        for start in range(0, len(images), 16):
            metric.update_state(real[start : start + 16], images[start : start + 16])
        found[metric.name] = float(metric.result())
    found["mae"] /= 2  # from the scale of [-1, 1] to that of black to white = 1
    return found


def translate(model, images, direction):
    return np.stack([np.asarray(x) for x in model.translate(images, direction=direction)])


def table(model, folders, names):
    """The scores of both directions in Markdown, those of untranslated pictures beside them."""
    kinds = metrics()
    pictures = dict(zip("ab", (on_white(folder, names) for folder in folders), strict=True))
    lines = ["| | MAE | SSIM | KID×100 |", "|---|---|---|---|"]
    for direction, title in DIRECTIONS.items():
        source, target = direction.split("_to_")
        shown = {f"{title}, untranslated": pictures[source]}
        if model is not None:
            shown[f"**{title}**"] = translate(model, pictures[source], direction)
        for name, images in shown.items():
            found = scores(images, pictures[target], kinds)
            lines.append(
                f"| {name} | {found['mae']:.4f} | {found['ssim']:.3f} | {100 * found['kid']:.2f} |"
            )
    return "\n".join(lines)


def picture(model, folders, names, path, columns=12):
    """Save a picture: test characters in both hands, and their translations below them."""
    chosen = names[:: len(names) // columns][:columns]
    rows = []
    pictures = [on_white(folder, chosen) for folder in folders]
    for source, direction in zip(pictures, DIRECTIONS, strict=True):
        rows += [source, translate(model, source, direction)]
    border = np.pad(np.stack(rows), ((0, 0), (0, 0), (4, 4), (4, 4), (0, 0)), constant_values=255)
    Image.fromarray(np.concatenate([np.concatenate(row, axis=1) for row in border])).save(path)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", nargs=2, help="pictures of Noto, and of Twemoji")
    parser.add_argument("--preset", help="name or folder of a preset to score; none: baselines")
    parser.add_argument("--write", help="folder for trainA, trainB, maskA, maskB, testA and testB")
    parser.add_argument("--split", choices=["test", "validation"], default="test")
    parser.add_argument("--picture", help="file for a picture of test characters")
    arguments = parser.parse_args()

    from keras_cyclegan import CycleGAN

    names = split(arguments.folders)
    print("Pictures: " + ", ".join(f"{key} {len(value)}" for key, value in names.items()))
    if arguments.write:
        return write(arguments.folders, names, pathlib.Path(arguments.write))
    began = time.time()
    model = arguments.preset and CycleGAN.from_preset(arguments.preset)
    print(table(model, arguments.folders, names[arguments.split]))
    print(f"\nMachine: {os.cpu_count()} × {platform.machine()}; {time.time() - began:.0f} s.")
    if arguments.picture:
        picture(model, arguments.folders, names["test"], arguments.picture)


if __name__ == "__main__":
    main()
