"""What is mutated: small files as honest writers make them, and the evil ones of the tests."""

import io
import zipfile

import keras
import numpy as np
from PIL import Image
from support import evil_images, torch_files
from support.evil_checkpoints import PICKLES

import keras_cyclegan as kcg

RESNET = {
    "model.1.weight": (2, 3, 7, 7),
    "model.1.bias": (2,),
    "model.4.weight": (4, 2, 3, 3),
    "model.4.bias": (4,),
    "model.7.weight": (8, 4, 3, 3),
    "model.7.bias": (8,),
    "model.10.weight": (8, 4, 3, 3),
    "model.10.bias": (4,),
    "model.13.weight": (4, 2, 3, 3),
    "model.13.bias": (2,),
    "model.17.weight": (3, 2, 7, 7),
    "model.17.bias": (3,),
}
SMALL = 3000  # bytes; larger ones are there to be large
NAMES = ("config.json", "metadata.json", "model.weights.h5", "README.md")


def checkpoints():
    """`(pickle, storages, is_zip)` of each, for `checkpoint` to put together."""
    pickled, storages = torch_files.state_dict(RESNET)
    shared = torch_files.named(torch_files.tensor())
    parameter = torch_files.named(
        torch_files.PARAMETER
        + b"("
        + torch_files.tensor()
        + b"\x88"
        + torch_files.DICTIONARY
        + b")RtR"
    )
    evil = [(pickle, [bytes(16)]) for pickle in PICKLES.values() if len(pickle) < SMALL]
    honest = [(pickled, storages), (shared, [bytes(16)]), (parameter, [bytes(16)])]
    # Honest ones as often as evil ones: what is refused at once shows little.
    return [
        (content, raw, is_zip)
        for content, raw in [*honest * (len(evil) // len(honest)), *evil]
        for is_zip in (True, False)
    ]


def checkpoint(pickled, storages, is_zip):
    """The bytes of a file in one of torch's two formats."""
    if not is_zip:
        return torch_files.stream(pickled) + torch_files.keys_of_stream(storages)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("x/data.pkl", pickled)
        for i, raw in enumerate(storages):
            archive.writestr(f"x/data/{i}", raw)
        archive.writestr("x/byteorder", "little")
    return buffer.getvalue()


def presets(folder):
    """Folders with presets: Keras's layers, one of this package's networks."""
    convolution = [keras.Input((None, None, 3)), keras.layers.Conv2D(3, 1, name="conv")]
    generators = [keras.Sequential(convolution), kcg.networks.ResNetGenerator((8, 8, 3), 3, 1, 0)]
    for i, generator in enumerate(generators):
        model = kcg.CycleGAN(generator, None, None, None, image_shape=(8, 8, 3))
        model.save_to_preset(folder / str(i))
    return [
        {name: (folder / str(i) / name).read_bytes() for name in NAMES}
        for i in range(len(generators))
    ]


def images():
    """Small images in every format that is read."""
    pixels = np.random.default_rng(0).integers(0, 256, (9, 7, 3), "uint8")
    found = []
    for mode, form, options in (
        *(("RGB", form, {}) for form in ("PNG", "JPEG", "WEBP", "BMP", "TIFF")),
        ("L", "JPEG", {"progressive": True}),
        ("P", "PNG", {"transparency": 3}),
        ("RGBA", "WEBP", {"lossless": True}),
        ("CMYK", "TIFF", {"compression": "tiff_lzw"}),
        ("I;16", "PNG", {}),
    ):
        image = Image.fromarray(pixels).convert("I" if mode == "I;16" else mode)
        exif = image.getexif()
        exif[0x0112] = 6  # lies on its side
        buffer = io.BytesIO()
        image.convert(mode).save(buffer, form, exif=exif, **options)
        found.append(buffer.getvalue())
    evil = [content for content in evil_images.files().values() if len(content) < SMALL]
    return [*found * 2, *evil]


def write(folder):
    """Each file that is mutated, as a file."""
    folder.mkdir(parents=True, exist_ok=True)
    kinds = {
        "checkpoint": [checkpoint(*parts) for parts in checkpoints()],
        "image": images(),
    }
    for kind, contents in kinds.items():
        for i, content in enumerate(dict.fromkeys(contents)):  # each once
            (folder / f"{kind}-{i}").write_bytes(content)
    presets(folder / "presets")
