"""Writes a preset whose generators change images more, or less: the last convolution by a factor.

    python benchmarks/presets/strength.py PRESET OUT --a-to-b 1.75

A generator with a skip from the input computes `tanh(h + artanh(0.98 · x))`; the factor is of `h`,
what it adds to the image x. Training can leave that too weak or too strong. Choose the factor on
held-out images: `horse2zebra_judge.py DATA --split train-holdout`.
"""

import argparse

from keras_cyclegan import CycleGAN


def strengthen(generator, factor):
    """Multiply the kernel and the bias of a `ResNetGenerator`'s last convolution."""
    head = generator.get_layer("head_conv")
    head.set_weights([factor * weights for weights in head.get_weights()])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("preset", help="name or folder")
    parser.add_argument("out", help="folder to write")
    parser.add_argument("--a-to-b", type=float, default=1.0)
    parser.add_argument("--b-to-a", type=float, default=1.0)
    options = parser.parse_args()
    model = CycleGAN.from_preset(options.preset)
    factors = options.a_to_b, options.b_to_a
    for generator, factor in zip(model.generators(), factors, strict=True):
        if generator is not None:
            strengthen(generator, factor)
    model.save_to_preset(options.out, half_precision=True)


if __name__ == "__main__":
    main()
