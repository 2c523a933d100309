"""What enlarged test photos become: translated at their own size, or at the working size.

    python benchmarks/presets/working_size.py path/with/trainA/trainB/testA/testB

The test photos are enlarged to 768×768 (Pillow, bicubic). For each way a row: the share that the
second judge (`horse2zebra_judge.py`) calls zebras at 128×128; KID×100 on EfficientNet-Lite0
features against the test zebras, both at 256×256; sharpness, the mean of the Laplacian's magnitude
over that of the photos; processor seconds a photo.
"""

import argparse
import functools
import os
import sys
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from horse2zebra_judge import SecondJudge
from horse2zebra_kid import all_paths, load_images, load_preset, resize

from keras_cyclegan.metrics import EfficientNetLite0Features, KernelInceptionDistance

sys.path.append(str(Path(__file__).parents[1]))
import machine

SIDE, VIEWED_AT, JUDGED_AT = 768, 256, 128


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", help="folder with trainA, trainB, testA and testB")
    parser.add_argument("--preset", default="horse2zebra")
    parser.add_argument("--count", type=int, default=30, help="test photos")
    parser.add_argument("--sizes", type=int, nargs="+", default=[160, 192, 256])
    parser.add_argument("--own-size", action="store_true", help="and at 768: some seconds a photo")
    parser.add_argument("--cache", help="file that keeps the training photos' features, .npz")
    arguments = parser.parse_args()
    model = load_preset(arguments.preset)
    judge = SecondJudge(arguments.data, cache=arguments.cache)
    features = EfficientNetLite0Features()
    photos = load_images(all_paths(Path(arguments.data, "testA"))[: arguments.count], SIDE)
    zebras = load_images(all_paths(Path(arguments.data, "testB")), VIEWED_AT)
    print(machine.describe(), end="\n\n")
    print("| way | called zebra | KID×100 at 256 | sharpness | processor s |")
    print("|---|---|---|---|---|")
    for title, translate in ways(model, arguments.sizes, arguments.own_size).items():
        before = time.process_time()
        made = np.stack([translate(photo) for photo in photos])
        seconds = (time.process_time() - before) / len(photos)
        share = judge.called_zebra(judge(shrunk(made, JUDGED_AT)))
        kid = KernelInceptionDistance(extractor=None)
        kid.update_state(
            real=in_batches(features, zebras),
            generated=in_batches(features, shrunk(made, VIEWED_AT)),
        )
        print(
            f"| {title} | {100 * share:.0f} % | {100 * kid.score().value:.2f} "
            f"| {sharpness(made) / sharpness(photos):.2f} | {seconds:.2f} |",
            flush=True,
        )


def ways(model, sizes, own_size):
    """Functions of a photo by title."""
    size = model.working_size

    def enlarged(photo):
        return resize(model.translate(resize(photo, size)), SIDE)

    found = {"not translated": lambda photo: photo, f"translated at {size}, enlarged": enlarged}
    if own_size:
        found["translated at 768"] = lambda photo: model.translate(photo, working_size=None)
    for working in (size, *sizes):
        translate = functools.partial(model.translate, working_size=working)
        found[f"the change made at {working}, enlarged"] = translate
    return found


def in_batches(function, images):
    return np.concatenate([function(images[i : i + 20]) for i in range(0, len(images), 20)])


def shrunk(images, side):
    return np.stack([resize(image, side) for image in images])


def sharpness(images):
    gray = images.mean(axis=-1)
    laplace = 4 * gray[:, 1:-1, 1:-1] - gray[:, :-2, 1:-1] - gray[:, 2:, 1:-1]
    return np.abs(laplace - gray[:, 1:-1, :-2] - gray[:, 1:-1, 2:]).mean()


if __name__ == "__main__":
    main()
