"""`python -m tests.fuzz --minutes 10`, from the top of the repository."""

import argparse
import logging
import os
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(Path(__file__).parents[1]))  # `from support import …`


def main():
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--minutes", type=float, help="how long; without it, --inputs counts")
    parser.add_argument("--inputs", type=int, help="how many (2000 if --minutes isn't given)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0, help="to repeat an input, with --inputs 1")
    parser.add_argument("--keep", type=Path, help="folder that keeps the last input, for a look")
    parser.add_argument("--write", type=Path, help="folder for what is mutated, and nothing else")
    options = parser.parse_args()
    if options.write:
        from .corpus import write

        return write(options.write)
    if options.minutes is None and options.inputs is None:
        options.inputs = 2000

    from .campaign import logger, run

    logger.addHandler(logging.StreamHandler())
    logger.setLevel("INFO")
    with tempfile.TemporaryDirectory() as scratch:
        folder = (options.keep or Path(scratch)).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        print(f"The current input is kept in {folder}: if the process dies, it is the cause.")
        counts, failures = run(folder, options.seed, options.first, options.inputs, options.minutes)
    for name, (accepted, refused) in counts.items():
        print(f"{name}: {accepted + refused} inputs, {accepted} accepted, {refused} refused")
    for failure in failures:
        print(failure)
    print(f"{len(failures)} broken promises")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
