"""The terminal output of commands: logs, warnings, errors, and options in messages."""

import contextlib
import logging
import re
import sys
import warnings

import typer

from keras_cyclegan.training.option import as_flag


class MessagesHandler(logging.Handler):
    """Writes what the package logs to standard error."""

    def emit(self, record):
        typer.echo(self.format(record), err=True)


def show_messages(names):
    """Show what the package logs and warns of, with the options `names` of a command as flags."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    logger = logging.getLogger("keras_cyclegan")
    if not any(isinstance(handler, MessagesHandler) for handler in logger.handlers):
        logger.addHandler(MessagesHandler())
        logger.setLevel(logging.INFO)
    warnings.formatwarning = lambda message, *_: f"Warning: {with_flags(str(message), names)}\n"


@contextlib.contextmanager
def clear_errors(names):
    """Print an error without the stack, with the options `names` of a command as flags."""
    try:
        yield
    except (typer.Exit, typer.Abort):  # RuntimeErrors, which say that all was said
        raise
    except (ValueError, OSError, RuntimeError, ImportError) as error:
        message = with_flags(str(error), names)
        typer.secho(f"Error: {message}", fg=typer.colors.RED, err=True)
        raise typer.Exit(1) from error
    except KeyboardInterrupt as interrupt:
        raise typer.Exit(130) from interrupt


def with_flags(message, names):
    """Write the options `names` of a command in a message, `name` or name=value, as flags."""
    names = "|".join(names)
    values = {"True": True, "False": False}

    def flag(match):
        value = match[2].strip("\"'")
        return as_flag(match[1], values.get(value, value))

    value = r"""("[^"]*"|'[^']*'|[\w.+-]*\w)"""
    message = re.sub(rf"`?\b({names})={value}`?", flag, message)
    return re.sub(rf"`({names})`", lambda match: "--" + match[1].replace("_", "-"), message)
