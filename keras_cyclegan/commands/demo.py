"""The web demo: drop an image into the browser, and see its translation and its round trip."""

import html
import os
import signal
import socket
import sys
import tempfile
from pathlib import Path

import numpy as np
import typer
from PIL import Image

from keras_cyclegan.arguments import Direction
from keras_cyclegan.cyclegan import CycleGAN
from keras_cyclegan.data import TooManyPixelsError
from keras_cyclegan.data.decode import open_image
from keras_cyclegan.data.pixels import as_pictures, formats_of
from keras_cyclegan.data.writers import write_images
from keras_cyclegan.inference.files import SUFFIXES
from keras_cyclegan.inference.runner import runner
from keras_cyclegan.inference.translate import generator_for, generators_of
from keras_cyclegan.presets import list_presets

HOUR = 3600
MAX_WAITING = 32  # translations
SHOWN_BY_BROWSERS = (".jpg", ".jpeg", ".png", ".webp", ".bmp")

STYLE = """
.gradio-container { width: 100%; max-width: 1280px !important; margin: 0 auto !important; }
.picture img { width: 100%; height: 100%; object-fit: contain; }
.pixels img { image-rendering: pixelated; }
#direction { min-width: 200px; }
"""


def launch_demo(preset, examples, host, port, max_megapixels, allowed_hosts):
    """Serve a preset in the browser until it is interrupted.

    Uploaded images and their translations are kept in a folder of this process, which is removed
    when the process ends. `keras-cyclegan demo --help` describes the arguments.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # as Ctrl-C: the folder is removed
    with tempfile.TemporaryDirectory() as folder:
        os.environ["GRADIO_TEMP_DIR"] = folder
        gradio = import_gradio()
        from starlette.middleware import Middleware
        from starlette.middleware.trustedhost import TrustedHostMiddleware

        examples = find_examples(examples) if examples else ()
        model = CycleGAN.from_preset(preset)
        # In the paper's generator a megapixel takes about a gigabyte, unless it is tiled.
        megapixels = max_megapixels or (61 if model.working_size else 4)
        about = list_presets().get(preset, {}).get("description", "")
        title, limit = Path(preset).absolute().name, round(megapixels * 1e6)
        page = build_demo(model, title, about, examples, limit)
        theme = gradio.themes.Default(  # with the system's own fonts, so that the page fetches none
            primary_hue="teal",
            font=["system-ui", "sans-serif"],
            font_mono=["ui-monospace", "monospace"],
        )
        # Else a page whose name was pointed here after it was loaded could ask (DNS rebinding).
        names = ["localhost", "127.0.0.1", host, socket.gethostname(), *allowed_hosts]
        middleware = [Middleware(TrustedHostMiddleware, names, www_redirect=False)]
        _, address, _ = page.queue(max_size=MAX_WAITING).launch(
            server_name=host,
            server_port=port,
            max_file_size=4 * limit,  # bytes
            theme=theme,
            css=STYLE,
            share=False,
            ssr_mode=False,
            run_history=False,
            footer_links=[],
            prevent_thread_lock=True,
            quiet=True,
            app_kwargs={"middleware": middleware},
        )
        typer.echo(f"{preset}: {address} (Ctrl-C ends it)")
        page.block_thread()


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
    """List the images of a folder and of its sub-folders `a` and `b`, each with its direction."""
    places = {"": "a_to_b", "a": "a_to_b", "b": "b_to_a"}
    found = [
        (path, direction)
        for place, direction in places.items()
        for path in sorted(Path(folder, place).glob("*"))
        if path.suffix.lower() in SUFFIXES and path.is_file()
    ]
    if not found:
        raise FileNotFoundError(f"There is no example in {folder}, its folder `a` or its `b`.")
    return found


def build_demo(model, title, description="", examples=(), max_pixels=4_000_000):
    """Make the page, a `gradio.Blocks`; `examples` are pairs of a path and a direction."""
    gr = import_gradio()
    generators = generators_of(model)
    directions = list(generators)
    pixels = ["pixels"] if max(model.image_shape[:2]) <= 64 else []

    def picture(label, name, interactive=False, **options):
        return gr.Image(
            label=label,
            sources=["upload"],
            buttons=["fullscreen"],
            height=360,
            min_width=260,
            interactive=interactive,
            elem_id=name,
            elem_classes=["picture", *pixels],
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
                elem_classes=pixels,
            )
        with gr.Row():
            doubt = picture("Doubt (white: most)", "doubt", visible=bool(model.doubt))
            round_trip = picture("Round trip", "round_trip", visible=len(directions) == 2)
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
            "fn": _translating(model, max_pixels, output.GRADIO_CACHE),
            "inputs": [image, direction],
            "outputs": [image, doubt, output, round_trip, download],
            "preprocess": False,  # gradio would open the file itself, with errors of its own
            "concurrency_id": "model",  # one translation at a time, whatever started it
            "concurrency_limit": 1,
        }
        button.click(**event)
        usable = [[str(path), known] for path, known in examples if known in directions]
        if usable:
            shown = gr.Examples(usable, [image, direction], visible_columns=[0])
            shown.load_input_event.then(**event)
    return page


def _translating(model, max_pixels, cache):
    """Make the function for the button; it writes results where gradio serves and removes them."""
    import gradio as gr

    def translate(image, direction):
        if image is None:
            refuse("Drop an image first.")
        path = Path(image["path"])
        try:
            yield from translate_file(path, direction)
        except TooManyPixelsError:
            refuse(f"{path.name} has more than {max_pixels / 1e6:g} megapixels, the limit here.")
        except (ValueError, OSError, MemoryError) as error:
            # The server's path of an upload isn't shown to visitors.
            refuse(str(error).replace(str(path), path.name))

    def translate_file(path, direction):
        """Yield the translation first, then the round trip too."""
        options = {"direction": direction, "max_pixels": max_pixels}
        generator = generator_for(model, direction)
        given, wanted = formats_of(model, Direction(direction))
        pixels = open_image(path, given.channels, max_pixels, given).pixels
        if runner(generator).padded_pixels(*pixels.shape[:2]) > max_pixels:
            raise TooManyPixelsError  # a thin picture
        before = save(given, pixels, "before.png")
        name, shown = f"{path.stem}_{direction}", None
        doubts = direction in model.doubt
        try:
            translated = model.translate(path, return_doubt=doubts, **options)
        except ImportError as error:  # of an extra that nothing but doubt needs
            gr.Info(f"Doubt isn't shown. {error}")
            translated, doubts = model.translate(path, **options), False
        if doubts:
            translated, doubt = translated
            shown = save(None, np.uint8(np.round(255 * doubt.map)), f"{name}_doubt.png")
            if doubt.unlike:
                gr.Info("This image is unlike those that the model knows.")
        saved = kept = save(wanted, translated, f"{name}.png")
        is_shown = path.suffix.lower() in SHOWN_BY_BROWSERS and given.dtype == "uint8"
        if wanted.dtype != "uint8":  # the picture is of 8 bits; the file to keep isn't
            kept = Path(tempfile.mkdtemp(dir=cache), f"{name}{path.suffix}")
            write_images(kept, translated[None], path)
        file = gr.update(value=str(kept), interactive=True)
        yield gr.skip() if is_shown else before, shown, (before, saved), None, file
        if len(generators_of(model)) == 2:
            back = save(given, model.reconstruct(path, **options), f"{path.stem}_round_trip.png")
            yield gr.skip(), gr.skip(), gr.skip(), back, gr.skip()

    def refuse(message):
        """Show an error; it may hold text of the visitor, and gradio shows HTML."""
        raise gr.Error(html.escape(message, quote=False), duration=None, print_exception=False)

    def save(pixels, image, name):
        """Write an image, of a format of pixels or of 8 bits, where gradio serves it."""
        if pixels is not None and pixels.dtype != "uint8":
            image = as_pictures(pixels.to_unit(image))
        path = Path(tempfile.mkdtemp(dir=cache), name)
        image = image[:, :, 0] if image.shape[-1] == 1 else image
        Image.fromarray(image).save(path, compress_level=1)
        return str(path)

    return translate
