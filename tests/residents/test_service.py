"""Acts on one resident: enrolment, corrections, cards, consents, households."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date, timedelta

import pytest

from moralbank import clock, ids, ledger
from moralbank.access import queries as access
from moralbank.access import sessions
from moralbank.branches.queries import Branch
from moralbank.db import Database
from moralbank.errors import MoralBankError
from moralbank.residents import queries, service
from moralbank.residents.enrolment import Person
from moralbank.residents.errors import (
    AlreadyEnrolled,
    BranchWithoutBook,
    CardInForce,
    GuardianMissing,
    NoCardInForce,
    ResidentLeft,
    StatusNotNext,
    UnknownResident,
)
from moralbank.residents.queries import Resident
from moralbank.residents.values import CARD_DIGITS, Consent, Status
from tests.residents.conftest import STAFF


def zhang(street: dict[str, Branch]) -> Person:
    """Zhang Guiying, 72, of household H1, whose phone her husband uses too."""
    return Person(
        name="张桂英",
        branch_id=street["NS-01"].branch_id,
        phone="13800000001",
        household_code="H1",
        born_on=date(1954, 3, 1),
        sex="female",
    )


@pytest.fixture
def enrolled(database: Database, street: dict[str, Branch]) -> Resident:
    return database.transact(service.enrol, zhang(street), [Consent.RECORD], actor=STAFF)


def test_enrolling_gives_an_account_a_number_and_a_card(database: Database, enrolled: Resident) -> None:
    assert len(enrolled.number) == 8
    assert enrolled.status is Status.ACTIVE
    assert enrolled.joined_on == clock.today()
    with database.reading() as db:
        card = queries.find_card(db, enrolled.resident_id)
        account = ledger.find_account(db, enrolled.book_id, enrolled.account_id)
        by_card = queries.find_by_card(db, card.number) if card else None
        assert queries.find_by_number(db, enrolled.book_id, enrolled.number) == enrolled
        assert queries.residents_by_account(db, [enrolled.account_id]) == {enrolled.account_id: enrolled}
        assert queries.consenting(db, Consent.RECORD, [enrolled.resident_id]) == {enrolled.resident_id}
        assert queries.consenting(db, Consent.NOTICE, [enrolled.resident_id]) == set()
    assert account is not None
    assert account.kind is ledger.AccountKind.RESIDENT
    assert card is not None
    assert len(card.number) == CARD_DIGITS
    assert card.number.startswith("70")
    assert ids.has_valid_check(card.number)
    assert by_card == (enrolled, card)


def test_a_person_is_enrolled_once_in_a_book(database: Database, street: dict[str, Branch], enrolled: Resident) -> None:
    elsewhere = replace(zhang(street), branch_id=street["NS-02"].branch_id)
    with pytest.raises(AlreadyEnrolled) as refusal:
        database.transact(service.enrol, elsewhere, actor=STAFF)
    assert refusal.value.fields == {"number": enrolled.number}


def test_two_desks_at_once_enrol_a_person_once(database: Database, street: dict[str, Branch]) -> None:
    def enrol(_: int) -> bool:
        try:
            database.transact(service.enrol, zhang(street), actor=STAFF)
        except AlreadyEnrolled:
            return False
        return True

    with ThreadPoolExecutor(8) as desks:
        assert sum(desks.map(enrol, range(8))) == 1


def test_a_household_shares_a_phone(database: Database, street: dict[str, Branch], enrolled: Resident) -> None:
    husband = database.transact(service.enrol, replace(zhang(street), name="李建国"), actor=STAFF)
    with database.reading() as db:
        assert [one.name for one in queries.list_by_phone(db, "13800000001")] == ["张桂英", "李建国"]
        branch_ids = [branch.branch_id for branch in street.values()]
        assert husband.household_id is not None
        members = queries.list_household(db, husband.household_id, branch_ids)
        assert queries.list_household(db, husband.household_id, [street["NS-02"].branch_id]) == []
    assert [member.resident_id for member in members] == [enrolled.resident_id, husband.resident_id]


def test_nobody_is_enrolled_above_the_hubs(database: Database, street: dict[str, Branch]) -> None:
    with pytest.raises(BranchWithoutBook):
        database.transact(service.enrol, replace(zhang(street), branch_id=street["DZ"].branch_id), actor=STAFF)


@pytest.mark.parametrize("missing", ["guardian_name", "guardian_relation"])
def test_a_minor_needs_a_guardian(database: Database, street: dict[str, Branch], missing: str) -> None:
    born_on = clock.today() - timedelta(days=16 * 365)
    minor = replace(zhang(street), born_on=born_on, guardian_name="张伟", guardian_relation="父亲")
    with pytest.raises(GuardianMissing) as refusal:
        database.transact(service.enrol, replace(minor, **{missing: None}), actor=STAFF)
    assert set(refusal.value.errors) == {missing}
    assert database.transact(service.enrol, minor, actor=STAFF).guardian_name == "张伟"


def test_a_correction_keeps_number_account_and_household(
    database: Database, street: dict[str, Branch], enrolled: Resident
) -> None:
    person = replace(zhang(street), name="张桂瑛", phone=None, branch_id=street["NS-02"].branch_id)
    after = database.transact(service.correct, enrolled.resident_id, person, actor=STAFF)
    assert (after.name, after.phone, after.branch_id) == ("张桂瑛", None, street["NS-02"].branch_id)
    kept = ("number", "account_id", "household_code", "joined_on")
    assert [getattr(after, name) for name in kept] == [getattr(enrolled, name) for name in kept]
    with database.reading() as db:
        deed = queries.list_deeds(db, enrolled.resident_id)[0]
    assert (deed.deed, deed.note, deed.done_by) == ("corrected", "name phone branch_id", STAFF)


def test_nobody_is_corrected_into_somebody_else(
    database: Database, street: dict[str, Branch], enrolled: Resident
) -> None:
    other = database.transact(service.enrol, replace(zhang(street), name="李建国"), actor=STAFF)
    with pytest.raises(AlreadyEnrolled):
        database.transact(service.correct, other.resident_id, zhang(street), actor=STAFF)
    with database.reading() as db:
        assert queries.get_resident(db, other.resident_id) == other


def test_a_replaced_card_is_out_of_force_at_once(database: Database, enrolled: Resident) -> None:
    with database.reading() as db:
        old = queries.find_card(db, enrolled.resident_id)
    assert old is not None
    new = database.transact(service.reissue_card, enrolled.resident_id, "卡丢了", actor=STAFF)
    with database.reading() as db:
        found = queries.find_by_card(db, old.number)
        assert queries.find_card(db, enrolled.resident_id) == new
    assert found is not None
    assert not found[1].is_active
    assert found[1].revoke_reason == "卡丢了"


def test_a_resident_has_one_card_in_force(database: Database, enrolled: Resident) -> None:
    with pytest.raises(CardInForce):
        database.transact(service.issue_card, enrolled.resident_id, actor=STAFF)
    database.transact(service.revoke_card, enrolled.resident_id, "卡丢了", actor=STAFF)
    with pytest.raises(NoCardInForce):
        database.transact(service.revoke_card, enrolled.resident_id, "卡丢了", actor=STAFF)
    assert database.transact(service.issue_card, enrolled.resident_id, actor=STAFF).is_active


def test_two_desks_at_once_replace_a_card_and_one_stays_in_force(database: Database, enrolled: Resident) -> None:
    def reissue(_: int) -> None:
        database.transact(service.reissue_card, enrolled.resident_id, "卡丢了", actor=STAFF)

    with ThreadPoolExecutor(4) as desks:
        list(desks.map(reissue, range(4)))
    with database.reading() as db:
        cards = queries.list_cards(db, enrolled.resident_id)
    assert [card.is_active for card in cards] == [True, False, False, False, False]


@pytest.mark.parametrize("number", ["", "7", "7" * 24, "71" + "0" * 22])
def test_other_numbers_are_nobodys_card(database: Database, enrolled: Resident, number: str) -> None:
    with database.reading() as db:
        assert queries.find_by_card(db, number) is None


def test_consents_are_given_and_withdrawn_one_by_one(database: Database, enrolled: Resident) -> None:
    one = enrolled.resident_id
    database.transact(service.give_consent, one, Consent.NOTICE, actor="resident:9")
    database.transact(service.give_consent, one, Consent.NOTICE, actor=STAFF)
    database.transact(service.withdraw_consent, one, Consent.NOTICE, actor="resident:9")
    database.transact(service.give_consent, one, Consent.NOTICE, actor=STAFF)
    with database.reading() as db:
        lines = queries.list_consents(db, one)
        assert queries.consenting(db, Consent.NOTICE, [one]) == {one}
    assert [(line.kind, line.given_by, line.withdrawn_by) for line in lines] == [
        (Consent.NOTICE, STAFF, None),
        (Consent.NOTICE, "resident:9", "resident:9"),
        (Consent.RECORD, STAFF, None),
    ]


def test_who_leaves_has_no_card_and_keeps_every_point(database: Database, enrolled: Resident) -> None:
    one = enrolled.resident_id
    left = database.transact(service.set_status, one, Status.LEFT, "搬走了", actor=STAFF)
    assert left.status is Status.LEFT
    with database.reading() as db:
        assert queries.find_card(db, one) is None
        assert queries.list_by_phone(db, "13800000001") == []
        assert ledger.find_account(db, enrolled.book_id, enrolled.account_id) is not None
    with pytest.raises(ResidentLeft):
        database.transact(service.issue_card, one, actor=STAFF)
    with pytest.raises(StatusNotNext):
        database.transact(service.set_status, one, Status.SUSPENDED, "搬走了", actor=STAFF)


def test_a_household_begins_with_its_first_member(database: Database, enrolled: Resident) -> None:
    moved = database.transact(service.join_household, enrolled.resident_id, "H77", actor=STAFF)
    assert moved.household_code == "H77"
    alone = database.transact(service.join_household, enrolled.resident_id, None, actor=STAFF)
    assert (alone.household_code, alone.household_id) == (None, None)


def test_a_household_gets_one_account_when_it_is_first_asked_for(database: Database, enrolled: Resident) -> None:
    assert enrolled.household_id is not None
    first = database.transact(service.household_account, enrolled.household_id)
    assert database.transact(service.household_account, enrolled.household_id) == first
    with database.reading() as db:
        account = ledger.find_account(db, enrolled.book_id, first)
    assert account is not None
    assert account.kind is ledger.AccountKind.HOUSEHOLD


def test_a_pin_opens_a_login_that_must_change_it(database: Database, enrolled: Resident) -> None:
    pin = database.transact(service.set_pin, enrolled.resident_id, by=None, actor=STAFF)
    with database.reading() as db:
        login = access.find_resident_login(db, enrolled.resident_id)
    assert len(pin) == 6
    assert login is not None
    assert login.must_change


def test_a_login_follows_its_resident_to_another_station_at_the_move(
    database: Database, street: dict[str, Branch], enrolled: Resident
) -> None:
    database.transact(service.set_pin, enrolled.resident_id, by=None, actor=STAFF)
    moved = replace(zhang(street), branch_id=street["NS-02"].branch_id)
    database.transact(service.correct, enrolled.resident_id, moved, actor=STAFF)
    with database.reading() as db:
        login = access.find_resident_login(db, enrolled.resident_id)
    assert login is not None
    assert [grant.branch_path for grant in login.grants] == [street["NS-02"].path]


@pytest.mark.parametrize(
    ("search", "found"),
    [("桂", True), ("0001", True), ("13800000001", True), ("1380000", False), ("%", False), ("李", False)],
)
def test_people_are_found_by_what_is_at_hand(database: Database, enrolled: Resident, search: str, found: bool) -> None:
    with database.reading() as db:
        assert queries.list_residents(db, [enrolled.branch_id], search=search) == ([enrolled] if found else [])
        assert queries.count_residents(db, [enrolled.branch_id], search=search) == int(found)
        assert queries.list_residents(db, [enrolled.branch_id + 99], search=search) == []


def test_people_are_found_by_number_and_card(database: Database, enrolled: Resident) -> None:
    with database.reading() as db:
        card = queries.find_card(db, enrolled.resident_id)
        assert card is not None
        for search in (enrolled.number, card.number):
            assert queries.list_residents(db, [enrolled.branch_id], search=search) == [enrolled]


@pytest.mark.parametrize(
    "act",
    [
        lambda db: service.issue_card(db, 99, actor=STAFF),
        lambda db: service.revoke_card(db, 99, "x", actor=STAFF),
        lambda db: service.give_consent(db, 99, Consent.PHOTO, actor=STAFF),
        lambda db: service.join_household(db, 99, "H1", actor=STAFF),
        lambda db: service.set_status(db, 99, Status.LEFT, "x", actor=STAFF),
        lambda db: service.set_pin(db, 99, by=None, actor=STAFF),
    ],
)
def test_nothing_is_done_about_nobody(database: Database, act: object) -> None:
    with pytest.raises(UnknownResident) as refusal:
        database.transact(act)  # type: ignore[arg-type]
    assert isinstance(refusal.value, MoralBankError)


def test_a_suspended_residents_phone_is_logged_out_until_they_go_on(database: Database, enrolled: Resident) -> None:
    one = enrolled.resident_id
    database.transact(service.set_pin, one, by=None, actor=STAFF, secret="258369")
    login = database.transact(access.find_resident_login, one)
    token = database.transact(sessions.open_session, login.login_id, address="127.0.0.1", device="phone")

    def is_in() -> bool:
        with database.reading() as db:
            return access.find_signed_in(db, token) is not None

    assert is_in()
    database.transact(service.set_status, one, Status.SUSPENDED, "核对身份", actor=STAFF)
    assert not is_in()
    database.transact(service.set_status, one, Status.ACTIVE, "核对好了", actor=STAFF)
    with database.reading() as db:
        assert access.find_resident_login(db, one).suspended_at is None
