"""Mutated checkpoints, presets, archives and images: `python -m tests.fuzz --minutes 10`."""
