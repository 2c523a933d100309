"""Blocks of code in Markdown, and what their pages say of them.

A comment before a block says how it is run: `<!-- slow: why -->` by `pytest -m slow` alone,
`<!-- not run: why -->` not at all.
"""

import dataclasses
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
PAGES = [page for page in PAGES if not {"_build", "generated"} & set(page.parts)]
BLOCK = re.compile(
    r"(?:^<!-- (?P<how>slow|not run): (?P<why>.+?) -->\n)?"
    r"^```(?P<language>\w+)\n(?P<code>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)


@dataclasses.dataclass
class Block:
    """`how` is None, `"slow"` or `"not run"`; `line` is where its code begins."""

    page: str
    line: int
    language: str
    how: str | None
    code: str

    def __str__(self):
        return f"{self.page}:{self.line}"


def blocks(page):
    text = page.read_text(encoding="utf-8")
    return [
        Block(
            str(page.relative_to(ROOT)),
            text.count("\n", 0, found.start("code")) + 1,
            found["language"],
            found["how"],
            found["code"],
        )
        for found in BLOCK.finditer(text)
    ]


ALL = {str(page.relative_to(ROOT)): blocks(page) for page in PAGES}


def pages_with(*languages, how=(None, "slow", "not run")):
    """Names of the pages that have a block in one of the languages, to be run so."""
    return [
        page
        for page, found in ALL.items()
        if any(block.language in languages and block.how in how for block in found)
    ]
