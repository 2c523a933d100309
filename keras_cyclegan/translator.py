"""The methods of `CycleGAN` other than training; each calls the package that does the work."""

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

        Images of a size that the generator doesn't take (a ResNet needs multiples of 4) are padded
        by reflection, and the translations cropped: nothing is resized. On TensorFlow, one graph
        serves every size. `predict` is Keras's own: batches of floats in, batches of floats out.

        A large image is translated in tiles, where instance norms use the statistics of the whole
        image. Apart from rounding, by at most one of 255 levels, the result is the same; it takes
        about the same time, and memory that doesn't grow with the image. Temporary files on disk
        are used instead: see `inference.tiles.translate_tiled`.

        Args:
            images: one of
                - a path of a JPEG, PNG, WebP, BMP or TIFF file, its bytes, or a binary file, read
                  as training reads it: see `data.decode_image`;
                - a `PIL.Image.Image`;
                - an array or tensor `(height, width, channels)`, or `(height, width)` for gray, of
                  uint8 or of floats in [-1, 1];
                - a batch `(n, height, width, channels)` of these;
                - a list of any of these except batches; kinds and sizes may differ.
                For an RGB generator, gray becomes three equal channels. The alpha channel of RGBA
                (files, PIL images, uint8 arrays) is copied to the translation; the generator sees
                the image composited on white, as in training.
            direction: str, `"a_to_b"` (the default) or `"b_to_a"`.
            batch_size: int. Images of one size that are translated at once. None, the default,
                takes as many as have 2²⁰ pixels together and fit the memory, at least one.
            tile: `"auto"`, int or None. `"auto"`, the default, cuts tiles where the whole image
                would take more than 2 GiB or half of the available memory. An int is the side of
                the tiles, for each image that is higher or wider. None never cuts.
            max_pixels: int, 60,000,000 by default. Largest height times width of a file; raise it
                for a large file that you trust.
            return_attention: bool, False by default. Whether to return as well how much of each
                pixel was painted; for an `AttentionGenerator`.

        Returns:
            The translations, in the same form as the images: a PIL image for a PIL image, an array
            of the same dtype for an array or tensor, uint8 `(height, width, channels)` for a file;
            a batch for a batch, a list for a list. Each has its image's height and width, turned
            upright if EXIF says so. With `return_attention`, a pair: the translations, and in the
            same order masks `(height, width, 1)`, float32 from 0 (the image was kept) to 1 (it was
            painted over).

        Raises:
            FileNotFoundError: there is no such file.
            MemoryError: there is too little memory, even for tiles; or for the whole image, where
                `tile` is None.
            TooManyPixelsError: a file has more than `max_pixels`. It is a `ValueError`.
            TypeError: an object is no image.
            ValueError: an image is unreadable or empty, has the wrong number of channels, or holds
                NaN or floats outside of [-1, 1]; the direction is unknown, or the model has no
                generator for it; or `return_attention` is True and the generator has no masks. All
                of these are raised before the first image is translated.

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
        """Translate images to the other domain and back: `ba(ab(a))` for `direction="a_to_b"`.

        Cycle consistency (Zhu et al. 2017, section 3.2) asks for a result close to the image. The
        translation in between isn't rounded to pixels.

        Args:
            images: see `translate`.
            direction: str. The first of the two translations: `"a_to_b"` (the default) for images
                of domain A, `"b_to_a"` for images of domain B.
            batch_size: int, None by default; see `translate`.
            tile: `"auto"` (the default), int or None; see `translate`.
            max_pixels: int, 60,000,000 by default; see `translate`.

        Returns:
            The reconstructions, in the kinds and sizes of `images`.

        Raises:
            ValueError: the model has one generator only. For the other errors see `translate`.

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

        What is written takes any batch size, height and width: images of sizes that a generator
        doesn't take are padded by reflection, and cropped, inside the graph, as by `translate`. It
        holds the generators only, and is written whole or not at all. Its endpoints:

        - `a_to_b`, `b_to_a`: uint8 images `(n, height, width, channels)` in and out;
        - `a_to_b_float`, `b_to_a_float`: float32 images in [-1, 1] in and out.

        Each names its input `images` and its output `output_0`. By format:

        - `"tf_saved_model"`: a folder, for TensorFlow and TensorFlow Serving. Each endpoint is a
          method and a signature; the first is also the signature `serving_default`.
        - `"onnx"`: a folder with one file for each endpoint, `a_to_b.onnx` and so on, because an
          ONNX file holds one graph. A `filepath` that ends in `.onnx` is one file, with the pixel
          endpoint of one direction. Needs the extra `onnx`.
        - `"litert"`: one file, for LiteRT (TensorFlow Lite), with a signature for each endpoint.
        - `"openvino"`: a folder with two files for each endpoint, `a_to_b.xml` and `a_to_b.bin`.
          Needs the extra `openvino`. Its runtime computes in bfloat16 where the processor can: for
          the same pixels as `translate`, compile with `{"INFERENCE_PRECISION_HINT": "f32"}`.

        Smaller weights make smaller files: `"float16"` halves them and changes pixels hardly more
        than rounding does; `"int8"` leaves a third, changes pixels by some grey levels, and
        computes with integers. `benchmarks/README.md` has measurements of both.

        Exported generators have no tiles: they need the memory of the whole image. Don't give them
        parts of an image, which would differ in colour, because instance norms take the statistics
        of what they are given. `translate` itself cuts large images into tiles.

        Args:
            filepath: path of the folder or file to write.
            format: str, `"tf_saved_model"` (the default), `"onnx"`, `"litert"` or `"openvino"`.
            direction: str, `"a_to_b"` or `"b_to_a"` for one generator. None, the default, exports
                all generators of the model.
            overwrite: bool, False by default. Whether to replace an earlier export of this format
                at `filepath`.
            weights: str, `"float32"` (the default), `"float16"` or `"int8"`. A SavedModel can only
                have the first, OpenVINO the first two.

        Raises:
            FileExistsError: `filepath` exists, and `overwrite` is False or it isn't an earlier
                export of this format.
            ImportError: a package that the format needs is not installed.
            ValueError: the format is unknown, `filepath` has the suffix of another format, the
                model has no generator for the direction, or the format can't have such weights.
            RuntimeError: Keras runs on another backend than TensorFlow.

        Example:

        ```python
        model = keras_cyclegan.CycleGAN.from_preset("glyphs")
        model.export("served", direction="a_to_b")
        served = tf.saved_model.load("served")  # in a process without this package
        images = np.full((1, 33, 45, 3), 255, "uint8")
        translated = served.a_to_b(images)  # uint8 in, uint8 out
        ```
        """
        from keras_cyclegan.export import export

        export(self, filepath, format, direction, overwrite, weights)

    @classmethod
    def from_preset(cls, preset: PathLike, load_weights: bool = True, **overrides: Any) -> Self:
        """Load a model by its preset: built in, from a folder, from a hub or from an archive.

        The folder format is keras-hub's. Its files are checked before they are used: the config may
        only name classes of this package and of Keras, and nothing in it is run.

        Args:
            preset: str. A built-in name (see `CycleGAN.presets`); the path of a local folder;
                `"hf://user/repo"`; `"kaggle://user/model/keras/variant"`; or `"https://…"`, a
                preset archive. Published checkpoints and archives are downloaded once and kept
                under `KERAS_HOME`.
            load_weights: bool, True by default. False gives the architecture with fresh weights,
                for built-in names without a download.
            **overrides: arguments of `CycleGAN` that replace the preset's: `pool_size`; `dtype`,
                which is given to every network; a network, which keeps its own weights; …

        Returns:
            A `CycleGAN` that is not compiled. If the preset holds no weights for its
            discriminators, they are fresh; a preset of one generator has no discriminators.

        Raises:
            ValueError: there is no such preset, an argument is unknown, or a file of the preset is
                refused; the message names it.
            FileNotFoundError: a file of the preset is missing.
            DownloadError: it could not be downloaded.
            ImportError: the hub's client is not installed.

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
        """Write the networks to a folder for `from_preset`.

        The folder, in keras-hub's format, holds `config.json`, `metadata.json`, `model.weights.h5`
        (the generators), `discriminators.weights.h5` and the model card `README.md`; no optimizer
        state and no image pool. If the generators have averages (`ema_momentum`), it holds these
        in place of the generators. A preset that is already there is replaced when the new one is
        complete.

        Args:
            folder: path of the folder.
            card: dict from headings to Markdown, for the model card: first `description`, then what
                you know of training data, its licence, recipe, scores and known failures. None, the
                default, for no such text.
            half_precision: bool, False by default. Whether to store float16, for half the bytes. It
                loads as float32.
            discriminators: bool, True by default. Whether to store the discriminators too. They are
                for further training, not for translating.

        Raises:
            ValueError: a weight is not finite, `from_preset` could not load a network's class, or
                there is something else than a preset in `folder`.
            OSError: the folder can't be written.

        Example:

        ```python
        model.save_to_preset("mine", card={"description": "Sketches to photos."})
        model = CycleGAN.from_preset("mine")
        ```
        """
        from keras_cyclegan.presets import save_to_preset

        save_to_preset(self, folder, card, half_precision, discriminators)
