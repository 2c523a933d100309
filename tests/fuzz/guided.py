"""The readers in Python under atheris, which follows what code an input reaches.

`pip install atheris`, then `python -m tests.fuzz.guided checkpoints -max_total_time=600`. What is
behind `--` or begins with a dash is libFuzzer's. Images and HDF5 are read in C, which it can't see:
for these the mutations of `python -m tests.fuzz` are as good.
"""

import contextlib
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # `from support import …`

TARGETS = ("checkpoints", "archives")
LONGEST = 1000  # characters of a message


def main():
    import atheris

    with atheris.instrument_imports(include=["keras_cyclegan.files", "keras_cyclegan.presets"]):
        from keras_cyclegan.files.torch_checkpoint import read_state_dict
        from keras_cyclegan.presets.archive import unpack
    from .corpus import archives, checkpoint, checkpoints

    if sys.argv[1:2] not in ([target] for target in TARGETS):
        sys.exit(f"Give what is to be attacked first: {' or '.join(TARGETS)}.")
    target = sys.argv.pop(1)
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as scratch:
        path, folder, start = (Path(scratch, name) for name in ("input", "unpacked", "start"))
        folder.mkdir()
        start.mkdir()
        contents = archives({"config.json": b"{}", "model.weights.h5": bytes(99)})
        if target == "checkpoints":
            contents = [checkpoint(*parts) for parts in checkpoints()]
        for i, content in enumerate(contents):
            (start / str(i)).write_bytes(content)

        def read(content):
            path.write_bytes(content)
            try:
                if target == "checkpoints":
                    read_state_dict(path)
                else:
                    unpack(path, folder)
            except ValueError as error:
                said = str(error)
                assert "\n" not in said, said
                assert len(said) < LONGEST, said
                assert "recursion" not in said, said
            for file in folder.iterdir():
                with contextlib.suppress(OSError):
                    file.unlink()

        atheris.Setup([*sys.argv, "-timeout=3", "-rss_limit_mb=2000", str(start)], read)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
