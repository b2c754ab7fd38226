"""The auditor's page of what is worth a look: patterns of a month with the entries behind each, no list of people."""

from __future__ import annotations

import unicodedata
from datetime import date, timedelta

from flask import Blueprint, render_template
from sqlalchemy import Connection

from moralbank import clock
from moralbank.access.queries import names_of
from moralbank.activities.traces import list_award_traces, list_scan_traces
from moralbank.behalf.queries import find_links
from moralbank.behalf.values import Kind
from moralbank.errors import N_, Invalid
from moralbank.ledger import login_of
from moralbank.merchants.queries import all_merchants
from moralbank.redemptions.traces import list_charge_traces, list_unknown_tries
from moralbank.reports import queries
from moralbank.reports.oddities import RULES, AwardFact, ChargeFact, Facts, ScanFact, TryFact, find_all
from moralbank.reports.queries import Reach
from moralbank.reports.schemas import GradePage
from moralbank.reports.views import read_query
from moralbank.residents.queries import Resident, residents_by_id
from moralbank.web.auth import allow, scope_paths
from moralbank.web.db import database

blueprint = Blueprint("oddities", __name__, url_prefix="/audit/look")

ABOUT = {"session": N_("场次"), "operator": N_("收银员账号"), "merchant": N_("商家")}


@blueprint.get("")
@allow("auditor", scope="book")
def show() -> str | tuple[str, int]:
    """Show what of a month is worth a look, by pattern."""
    asked, errors = read_query(GradePage)
    month: date = (asked["month"] or clock.today()).replace(day=1)
    following = (month + timedelta(days=31)).replace(day=1)
    with database().reading() as db:
        reaches = queries.list_reaches(db, scope_paths())
        reach = queries.choose(reaches, asked["book"])
        facts = facts_of(db, reach, month, following)
    found = find_all(facts)
    shown = render_template(
        "reports/oddities.html",
        reaches=reaches,
        reach=reach,
        month=month,
        errors=errors,
        rules={name: (*words, [one for one in found if one.rule == name]) for name, words in RULES.items()},
        count=len(found),
        looked_at=len(facts),
        about=ABOUT,
        before=(month - timedelta(days=1)).replace(day=1),
        after=following if following <= clock.today() else None,
    )
    return (shown, Invalid.status) if errors else shown


def facts_of(db: Connection, reach: Reach, since_on: date, until_on: date) -> Facts:
    """Return what happened in a book's branches in reach between two days, with who is of whose family."""
    since, until = clock.start_of(since_on), clock.start_of(until_on)
    branch_ids = [branch.branch_id for branch in reach.branches]
    shops = [shop.merchant_id for shop in all_merchants(db, branch_ids)]
    sold = list_charge_traces(db, shops, since, until)
    awarded = list_award_traces(db, branch_ids, since, until)
    people = residents_by_id(db, {one.resident_id for one in (*sold, *awarded)})
    signers = {login for one in awarded if (login := login_of(one.signed_by)).isdigit()}
    names = {
        login: _folded(name)
        for login, name in names_of(db, {one.operator_id for one in sold} | {int(one) for one in signers}).items()
    }
    own = _Own(people, names)
    links = find_links(db, {one.link_id for one in sold if one.link_id is not None})
    helpers = {link.link_id for link in links.values() if link.kind is Kind.HELPER}
    return Facts(
        charges=[
            ChargeFact(
                one.charge_id,
                one.entry_id,
                one.merchant_id,
                one.operator_id,
                one.resident_id,
                one.points,
                one.is_typed,
                one.is_by_card,
                one.is_taken_back,
                own.is_of(one.resident_id, one.operator_id),
                clock.local(one.at),
                one.link_id if one.link_id in helpers else None,
            )
            for one in sold
        ],
        tries=[TryFact(operator, at) for operator, at in list_unknown_tries(db, shops, since, until)],
        scans=[
            ScanFact(one.session_id, one.resident_id, one.device, one.is_poster, one.is_manual, one.at)
            for one in list_scan_traces(db, branch_ids, since, until)
        ],
        awards=[
            AwardFact(
                one.entry_id,
                one.session_id,
                one.resident_id,
                one.signed_by,
                one.grade,
                one.is_planned_time and not one.scans,
                own.is_of(one.resident_id, int(login) if (login := login_of(one.signed_by)).isdigit() else 0),
            )
            for one in awarded
        ],
    )


class _Own:
    """Who has the name of whom: a login's, a resident's own and those known of the household."""

    def __init__(self, people: dict[int, Resident], logins: dict[int, str]) -> None:
        self._people, self._logins = people, logins
        self._homes: dict[int, set[str]] = {}
        for one in people.values():
            if one.household_id is not None:
                self._homes.setdefault(one.household_id, set()).add(_folded(one.name))

    def is_of(self, resident_id: int, login_id: int) -> bool:
        """Tell whether a login has the name of the resident, or of one of their household."""
        resident, name = self._people.get(resident_id), self._logins.get(login_id, "")
        if resident is None or not name:
            return False
        home = self._homes.get(resident.household_id, set()) if resident.household_id is not None else set()
        return name in home | {_folded(resident.name)}


def _folded(name: str) -> str:
    return "".join(unicodedata.normalize("NFKC", name).split()).casefold()
