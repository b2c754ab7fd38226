"""An old backup does not bring a forgotten person back: their cells are sealed under a key that is gone."""

from __future__ import annotations

import zlib
from importlib import import_module
from pathlib import Path

import pytest
import sqlalchemy as sa

from moralbank import ledger
from moralbank.backup import service as backup
from moralbank.backup.errors import BackupDamaged, PeopleKeysMissing, PeopleKeysOlder, PeopleKeysUnfit, PeopleKeysWrong
from moralbank.backup.people import people_keys
from moralbank.backup.service import Steps
from moralbank.db import Database, metadata
from moralbank.forgetting import jobs
from moralbank.personal import PERSONAL
from moralbank.residents import queries as residents
from tests.forgetting.conftest import NAME, Bank
from tests.forgetting.test_forget import cells, found_in, marks_in

#: Codes, states, roles with logins, digests, ids and titles of things: nothing of who the person is.
TELLS_NOTHING = {
    "access_deeds": "about kind leaf_hash reason role",
    "access_logins": "display_name name opened_by secret_kind",
    "activities_awards": "capped_by grade kind occurred_on reason rule_code",
    # Of a device's scans the hash is of random numbers and times; of a certificate the token is of what was erased.
    "activities_device_scans": "cause decided_by direction hash means nonce prev_hash state uploaded_by",
    "activities_checkins": "actor direction doubt means nonce undone_by",
    "activities_helped": "secret_hash",
    "activities_late_entries": "ended_by month outcome",
    "activities_signups": "state",
    "activities_spot_answers": "actor",
    "approvals_requests": "checker kind maker state",
    "behalf_links": "agreed_on basis ended_by kind made_by until_on",
    "certificates_certificates": "issued_by number short_code since_on token until_on voided_by",
    "certificates_facts": "kind noted_by on_day",
    "forgetting_requests": "asked_for_by asked_role decided_role ground points proven_by state",
    "messages_messages": "event kind",
    "messages_optouts": "channel kind",
    "objections_objections": "about about_actor about_kind answer_by answered_by state",
    "redemptions_charges": "settlement_mode code_hash means terminal title",
    "redemptions_codes": "hash",
    "redemptions_phone_orders": "code_hash fingerprint key kind number refusal state terminal title",
    "redemptions_spendings": "month_on",
    "redemptions_vouchers": "key number state title until_on",
    "residents_cards": "issued_by revoked_by",
    "residents_consents": "kind withdrawn_by",
    "residents_deeds": "deed done_by",
    "residents_import_rows": "reason_code reason_column reasons verdict",
    "residents_residents": "enrolled_by joined_on number status",
    "web_idempotency": "content_type fingerprint key",
}


def back_up(bank: Bank, name: str = "old.backup") -> Path:
    return backup.back_up(bank.url, bank.var / name, None, Steps(), bank.people)


def unpacked(path: Path) -> Path:
    """Return a file with what an unencrypted backup holds, out of its chunks and compression."""
    content = path.read_bytes().partition(b"\n")[2]
    packed, place, last = b"", 0, False
    while not last:
        length = int.from_bytes(content[place : place + 4], "big")
        last, length = bool(length >> 31), length & ~(1 << 31)
        packed += content[place + 4 : place + 4 + length - 32]
        place += 4 + length
    plain = path.with_suffix(".plain")
    plain.write_bytes(zlib.decompress(packed))
    return plain


def restored(bank: Bank, path: Path, url: str, people: Path | None = None) -> Database:
    backup.restore(url, path, None, Steps(), people or bank.people)
    return Database(url)


def test_a_backup_holds_nobodys_name_in_the_clear_and_comes_back_whole(bank: Bank, empty_url: str) -> None:
    path = back_up(bank)
    assert marks_in([unpacked(path)]) == set()
    place = restored(bank, path, empty_url)
    try:
        skipped = {
            "residents_import_rows.cells",
            "residents_import_rows.person",
            "residents_imports.file_name",
            "platform_leases.until_seconds",
        }
        there = sorted(cell for cell in cells(bank.database) if cell[0] not in skipped)
        assert sorted(cell for cell in cells(place) if cell[0] not in skipped) == there
    finally:
        place.dispose()


def test_a_person_forgotten_since_stays_forgotten_when_an_old_backup_is_restored(bank: Bank, empty_url: str) -> None:
    path = back_up(bank)
    bank.forget()
    assert jobs.sweep(bank.database, bank.people) == 1
    place = restored(bank, path, empty_url)
    try:
        left = found_in(place)
        assert left <= {"residents_residents.phone"}, "her neighbour's"
        with place.reading() as db:
            back = residents.get_resident(db, bank.resident.resident_id)
            neighbour = residents.get_resident(db, bank.neighbour.resident_id)
            assert ledger.verify(db, bank.resident.book_id).is_sound
        assert (back.name, back.phone, back.is_forgotten, back.status) == ("", None, True, "left")
        assert neighbour == bank.neighbour
    finally:
        place.dispose()


def test_the_next_backup_destroys_the_key_where_no_job_could(bank: Bank) -> None:
    back_up(bank)
    bank.forget()
    back_up(bank, "next.backup")
    with people_keys(bank.people) as keys:
        assert keys.is_gone(bank.resident.resident_id)
        assert not keys.is_gone(bank.neighbour.resident_id)


def test_a_restore_without_the_right_keys_is_refused_and_leaves_the_place_empty(bank: Bank, empty_url: str) -> None:
    path = back_up(bank)
    with pytest.raises(PeopleKeysMissing):
        backup.restore(empty_url, path, None, Steps())
    with pytest.raises(PeopleKeysUnfit):
        backup.restore(empty_url, path, None, Steps(), bank.var / "nowhere.keys")
    other = bank.var / "other.keys"
    with people_keys(other, make=True):
        pass
    with pytest.raises(PeopleKeysWrong):
        backup.restore(empty_url, path, None, Steps(), other)
    other.write_bytes(bank.people.read_bytes()[:64])
    with pytest.raises(PeopleKeysOlder):
        backup.restore(empty_url, path, None, Steps(), other)
    other.chmod(0o644)
    with pytest.raises(PeopleKeysUnfit):
        backup.restore(empty_url, path, None, Steps(), other)
    place = restored(bank, path, empty_url)
    place.dispose()


def test_keys_that_were_made_stay_and_a_destroyed_one_never_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "people.keys"
    with people_keys(path, make=True) as keys:
        sealed = {who: keys.seal(who, "t.c", NAME.encode()) for who in (1, 2, 70_000)}
        keys.save()
    assert path.stat().st_mode & 0o777 == 0o600
    with people_keys(path) as keys:
        keys.destroy([2])
    with people_keys(path, make=True) as keys:
        assert keys.open(1, "t.c", sealed[1]) == keys.open(70_000, "t.c", sealed[70_000]) == NAME.encode()
        assert keys.is_gone(2)
        again = keys.seal(2, "t.c", b"x")
        keys.save()
    with people_keys(path) as keys:
        assert keys.is_gone(2)
        with pytest.raises(BackupDamaged):
            keys.open(2, "t.c", again)


def test_every_text_about_a_resident_is_on_the_list_of_what_tells_of_people() -> None:
    """A column that is added beside a resident's number must be sealed, or be said to tell nothing."""
    for path in sorted(Path(__file__).resolve().parents[2].glob("moralbank/*/models.py")):
        import_module(f"moralbank.{path.parent.name}.models")
    import_module("moralbank.web.idempotency")
    held = {f"{one.table}.{name}" for one in PERSONAL for name in one.columns}
    known = {f"{table.name}.{column.name}" for table in metadata.tables.values() for column in table.c}
    assert held <= known
    told = {
        f"{table.name}.{column.name}"
        for table in metadata.tables.values()
        if "resident_id" in table.c
        for column in table.c
        if isinstance(column.type, sa.String | sa.LargeBinary | sa.JSON | sa.Date)
    }
    nothing = {f"{table}.{name}" for table, names in TELLS_NOTHING.items() for name in names.split()}
    unknown = told - held - nothing
    assert unknown == set(), "does it tell who somebody is? then moralbank/personal.py, else the list here"
