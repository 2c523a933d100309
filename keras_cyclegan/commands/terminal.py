"""The terminal output of commands: logs, TensorFlow's notes, and options in messages."""

import contextlib
import logging
import os
import re
import sys
import tempfile
import warnings

import typer

# "I0000 00:00:1795462818.123149 15524 port.cc:153] oneDNN custom operations are on." and the like.
NOTE = re.compile(rb"[IW]\d{4} \d\d:\d\d:|WARNING: All log messages before absl::InitializeLog")


class MessagesHandler(logging.Handler):
    """Writes what the package logs to standard error."""

    def emit(self, record):
        typer.echo(self.format(record), err=True)


def show_messages():
    """Show what the package logs, for a command."""
    logger = logging.getLogger("keras_cyclegan")
    if not any(isinstance(handler, MessagesHandler) for handler in logger.handlers):
        logger.addHandler(MessagesHandler())
        logger.setLevel(logging.INFO)


@contextlib.contextmanager
def plain_warnings(names):
    """Show warnings in the words of the command line, without the line of code.

    Args:
        names: the options of the command.
    """
    before = warnings.formatwarning
    warnings.formatwarning = lambda message, *_: f"Warning: {with_flags(str(message), names)}\n"
    try:
        yield
    finally:
        warnings.formatwarning = before


def import_keras():
    """Import Keras and its backend without TensorFlow's notes to its developers.

    The notes can only be turned off before TensorFlow is imported.
    """
    if "keras" not in sys.modules:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        with without_notes():
            import keras  # noqa: F401


@contextlib.contextmanager
def without_notes():
    """Remove TensorFlow's notes to its developers from standard error.

    Its libraries write them while they are loaded, before they read a log level. All other lines
    are written when the context ends.
    """
    sys.stderr.flush()
    with tempfile.TemporaryFile() as written:
        stream = os.dup(2)
        os.dup2(written.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(stream, 2)
            os.close(stream)
            written.seek(0)
            os.write(2, b"".join(line for line in written if not NOTE.match(line)))


def as_flag(name, value):
    """Write an option of Python as on the command line: `--on-error skip` for on_error="skip"."""
    flag = name.replace("_", "-")
    if isinstance(value, bool):
        return f"--{flag}" if value else f"--no-{flag}"
    return f"--{flag} {value}"


def with_flags(message, names):
    """Replace options in a message of the package by those of the command line.

    Args:
        message: str. Options in it are `name` in backticks, or name=value.
        names: the options of the command; other names aren't replaced.

    Returns:
        str.
    """
    names = "|".join(names)
    values = {"True": True, "False": False}

    def flag(match):
        value = match[2].strip("\"'")
        return as_flag(match[1], values.get(value, value))

    value = r"""("[^"]*"|'[^']*'|[\w.+-]*\w)"""
    message = re.sub(rf"`?\b({names})={value}`?", flag, message)
    return re.sub(rf"`({names})`", lambda match: "--" + match[1].replace("_", "-"), message)
