"""Opens branches and keeps their particulars.

A branch never moves: grants cite its path, and entries its book.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import Connection

from moralbank import clock, ledger
from moralbank.branches.errors import (
    BranchCodeTaken,
    BranchMoved,
    UnknownBranch,
    UnreadableBranchFile,
    WrongPlace,
)
from moralbank.branches.models import branches_branches
from moralbank.branches.queries import KINDS, Branch, find_branch, get_branch
from moralbank.db import insert_for

FILE_COLUMNS = ("code", "name_zh", "name_en", "kind", "parent", "address", "opening_hours")
_FILE_REQUIRED = ("code", "name_zh", "name_en", "kind")
#: Where each kind may lie; None is the top of the tree.
_PARENT_KINDS: dict[str, tuple[str | None, ...]] = {
    "district": (None,),
    "street": (None, "district"),
    "hub": (None, "district", "street"),
    "station": ("hub",),
}


@dataclass(frozen=True, slots=True)
class BranchDraft:
    """A branch to be opened."""

    code: str
    name_zh: str
    name_en: str
    kind: str
    parent_id: int | None
    address: str = ""
    opening_hours: str = ""


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a file of branches came to."""

    opened: int
    edited: int
    unchanged: int


def open_branch(db: Connection, draft: BranchDraft) -> Branch:
    """Open a branch; a hub gets a book of its own, a station shares its hub's.

    Raises (in the order checked): UnknownBranch, WrongPlace, BranchCodeTaken.
    """
    parent = None if draft.parent_id is None else get_branch(db, draft.parent_id)
    if (parent and parent.kind) not in _PARENT_KINDS.get(draft.kind, ()):
        raise WrongPlace(errors={"parent_id": [WrongPlace.sentence]})
    if find_branch(db, draft.code) is not None:
        raise BranchCodeTaken(branch=draft.code)
    row = {
        "code": draft.code,
        "name_zh": draft.name_zh,
        "name_en": draft.name_en,
        "kind": draft.kind,
        "parent_id": draft.parent_id,
        "path": "",
        "address": draft.address,
        "opening_hours": draft.opening_hours,
        "book_id": _book(db, draft, parent),
        "opened_at": clock.now(),
    }
    insert = insert_for(db, branches_branches).values(row).on_conflict_do_nothing(index_elements=["code"])
    branch_id = db.execute(insert.returning(branches_branches.c.branch_id)).scalar()
    if branch_id is None:
        raise BranchCodeTaken(branch=draft.code)
    path = f"{parent.path if parent else '/'}{branch_id}/"
    _update(db, branch_id, {"path": path})
    return get_branch(db, branch_id)


def edit_branch(
    db: Connection, branch_id: int, *, name_zh: str, name_en: str, address: str, opening_hours: str
) -> Branch:
    """Change what people read about a branch. Raises: UnknownBranch."""
    get_branch(db, branch_id)
    _update(
        db,
        branch_id,
        {"name_zh": name_zh, "name_en": name_en, "address": address, "opening_hours": opening_hours},
    )
    return get_branch(db, branch_id)


def load_branches(db: Connection, rows: Iterable[Mapping[str, str]]) -> Loaded:
    """Open the branches of a file that aren't open yet, in whatever order they stand, and edit the others.

    Shape: rows of FILE_COLUMNS, the parent named by its code. The same file again changes nothing.
    Raises (in the order checked): UnreadableBranchFile, UnknownBranch, BranchMoved, WrongPlace.
    """
    read = [_read(row, line) for line, row in enumerate(rows, 2)]
    opened = edited = 0
    for row in sorted(read, key=lambda row: KINDS.index(row["kind"])):
        known, parent = find_branch(db, row["code"]), _parent(db, row["parent"])
        texts = {name: row[name] for name in ("name_zh", "name_en", "address", "opening_hours")}
        if known is None:
            open_branch(db, BranchDraft(code=row["code"], kind=row["kind"], parent_id=parent, **texts))
            opened += 1
            continue
        if (known.kind, known.parent_id) != (row["kind"], parent):
            raise BranchMoved(branch=known.code)
        if texts != {name: getattr(known, name) for name in texts}:
            edit_branch(db, known.branch_id, **texts)
            edited += 1
    return Loaded(opened, edited, len(read) - opened - edited)


def _book(db: Connection, draft: BranchDraft, parent: Branch | None) -> int | None:
    if draft.kind == "hub":
        return ledger.open_book(db, draft.code, draft.name_zh)
    return parent.book_id if draft.kind == "station" and parent else None


def _update(db: Connection, branch_id: int, values: Mapping[str, str]) -> None:
    db.execute(sa.update(branches_branches).where(branches_branches.c.branch_id == branch_id).values(values))


def _read(row: Mapping[str, str], line: int) -> dict[str, str]:
    """Return a row of a file with its spaces trimmed. Raises: UnreadableBranchFile."""
    read = {name: (row.get(name) or "").strip() for name in FILE_COLUMNS}
    if not all(read[name] for name in _FILE_REQUIRED) or read["kind"] not in KINDS:
        raise UnreadableBranchFile(line=line)
    return read


def _parent(db: Connection, code: str) -> int | None:
    if not code:
        return None
    parent = find_branch(db, code)
    if parent is None:
        raise UnknownBranch(branch=code)
    return parent.branch_id
