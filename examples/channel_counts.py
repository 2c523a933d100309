"""Translate between domains of different channels: gray and colour, or photos and label maps.

    python channel_counts.py gray path/to/images run
    python channel_counts.py labels path/to/images run --palette palette.json
    python channel_counts.py gray shapes run --toy
    python channel_counts.py labels shapes run --toy

`gray`: domain A is read as one channel, domain B as three. `labels`: domain B holds label maps,
pictures of few colours, which become one channel a class (1 where the class is, else -1), as
colours have no order that a network could walk along. `--palette` is a JSON file of the classes'
colours, `[[r, g, b], …]`. The identity loss is off: an image of A is no input for `generator_ba`.
"""

import json
from pathlib import Path
from typing import Literal

import numpy as np
import typer
from PIL import Image, ImageDraw

import keras_cyclegan as kcg

kcg.import_keras_quietly()  # without the lines that TensorFlow prints as it is loaded

import keras

from keras_cyclegan.networks import PatchDiscriminator, ResNetGenerator

TOY_PALETTE = [[255, 255, 255], [200, 40, 40], [40, 80, 200]]  # ground, discs, boxes


def main(
    kind: Literal["gray", "labels"],
    data: Path,
    out: Path,
    palette: Path | None = None,
    image_size: int = 256,
    filters: int = 64,
    blocks: int = 9,
    epochs: int = 200,
    steps_per_epoch: int | None = None,
    seed: int = 0,
    toy: bool = False,
):
    colours = TOY_PALETTE if palette is None else json.loads(palette.read_text())
    if toy:
        image_size, filters, blocks, epochs, steps_per_epoch = 32, 8, 1, 1, 10
        data = draw_shapes(out / "shapes", image_size, kind)
    keras.utils.set_random_seed(seed)
    if kind == "gray":
        channels_a, channels_b = 1, 3
        steps = None  # the dataset knows
        batches, _ = kcg.data.load(
            data,
            image_size=image_size,
            channels=(channels_a, channels_b),
            steps_per_epoch=steps_per_epoch,
        )
    else:
        channels_a, channels_b = 3, len(colours)
        images, maps, _ = kcg.data.load_sets(data, image_size, split="train")
        batches, steps = Pairs(images, classes_of(maps, colours), colours, seed), steps_per_epoch

    model = build_model(image_size, channels_a, channels_b, filters, blocks)
    model.compile(identity_loss=None)
    model.fit(batches, epochs=epochs, steps_per_epoch=steps)

    example = next(iter(sorted((data / "trainA").iterdir())))
    translated = model.translate(example)  # (height, width, channels_b), uint8
    if kind == "labels":
        translated = np.asarray(colours, "uint8")[translated.argmax(axis=-1)]
    Image.fromarray(translated).save(out / "translated.png")
    model.save_to_preset(out / "preset")
    print(f"{out}/translated.png is {example.name}, translated.")


def build_model(image_size, channels_a, channels_b, filters, blocks):
    """Networks whose channels are those of their domains; all else is the paper's."""
    shape_a, shape_b = (image_size, image_size, channels_a), (image_size, image_size, channels_b)
    layers = 3 if image_size >= 64 else 2
    return kcg.CycleGAN(
        ResNetGenerator(shape_a, channels_b, filters=filters, num_blocks=blocks),
        ResNetGenerator(shape_b, channels_a, filters=filters, num_blocks=blocks),
        PatchDiscriminator(shape_a, filters, num_layers=layers),
        PatchDiscriminator(shape_b, filters, num_layers=layers),
        image_shape=shape_a,
    )


def classes_of(maps, colours):
    """The class of each pixel, that of the nearest colour: `(n, h, w)` of ints."""
    distance = [
        np.square(maps.astype("int32") - np.asarray(colour)).sum(axis=-1) for colour in colours
    ]
    return np.argmin(distance, axis=0)


class Pairs(keras.utils.PyDataset):
    """Unpaired batches of a photo and of a label map with one channel a class, in [-1, 1]."""

    def __init__(self, images, classes, colours, seed):
        super().__init__()
        self.images, self.classes, self.colours = images, classes, colours
        self.random = np.random.default_rng(seed)
        self.order = np.arange(len(images))

    def __len__(self):
        return len(self.images)

    def __getitem__(self, index):
        image = self.images[self.order[index]]
        labels = self.classes[self.random.integers(len(self.classes))]
        one_hot = np.arange(len(self.colours)) == labels[..., None]
        a, b = kcg.data.to_unit(image), 2 * one_hot.astype("float32") - 1
        flip = self.random.random(2) < 0.5
        a, b = (x[:, ::-1] if flipped else x for x, flipped in zip((a, b), flip, strict=True))
        return a[None], b[None]

    def on_epoch_end(self):
        self.random.shuffle(self.order)


def draw_shapes(folder, size, kind, count=12):
    """Discs and boxes: as line drawings or shaded pictures (A), and as flat colours (B)."""
    random = np.random.default_rng(0)
    for domain in "AB":
        (folder / f"train{domain}").mkdir(parents=True, exist_ok=True)
        for number in range(count):
            picture = Image.new("RGB", (size, size), "white")
            draw = ImageDraw.Draw(picture)
            for shape, colour in ((draw.ellipse, TOY_PALETTE[1]), (draw.rectangle, TOY_PALETTE[2])):
                corner = random.integers(0, size // 2, 2)
                box = [*map(int, corner), *map(int, corner + random.integers(size // 4, size // 2))]
                if domain == "A":
                    shade = tuple(int(c + random.integers(-30, 30)) % 256 for c in colour)
                    shape(box, outline="black", fill=None if kind == "gray" else shade)
                else:
                    shape(box, fill=tuple(colour))
            picture.save(folder / f"train{domain}" / f"{number:02}.png")
    return folder


if __name__ == "__main__":
    typer.run(main)
