"""Opens the district: branches, rules, merchants, staff; and enrols its people, by roster and one by one."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from datetime import datetime, timedelta
from random import Random

from sqlalchemy import Connection

from moralbank import clock, earning, setup
from moralbank.access import queries as access_queries
from moralbank.access import service as access
from moralbank.access.queries import Principal
from moralbank.access.service import GrantDraft
from moralbank.activities.service import ensure_qr_key
from moralbank.branches.queries import Branch, list_branches
from moralbank.branches.service import load_branches
from moralbank.demo.diary import Diary
from moralbank.demo.neighbours import Neighbour
from moralbank.demo.programmes import read
from moralbank.demo.town import Town
from moralbank.merchants import queries as merchants
from moralbank.merchants.service import load_files
from moralbank.residents import importing, roster, service
from moralbank.residents.enrolment import Person
from moralbank.residents.queries import cards_in_force, list_residents
from moralbank.residents.values import Consent

HUB = "NS-00"
ADMIN, AUDITOR = "demo-admin", "demo-auditor"
_STAFF = {
    "NS-00": ("demo-hub", "彭小红"),
    "NS-01": ("demo-station", "周敏"),
    "NS-02": ("demo-station-2", "吴晓波"),
    "NS-03": ("demo-station-3", "郑海燕"),
    "NS-04": ("demo-station-4", "冯立新"),
    "NS-05": ("demo-station-5", "韩春霞"),
    "NS-06": ("demo-station-6", "曾志刚"),
}
_COLUMNS = "姓名 手机号 所属驿站 户号 网格 楼栋 性别 党员 出生日期 登记日期 期初积分".split()
_CONSENTS = ((Consent.RECORD, 0.97), (Consent.NOTICE, 0.6), (Consent.PHOTO, 0.4), (Consent.HONOUR, 0.5))
_PIN_FROM_AGE = 12


def open_district(db: Connection, random: Random, now: datetime, people: list[Neighbour]) -> Town:
    """Open the bank as its administrator would on the first day; the clock stands there already."""
    load_branches(db, read("branches.csv"))
    earning.load_rules(db, earning.packaged_rules(), actor=access.SYSTEM, consultation=setup.CONSULTATION)
    load_files(db, read("merchants.csv"), read("offers.csv"))
    ensure_qr_key(db)
    branches = {branch.code: branch for branch in list_branches(db)}
    book = branches[HUB].book_id
    assert book is not None, "a hub keeps a book"
    admin = _login(db, ADMIN, "周主任", GrantDraft("admin", None), None)
    _login(db, AUDITOR, "何监督", GrantDraft("auditor", branches["NS"].branch_id), admin)
    staff = {
        code: _login(db, name, display, GrantDraft("staff", branches[code].branch_id), admin)
        for code, (name, display) in _STAFF.items()
    }
    for merchant in merchants.list_merchants(db, status="active"):
        _login(db, till_name(merchant.code), merchant.contact,
               GrantDraft("operator", merchant.branch_id, merchant.merchant_id), admin)  # fmt: skip
    return Town(db, random, Diary(), now, branches, book, admin, staff, people)


def till_name(merchant_code: str) -> str:
    """Return the login of the operator at a merchant's till."""
    return f"till-{merchant_code.casefold()}"


def enrol_everybody(town: Town, opened_at: datetime) -> None:
    """Write into the diary how each becomes a resident: by the old paper's roster, or at a desk later in the year."""
    on_roster = [person for person in town.neighbours if person.opening_points is not None]
    town.diary.at(opened_at, lambda: _take_in_roster(town, on_roster))
    days = max(1, (town.now - opened_at).days)
    for person in town.neighbours:
        if person.opening_points is None:
            # Most come in the first third of the year.
            after = timedelta(days=days * town.random.random() ** 2 * 0.9, hours=town.random.randint(1, 7))
            town.diary.at(_at_desk(opened_at + after), lambda person=person: _enrol(town, person))  # type: ignore[misc]


def _at_desk(instant: datetime) -> datetime:
    """Return an instant of the same day at which the desk is open."""
    local = clock.local(instant)
    return local.replace(hour=9 + local.minute % 8)


def _login(db: Connection, name: str, display_name: str, grant: GrantDraft, by: Principal | None) -> Principal:
    opened = access.open_login(db, name, display_name, [grant], by=by)
    return access_queries.get_principal(db, opened.login_id)


def _take_in_roster(town: Town, people: Sequence[Neighbour]) -> None:
    """Import the old paper's roster as the hub's staff would, and confirm it."""
    db, hub, actor = town.db, town.branches[HUB], town.staff_actor(HUB)
    names = {branch.name_zh: branch.branch_id for branch in town.branches.values() if branch.book_id}
    sheet = roster.read(io.BytesIO(_sheet(people, town.branches)), "旧台账储户名册.csv", names)
    import_id = importing.begin_import(
        db, hub, file_name="旧台账储户名册.csv", file_format=sheet.file_format, header=sheet.header, actor=actor
    )
    importing.add_rows(db, import_id, list(sheet))
    importing.end_reading(db, import_id)
    importing.confirm_import(db, import_id, actor=actor)
    while importing.import_page(db, import_id):
        pass
    for person in people:
        person.balance += person.opening_points or 0
    _know(town, people)
    for person in people:
        when = _at_desk(clock.now() + timedelta(days=town.random.randint(1, 25), minutes=town.random.randint(0, 59)))
        town.diary.at(when, lambda person=person: _visit_desk(town, person))  # type: ignore[misc]


def _sheet(people: Sequence[Neighbour], branches: dict[str, Branch]) -> bytes:
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(_COLUMNS)
    for person in people:
        joined_on = clock.today() - timedelta(days=200)
        writer.writerow(
            [
                person.name, person.phone or "", branches[person.branch].name_zh, person.household, person.grid,
                person.building, person.sex, "是" if person.party_member else "否", person.born_on, joined_on,
                person.opening_points,
            ]
        )  # fmt: skip
    return out.getvalue().encode("utf-8-sig")


def _know(town: Town, people: Sequence[Neighbour]) -> None:
    """Find the residents that the roster's people have become."""
    ids = [branch.branch_id for branch in town.branches.values()]
    found = {(one.name, one.phone, one.household_code): one for one in list_residents(town.db, ids, limit=500)}
    for person in people:
        person.resident_id = found[person.name, person.phone, person.household].resident_id
        town.residents[person.resident_id] = person
    cards = cards_in_force(town.db, [person.resident_id for person in people])
    for person in people:
        person.card_number = cards[person.resident_id].number


def _enrol(town: Town, person: Neighbour) -> None:
    """Enrol somebody who comes to the desk."""
    guardian, relation = person.guardian or (None, None)
    details = Person(
        name=person.name,
        branch_id=town.branches[person.branch].branch_id,
        phone=person.phone,
        household_code=person.household,
        grid=person.grid,
        building=person.building,
        born_on=person.born_on,
        sex={"男": "male", "女": "female"}[person.sex],
        party_member=person.party_member,
        guardian_name=guardian,
        guardian_relation=relation,
    )
    resident = service.enrol(town.db, details, _agreed(town), actor=town.staff_actor(person.branch))
    person.resident_id = resident.resident_id
    person.card_number = cards_in_force(town.db, [resident.resident_id])[resident.resident_id].number
    town.residents[resident.resident_id] = person
    _give_pin(town, person)


def _visit_desk(town: Town, person: Neighbour) -> None:
    """Ask one of the roster what they agree to, and give them a PIN."""
    actor = town.staff_actor(person.branch)
    for consent in _agreed(town):
        service.give_consent(town.db, person.resident_id, consent, actor=actor)
    _give_pin(town, person)


def _agreed(town: Town) -> list[Consent]:
    return [consent for consent, share in _CONSENTS if town.random.random() < share]


def _give_pin(town: Town, person: Neighbour) -> None:
    """Give those a PIN who come to activities: the others haven't asked for one. Nobody knows it."""
    if person.eagerness < 1 or person.age(clock.today()) < _PIN_FROM_AGE:
        return
    by = town.staff[person.branch]
    service.set_pin(town.db, person.resident_id, by=by, actor=by.actor("staff"))
    login = access_queries.find_resident_login(town.db, person.resident_id)
    assert login is not None, "just given"
    person.login_id = login.login_id
