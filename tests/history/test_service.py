"""The festival's whole ledger: what our import makes of it is held against a small model of its own."""

from __future__ import annotations

import csv
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from click.testing import CliRunner

from moralbank import ledger
from moralbank.db import Database
from moralbank.history import queries
from moralbank.history.cli import import_history, run
from moralbank.history.mapping import ColumnMapping, find_mapping, read_mapping
from moralbank.history.service import Outcome, Summary, find_or_open_book
from moralbank.ledger import AccountKind, Unit

FESTIVAL = Path(__file__).parent.parent / "data" / "minsapay-2019" / "transactions.csv"
SIGNS = {"open": 1, "charge": 1, "pay": -1, "withdraw": -1}


@dataclass
class Model:
    """The festival as a child would add it up: a balance may not go below zero, and that is all."""

    balances: Counter[str] = field(default_factory=Counter)
    merchants: Counter[str] = field(default_factory=Counter)
    lines: int = 0
    nothing: int = 0
    posted: int = 0
    overdrafts: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    stated: dict[str, int] = field(default_factory=dict)


@pytest.fixture(scope="module")
def model() -> Model:
    model = Model()
    with FESTIVAL.open(encoding="utf-8-sig", newline="") as file:
        for row in csv.DictReader(file):
            amount, sign, user = int(row["amount"]), SIGNS.get(row["type"]), row["user"]
            model.lines += 1
            model.balances[user] += 0
            if sign is None:
                model.unknown.append(row["transaction"])
            elif amount == 0:
                model.nothing += 1
            elif model.balances[user] + sign * amount < 0:
                model.overdrafts.append(row["transaction"])
            else:
                model.posted += 1
                model.balances[user] += sign * amount
                model.stated[row["transaction"]] = int(row["balance"])
                if row["type"] == "pay":
                    model.merchants[row["booth"]] += amount
    return model


@pytest.fixture
def mapping() -> ColumnMapping:
    return read_mapping(find_mapping("minsapay-2019"))


def take_in(database: Database, mapping: ColumnMapping, file: Path = FESTIVAL) -> tuple[int, Summary]:
    book = database.transact(find_or_open_book, "FESTIVAL", mapping.title)
    return book, run(database, book, mapping, file)


def test_the_model_finds_in_the_file_what_its_readme_says(model: Model) -> None:
    assert (model.lines, model.nothing) == (2900, 451)
    assert model.overdrafts == ["1576", "1781", "1951", "2735", "2737"]
    assert model.unknown == ["2733"]


def test_every_line_of_the_festival_is_accounted_for(database: Database, mapping: ColumnMapping, model: Model) -> None:
    book, summary = take_in(database, mapping)

    assert summary.lines == model.lines
    assert summary.outcomes == {
        Outcome.POSTED: model.posted,
        Outcome.POSTED_BEFORE: 0,
        Outcome.MOVES_NOTHING: model.nothing,
        Outcome.LEFT_OUT: 0,
        Outcome.REFUSED: len(model.overdrafts) + len(model.unknown),
    }
    refused = {verdict.line_id: verdict.refusal.code for verdict in summary.refused if verdict.refusal}
    assert refused == dict.fromkeys(model.overdrafts, "insufficient-balance") | dict.fromkeys(
        model.unknown, "unknown-type"
    )
    with database.reading() as db:
        balances = queries.people_balances(db, book)
        assert balances == dict(model.balances)
        assert sum(balances.values()) == sum(model.balances.values())
        assert queries.count_accounts(db, book) == {"person": 400, "merchant": 18}
        for booth, points in model.merchants.items():
            account = queries.account_of(db, book, "merchant", booth)
            assert account is not None
            assert ledger.balance(db, book, account, Unit.POINTS).balance == points
        report = ledger.verify(db, book)
        assert report.is_sound, report.first_fault
        assert report.entries == model.posted
        assert report.outstanding[Unit.POINTS] == sum(balances.values())


def test_after_every_posted_line_the_balance_is_the_files(
    database: Database, mapping: ColumnMapping, model: Model
) -> None:
    book, summary = take_in(database, mapping)

    assert {verdict.person for verdict in summary.differing} <= summary.refused_people
    with database.reading() as db:
        assert summary.refused_people == {"user#186", "user#399"}
        for person in model.balances.keys() - summary.refused_people:
            account = queries.account_of(db, book, "person", person)
            assert account is not None
            for line in ledger.history(db, book, account, Unit.POINTS, limit=1000):
                assert line.balance_after == model.stated[line.private["line"]], line.private


def test_a_second_run_posts_nothing_new(database: Database, mapping: ColumnMapping, model: Model) -> None:
    book, first = take_in(database, mapping)
    with database.reading() as db:
        before = ledger.verify(db, book)
    _, second = take_in(database, mapping)

    assert second.outcomes[Outcome.POSTED] == 0
    assert second.outcomes[Outcome.POSTED_BEFORE] == first.outcomes[Outcome.POSTED] == model.posted
    assert [verdict.line_id for verdict in second.refused] == [verdict.line_id for verdict in first.refused]
    with database.reading() as db:
        assert ledger.verify(db, book) == before


HEADER = "transaction,user,booth,timestamp,type,amount,balance\n"


def small_file(tmp_path: Path, *lines: str) -> Path:
    file = tmp_path / "history.csv"
    file.write_text(HEADER + "".join(f"{line}\n" for line in lines), encoding="utf-8")
    return file


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("1,ana,booth#001,7/13/2019 9:44:14,charge,1.5,0", "malformed-line"),
        ("1,ana,booth#001,7/13/2019 9:44:14,charge,-5,0", "malformed-line"),
        ("1,ana,booth#001,7/13/2019 9:44:14,charge,,0", "malformed-line"),
        ("1,ana,booth#001,7/13/2019 9:44:14,charge,９,0", "malformed-line"),
        ("1,ana,booth#001,7/13/2019 9:44:14,charge,9007199254740992,0", "malformed-line"),
        ("1,,booth#001,7/13/2019 9:44:14,charge,5,5", "malformed-line"),
        ("1,ana,booth#001,13/7/2019 9:44:14,charge,5,5", "malformed-line"),
        ("1,ana,booth#001", "malformed-line"),
        (",ana,booth#001,7/13/2019 9:44:14,charge,5,5", "malformed-line"),
        ("1,ana,booth#001,7/13/2019 9:44:14,gift,0,0", "unknown-type"),
        ("1,ana,booth#000,7/13/2019 9:44:14,pay,5,5", "not-a-merchant"),
        ("1,ana,,7/13/2019 9:44:14,pay,5,5", "not-a-merchant"),
        ("1,ana,booth#001,7/13/2049 9:44:14,charge,5,5", "bad-entry"),
    ],
)
def test_a_line_that_cant_be_meant_is_refused_and_its_neighbour_is_not(
    database: Database, mapping: ColumnMapping, tmp_path: Path, line: str, code: str
) -> None:
    file = small_file(tmp_path, line, "2,ben,booth#000,7/13/2019 9:44:15,charge,7,7")
    _, summary = take_in(database, mapping, file)

    assert [verdict.refusal.code for verdict in summary.refused if verdict.refusal] == [code]
    assert summary.outcomes[Outcome.POSTED] == 1


def test_a_line_that_comes_again_with_other_content_is_refused(
    database: Database, mapping: ColumnMapping, tmp_path: Path
) -> None:
    take_in(database, mapping, small_file(tmp_path, "1,ana,booth#000,7/13/2019 9:44:14,charge,5,5"))
    _, summary = take_in(database, mapping, small_file(tmp_path, "1,ana,booth#000,7/13/2019 9:44:14,charge,6,6"))

    assert [verdict.refusal.code for verdict in summary.refused if verdict.refusal] == ["key-reused"]


def test_the_day_is_the_one_on_the_files_own_clock(database: Database, mapping: ColumnMapping, tmp_path: Path) -> None:
    book, _ = take_in(database, mapping, small_file(tmp_path, "1,ana,booth#000,7/13/2019 23:59:59,charge,5,5"))
    with database.reading() as db:
        account = queries.account_of(db, book, "person", "ana")
        assert account is not None
        [line] = ledger.history(db, book, account, Unit.POINTS)
    assert line.occurred_on.isoformat() == "2019-07-13"
    assert line.posted_at.year > 2019, "nothing is back-dated"
    assert line.private["happened_at"] == "2019-07-13T23:59:59+09:00"


def test_the_command_prints_every_outcome_and_each_refused_line(
    database: Database, database_url: str, monkeypatch: pytest.MonkeyPatch, model: Model
) -> None:
    monkeypatch.setenv("DATABASE_URL", database_url)
    result = CliRunner().invoke(
        import_history, [str(FESTIVAL), "--book", "FESTIVAL", "--map", "minsapay-2019"], catch_exceptions=False
    )

    assert result.exit_code == 0
    figures = {
        text.strip(): number for number, _, text in (row.strip().partition("  ") for row in result.output.splitlines())
    }
    assert figures["lines"] == "2,900"
    assert figures["posted"] == f"{model.posted:,}"
    assert figures["moves nothing"] == "451"
    assert figures["refused"] == "6"
    assert figures["of these in accounts without a refused line"] == "0"
    assert figures["points in the accounts of people"] == f"{sum(model.balances.values()):,}"
    for line in (*model.overdrafts, *model.unknown):
        assert f"line {line}: " in result.output


def test_two_accounts_of_a_merchant_and_a_person_may_bear_one_name(
    database: Database, mapping: ColumnMapping, tmp_path: Path
) -> None:
    file = small_file(
        tmp_path,
        "1,ana,booth#000,7/13/2019 9:44:14,charge,5,5",
        "2,ana,ana,7/13/2019 9:45:14,pay,2,3",
    )
    book, _ = take_in(database, mapping, file)
    with database.reading() as db:
        person, merchant = (queries.account_of(db, book, kind, "ana") for kind in ("person", "merchant"))
        assert person is not None
        assert merchant is not None
        assert ledger.find_account(db, book, merchant) == ledger.Account(book, merchant, AccountKind.MERCHANT)
        assert ledger.balance(db, book, person, Unit.POINTS).balance == 3
