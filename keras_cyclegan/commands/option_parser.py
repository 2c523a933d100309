"""Turns annotated fields of a dataclass into options of a command, with help and checks."""

import inspect
import math
from typing import Annotated, Literal

import typer
import typer.core

from keras_cyclegan.arguments import FLIPS
from keras_cyclegan.commands.terminal import with_flags
from keras_cyclegan.training.option import Size, as_size, options_of


def joined(arguments):
    """Bring options that the parser doesn't know by itself to `--name=value`.

    These are the two values of `--range-a LOW HIGH`, and `--flip` and `--no-flip` without a value.
    """
    arguments, found = list(arguments), []
    while arguments:
        name = arguments.pop(0)
        if name in ("--range-a", "--range-b") and all(map(_is_number, arguments[:2] or "x")):
            name = f"{name}={' '.join(arguments[:2])}"
            del arguments[:2]
        elif name == "--no-flip":
            name = "--flip=none"
        elif name == "--flip" and not (arguments and arguments[0] in FLIPS):
            name = "--flip=horizontal"
        found.append(name)
    return found


def _is_number(text):
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


class Command(typer.core.TyperCommand):
    """A command that takes what `joined` brings together, and shows its options in groups."""

    def parse_args(self, context, arguments):
        return super().parse_args(context, joined(arguments))

    def format_options(self, context, formatter):
        groups = {"Arguments": [], "Options": []}
        for parameter in self.get_params(context):
            if (record := parameter.get_help_record(context)) is not None:
                is_argument = parameter.param_type_name == "argument"
                title = "Arguments" if is_argument else parameter.rich_help_panel or "Options"
                groups.setdefault(title, []).append(record)
        for title, records in groups.items():
            if records:
                with formatter.section(title):
                    formatter.write_dl(records)


def command_parameters(options_class):
    """Yield the fields of a dataclass as parameters of a command: arguments, and options.

    The default of an option is None, so that it can be seen which ones the user gave.
    """
    options = options_of(options_class)
    for name, option in options.items():
        default = getattr(options_class, name, None)
        if option.argument:
            info = typer.Argument(help=option.help)
        else:
            has_default = default is not None and option.kind is not bool
            text = f"{option.help} Default: {default}." if has_default else option.help
            given = {"help": with_flags(text, options), "rich_help_panel": option.group}
            if option.kind is Size:
                given |= {"parser": as_size, "metavar": "SIZE"}
            info = typer.Option(**given)
        kind = str if option.kind is Size else option.kind
        kind = (Literal[option.choices] if option.choices else kind) | None
        yield inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            annotation=Annotated[kind, info],
            default=None,
        )


def with_options_of(options_class):
    """Replace the last parameter of a command by the options of a dataclass, as a decorator."""

    def replace(function):
        first, *options = command_parameters(options_class)
        *own, _ = inspect.signature(function).parameters.values()
        own = [one.replace(kind=one.KEYWORD_ONLY) for one in own]
        function.__signature__ = inspect.Signature([first, *own, *options])
        return function

    return replace
