"""Writes files of the kind that was read: with its dtype, its tags and its place in space."""

import os

import numpy as np

from keras_cyclegan.data.kinds import KINDS, kind_of, split_name, suffix_of
from keras_cyclegan.data.pillow_files import srgb_profile
from keras_cyclegan.data.stacks import COPIED_TAGS, needs, open_stack, rescale_of
from keras_cyclegan.files.atomic import atomic_file


def write_images(path, images, like=None, profile=False):
    """Write images to a file, whole or not at all.

    Args:
        path: path of the file; its suffix says its kind.
        images: array `(n, height, width, channels)`.
        like: path of the file that they are translations of; one of the same kind gives its tags,
            resolution, affine, names and headers. None, the default, for none.
        profile: bool, False by default. Whether to embed sRGB's colour profile.

    Raises:
        OSError: it can't be written.
        ValueError: files of this kind can't hold such images.
    """
    kind = kind_of(path)
    check_kind(path, images.dtype.name, images.shape[3], len(images))
    same = like is not None and kind_of(split_name(like)[0]) == kind
    by_pillow = images.dtype == np.uint8 and len(images) == 1 and images.shape[3] in (1, 3, 4)
    write = _WRITE.get(kind, _write_pillow)
    if by_pillow and kind == "TIFF":
        write = _write_pillow
    try:
        with atomic_file(path) as unfinished:
            # What writes by suffix gets it: the unfinished file's name has another.
            named = f"{unfinished}{suffix_of(path)}"
            write(named, images, like if same else None, profile)
            os.replace(named, unfinished)
    except ImportError:
        raise
    except Exception as error:  # a full disk, or a side longer than the format takes
        raise OSError(
            f"Can't write {path}: {error}. Make room, or choose another folder or format."
        ) from error


def check_kind(path, dtype, channels, count=1):
    """Raise a ValueError if files of this suffix can't hold such images."""
    name = kind_of(path)
    kind = KINDS.get(name)

    def holds(kind):
        return dtype in kind.dtypes and (kind.channels is None or channels in kind.channels)

    # JPEG and BMP drop transparency, WebP makes colours of gray.
    drawn = dtype == "uint8" and channels in (1, 3, 4) and kind is not None and not kind.many
    if kind is None or not (holds(kind) or drawn) or (count > 1 and not kind.many):
        able = [
            each.suffixes[0] for each in KINDS.values() if holds(each) and (count == 1 or each.many)
        ]
        raise ValueError(
            f"{path} can't hold {count} image{'s' if count > 1 else ''} of {dtype} with {channels} "
            f"channels. Give a file that ends in {', '.join(able)}."
        )


def _write_pillow(path, images, like, profile):
    from PIL import Image

    image = images[0]
    kind = kind_of(path)
    if image.dtype != np.uint8:
        return _write_deep_png(path, image)
    picture = Image.fromarray(image.squeeze(-1) if image.shape[-1] == 1 else image)
    if kind in ("JPEG", "BMP"):
        picture = picture.convert("RGB")
    options = {"icc_profile": srgb_profile()} if profile and kind != "BMP" else {}
    if kind == "TIFF" and like is not None:
        with Image.open(like) as source:
            tags = getattr(source, "tag_v2", {})
            info = {code: tags[code] for code in COPIED_TAGS if code in tags}
        options["tiffinfo"] = info
    picture.save(path, format=kind.upper(), quality=95, **options)


def _write_deep_png(path, image):
    from PIL import Image

    if image.shape[2] == 1:
        return Image.fromarray(image[:, :, 0]).save(path)
    with open(path, "wb") as file:
        file.write(
            needs("imagecodecs", f"{path}, a PNG of 16 bits with colours,").png_encode(image)
        )


def _write_tiff(path, images, like, profile):
    tifffile = needs("tifffile", path)
    about = open_stack(like).like if like is not None else {"tags": []}
    tags = {tag[0]: tag for tag in about["tags"]}
    options = {}
    if 282 in tags and 283 in tags:
        options["resolution"] = (tags[282][3], tags[283][3])
        options["resolutionunit"] = tags[296][3] if 296 in tags else None
    bands = images.shape[3]
    with tifffile.TiffWriter(path, bigtiff=images.nbytes > 2**31) as file:
        for image in images:
            file.write(
                image if bands > 1 else image[:, :, 0],
                photometric="rgb" if bands == 3 else "minisblack",
                planarconfig="contig" if bands > 1 else None,
                extratags=[tag for code, tag in tags.items() if code not in (282, 283, 296)],
                metadata=None,
                **options,
            )


def _write_numpy(path, images, like, profile):
    shape = _array_shape(images, like)
    if path.lower().endswith(".npz"):
        name = "images"
        if like is not None:
            with np.load(like, allow_pickle=False) as file:
                name = file.files[0]
        np.savez_compressed(path, **{name: images.reshape(shape)})
    else:
        np.save(path, images.reshape(shape), allow_pickle=False)


def _write_hdf5(path, images, like, profile):
    import h5py

    name = "images"
    if like is not None:
        like, name = split_name(like)
        name = name or open_stack(like).like
    with h5py.File(path, "w") as file:
        file[name] = images.reshape(_array_shape(images, like))


def _array_shape(images, like):
    """Return the rank that the source had: without the axis of one channel, or of one image."""
    count, height, width, channels = images.shape
    if channels > 1:
        return images.shape if count > 1 else (height, width, channels)
    return (count, height, width) if count > 1 else (height, width)


def _write_nifti(path, images, like, profile):
    nibabel = needs("nibabel", path)
    affine, header, shape = (None, None, None)
    if like is not None:
        affine, header, shape = open_stack(like).like
    array = images[..., 0].transpose(2, 1, 0)
    array = array.reshape(shape) if shape else array
    if header is not None:
        header.set_data_dtype(images.dtype)
        header.set_slope_inter(1, 0)
    image = nibabel.Nifti1Image(array, np.eye(4) if affine is None else affine, header)
    nibabel.save(image, path)


def _write_meta(path, images, like, profile):
    sitk = needs("SimpleITK", path)
    array = images if images.shape[3] > 1 else images[..., 0]
    source = None if like is None else sitk.ReadImage(os.fspath(like), imageIO="MetaImageIO")
    if source is not None and source.GetDimension() == 2:
        array = array[0]
    image = sitk.GetImageFromArray(array, isVector=images.shape[3] > 1)
    if source is not None:
        image.CopyInformation(source)
        for key in source.GetMetaDataKeys():
            image.SetMetaData(key, source.GetMetaData(key))
    sitk.WriteImage(image, path, useCompression=False)


def _write_dicom(path, images, like, profile):
    pydicom = needs("pydicom", path)
    if like is None:
        raise ValueError("a DICOM file is written from one of the same kind only")
    file = pydicom.dcmread(like)
    slope, intercept, inverted = rescale_of(file)
    stored = (images[..., 0].astype("float64") - intercept) / slope
    stored = sum(inverted) - stored if inverted else stored
    signed, bits = file.PixelRepresentation, int(file.BitsStored)
    ends = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    dtype = f"{'' if signed else 'u'}int{file.BitsAllocated}"
    stored = np.clip(np.rint(stored), *ends).astype(dtype)
    file.set_pixel_data(
        stored[0] if len(stored) == 1 else stored, file.PhotometricInterpretation, bits
    )
    file.ImageType = ["DERIVED", "SECONDARY", *list(file.get("ImageType", []))[2:]]
    file.save_as(path)


_WRITE = {
    "TIFF": _write_tiff,
    "NumPy": _write_numpy,
    "HDF5": _write_hdf5,
    "NIfTI": _write_nifti,
    "MetaImage": _write_meta,
    "DICOM": _write_dicom,
}
