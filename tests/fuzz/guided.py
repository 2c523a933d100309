"""The reader of checkpoints under atheris, which follows what code an input reaches.

`pip install atheris`, then `python -m tests.fuzz.guided -max_total_time=600`. Images and HDF5 are
read in C, which it can't see: for these the mutations of `python -m tests.fuzz` are as good.
"""

import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # `from support import …`

LONGEST = 1000  # characters of a message


def main():
    import atheris

    with atheris.instrument_imports(include=["keras_cyclegan.files"]):
        from keras_cyclegan.files.torch_checkpoint import read_state_dict
    from .corpus import checkpoint, checkpoints

    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as scratch:
        path, start = Path(scratch, "input"), Path(scratch, "start")
        start.mkdir()
        for i, parts in enumerate(checkpoints()):
            (start / str(i)).write_bytes(checkpoint(*parts))

        def read(content):
            path.write_bytes(content)
            try:
                read_state_dict(path)
            except ValueError as error:
                said = str(error)
                assert "\n" not in said, said
                assert len(said) < LONGEST, said
                assert "recursion" not in said, said

        atheris.Setup([*sys.argv, "-timeout=3", "-rss_limit_mb=2000", str(start)], read)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
