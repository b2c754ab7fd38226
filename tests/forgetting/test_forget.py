"""Forgetting a person: two people, nothing left that tells who it was, and a book that still verifies."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from moralbank import clock, ledger
from moralbank.access.deed_queries import DeedFilter, list_deeds
from moralbank.access.deeds import Kind
from moralbank.activities import calendars
from moralbank.approvals import queries as approvals
from moralbank.approvals import service as approving
from moralbank.approvals.errors import AlreadyDecided
from moralbank.approvals.service import Hand
from moralbank.db import Database
from moralbank.forgetting import jobs, queries, service
from moralbank.forgetting.errors import (
    ForgettingAsked,
    ForgettingByOne,
    ForgettingDecided,
    ForgettingUnfit,
    PointsLeft,
)
from moralbank.forgetting.service import Asked
from moralbank.forgetting.values import AskedBy, Ground, Points, Proof, State
from moralbank.ledger import AccountKind, Unit
from moralbank.ledger.jobs import expire_points
from moralbank.residents import queries as residents
from moralbank.residents import service as people
from moralbank.residents.enrolment import Person
from moralbank.residents.errors import ResidentForgotten
from moralbank.residents.values import Status
from moralbank.transparency import Log, facts
from tests.forgetting.conftest import SECRETS, Bank, spellings


def cells(database: Database) -> Iterator[tuple[str, bytes]]:
    """Yield every cell of every table as its octets."""
    with database.engine.connect() as db:
        if not database.is_sqlite:
            db.execute(sa.text("RESET ROLE"))
        names = sa.inspect(db).get_table_names()
        for table in names:
            for row in db.execute(sa.text(f"SELECT * FROM {table}")).mappings():
                for column, cell in row.items():
                    content = bytes(cell) if isinstance(cell, bytes | memoryview) else str(cell).encode()
                    yield f"{table}.{column}", content


def found_in(database: Database) -> set[str]:
    """Return where anything that tells of her stands."""
    marks = {mark for secret in SECRETS for mark in spellings(secret)}
    # A JSON column comes as Python says it, a bytes column as it is.
    return {place for place, content in cells(database) if any(mark in content for mark in marks)}


def files_of(bank: Bank) -> list[Path]:
    """Return the files that the database keeps its rows in."""
    if bank.database.is_sqlite:
        path = Path(str(bank.database.engine.url.database))
        return [path, *path.parent.glob(path.name + "-*")]
    with bank.database.engine.connect() as db:
        db.execute(sa.text("RESET ROLE"))
        db.execute(sa.text("CHECKPOINT"))
        folder = db.execute(sa.text("SHOW data_directory")).scalar_one()
        oid = db.execute(sa.text("SELECT oid FROM pg_database WHERE datname = current_database()")).scalar_one()
    return [path for path in Path(folder, "base", str(oid)).rglob("*") if path.is_file()]


def marks_in(files: list[Path]) -> set[tuple[str, str]]:
    marks = {mark: secret for secret in SECRETS for mark in spellings(secret)}
    found = set()
    for path in files:
        content = path.read_bytes()
        found |= {(path.name, secret) for mark, secret in marks.items() if mark in content}
    return found


def test_nothing_that_tells_of_her_is_left_in_any_cell(bank: Bank) -> None:
    before = found_in(bank.database)
    assert {"residents_residents.name", "web_idempotency.body", "ledger_private_parts.content"} <= before
    assert "approvals_requests.reason" in before
    assert {"access_deed_notes.note", "residents_import_rows.cells", "history_accounts.outside_name"} <= before
    bank.forget()
    left = found_in(bank.database)
    # Her neighbour of the same phone keeps it, in their own rows.
    assert left <= {"residents_residents.phone", "residents_import_rows.cells", "residents_import_rows.person"}
    with bank.database.reading() as db:
        assert [one.name for one in residents.list_by_phone(db, "13800000001")] == ["欧阳桂英"]


def test_her_lines_stay_and_every_book_verifies(bank: Bank) -> None:
    book, account = bank.resident.book_id, bank.resident.account_id
    with bank.database.reading() as db:
        before = ledger.history(db, book, account, Unit.POINTS, limit=100)
    bank.forget()
    with bank.database.reading() as db:
        after = ledger.history(db, book, account, Unit.POINTS, limit=100)
        assert [line.n for line in after] == list(range(len(before) + 1, 0, -1)), "a donation more, and no gap"
        assert [line.entry_id for line in after[1:]] == [line.entry_id for line in before]
        assert ledger.balance(db, book, account, Unit.POINTS).balance == 0
        assert ledger.verify(db, book).is_sound
        pool = ledger.internal_account(db, book, AccountKind.POOL)
        assert ledger.balance(db, book, pool, Unit.POINTS).balance == before[0].balance_after


def test_the_erasure_is_a_leaf_with_both_who_agreed_and_no_name(bank: Bank) -> None:
    bank.forget()
    with bank.database.reading() as db:
        leaves = facts.list_leaves(db, bank.resident.book_id, Log.LEDGER, 1, 100)
        [leaf] = [json.loads(leaf) for _no, leaf in leaves if json.loads(leaf)["k"] == service.ERASE]
        [deed] = list_deeds(db, bank.resident.book_id, DeedFilter(kind=Kind.FORGET))
    maker, checker = f"staff:{bank.maker.login_id}", f"staff:{bank.checker.login_id}"
    assert (leaf["a"], leaf["why"], leaf["by"], leaf["ok"]) == (bank.resident.account_id, "pipl-47-3", maker, checker)
    assert set(leaf) == {"v", "book", "log", "k", "at", "no", "a", "why", "by", "ok"}
    assert deed.actor == checker


def test_the_files_hold_nothing_of_her_once_they_were_swept(bank: Bank) -> None:
    person = Person("欧阳桂英", bank.neighbour.branch_id, "13900000009")
    bank.database.transact(people.correct, bank.neighbour.resident_id, person, actor="staff:1")
    with bank.database.engine.connect() as db:
        db.execute(sa.text("ANALYZE"))
        db.commit()
    try:
        assert marks_in(files_of(bank)) != set()
    except PermissionError:
        pytest.skip("the server's files are another user's")
    bank.forget()
    for _slot in range(5):  # A sweep that an older snapshot or a lock keeps waiting is for the next slot.
        assert jobs.sweep(bank.database, bank.people) == 0, "her key is destroyed where its file is"
        with bank.database.reading() as db:
            [request] = queries.list_unswept(db)
        if request.swept_at is not None:
            break
    assert request.swept_at is not None
    bank.people.touch(mode=0o600)
    bank.people.unlink()
    left = marks_in(files_of(bank))
    # In a preview that names the neighbour under her phone.
    assert {secret for _file, secret in left} <= {"13800000001"}, left


def test_the_others_of_the_household_stay_whole(bank: Bank) -> None:
    bank.forget()
    with bank.database.reading() as db:
        neighbour = residents.get_resident(db, bank.neighbour.resident_id)
        card = residents.find_card(db, bank.neighbour.resident_id)
    assert neighbour == bank.neighbour
    assert card is not None


def test_the_number_of_a_household_goes_with_its_last_member(bank: Bank) -> None:
    bank.database.transact(people.join_household, bank.neighbour.resident_id, None, actor="staff:1")
    bank.forget()
    assert not any(content == b"H7" for place, content in cells(bank.database) if place.startswith("residents_h"))


def test_a_forgotten_person_cannot_come_in_be_found_or_be_changed(bank: Bank) -> None:
    bank.forget()
    client = bank.app.test_client()
    with bank.database.reading() as db:
        assert residents.list_residents(db, [bank.resident.branch_id], search=bank.resident.number) == []
        assert residents.find_by_number(db, bank.resident.book_id, bank.resident.number) == bank.now()
    assert bank.now().name == ""
    with pytest.raises(ResidentForgotten):
        bank.database.transact(people.set_status, bank.resident.resident_id, Status.ACTIVE, "x", actor="staff:1")
    assert client.get("/me").status_code == 303


def test_the_same_person_may_come_again_as_somebody_new(bank: Bank) -> None:
    bank.forget()
    person = Person(bank.resident.name, bank.resident.branch_id, bank.resident.phone)
    again = bank.database.transact(people.enrol, person, actor="staff:1")
    assert again.account_id != bank.resident.account_id


def test_one_alone_forgets_nobody(bank: Bank) -> None:
    request = bank.asked()
    with pytest.raises(ForgettingByOne):
        bank.database.transact(service.forget, request.request_id, actor=f"admin:{bank.maker.login_id}")
    statement = "UPDATE forgetting_requests SET state = 'done', decided_login_id = asked_login_id"
    with pytest.raises(sa.exc.IntegrityError):
        bank.database.transact(lambda db: db.execute(sa.text(statement)))
    assert bank.now() == bank.resident


def test_nothing_is_given_to_who_was_forgotten_and_no_address_of_theirs_opens(bank: Bank) -> None:
    who = bank.resident.resident_id
    secret = bank.database.transact(calendars.make_address, who)
    with bank.database.reading() as db:
        [waiting] = [one for one in approvals.list_of_resident(db, bank.resident) if one.is_waiting]
    bank.forget()
    checker = Hand(f"staff:{bank.checker.login_id}", bank.checker.login_id, "周敏")
    with pytest.raises(AlreadyDecided):
        bank.database.transact(approving.approve, checker, waiting.request_id)
    with pytest.raises(ResidentForgotten):
        bank.database.transact(approving.ask_adjustment, checker, who, 5, "补上周的")
    with bank.database.reading() as db:
        assert ledger.balance(db, bank.resident.book_id, bank.resident.account_id, Unit.POINTS).balance == 0
        assert calendars.find_owner(db, secret) is None


def test_what_speaks_against_it_is_named_and_nothing_changes(bank: Bank) -> None:
    with pytest.raises(PointsLeft):
        bank.asked(Points.NONE)
    with pytest.raises(ForgettingUnfit):
        bank.asked(ground=Ground.KIN)
    request = bank.asked()
    with pytest.raises(ForgettingAsked):
        bank.asked()
    bank.database.transact(service.refuse, request.request_id, actor=f"staff:{bank.checker.login_id}")
    with pytest.raises(ForgettingDecided):
        bank.database.transact(service.forget, request.request_id, actor=f"staff:{bank.checker.login_id}")
    assert bank.now() == bank.resident


def test_a_request_lapses_after_three_days_and_may_be_made_again(bank: Bank) -> None:
    request = bank.asked()
    with clock.at(clock.now() + timedelta(hours=73)):
        with pytest.raises(ForgettingDecided):
            bank.database.transact(service.forget, request.request_id, actor=f"staff:{bank.checker.login_id}")
        bank.asked()
    with bank.database.reading() as db:
        assert queries.get_request(db, request.request_id).state is State.LAPSED


def test_the_preview_counts_what_would_go_and_takes_nothing(bank: Bank) -> None:
    request = bank.asked()
    by = f"staff:{bank.checker.login_id}"
    expected = bank.database.transact(service.preview, request.request_id, actor=by)
    assert found_in(bank.database) >= {"residents_residents.name", "ledger_private_parts.content"}
    assert bank.database.transact(service.forget, request.request_id, actor=by) == expected
    assert expected.donated_points > 0
    assert min(expected.cards, expected.memos, expected.notes, expected.roster_rows, expected.answers) > 0


def test_points_that_are_given_up_stay_and_expire_on_their_day(bank: Bank) -> None:
    """No line is written by giving up; nobody can spend them; each lot goes when it would have gone."""
    account, book = bank.resident.account_id, bank.resident.book_id
    with bank.database.reading() as db:
        held = ledger.balance(db, book, account, Unit.POINTS).balance
        days = {lot.expires_on for lot in ledger.open_lots(db, book, account, Unit.POINTS, clock.now())}
    request = bank.asked(Points.LEAVE)
    assert request.points is Points.LEAVE
    removal = bank.database.transact(service.forget, request.request_id, actor=f"staff:{bank.checker.login_id}")
    assert (removal.donated_points, removal.given_up_points) == (0, held)
    with bank.database.reading() as db:
        assert ledger.balance(db, book, account, Unit.POINTS).balance == held
        [leaf] = [leaf for _, leaf in facts.list_leaves(db, book, Log.LEDGER, 1, 99) if b'"k":"erase"' in leaf]
    assert json.loads(leaf)["left"] == held
    last = max(day for day in days if day is not None)
    for day in (last - timedelta(days=60), last):
        with clock.at(clock.start_of(day)):
            expire_points(bank.database)
    with bank.database.reading() as db:
        [line] = ledger.history(db, book, account, Unit.POINTS, limit=1)
        report = ledger.verify(db, book)
    assert line.kind == "expiry"
    assert report.is_sound


def test_next_of_kin_ask_for_one_who_died(bank: Bank) -> None:
    asked = Asked(Ground.KIN, AskedBy.KIN, Proof.DOCUMENTS, Points.DONATE)
    request = bank.database.transact(service.ask, bank.resident.resident_id, asked, actor="staff:71")
    bank.database.transact(service.forget, request.request_id, actor="staff:72")
    assert bank.now().is_forgotten
