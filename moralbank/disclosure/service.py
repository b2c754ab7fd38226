"""Drafts, publishes, takes down and closes public notices."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from moralbank import clock, ledger
from moralbank.branches.queries import Branch, get_branch, list_branches
from moralbank.db import insert_for
from moralbank.disclosure import errors
from moralbank.disclosure.generating import Generated, generate
from moralbank.disclosure.models import notices, rows
from moralbank.disclosure.queries import Notice, find_standing, get_notice, list_rows
from moralbank.disclosure.values import Kind, Period, State, hash_of, spell, with_rows
from moralbank.objections import queries as objections
from moralbank.objections.errors import ObjectionsOpen

#: How many days a notice is up, unless somebody says otherwise.
DAYS_UP = 7
DAYS_UP_MIN, DAYS_UP_MAX = 5, 30
SYSTEM = "system"


def draft(db: Connection, branch_id: int, kind: Kind, period: Period, *, actor: str) -> Notice:
    """Generate a branch's notice of a period, anew where it is a draft already.

    Raises (in the order checked): UnknownBranch, NoticeWithoutBook, BeforeTheBooks, PeriodNotOver, NoticePublished.
    """
    branch = get_branch(db, branch_id)
    _refuse_period(db, branch, period)
    standing = find_standing(db, branch_id, kind, period.since_on)
    if standing is not None:  # Held, so that nobody publishes it while it is made anew.
        standing = get_notice(db, standing.notice_id, lock=True)
    if standing is not None and standing.state is not State.DRAFT:
        raise errors.NoticePublished()
    now = clock.now()
    made = generate(db, branch, kind, period, now)
    spelled = spell(with_rows(made.content, made.rows))
    told = {"content": spelled, "content_hash": hash_of(spelled), "drafted_at": now, "drafted_by": actor}
    if standing is not None:
        notice_id = standing.notice_id
        db.execute(rows.delete().where(rows.c.notice_id == notice_id))
        db.execute(notices.update().where(notices.c.notice_id == notice_id).values(told))
    else:
        row = {
            "book_id": branch.book_id,
            "branch_id": branch_id,
            "kind": kind.value,
            "since_on": period.since_on,
            "until_on": period.until_on,
            "state": State.DRAFT.value,
            **told,
        }
        insert = insert_for(db, notices).values(row).on_conflict_do_nothing().returning(notices.c.notice_id)
        found = db.execute(insert).scalar()
        if found is None:  # Somebody drafted it in the same moment; that one is as good.
            raise errors.NoticePublished()
        notice_id = found
    _keep_rows(db, notice_id, made)
    return get_notice(db, notice_id)


def _refuse_period(db: Connection, branch: Branch, period: Period) -> None:
    if branch.book_id is None:
        raise errors.NoticeWithoutBook()
    first = ledger.first_day(db, branch.book_id)
    if first is None or period.until_on < first:
        raise errors.BeforeTheBooks(day=first.isoformat() if first else clock.today().isoformat())
    closed = ledger.closed_through(db, branch.book_id)
    if closed is None or closed < period.until_on:
        raise errors.PeriodNotOver(until=period.until_on.isoformat())


def _keep_rows(db: Connection, notice_id: int, made: Generated) -> None:
    if made.rows:
        kept = [
            {
                "notice_id": notice_id,
                "number": row.number,
                "resident_id": row.resident_id,
                "shown": row.shown,
                "salt": row.salt,
            }
            for row in made.rows
        ]
        db.execute(rows.insert(), kept)


def publish(db: Connection, notice_id: int, *, actor: str, days: int = DAYS_UP) -> Notice:
    """Let anybody see a draft for some days, if it still is what would be generated now.

    Raises (in the order checked): UnknownNotice, NoticeNotDraft, PublisherDrafted, NoticeChanged, whose caller drafts
        it anew.
    """
    assert DAYS_UP_MIN <= days <= DAYS_UP_MAX, "the schema bounds it"
    found = get_notice(db, notice_id, lock=True)
    if found.state is not State.DRAFT:
        raise errors.NoticeNotDraft()
    if _login(found.drafted_by) == _login(actor):
        raise errors.PublisherDrafted()
    if reproduce(db, found, clock.now()) != found.content:
        raise errors.NoticeChanged()
    up_until_on = clock.today() + timedelta(days=days)
    said = {"state": State.PUBLISHED.value, "published_at": clock.now(), "published_by": actor}
    _change(db, found, State.DRAFT, said | {"up_until_on": up_until_on}, errors.NoticeNotDraft())
    return get_notice(db, notice_id)


def reproduce(db: Connection, notice: Notice, at: datetime | None = None) -> str:
    """Return what is generated for a notice as of when it was drafted, or at another instant."""
    salts: Mapping[int, bytes] = {row.resident_id: row.salt for row in list_rows(db, notice.notice_id) if row.salt}
    period = Period(notice.since_on, notice.until_on)
    branch = get_branch(db, notice.branch_id)
    made = generate(db, branch, notice.kind, period, at or notice.drafted_at, salts)
    return spell(with_rows(made.content, made.rows))


def take_down(db: Connection, notice_id: int, reason: str, *, actor: str) -> Notice:
    """Let nobody see a notice any more before its time, and say why. Raises: UnknownNotice, NoticeNotUp."""
    found = get_notice(db, notice_id, lock=True)
    if found.state is not State.PUBLISHED:
        raise errors.NoticeNotUp()
    said = {"state": State.WITHDRAWN.value, "ended_at": clock.now(), "ended_by": actor, "reason": reason}
    _change(db, found, State.PUBLISHED, said, errors.NoticeNotUp())
    return get_notice(db, notice_id)


def close(db: Connection, notice_id: int, *, actor: str) -> Notice:
    """End a notice whose time is over, once everybody who objected was answered.

    Raises (in the order checked): UnknownNotice, NoticeNotUp, NoticeStillUp, ObjectionsOpen.
    """
    found = get_notice(db, notice_id, lock=True)
    if found.state is not State.PUBLISHED:
        raise errors.NoticeNotUp()
    if found.is_up:
        assert found.up_until_on is not None, "it was published"
        raise errors.NoticeStillUp(day=found.up_until_on.isoformat())
    count = count_open(db, found)
    if count:
        raise ObjectionsOpen(count=count)
    said = {"state": State.CLOSED.value, "ended_at": clock.now(), "ended_by": actor}
    _change(db, found, State.PUBLISHED, said, errors.NoticeNotUp())
    return get_notice(db, notice_id)


def count_open(db: Connection, notice: Notice) -> int:
    """Return how many objections keep a notice from its end: those to it, and those to lines raised while it was up."""
    assert notice.published_at is not None, "it was published"
    assert notice.up_until_on is not None, "it was published"
    branch_ids = [branch.branch_id for branch in list_branches(db, notice.branch_id)]
    until = clock.end_of(notice.up_until_on)
    lines = objections.count_open_raised(db, branch_ids, notice.published_at, until)
    return lines + objections.count_open_about(db, "notice", [str(notice.notice_id)])


def forget(db: Connection, resident_id: int) -> int:
    """Blank what notices say of a resident; their hashes stay. Return in how many they were named."""
    return db.execute(rows.update().where(rows.c.resident_id == resident_id).values(shown="", salt=b"")).rowcount


def _change(db: Connection, notice: Notice, state: State, values: dict[str, Any], refusal: Exception) -> None:
    still = sa.and_(notices.c.notice_id == notice.notice_id, notices.c.state == state.value)
    if not db.execute(notices.update().where(still).values(values)).rowcount:
        raise refusal


def _login(actor: str) -> str:
    return actor.rpartition(":")[2]
