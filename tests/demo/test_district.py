"""A small district on both engines: it lives its weeks through the bank's verbs, and its logins open the doors.

It is loaded once for the tests that only look at it.
"""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Callable, Iterator
from datetime import timedelta
from uuid import uuid4

import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from moralbank import clock, ledger
from moralbank.access.queries import find_login, list_secrets
from moralbank.access.secrets import matching
from moralbank.activities.queries import find_activity_by_code, list_sessions, list_to_do
from moralbank.activities.signoff import roster
from moralbank.branches.queries import list_branches
from moralbank.cli import cli
from moralbank.db import Database
from moralbank.demo import card, logins, witnesses
from moralbank.demo.diary import Diary
from moralbank.demo.district import Scale, load_district
from moralbank.demo.errors import BankInUse
from moralbank.ledger import Unit
from moralbank.logbook import queries as witness_queries
from moralbank.merchants.queries import list_merchants
from moralbank.redemptions import vouchers, zreports
from moralbank.reports import beside
from moralbank.residents.enrolment import Person
from moralbank.residents.queries import list_by_name, list_residents
from moralbank.residents.service import enrol
from moralbank.settlements import queries as settlements
from moralbank.transparency.witness_files import Witness
from tests import _ci, _postgres
from tests._people import make_branch_tree
from tests.conftest import PG_PORT, TEMPLATE

SMALL = Scale(residents=40, days=45)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def district_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("district")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MORALBANK_VAR", str(folder))
        if request.param == "sqlite":
            shutil.copy(request.getfixturevalue("migrated_sqlite"), folder / "moralbank.db")
            yield f"sqlite:///{folder / 'moralbank.db'}"
            return
        if PG_PORT not in os.environ:
            _ci.missing("no PostgreSQL on this machine (set MORALBANK_PG_BIN)")
        cluster = _postgres.Cluster(int(os.environ[PG_PORT]))
        name = f"d_{uuid4().hex}"
        yield cluster.create_database(name, TEMPLATE)
        cluster.drop_database(name)


@pytest.fixture(scope="module")
def days() -> list[int]:
    """Filled with the steps of the progress bar."""
    return []


@pytest.fixture(scope="module")
def district(district_url: str, days: list[int]) -> Iterator[Database]:
    database = Database(district_url)
    days.clear()
    load_district(database, SMALL, days.append)
    yield database
    database.dispose()


def _all_residents(db: sa.Connection):
    return list_residents(db, [branch.branch_id for branch in list_branches(db)], limit=500)


def test_the_district_is_lived_day_by_day_and_its_books_close(district: Database, days: list[int]):
    assert sum(days) == SMALL.days
    with district.reading() as db:
        kinds = [branch.kind for branch in list_branches(db)]
        assert (kinds.count("hub"), kinds.count("station")) == (1, 6)
        people = _all_residents(db)
        assert len(people) == SMALL.residents
        [book] = ledger.list_books(db)
        assert ledger.verify(db, book.book_id).is_sound
        totals = {Unit.POINTS: 0, Unit.MINUTES: 0}
        for row in ledger.trial_balance(db, book.book_id):
            totals[row.unit] += row.credit - row.debit
        assert set(totals.values()) == {0}
        balances = ledger.balances(db, book.book_id, [person.account_id for person in people], Unit.POINTS)
        assert max(balances.values()) <= 600
        for kind in ("award", "opening", "redemption", "reversal"):
            assert ledger.list_entries(db, book.book_id, ledger.EntryFilter(kind=kind), limit=1)


def test_every_line_of_every_passbook_is_in_the_order_of_time_and_none_is_in_the_future(district: Database):
    now = clock.now()
    with district.reading() as db:
        [book] = ledger.list_books(db)
        for person in _all_residents(db):
            lines = ledger.history(db, book.book_id, person.account_id, Unit.POINTS, limit=500, newest_first=False)
            instants = [line.posted_at for line in lines]
            assert instants == sorted(instants)
            assert not instants or instants[-1] <= now


def test_a_second_load_leaves_the_district_and_its_logins_alone(district: Database):
    printed = card(district)
    with district.reading() as db:
        [book] = ledger.list_books(db)
        [last] = ledger.list_entries(db, book.book_id, ledger.EntryFilter(), limit=1)
    load_district(district, SMALL, lambda days: None)
    assert card(district) == printed
    with district.reading() as db:
        assert ledger.list_entries(db, book.book_id, ledger.EntryFilter(), limit=1) == [last]


def test_the_card_names_every_role_and_each_secret_on_it_opens_its_login(district: Database):
    printed = card(district)
    for role in (
        "administrator",
        "staff, hub",
        "staff, station",
        "auditor",
        "merchant operator",
        "by phone",
        "card only",
        "helper of",
    ):
        assert role in printed
    assert printed.count("http://") == 4
    with district.reading() as db:
        known = logins.list_demo_logins(db)
        hashes = list_secrets(db, [login.login_id for login in known])
    for login, (identifier, secret, _) in zip(known, logins.kept(), strict=True):
        assert identifier == login.identifier
        assert login.login_id in matching(hashes, secret)


def test_three_witnesses_live_beside_the_demonstration_and_two_must_sign(district: Database):
    place = logins.secrets_file().parent / "witnesses"
    with district.reading() as db:
        [book] = ledger.list_books(db)
        before = witness_queries.list_witnesses(db, book.book_id)
        assert str(witness_queries.policy_of(db, book.book_id)) == "2 of 3"
    assert [witness.url for witness in before] == ["local:street-office", "local:residents", "local:auditor"]
    assert all(witness.is_local for witness in before)
    assert [Witness(place / name).key for name, _ in witnesses.OFFICES] == [witness.key for witness in before]
    load_district(district, SMALL, lambda days: None)
    with district.reading() as db:
        assert witness_queries.list_witnesses(db, book.book_id) == before
    shutil.rmtree(place / "residents")
    load_district(district, SMALL, lambda days: None)
    with district.reading() as db:
        after = {witness.name: witness.key for witness in witness_queries.list_witnesses(db, book.book_id)}
        assert str(witness_queries.policy_of(db, book.book_id)) == "2 of 3"
    assert after["demo.example/residents"] == Witness(place / "residents").key
    assert after["demo.example/residents"] != before[1].key
    assert after["demo.example/auditor"] == before[2].key


def test_secrets_are_random_and_in_a_file_for_its_owner_only(district: Database):
    path = logins.secrets_file()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    first = [secret for _, secret, _ in logins.kept()]
    path.unlink()
    load_district(district, SMALL, lambda days: None)
    second = [secret for _, secret, _ in logins.kept()]
    assert len(first) == len(second)
    assert set(first).isdisjoint(second)


def test_a_session_runs_now_and_one_waits_for_its_sign_off_with_every_doubt(district: Database):
    now = clock.now()
    with district.reading() as db:
        fair = find_activity_by_code(db, "T01")
        assert fair is not None
        [running] = list_sessions(db, [fair.activity_id])
        assert running.session.in_from <= now <= running.session.in_until
        assert running.present
        here = [branch.branch_id for branch in list_branches(db)]
        [waiting] = [one.session for one in list_to_do(db, now, here) if one.session.activity.code == "T03"]
        doubts = {doubt.value for row in roster(db, waiting) for doubt in row.presence.doubts}
        assert {"no-in", "override", "no-out", "short"} <= doubts


def test_the_cast_can_be_tried_on_a_phone_of_ones_own_a_shared_one_and_a_card(district: Database):
    with district.reading() as db:
        alone, grandfather, grandchild, by_card = (
            list_by_name(db, name)[0] for name in ("林晓梅", "陈国强", "陈雨桐", "黄秀英")
        )
    assert alone.phone
    assert grandfather.phone == grandchild.phone
    assert grandfather.household_id == grandchild.household_id
    assert grandchild.guardian_name == "陈国强"
    assert by_card.phone is None


def test_a_bank_with_residents_is_no_place_for_the_district(database: Database):
    def with_a_resident(db: sa.Connection) -> None:
        tree = make_branch_tree(db)
        enrol(db, Person("王芳", tree["NS-01"].branch_id), actor="system")

    database.transact(with_a_resident)
    with pytest.raises(BankInUse):
        load_district(database, SMALL, lambda days: None)
    with database.reading() as db:
        assert find_login(db, "demo-admin") is None


def test_the_command_prints_the_logins_of_a_loaded_district(
    district: Database, district_url: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("DATABASE_URL", district_url)
    answer = CliRunner().invoke(cli, ["demo", "load"])
    assert answer.exit_code == 0, answer.output
    assert answer.output.strip() == card(district)


def test_deeds_are_done_in_the_order_of_their_instants_with_the_clock_at_each():
    diary, done = Diary(), []
    noon = clock.now()

    def note(name: str) -> Callable[[], None]:
        return lambda: done.append((name, clock.now()))

    diary.at(noon + timedelta(hours=2), note("second"))
    diary.at(noon, lambda: diary.at(noon + timedelta(hours=1), note("first")))
    diary.at(noon + timedelta(hours=9), note("never"))
    diary.live(noon + timedelta(hours=3))
    assert done == [("first", noon + timedelta(hours=1)), ("second", noon + timedelta(hours=2))]


def test_the_counters_other_acts_can_be_looked_at(district: Database):
    """Reserved, collected and lapsed; given back in part; days closed, a month settled, told and asked about."""
    with district.reading() as db:
        [book] = ledger.list_books(db)
        branch_ids = [branch.branch_id for branch in list_branches(db)]
        residents = _all_residents(db)
        reserved = {one.state for person in residents for one in vouchers.list_vouchers(db, person.resident_id)}
        [shop] = [one for one in list_merchants(db) if one.code == "M002"]
        reports = zreports.list_zreports(db, shop.merchant_id, limit=50)
        settled = settlements.list_settlements(db, branch_ids=branch_ids)
        assert reserved == {"waiting", "collected", "lapsed"}
        assert ledger.list_entries(db, book.book_id, ledger.EntryFilter(kind="refund"), limit=1)
        assert len(reports) == 21
        assert all(one.is_intact for one in reports)
        assert next(one.open_disputes for one in settled if one.merchant_id == shop.merchant_id) == 1
        assert beside.verify(db, book.book_id).faults == ()
