"""Rosters on their way in: what the preview shows, what is enrolled, and that nothing happens twice."""

from __future__ import annotations

import io
import json
from collections import Counter
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from moralbank import ledger
from moralbank.branches.queries import Branch
from moralbank.db import Database
from moralbank.residents import import_queries, importing, jobs, queries, roster_errors
from moralbank.residents.enrolment import Person
from moralbank.residents.errors import ImportNotOpen, NothingToImport
from moralbank.residents.import_queries import State, Verdict
from moralbank.residents.models import residents_import_rows, residents_residents
from moralbank.residents.roster_refused import write_refused
from moralbank.residents.service import correct, enrol
from tests.residents.conftest import STAFF

DATA = Path(__file__).parent.parent / "data" / "roster"
FILES = ["residents.csv", "residents-gbk.csv", "residents.xlsx"]
HEADER = "姓名,手机号,所属驿站,户号,期初积分,出生日期"


@pytest.fixture(scope="module")
def expected() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((DATA / "residents.expected.json").read_text(encoding="utf-8"))
    return found


def read_file(database: Database, hub: Branch, name: str) -> int:
    with (DATA / name).open("rb") as stream:
        return jobs.read_roster(database, hub, stream, name, actor=STAFF)


def read_lines(database: Database, hub: Branch, *lines: str) -> int:
    text = "\n".join([HEADER, *lines]).encode()
    return jobs.read_roster(database, hub, io.BytesIO(text), "few.csv", actor=STAFF)


def confirm_and_run(database: Database, import_id: int) -> None:
    database.transact(importing.confirm_import, import_id, actor=STAFF)
    jobs.run_import(database, import_id)


def counts(database: Database, import_id: int) -> dict[str, int]:
    with database.reading() as db:
        found: Counter[str] = Counter()
        for line in import_queries.tally(db, import_id):
            found[line.verdict] += line.rows
    return dict(found)


def enrolled_count(database: Database) -> int:
    with database.reading() as db:
        return db.execute(sa.select(sa.func.count()).select_from(residents_residents)).scalar_one()


def opening_entries(database: Database, book: int) -> tuple[int, int]:
    """How many opening entries stand in a book, and how many points they brought to residents."""
    with database.reading() as db:
        sums = ledger.sum_entries(db, book, ledger.EntryFilter(kind="opening"))
        return sums.entries, sums.points


@pytest.mark.parametrize("name", FILES)
def test_each_format_gives_exactly_the_expected_residents_and_opening_points(
    database: Database, street: dict[str, Branch], expected: dict[str, Any], name: str
) -> None:
    hub = street["NS-00"]
    import_id = read_file(database, hub, name)
    assert enrolled_count(database) == 0, "a preview writes no resident"
    assert counts(database, import_id) == {"take": 2964, "refuse": 39, "skip": 5}

    confirm_and_run(database, import_id)

    assert hub.book_id is not None
    with database.reading() as db:
        done = import_queries.get_import(db, import_id)
        rows = import_queries.list_rows(db, import_id, limit=5000)
        residents = queries.residents_by_id(db, [row.resident_id for row in rows if row.resident_id])
        accounts = [resident.account_id for resident in residents.values()]
        points = ledger.balances(db, hub.book_id, accounts, ledger.Unit.POINTS)
        cards = queries.cards_in_force(db, list(residents))
        trial = ledger.trial_balance(db, hub.book_id)
    assert done.state is State.DONE
    assert done.done_rows == 2964
    assert len(residents) == expected["taken"]
    assert len(cards) == expected["taken"]
    assert sum(points.values()) == expected["opening_points"] == 427_035
    assert sum(line.balance for line in trial) == 0
    stations = {branch.branch_id: branch for branch in street.values()}
    for row, wanted in zip(rows, expected["rows"], strict=True):
        if not wanted["take"]:
            assert row.resident_id is None
            assert row.verdict is (Verdict.SKIP if wanted.get("skip") else Verdict.REFUSE)
            continue
        assert row.resident_id is not None
        resident = residents[row.resident_id]
        assert {
            "take": True,
            "name": resident.name,
            "phone": resident.phone,
            "branch": stations[resident.branch_id].name_zh.removeprefix("道德银行"),
            "household": resident.household_code,
            "party_member": resident.party_member,
            "born": str(resident.born_on),
            "joined": str(resident.joined_on),
            "opening_points": points[resident.account_id],
        } == wanted


def test_the_same_file_again_enrols_nobody_and_posts_nothing(database: Database, street: dict[str, Branch]) -> None:
    hub = street["NS-00"]
    assert hub.book_id is not None
    confirm_and_run(database, read_file(database, hub, "residents.csv"))
    before = opening_entries(database, hub.book_id)

    again = read_file(database, hub, "residents.xlsx")

    assert counts(database, again) == {"here": 2964, "refuse": 39, "skip": 5}
    with pytest.raises(NothingToImport):
        database.transact(importing.confirm_import, again, actor=STAFF)
    assert enrolled_count(database) == 2964
    assert opening_entries(database, hub.book_id) == before
    assert before[1] == 427_035


def test_a_file_confirmed_from_two_previews_at_once_enrols_everybody_once(
    database: Database, street: dict[str, Branch]
) -> None:
    hub = street["NS-00"]
    lines = [f"王小{place}明,1380000{place:04},南山驿站,H1,5,1990-01-01" for place in range(1000, 1020)]
    first, second = read_lines(database, hub, *_names(lines)), read_lines(database, hub, *_names(lines))
    confirm_and_run(database, first)
    confirm_and_run(database, second)
    assert enrolled_count(database) == 20
    assert counts(database, second) == {"here": 20}
    assert hub.book_id is not None
    assert opening_entries(database, hub.book_id) == (20, 100)


def test_a_person_corrected_since_is_known_again_from_the_old_roster(
    database: Database, street: dict[str, Branch]
) -> None:
    hub = street["NS-00"]
    confirm_and_run(database, read_lines(database, hub, "王小明,13800000000,南山驿站,H1,5,1990-01-01"))
    with database.reading() as db:
        (resident,) = queries.list_residents(db, [street["NS-01"].branch_id])
    new = Person(name="王小铭", branch_id=resident.branch_id, phone="13900000000", born_on=resident.born_on)
    database.transact(correct, resident.resident_id, new, actor=STAFF)

    old = read_lines(database, hub, "王小明,13800000000,南山驿站,H1,5,1990-01-01")
    new_roster = read_lines(database, hub, "王小铭,13900000000,南山驿站,H1,5,1990-01-01")

    assert counts(database, old) == {"here": 1}
    assert counts(database, new_roster) == {"here": 1}


def test_somebody_enrolled_at_the_desk_after_the_preview_is_found_to_be_here(
    database: Database, street: dict[str, Branch]
) -> None:
    hub = street["NS-00"]
    import_id = read_lines(database, hub, "王小明,13800000000,南山驿站,,5,1990-01-01", "李四,13800000001,南山驿站,,5,")
    person = Person(name="王小明", branch_id=street["NS-01"].branch_id, phone="13800000000")
    database.transact(enrol, person, actor=STAFF)
    confirm_and_run(database, import_id)
    assert counts(database, import_id) == {"here": 1, "take": 1}
    assert enrolled_count(database) == 2


def test_people_without_a_phone_are_told_apart_by_household_and_birth(
    database: Database, street: dict[str, Branch]
) -> None:
    hub = street["NS-00"]
    lines = ("王秀英,,南山驿站,H1,5,1940-01-01", "王秀英,,南山驿站,H2,5,1940-01-01", "王秀英,,南山驿站,H2,5,1950-01-01")
    confirm_and_run(database, read_lines(database, hub, *lines))
    assert enrolled_count(database) == 3
    assert counts(database, read_lines(database, hub, *lines)) == {"here": 3}


def test_a_killed_import_goes_on_where_it_stopped(
    database: Database, street: dict[str, Branch], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "PAGE_ROWS", 7)
    hub = street["NS-00"]
    lines = _names([f"王小{place}明,1380000{place:04},南山驿站,H1,5," for place in range(1000, 1020)])
    import_id = read_lines(database, hub, *lines)
    database.transact(importing.confirm_import, import_id, actor=STAFF)
    assert database.transact(importing.import_page, import_id) == 7

    assert jobs.continue_imports(database) == 0, "an import that is still warm is left to its process"
    monkeypatch.setattr(jobs, "QUIET", jobs.timedelta(0))
    assert jobs.continue_imports(database) == 1

    with database.reading() as db:
        assert import_queries.get_import(db, import_id).state is State.DONE
    assert enrolled_count(database) == 20
    assert hub.book_id is not None
    assert opening_entries(database, hub.book_id) == (20, 100)


def test_opening_points_say_where_they_come_from_and_when_they_end(
    database: Database, street: dict[str, Branch]
) -> None:
    hub = street["NS-00"]
    import_id = read_lines(database, hub, "王小明,13800000000,南山驿站,H1,25,1990-01-01")
    confirm_and_run(database, import_id)
    assert hub.book_id is not None
    with database.reading() as db:
        (resident,) = queries.list_residents(db, [street["NS-01"].branch_id])
        (line,) = ledger.history(db, hub.book_id, resident.account_id, ledger.Unit.POINTS)
        confirmed_at = import_queries.get_import(db, import_id).confirmed_at
    assert confirmed_at is not None
    assert (line.kind, line.grade, line.amount, line.actor) == ("opening", "D", 25, STAFF)
    assert line.source == ("resident", str(resident.resident_id))
    assert line.branch == street["NS-01"].branch_id
    assert line.expires_on == importing.expiry_of_opening(line.occurred_on)
    assert line.private == {"roster": str(import_id), "row": "2"}


@pytest.mark.parametrize(
    ("on", "ends"),
    [
        (date(2026, 11, 21), date(2029, 11, 21)),
        (date(2026, 12, 31), date(2029, 12, 31)),
        (date(2028, 2, 29), date(2031, 3, 1)),
    ],
)
def test_opening_points_last_three_years(on: date, ends: date) -> None:
    assert importing.expiry_of_opening(on) == ends


def test_what_became_a_resident_is_not_kept_a_second_time(database: Database, street: dict[str, Branch]) -> None:
    import_id = read_lines(database, street["NS-00"], "王小明,13800000000,南山驿站,H1,25,", "李四,12,南山驿站,H1,25,")
    confirm_and_run(database, import_id)
    rows = residents_import_rows.c
    with database.reading() as db:
        kept = db.execute(sa.select(rows.sheet_row, rows.person, rows.cells)).all()
    assert [row.sheet_row for row in kept if row.person or row.cells] == [3]


def test_refused_rows_come_back_with_what_to_mend(database: Database, street: dict[str, Branch]) -> None:
    import_id = read_file(database, street["NS-00"], "residents-gbk.csv")
    with database.reading() as db:
        header = tuple(import_queries.get_import(db, import_id).header)
        refused = write_refused(import_queries.iter_refused(db, import_id), "csv", header)
    lines = refused.read().decode("utf-8-sig").splitlines()
    assert len(lines) == 1 + 39
    assert "“手机号”不是 11 位手机号" in "".join(lines)


def test_a_preview_can_be_given_up_and_leaves_no_names_behind(database: Database, street: dict[str, Branch]) -> None:
    import_id = read_lines(database, street["NS-00"], "王小明,13800000000,南山驿站,H1,25,")
    database.transact(importing.drop_import, import_id)
    with database.reading() as db:
        assert import_queries.list_rows(db, import_id) == []
    with pytest.raises(ImportNotOpen):
        database.transact(importing.confirm_import, import_id, actor=STAFF)


def test_a_preview_that_nobody_confirmed_is_forgotten(
    database: Database, street: dict[str, Branch], monkeypatch: pytest.MonkeyPatch
) -> None:
    import_id = read_lines(database, street["NS-00"], "王小明,13800000000,南山驿站,H1,25,")
    assert jobs.forget_previews(database) == 0
    monkeypatch.setattr(jobs, "PREVIEW_KEPT", jobs.timedelta(0))
    assert jobs.forget_previews(database) == 1
    with database.reading() as db:
        assert import_queries.get_import(db, import_id).state is State.DROPPED


def test_a_station_takes_in_only_its_own_rows(database: Database, street: dict[str, Branch]) -> None:
    import_id = read_lines(
        database, street["NS-01"], "王小明,13800000000,南山驿站,H1,25,", "李四,13800000001,育苗驿站,H1,25,"
    )
    assert counts(database, import_id) == {"take": 1, "refuse": 1}


def test_a_file_that_breaks_off_leaves_no_preview(database: Database, street: dict[str, Branch]) -> None:
    with pytest.raises(roster_errors.RosterHeaderMissing):
        jobs.read_roster(database, street["NS-00"], io.BytesIO(b"nothing"), "few.csv", actor=STAFF)
    with database.reading() as db:
        assert import_queries.list_imports(db, [branch.branch_id for branch in street.values()]) == []


def _names(lines: list[str]) -> list[str]:
    """Give each line a name without digits: digits are no letters of a name."""
    digits = str.maketrans("0123456789", "零一二三四五六七八九")
    return [",".join([line.split(",")[0].translate(digits), *line.split(",")[1:]]) for line in lines]
