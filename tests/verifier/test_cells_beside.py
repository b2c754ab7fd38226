"""What stands beside the books is walked as they are: settlements, approvals, deeds, notices, days, rules, tiles.

And every table that the bank has is walked somewhere, or is named here with the reason why it is no evidence.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from importlib import import_module
from pathlib import Path

import pytest
import sqlalchemy as sa

from moralbank import app, clock, ledger
from moralbank.access.deeds import Deed, Kind, Reason, record
from moralbank.access.models import access_deed_notes, access_deeds
from moralbank.approvals import models as approvals
from moralbank.approvals import service as asking
from moralbank.approvals.service import hand_of
from moralbank.db import Database, metadata
from moralbank.earning import models as earning
from moralbank.earning import service as rules
from moralbank.earning.rules import packaged_rules
from moralbank.ledger import Draft, Leg, Unit, jobs
from moralbank.ledger import models as books
from moralbank.logbook import service as witnesses
from moralbank.merchants.queries import get_merchant
from moralbank.noticeboard import models as noticeboard
from moralbank.noticeboard import service as sealing
from moralbank.redemptions import service as redemptions
from moralbank.settlements import models as settlements
from moralbank.settlements import service as settling
from moralbank.transparency import models as logs
from tests._people import make_login
from tests.approvals.conftest import award, spend
from tests.redemptions.conftest import make_resident, make_street, pay
from tests.verifier._bank import WITNESSES, Bank
from tests.verifier.test_cells import TABLES, walk

OCTOBER = datetime(2026, 10, 14, 4, 0, tzinfo=UTC)
NOVEMBER = OCTOBER + timedelta(days=21)
DECEMBER = OCTOBER + timedelta(days=51)
BESIDE = (
    settlements.settlements, settlements.lines, approvals.requests, approvals.offsets, access_deeds, access_deed_notes,
    books.expiry_notices, noticeboard.days, logs.refusals, earning.earning_rules,
)  # fmt: skip
_PAYMENT = "how the fund and the merchant go on from what was settled; no points move by it"
_ASKED = "what was asked; what was done is the entry, with both people in its leaf"
_TOLD = "what the holder was told; that it was in time is checked for whatever expired"
_SIGNER = "a copy for the page of what the signer keeps in its own memory, outside the database"
_RULE = "what a version says; an award cites its number, and whoever took an export has its words"
NO_EVIDENCE = {
    **{
        f"settlements_settlements.{name}": _PAYMENT
        for name in ("branch_id", "dispute_by", "confirmed_at", "confirmed_by", "paid_on", "paid_by",
                     "payment_reference", "carried_into")
    },
    "settlements_lines.book_id": "the settlement's own book is the one that counts",
    **{
        f"approvals_requests.{name}": _ASKED
        for name in ("request_id", "branch_id", "resident_id", "reason", "created_at", "expires_at", "answer")
    },
    "approvals_requests.needs_outside": "who might check it; who did stands in the leaf",
    "approvals_offsets.offset_id": "the row's own number",
    "access_deeds.deed_id": "the row's own number",
    **{
        f"ledger_expiry_notices.{name}": _TOLD
        for name in ("book_id", "account_id", "expires_on", "step", "points", "noted_on", "noted_at")
    },
    **{f"transparency_refusals.{column.name}": _SIGNER for column in logs.refusals.columns},
    **{
        f"earning_rules.{column.name}": _RULE
        for column in earning.earning_rules.columns if column.name not in ("code", "version", "effective_from_on")
    },
    "earning_rules.code": "of a version that no award cites",
    "earning_rules.version": "of a version that no award cites",
    "earning_rules.effective_from_on": "a day on which it is still in force for all that cite it",
}  # fmt: skip
#: Tables that are walked nowhere, by the beginnings of their names.
OTHERS = {
    "access_grants": "who may do what now; what anybody did is a deed",
    "access_logins": "who may come in; leaves name logins by number",
    "access_sessions": "who is signed in",
    "access_tokens": "which programs may come in",
    "access_tries": "how often somebody mistyped",
    "activities_": "what was held and who came; what it gave is an entry that cites it",
    "behalf_": "who may act for whom; what was done so is an entry or a deed that names them",
    "certificates_": "what was certified is signed, and checked by a program of its own; minutes are entries",
    "branches_": "what places are called; leaves name them by number",
    "disclosure_": "what was published, by the hash that was published with it; what happened is an entry",
    "figures_": "added up from entries, and written once; anybody adds them up again",
    "fairs_": "which stalls a fair has and who sells there for the day; what was taken is an entry",
    "forgetting_requests": "who asked; the erasure is a leaf with both people in it",
    "history_accounts": "what accounts were called in the books before ours",
    "logbook_": "whom the bank asks for signatures; whose count is said by whoever verifies",
    "merchants_": "what a shop offers; what was taken is an entry",
    "messages_": "what people were told of entries, and how it went on its way",
    "objections_": "what somebody said is wrong; what is put right is an entry",
    "platform_": "how the bank's own work goes",
    "redemptions_": "codes, answers and slips of charges; what moved is the entry, and settlements are held against it",
    "residents_": "who people are, which no leaf may tell",
    "settlements_disputes": "what a merchant asked about a line; the correction is a line of the next settlement",
    "settlements_pledges": "what somebody gave the fund; no points move by it",
    "settlements_reference_costs": "what points are reckoned to cost; no points move by it",
    "statements_": "made of the ledger's lines again whenever one is shown, and held against them",
    "teams_": "what a team is called and whom it names; what it holds is its account's lines",
    "web_idempotency": "what callers were answered; what was done is an entry",
}


def open_street_bank(database: Database) -> Bank:
    """Two months of a shop: sales and what was taken back, a reversal that fell short, points that went, deeds."""
    with clock.at(OCTOBER):
        street = database.transact(make_street)
        rule = next(rule for rule in packaged_rules() if rule.code == "V01")
        database.transact(rules.load_rules, [rule], actor="staff:1", consultation="居民会议讨论通过")
        pay(database, street, offer=street.soap)
        taken_back = pay(database, street, offer=street.towel)
        database.transact(redemptions.undo, street.till, taken_back.charge_id)
        wang = database.transact(make_resident, street.tree["NS-01"], "王桂英")
        staff = [hand_of(database.transact(make_login, "staff", street.tree["NS-01"]).principal, "staff") for _ in "12"]
        given = database.transact(award, wang, 50)
        database.transact(spend, wang, 30)
        asked = database.transact(asking.ask_reversal, staff[0], wang.book_id, given, "签到人登记错了")
        database.transact(asking.approve, staff[1], asked.request_id)
        database.transact(award, wang, 10)
        database.transact(lambda db: ledger.post(db, soon(db, street.zhang)))
        whose = (street.zhang.branch_id, None, street.zhang.resident_id, street.zhang.account_id)
        database.transact(record, Deed(staff[0].actor, Kind.VIEW, *whose, reason=Reason.OTHER, note="家属来电"))
        database.transact(record, Deed(staff[0].actor, Kind.LIST, street.zhang.branch_id, count=7, about="residents"))
    bank = Bank(database, None)
    for witness in WITNESSES:
        database.transact(witnesses.add_witness, bank.book.book_id, str(witness.key), "见证人", None, actor="admin:1")
    database.transact(witnesses.set_policy, bank.book.book_id, 2, actor="admin:1")
    with clock.at(NOVEMBER):
        jobs.expire_points(database)
        database.transact(ledger.close_day, bank.book.book_id, date(2026, 10, 31))
        with database.reading() as db:
            shop = get_merchant(db, street.shop.merchant_id)
        database.transact(settling.settle, shop, date(2026, 10, 1), actor="staff:7")
        database.transact(sealing.seal_next_day, bank.book.book_id)
        bank.seal()
    with clock.at(DECEMBER):
        assert jobs.expire_points(database) == 1
        database.transact(lambda db: db.execute(logs.refusals.insert().values(REFUSAL)))
        bank.seal()
    return bank


REFUSAL = {
    "token": "t", "book_id": 1, "log": 1, "what": "shrunk", "signed_size": 9, "found_size": 8, "refused_at": NOVEMBER,
    "resolved_at": DECEMBER, "resolved_by": "admin:1", "reason": "一次演练",
}  # fmt: skip


def soon(db: sa.Connection, resident) -> Draft:
    """Points that are gone in five weeks."""
    issuer = ledger.internal_account(db, resident.book_id, ledger.AccountKind.ISSUER)
    legs = (
        Leg(issuer, Unit.POINTS, -15),
        Leg(resident.account_id, Unit.POINTS, 15, OCTOBER.date() + timedelta(days=35)),
    )
    return Draft(resident.book_id, "award", legs, "soon", "staff:1", rule=("V01", 1), grade="A")


@pytest.mark.long
@pytest.mark.timeout(600)
def test_no_cell_beside_the_books_can_be_changed_unseen(database_url: str, tmp_path: Path) -> None:
    database = Database(database_url)
    # What is checked is the same on both engines; SQLite's cells are changed faster.
    tables = BESIDE if database.is_sqlite else (approvals.offsets, access_deed_notes, noticeboard.days)
    outside, unseen = walk(open_street_bank(database), tables, tmp_path, is_quick=True)
    database.dispose()
    assert sorted(unseen - set(NO_EVIDENCE)) == []
    assert outside > (20 if database.is_sqlite else 5)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_no_cell_of_a_tile_can_be_changed_unseen(database_url: str, tmp_path: Path) -> None:
    """Whoever reads tiles is told other hashes than were signed; `audit verify` names the tile."""
    database = Database(database_url)
    bank = open_street_bank(database)
    with clock.at(DECEMBER), database.reading() as db:
        account = ledger.list_accounts(db, bank.book.book_id, [ledger.AccountKind.RESIDENT])[0].account
        issuer = ledger.internal_account(db, bank.book.book_id, ledger.AccountKind.ISSUER)
    draft = Draft(
        bank.book.book_id, "award", (Leg(issuer, Unit.POINTS, -1), Leg(account, Unit.POINTS, 1)), "", "staff:1"
    )
    with clock.at(DECEMBER):
        database.transact(ledger.post_many, [replace(draft, key=f"tile-{number}") for number in range(256)])
        bank.seal()
    _, unseen = walk(bank, [logs.tiles], tmp_path, is_quick=True)
    database.dispose()
    assert unseen == set()


def test_every_table_is_walked_or_named_with_a_reason() -> None:
    for name in app.PAGES:
        import_module(name)  # Each package's tables come with its pages.
    walked = {table.name for table in (*TABLES, *BESIDE, logs.tiles)}
    named = {name for name in metadata.tables for beginning in OTHERS if name.startswith(beginning)}
    unnamed = set(metadata.tables) - walked - named
    assert unnamed == set(), "is it evidence? then walk it, else say above why it is none"
    assert [beginning for beginning in OTHERS if not any(name.startswith(beginning) for name in metadata.tables)] == []
