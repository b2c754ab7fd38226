"""What people of a place were told, and what one of them says is wrong with it, for the walk over all routes."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import Connection

from moralbank import clock
from moralbank.branches.queries import Branch
from moralbank.disclosure.models import notices
from moralbank.disclosure.values import Kind, hash_of, period_before, spell
from moralbank.messages import delivery
from moralbank.messages.queries import list_deliveries
from moralbank.messages.values import Channel
from moralbank.objections import service as objections
from moralbank.objections.service import Doubt
from moralbank.periodic.jobs import _directory
from moralbank.residents.queries import Resident


def told(db: Connection, branch: Branch, resident: Resident) -> dict[str, int]:
    """Return by its parameter's name what a route may be about."""
    found = {"delivery_id": _delivery(db, branch), "notice_id": _notice(db, branch)}
    return found | {"objection_id": _objection(db, resident)}


def _delivery(db: Connection, branch: Branch) -> int:
    """Return a message's way out of the house that was given up."""
    while delivery.plan(db, [Channel.SMS], _directory):
        pass
    while found := delivery.claim(db, Channel.SMS, is_quiet=False, directory=_directory):
        delivery.end(db, found.delivery_id, "failed", "refused")
    return list_deliveries(db, [branch.path], states=["failed"], limit=1)[0].delivery_id


def _notice(db: Connection, branch: Branch) -> int:
    """Return a notice that is up. Books begin today, so what it tells is that there is too little to tell."""
    period = period_before(Kind.TOTALS, clock.today())
    content = spell({"branch": {"code": branch.code, "name": branch.name_zh}, "is_small": True})
    row = {
        "book_id": branch.book_id,
        "branch_id": branch.branch_id,
        "kind": "totals",
        "since_on": period.since_on,
        "until_on": period.until_on,
        "state": "published",
        "content": content,
        "content_hash": hash_of(content),
        "drafted_at": clock.now(),
        "drafted_by": "system",
        "published_at": clock.now(),
        "published_by": "staff:0",
        "up_until_on": clock.today() + timedelta(days=7),
    }
    return db.execute(notices.insert().values(row).returning(notices.c.notice_id)).scalar_one()


def _objection(db: Connection, resident: Resident) -> int:
    doubt = Doubt(resident.book_id, resident.branch_id, "notice", "1", "人数不对")
    return objections.object_to(db, resident.resident_id, doubt).objection_id
