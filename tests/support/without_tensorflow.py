"""`backend_worker.py`'s work on JAX or torch in a process that finds no TensorFlow.

It writes what such a process can do and what it refuses to `alone.json`.
"""

import importlib.machinery
import itertools
import json
import sys
import zlib
from pathlib import Path

find_spec = importlib.machinery.PathFinder.find_spec


def find_others(name, path=None, target=None):
    if name.partition(".")[0] not in ("tensorflow", "tensorflow_datasets"):
        return find_spec(name, path, target)


importlib.machinery.PathFinder.find_spec = find_others

import backend_worker  # noqa: E402
import keras  # noqa: E402

import keras_cyclegan as kcg  # noqa: E402
import keras_cyclegan.cli  # noqa: E402


class Pairs(keras.utils.PyDataset):
    def __len__(self):
        return 1

    def __getitem__(self, index):
        a, b = backend_worker.images()
        return a[: backend_worker.BATCH], b[: backend_worker.BATCH]


def refusal(function, *arguments):
    try:
        function(*arguments)
    except (ImportError, RuntimeError) as error:
        return str(error)
    return "nothing is refused"


if __name__ == "__main__":
    folder, *others = map(Path, sys.argv[1:])
    model = backend_worker.train_and_load(folder, others)
    counts = [int(model.optimizer.iterations)]

    def fit(data, **options):
        model.fit(data, verbose=0, **options)
        counts.append(int(model.optimizer.iterations))

    fit(Pairs())
    train, validation = kcg.data.load("glyphs", 16, batch_size=2, seed=5, steps_per_epoch=3)
    checksum = zlib.crc32(b"".join(images.tobytes() for batch in train for images in batch))
    fit(train, epochs=2, validation_data=validation)  # steps 3 to 8
    train.seek(10)
    fit(train)  # what is left of that epoch
    found = {
        "steps": [after - before for before, after in itertools.pairwise(counts)],
        "position": train.position,
        "checksum": checksum,
        "export": refusal(model.export, folder / "served"),
        "imported": "tensorflow" in sys.modules,
    }
    (folder / "alone.json").write_text(json.dumps(found))
