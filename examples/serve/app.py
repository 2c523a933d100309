"""A server that translates pictures: an exported model behind FastAPI, without Keras.

    keras-cyclegan export horse2zebra served
    pip install -r requirements.txt
    MODEL=served uvicorn app:app
    curl --data-binary @horse.jpg localhost:8000/a_to_b -o zebra.png

An exported model has no tiles, so that a picture needs memory for all of it at once: `MAX_PIXELS`
(2 million by default) and `MAX_BYTES` bound what one request can take, and pictures are translated
one after the other, which is as fast on one machine and bounds what many requests can take.
"""

import io
import os
import threading
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.concurrency import run_in_threadpool
from PIL import Image, ImageOps

MAX_PIXELS = int(os.environ.get("MAX_PIXELS", 2_000_000))
MAX_BYTES = int(os.environ.get("MAX_BYTES", 20_000_000))
PADDED = 64  # pixels; a U-Net of eight halvings pads to 256
FORMATS = ("JPEG", "PNG", "WEBP")  # a reader for each other one is a reader more to attack

one_at_a_time = threading.Lock()
endpoints = {}


@asynccontextmanager
async def load_model(app):
    import tensorflow as tf

    model = tf.saved_model.load(os.environ.get("MODEL", "served"))
    for name in ("a_to_b", "b_to_a"):
        if name in model.signatures:
            endpoints[name] = model.signatures[name]
            translate(name, np.zeros((64, 64, 3), "uint8"))  # the first call is slow
    yield
    endpoints.clear()


app = FastAPI(title="CycleGAN", lifespan=load_model)


@app.get("/")
def page():
    """A page to try it with."""
    return Response(Path(__file__).with_name("page.html").read_text(), media_type="text/html")


@app.get("/directions")
def directions():
    """The ways that the model translates: ready when it answers."""
    return list(endpoints)


@app.post("/{direction}", response_class=Response)
async def translated(direction: str, request: Request):
    """Translate a picture, the body of the request, to a PNG of its size."""
    if direction not in endpoints:
        raise HTTPException(404, f"The model translates {' and '.join(endpoints)}.")
    picture = await run_in_threadpool(open_picture, await read_body(request))
    made = await run_in_threadpool(translate, direction, picture)
    return Response(await run_in_threadpool(as_png, made), media_type="image/png")


async def read_body(request):
    """The body, as long as it is no longer than it may be: nobody's word is taken for that."""
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > MAX_BYTES:
            raise HTTPException(413, f"The file has more than {MAX_BYTES} bytes.")
    return bytes(body)


def open_picture(body):
    """A uint8 array `(height, width, 3)`, upright, with white behind what is transparent."""
    try:
        with Image.open(io.BytesIO(body), formats=FORMATS) as image:
            # Known before anything is decoded. A thin picture is padded by the network.
            if max(image.width, PADDED) * max(image.height, PADDED) > MAX_PIXELS:
                raise HTTPException(
                    413, f"{image.width}×{image.height} are more than {MAX_PIXELS} pixels."
                )
            image = ImageOps.exif_transpose(image).convert("RGBA")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise HTTPException(
            422, f"Expected a whole picture: {', '.join(FORMATS)}. {error}"
        ) from error
    white = Image.new("RGBA", image.size, "white")
    return np.asarray(Image.alpha_composite(white, image).convert("RGB"))


def translate(direction, picture):
    import tensorflow as tf

    with one_at_a_time:
        return endpoints[direction](images=tf.constant(picture[None]))["output_0"].numpy()[0]


def as_png(picture):
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "PNG")
    return file.getvalue()
