"""Whatever the demonstration's logs show to anybody, no person and no account is in it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient

from moralbank import ledger
from moralbank.app import create_app
from moralbank.branches.queries import list_branches
from moralbank.config import Config
from moralbank.db import Database
from moralbank.demo.district import Scale, load_district
from moralbank.residents.queries import cards_in_force, list_residents
from moralbank.transparency import Log, queries
from moralbank.transparency.tiles import WIDTH, Tile, partial_tiles
from tests.logbook._signed import seal, sign

CODE = "NS-00"


@pytest.fixture
def district(migrated_sqlite: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    """What is public is computed alike on both engines, so one is enough."""
    monkeypatch.setenv("MORALBANK_VAR", str(tmp_path))
    shutil.copy(migrated_sqlite, tmp_path / "moralbank.db")
    database = Database(f"sqlite:///{tmp_path / 'moralbank.db'}")
    load_district(database, Scale(residents=24, days=20), lambda days: None)
    yield database
    database.dispose()


def _sizes(database: Database) -> dict[Log, int]:
    sizes = {log: database.transact(seal, 1, log) for log in Log}
    for log, size in sizes.items():
        database.transact(sign, 1, log, size)
    return sizes


def _paths(database: Database, sizes: dict[Log, int]) -> Iterator[str]:
    """Yield every public address of the book, each tile and the proof of every entry."""
    yield from ("/log", f"/log/{CODE}")
    for log, size in sizes.items():
        own = f"/log/{CODE}" + ("/access" if log is Log.ACCESS else "")
        yield from (f"{own}/{name}" for name in ("checkpoint", "keys", "policy", f"consistency/1/{size}"))
        tiles = [Tile(0, index) for index in range(size // WIDTH)] + list(partial_tiles(size))
        yield from (f"{own}/{tile.path}" for tile in tiles)
        yield from (f"{own}/facts/{number}/proof" for number in (1, 2) if log is Log.ACCESS)
    with database.reading() as db:
        entries = ledger.list_entries(db, 1, ledger.EntryFilter(), limit=100)
    yield from (f"/log/{CODE}/entries/{entry.entry_id}/proof" for entry in entries)


def _personal(database: Database) -> dict[str, str]:
    """Return what belongs to somebody, each with what it is."""
    with database.reading() as db:
        branches = [branch.branch_id for branch in list_branches(db)]
        people = [person for branch in branches for person in list_residents(db, [branch], limit=200)]
        cards = cards_in_force(db, [person.resident_id for person in people])
        accounts = db.execute(sa.text("SELECT account_id FROM ledger_accounts")).scalars().all()
    found = {str(account): "account" for account in accounts}
    for person in people:
        found |= {person.name: "name", person.number: "number", str(person.account_id): "account"}
        if person.phone:
            found[person.phone] = "phone"
    return found | {card.number: "card" for card in cards.values()}


def test_no_name_phone_number_card_or_account_is_in_what_anybody_may_read(district: Database):
    config = Config(
        database_url=str(district.engine.url), secret_key="x" * 40, public_url="http://localhost",
        production=False, debug=False,
    )  # fmt: skip
    client: FlaskClient = create_app(config, district).test_client()
    sizes = _sizes(district)
    personal = _personal(district)
    kinds = set(personal.values())
    assert kinds == {"name", "phone", "number", "card", "account"}
    assert len(personal) > 80
    with district.reading() as db:  # The leaves themselves name accounts, so that looking for them finds something.
        leaves = b"".join(leaf for _, leaf in queries.list_leaves(db, 1, Log.LEDGER, 0, 50)).decode()
    assert [thing for thing in personal if thing in leaves]
    read = 0
    for path in _paths(district, sizes):
        answer = client.get(path)
        assert answer.status_code == 200, path
        text = answer.get_data().decode("utf-8", "replace")
        assert [what for thing, what in personal.items() if thing in text] == [], path
        read += 1
    assert read > 60
