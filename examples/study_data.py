"""The images that `why_cycle_consistency.py` trains and scores on."""

from pathlib import Path

import numpy as np

import keras_cyclegan as kcg

BATCH = 4


def load(options, seed, pairs=0, masks=False):
    """Unpaired batches for training, and whole sets to score on.

    With `pairs`, as many images of both domains that show the same ride along; with `masks`, discs
    around the shapes.
    """
    size, steps, companions = options.image_size, options.steps, {}
    if options.data == "shapes":
        from keras_cyclegan.data.load import ImageSets

        train = [shapes(domain, 800, seed=i, size=size) for i, domain in enumerate("ab")]
        test = ImageSets(*(shapes(domain, 192, seed=2, size=size) for domain in "ab"), paired=True)
        known = [shapes(domain, pairs, seed=3, size=size) for domain in "ab"]
        if masks:
            drawn = [shapes("around", 800, seed=i, size=size) for i in range(2)]
            companions = {f"mask_{d}": 255 - m[..., :1] for d, m in zip("ab", drawn, strict=True)}
    else:
        source = options.data
        if (Path(source) / "train").is_dir():
            source = split_pairs(Path(source), options.out / "halves")
        test = kcg.data.load_sets(source, size)
        if not pairs:
            shape = {"image_size": size, "batch_size": BATCH, "steps_per_epoch": steps}
            return kcg.data.load(source, seed=seed, **shape)[0], test
        train = kcg.data.load_sets(source, round(size * 286 / 256), split="train", paired=True)[:2]
        chosen = np.random.default_rng(seed).permutation(len(train[0]))[:pairs]
        known = [images[chosen] for images in train]
    if pairs:
        companions |= {"pair_a": known[0], "pair_b": known[1]}
    train = kcg.data.unpaired_dataset(
        *train,
        image_size=size,
        batch_size=BATCH,
        flip=options.data != "shapes",
        seed=seed,
        steps_per_epoch=steps,
        companions=companions or None,
    )
    return train, test


def shapes(domain, count, seed, size=32):
    """Draw tilted ellipses (A), upright rather than not, or lying rectangles (B), black on white.

    `"around"` draws discs that hold both.

    Image i of both domains has the same middle and area: the pair that a translator should find, if
    it kept all that the domains share. Tilt and slenderness vary in A alone, so that no rectangle
    can say which ellipse it came from.
    """
    from PIL import Image, ImageDraw

    random = np.random.RandomState(seed)
    images = np.empty((count, size, size, 3), "uint8")
    around = np.linspace(0, 2 * np.pi, 64, endpoint=False)
    for image in images:
        middle = random.uniform(0.35, 0.65, 2)
        radius = random.uniform(0.1, 0.17)  # of a disc of the same area
        slender, tilt = random.uniform(1.3, 2.0), np.radians(random.uniform(-40, 40))
        if domain == "a":
            x, y = radius / slender * np.cos(around), radius * slender * np.sin(around)
            outline = np.cos(tilt) * x - np.sin(tilt) * y, np.sin(tilt) * x + np.cos(tilt) * y
        elif domain == "around":
            outline = 2.2 * radius * np.stack([np.cos(around), np.sin(around)])
        else:
            half = radius * np.sqrt(np.pi / 8)  # of the height; the width is twice as much
            outline = 2 * half * np.array([-1, 1, 1, -1]), half * np.array([-1, -1, 1, 1])
        canvas = Image.new("L", (4 * size, 4 * size), 255)
        points = 4 * size * (middle + np.stack(outline, -1)) - 0.5
        ImageDraw.Draw(canvas).polygon(list(map(tuple, points)), fill=0)
        image[:] = np.asarray(canvas.resize((size, size), Image.Resampling.BOX))[..., None]
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
