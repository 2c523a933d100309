"""Writes a preset whose generators change images more, or less: the last convolution by a factor.

    python benchmarks/presets/strength.py PRESET OUT --a-to-b 1.75

`CycleGAN.strengthen` says of what it is a factor. Choose it on held-out images:
`horse2zebra_judge.py DATA --split train-holdout`.
"""

import argparse

from keras_cyclegan import CycleGAN


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("preset", help="name or folder")
    parser.add_argument("out", help="folder to write")
    parser.add_argument("--a-to-b", type=float, default=1.0)
    parser.add_argument("--b-to-a", type=float, default=1.0)
    options = parser.parse_args()
    model = CycleGAN.from_preset(options.preset)
    model.strengthen(options.a_to_b, options.b_to_a)
    model.save_to_preset(options.out, half_precision=True)


if __name__ == "__main__":
    main()
