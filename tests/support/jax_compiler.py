"""What lets JAX compile the small programs of tests in less than half of the time."""

import os
from importlib import metadata

# Compiled by older code, and in one piece.
FASTER = "--xla_cpu_use_fusion_emitters=false --xla_cpu_parallel_codegen_split_count=1"
TRIED_WITH = "0.10."  # XLA ends a process that names a flag that it doesn't know


def compiler_flags(*flags):
    """What XLA_FLAGS shall be for a process that runs JAX: what it is, `flags`, and these."""
    try:
        known = metadata.version("jaxlib").startswith(TRIED_WITH)
    except metadata.PackageNotFoundError:
        known = False
    return " ".join([*filter(None, [os.environ.get("XLA_FLAGS")]), *flags, *[FASTER] * known])


def environment(backend, *flags):
    """What a process of this backend gets beside the environment that is there."""
    return {"XLA_FLAGS": compiler_flags(*flags)} if backend == "jax" else {}
