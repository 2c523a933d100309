"""The web demo: drop an image into the browser, and see its translation and its round trip."""

import contextlib
import html
import os
import signal
import socket
import tempfile
import threading
from pathlib import Path

import numpy as np
import typer
from PIL import Image

from keras_cyclegan.arguments import Direction
from keras_cyclegan.commands.own_origin import OwnOrigin
from keras_cyclegan.commands.upload_limits import UploadLimits
from keras_cyclegan.cyclegan import CycleGAN
from keras_cyclegan.data import TooManyPixelsError
from keras_cyclegan.data.decode import open_image
from keras_cyclegan.data.pixels import as_pictures, formats_of
from keras_cyclegan.data.writers import write_images
from keras_cyclegan.inference.files import SUFFIXES
from keras_cyclegan.inference.runner import runner
from keras_cyclegan.inference.translate import generator_for, generators_of
from keras_cyclegan.presets import list_presets

GLYPHS = "Rag74"  # letters and digits that differ clearly between the two typefaces
HOUR = 3600
MAX_WAITING = 32  # translations

STYLE = """
.gradio-container { width: 100%; max-width: 1280px !important; margin: 0 auto !important; }
.picture img { width: 100%; height: 100%; object-fit: contain; }
.pixels img { image-rendering: pixelated; }
#direction { min-width: 200px; }
"""


def launch_demo(
    preset,
    examples=None,
    host="127.0.0.1",
    port=None,
    max_megabytes=20,
    max_megapixels=None,
    tile="auto",
    allowed_hosts=(),
    announce=typer.echo,
):
    """Serve a preset in the browser until it is interrupted.

    Uploaded images and their translations are kept in a folder of this process, which is removed
    when the process ends.

    Args:
        preset: see `CycleGAN.from_preset`.
        examples: path of a folder of images to try; see `find_examples`. None, the default, draws
            some for the preset `glyphs`, and shows none for others.
        host: str. Address to listen at. With the default, only this machine reaches the demo.
        port: int. None, the default, takes the first free one from 7860 on.
        max_megabytes: float, 20 by default. Largest file.
        max_megapixels: float. Largest image. None, the default, is 60 for a preset that translates
            photos at its working size, and else 4: in the paper's generator a megapixel takes about
            a gigabyte, unless it is tiled.
        tile: see `CycleGAN.translate`.
        allowed_hosts: host names that browsers may use, in addition to IP addresses, `localhost`,
            `host` and the name of this machine.
        announce: function that is called with the demo's address when it is ready.

    Raises:
        ImportError: gradio is not installed.
        OSError: the port is taken.
    """
    with tempfile.TemporaryDirectory() as folder, ended_by_sigterm():
        os.environ["GRADIO_TEMP_DIR"] = str(Path(folder, "uploads"))
        gradio = import_gradio()
        from starlette.middleware import Middleware

        model = CycleGAN.from_preset(preset)
        if examples is not None:
            examples = find_examples(examples)
        elif preset == "glyphs":
            examples = draw_glyphs(folder)
        page = build_demo(
            model,
            title=title_of(preset),
            description=described(model, list_presets().get(preset, {})),
            examples=examples,
            max_pixels=round((max_megapixels or (60 if model.working_size else 4)) * 1e6),
            tile=tile,
        )
        names = ("localhost", host, socket.gethostname(), *allowed_hosts)
        try:
            _, address, _ = page.queue(max_size=MAX_WAITING).launch(
                server_name=host,
                server_port=port,
                max_file_size=round(max_megabytes * 2**20),
                theme=_theme(gradio),
                css=STYLE,
                share=False,
                ssr_mode=False,
                run_history=False,
                footer_links=[],
                prevent_thread_lock=True,
                quiet=True,
                app_kwargs={
                    "middleware": [Middleware(OwnOrigin, names=names), Middleware(UploadLimits)]
                },
            )
        except OSError as error:
            raise OSError(
                f"Can't listen at {host}, port {port or '7860 to 7959'}: is another program there? "
                f"Choose a free one with --port. ({error})"
            ) from error
        announce(address)
        page.block_thread()


def described(model, facts):
    """Return what the preset is for, in Markdown, from its entry in `list_presets`."""
    scale = None
    if model.working_size:
        scale = (
            f"It knows whole photos at {model.working_size} pixels. A larger one is translated at "
            "that size, and the change is brought to all of its pixels."
        )
    elif model.scale == "detail":
        scale = "It knows parts of images at their own resolution, and translates every pixel."
    return "\n\n".join(filter(None, [facts.get("description"), scale]))


def title_of(preset):
    """Return the title for a preset: its name, or the name of its training run."""
    path = Path(preset)
    return path.absolute().parent.name if path.name in ("preset", "best") else path.name


@contextlib.contextmanager
def ended_by_sigterm():
    """Let SIGTERM exit the process in the normal way, so that its files are removed."""

    def leave(number, frame):
        raise SystemExit(128 + number)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    earlier = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, earlier)


def import_gradio():
    """Import gradio, with its usage reports turned off."""
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    try:
        import gradio
    except ImportError as error:
        raise ImportError(f"The demo needs gradio: pip install 'gradio>=6'. ({error})") from error
    return gradio


def find_examples(folder):
    """Find the images of a folder that visitors can try with a click.

    Args:
        folder: path. Its images, and those in its sub-folder `a`, are taken for domain A; those in
            its sub-folder `b` for domain B.

    Returns:
        List of pairs of a path and the direction of its translation.

    Raises:
        FileNotFoundError: there is no image.
    """
    folder = Path(folder)
    found = [
        (path, direction)
        for place, direction in (
            (folder, "a_to_b"),
            (folder / "a", "a_to_b"),
            (folder / "b", "b_to_a"),
        )
        for path in sorted(place.glob("*"))
        if path.suffix.lower() in SUFFIXES and path.is_file()
    ]
    if not found:
        raise FileNotFoundError(
            f"There is no example in {str(folder)!r}: expected images that end in "
            f"{', '.join(SUFFIXES)}, in it or in its folders `a` and `b`."
        )
    return found


def draw_glyphs(folder):
    """Draw examples for the preset `glyphs`, as its training images are drawn."""
    from keras_cyclegan.data.glyphs import render_glyphs

    drawn = []
    for domain, direction in (("a", "a_to_b"), ("b", "b_to_a")):
        for character, pixels in zip(GLYPHS, render_glyphs(GLYPHS, domain), strict=True):
            path = Path(folder, f"{character}_{domain}.png")
            Image.fromarray(pixels).save(path, compress_level=1)
            drawn.append((path, direction))
    return drawn


def build_demo(model, title, description="", examples=None, max_pixels=4_000_000, tile="auto"):
    """Make the page; it isn't served yet.

    Args:
        model: `CycleGAN`; the page offers the directions for which it has generators.
        title, description: text about the model.
        examples: list of pairs of a path and a direction.
        max_pixels: int. Largest image that is translated.
        tile: see `CycleGAN.translate`.

    Returns:
        `gradio.Blocks`.
    """
    gr = import_gradio()
    generators = generators_of(model)
    directions = list(generators)
    two_way = len(directions) == 2
    few_pixels = max(model.image_shape[:2]) <= 64

    def picture(label, name, interactive=False, **options):
        return gr.Image(
            label=label,
            sources=["upload"],
            buttons=["fullscreen"],
            height=360,
            min_width=260,
            interactive=interactive,
            elem_id=name,
            elem_classes=["picture", "pixels"] if few_pixels else ["picture"],
            **options,
        )

    with gr.Blocks(
        title=f"{title} · keras_cyclegan", analytics_enabled=False, delete_cache=(HOUR, HOUR)
    ) as page:
        gr.Markdown(f"# {title}\n{description}")
        with gr.Row():
            image = picture("Image", "input", interactive=True, type="filepath", image_mode=None)
            output = gr.ImageSlider(
                label="Before and after: drag the line",
                interactive=False,
                height=360,
                min_width=400,
                elem_id="translation",
                elem_classes=["pixels"] if few_pixels else [],
            )
        with gr.Row():
            mask = picture(
                "Mask (white: painted)", "mask", visible=any(map(_has_masks, generators.values()))
            )
            round_trip = picture("Round trip", "round_trip", visible=two_way)
        with gr.Row():
            direction = gr.Radio(
                [(direction.arrow, str(direction)) for direction in directions],
                value=str(directions[0]),
                show_label=False,
                container=False,
                elem_id="direction",
            )
            button = gr.Button("Translate", variant="primary", elem_id="translate")
            download = gr.DownloadButton(
                "Download the translation", interactive=False, elem_id="download"
            )
        event = {
            "fn": _translating(model, max_pixels, tile, output.GRADIO_CACHE),
            "inputs": [image, direction],
            "outputs": [image, mask, output, round_trip, download],
            "preprocess": False,  # gradio would open the file itself, with errors of its own
            "concurrency_id": "model",  # one translation at a time, whatever started it
            "concurrency_limit": 1,
        }
        button.click(**event)
        usable = [[str(path), known] for path, known in examples or () if known in directions]
        if usable:
            shown = gr.Examples(usable, [image, direction], visible_columns=[0])
            shown.load_input_event.then(**event)
    return page


def _translating(model, max_pixels, tile, cache):
    """Make the function for the button; it writes results where gradio serves and removes them."""
    import gradio as gr

    def translate(image, direction):
        """Yield the translation first, then the round trip too."""
        if image is None:
            refuse("Drop an image first.")
        path = Path(image["path"])
        options = {"direction": direction, "max_pixels": max_pixels, "tile": tile}
        try:
            generator = generator_for(model, direction)
            given, wanted = formats_of(model, Direction(direction))
            pixels = open_image(path, given.channels, max_pixels, given).pixels
            if (
                np.prod([runner(generator).rule.padded(side) for side in pixels.shape[:2]])
                > max_pixels
            ):
                raise TooManyPixelsError  # a thin picture, padded
            before = save(shown_in(given, pixels), "before.png")
            masked = _has_masks(generator)
            translated, mask = model.translate(path, return_attention=masked, **options), None
            if masked:
                translated, mask = translated
                painted = np.uint8(np.round(255 * mask))
                mask = save(painted, f"{path.stem}_{direction}_mask.png")
            saved = save(shown_in(wanted, translated), f"{path.stem}_{direction}.png")
            # Browsers don't show every kind of file.
            seen = path.suffix.lower() in (".jpg", ".jpeg", ".png", ".webp", ".bmp")
            shown = gr.skip() if seen and given.dtype == "uint8" else before
            both = (before, saved)
            kept = saved
            if wanted.dtype != "uint8":  # the picture is of 8 bits; the file to keep isn't
                kept = Path(tempfile.mkdtemp(dir=cache), f"{path.stem}_{direction}{path.suffix}")
                write_images(kept, translated[None], path)
            yield shown, mask, both, None, gr.update(value=str(kept), interactive=True)
            if len(generators_of(model)) == 2:
                back = shown_in(given, model.reconstruct(path, **options))
                back = save(back, f"{path.stem}_round_trip.png")
                yield gr.skip(), gr.skip(), gr.skip(), back, gr.skip()
        except TooManyPixelsError:
            refuse(f"{path.name} has more than {max_pixels / 1e6:g} megapixels, the limit here.")
        except (ValueError, OSError, MemoryError) as error:
            # The server's path of an upload isn't shown to visitors.
            refuse(str(error).replace(str(path), path.name))

    def refuse(message):
        """Show an error; it may hold text of the visitor, and gradio shows HTML."""
        raise gr.Error(html.escape(message, quote=False), duration=None, print_exception=False)

    def shown_in(pixels, image):
        return image if pixels.dtype == "uint8" else as_pictures(pixels.to_unit(image))

    def save(pixels, name):
        path = Path(tempfile.mkdtemp(dir=cache), name)
        Image.fromarray(pixels[:, :, 0] if pixels.shape[-1] == 1 else pixels).save(
            path, compress_level=1
        )
        return str(path)

    return translate


def _has_masks(generator):
    """Return whether a generator has masks of where it paints."""
    return hasattr(generator, "attention_network")


def _theme(gr):
    """Make a theme with the system's own fonts, so that the page fetches none."""
    return gr.themes.Default(
        primary_hue="teal",
        font=["system-ui", "sans-serif"],
        font_mono=["ui-monospace", "monospace"],
    )
