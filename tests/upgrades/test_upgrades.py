"""From every earlier revision, with people's points in it, to the newest, while the code before it goes on working."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa

from moralbank import db as moralbank_db
from moralbank import guards, ledger, schema, startup
from moralbank.db import APP_ROLE, Database
from moralbank.ledger import AccountKind, Draft, Leg, Posted, Unit, models
from tests import _ci, _postgres
from tests.conftest import PG_PORT
from tests.upgrades import _bank, _widening

ON_POSTGRESQL = pytest.mark.parametrize("url", ["postgresql"], indirect=True)
REVISIONS = schema.revisions()

_NEXT = '''"""The made-up step after the newest one."""
import sqlalchemy as sa
from alembic import op

revision = "{number}_made_up"
down_revision = "{head}"


def upgrade() -> None:
    {body}
'''
WIDENS = (
    "op.add_column('ledger_entries', sa.Column('note', sa.String(20), nullable=True));"
    "op.create_table('made_up', sa.Column('id', sa.Integer, primary_key=True))"
)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a place where there is nothing yet, on each engine in turn."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/bank.db"
        return
    if PG_PORT not in os.environ:
        _ci.missing("no PostgreSQL on this machine (set MORALBANK_PG_BIN)")
    cluster = _postgres.Cluster(int(os.environ[PG_PORT]))
    name = f"t_{uuid4().hex}"
    yield cluster.create_database(name)
    cluster.drop_database(name)


@pytest.fixture
def next_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], str]:
    """Have this code know one revision more, whose body is given; return its name."""

    def add(body: str) -> str:
        folder = tmp_path / "migrations"
        shutil.copytree(schema.MIGRATIONS, folder, ignore=shutil.ignore_patterns("__pycache__"))
        number = f"{int(REVISIONS[-1][:4]) + 1:04}"
        text = _NEXT.format(number=number, head=REVISIONS[-1], body=body)
        (folder / "versions" / f"{number}_made_up.py").write_text(text)
        monkeypatch.setattr(schema, "MIGRATIONS", folder)
        schema.revisions.cache_clear()
        return f"{number}_made_up"

    yield add
    monkeypatch.undo()
    schema.revisions.cache_clear()


def fill_at(url: str, revision: str) -> dict[str, int]:
    """Make a bank with rows in it at a revision; what came after 0008 was brought there by the steps themselves."""
    _bank.upgrade(url, min(revision, _bank.TAKEN_AT))
    counts = _bank.fill(url)
    _bank.upgrade(url, revision)
    return counts


@contextmanager
def opened(url: str) -> Iterator[Database]:
    database = Database(url)
    yield database
    database.dispose()


def award(database: Database, key: str) -> Posted:
    with database.reading() as db:
        issuer = ledger.internal_account(db, 1, AccountKind.ISSUER)
        [holder, *_] = ledger.list_accounts(db, 1, [AccountKind.RESIDENT])
    legs = (Leg(issuer, Unit.POINTS, -1), Leg(holder.account, Unit.POINTS, 1))
    return database.transact(ledger.post, Draft(1, "award", legs, key, "staff:1"))


def require_sound(url: str, counts: dict[str, int]) -> None:
    """The books close, every row is still there, the guards stand, and posting goes on."""
    with opened(url) as database:
        with database.reading() as db:
            assert len(ledger.list_books(db)) == 2
            for book in ledger.list_books(db):
                report = ledger.verify(db, book.book_id)
                assert report.is_sound, report.first_fault
            for table, count in counts.items():
                assert db.execute(sa.text(f"SELECT count(*) FROM {table}")).scalar_one() >= count, table
            assert guards.find_broken(db) == []
            [last] = ledger.list_entries(db, 1, ledger.EntryFilter(), limit=1)
        assert startup.look(database)["tail"] is None
        assert award(database, "after the upgrade".replace(" ", "-")).seq == last.seq + 1
        with database.reading() as db:
            assert ledger.verify(db, 1).is_sound


@pytest.mark.parametrize("revision", REVISIONS)
def test_a_bank_of_every_revision_comes_up_with_its_books(url: str, revision: str) -> None:
    if not url.startswith("sqlite") and REVISIONS.index(revision) % 5 and revision != REVISIONS[-1]:
        return  # Every step is taken by one that began before it; a database a revision would take minutes.
    counts = fill_at(url, revision)
    assert counts["ledger_entries"] == 4
    schema.migrate(url)
    require_sound(url, counts)


def test_what_old_code_writes_the_newest_schema_still_takes(url: str) -> None:
    schema.migrate(url)
    require_sound(url, _bank.fill(url))


@pytest.mark.long
def test_every_step_only_widens_what_the_code_before_it_uses(url: str) -> None:
    found = {}
    before: dict[str, _widening.Shape] = {}
    for revision in REVISIONS:
        _bank.upgrade(url, revision)
        with opened(url) as database, database.reading() as db:
            after = _widening.shapes(db)
        taken = set(_widening.narrowed(before, after)) - contracts(revision)
        if taken:
            found[revision] = sorted(taken)
        before = after
    assert found == {}, "see docs/OPERATIONS.md, Upgrades: expand, migrate, contract"


def contracts(revision: str) -> set[str]:
    path = schema.MIGRATIONS / "versions" / f"{revision}.py"
    spec = spec_from_file_location(revision, path)
    assert spec
    assert spec.loader
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return set(getattr(module, "CONTRACTS", ()))


#: What a step might do, and what is found of it; None: nothing, for old code doesn't notice.
DEEDS = (
    ("ALTER TABLE ledger_entries ADD COLUMN note VARCHAR(20)", None),
    ("ALTER TABLE ledger_books ADD COLUMN made INTEGER NOT NULL DEFAULT 0", None),
    ("CREATE INDEX one_name ON branches_branches (name_zh)", None),
    ("DROP TABLE history_accounts", "history_accounts is gone"),
    ("ALTER TABLE branches_branches DROP COLUMN address", "branches_branches: address is gone"),
    ("ALTER TABLE ledger_books RENAME COLUMN name TO title", "ledger_books: name is gone"),
    ("CREATE UNIQUE INDEX one_name ON branches_branches (name_zh)", "branches_branches: new: unique name_zh"),
)
DEEDS_POSTGRESQL = (
    (
        "ALTER TABLE ledger_books ADD made INTEGER NOT NULL",
        "ledger_books: made is new, needed, and old code doesn't give it",
    ),
    ("ALTER TABLE ledger_books ALTER name TYPE TEXT", "ledger_books: name was VARCHAR(100) and is TEXT"),
    ("ALTER TABLE access_logins ALTER name SET NOT NULL", "access_logins: name can't be empty any more"),
    ("ALTER TABLE ledger_books ADD CHECK (last_account < 9)", "ledger_books: new: check"),
    ("ALTER TABLE ledger_books DROP CONSTRAINT uq_ledger_books_code", "ledger_books: no longer: unique code"),
    ("REVOKE UPDATE ON ledger_books FROM moralbank_app", "ledger_books: no longer granted: UPDATE"),
)


@pytest.mark.long
def test_what_a_step_takes_away_is_named(url: str) -> None:
    schema.migrate(url)
    deeds = DEEDS if url.startswith("sqlite") else DEEDS + DEEDS_POSTGRESQL
    engine = moralbank_db.make_engine(url)
    with engine.connect() as db:
        before = _widening.shapes(db)
        for deed, what in deeds:
            db.rollback()
            if not url.startswith("sqlite"):
                db.exec_driver_sql("RESET ROLE")
            db.exec_driver_sql(deed)
            found = _widening.narrowed(before, _widening.shapes(db))
            assert found == [] if what is None else any(line.startswith(what) for line in found), (deed, found)
    engine.dispose()


def test_the_code_before_it_posts_while_the_next_step_runs_and_starts_again_after_it(
    url: str, next_step: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = fill_at(url, REVISIONS[-1])
    stop, faults, posted = threading.Event(), [], [0, 0]

    def work(client: int) -> None:
        with opened(url) as database:
            try:
                while not stop.is_set():
                    award(database, f"{client}-{posted[client]}")
                    posted[client] += 1
            except Exception as fault:
                faults.append(fault)

    clients = [threading.Thread(target=work, args=(client,)) for client in range(2)]
    for client in clients:
        client.start()
    while min(posted) < 3 and not faults:
        time.sleep(0.01)
    name = next_step(WIDENS)
    schema.migrate(url)
    at_upgrade = list(posted)
    while min(posted[client] - at_upgrade[client] for client in range(2)) < 3 and not faults:
        time.sleep(0.01)
    stop.set()
    for client in clients:
        client.join()
    assert faults == []
    monkeypatch.undo()
    schema.revisions.cache_clear()
    with opened(url) as database, database.reading() as db:
        assert schema.find_revision(db) == name
        assert schema.standing(name) is schema.Standing.AHEAD
    with opened(url) as database:
        alarms = {finding.alarm for finding in startup.look(database).values() if finding}
        assert alarms <= {"not-durable", "role-may-alter"}  # The tests' own server and its owner.
    schema.migrate(url)
    require_sound(url, counts)


def test_several_that_migrate_a_bank_at_once_do_it_once(url: str) -> None:
    counts = fill_at(url, REVISIONS[0])
    words = [sys.executable, "-m", "moralbank.cli", "migrate"]
    environment = dict(os.environ, DATABASE_URL=url)
    runners = [subprocess.Popen(words, env=environment, stderr=subprocess.PIPE, text=True) for _ in range(3)]
    ended = [(runner.communicate(timeout=120)[1], runner.returncode) for runner in runners]
    assert ended == [("", 0)] * 3
    require_sound(url, counts)


def test_a_step_that_fails_leaves_nothing_of_itself(
    url: str, next_step: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = fill_at(url, REVISIONS[-2])
    next_step("op.create_table('half', sa.Column('id', sa.Integer)); raise LookupError('in the middle')")
    with pytest.raises(LookupError):
        schema.migrate(url)
    with opened(url) as database, database.reading() as db:
        assert schema.find_revision(db) == REVISIONS[-2]
        assert "half" not in sa.inspect(db).get_table_names()
    monkeypatch.undo()
    schema.revisions.cache_clear()
    schema.migrate(url)
    require_sound(url, counts)


@pytest.fixture
def long_reader(url: str) -> Iterator[Callable[[], Any]]:
    """A transaction of somebody's that has read the ledger and won't end by itself."""
    engine = sa.create_engine(url)
    with engine.connect() as db:

        def begin() -> sa.Connection:
            db.exec_driver_sql("SELECT count(*) FROM ledger_entries")
            return db

        yield begin
    engine.dispose()


@ON_POSTGRESQL
def test_a_step_that_waits_for_a_lock_keeps_nobody_waiting_for_long(
    url: str, next_step: Callable[[str], str], long_reader: Callable[[], sa.Connection]
) -> None:
    counts = fill_at(url, REVISIONS[-1])
    name = next_step(WIDENS)
    reader = long_reader()
    migrating = threading.Thread(target=schema.migrate, args=(url,))
    migrating.start()
    time.sleep(0.5)
    with opened(url) as database:
        began = time.monotonic()
        award(database, "behind-the-step")  # Queues behind the step's lock until that gives up.
        assert time.monotonic() - began < 10
    reader.rollback()
    migrating.join(timeout=60)
    with opened(url) as database, database.reading() as db:
        assert schema.find_revision(db) == name
    require_sound(url, counts)


@ON_POSTGRESQL
def test_a_table_that_is_never_free_and_a_login_that_may_not_are_told_by_name(
    url: str,
    next_step: Callable[[str], str],
    long_reader: Callable[[], sa.Connection],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    schema.migrate(url)
    name = f"teller_{uuid4().hex[:8]}"
    reader = long_reader()
    reader.exec_driver_sql(f"CREATE ROLE {name} LOGIN IN ROLE {APP_ROLE}")
    reader.commit()
    next_step(WIDENS)
    with pytest.raises(schema.SchemaNotOwned):
        schema.migrate(sa.make_url(url).set(username=name).render_as_string())
    long_reader()
    monkeypatch.setattr(schema, "_TRIES", 1)
    with pytest.raises(schema.SchemaBusy):
        schema.migrate(url)
    reader.exec_driver_sql(f"DROP ROLE {name}")
    reader.commit()


def test_a_database_that_is_not_the_banks_is_left_alone(url: str) -> None:
    engine = sa.create_engine(url)
    with engine.begin() as db:
        db.exec_driver_sql("CREATE TABLE alembic_version (version_num VARCHAR(32))")
        db.exec_driver_sql("INSERT INTO alembic_version VALUES ('f00d')")
    engine.dispose()
    with pytest.raises(schema.SchemaForeign):
        schema.migrate(url)


def test_keys_lose_their_memos_and_still_know_what_was_asked(url: str) -> None:
    """A key of which the memo is gone, or that was refused, gives its first answer whatever is asked."""
    step = next(place for place, name in enumerate(REVISIONS) if name.endswith("keys_without_memos"))
    fill_at(url, REVISIONS[step - 1])
    with opened(url) as database, database.engine.begin() as db:
        if not database.is_sqlite:
            db.exec_driver_sql("RESET ROLE")
        kept = {row.key: bytes(row.fingerprint) for row in db.execute(sa.text("SELECT * FROM ledger_keys"))}
        part = "SELECT entry_id FROM ledger_keys WHERE key = 'undo:1'"
        db.exec_driver_sql(f"DELETE FROM ledger_private_parts WHERE entry_id = ({part})")
        refused = "INSERT INTO ledger_keys (book_id, actor, key, fingerprint, refusal) VALUES (1, 'staff:1', 'no', "
        db.execute(sa.text(f"{refused}:hash, 'insufficient-balance')"), {"hash": b"x" * 32})
    schema.migrate(url)
    with opened(url) as database:
        with database.reading() as db:
            now = {row.key: bytes(row.fingerprint) for row in db.execute(sa.text("SELECT * FROM ledger_keys"))}
            first = db.execute(models.entries.select().where(models.entries.c.kind == "redemption")).one()
            assert guards.find_broken(db) == []
        assert now["undo:1"] == now["no"] == bytes(32)
        assert {key for key in kept if kept[key] == now[key]} == set()
        fields = json.loads(first.leaf_bytes)
        legs = tuple(Leg(leg["a"], Unit[leg["u"].upper()], leg["d"]) for leg in fields["legs"])
        draft = Draft(
            1, "redemption", legs, "charge:1", fields["by"], fields["br"], tuple(fields["src"]),
            entry_id=first.entry_id, private={"memo": "理发一次", "place": "老街理发店"},
        )  # fmt: skip
        assert database.transact(ledger.post, draft).entry_id == first.entry_id
        with pytest.raises(ledger.KeyReused):
            database.transact(ledger.post, replace(draft, private={"memo": "理发两次"}))


def test_a_revision_is_named_as_its_file_is() -> None:
    """The start compares names of files, so that it need not load what they say."""
    sys.path.insert(0, str(schema.MIGRATIONS / "versions"))
    try:
        assert [import_module(name).revision for name in REVISIONS] == list(REVISIONS)
    finally:
        sys.path.pop(0)
