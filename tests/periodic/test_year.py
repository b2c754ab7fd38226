"""A year of all periodic work under a moved clock: nothing is left out, nothing is done twice, and the books close."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
import sqlalchemy as sa

from moralbank import clock, findings, ids, ledger, slots
from moralbank.db import Database
from moralbank.disclosure import queries as notices
from moralbank.figures import queries as figures
from moralbank.ledger import AccountKind, Draft, Leg, Unit
from moralbank.messages import queries as messages
from moralbank.periodic.jobs import JOBS
from moralbank.redemptions import service as redemptions
from moralbank.reports import nightly
from moralbank.scheduler import Scheduler
from moralbank.settlements.queries import list_settlements
from tests.redemptions.conftest import Street, by_code, make_resident, make_street, show_code

FOUR_WEEKS = timedelta(days=28)
#: A few hours into the slots of four weeks, which are counted from 1970.
BEGIN = datetime(2025, 12, 18, 5, 0, tzinfo=UTC)
END = BEGIN + 14 * FOUR_WEEKS
#: Then nobody is there, and the slot is made up for.
MISSED = datetime(2026, 7, 30, 5, 0, tzinfo=UTC)


def live_a_month(database: Database, street: Street, neighbours: list, month: int) -> None:
    """Somebody serves, what they get expires in three months, and somebody buys soap."""

    def act(db) -> None:
        issuer = ledger.internal_account(db, street.zhang.book_id, AccountKind.ISSUER)
        ends_on = clock.months_after(clock.today(), 3)
        for who in neighbours:
            legs = (Leg(issuer, Unit.POINTS, -12), Leg(who.account_id, Unit.POINTS, 12, ends_on))
            draft = Draft(
                who.book_id, "award", legs, ids.token(8), "staff:1", branch=who.branch_id, grade="AB"[month % 2]
            )
            ledger.post(db, draft)
        order = by_code(show_code(db, street.zhang), offer=street.soap)
        redemptions.charge(db, street.till, order, ids.token(8))
        show_code(db, street.zhang)  # One that is never used.

    database.transact(act)


@pytest.mark.long
def test_a_year_of_jobs_leaves_no_gap_no_double_and_closed_books(
    database: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("MORALBANK_VAR", str(tmp_path))
    monkeypatch.setenv("MORALBANK_BACKUP_DIR", str(tmp_path / "backups"))
    monkeypatch.setenv("MORALBANK_BACKUP_KEEP", "3")
    monkeypatch.setattr(slots, "KEPT", timedelta(days=500))  # So that they can be counted at the end.
    # Each job's own period or four weeks, whichever is longer: what is due is swept up however seldom it runs.
    jobs = [replace(job, every=max(job.every, FOUR_WEEKS)) for job in JOBS]
    scheduler, month, now = Scheduler(database, jobs), 0, BEGIN
    with clock.at(BEGIN - timedelta(days=1)):
        street = database.transact(make_street)
        station = street.tree["NS-01"]
        neighbours = [database.transact(make_resident, station, f"邻居{number}号") for number in range(6)]
    while now <= END:
        with clock.at(now):
            if now.month != month and now < END:
                month = now.month
                live_a_month(database, street, neighbours, month)
            if now != MISSED:
                scheduler.tick()
        now += FOUR_WEEKS
    with database.reading() as db:
        assert [work for work in slots.list_works(db) if work.failures] == []
        for job in jobs:
            ran = slots.list_runs(db, job.name, 100)[::-1]
            assert len(ran) == 15, job.name
            assert {later.slot_at - earlier.slot_at for earlier, later in pairwise(ran)} == {FOUR_WEEKS}, job.name
            assert [one.ran_at for one in ran] == sorted(one.ran_at for one in ran), f"{job.name}: the oldest first"
        found = {one.name: one for one in findings.list_findings(db)}
    assert set(found) == {
        "backup",
        nightly.name_of(street.zhang.book_id),
        nightly.name_of(street.tree["XX-00"].book_id),
    }
    assert all(one.is_good and one.found_at == END for one in found.values())
    assert len(list((tmp_path / "backups").iterdir())) == 3
    check_what_the_year_left(database, street)


def check_what_the_year_left(database: Database, street: Street) -> None:
    book, station = street.zhang.book_id, street.tree["NS-01"].branch_id
    with clock.at(END), database.reading() as db:
        assert ledger.closed_through(db, book) == date(2027, 1, 13)
        settled = list_settlements(db, merchant_ids=[street.shop.merchant_id])
        assert len(settled) == len({one.month_on for one in settled}) == 13
        told = figures.list_months(db, station)
        assert [f"{one.month_on:%Y-%m}" for one in told][::12] == ["2026-12", "2025-12"]
        assert {one.told["issued_points"] for one in told} == {72}
        drafted = [one for one in notices.list_notices(db, ["/"], limit=200) if one.branch_id == station]
        assert len(drafted) == len({(one.kind, one.since_on) for one in drafted}) == 13 + 5
        heard = messages.list_messages(db, resident_id=street.zhang.resident_id, limit=200)
        assert [one.kind for one in heard].count("redemption") == 13
        gone = sa.text(
            "SELECT -sum(p.amount) FROM ledger_postings p JOIN ledger_entries e ON e.book_id = p.book_id "
            "AND e.entry_id = p.entry_id WHERE e.kind = 'expiry' AND p.n IS NOT NULL"
        )
        assert db.execute(gone).scalar() == 10 * 6 * 12
        unused = sa.text("SELECT count(*) FROM redemptions_codes WHERE used_at IS NULL")
        assert db.execute(unused).scalar() <= 2
