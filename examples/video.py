"""Translate a video frame by frame, keep its sound, and say how much the result flickers.

    pip install av
    python video.py in.mp4 out.mp4 --preset horse2zebra
    python video.py in.mp4 out.mp4 --preset horse2zebra --steady 0.6

A translator sees each frame by itself, so that what is still in the source may flicker in the
translation. The figure at the end is that: how many grey levels a pixel changes from one frame to
the next where the source holds still. `--steady` takes a part of the frame before into such pixels:
less flicker, and a shadow behind what begins to move if it is near 1.
"""

from fractions import Fraction
from pathlib import Path
from typing import Annotated

import av
import numpy as np
import typer
from tqdm import tqdm

import keras_cyclegan as kcg

STILL = 4  # grey levels that noise and compression change in a source that holds still


def main(
    source: Path,
    target: Path,
    preset: str = "horse2zebra",
    direction: str = "a_to_b",
    steady: Annotated[float, typer.Option(min=0, max=0.95)] = 0.0,
    batch_size: int = 4,
):
    kcg.import_keras_quietly()
    model = kcg.CycleGAN.from_preset(preset)
    flicker = Flicker()
    with av.open(str(source)) as given, av.open(str(target), "w") as written:
        stream, sounds = add_streams(given, written)
        frames = tqdm(
            frames_of(given, written, sounds), total=given.streams.video[0].frames, unit="frame"
        )
        for frame, picture, made in translated_frames(frames, model, direction, steady, batch_size):
            flicker.add(picture, made)
            encoded = av.VideoFrame.from_ndarray(made[: stream.height, : stream.width], "rgb24")
            encoded.pts, encoded.time_base = frame.pts, frame.time_base
            written.mux(stream.encode(encoded))
        written.mux(stream.encode())
    print(
        f"{target}: {flicker.count} frames. Where the source holds still, a pixel changes by "
        f"{flicker.translated:.2f} grey levels from frame to frame; in the source by "
        f"{flicker.source:.2f}."
    )
    return flicker


def translated_frames(frames, model, direction, steady, batch_size):
    """Yield each frame with its picture and its translation, `(height, width, 3)` of uint8."""
    before = None
    for batch in batches(frames, batch_size):
        pictures = [frame.to_ndarray(format="rgb24") for frame in batch]
        translations = model.translate(pictures, direction, batch_size)
        for frame, picture, made in zip(batch, pictures, translations, strict=True):
            if before is not None and steady:
                still = stillness(before[0], picture)[..., None]
                mixed = np.rint(steady * before[1] + (1 - steady) * made)
                made = np.where(still, mixed, made).astype("uint8")
            before = picture, made
            yield frame, picture, made


def stillness(earlier, later):
    """Where two pictures are the same but for noise: `(height, width)` of bools."""
    return np.abs(earlier.astype("int16") - later).max(axis=-1) <= STILL


class Flicker:
    """Means over all pixels that hold still in the source, of their changes in grey levels."""

    def __init__(self):
        self.count, self.pixels, self.sums, self.before = 0, 0, np.zeros(2), None

    def add(self, picture, made):
        self.count += 1
        if self.before is not None:
            still = stillness(self.before[0], picture)
            self.pixels += still.sum()
            for i, now in enumerate((picture, made)):
                change = np.abs(self.before[i].astype("int16") - now).mean(axis=-1)
                self.sums[i] += change[still].sum()
        self.before = picture, made

    @property
    def source(self):
        return self.sums[0] / max(1, self.pixels)

    @property
    def translated(self):
        return self.sums[1] / max(1, self.pixels)


def add_streams(given, written):
    """A video stream like the source's, and for each of its sounds one that takes it as it is."""
    video = given.streams.video[0]
    stream = written.add_stream("libx264", rate=video.average_rate or Fraction(25))
    # An encoder halves the colours' size: odd sides lose a pixel.
    stream.width, stream.height = video.width // 2 * 2, video.height // 2 * 2
    stream.pix_fmt, stream.time_base = "yuv420p", video.time_base
    stream.options = {"crf": "18"}
    return stream, {one: written.add_stream_from_template(one) for one in given.streams.audio}


def frames_of(given, written, sounds):
    """Yield the frames of the video, and hand on what lies between them of the sound."""
    for packet in given.demux(given.streams.video[0], *sounds):
        if packet.stream not in sounds:
            yield from packet.decode()
        elif packet.dts is not None:  # the last one is empty
            packet.stream = sounds[packet.stream]
            written.mux(packet)


def batches(items, size):
    """Lists of `size` items, and of the rest."""
    batch = []
    for item in items:
        batch.append(item)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


if __name__ == "__main__":
    typer.run(main)
