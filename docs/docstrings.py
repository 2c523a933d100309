"""Docstrings of this package, which are Markdown with Keras's sections, as reStructuredText."""

import inspect
import itertools
import re

from sphinx.util.inspect import stringify_signature

NAME = re.compile(r"[A-Za-z_][\w.]*(\(\))?$")
SECTION = re.compile(r"(Args|Call arguments|Returns|Raises|Yields|Attributes|Example|Examples):$")


def process(app, what, name, obj, options, lines):
    """Handler of Sphinx's `autodoc-process-docstring`."""
    lines[:] = as_rst(lines)


def constructor(app, what, name, obj, options, signature, returns):
    """Handler of `autodoc-process-signature`: Keras's `__new__` hides what `__init__` takes."""
    if what == "class" and signature == "(*args, **kwargs)":
        own = inspect.signature(obj.__init__)
        without_self = own.replace(parameters=list(own.parameters.values())[1:])
        return stringify_signature(without_self, show_annotation=False), returns
    return None


def as_rst(lines):
    """A docstring, without its common indent, in the other markup.

    Fenced code, indented formulas and tables become blocks; code in backticks becomes a reference
    where it is a name, else a literal.
    """
    out = []
    for kind, some in itertools.groupby(classified(lines), key=lambda item: item[0]):
        texts = [text for _, text in some]
        out += {"text": as_text, "table": as_table, "formula": as_formula}.get(kind, as_code)(texts)
    return out


def classified(lines):
    """Yield `(kind, line)`: what each line belongs to; each block of code is a kind of its own."""
    in_code, in_section, previous, blocks = False, False, "", 0
    for line in lines:
        indent = len(line) - len(line.lstrip())
        if line.lstrip().startswith("```"):
            in_code = not in_code
            blocks += in_code
            previous = ""
            yield f"code{blocks}", line
            continue
        if in_code:
            yield f"code{blocks}", line
            continue
        if line.strip() and not indent:
            in_section = bool(SECTION.match(line))
        is_formula = indent >= 4 and not in_section and previous in ("", "formula")
        is_table = line.strip().startswith("|") and line.rstrip().endswith("|")
        kind = "table" if is_table else "formula" if is_formula else "text"
        yield kind, line
        previous = kind if line.strip() else "formula" if previous == "formula" else ""


def as_code(lines):
    fence, *code, _ = lines
    indent = fence[: len(fence) - len(fence.lstrip())]
    language = fence.strip().removeprefix("```") or "text"
    shifted = ["   " + line if line.strip() else "" for line in code]
    return ["", f"{indent}.. code-block:: {language}", "", *shifted, ""]


def as_formula(lines):
    return ["", "::", "", *lines, ""]


def as_table(lines):
    rows = [re.split(r"(?<!\\)\|", line.strip().strip("|")) for line in lines]
    rows = [[cell.strip() for cell in row] for row in rows if set("".join(row)) - set("-: ")]
    out = ["", ".. list-table::", "   :header-rows: 1", ""]
    for row in rows:
        for i, cell in enumerate(row):
            out.append(f"   {'*' if not i else ' '} - {inline(cell)}")
    return [*out, ""]


def as_text(lines):
    """Paragraphs and lists; lists stand between empty lines in reStructuredText."""
    out, at = [], None  # the indent of the list that is open
    for line in lines:
        indent = len(line) - len(line.lstrip())
        starts = line.lstrip().startswith("- ")
        if starts and at is None:
            out.append("")
            at = indent
        elif line.strip() and at is not None and not starts and indent <= at:
            out.append("")
            at = None
        out.append(line)
    return inline("\n".join(out)).split("\n")


def inline(text):
    def replace(match):
        code, after = match[1], match[2]
        is_name = NAME.match(code)
        code = f":py:obj:`{code.removesuffix('()')}`" if is_name else f"``{code}``"
        return code + ("\\ " if re.match(r"\w", after) else "") + after

    pieces = re.split(r"((?<!`)`[^`]+`(?!`))", text)
    pieces[::2] = [re.sub(r"([|]|\*\*(?=\w))", r"\\\1", piece) for piece in pieces[::2]]
    return re.sub(r"(?<!`)`([^`]+)`(?!`)(.|\n|$)", replace, "".join(pieces))
