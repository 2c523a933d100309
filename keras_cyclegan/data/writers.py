"""Writes files of the kind that was read: with its dtype, its tags and its place in space."""

import os
import uuid

import numpy as np

from keras_cyclegan.arguments import needs
from keras_cyclegan.data.kinds import KINDS, holds_many, kind_of, split_name
from keras_cyclegan.data.stacks import COPIED_TAGS, IMAGE_IO, kept_locale, open_stack, volume_reader
from keras_cyclegan.files.atomic import atomic_file


def write_images(path, images, like=None):
    """Write images `(n, height, width, channels)` to a file, whole or not at all.

    `like` is the file that they are translations of; one of the same kind gives its tags,
    resolution, place in space, names and headers.
    """
    kind, (count, *_, channels) = kind_of(path), images.shape
    check_kind(path, images.dtype.name, channels, count)
    if like is not None and kind_of(split_name(like)[0]) != kind:
        like = None
    by_pillow = images.dtype == np.uint8 and count == 1 and channels in (1, 3, 4)
    try:
        with atomic_file(path) as unfinished:
            if kind not in _WRITE or (kind == "TIFF" and by_pillow):
                _write_pillow(unfinished, images[0], like)
            else:
                _WRITE[kind](os.fspath(unfinished), images, like)
            for raw in unfinished.parent.glob("*raw"):  # the pixels of a .mhd
                os.replace(raw, os.path.join(os.path.dirname(path), raw.name))
    except ImportError:
        raise
    except Exception as error:  # a full disk, or a side longer than the format takes
        raise OSError(
            f"Can't write {path}: {error}. Make room, or choose another folder or format."
        ) from error


def check_kind(path, dtype, channels, count=1):
    """Raise a ValueError if files of this suffix can't hold such images."""
    kind = KINDS.get(kind_of(path))

    def holds(kind):
        return dtype in kind.dtypes and (kind.channels is None or channels in kind.channels)

    # JPEG and BMP drop transparency, WebP makes colours of gray.
    drawn = dtype == "uint8" and channels in (1, 3, 4) and not holds_many(path)
    if kind is None or not (holds(kind) or drawn) or (count > 1 and not kind.many):
        able = [
            each.suffixes[0] for each in KINDS.values() if holds(each) and (count == 1 or each.many)
        ]
        raise ValueError(
            f"{path} can't hold {count} image{'s' if count > 1 else ''} of {dtype} with {channels} "
            f"channels. Give a file that ends in {', '.join(able)}."
        )


def _write_pillow(path, image, like):
    from PIL import Image

    kind, gray = kind_of(path), image.shape[2] == 1
    if image.dtype != np.uint8 and not gray:
        codecs = needs("imagecodecs", f"{path}, a PNG of 16 bits with colours,")
        with open(path, "wb") as file:
            file.write(codecs.png_encode(image))
        return
    picture = Image.fromarray(image[:, :, 0] if gray else image)
    if kind in ("JPEG", "BMP"):
        picture = picture.convert("RGB")
    options = {}
    if kind == "HEIF":
        needs("pillow_heif", path, "heic").register_heif_opener()
    if kind == "TIFF" and like is not None:
        with Image.open(like) as source:
            tags = getattr(source, "tag_v2", {})
            options["tiffinfo"] = {code: tags[code] for code in COPIED_TAGS if code in tags}
    picture.save(path, format=kind.upper(), quality=95, **options)


def _write_tiff(path, images, like):
    tifffile = needs("tifffile", path)
    tags = {} if like is None else dict(open_stack(like).like)
    x, y, unit = (tags.pop(code, None) for code in (282, 283, 296))
    size = {"resolution": (x[3], y[3]), "resolutionunit": unit and unit[3]} if x and y else {}
    bands = images.shape[3]
    with tifffile.TiffWriter(path, bigtiff=images.nbytes > 2**31, ome=False) as file:
        for image in images:
            file.write(
                image if bands > 1 else image[:, :, 0],
                photometric="rgb" if bands == 3 else "minisblack",
                planarconfig="contig" if bands > 1 else None,
                extratags=tags.values(),
                metadata=None,
                **size,
            )


def _write_numpy(path, images, like):
    array = _as_array(images)
    if path.lower().endswith(".npy"):
        np.save(path, array, allow_pickle=False)
    else:
        np.savez_compressed(path, images=array)


def _write_hdf5(path, images, like):
    import h5py

    name = "images" if like is None else open_stack(*split_name(like)).like
    with h5py.File(path, "w") as file:
        file[name] = _as_array(images)


def _as_array(images):
    """Drop the axis of one channel, and that of one image, as arrays in files usually have it."""
    images = images[..., 0] if images.shape[3] == 1 else images
    return images[0] if len(images) == 1 else images


@kept_locale()
def _write_volume(path, images, like):
    sitk = needs("SimpleITK", path)
    array, header = images if images.shape[3] > 1 else images[..., 0], {}
    source = None if like is None else volume_reader(like)
    if source:  # of two, three or four dimensions
        array = array.reshape(*source.GetSize()[:1:-1], *array.shape[1:])
        header = {key: source.GetMetaData(key) for key in source.GetMetaDataKeys()}
    if kind_of(path) == "DICOM":
        array, header = _derived(array, header)
    image = sitk.GetImageFromArray(array, isVector=images.shape[3] > 1)
    if source:
        image.SetSpacing(source.GetSpacing())
        image.SetOrigin(source.GetOrigin())
        image.SetDirection(source.GetDirection())
    for key, value in header.items():
        image.SetMetaData(key, value)
    writer = sitk.ImageFileWriter()
    writer.SetFileName(path)
    writer.KeepOriginalImageUIDOn()  # of the study and the series
    writer.Execute(image)


def _derived(array, header):
    """Return values that the bits of a DICOM file hold, with its scale, and the header for them."""
    header = header | {"0008|0008": "DERIVED\\SECONDARY", "0008|0018": f"2.25.{uuid.uuid4().int}"}
    if "0028|1053" in header:  # in units: SimpleITK stores them by slope and intercept
        slope, intercept = (float(header[tag]) for tag in ("0028|1053", "0028|1052"))
        bits, signed = (int(header[tag]) for tag in ("0028|0101", "0028|0103"))
        low = -(2 ** (bits - 1)) if signed else 0
        stored = np.rint((array.astype("float64") - intercept) / slope)
        array = np.clip(stored, low, low + 2**bits - 1) * slope + intercept
    return array, header


_WRITE = {
    "TIFF": _write_tiff,
    "NumPy": _write_numpy,
    "HDF5": _write_hdf5,
    **dict.fromkeys(IMAGE_IO, _write_volume),
}
