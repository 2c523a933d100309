"""An option of a run: one field of a dataclass, with its help, its limits and what it is for."""

import dataclasses
import functools
import math
import numbers
import os
import re
import typing


class Size:
    """The type of an option that is a number of pixels, or a string HEIGHTxWIDTH of two."""


KINDS = {
    int: "an integer",
    float: "a finite number",
    Size: "an integer, or HEIGHTxWIDTH,",
    bool: "True or False",
    str: "a string",
}


@dataclasses.dataclass(frozen=True)
class Option:
    """What an option has besides its default.

    A run that goes on may `change` it never; always, where it doesn't influence the training; its
    length, to which the learning rate adapts; or adjust it, if the user says so.
    """

    help: str  # names other options in backticks
    least: float = -math.inf
    above: float = -math.inf
    below: float = math.inf
    needs: str | None = None  # another option, without which this one means nothing
    parts: tuple[str, ...] = ()  # of which a value is one, or some with commas
    argument: bool = False  # given by its place, not by its name
    change: str = "never"
    kind: type = str  # from here on what the field and its class say
    optional: bool = False
    choices: tuple[str, ...] = ()
    group: str = ""

    def takes(self, value):
        if self.choices or value is None:
            return value in self.choices or (value is None and self.optional)
        if self.kind is bool:
            return isinstance(value, bool)
        if self.kind is str:
            is_path = isinstance(value, (str, os.PathLike))
            return is_path and (not self.parts or {*value.split(",")} <= {*self.parts})
        if self.kind is Size and isinstance(value, str):
            return bool(re.fullmatch("[0-9]{1,6}x[0-9]{1,6}", value)) and all(
                side >= self.least for side in sides_of(value)
            )
        wanted = numbers.Real if self.kind is float else numbers.Integral
        if not isinstance(value, wanted) or isinstance(value, bool) or not math.isfinite(value):
            return False
        return self.least <= value and self.above < value < self.below

    @property
    def expected(self):
        if self.choices:
            return f"one of {', '.join(self.choices)}"
        if self.parts:
            return f"some of {','.join(self.parts)}"
        bounds = {"of at least": self.least, "above": self.above, "below": self.below}
        limits = [f"{text} {x:g}" for text, x in bounds.items() if math.isfinite(x)]
        return f"{KINDS[self.kind]} {' and '.join(limits)}".rstrip()


def option(help, default=None, **described):
    """Make the field of a dataclass with an `Option`."""
    return dataclasses.field(default=default, metadata={"option": Option(help, **described)})


@functools.cache
def options_of(options_class):
    """Return the `Option`s of a dataclass, by their names."""
    hints, found = typing.get_type_hints(options_class), {}
    groups = {
        name: part.__name__.removesuffix("Options")
        for part in options_class.__mro__[:-1]
        for name in part.__annotations__
    }
    for field in dataclasses.fields(options_class):
        hint = hints[field.name]  # a type or choices, perhaps or None
        kinds = (hint,) if typing.get_origin(hint) is typing.Literal else typing.get_args(hint)
        kind, *others = kinds or (hint,)
        choices = typing.get_args(kind)
        found[field.name] = dataclasses.replace(
            field.metadata["option"],
            kind=str if choices else kind,
            optional=bool(others),
            choices=choices,
            group=groups[field.name],
        )
    return found


def check_values(options):
    """Raise a ValueError for an option that has a wrong value, or is without what it needs."""
    for name, known in options_of(type(options)).items():
        value, default = getattr(options, name), getattr(type(options), name, None)
        if not known.takes(value):
            raise ValueError(f"`{name}` must be {known.expected}. Received {name}={value!r}.")
        if known.needs and value != default and not getattr(options, known.needs):
            raise ValueError(f"`{name}` needs `{known.needs}`. Received {name}={value!r} alone.")


def as_flag(name, value):
    """Write an option of Python as on the command line: `--on-error skip` for on_error="skip"."""
    flag = name.replace("_", "-")
    if isinstance(value, bool):
        return f"--{flag}" if value else f"--no-{flag}"
    return f"--{flag} {value}"


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
