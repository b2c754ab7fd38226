"""A copy of everything that the bank holds about somebody, for themselves. Source: PIPL art. 45."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection

from moralbank import clock, ledger
from moralbank.access import deed_queries
from moralbank.access.queries import find_resident_login, list_sessions
from moralbank.activities.forgetting import list_attendance
from moralbank.approvals import queries as approvals
from moralbank.behalf.queries import list_about
from moralbank.branches.queries import get_branch
from moralbank.certificates import queries as certificates
from moralbank.certificates.facts import list_facts
from moralbank.ledger import Unit
from moralbank.messages import queries as messages
from moralbank.objections import queries as objections
from moralbank.redemptions import vouchers
from moralbank.residents import queries as residents
from moralbank.residents.queries import Resident

#: Lines are read in pages of so many, all of them.
_PAGE = 500


def own_copy(db: Connection, resident: Resident) -> dict[str, Any]:
    """Return it as JSON takes it, but for times and ids, which the caller spells."""
    who = resident.resident_id
    login = find_resident_login(db, who)
    branch = get_branch(db, resident.branch_id)
    mailbox = messages.find_mailbox(db, who)
    return {
        "made_at": clock.now(),
        "details": asdict(resident) | {"branch": branch.name_zh},
        "cards": [asdict(card) for card in residents.list_cards(db, who)],
        "consents": [asdict(line) for line in residents.list_consents(db, who)],
        "acts": [asdict(deed) for deed in residents.list_deeds(db, who, limit=residents.LIST_LIMIT_MAX)],
        "lookers": [asdict(line) for line in deed_queries.list_lookers(db, who, limit=deed_queries.LIMIT_MAX)],
        "signed_in": [asdict(one) for one in list_sessions(db, login.login_id)] if login else [],
        "acted_for_by": [asdict(link) for link in list_about(db, who, standing=False)],
        "attendance": list_attendance(db, who),
        "reserved": _reserved(db, who),
        "certificates": [asdict(one) for one in certificates.list_of_resident(db, who)],
        "record": [asdict(one) for one in list_facts(db, who)],
        "requests": [asdict(one) for one in approvals.list_of_resident(db, resident)],
        "objections": [asdict(one) for one in objections.list_of_resident(db, who, limit=objections.LIST_MAX)],
        "not_wanted": [f"{way}:{kind}" for _who, way, kind in sorted(messages.list_optouts(db, [who]))],
        "messages": _messages(db, who),
        "mailbox": asdict(mailbox) if mailbox else None,
        "lines": {unit.name.lower(): _lines(db, resident, unit) for unit in Unit},
    }


def _reserved(db: Connection, who: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    after = 0
    while page := vouchers.list_vouchers_after(db, who, after, _PAGE):
        found += [asdict(one) for one in page]
        after = page[-1].voucher_id
    return found


def _messages(db: Connection, who: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    before = None
    while page := messages.list_messages(db, resident_id=who, before_id=before, limit=messages.LIST_MAX):
        found += [asdict(message) for message in page]
        before = page[-1].message_id
    return found


def _lines(db: Connection, resident: Resident, unit: Unit) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    before = None
    while True:
        page = ledger.history(db, resident.book_id, resident.account_id, unit, before_seq=before, limit=_PAGE)
        found += [asdict(line) for line in page]
        if len(page) < _PAGE:
            return found
        before = page[-1].seq
