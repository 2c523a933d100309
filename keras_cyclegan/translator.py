"""What a `CycleGAN` does beside training, each by a room that knows it: it hands over."""

from typing import Any, Self

from keras_cyclegan.arguments import PathLike
from keras_cyclegan.data.decode import MAX_PIXELS


class _Presets:
    """`CycleGAN.presets`: the table of built-in presets, read when asked for."""

    def __get__(self, instance, owner):
        from keras_cyclegan.presets import list_presets

        return list_presets()


class Translator:
    """Translating, exporting and presets, for `CycleGAN`."""

    presets = _Presets()

    def translate(
        self,
        images: Any,
        direction: str = "a_to_b",
        batch_size: int | None = None,
        tile: int | str | None = "auto",
        max_pixels: int = MAX_PIXELS,
        return_attention: bool = False,
    ) -> Any:
        """Translate images of any kind and size from one domain to the other.

        A size that the generator doesn't take (a ResNet wants multiples of 4) is reflected out and
        cropped back: nothing is resized. On TensorFlow, one graph serves every size. `predict`
        stays Keras's: batches of floats in, floats out.

        A large image goes through the networks in tiles, with the instance norms' statistics of the
        whole image: the result is the same but for rounding, at most one of 255 levels, the memory
        doesn't grow with the image, and the time is about the same. Temporary files take its place:
        see `inference.tiles.translate_tiled`.

        Args:
            images: one of
                - a path of a JPEG, PNG, WebP, BMP or TIFF file, its bytes, or a binary file, read
                  as training reads it: see `data.decode_image`;
                - a `PIL.Image.Image`;
                - an array or tensor `(height, width, channels)`, or `(height, width)` for gray, of
                  uint8 or of floats in [-1, 1];
                - a batch `(n, height, width, channels)` of these;
                - a list of any of these but batches, of different kinds and sizes.
                Gray becomes the three equal channels of an RGB generator. The alpha channel of RGBA
                (files, PIL images, uint8 arrays) is carried over to the translation; what the
                generator sees is composited on white, as in training.
            direction: str, `"a_to_b"` (the default) or `"b_to_a"`.
            batch_size: int. Images of one size that are translated at once. None, the default,
                takes as many as hold 2²⁰ pixels and fit the memory, at least one.
            tile: `"auto"`, int or None. `"auto"`, the default, cuts tiles where the whole image
                would take more than 2 GiB or half of the memory that is available. An int is the
                side of the tiles of each image that is higher or wider. None never cuts.
            max_pixels: int, defaults to 89,478,485. Largest file, height times width, that is
                decoded; raise it for a large file that you trust.
            return_attention: bool, defaults to False. Whether to return how much of each pixel was
                painted, too; for an `AttentionGenerator`.

        Returns:
            The translations, as the images were given: a PIL image for a PIL image, an array of the
            same dtype for an array or tensor, uint8 `(height, width, channels)` for a file; a batch
            for a batch, a list for a list; each of its image's height and width, upright where EXIF
            says so. With `return_attention`, a pair: the translations, and in the same order masks
            `(height, width, 1)`, float32 from 0 (the image was kept) to 1 (it was painted over).

        Raises:
            FileNotFoundError: a path names no file.
            MemoryError: an image fits neither as a whole nor in tiles, or it doesn't fit as a whole
                and `tile` is None.
            TooManyPixelsError: a file of more than `max_pixels`. It is a `ValueError`.
            TypeError: something that is no image.
            ValueError: an unreadable or empty image, a wrong channel count, NaN, floats outside
                [-1, 1], an unknown direction, one that the model has no generator for, or
                `return_attention` for a generator without masks. All of these come before the
                first image is translated.

        Example:

        ```python
        model = keras_cyclegan.CycleGAN.from_preset("glyphs")
        image = np.full((33, 45, 3), 255, "uint8")
        translated = model.translate(image)  # uint8, (33, 45, 3)
        back = model.translate([translated, PIL.Image.fromarray(image)], direction="b_to_a")
        ```
        """
        from keras_cyclegan.inference import translate

        return translate(self, images, direction, batch_size, tile, max_pixels, return_attention)

    def reconstruct(
        self,
        images: Any,
        direction: str = "a_to_b",
        batch_size: int | None = None,
        tile: int | str | None = "auto",
        max_pixels: int = MAX_PIXELS,
    ) -> Any:
        """Send images to the other domain and back: `ba(ab(a))` for `direction="a_to_b"`.

        The closer the result is to the image, the more of it the translation kept: what the cycle
        consistency loss measures (Zhu et al. 2017, section 3.2). Between the two generators nothing
        is rounded to pixels.

        Args:
            images: see `translate`.
            direction: str. The first of the two translations: `"a_to_b"` (the default) for images
                of domain A, `"b_to_a"` for images of domain B.
            batch_size: int, defaults to None; see `translate`.
            tile: `"auto"` (the default), int or None; see `translate`.
            max_pixels: int, defaults to 89,478,485; see `translate`.

        Returns:
            The reconstructions, in the kinds and sizes of `images`.

        Raises:
            ValueError: the model has one generator only. For the rest see `translate`.

        Example:

        ```python
        model = keras_cyclegan.CycleGAN.from_preset("glyphs")
        image = np.full((33, 45, 3), 255, "uint8")
        kept = np.abs(model.reconstruct(image).astype(int) - image).mean()  # in grey levels
        ```
        """
        from keras_cyclegan.inference import reconstruct

        return reconstruct(self, images, direction, batch_size, tile, max_pixels)

    def export(
        self,
        filepath: PathLike,
        format: str = "tf_saved_model",
        direction: str | None = None,
        overwrite: bool = False,
        weights: str = "float32",
    ) -> None:
        """Write the generators, with their pre- and post-processing, for a runtime without Keras.

        The artefact takes any batch, height and width: sizes that a generator doesn't take are
        reflected out and cropped back inside the graph, as `translate` does. It holds the
        generators and nothing else, and is written whole or not at all. Its endpoints:

        - `a_to_b`, `b_to_a`: uint8 images `(n, height, width, channels)` in and out;
        - `a_to_b_float`, `b_to_a_float`: float32 images in [-1, 1] in and out.

        Each names its input `images` and its output `output_0`. By format:

        - `"tf_saved_model"`: a folder, for TensorFlow alone and TensorFlow Serving. An endpoint is
          a method and a signature; the signature `serving_default` is the first of them.
        - `"onnx"`: a folder with one file for each endpoint, `a_to_b.onnx` and so on, because an
          ONNX file holds one graph. A `filepath` that ends in `.onnx` is one file, with the pixel
          endpoint of one direction. Needs the extra `onnx`.
        - `"litert"`: one file, for LiteRT (TensorFlow Lite), with a signature for each endpoint.
        - `"openvino"`: a folder with two files for each endpoint, `a_to_b.xml` and `a_to_b.bin`.
          Needs the extra `openvino`. Its runtime computes in bfloat16 where the processor can:
          compile the model with `{"INFERENCE_PRECISION_HINT": "f32"}` for `translate`'s own pixels.

        Smaller weights make smaller files: `"float16"` halves them and changes pixels hardly more
        than rounding does; `"int8"` leaves a third, costs some grey levels, and computes with
        integers. `benchmarks/README.md` has both measured.

        An artefact has no tiles: it needs the memory of the whole image, because its instance norms
        take the statistics of the image that it is given, and the same image in parts would change
        colour from part to part. `translate` itself cuts large images into tiles.

        Args:
            filepath: path of the folder or file to write.
            format: str, `"tf_saved_model"` (the default), `"onnx"`, `"litert"` or `"openvino"`.
            direction: str, `"a_to_b"` or `"b_to_a"` for one generator. None, the default, exports
                all that the model has.
            overwrite: bool, defaults to False. Whether to replace an earlier artefact of this
                format at `filepath`.
            weights: str, `"float32"` (the default), `"float16"` or `"int8"`. A SavedModel has the
                first alone, OpenVINO the first two.

        Raises:
            FileExistsError: `filepath` exists and `overwrite` is False, or it is something else.
            ImportError: a package that the format needs is not installed.
            ValueError: an unknown format, a `filepath` that ends as another format's does, a
                direction that the model has no generator for, or weights that the format doesn't
                have.
            RuntimeError: Keras runs on another backend than TensorFlow.

        Example:

        ```python
        model = keras_cyclegan.CycleGAN.from_preset("glyphs")
        model.export("served")
        served = tf.saved_model.load("served")  # in a process without this package
        images = np.full((1, 33, 45, 3), 255, "uint8")
        translated = served.a_to_b(images)  # uint8 in, uint8 out
        ```
        """
        from keras_cyclegan.export import export

        export(self, filepath, format, direction, overwrite, weights)

    @classmethod
    def from_preset(cls, preset: PathLike, load_weights: bool = True, **overrides: Any) -> Self:
        """A model whose weights were published; see `keras_cyclegan.presets.from_preset`.

        Args:
            preset: a built-in name, a local folder, `"hf://user/repo"`,
                `"kaggle://user/model/keras/variant"` or `"https://…"`, a preset archive.
            load_weights: bool. False gives the architecture with fresh weights.
            **overrides: arguments of `CycleGAN` that replace the preset's: `dtype`, `pool_size`, …

        Example:

        ```python
        CycleGAN.presets.keys()  # the built-in names
        model = CycleGAN.from_preset("horse2zebra")
        ```
        """
        from keras_cyclegan.presets import from_preset

        return from_preset(cls, preset, load_weights, overrides)

    def save_to_preset(
        self,
        folder: PathLike,
        card: dict[str, Any] | None = None,
        half_precision: bool = False,
        discriminators: bool = True,
    ) -> None:
        """Write a folder for `from_preset`; see `keras_cyclegan.presets.save_to_preset`."""
        from keras_cyclegan.presets import save_to_preset

        save_to_preset(self, folder, card, half_precision, discriminators)
