"""Reads of the branch tree."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy import Connection

from moralbank.branches.errors import UnknownBranch
from moralbank.branches.models import branches_branches
from moralbank.prepared import Prepared

T = TypeVar("T")

#: From the root down; a branch lies under one of an earlier kind, a station always under a hub.
KINDS = ("district", "street", "hub", "station")


@dataclass(frozen=True, slots=True)
class Branch:
    """A place of the bank."""

    branch_id: int
    code: str
    name_zh: str
    name_en: str
    kind: str
    parent_id: int | None
    #: Ids from the root to this branch, "/1/2/3/": it is within another whose path is its prefix.
    path: str
    address: str
    opening_hours: str
    #: The book of the hub; None for districts and streets.
    book_id: int | None

    @property
    def depth(self) -> int:
        """How many branches lie above this one."""
        return self.path.count("/") - 2


_COLUMNS = [branches_branches.c[name] for name in Branch.__dataclass_fields__]


_GET = Prepared(sa.select(*_COLUMNS).where(branches_branches.c.branch_id == sa.bindparam("branch_id")))


def get_branch(db: Connection, branch_id: int) -> Branch:
    """Return the branch. Raises: UnknownBranch."""
    row = _GET.first(db, branch_id=branch_id)
    if row is None:
        raise UnknownBranch(branch=branch_id)
    return _branch(row)


def find_branch(db: Connection, code: str) -> Branch | None:
    """Return the branch of this code, or None."""
    row = db.execute(sa.select(*_COLUMNS).where(branches_branches.c.code == code)).first()
    return None if row is None else _branch(row)


def list_branches(db: Connection, within: int | None = None) -> list[Branch]:
    """Return a branch and everything below it, each after its parent and by code; None means the whole tree.

    Raises: UnknownBranch.
    """
    query = sa.select(*_COLUMNS)
    if within is not None:
        query = query.where(branches_branches.c.path.startswith(get_branch(db, within).path, autoescape=True))
    return _parents_first([_branch(row) for row in db.execute(query.order_by(branches_branches.c.code))])


def list_branches_under(db: Connection, paths: list[str]) -> list[Branch]:
    """Return the branches within any of the paths, parents first; the path "/" means the whole tree."""
    if not paths:
        return []
    inside = sa.or_(*(branches_branches.c.path.startswith(path, autoescape=True) for path in paths))
    rows = db.execute(sa.select(*_COLUMNS).where(inside).order_by(branches_branches.c.code))
    return _parents_first([_branch(row) for row in rows])


def paths_of(db: Connection, branch_ids: Collection[int]) -> dict[int, str]:
    """Return the paths of these branches by id."""
    if not branch_ids:
        return {}
    query = sa.select(branches_branches.c.branch_id, branches_branches.c.path).where(
        branches_branches.c.branch_id.in_(list(branch_ids))
    )
    return {row.branch_id: row.path for row in db.execute(query)}


def path_of(branch_id: sa.ColumnElement[int]) -> sa.ScalarSelect[str]:
    """Return a branch's path as a column for a query of another package, NULL where the id is NULL."""
    return _one_of(branches_branches.c.path, branch_id)


def lies_below(branch_id: sa.ColumnElement[int], paths: Collection[str]) -> sa.ColumnElement[bool]:
    """Return as a condition that a branch is within any of the paths; "/" takes in everything, of no branch too."""
    if "/" in paths:
        return sa.true()
    path = path_of(branch_id)
    return sa.or_(sa.false(), *(path.startswith(one, autoescape=True) for one in paths))


def book_of(branch_id: sa.ColumnElement[int]) -> sa.ScalarSelect[int]:
    """Return a branch's book as a column for a query of another package, NULL where it has none."""
    return _one_of(branches_branches.c.book_id, branch_id)


def hub_path_of(book_id: sa.ColumnElement[int]) -> sa.ScalarSelect[str]:
    """Return the path of the hub that keeps a book as a column for a query of another package, NULL where none does."""
    return (
        sa.select(branches_branches.c.path)
        .where(branches_branches.c.book_id == book_id, branches_branches.c.kind == "hub")
        .limit(1)
        .correlate_except(branches_branches)
        .scalar_subquery()
    )


def _one_of(column: sa.Column[T], branch_id: sa.ColumnElement[int]) -> sa.ScalarSelect[T]:
    return (
        sa.select(column)
        .where(branches_branches.c.branch_id == branch_id)
        .correlate_except(branches_branches)
        .scalar_subquery()
    )


def is_within(db: Connection, branch_id: int, ancestor_id: int) -> bool:
    """Tell whether a branch is the other one or lies below it. Raises: UnknownBranch."""
    return get_branch(db, branch_id).path.startswith(get_branch(db, ancestor_id).path)


def find_hub(db: Connection, book_id: int) -> Branch | None:
    """Return the hub that keeps this book, or None."""
    query = sa.select(*_COLUMNS).where(branches_branches.c.book_id == book_id, branches_branches.c.kind == "hub")
    row = db.execute(query).first()
    return None if row is None else _branch(row)


def _branch(row: Sequence[Any]) -> Branch:
    return Branch(*row)


def _parents_first(branches: list[Branch]) -> list[Branch]:
    """Order branches as one reads a tree; given by code, siblings stay in that order."""
    codes = {branch.branch_id: branch.code for branch in branches}

    def key(branch: Branch) -> list[str]:
        return [codes.get(int(step), "") for step in branch.path.strip("/").split("/")]

    return sorted(branches, key=key)
