"""Measures doubt: the share of foreign objects, put into photos, that is in its top decile.

python benchmarks/doubt.py DATA --preset horse2zebra

The first half of `testA` calibrates, the second is asked: once as it is, once with a square of a
quarter of the side in each photo: of one colour, of noise, or a chessboard.
"""

import argparse
from pathlib import Path

import numpy as np
from PIL import Image

from keras_cyclegan import CycleGAN


def squares(random, side):
    return {
        "one colour": np.full((side, side, 3), (255, 0, 255), "uint8"),
        "noise": random.integers(0, 256, (side, side, 3), "uint8"),
        "chessboard": np.kron(
            random.integers(0, 2, (side // 4, side // 4, 1), "uint8") * 255,
            np.ones((4, 4, 3), "uint8"),
        ),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--preset", default="horse2zebra")
    parser.add_argument("--size", type=int, default=128)
    arguments = parser.parse_args()
    model = CycleGAN.from_preset(arguments.preset)
    size, random = arguments.size, np.random.default_rng(0)
    paths = sorted((arguments.data / "testA").iterdir())
    photos = [np.array(Image.open(p).convert("RGB").resize((size, size))) for p in paths]
    known, asked = photos[: len(photos) // 2], photos[len(photos) // 2 :]
    model.calibrate_doubt(known)
    _, clean = model.translate(asked, return_doubt=True)
    print(f"{len(known)} photos calibrate, {len(asked)} are asked; top decile of doubt")
    print("| | inside | outside | unlike |\n|---|---|---|---|")
    unlike = np.mean([doubt.unlike for doubt in clean])
    print(f"| as they are | | {np.mean([d.map >= 0.9 for d in clean]):.0%} | {unlike:.0%} |")
    side = size // 4
    for title, square in squares(random, side).items():
        places, changed = [], []
        for photo in asked:
            top, left = random.integers(0, size - side, 2)
            places.append(np.zeros((size, size), bool))
            places[-1][top : top + side, left : left + side] = True
            changed.append(photo.copy())
            changed[-1][places[-1]] = square.reshape(-1, 3)
        _, doubts = model.translate(changed, return_doubt=True)
        tops = np.stack([doubt.map[:, :, 0] >= 0.9 for doubt in doubts])
        places = np.stack(places)
        unlike = np.mean([doubt.unlike for doubt in doubts])
        print(
            f"| {title} | {tops[places].mean():.0%} | {tops[~places].mean():.0%} | {unlike:.0%} |"
        )


if __name__ == "__main__":
    main()
