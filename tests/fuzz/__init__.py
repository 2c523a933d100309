"""Mutated checkpoints, presets and images: `python -m tests.fuzz --minutes 10`."""
