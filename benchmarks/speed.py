"""Measures training, translation, input and start on this machine, and keeps the tables.

    python benchmarks/speed.py tables            # some minutes; on a processor or a GPU
    python benchmarks/speed.py tables --whole    # sizes to 256², widths, batches: hours on a laptop

Each table is printed as it grows, and written to `tables/NAME.md` with the machine on top.
"""

import argparse
import subprocess
import sys
from pathlib import Path

COMMANDS = {
    "train_step": ["train_step.py", "--fit"],
    "inference": ["inference.py"],
    "presets": ["inference.py", "--presets", "glyphs", "horse2zebra", "--sizes", "128", "256"],
    "input_pipeline": ["input_pipeline.py"],
    "start": ["start.py"],
}
WHOLE = {
    "train_step": ["--sizes", "64", "128", "256", "--widths", "32", "64", "--batches", "1", "4"],
    "inference": ["--sizes", "256", "1024", "--batches", "1", "8"],
    "presets": ["--sizes", "128", "256", "512", "--batches", "1", "8"],
    "input_pipeline": ["--images", "1000"],
    "start": ["--repeats", "15"],
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tables", type=Path, help="Folder for the tables.")
    parser.add_argument("--whole", action="store_true", help="All sizes, widths and batches.")
    options = parser.parse_args()
    options.tables.mkdir(parents=True, exist_ok=True)
    failed = [
        name
        for name, command in COMMANDS.items()
        if measure(
            [*command, *(WHOLE.get(name, ()) if options.whole else ())],
            options.tables / f"{name}.md",
        )
    ]
    return f"Not measured to the end: {', '.join(failed)}." if failed else None


def measure(command, target):
    """Run one benchmark, print what it prints, write it to `target`; return its exit status."""
    script = Path(__file__).parent / command[0]
    shown = f"`python benchmarks/{' '.join(command)}`\n\n"
    print(f"\n{shown}", end="", flush=True)
    with (
        target.open("w", encoding="utf-8") as file,
        subprocess.Popen(
            [sys.executable, script, *command[1:]], stdout=subprocess.PIPE, text=True
        ) as process,
    ):
        file.write(shown)
        for line in process.stdout:
            print(line, end="", flush=True)
            file.write(line)
            file.flush()
    return process.returncode


if __name__ == "__main__":
    sys.exit(main())
