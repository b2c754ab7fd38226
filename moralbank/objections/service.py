"""Raises objections, gives them to somebody, and answers them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from moralbank import clock
from moralbank.db import violated
from moralbank.messages import service as messages
from moralbank.messages.values import Note
from moralbank.objections import errors
from moralbank.objections.models import CONTACT_MAX, FROM_MAX, TEXT_MAX, objections
from moralbank.objections.queries import Objection, count_open_about, find_open, get_objection

__all__ = [
    "CONTACT_MAX", "FROM_MAX", "TEXT_MAX", "Doubt", "answer", "answer_by", "assign", "forget", "forget_contacts",
    "object_as_stranger", "object_to", "refuse_repeated", "withdraw",
]  # fmt: skip

#: Working days within which everybody is answered.
ANSWER_WORKING_DAYS = 5
#: More than this many open ones from people nobody knows would be a flood, not a doubt.
STRANGERS_MAX = 50
#: A name and a contact are kept so long after the answer, and then blanked.
CONTACT_KEPT = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class Doubt:
    """What is said to be wrong. `about` names it: "3:128:1:17" a line, "12" a notice or a late entry."""

    book_id: int
    branch_id: int
    about_kind: str
    about: str
    words: str
    #: Of an entry: who made it, as role:login.
    about_actor: str | None = None


def object_to(db: Connection, resident_id: int, doubt: Doubt) -> Objection:
    """Take a resident's objection. Raises: AlreadyObjected."""
    try:
        return _raise(db, doubt, resident_id=resident_id)
    except sa.exc.IntegrityError as error:
        named = "objections_objections.resident_id, objections_objections.about_kind"
        if violated(error, "uq_objections_objections_one_open", named):
            raise errors.AlreadyObjected(day=answer_by(clock.today()).isoformat()) from None
        raise


def refuse_repeated(db: Connection, resident_id: int, doubt: Doubt) -> None:
    """Refuse what a resident objected to already and was not answered. Raises: AlreadyObjected."""
    known = find_open(db, resident_id, doubt.about_kind, doubt.about)
    if known is not None:
        raise errors.AlreadyObjected(day=known.answer_by.isoformat())


def object_as_stranger(db: Connection, doubt: Doubt, from_name: str, contact: str) -> Objection:
    """Take the objection of somebody who says who they are and where they can be reached. Raises: TooManyObjections."""
    count = count_open_about(db, doubt.about_kind, [doubt.about])
    if count >= STRANGERS_MAX:
        raise errors.TooManyObjections(count=count)
    return _raise(db, doubt, from_name=from_name, contact=contact)


def _raise(db: Connection, doubt: Doubt, **who: Any) -> Objection:
    row = {
        "book_id": doubt.book_id,
        "branch_id": doubt.branch_id,
        "about_kind": doubt.about_kind,
        "about": doubt.about,
        "about_actor": doubt.about_actor,
        "words": doubt.words,
        "raised_at": clock.now(),
        "answer_by": answer_by(clock.today()),
        "state": "open",
        **who,
    }
    objection_id = db.execute(objections.insert().values(row).returning(objections.c.objection_id)).scalar_one()
    return get_objection(db, objection_id)


def answer_by(day: date) -> date:
    """Return the last day to answer what was raised on a day: five working days, Monday to Friday, after it."""
    left = ANSWER_WORKING_DAYS
    while left:
        day += timedelta(days=1)
        left -= day.weekday() < 5
    return day


def assign(db: Connection, objection_id: int, login_id: int) -> Objection:
    """Give an objection to who is to answer it. Raises: UnknownObjection, ObjectionAnswered."""
    row = objections.c
    mine = objections.update().where(row.objection_id == objection_id, row.state == "open")
    if not db.execute(mine.values(assigned_login_id=login_id)).rowcount:
        get_objection(db, objection_id)
        raise errors.ObjectionAnswered()
    return get_objection(db, objection_id)


def answer(db: Connection, objection_id: int, *, is_right: bool, words: str, actor: str) -> Objection:
    """Answer an objection: it is right and will be put right, or why things are as they should be.

    Raises (in the order checked): UnknownObjection, ObjectionAnswered, AnsweringOwnAct.
    """
    found = get_objection(db, objection_id, lock=True)
    if not found.is_open:
        raise errors.ObjectionAnswered()
    if found.about_actor is not None and _login(found.about_actor) == _login(actor):
        raise errors.AnsweringOwnAct()
    state = "upheld" if is_right else "explained"
    _end(db, objection_id, state=state, answer=words, answered_by=actor)
    if found.resident_id is not None:
        note = Note("objection", f"objection:{objection_id}", found.branch_id, found.resident_id)
        messages.tell(db, [note])
    return get_objection(db, objection_id)


def withdraw(db: Connection, objection_id: int, resident_id: int) -> Objection:
    """Take one's own objection back. Raises (in the order checked): UnknownObjection, ObjectionAnswered."""
    found = get_objection(db, objection_id, lock=True)
    if found.resident_id != resident_id:
        raise errors.UnknownObjection()
    if not found.is_open:
        raise errors.ObjectionAnswered()
    _end(db, objection_id, state="withdrawn")
    return get_objection(db, objection_id)


def _end(db: Connection, objection_id: int, **what: Any) -> None:
    row = objections.c
    still = objections.update().where(row.objection_id == objection_id, row.state == "open")
    if not db.execute(still.values(answered_at=clock.now(), **what)).rowcount:
        raise errors.ObjectionAnswered()


def forget(db: Connection, resident_id: int) -> int:
    """Blank what a resident said and was answered; that they objected stays. Return how many there are."""
    theirs = objections.update().where(objections.c.resident_id == resident_id)
    return db.execute(theirs.values(words="", answer=None)).rowcount


def forget_contacts(db: Connection) -> int:
    """Blank names and contacts of people nobody knows, long after they were answered; return how many."""
    row = objections.c
    old = sa.and_(row.answered_at < clock.now() - CONTACT_KEPT, row.contact.is_not(None), row.contact != "")
    return db.execute(objections.update().where(old).values(from_name="", contact="")).rowcount


def _login(actor: str) -> str:
    return actor.rpartition(":")[2]
