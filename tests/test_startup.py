"""What keeps the service from starting: each alarm made red for its own reason, all of them quiet on a sound bank."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from moralbank import clock, guards, ledger, schema, startup
from moralbank.cli import cli
from moralbank.config import ConfigError
from moralbank.db import APP_ROLE, Database, make_engine
from moralbank.startup import Finding
from tests.ledger.conftest import Book, open_test_book

ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
ON_POSTGRESQL = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
OPERATIONS = Path(__file__).resolve().parent.parent / "docs" / "OPERATIONS.md"


def as_owner(database_url: str, *statements: str) -> None:
    engine = sa.create_engine(database_url)
    with engine.begin() as db:
        for statement in statements:
            db.exec_driver_sql(statement)
    engine.dispose()


def alarms(database: Database) -> dict[str, str]:
    """The alarms that a production start would hear, by check; the tests' own server is one that waits for no disk."""
    found = {name: finding.alarm for name, finding in startup.look(database).items() if finding}
    if not database.is_sqlite:
        assert found.pop("durable") == "not-durable"
        assert found.pop("role") == "role-may-alter"  # The tests log in as the owner of everything.
    return found


@pytest.fixture
def book(database: Database) -> Book:
    book = database.transact(open_test_book)
    for number in range(1, 6):
        database.transact(ledger.post, book.award(f"a{number}", book.guiying, 10, minutes=30, private={"memo": "扫雪"}))
        database.transact(ledger.post, book.redemption(f"r{number}", book.guiying, 4))
    return book


@pytest.fixture
def teller_url(database_url: str) -> Iterator[str]:
    """The URL of a login that may only do what the service does."""
    name = f"teller_{uuid4().hex[:8]}"
    as_owner(database_url, f"CREATE ROLE {name} LOGIN IN ROLE {APP_ROLE}")
    yield str(sa.make_url(database_url).set(username=name).render_as_string())
    as_owner(database_url, f"DROP OWNED BY {name}", f"DROP ROLE {name}")


def test_a_sound_bank_gives_no_alarm(database: Database, book: Book) -> None:
    assert alarms(database) == {}
    assert list(startup.look(database)) == ["database", "migrated", "durable", "append_only", "role", "clock", "tail"]


def test_an_empty_bank_gives_no_alarm(database: Database) -> None:
    assert alarms(database) == {}


def test_the_guards_that_the_code_expects_are_those_that_the_migrations_make(database: Database) -> None:
    with database.reading() as db:
        assert guards.digests(db) == guards.GUARDS[db.dialect.name], "paste the left side into moralbank/guards.py"


# --- the database ---------------------------------------------------------------------------------------------------


@ON_SQLITE
def test_a_database_out_of_reach(database_url: str) -> None:
    for url in ("sqlite:////nowhere/at/all.db", "postgresql+psycopg://teller:secret@127.0.0.1:1/none"):
        [finding] = startup.look(Database(url)).values()
        assert finding
        assert finding.alarm == "database-unreachable"
        assert not re.search("nowhere|teller|secret", str(finding))


@ON_SQLITE
def test_a_damaged_file(database_url: str, tmp_path: Path) -> None:
    path = tmp_path / "moralbank.db"
    damaged = bytearray(path.read_bytes())
    damaged[4096 : len(damaged)] = b"\xa5" * (len(damaged) - 4096)
    path.write_bytes(damaged)
    found = startup.look(Database(f"sqlite:///{path}"))
    assert found["database"]
    assert found["database"].alarm == "database-damaged"


# --- the schema -----------------------------------------------------------------------------------------------------


def test_no_schema(tmp_path: Path) -> None:
    found = startup.look(Database(f"sqlite:///{tmp_path}/empty.db"))
    assert [finding.alarm for finding in found.values() if finding] == ["schema-missing"]


@pytest.mark.parametrize(
    ("revision", "alarm"),
    [("0001_ledger", "schema-behind"), ("another_bank", "schema-foreign"), ("0004_nonsense", "schema-foreign")],
)
def test_a_schema_that_is_not_this_codes(database: Database, database_url: str, revision: str, alarm: str) -> None:
    as_owner(database_url, f"UPDATE alembic_version SET version_num = '{revision}'")
    found = startup.look(database)
    assert list(found) == ["database", "migrated"]
    assert [finding.alarm for finding in found.values() if finding] == [alarm]


def test_old_code_goes_on_and_starts_again_on_a_schema_that_newer_code_migrated(
    database: Database, database_url: str, book: Book
) -> None:
    as_owner(database_url, "UPDATE alembic_version SET version_num = '9999_from_next_year'")
    assert alarms(database) == {}
    schema.migrate(database_url)


# --- what survives a power cut --------------------------------------------------------------------------------------


@ON_SQLITE
def test_sqlite_that_may_lose_the_last_commits(database: Database) -> None:
    @sa.event.listens_for(database.engine, "begin")
    def loosen(connection):
        connection.exec_driver_sql("COMMIT")
        connection.exec_driver_sql("PRAGMA synchronous=NORMAL")
        connection.exec_driver_sql("BEGIN")

    assert alarms(database) == {"durable": "not-durable"}
    sa.event.remove(database.engine, "begin", loosen)


@ON_SQLITE
def test_sqlite_without_its_log(database: Database, database_url: str) -> None:
    database.dispose()
    engine = make_engine(database_url)

    @sa.event.listens_for(engine, "connect")
    def delete(dbapi, _record):
        dbapi.execute("PRAGMA journal_mode=DELETE")

    loose = Database(database_url)
    loose.engine, loose.reader = engine, engine.execution_options(begin="DEFERRED")
    assert alarms(loose) == {"durable": "not-durable"}
    loose.dispose()


@ON_POSTGRESQL
@pytest.mark.parametrize("setting", ["synchronous_commit=off", "synchronous_commit=local"])
def test_postgresql_that_answers_before_it_wrote(database_url: str, setting: str) -> None:
    loose = Database(f"{database_url}?options=-c{setting.replace('=', '%3D')}")
    found = startup.look(loose)["durable"]
    loose.dispose()
    assert found
    if setting.endswith("off"):
        assert "synchronous_commit is off" in found.wrong
        assert not found.trial_may
    else:  # Without a standby, local is as good as on; what is left is the tests' own server.
        assert "synchronous_commit" not in found.wrong


@ON_POSTGRESQL
def test_postgresql_without_fsync_and_full_pages_is_for_trials(database: Database) -> None:
    """The server of the tests runs so, which is why the tests may say that they are no production."""
    found = startup.look(database)["durable"]
    assert found == Finding("not-durable", found.wrong, found.remedy, trial_may=True)
    assert found.wrong.startswith("fsync and full_page_writes are off")
    with pytest.raises(ConfigError, match="fsync and full_page_writes are off"):
        startup.refuse_unsafe(database)


# --- what keeps a line as it is -------------------------------------------------------------------------------------


@ON_SQLITE
@pytest.mark.parametrize("name", sorted(guards.GUARDS["sqlite"]))
def test_sqlite_without_one_of_its_triggers(database: Database, database_url: str, name: str) -> None:
    as_owner(database_url, f"DROP TRIGGER {name.split('.')[1]}")
    found = startup.look(database)["append_only"]
    assert found
    assert found.alarm == "guard-broken"
    assert name in found.wrong


@ON_SQLITE
def test_sqlite_with_a_trigger_that_lets_everything_through(database: Database, database_url: str) -> None:
    name = "ledger_postings_no_delete"
    as_owner(
        database_url,
        f"DROP TRIGGER {name}",
        f"CREATE TRIGGER {name} BEFORE DELETE ON ledger_postings BEGIN SELECT 1; END",
    )
    assert alarms(database) == {"append_only": "guard-broken"}


@ON_POSTGRESQL
@pytest.mark.parametrize(
    "deed",
    [
        "ALTER TABLE ledger_entries DISABLE TRIGGER ledger_entries_append_only",
        "ALTER TABLE ledger_entries ENABLE TRIGGER ledger_entries_append_only",
        "DROP TRIGGER ledger_postings_no_truncate ON ledger_postings",
        "DROP TRIGGER ledger_entries_balanced ON ledger_entries",
        "CREATE OR REPLACE FUNCTION moralbank_append_only() RETURNS trigger LANGUAGE plpgsql"
        " AS $$ BEGIN RETURN NEW; END $$",
    ],
)
def test_postgresql_without_one_of_its_guards(database: Database, database_url: str, deed: str) -> None:
    as_owner(database_url, deed)
    assert alarms(database) == {"append_only": "guard-broken"}


@ON_POSTGRESQL
def test_a_login_that_only_serves_may_not_touch_a_line(teller_url: str, database: Database, book: Book) -> None:
    teller = Database(teller_url)
    assert startup.look(teller)["role"] is None
    with pytest.raises(sa.exc.DBAPIError, match="permission denied"):
        teller.transact(lambda db: db.exec_driver_sql("UPDATE ledger_entries SET kind = 'gift'"))
    teller.transact(ledger.post, book.award("by-the-teller", book.qiang, 1))
    teller.dispose()


@ON_POSTGRESQL
@pytest.mark.parametrize(
    "grant",
    [
        "GRANT UPDATE ON ledger_entries TO {role}",
        "GRANT UPDATE (amount) ON ledger_postings TO {role}",
        "GRANT DELETE ON ledger_keys TO {role}",
        "GRANT TRUNCATE ON web_idempotency TO {role}",
        "GRANT TRIGGER ON ledger_accounts TO {role}",
    ],
)
def test_a_role_that_was_given_more(teller_url: str, database_url: str, grant: str) -> None:
    as_owner(database_url, grant.format(role=APP_ROLE))
    teller = Database(teller_url)
    found = startup.look(teller)["role"]
    teller.dispose()
    assert found
    assert found.alarm == "role-may-alter"
    assert APP_ROLE in found.wrong


@ON_POSTGRESQL
def test_a_login_that_could_take_back_the_owners_rights(teller_url: str, database_url: str) -> None:
    teller_name = sa.make_url(teller_url).username
    as_owner(database_url, f"GRANT moralbank TO {teller_name}")
    teller = Database(teller_url)
    found = startup.look(teller)["role"]
    teller.dispose()
    assert found
    assert found.wrong.endswith(f"(as {teller_name})")


# --- the clock ------------------------------------------------------------------------------------------------------


def test_a_clock_that_was_never_set(database: Database) -> None:
    for moment in (datetime(1970, 1, 1, tzinfo=UTC), datetime(2106, 2, 7, tzinfo=UTC)):
        with clock.at(moment):
            assert alarms(database) == {"clock": "clock-absurd"}


def test_a_clock_before_the_last_entry(database: Database, book: Book) -> None:
    now = clock.now()
    with clock.at(now - timedelta(hours=1)):
        assert alarms(database) == {"clock": "clock-behind"}
    with clock.at(now - timedelta(seconds=2)):
        assert alarms(database) == {}


@ON_POSTGRESQL
def test_a_clock_that_is_not_the_databases(database: Database) -> None:
    with clock.at(clock.now() + timedelta(minutes=5)):
        assert alarms(database) == {"clock": "clocks-apart"}


# --- the end of the books -------------------------------------------------------------------------------------------


def unguarded(database: Database, statement: str) -> None:
    """Change a row as somebody with the owner's rights would, the triggers away and back."""
    with database.engine.begin() as db:
        if database.is_sqlite:
            kept = db.exec_driver_sql("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").all()
            for name, _ in kept:
                db.exec_driver_sql(f"DROP TRIGGER {name}")
            db.exec_driver_sql(statement)
            for _, sql in kept:
                db.exec_driver_sql(sql)
            return
        db.exec_driver_sql("RESET ROLE")
        db.exec_driver_sql("SET LOCAL session_replication_role = replica")
        for table in ("ledger_entries", "ledger_postings"):
            db.exec_driver_sql(f"ALTER TABLE {table} DISABLE TRIGGER {table}_append_only")
        db.exec_driver_sql(statement)
        for table in ("ledger_entries", "ledger_postings"):
            db.exec_driver_sql(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {table}_append_only")
        db.exec_driver_sql(f"SET ROLE {APP_ROLE}")


LAST = "seq = (SELECT max(seq) FROM ledger_entries)"


@pytest.mark.parametrize(
    ("deed", "what"),
    [
        (f"UPDATE ledger_entries SET actor = 'staff:9' WHERE {LAST}", "differ from the leaf"),
        (f"UPDATE ledger_postings SET amount = amount + 1 WHERE {LAST}", "differ from the leaf"),
        (f"DELETE FROM ledger_postings WHERE {LAST} AND leg = 1", "differ from the leaf"),
        ("UPDATE ledger_private_parts SET content = '{}'", "the private part is not the one committed to"),
        ("UPDATE ledger_balances SET balance = balance + 1 WHERE unit = 1 AND n > 0", "does not follow from the lines"),
        ("UPDATE ledger_balances SET n = n - 1 WHERE unit = 1 AND n > 0", "the balance row is behind the lines"),
        ("DELETE FROM ledger_postings WHERE n = 4 AND unit = 1", "the account's line numbers have a gap"),
    ],
)
def test_a_broken_end_is_named(database_url: str, deed: str, what: str) -> None:
    database = Database(database_url)
    book = database.transact(open_test_book)
    for number in range(1, 6):
        database.transact(ledger.post, book.award(f"a{number}", book.guiying, 10, private={"memo": "扫雪"}))
    unguarded(database, deed)
    found = startup.look(database)["tail"]
    database.dispose()
    assert found
    assert found.alarm == "tail-broken"
    with database.reading() as db:
        assert any(what in str(fault) for fault in ledger.verify_tail(db, 5)), ledger.verify_tail(db, 5)


def test_only_the_end_is_read(database_url: str) -> None:
    database = Database(database_url)
    book = database.transact(open_test_book)
    for number in range(1, 6):
        database.transact(ledger.post, book.award(f"a{number}", book.guiying, 10))
    unguarded(database, "UPDATE ledger_entries SET actor = 'staff:9' WHERE seq = 1")
    with database.reading() as db:
        assert ledger.verify_tail(db, 4) == []
        assert len(ledger.verify_tail(db, 5)) == 1
        assert not ledger.verify(db, book.book).is_sound
    database.dispose()


# --- who calls them -------------------------------------------------------------------------------------------------


def test_the_command_prints_every_check_and_fails_where_a_start_would(
    database: Database, database_url: str, book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", database_url)
    result = CliRunner().invoke(cli, ["check"])
    assert result.exit_code == 0
    assert [line.split()[0] for line in result.output.splitlines()] == list(startup.look(database))
    as_owner(database_url, "UPDATE alembic_version SET version_num = '0001_ledger'")
    result = CliRunner().invoke(cli, ["check"])
    assert result.exit_code == 1
    assert f"schema-behind: the schema is at 0001_ledger, this code needs {schema.head()}" in result.output
    as_owner(database_url, f"UPDATE alembic_version SET version_num = '{schema.head()}'")


@ON_SQLITE
def test_production_does_not_start_by_the_supervisor_either(database_url: str, tmp_path: Path) -> None:
    as_owner(database_url, "DROP TRIGGER ledger_entries_no_update")
    environment = {
        "DATABASE_URL": database_url,
        "MORALBANK_VAR": str(tmp_path / "var"),
        "PUBLIC_URL": "https://bank.example",
        "MORALBANK_PRODUCTION": "1",
    }
    words = [sys.executable, "-m", "moralbank.supervisor", "--port", "0"]
    ended = subprocess.run(words, capture_output=True, text=True, env=environment, timeout=60)
    assert ended.returncode == 1
    assert "guard-broken" in ended.stderr
    assert "administrator" not in ended.stdout


def test_everything_loads_where_only_the_needed_packages_are() -> None:
    optional = "psycopg", "typst", "psutil", "pytest"
    modules = "moralbank.app", "moralbank.cli", "moralbank.scheduler", "moralbank.supervisor", "moralbank.web.rsgi"
    script = f"import sys; sys.modules.update(dict.fromkeys({optional})); " + "; ".join(
        f"import {name}" for name in modules
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert ended.returncode == 0, ended.stderr


def test_the_operators_book_explains_every_alarm() -> None:
    source = Path(startup.__file__).read_text(encoding="utf-8")
    named = set(re.findall(r'Finding\(\s*"([a-z-]+)"', source))
    assert len(named) == 12
    explained = set(re.findall(r"^\| `([a-z-]+)` \|", OPERATIONS.read_text(encoding="utf-8"), re.MULTILINE))
    assert named <= explained
