"""Trainings of a few steps without a graph, whose tracing would take most of their time."""

import contextlib
from unittest import mock

from keras_cyclegan import CycleGAN


@contextlib.contextmanager
def eagerly():
    """Have `compile` run the steps as they are written, where it isn't asked for anything else."""
    compile_model = CycleGAN.compile

    def compile_eagerly(self, *args, **kwargs):
        compile_model(self, *args, **{"run_eagerly": True, **kwargs})

    with mock.patch.object(CycleGAN, "compile", compile_eagerly):
        yield
