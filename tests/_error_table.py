"""Writes docs/ERRORS.md, the table of every refusal: `python -m tests._error_table`."""

from __future__ import annotations

import pkgutil
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import moralbank
from moralbank.errors import MoralBankError

PATH = Path(__file__).resolve().parent.parent / "docs" / "ERRORS.md"
#: Modules that start something when they are imported.
_STARTING = {"moralbank.wsgi", "moralbank.server"}
_HEAD = """# Every refusal

A refusal has a stable code, which never changes, and a title and a sentence that say what to do next. Pages show both;
the API answers with `problem+json`, whose `code` is the one below. The English is in the catalogue. A test compares
this table with the code; `python -m tests._error_table` writes it anew.

| code | status | title | sentence |
|---|---|---|---|
"""


def refusals() -> list[type[MoralBankError]]:
    """Return every refusal of the bank by code; classes whose name begins with _ only gather others."""
    for module in pkgutil.walk_packages(moralbank.__path__, "moralbank."):
        if module.name not in _STARTING:
            import_module(module.name)
    found = [kind for kind in _below(MoralBankError) if kind.__module__.startswith("moralbank.")]
    return sorted({kind for kind in found if not kind.__name__.startswith("_")}, key=lambda kind: kind.code)


def table() -> str:
    rows = (f"| `{kind.code}` | {kind.status} | {kind.title} | {kind.sentence} |\n" for kind in refusals())
    return _HEAD + "".join(rows)


def _below(kind: type[MoralBankError]) -> Iterator[type[MoralBankError]]:
    for child in kind.__subclasses__():
        yield child
        yield from _below(child)


if __name__ == "__main__":
    PATH.write_text(table(), encoding="utf-8")
