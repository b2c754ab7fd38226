"""Points that expire: at their instant, never without a word before, and each of them once.

Wang Guiying was awarded 25 points on 1 March 2026, which are gone on 1 March 2029.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, timedelta
from threading import Barrier

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from moralbank import clock, db, ledger
from moralbank.db import Database
from moralbank.ledger import AccountKind, Unit, jobs, models
from moralbank.ledger.expiry import Notice
from tests.ledger.conftest import Book, open_test_book
from tests.ledger.test_verify import disarm

BEGAN = datetime(2026, 3, 1, 10, tzinfo=clock.TIMEZONE)
GONE_ON = date(2029, 3, 1)
MIDNIGHT = datetime(2029, 3, 1, tzinfo=clock.TIMEZONE)
INSTANT = timedelta(microseconds=1)


def post(database: Database, draft: ledger.Draft, at: datetime) -> object:
    with clock.at(at):
        [verdict] = database.transact(ledger.post_many, [draft])
    return verdict


def run_job(database: Database, at: datetime) -> int:
    with clock.at(at):
        return jobs.expire_points(database)


def remind(database: Database, *days_before: int) -> None:
    for days in days_before:
        run_job(database, MIDNIGHT - timedelta(days=days) + timedelta(hours=9))


def available(database: Database, book: Book, account: int, at: datetime) -> int:
    with clock.at(at), database.reading() as reading:
        return ledger.available(reading, book.book, [account])[account]


def lines(database: Database, book: Book, account: int) -> list[tuple[str, int]]:
    with database.reading() as reading:
        found = ledger.history(reading, book.book, account, Unit.POINTS, newest_first=False)
    return [(line.kind, line.amount) for line in found]


def notices(database: Database, book: Book, account: int) -> list[Notice]:
    with database.reading() as reading:
        return ledger.list_notices(reading, book.book, [account])


@pytest.fixture
def awarded(database: Database, book: Book) -> Book:
    post(database, book.award("a1", book.guiying, 25, expires_on=GONE_ON), BEGAN)
    return book


class TestTheJob:
    def test_it_tells_at_60_30_and_7_days_and_takes_away_at_midnight(self, database: Database, awarded: Book) -> None:
        for days in range(70, -1, -1):
            run_job(database, MIDNIGHT - timedelta(days=days))
        told = notices(database, awarded, awarded.guiying)
        assert [(one.step, one.points, (GONE_ON - one.noted_on).days) for one in told] == [
            (60, 25, 60), (30, 25, 30), (7, 25, 7),
        ]  # fmt: skip
        assert lines(database, awarded, awarded.guiying) == [("award", 25), ("expiry", -25)]
        with database.reading() as reading:
            expired = ledger.internal_account(reading, awarded.book, AccountKind.EXPIRED)
            assert ledger.balance(reading, awarded.book, expired, Unit.POINTS).balance == 25
            [line] = ledger.history(reading, awarded.book, awarded.guiying, Unit.POINTS, limit=1)
        assert (line.occurred_on, line.actor) == (GONE_ON, "system")

    def test_run_again_it_changes_nothing(self, database: Database, awarded: Book) -> None:
        remind(database, 60, 60, 30, 30, 7, 7)
        assert [run_job(database, MIDNIGHT) for _ in range(3)] == [1, 0, 0]
        assert len(notices(database, awarded, awarded.guiying)) == 3

    def test_without_a_word_in_time_the_points_stay_until_seven_days_after_one(
        self, database: Database, awarded: Book
    ) -> None:
        late = MIDNIGHT + timedelta(days=3, hours=9)
        assert run_job(database, late) == 0
        assert [(one.step, one.noted_on) for one in notices(database, awarded, awarded.guiying)] == [
            (7, date(2029, 3, 4))
        ]
        assert available(database, awarded, awarded.guiying, late + timedelta(days=6)) == 25
        assert run_job(database, late + timedelta(days=6)) == 0
        assert available(database, awarded, awarded.guiying, late + timedelta(days=7)) == 0
        assert run_job(database, late + timedelta(days=7)) == 1

    def test_what_was_spent_does_not_expire_and_nobody_is_told_of_it(self, database: Database, book: Book) -> None:
        for key, to, points in (("a1", book.guiying, 25), ("a2", book.qiang, 25)):
            post(database, book.award(key, to, points, expires_on=GONE_ON), BEGAN)
        post(database, book.redemption("r1", book.qiang, 25), BEGAN + timedelta(days=9))
        post(database, book.redemption("r2", book.guiying, 10), BEGAN + timedelta(days=9))
        remind(database, 60, 30, 7)
        assert run_job(database, MIDNIGHT) == 1
        assert notices(database, book, book.qiang) == []
        assert lines(database, book, book.guiying)[-1] == ("expiry", -15)

    def test_pages_leave_nobody_out(self, database: Database, book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(jobs, "PAGE_ACCOUNTS", 2)
        people = database.transact(ledger.open_accounts, book.book, [AccountKind.RESIDENT] * 7)
        drafts = [book.award(f"a{who}", who, 5, expires_on=GONE_ON) for who in people]
        with clock.at(BEGAN):
            database.transact(ledger.post_many, drafts)
        remind(database, 60)
        assert run_job(database, MIDNIGHT) == 7

    def test_the_number_of_statements_does_not_grow_with_the_people(self, database: Database, book: Book) -> None:
        counted: list[int] = []
        for people in (3, 60):
            accounts = database.transact(ledger.open_accounts, book.book, [AccountKind.RESIDENT] * people)
            drafts = [book.award(f"a{who}", who, 5, expires_on=GONE_ON) for who in accounts]
            with clock.at(BEGAN):
                database.transact(ledger.post_many, drafts)
            remind(database, 60)
            number = 0

            def count(*_: object) -> None:
                nonlocal number
                number += 1

            sa.event.listen(database.engine, "before_cursor_execute", count)
            assert run_job(database, MIDNIGHT) == people
            sa.event.remove(database.engine, "before_cursor_execute", count)
            counted.append(number)
        assert counted[1] <= counted[0] + 2, counted


class TestSpending:
    def test_a_spend_past_the_day_posts_the_expiry_first_without_any_job(
        self, database: Database, awarded: Book
    ) -> None:
        post(database, awarded.award("a2", awarded.guiying, 40, expires_on=date(2030, 1, 1)), BEGAN)
        remind(database, 7)
        assert isinstance(
            post(database, awarded.redemption("r1", awarded.guiying, 41), MIDNIGHT), ledger.InsufficientBalance
        )
        post(database, awarded.redemption("r2", awarded.guiying, 40), MIDNIGHT)
        assert lines(database, awarded, awarded.guiying) == [
            ("award", 25), ("award", 40), ("expiry", -25), ("redemption", -40),
        ]  # fmt: skip
        assert run_job(database, MIDNIGHT) == 0

    def test_the_last_instant_of_the_day_before_still_spends_it(self, database: Database, awarded: Book) -> None:
        remind(database, 7)
        assert available(database, awarded, awarded.guiying, MIDNIGHT - INSTANT) == 25
        assert isinstance(
            post(database, awarded.redemption("r1", awarded.guiying, 25), MIDNIGHT - INSTANT), ledger.Posted
        )
        assert run_job(database, MIDNIGHT) == 0

    def test_flocafe_62_a_balance_does_not_collapse_at_expiry(self, database: Database, book: Book) -> None:
        """FloCafe #62: unexpired credits minus all debits took away points that had long been spent."""
        post(database, book.award("a1", book.guiying, 100, expires_on=GONE_ON), BEGAN)
        post(database, book.redemption("r1", book.guiying, 90), BEGAN + timedelta(days=30))
        post(database, book.award("a2", book.guiying, 50, expires_on=date(2030, 1, 1)), BEGAN + timedelta(days=300))
        remind(database, 60, 30, 7)
        run_job(database, MIDNIGHT)
        assert available(database, book, book.guiying, MIDNIGHT) == 50

    def test_flocafe_78_the_first_to_expire_is_spent_first(self, database: Database, book: Book) -> None:
        """FloCafe #78: spending took the newest points, and the oldest expired in their holder's hands."""
        post(database, book.award("a1", book.guiying, 30, expires_on=date(2030, 1, 1)), BEGAN)
        post(database, book.award("a2", book.guiying, 20, expires_on=GONE_ON), BEGAN)
        post(database, book.redemption("r1", book.guiying, 20), BEGAN + timedelta(days=1))
        remind(database, 60, 30, 7)
        assert run_job(database, MIDNIGHT) == 0
        assert available(database, book, book.guiying, MIDNIGHT) == 30

    def test_odoo_206048_expiry_and_redemption_at_one_instant_have_one_winner(
        self, database: Database, book: Book
    ) -> None:
        """odoo #206048: points were both spent and expired. From the day's first instant on, expiry wins."""
        people = database.transact(ledger.open_accounts, book.book, [AccountKind.RESIDENT] * 8)
        with clock.at(BEGAN):
            drafts = [book.award(f"a{who}", who, 25, expires_on=GONE_ON) for who in people]
            database.transact(ledger.post_many, drafts)
        remind(database, 7)
        together = Barrier(9)

        def spend(who: int, at: datetime) -> bool:
            together.wait()
            return isinstance(post(database, book.redemption(f"r{who}", who, 25), at), ledger.Posted)

        def expire() -> int:
            together.wait()
            return run_job(database, MIDNIGHT)

        with ThreadPoolExecutor(9) as pool:
            instants = [MIDNIGHT if place % 2 else MIDNIGHT - INSTANT for place in range(8)]
            spent = [pool.submit(spend, who, at) for who, at in zip(people, instants, strict=True)]
            job = pool.submit(expire)
            outcomes = [one.result() for one in spent]
            job.result()
        assert not any(outcomes[1::2]), "after midnight nobody spends them"
        for who, was_spent in zip(people, outcomes, strict=True):
            kinds = [kind for kind, _ in lines(database, book, who)]
            assert kinds == ["award", "redemption" if was_spent else "expiry"]

    def test_what_an_undo_gives_back_expires_when_it_would_have(self, database: Database, awarded: Book) -> None:
        remind(database, 7)
        spent = post(database, awarded.redemption("r1", awarded.guiying, 25), MIDNIGHT - timedelta(seconds=30))
        run_job(database, MIDNIGHT)
        with clock.at(MIDNIGHT + timedelta(seconds=30)):
            database.transact(ledger.reverse, awarded.book, spent.entry_id, key="u", actor="operator:2", kind="undo")
        assert available(database, awarded, awarded.guiying, MIDNIGHT + timedelta(minutes=1)) == 0
        assert run_job(database, MIDNIGHT + timedelta(hours=1)) == 1

    def test_a_spend_costs_no_statement_more_until_a_day_has_come(self, database: Database, awarded: Book) -> None:
        from moralbank.ledger import posting

        looked: list[object] = []
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(posting.expiry, "plan", lambda *_: looked.append(1))
            post(database, awarded.redemption("r1", awarded.guiying, 5), MIDNIGHT - timedelta(days=1))
        assert looked == []


@pytest.mark.parametrize(
    "deed", ["UPDATE ledger_expiry_notices SET noted_on = '2020-01-01'", "DELETE FROM ledger_expiry_notices"]
)
def test_what_somebody_was_told_is_neither_changed_nor_removed(database: Database, awarded: Book, deed: str) -> None:
    remind(database, 60)
    with pytest.raises(sa.exc.DBAPIError, match=r"append-only|permission denied"), database.engine.begin() as writing:
        writing.exec_driver_sql(deed)


class TestTheVerifier:
    @pytest.fixture
    def moved(self, database_url: str) -> tuple[Database, Book]:
        """A book in which a lot expired and another is left, so that the next day was moved on."""
        database = db.Database(database_url)
        book = database.transact(open_test_book)
        post(database, book.award("a1", book.guiying, 25, expires_on=GONE_ON), BEGAN)
        post(database, book.award("a2", book.guiying, 40, expires_on=date(2030, 1, 1)), BEGAN)
        remind(database, 7)
        run_job(database, MIDNIGHT)
        yield database, book
        database.dispose()

    @pytest.mark.parametrize("said", [date(2030, 1, 2), date(2029, 3, 2), date(9999, 1, 1)])
    def test_a_day_that_the_lots_do_not_name_is_found(self, moved: tuple[Database, Book], said: date) -> None:
        database, book = moved
        with database.engine.begin() as writing:
            assert ledger.verify(writing, book.book).is_sound
            row = (models.balances.c.account_id == book.guiying) & (models.balances.c.unit == 1)
            writing.execute(models.balances.update().where(row).values(next_expiry_on=said))
            fault = ledger.verify(writing, book.book).first_fault
        assert (fault.account, "next expiry" in fault.what) == (book.guiying, True)

    def test_points_that_went_too_early_are_found(self, moved: tuple[Database, Book]) -> None:
        database, book = moved
        early = ledger.Draft(
            book.book, "expiry", (ledger.Leg(book.guiying, Unit.POINTS, -5), ledger.Leg(book.shop, Unit.POINTS, 5)),
            "e", "system",
        )  # fmt: skip
        entry = post(database, early, MIDNIGHT + timedelta(days=30))
        with database.engine.begin() as writing:
            disarm(writing)
            fault = ledger.verify(writing, book.book).first_fault
        assert (fault.what, fault.entry_id) == ("it takes points away before their time", entry.entry_id)


@settings(max_examples=25, deadline=None)
@given(
    deeds=st.lists(
        st.tuples(st.sampled_from(["award", "spend", "job"]), st.integers(1, 40), st.integers(1, 60)), max_size=14
    )
)
def test_whatever_happens_the_lots_are_the_balance_and_nothing_goes_unannounced(migrated_sqlite, deeds: list) -> None:
    import shutil
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(migrated_sqlite, f"{folder}/books.db")
        database = db.Database(f"sqlite:///{folder}/books.db")
        book = database.transact(open_test_book)
        now = BEGAN
        for number, (deed, points, days) in enumerate(deeds):
            now += timedelta(days=days)
            if deed == "award":
                until = clock.local(now).date() + timedelta(days=70 + points)
                post(database, book.award(f"a{number}", book.guiying, points, expires_on=until), now)
            elif deed == "spend":
                could = available(database, book, book.guiying, now)
                verdict = post(database, book.redemption(f"r{number}", book.guiying, points), now)
                assert isinstance(verdict, ledger.Posted) == (could >= points)
            else:
                run_job(database, now)
        with database.reading() as reading:
            assert ledger.verify(reading, book.book).is_sound
            left = ledger.open_lots(reading, book.book, book.guiying, Unit.POINTS, now + timedelta(days=1))
            assert sum(lot.rest for lot in left) == book.points_of(reading, book.guiying)
            told = ledger.list_notices(reading, book.book, [book.guiying])
            expired = ledger.history(reading, book.book, book.guiying, Unit.POINTS, limit=100)
        for line in expired:
            if line.kind == "expiry":
                assert any(one.noted_on + timedelta(days=7) <= line.occurred_on for one in told)
        database.dispose()
