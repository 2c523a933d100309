"""Turns annotated fields of a dataclass into options of a command, with help and checks."""

import dataclasses
import inspect
import math
import numbers
import os
import re
import typing
from typing import Annotated, Literal

import typer
import typer.core

from keras_cyclegan.arguments import FLIPS
from keras_cyclegan.commands.terminal import with_flags


@dataclasses.dataclass(frozen=True)
class Option:
    """What an option has besides its type and its default.

    Args:
        help: str. It names other options in backticks.
        least, above, below: floats. Limits of its value; None, the default, for no such limit.
        choices: the strings that are allowed; empty by default, for any.
        argument: bool, False by default. Whether it is given by its place, not by its name.
    """

    help: str
    least: float | None = None
    above: float | None = None
    below: float | None = None
    choices: typing.Iterable[str] = ()
    argument: bool = False

    def problem(self, value, kind):
        """Return what is expected in place of a wrong value, or None for a right one."""
        if self.choices:
            return None if value in tuple(self.choices) else f"one of {', '.join(self.choices)}"
        named, is_kind = KINDS[kind]
        bounds = (
            ("of at least", self.least, lambda bound: value >= bound),
            ("above", self.above, lambda bound: value > bound),
            ("below", self.below, lambda bound: value < bound),
        )
        value = min(sides_of(value)) if kind is Size and is_kind(value) else value
        bounds = [(text, bound, holds) for text, bound, holds in bounds if bound is not None]
        if is_kind(value) and all(holds(bound) for _, bound, holds in bounds):
            return None
        limits = " and ".join(f"{text} {bound:g}" for text, bound, _ in bounds)
        return f"{named} {limits}".rstrip()


class Size:
    """The type of an option that is a number of pixels, or a string HEIGHTxWIDTH of two."""


def as_size(value):
    """Return a size as it is kept: an int, or a string `"256x192"`."""
    if isinstance(value, (tuple, list)):
        value = "x".join(map(str, value))
    return int(value) if isinstance(value, str) and value.isdecimal() else value


def sides_of(size):
    """Return `(height, width)` of a size, or None for None."""
    if size is None:
        return None
    return tuple(map(int, size.split("x"))) if isinstance(size, str) else (size, size)


def _is_size(value):
    if isinstance(value, str):
        return re.fullmatch(r"[0-9]{1,6}x[0-9]{1,6}", value) is not None
    return KINDS[int][1](value)


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
    """A command that takes what `joined` brings together."""

    def parse_args(self, context, arguments):
        return super().parse_args(context, joined(arguments))


KINDS = {
    int: ("an integer", lambda v: isinstance(v, numbers.Integral) and not isinstance(v, bool)),
    float: (
        "a finite number",
        lambda v: isinstance(v, numbers.Real) and not isinstance(v, bool) and math.isfinite(v),
    ),
    bool: ("True or False", lambda v: isinstance(v, bool)),
    Size: ("an integer, or HEIGHTxWIDTH,", _is_size),
    str: ("a string", lambda v: isinstance(v, (str, os.PathLike))),
}


def described_options(options_class):
    """Describe the fields of a dataclass, which are annotated with an `Option` each.

    Returns:
        dict from each field's name to its type, whether it can be None, and its `Option`.
    """
    described = {}
    for name, hint in typing.get_type_hints(options_class, include_extras=True).items():
        kind, option = typing.get_args(hint)
        kinds = [one for one in typing.get_args(kind) or (kind,) if one is not type(None)]
        described[name] = kinds[0], len(kinds) < len(typing.get_args(kind)), option
    return described


def command_parameters(options_class):
    """Yield the fields of a dataclass as parameters of a command: an argument, and options.

    The default of an option is None, so that it can be seen which ones the user gave.
    """
    described = described_options(options_class)
    for field in dataclasses.fields(options_class):
        kind, _, option = described[field.name]
        if field.default is dataclasses.MISSING:
            default, info = inspect.Parameter.empty, typer.Argument(help=option.help)
        else:
            has_default = field.default is not None and kind is not bool
            text = f"{option.help} Default: {field.default}." if has_default else option.help
            default, info = None, typer.Option(help=with_flags(text, described))
            if option.argument:
                info = typer.Argument(help=option.help)
            elif kind is Size:
                kind, info = str, typer.Option(help=info.help, parser=as_size, metavar="SIZE")
            kind = (Literal[tuple(option.choices)] if option.choices else kind) | None
        yield inspect.Parameter(
            field.name,
            inspect.Parameter.KEYWORD_ONLY,
            annotation=Annotated[kind, info],
            default=default,
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
