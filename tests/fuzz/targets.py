"""What reads the mutated files, and what it promises."""

import io
import json
import random
import shutil

from support.bounds import BYTES

from keras_cyclegan import CycleGAN
from keras_cyclegan.data.decode import decode_image
from keras_cyclegan.files.torch_checkpoint import read_state_dict
from keras_cyclegan.presets import convert_network

from . import corpus, mutations


class Checkpoints:
    """The reader of torch files; what it takes is converted now and then."""

    memory = BYTES

    def __init__(self, folder):
        self.path = folder / "checkpoint.pth"
        self.corpus = corpus.checkpoints()
        self.pickles = [pickled for pickled, *_ in self.corpus]

    def make(self, numbers):
        pickled, storages, is_zip = numbers.choice(self.corpus)
        if numbers.random() < 0.7:
            pickled = mutations.mutate_bytes(numbers, pickled, self.pickles)
            content = corpus.checkpoint(pickled, storages, is_zip)
        else:
            content = corpus.checkpoint(pickled, storages, is_zip)
            content = mutations.mutate_bytes(numbers, content, self.pickles)
        self.path.write_bytes(content)
        self.converts = numbers.random() < 0.02

    def read(self):
        state = read_state_dict(self.path)
        size = self.path.stat().st_size
        assert sum(array.size for array in state.values()) <= size
        assert all(not array.flags.writeable or not array.size for array in state.values())
        if self.converts:
            convert_network(state)


class Presets:
    """A preset folder that a stranger wrote."""

    memory = BYTES

    def __init__(self, folder):
        self.folder = folder / "preset"
        self.corpus = corpus.presets(folder / "presets")

    def make(self, numbers):
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir()
        files = dict(numbers.choice(self.corpus))
        name = numbers.choice(("config.json", "config.json", "model.weights.h5"))
        if name == "config.json" and numbers.random() < 0.8:
            config = mutations.mutate_json(numbers, json.loads(files[name]))
            files[name] = json.dumps(config).encode()
        else:
            others = [preset[name] for preset in self.corpus]
            files[name] = mutations.mutate_bytes(numbers, files[name], others)
        for name, content in files.items():
            (self.folder / name).write_bytes(content)

    def read(self):
        CycleGAN.from_preset(self.folder)


class Images:
    """An image in any format."""

    memory = BYTES

    def __init__(self, folder):
        self.path = folder / "image"
        self.corpus = corpus.images()

    def make(self, numbers):
        content = mutations.mutate_bytes(numbers, numbers.choice(self.corpus), self.corpus)
        if content[1:4] == b"PNG":
            content = mutations.mend_png(content)
        self.path.write_bytes(content)

    def read(self):
        decode_image(io.BytesIO(self.path.read_bytes()))


# Of sixteen inputs, how many each target gets: the slow ones fewer.
TARGETS = {"checkpoints": (Checkpoints, 11), "presets": (Presets, 1), "images": (Images, 4)}


def numbers_of(seed, n):
    return random.Random(f"{seed} {n}")
