"""`examples/video.py`: frames, times and sound of a film, and the figure of its flicker."""

from fractions import Fraction

import numpy as np
import pytest
from support.examples import example

av = pytest.importorskip("av", reason="PyAV is absent: pip install av")
video = example("video")


@pytest.fixture
def film(tmp_path):
    """Six frames of 47×33 pixels at 10 a second, with a tone of half a second."""
    path = tmp_path / "film.mp4"
    random = np.random.default_rng(0)
    with av.open(str(path), "w") as file:
        pictures = file.add_stream("libx264", rate=10)
        pictures.width, pictures.height, pictures.pix_fmt = 48, 32, "yuv420p"
        sound = file.add_stream("aac", rate=8000, layout="mono")
        still = random.integers(0, 256, (4, 6, 3), "uint8").repeat(8, axis=0).repeat(8, axis=1)
        for number in range(6):
            frame = av.VideoFrame.from_ndarray(still, "rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 10)
            file.mux(pictures.encode(frame))
        file.mux(pictures.encode())
        tone = np.sin(np.arange(4096) / 8).astype("float32")[None]
        for start in range(0, 4096, 1024):
            frame = av.AudioFrame.from_ndarray(tone[:, start : start + 1024], "fltp", "mono")
            frame.sample_rate, frame.pts, frame.time_base = 8000, start, Fraction(1, 8000)
            file.mux(sound.encode(frame))
        file.mux(sound.encode())
    return path


def content(path):
    """Times of the frames, their size, and the sound's packets, byte for byte."""
    with av.open(str(path)) as file:
        frames = [(float(frame.time), frame.width, frame.height) for frame in file.decode(video=0)]
    with av.open(str(path)) as file:
        sound = [bytes(packet) for packet in file.demux(audio=0) if packet.dts is not None]
    return frames, sound


def test_frames_keep_their_times_and_the_sound_is_the_same(film, preset, tmp_path):
    flicker = video.main(film, tmp_path / "made.mp4", str(preset))
    given, made = content(film), content(tmp_path / "made.mp4")
    assert len(given[0]) == flicker.count == 6
    assert made == given
    assert len(given[1]) > 3


class Blinking:
    """Every second frame comes out 40 levels brighter."""

    def __init__(self):
        self.frames = 0

    def translate(self, pictures, direction, batch_size):
        made = []
        for picture in pictures:
            made.append((picture // 2 + 40 * (self.frames % 2)).astype("uint8"))
            self.frames += 1
        return made


class Frame:
    def __init__(self, picture):
        self.picture = picture

    def to_ndarray(self, format):
        return self.picture


def flicker_of(steady):
    flicker, random = video.Flicker(), np.random.default_rng(0)
    still = random.integers(0, 200, (8, 8, 3), "uint8")
    frames = []
    for number in range(5):
        picture = still.copy()
        picture[:, 4:] = 20 * number  # the right half moves, and doesn't count
        frames.append(Frame(picture))
    for _, picture, made in video.translated_frames(frames, Blinking(), "a_to_b", steady, 2):
        flicker.add(picture, made)
    return flicker


def test_flicker_counts_what_changes_where_the_source_holds_still():
    flicker = flicker_of(0.0)
    assert flicker.source == 0
    assert flicker.translated == pytest.approx(40)


def test_steadying_takes_flicker_away_and_leaves_what_moves():
    # Each still pixel goes the half of its way: 20, then half of the 20 or 30 that are left, …
    assert 0 < flicker_of(0.5).translated < 22
    frames = [Frame(np.full((2, 2, 3), level, "uint8")) for level in (0, 100)]
    made = [m for *_, m in video.translated_frames(frames, Blinking(), "a_to_b", 0.9, 2)]
    assert (made[1] == 50 + 40).all()
