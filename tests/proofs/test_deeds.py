"""Who was looked at finds each look's proof, and auditors that of every deed; strangers find only hashes."""

from __future__ import annotations

import json
import re

import pytest
from flask import Flask

from moralbank import clock
from moralbank.access.deeds import Deed, Kind, Reason, record
from moralbank.db import Database
from moralbank.residents.queries import Resident
from moralbank.transparency import Log, facts, leaf_hash
from moralbank.transparency.cosignature import NO_WITNESSES
from moralbank.transparency.proof import parse, verify
from tests._people import make_login, sign_in
from tests.logbook._signed import SignedBook, key_of, open_signed_book
from tests.redemptions.conftest import make_resident

PAGE = re.compile(r'href="(/log/NS-00/access/deeds/(\d+))#([0-9a-f]{64})"')


@pytest.fixture
def signed(database: Database) -> SignedBook:
    return open_signed_book(database)


@pytest.fixture
def zhang(database: Database, signed: SignedBook) -> Resident:
    """Zhang Jiansan, whose data somebody looked at because his son had called."""
    zhang = database.transact(make_resident, signed.branches["NS-01"], "张建三")
    whose = (zhang.branch_id, zhang.book_id, zhang.resident_id, zhang.account_id)
    database.transact(record, Deed("staff:7", Kind.VIEW, *whose, reason=Reason.OTHER, note="儿子来电"))
    return zhang


def test_a_look_leads_to_its_proof_and_a_stranger_reads_nothing_in_it(
    app: Flask, database: Database, signed: SignedBook, zhang: Resident
) -> None:
    signed.sign(Log.ACCESS)
    resident, stranger = app.test_client(), app.test_client()
    login = database.transact(make_login, "resident", signed.branches["NS-01"], None, zhang.resident_id)
    sign_in(resident, login)
    [(path, number, code)] = PAGE.findall(resident.get("/me/profile/lookers").text)
    with database.reading() as db:
        [(_, leaf)] = facts.list_leaves(db, signed.book, Log.ACCESS, int(number), 1)
    assert json.loads(leaf)["a"] == zhang.account_id
    assert leaf_hash(leaf).hex() == code
    page = stranger.get(path)
    assert page.status_code == 200
    assert code in page.text
    assert "这一条经办记录在银行签过的账里，没有改过。" in page.text
    said = page.text.replace(code, "").partition("<main")[2]
    for private in ("张建三", "张*三", "儿子", "staff:7", str(zhang.account_id)):
        assert private not in said
    proof = parse(stranger.get(f"{path}.tlog-proof").data)
    key = key_of(signed.book, Log.ACCESS)
    assert verify(proof, bytes.fromhex(code), key.name, (key.key,), NO_WITNESSES).body.origin == key.name


def test_auditors_find_the_proof_of_every_deed(
    app: Flask, database: Database, signed: SignedBook, zhang: Resident
) -> None:
    signed.sign(Log.ACCESS)
    client = app.test_client()
    sign_in(client, database.transact(make_login, "auditor", signed.branches["NS-00"]))
    found = PAGE.findall(client.get("/audit/deeds").text)
    assert found
    assert all(client.get(path).status_code == 200 for path, _, _ in found)


def test_a_deed_of_just_now_waits_and_an_unknown_one_is_none(
    app: Flask, database: Database, signed: SignedBook, zhang: Resident
) -> None:
    client = app.test_client()
    with database.reading() as db:
        number = facts.find_last(db, signed.book, Log.ACCESS)
    path = f"/log/NS-00/access/deeds/{number}"
    assert "这一条刚刚记下" in client.get(path).text
    with clock.at(clock.now() + clock.now().resolution * 600_000_000):
        assert "还没有封" in client.get(path).text
    assert client.get(f"{path}.tlog-proof").status_code == 425
    for unknown in (f"/log/NS-00/access/deeds/{number + 1}", "/log/NS-00/access/deeds/0", "/log/XX-99/access/deeds/1"):
        assert client.get(unknown).status_code == 404
