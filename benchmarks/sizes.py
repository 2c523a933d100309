"""Prints what it costs to translate images of many sizes, by ways to serve them.

    python benchmarks/sizes.py

Every image has a size of its own, about 200×200. `translate` runs one graph of unknown size; the
others are what it could do instead. Time is the processor's, of all cores together, for all images:
first what a fresh process waits for, then the same images again.
"""

import os
import time

import numpy as np

COUNT = 10


def main():
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import keras

    from keras_cyclegan import CycleGAN
    from keras_cyclegan.networks import ResNetGenerator

    keras.utils.set_random_seed(0)
    model = CycleGAN(ResNetGenerator((None, None, 3), filters=16), None, None, None)
    rng = np.random.default_rng(0)
    sizes = rng.integers(150, 250, (COUNT, 2))
    images = [rng.uniform(-1, 1, (1, *size, 3)).astype("float32") for size in sizes]

    print(f"| way | first {COUNT} sizes | again |")
    print("|---|---|---|")
    for name, run in ways(model.generator_ab).items():
        seconds = []
        for _ in range(2):
            start = time.process_time()
            for image in images:
                run(image)
            seconds.append(time.process_time() - start)
        print(f"| {name} | {seconds[0]:.1f} s | {seconds[1]:.1f} s |", flush=True)


def ways(generator):
    import tensorflow as tf

    from keras_cyclegan.inference.runner import runner
    from keras_cyclegan.inference.sizes import SizeRule

    def padded(to):
        """A function of an image, mirrored out to multiples of `to`."""
        return lambda image: SizeRule(to, to).pad(tf.constant(image))

    def compiled(to, **options):
        graph = tf.function(lambda images: generator(images, training=False), **options)
        return lambda image: graph(padded(to)(image)).numpy()

    return {
        "`translate`: one graph of unknown size": runner(generator),
        "a graph for each size": compiled(4),
        "a graph for each bucket, multiples of 64": compiled(64),
        "XLA for each bucket, multiples of 64": compiled(64, jit_compile=True),
        "no graph": lambda image: generator(padded(4)(image), training=False).numpy(),
    }


if __name__ == "__main__":
    main()
