"""Makes commands of functions: their arguments, with the help in the docstring, are its options."""

import functools
import inspect
import re
from typing import Annotated, Literal

import typer
import typer.core

from keras_cyclegan.commands.terminal import clear_errors, show_messages, with_flags
from keras_cyclegan.quiet import import_keras_quietly
from keras_cyclegan.training import TrainingOptions
from keras_cyclegan.training.option import Size, as_size, options_of

SHARED = {  # help of what several commands take
    "preset": "Built-in name, folder, hf:// or kaggle://.",
    "tile": "Translate larger images in tiles of this side. Default: tiles if memory is short.",
    "working_size": "Short side at which larger photos are translated; the change is brought to "
    "all of their pixels. 0 for their own size. Default: the preset's.",
    "max_pixels": "Largest image; raise it for files that you trust. Default: 61 megapixels.",
}
FLAGS = {"paired": ("--paired/--unpaired",)}  # where they don't follow from the name
KEYWORD_ONLY = inspect.Parameter.KEYWORD_ONLY


def command(app):
    """Add a function to a Typer app as a command, as a decorator.

    Arguments that can be given by place are arguments of the command, the others options. Their
    help stands under `Args:` in the docstring, or in `SHARED`; `**options` are `TrainingOptions`.
    Errors are printed in one line, without the stack.
    """

    def add(function):
        text, _, described = inspect.getdoc(function).partition("\n\nArgs:\n")
        pairs = re.findall(r"^ {4}(\w+): (.*(?:\n {8}.*)*)", described, flags=re.MULTILINE)
        texts = SHARED | {name: " ".join(help.split()) for name, help in pairs}
        parameters = []
        for parameter in inspect.signature(function).parameters.values():
            if parameter.kind is parameter.VAR_KEYWORD:
                parameters += training_parameters()
                continue
            is_option = parameter.kind is parameter.KEYWORD_ONLY
            name, makes = parameter.name, typer.Option if is_option else typer.Argument
            info = makes(*FLAGS.get(name, ()), help=texts[name])
            annotation = Annotated[parameter.annotation, info]
            parameters.append(parameter.replace(annotation=annotation, kind=KEYWORD_ONLY))

        @functools.wraps(function)
        def run(**given):
            with clear_errors(given):
                show_messages(given)
                import_keras_quietly()
                return function(**given)

        run.__signature__ = inspect.Signature(parameters)
        return app.command(cls=Command, help=text)(run)

    return add


def training_parameters():
    """Yield the options of a run; their default, None, shows which ones were given."""
    options = options_of(TrainingOptions)
    for name, option in options.items():
        default = getattr(TrainingOptions, name, None)
        has_default = default is not None and option.kind is not bool
        text = f"{option.help} Default: {default}." if has_default else option.help
        given = {"help": with_flags(text, options), "rich_help_panel": option.group}
        if option.kind is Size:
            given |= {"parser": as_size, "metavar": "SIZE"}
        info = typer.Argument(help=option.help) if option.argument else typer.Option(**given)
        kind = str if option.kind is Size else option.kind
        kind = (Literal[option.choices] if option.choices else kind) | None
        yield inspect.Parameter(name, KEYWORD_ONLY, annotation=Annotated[kind, info], default=None)


class Command(typer.core.TyperCommand):
    """A command that takes two values for a range, and shows its options in groups."""

    def parse_args(self, context, arguments):
        return super().parse_args(context, joined(arguments))

    def format_options(self, context, formatter):
        groups = {}
        for parameter in self.get_params(context):
            if record := parameter.get_help_record(context):
                title = parameter.rich_help_panel or f"{parameter.param_type_name.title()}s"
                groups.setdefault(title, []).append(record)
        for title, records in groups.items():
            with formatter.section(title):
                formatter.write_dl(records)


def joined(arguments):
    """Bring `--range-a LOW HIGH`, whose values may begin with a minus, to `--range-a=LOW HIGH`."""
    arguments = list(arguments)
    for place, name in enumerate(arguments):
        ends = arguments[place + 1 : place + 3]
        if name in ("--range-a", "--range-b") and all(re.fullmatch(r"[-+.,\de]+", x) for x in ends):
            arguments[place : place + 3] = [f"{name}={' '.join(ends)}"]
    return arguments
