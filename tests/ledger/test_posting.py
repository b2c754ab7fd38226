"""What posting takes, what it refuses, and what it gives back."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa

from moralbank import clock, ledger
from moralbank.db import Database
from moralbank.ledger import AccountKind, Draft, Leg, Posted, Unit, drafts, models
from tests.ledger.conftest import Book, open_test_book, rows_of
from tests.ledger.test_verify import disarm

only_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
only_postgresql = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


def test_an_award_of_minutes_and_points_is_one_entry_with_numbered_lines(database: Database, book: Book) -> None:
    posted = database.transact(ledger.post, book.award("a1", book.guiying, 25, minutes=150, rule=("V01", 1), grade="A"))

    assert [leg.amount for leg in posted.legs] == [-25, 25, -150, 150]
    line = posted.leg(book.guiying, Unit.POINTS)
    assert (line.n, line.balance_after) == (1, 25)
    assert posted.leg(book.guiying, Unit.MINUTES).balance_after == 150
    assert posted.leg(book.issuer, Unit.POINTS).n is None


def test_a_redemption_takes_what_is_there_and_no_more(database: Database, book: Book) -> None:
    database.transact(ledger.post, book.award("a1", book.guiying, 25))
    with pytest.raises(ledger.InsufficientBalance):
        database.transact(ledger.post, book.redemption("r1", book.guiying, 26))
    database.transact(ledger.post, book.redemption("r2", book.guiying, 25))
    with database.reading() as db:
        assert book.points_of(db, book.guiying) == 0
        assert ledger.balance(db, book.book, book.shop, Unit.POINTS).balance == 25


def test_no_balance_grows_beyond_what_a_leaf_can_say(database: Database, book: Book) -> None:
    database.transact(ledger.post, book.award("a1", book.guiying, ledger.MAX_AMOUNT))
    with database.reading() as db:
        before = rows_of(db)
    with pytest.raises(ledger.BadAmount):
        database.transact(ledger.post, book.award("a2", book.guiying, 1))
    with database.reading() as db:
        assert rows_of(db) == before


def test_the_refusal_does_not_tell_a_till_how_much_is_there(database: Database, book: Book) -> None:
    with pytest.raises(ledger.InsufficientBalance) as refused:
        database.transact(ledger.post, book.redemption("r1", book.guiying, 1))
    assert refused.value.fields == {}


def legged(book: Book, *legs: tuple) -> Draft:
    """An award with these legs: (account, amount), and where it matters unit and expiry."""
    made = (Leg(account, *(more[:1] or [Unit.POINTS]), amount, *more[1:]) for account, amount, *more in legs)
    return replace(book.award("k", book.guiying, 5), legs=tuple(made))


TOMORROW_AND_ONE = timedelta(days=2)
BAD = [
    ("zero", lambda b: legged(b, (b.issuer, 0), (b.guiying, 0)), ledger.BadAmount),
    ("fraction", lambda b: b.award("k", b.guiying, 2.5), ledger.BadAmount),
    ("a truth value", lambda b: b.award("k", b.guiying, True), ledger.BadAmount),
    ("text", lambda b: legged(b, (b.issuer, "5"), (b.guiying, 5)), ledger.BadAmount),
    ("over 2^53 - 1", lambda b: b.award("k", b.guiying, 2**53), ledger.BadAmount),
    ("negative for its account", lambda b: b.award("k", b.guiying, -5), ledger.InsufficientBalance),
    ("unbalanced", lambda b: legged(b, (b.issuer, -5), (b.guiying, 6)), ledger.Unbalanced),
    (
        "balanced over two units only",
        lambda b: legged(b, (b.issuer, -5, Unit.MINUTES), (b.guiying, 5)),
        ledger.Unbalanced,
    ),
    ("one leg", lambda b: legged(b, (b.guiying, 5)), ledger.BadDraft),
    ("two legs on one account", lambda b: legged(b, (b.guiying, 5), (b.guiying, -5)), ledger.BadDraft),
    ("unknown account", lambda b: b.award("k", b.shop + 99, 5), ledger.UnknownAccount),
    ("unknown kind", lambda b: replace(b.award("k", b.guiying, 5), kind="gratuity"), ledger.BadDraft),
    ("no key", lambda b: b.award("", b.guiying, 5), ledger.BadDraft),
    ("a key of spaces and Chinese", lambda b: b.award("编号 1", b.guiying, 5), ledger.BadDraft),
    ("unknown grade", lambda b: b.award("k", b.guiying, 5, grade="E"), ledger.BadDraft),
    (
        "an expiry on a debit",
        lambda b: legged(b, (b.issuer, -5, Unit.POINTS, date(2030, 1, 1)), (b.guiying, 5)),
        ledger.BadDraft,
    ),
    (
        "a day to come",
        lambda b: b.award("k", b.guiying, 5, occurred_on=clock.today() + TOMORROW_AND_ONE),
        ledger.BadDraft,
    ),
    ("a memo beyond measure", lambda b: b.award("k", b.guiying, 5, private={"memo": "长" * 3000}), ledger.BadDraft),
]


@pytest.mark.parametrize(("draft", "error"), [pytest.param(draft, error, id=name) for name, draft, error in BAD])
def test_bad_input_gets_a_named_error_and_writes_nothing(database: Database, book: Book, draft, error) -> None:
    with database.reading() as db:
        before = rows_of(db)
    with pytest.raises(error):
        database.transact(ledger.post, draft(book))
    with database.reading() as db:
        assert rows_of(db) == before


def test_an_account_of_another_book_is_told_at_sight(database: Database, book: Book) -> None:
    other = database.transact(open_test_book, "XX-00")
    with pytest.raises(ledger.OtherBook):
        database.transact(ledger.post, book.award("k", other.guiying, 5))


def test_books_number_their_entries_apart(database: Database, book: Book) -> None:
    other = database.transact(open_test_book, "XX-00")
    database.transact(ledger.post, book.award("k", book.guiying, 5))
    assert database.transact(ledger.post, other.award("k", other.guiying, 5)).seq == 1


def test_a_closed_day_takes_no_entry_and_the_next_day_does(database: Database, book: Book) -> None:
    evening = datetime(2026, 3, 7, 14, 0, tzinfo=UTC)
    with clock.at(evening):
        assert database.transact(ledger.close_day, book.book, date(2026, 3, 7))
        assert not database.transact(ledger.close_day, book.book, date(2026, 3, 7))
        with pytest.raises(ledger.DayClosed):
            database.transact(ledger.post, book.award("k", book.guiying, 5))
    with clock.at(evening + timedelta(days=1)):
        assert isinstance(database.transact(ledger.post, book.award("k", book.guiying, 5)), Posted)


def test_a_day_to_come_cannot_be_closed(database: Database, book: Book) -> None:
    with pytest.raises(ledger.BadDraft):
        database.transact(ledger.close_day, book.book, clock.today() + timedelta(days=1))


def test_a_clock_set_back_does_not_turn_a_passbook_around(database: Database, book: Book) -> None:
    noon = datetime(2026, 3, 7, 4, 0, tzinfo=UTC)
    with clock.at(noon):
        first = database.transact(ledger.post, book.award("k1", book.guiying, 5))
    with clock.at(noon - timedelta(minutes=10)):
        second = database.transact(ledger.post, book.award("k2", book.guiying, 5))
    assert second.posted_at == first.posted_at


class TestKeys:
    def test_the_same_key_gives_the_first_answer(self, database: Database, book: Book) -> None:
        draft = book.award("a1", book.guiying, 25, private={"memo": "楼院美化"})
        first = database.transact(ledger.post, draft)
        again = database.transact(ledger.post, draft)
        assert again == replace(first, replayed=True)
        with database.reading() as db:
            assert book.points_of(db, book.guiying) == 25

    def test_a_key_with_another_body_is_a_conflict(self, database: Database, book: Book) -> None:
        database.transact(ledger.post, book.award("a1", book.guiying, 25))
        with pytest.raises(ledger.KeyReused):
            database.transact(ledger.post, book.award("a1", book.guiying, 26))

    @pytest.mark.parametrize(
        "changes",
        [
            {"kind": "opening"},
            {"branch": 8},
            {"source": ("attendance", "1:2")},
            {"rule": ("V01", 2)},
            {"grade": "B"},
            {"occurred_on": date(2026, 1, 1)},
            {"reverses": UUID(int=1)},
            {"private": {"memo": "楼院清洁"}},
            {"entry_id": UUID(int=2)},
            {"expires_on": date(2030, 1, 2)},
        ],
        ids=lambda changes: next(iter(changes)),
    )
    def test_every_detail_belongs_to_what_a_key_asks_for(self, database: Database, book: Book, changes: dict) -> None:
        asked = {"branch": 7, "source": ("attendance", "1:1"), "rule": ("V01", 1), "grade": "A"}
        asked |= {"occurred_on": date(2026, 1, 2), "private": {"memo": "楼院美化"}, "expires_on": date(2030, 1, 1)}
        database.transact(ledger.post, book.award("a1", book.guiying, 25, **asked))
        kind = changes.get("kind", "award")
        other = book.award("a1", book.guiying, 25, **{**asked, **{k: v for k, v in changes.items() if k != "kind"}})
        with pytest.raises(ledger.KeyReused):
            database.transact(ledger.post, replace(other, kind=kind))

    def test_nothing_is_left_by_which_a_deleted_memo_could_be_guessed(self, database: Database, book: Book) -> None:
        """While it is there another memo is a conflict; when it is gone the key still has its one effect."""
        draft = book.award("a1", book.guiying, 25, private={"memo": "楼院美化"})
        first = database.transact(ledger.post, draft)
        kept = sa.select(models.keys.c.fingerprint).where(models.keys.c.key == "a1")
        with database.reading() as db:
            fingerprint = bytes(db.execute(kept).scalar_one())
        guesses = [drafts.fingerprint(draft, drafts.private_of(draft) or ""), drafts.fingerprint(draft)]
        assert [guess == fingerprint for guess in guesses] == [False, True]
        other = replace(draft, private={"memo": "楼院清洁"})
        for asked in (other, replace(draft, private={})):
            with pytest.raises(ledger.KeyReused):
                database.transact(ledger.post, asked)
        one, *rest = database.transact(ledger.post_many, [replace(one, key="a2") for one in (draft, draft, other)])
        assert rest[0] == replace(one, replayed=True)
        assert isinstance(rest[1], ledger.KeyReused)
        database.transact(ledger.forget_private, book.book, book.guiying)
        assert database.transact(ledger.post, draft) == replace(first, replayed=True)
        assert database.transact(ledger.post, other).entry_id == first.entry_id

    def test_a_key_that_was_kept_with_its_memo_is_known_again(self, database: Database, book: Book) -> None:
        draft = book.award("a1", book.guiying, 25, private={"memo": "楼院美化"})
        first = database.transact(ledger.post, draft)
        with database.engine.begin() as db:
            disarm(db)
            earlier = drafts.fingerprint(draft, drafts.private_of(draft) or "")
            if not database.is_sqlite:
                db.exec_driver_sql("ALTER TABLE ledger_keys DISABLE TRIGGER ALL")
            db.execute(models.keys.update().values(fingerprint=earlier))
        assert database.transact(ledger.post, draft) == replace(first, replayed=True)
        with pytest.raises(ledger.KeyReused):
            database.transact(ledger.post, replace(draft, private={"memo": "楼院清洁"}))

    def test_what_could_not_be_meant_uses_up_no_key(self, database: Database, book: Book) -> None:
        [refusal] = database.transact(ledger.post_many, [book.award("a1", book.shop + 99, 25)])
        assert isinstance(refusal, ledger.UnknownAccount)
        assert not database.transact(ledger.post, book.award("a1", book.guiying, 25)).replayed

    def test_the_same_key_of_another_actor_is_another_key(self, database: Database, book: Book) -> None:
        database.transact(ledger.post, book.award("a1", book.guiying, 25))
        posted = database.transact(ledger.post, replace(book.award("a1", book.guiying, 25), actor="staff:9"))
        assert not posted.replayed

    def test_a_decided_refusal_stays_the_answer_even_when_points_have_come(
        self, database: Database, book: Book
    ) -> None:
        spend = book.redemption("r1", book.guiying, 5)
        [refusal] = database.transact(ledger.post_many, [spend])
        database.transact(ledger.post, book.award("a1", book.guiying, 25))
        [again] = database.transact(ledger.post_many, [spend])
        assert isinstance(refusal, ledger.InsufficientBalance)
        assert isinstance(again, ledger.InsufficientBalance)
        with database.reading() as db:
            assert book.points_of(db, book.guiying) == 25

    def test_a_key_is_looked_up_before_any_rule(self, database: Database, book: Book) -> None:
        """The balance is gone and the day is closed, and still the first answer comes."""
        draft = book.award("a1", book.guiying, 25)
        first = database.transact(ledger.post, draft)
        database.transact(ledger.post, book.redemption("r1", book.guiying, 25))
        database.transact(ledger.close_day, book.book, clock.today())
        assert database.transact(ledger.post, draft).entry_id == first.entry_id

    def test_a_duplicate_inside_a_batch_gets_the_firsts_answer(self, database: Database, book: Book) -> None:
        """formance stack #1633."""
        award = book.award("a1", book.guiying, 25)
        other_body = book.award("a1", book.guiying, 30)
        first, same, changed = database.transact(ledger.post_many, [award, award, other_body])
        assert same == replace(first, replayed=True)
        assert isinstance(changed, ledger.KeyReused)


class TestBatches:
    def test_a_refusal_never_blocks_its_neighbour(self, database: Database, book: Book) -> None:
        verdicts = database.transact(
            ledger.post_many,
            [
                book.award("a1", book.guiying, 10),
                book.redemption("r1", book.guiying, 8),
                book.redemption("r2", book.guiying, 8),
                replace(book.award("a2", book.guiying, 10), kind="nonsense"),
                book.redemption("r3", book.guiying, 2),
            ],
        )
        assert [type(verdict) for verdict in verdicts] == [
            Posted, Posted, ledger.InsufficientBalance, ledger.BadDraft, Posted,
        ]  # fmt: skip

    def test_what_is_there_once_is_there_once_within_a_batch_too(self, database: Database, book: Book) -> None:
        award = book.award("a1", book.guiying, 25)
        source, number = ("attendance", "1:1"), UUID(int=1)
        drafts = [
            replace(award, source=source),
            replace(award, key="a2", source=source),
            replace(award, key="a3", entry_id=number),
            replace(award, key="a4", entry_id=number),
        ]
        first, second, _, fourth = database.transact(ledger.post_many, drafts)
        assert isinstance(second, ledger.SourcePosted)
        assert isinstance(fourth, ledger.EntryExists)
        legs = tuple(Leg(leg.account, leg.unit, -leg.amount) for leg in award.legs)
        mirror = replace(award, kind="reversal", legs=legs, reverses=first.entry_id, checker="staff:99")
        verdicts = database.transact(ledger.post_many, [replace(mirror, key=key) for key in ("v1", "v2")])
        assert isinstance(verdicts[1], ledger.AlreadyReversed)
        with database.reading() as db:
            assert book.points_of(db, book.guiying) == 25

    def test_an_empty_batch_is_no_work(self, database: Database) -> None:
        assert database.transact(ledger.post_many, []) == []

    def test_one_batch_may_span_books(self, database: Database, book: Book) -> None:
        other = database.transact(open_test_book, "XX-00")
        first, second = database.transact(
            ledger.post_many, [book.award("a", book.guiying, 1), other.award("a", other.guiying, 2)]
        )
        assert (first.seq, second.seq) == (1, 1)

    def test_the_number_of_statements_does_not_grow_with_the_batch(self, database: Database, book: Book) -> None:
        def statements(size: int) -> int:
            counted: list[str] = []
            sa.event.listen(database.engine, "before_cursor_execute", lambda *call: counted.append(call[2]))
            drafts = [
                book.award(f"{size}-{n}", book.guiying, 5, source=("session", f"{size}-{n}"), private={"m": "x"})
                for n in range(size)
            ]
            database.transact(ledger.post_many, drafts)
            return len(counted)

        assert statements(2) == statements(400)


class TestReversal:
    def test_a_reversal_mirrors_its_original_and_both_stay(self, database: Database, book: Book) -> None:
        posted = database.transact(ledger.post, book.award("a1", book.guiying, 25, minutes=150))
        mirror = database.transact(
            ledger.reverse, book.book, posted.entry_id, key="v1", actor="staff:1", checker="staff:99"
        )
        assert [leg.amount for leg in mirror.legs] == [25, -25, 150, -150]
        with database.reading() as db:
            lines = ledger.history(db, book.book, book.guiying, Unit.POINTS)
        assert [(line.n, line.amount) for line in lines] == [(2, -25), (1, 25)]
        assert lines[0].reverses == lines[1].entry_id
        assert lines[1].reversed_by == lines[0].entry_id

    def test_one_reversal_per_original(self, database: Database, book: Book) -> None:
        posted = database.transact(ledger.post, book.award("a1", book.guiying, 25))
        database.transact(ledger.reverse, book.book, posted.entry_id, key="v1", actor="staff:1", checker="staff:99")
        database.transact(ledger.post, book.award("a2", book.guiying, 25))
        with pytest.raises(ledger.AlreadyReversed):
            database.transact(ledger.reverse, book.book, posted.entry_id, key="v2", actor="staff:1", checker="staff:99")

    def test_a_repeated_reversal_is_a_replay(self, database: Database, book: Book) -> None:
        """blnk #152: a refund could be made twice."""
        posted = database.transact(ledger.post, book.award("a1", book.guiying, 25))
        first = database.transact(
            ledger.reverse, book.book, posted.entry_id, key="v1", actor="staff:1", checker="staff:99"
        )
        again = database.transact(
            ledger.reverse, book.book, posted.entry_id, key="v1", actor="staff:1", checker="staff:99"
        )
        assert (again.entry_id, again.replayed) == (first.entry_id, True)

    def test_a_reversal_is_not_reversed(self, database: Database, book: Book) -> None:
        posted = database.transact(ledger.post, book.award("a1", book.guiying, 25))
        mirror = database.transact(
            ledger.reverse, book.book, posted.entry_id, key="v1", actor="staff:1", checker="staff:99"
        )
        with pytest.raises(ledger.NotReversible):
            database.transact(ledger.reverse, book.book, mirror.entry_id, key="v2", actor="staff:1", checker="staff:99")

    def test_spent_points_cannot_be_reversed_below_zero(self, database: Database, book: Book) -> None:
        posted = database.transact(ledger.post, book.award("a1", book.guiying, 25))
        database.transact(ledger.post, book.redemption("r1", book.guiying, 1))
        with pytest.raises(ledger.InsufficientBalance):
            database.transact(ledger.reverse, book.book, posted.entry_id, key="v1", actor="staff:1", checker="staff:99")

    def test_a_partial_mirror_is_no_reversal(self, database: Database, book: Book) -> None:
        posted = database.transact(ledger.post, book.award("a1", book.guiying, 25))
        legs = (Leg(book.issuer, Unit.POINTS, 5), Leg(book.guiying, Unit.POINTS, -5))
        with pytest.raises(ledger.NotReversible):
            database.transact(
                ledger.post,
                Draft(book.book, "reversal", legs, "v1", "staff:1", reverses=posted.entry_id, checker="staff:99"),
            )

    def test_an_unknown_entry_is_named(self, database: Database, book: Book) -> None:
        from moralbank import ids

        with pytest.raises(ledger.UnknownEntry):
            database.transact(ledger.reverse, book.book, ids.new_id(), key="v1", actor="staff:1", checker="staff:99")


def test_one_source_gives_one_entry_whoever_posts_it(database: Database, book: Book) -> None:
    award = book.award("a1", book.guiying, 25, source=("attendance", "12:7"))
    database.transact(ledger.post, award)
    with pytest.raises(ledger.SourcePosted):
        database.transact(ledger.post, replace(award, key="a2", actor="staff:9"))


def test_an_entry_number_brought_by_the_caller_is_taken_once(database: Database, book: Book) -> None:
    from moralbank import ids

    entry_id = ids.new_id()
    assert database.transact(ledger.post, book.award("a1", book.guiying, 5, entry_id=entry_id)).entry_id == entry_id
    with pytest.raises(ledger.EntryExists):
        database.transact(ledger.post, book.award("a2", book.guiying, 5, entry_id=entry_id))


class TestAppendOnly:
    @pytest.mark.parametrize("table", [models.entries, models.postings, models.keys, models.accounts])
    @pytest.mark.parametrize("act", ["update", "delete"])
    def test_a_row_is_neither_changed_nor_removed(self, database: Database, book: Book, table, act) -> None:
        database.transact(ledger.post, book.award("a1", book.guiying, 25))
        statement = table.delete() if act == "delete" else table.update().values(book_id=table.c.book_id)
        with pytest.raises(sa.exc.DBAPIError, match=r"append-only|permission denied"), database.engine.begin() as db:
            db.execute(statement)

    @only_sqlite
    def test_a_replacing_insert_replaces_nothing(self, database: Database, book: Book) -> None:
        database.transact(ledger.post, book.award("a1", book.guiying, 25))
        for table in ("ledger_entries", "ledger_postings", "ledger_keys"):
            with database.engine.connect() as db:
                db.exec_driver_sql("PRAGMA recursive_triggers=OFF")
                with pytest.raises(sa.exc.IntegrityError, match=r"append-only|complete"):
                    db.exec_driver_sql(f"INSERT OR REPLACE INTO {table} SELECT * FROM {table}")

    @only_postgresql
    def test_the_service_has_no_right_to_alter_lines(self, database: Database, book: Book) -> None:
        with database.reading() as db:
            may = sa.text("SELECT has_table_privilege(:table, :right)")
            for table in ("ledger_entries", "ledger_postings", "ledger_keys"):
                rights = {right: db.execute(may, {"table": table, "right": right}).scalar()
                          for right in ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE")}  # fmt: skip
                assert rights == {"SELECT": True, "INSERT": True, "UPDATE": False, "DELETE": False, "TRUNCATE": False}

    def test_the_database_itself_refuses_an_unbalanced_entry(self, database: Database, book: Book) -> None:
        posted = database.transact(ledger.post, book.award("a1", book.guiying, 25))
        copy = sa.text("INSERT INTO ledger_entries SELECT * FROM ledger_entries WHERE seq = :seq")
        with pytest.raises(sa.exc.DBAPIError), database.engine.begin() as db:
            db.execute(copy, {"seq": posted.seq})
        late_leg = models.postings.insert().values(
            book_id=book.book, entry_id=posted.entry_id, leg=9, account_id=book.shop, unit=1, amount=5,
            seq=99, posted_at=posted.posted_at,
        )  # fmt: skip
        with pytest.raises(sa.exc.DBAPIError, match="complete"), database.engine.begin() as db:
            db.execute(late_leg)

    def test_the_database_itself_refuses_a_leg_on_an_account_that_is_not_there(
        self, database: Database, book: Book
    ) -> None:
        posted = database.transact(ledger.post, book.award("a1", book.guiying, 25))
        leg = models.postings.insert().values(
            book_id=book.book, entry_id=uuid4(), leg=0, account_id=book.shop + 1000, unit=1, amount=5,
            seq=99, posted_at=posted.posted_at,
        )  # fmt: skip
        with pytest.raises(sa.exc.IntegrityError), database.engine.begin() as db:
            db.execute(leg)

    @pytest.mark.parametrize(
        ("column", "value"),
        [("amount", "26"), ("unit", "2"), ("seq", "999"), ("entry_id", "gen_random_uuid()"), ("account_id", "1")],
    )
    @only_postgresql
    def test_the_database_itself_finds_the_one_wrong_leg_of_a_set(
        self, database: Database, book: Book, column: str, value: str
    ) -> None:
        database.transact(ledger.post_many, [book.award(f"a{n}", book.guiying, 25) for n in range(9)])
        with database.engine.connect() as db:
            db.exec_driver_sql(_copy_of_all(_LEG))
            db.rollback()
            wrong = f"CASE WHEN p.n = 5 THEN {value} ELSE {_LEG[column]} END"
            with pytest.raises(sa.exc.IntegrityError, match=r"do not balance|not in the book"):
                db.exec_driver_sql(_copy_of_all(_LEG | {column: wrong}))


_LEG = {
    "entry_id": "ids.new", "leg": "p.leg", "account_id": "p.account_id", "unit": "p.unit", "amount": "p.amount",
    "n": "p.n + 100", "balance_after": "p.balance_after", "seq": "p.seq + 100", "posted_at": "p.posted_at",
}  # fmt: skip


def _copy_of_all(leg: dict[str, str]) -> str:
    """Return one statement that writes all entries again under other numbers, with legs as given."""
    return f"""
    WITH ids AS MATERIALIZED (SELECT entry_id AS old, gen_random_uuid() AS new FROM ledger_entries), legs AS (
      INSERT INTO ledger_postings (book_id, {", ".join(leg)}) SELECT p.book_id, {", ".join(leg.values())}
      FROM ledger_postings p JOIN ids ON ids.old = p.entry_id RETURNING 1
    )
    INSERT INTO ledger_entries (book_id, entry_id, seq, kind, actor, occurred_on, posted_at, leaf_bytes)
    SELECT e.book_id, ids.new, e.seq + 100, e.kind, e.actor, e.occurred_on, e.posted_at, e.leaf_bytes
    FROM ledger_entries e JOIN ids ON ids.old = e.entry_id WHERE (SELECT count(*) FROM legs) > 0
    """


def test_every_account_kind_is_either_guarded_or_summed() -> None:
    guarded = {kind for kind in AccountKind if kind.is_guarded}
    assert guarded == {AccountKind.RESIDENT, AccountKind.HOUSEHOLD, AccountKind.TEAM, AccountKind.POOL}
