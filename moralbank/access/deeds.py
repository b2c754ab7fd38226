"""The record of deeds: who came in, who looked at whom and why, who changed or took away what. Rows are only added.

Each deed that belongs to a book is a leaf of the book's access log too. The leaf holds ids and codes alone; what
somebody wrote as a reason stands apart, under a salted commitment, so that forgetting a person can delete it.
"""

from __future__ import annotations

import hmac
import os
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from moralbank import clock, ledger, transparency
from moralbank.access.errors import ReasonUnfit
from moralbank.access.models import access_deed_notes, access_deeds
from moralbank.access.queries import EVERYWHERE, Grant
from moralbank.branches import queries as branches
from moralbank.transparency import facts

#: How long a reason holds for the person it was given for.
REMEMBERED = timedelta(minutes=15)
NOTE_MAX = 200
_SALT_BYTES = 32
#: Whose coming in is written down: they see other people's data.
WATCHED = frozenset({"staff", "auditor", "admin"})


class Kind(StrEnum):
    """What a deed is; the kind of its leaf."""

    LOGIN = "login"
    REFUSED = "refused"
    VIEW = "view"
    LIST = "list"
    EXPORT = "export"
    APPROVE = "approve"
    SETTING = "setting"
    ROLE = "role"
    SECRET = "secret"
    IMPORT = "import"
    FORGET = "forget"
    ACT = "act"


class Reason(StrEnum):
    """Why somebody looked at a person's data. The first five are chosen, the others follow from what is being done."""

    DESK = "desk"
    CORRECT = "correct"
    ANSWER = "answer"
    AUDIT = "audit"
    OTHER = "other"
    ACT = "act"
    SESSION = "session"
    ROSTER = "roster"
    PROGRAM = "program"
    WORK = "work"


CHOSEN = (Reason.DESK, Reason.CORRECT, Reason.ANSWER, Reason.AUDIT, Reason.OTHER)


@dataclass(frozen=True, slots=True)
class Deed:
    """Something done, to be written down."""

    #: As the ledger cites it, "staff:12".
    actor: str
    kind: Kind
    #: Where it was done; the deed belongs to that branch's book. None: the whole bank.
    branch_id: int | None = None
    #: None: the branch's.
    book_id: int | None = None
    #: Whose data it is about, with their account in the book; None where it is about nobody or about many.
    resident_id: int | None = None
    account_id: int | None = None
    reason: Reason | None = None
    #: What was written beside the reason.
    note: str = ""
    #: What it is about, as kind and id: "session:12".
    about: str = ""
    #: How many people were shown.
    count: int | None = None


def record(db: Connection, deed: Deed) -> None:
    """Write a deed down, in the transaction of the act itself."""
    record_many(db, [deed])


def record_many(db: Connection, deeds: Sequence[Deed]) -> list[None]:
    """Write deeds down in their order; views that come at the same moment share one commit (Database.join)."""
    for deed in deeds:
        placed = _placed(db, deed)
        note = unicodedata.normalize("NFC", placed.note.strip())[:NOTE_MAX]
        salt = os.urandom(_SALT_BYTES) if note else b""
        leaf = _append(db, placed, hmac.digest(salt, note.encode(), "sha256").hex() if note else None)
        role, _, login = placed.actor.partition(":")
        row = {
            "book_id": placed.book_id,
            "branch_id": placed.branch_id,
            "done_at": clock.now(),
            "role": role,
            "login_id": int(login) if login.isdigit() else None,
            "kind": placed.kind,
            "resident_id": placed.resident_id,
            "reason": placed.reason,
            "about": placed.about,
            "people": placed.count,
            "leaf_hash": leaf.leaf_hash.hex() if leaf else None,
            "fact_no": leaf.no if leaf else None,
        }
        deed_id = db.execute(access_deeds.insert().returning(access_deeds.c.deed_id), row).scalar_one()
        if note:
            db.execute(access_deed_notes.insert().values(deed_id=deed_id, salt=salt, note=note))
    return [None] * len(deeds)


def chosen_reason(code: str, note: str) -> Reason:
    """Return the reason that somebody chose; "other" must say what it is. Raises: ReasonUnfit."""
    if code not in CHOSEN or (code == Reason.OTHER and not note.strip()):
        raise ReasonUnfit()
    return Reason(code)


def of_login(actor: str, kind: Kind, grants: Sequence[Grant], about: str = "") -> Deed:
    """Return a deed about a login: it belongs where the first of its roles is held."""
    branch_id = next((grant.branch_id for grant in grants if grant.branch_path != EVERYWHERE), None)
    return Deed(actor, kind, branch_id, about=about)


def watched_role(grants: Sequence[Grant]) -> str | None:
    """Return the role in which somebody with these grants sees others' data, the widest first, or None."""
    held = {grant.role for grant in grants} & WATCHED
    return next((role for role in ("admin", "auditor", "staff") if role in held), None)


def forget_notes(db: Connection, resident_id: int) -> int:
    """Delete what was written beside the deeds about a person, salts too; the deeds and their leaves stay."""
    theirs = sa.select(access_deeds.c.deed_id).where(access_deeds.c.resident_id == resident_id)
    return db.execute(access_deed_notes.delete().where(access_deed_notes.c.deed_id.in_(theirs))).rowcount


def _placed(db: Connection, deed: Deed) -> Deed:
    """Say to which book a deed belongs: the branch's, the first one below it, or the bank's first; None before any."""
    if deed.book_id is not None:
        return deed
    if deed.branch_id is not None:
        place = branches.get_branch(db, deed.branch_id)
        below = [place] if place.book_id is not None else branches.list_branches(db, place.branch_id)
        for branch in below:
            if branch.book_id is not None:
                return replace(deed, book_id=branch.book_id)
    return replace(deed, book_id=next((book.book_id for book in ledger.list_books(db)), None))


def _append(db: Connection, deed: Deed, commits_to: str | None) -> facts.Written | None:
    """Make the deed a leaf of its book's access log.

    Shape: by (role:login), and where they apply br (branch), a (account of whom it is about), why (reason), src (what
    it is about, kind and id), c (how many people), m (commitment to what was written beside it).
    """
    if deed.book_id is None:
        return None
    fields: dict[str, Any] = {
        "by": deed.actor,
        "br": deed.branch_id,
        "a": deed.account_id,
        "why": str(deed.reason) if deed.reason else None,
        "src": deed.about or None,
        "c": deed.count,
        "m": commits_to,
    }
    given = {name: value for name, value in fields.items() if value is not None}
    return facts.write_fact(db, deed.book_id, transparency.Log.ACCESS, str(deed.kind), given)
