"""The images that `why_cycle_consistency.py` trains and scores on."""

from pathlib import Path

import numpy as np

import keras_cyclegan as kcg

BATCH = 4


def load(options, seed):
    """Unpaired batches for training, and whole sets to score on."""
    size, steps = options.image_size, options.steps
    if options.data == "shapes":
        from keras_cyclegan.data.image_sets import ImageSets

        train = [shapes(domain, 800, seed=i, size=size) for i, domain in enumerate("ab")]
        train = kcg.data.unpaired_dataset(
            *train, batch_size=BATCH, flip=False, seed=seed, steps_per_epoch=steps
        )
        test = [shapes(domain, 192, seed=2, size=size) for domain in "ab"]
        return train, ImageSets(*test, paired=True)
    source = options.data
    if (Path(source) / "train").is_dir():
        source = split_pairs(Path(source), options.out / "halves")
    train, _ = kcg.data.load(
        source, image_size=size, batch_size=BATCH, seed=seed, steps_per_epoch=steps
    )
    return train, kcg.data.load_sets(source, size)


def shapes(domain, count, seed, size=32):
    """Draw upright ellipses (A) or lying rectangles (B), of one colour each, on pale grounds.

    Image i of both domains has the same middle, area and colours: the pair that a translator
    should find, if it kept all that the domains share.
    """
    from PIL import Image, ImageDraw

    random = np.random.RandomState(seed)
    images = np.empty((count, size, size, 3), "uint8")
    for image in images:
        ground, colour = random.randint(200, 256, 3), random.randint(0, 160, 3)
        x, y = random.uniform(0.35, 0.65, 2) * 4 * size
        radius = random.uniform(0.1, 0.2) * 4 * size
        high, wide = (1.6 * radius, 0.8 * radius) if domain == "a" else (0.7 * radius, 1.4 * radius)
        canvas = Image.new("RGB", (4 * size, 4 * size), tuple(map(int, ground)))
        box = [x - wide, y - high, x + wide, y + high]
        draw = ImageDraw.Draw(canvas)
        (draw.ellipse if domain == "a" else draw.rectangle)(box, fill=tuple(map(int, colour)))
        image[:] = np.asarray(canvas.resize((size, size), Image.Resampling.BOX))
    return images


def split_pairs(pairs, folder):
    """Cut pictures of pairs side by side in halves: the left is A, the right is B.

    Args:
        pairs: folder with `train` and `test`, as pix2pix's data sets come.
        folder: gets `trainA`, `trainB`, `testA` and `testB`, unless it has them.
    """
    from PIL import Image

    if (folder / "whole").exists():
        return folder
    for part in ("train", "test"):
        for domain in "AB":
            (folder / f"{part}{domain}").mkdir(parents=True, exist_ok=True)
        for path in sorted((pairs / part).iterdir()):
            with Image.open(path) as picture:
                width, height = picture.size
                for domain, left in (("A", 0), ("B", width // 2)):
                    half = picture.convert("RGB").crop((left, 0, left + width // 2, height))
                    # Without losses: label maps have exact colours, as far as JPEG left them.
                    half.save(folder / f"{part}{domain}" / f"{path.stem}.png", compress_level=1)
    (folder / "whole").touch()  # only now: a copy that was broken off is made again
    return folder
