"""An option of a run: one field of a dataclass, with its help, its limits and what it is for."""

import dataclasses
import math
import numbers
import os
import re
import typing


@dataclasses.dataclass(frozen=True)
class Option:
    """What an option has besides its type and its default.

    Args:
        help: str. It names other options in backticks.
        least, above, below: floats. Limits of its value; None, the default, for no such limit.
        choices: the strings that are allowed; empty by default, for any.
        argument: bool, False by default. Whether it is given by its place, not by its name.
        change: whether a run that goes on may have another value: `"never"`; `"always"`, where it
            doesn't influence the training; `"length"`, to which the learning rate adapts; or
            `"adjust"`, if the user says so.
        passed_as: argument of the networks' classes that gets the value, if any.
    """

    help: str
    least: float | None = None
    above: float | None = None
    below: float | None = None
    choices: typing.Iterable[str] = ()
    argument: bool = False
    change: str = "never"
    passed_as: str | None = None

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


def option(default, help, **described):
    """Make the field of a dataclass: its default, and the arguments of its `Option`."""
    return dataclasses.field(default=default, metadata={"option": Option(help, **described)})


def described_options(options_class):
    """Describe a dataclass: from each field's name to its type, if it may be None, its `Option`."""
    hints, described = typing.get_type_hints(options_class), {}
    for field in dataclasses.fields(options_class):
        hint = hints[field.name]
        kinds = [kind for kind in typing.get_args(hint) or (hint,) if kind is not type(None)]
        described[field.name] = kinds[0], kinds[0] is not hint, field.metadata["option"]
    return described


def options_that_change(options_class, *changes):
    """Return the names of the options that may change in these ways while a run goes on."""
    fields = dataclasses.fields(options_class)
    return {field.name for field in fields if field.metadata["option"].change in changes}


def check_values(options):
    """Raise a ValueError for the first option that has a wrong value."""
    for name, (kind, optional, described) in described_options(type(options)).items():
        value = getattr(options, name)
        problem = described.problem(value, kind)
        if problem and not (optional and value is None):
            raise ValueError(f"`{name}` must be {problem}. Received {name}={value!r}.")


def as_flag(name, value):
    """Write an option of Python as on the command line: `--on-error skip` for on_error="skip"."""
    flag = name.replace("_", "-")
    if isinstance(value, bool):
        return f"--{flag}" if value else f"--no-{flag}"
    return f"--{flag} {value}"


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
