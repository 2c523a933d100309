"""Prints how far frozen statistics are from exact ones, by the number of samples they are taken of.

    python benchmarks/slide_samples.py --preset glyphs
    python benchmarks/slide_samples.py --preset run/preset --slide slide.svs

Parts of a slide with tissue, which are no samples, are joined to a large image and translated with
the statistics of that image, as `translate` does in exact tiles; then with those of 1, 2, 4, …
samples of 256×256 pixels. Without `--slide` one is drawn, as by
`benchmarks/slide.py`.
"""

import argparse
import os
import tempfile
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from slide import draw_slide

from keras_cyclegan import CycleGAN
from keras_cyclegan.inference.slide_files import open_slide
from keras_cyclegan.inference.slides import find_tissue, tissue_samples


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--preset", default="glyphs")
    parser.add_argument("--slide", type=Path, help="default: a drawn one")
    parser.add_argument("--side", type=int, default=6000, help="of the drawn one")
    parser.add_argument("--samples", type=int, nargs="+", default=[1, 2, 4, 8, 16, 32])
    parser.add_argument("--held-out", type=int, default=48, help="parts that are no samples")
    arguments = parser.parse_args()
    model = CycleGAN.from_preset(arguments.preset)
    with tempfile.TemporaryDirectory() as folder:
        path = arguments.slide or Path(folder, "slide.tif")
        if not arguments.slide:
            draw_slide(path, arguments.side, radius=0.6)  # little glass
        slide, count = open_slide(path), max(arguments.samples)
        parts = tissue_samples(slide, 0, find_tissue(slide), count + arguments.held_out)
    samples, held_out = parts[:count], parts[count:]
    image = np.concatenate([np.concatenate(held_out[i::6], axis=0) for i in range(6)], axis=1)
    exact = model.translate(image, working_size=None).astype(int)
    print(f"The translation changes the image by {np.abs(exact - image).mean():.1f} levels.\n")
    print("| samples | mean difference, grey levels | 99 of 100 pixels differ by at most |")
    print("|---|---|---|")
    for count in arguments.samples:
        frozen = model.freeze_statistics(samples[:count])
        away = np.abs(frozen.translate(image, working_size=None) - exact)
        print(f"| {count} | {away.mean():.2f} | {np.quantile(away, 0.99):.0f} |", flush=True)


if __name__ == "__main__":
    main()
