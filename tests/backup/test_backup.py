"""From a bank at work to a file, and from the file to a bank that goes on where the first one stood."""

from __future__ import annotations

import stat
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from moralbank import clock, findings, guards, ledger, schema, startup
from moralbank.backup import errors, jobs, service
from moralbank.backup.sealed import read_key
from moralbank.backup.service import Steps
from moralbank.cli import cli
from moralbank.config import BackupConfig, ConfigError, people_keys_path
from moralbank.db import Database
from moralbank.ledger import Unit
from moralbank.setup import ADMINISTRATOR, first_start
from moralbank.transparency import Log, integrate
from tests.ledger.conftest import Book

ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
ON_POSTGRESQL = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


def every_row(url: str) -> dict[str, list[str]]:
    """Every row of every table, as text."""
    database = Database(url)
    with database.reading() as db:
        names = sa.inspect(db).get_table_names()
        rows = {name: sorted(map(str, db.execute(sa.text(f'SELECT * FROM "{name}"')).all())) for name in names}
    database.dispose()
    return rows


def heads(url: str, book: Book) -> tuple[int, int]:
    """The book's last number and Guiying's last line."""
    database = Database(url)
    with database.reading() as db:
        [last] = ledger.list_entries(db, book.book, ledger.EntryFilter(), limit=1)
        line = ledger.balance(db, book.book, book.guiying, Unit.POINTS).n
    database.dispose()
    return last.seq, line


@pytest.mark.parametrize("with_key", [False, True])
def test_what_is_restored_is_all_that_was_there_guards_included(
    database: Database, database_url: str, empty_url: str, book: Book, tmp_path: Path, key_file: Path, with_key: bool
) -> None:
    key = read_key(key_file) if with_key else None
    path = service.back_up(database_url, tmp_path / "one.backup", key, Steps())
    restored = service.restore(empty_url, path, key, Steps())
    assert [report.entries for _, report in restored.books] == [0, 30]
    assert every_row(empty_url) == every_row(database_url)
    place = Database(empty_url)
    with place.reading() as db:
        assert guards.digests(db) == guards.GUARDS[db.dialect.name]
        assert sa.inspect(db).get_indexes("ledger_postings")
    assert {name: found and found.alarm for name, found in startup.look(place).items()} == {
        name: found and found.alarm for name, found in startup.look(database).items()
    }
    place.dispose()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    if with_key:
        assert b"ledger_postings" not in path.read_bytes()


def test_the_restored_bank_goes_on_with_the_next_numbers(
    database: Database, database_url: str, empty_url: str, book: Book, tmp_path: Path
) -> None:
    path = service.back_up(database_url, tmp_path / "one.backup", None, Steps())
    service.restore(empty_url, path, None, Steps())
    place = Database(empty_url)
    seq, n = heads(empty_url, book)
    posted = place.transact(ledger.post, book.award("after", book.guiying, 1))
    assert posted.seq == seq + 1
    assert posted.legs[1].n == n + 1
    assert place.transact(
        ledger.post, book.award("a1", book.guiying, 10, minutes=30, private={"memo": "扫雪"})
    ).replayed
    assert first_start(place) is None
    second = place.transact(ledger.open_book, "XX-00", "Another")
    assert second == book.book + 1
    with place.reading() as db:
        assert ledger.verify(db, book.book).is_sound
    with pytest.raises(sa.exc.DBAPIError, match=r"append-only|permission denied"):
        place.transact(lambda db: db.execute(sa.text("DELETE FROM ledger_entries")))
    place.dispose()


def test_a_backup_made_while_everybody_posts_is_one_instant(
    database: Database, database_url: str, empty_url: str, book: Book, tmp_path: Path
) -> None:
    stop, posted, faults = threading.Event(), [0, 0, 0], []

    def post(client: int) -> None:
        other = Database(database_url)
        try:
            while not stop.is_set():
                draft = book.award(f"c{client}-{posted[client]}", (book.guiying, book.qiang)[client % 2], 3)
                other.transact(ledger.post, draft)
                posted[client] += 1
        except Exception as fault:
            faults.append(fault)
        finally:
            other.dispose()

    clients = [threading.Thread(target=post, args=(client,)) for client in range(3)]
    for client in clients:
        client.start()
    while min(posted) < 5 and not faults:
        stop.wait(0.01)
    before = sum(posted)
    path = service.back_up(database_url, tmp_path / "one.backup", None, Steps())
    after = sum(posted)
    stop.set()
    for client in clients:
        client.join()
    assert faults == []
    restored = service.restore(empty_url, path, None, Steps())
    # A count may be one behind for each client, whose commit was seen before it was counted.
    assert 30 + before <= restored.books[-1][1].entries <= 30 + after + len(clients)
    seq, n = heads(empty_url, book)
    place = Database(empty_url)
    again = place.transact(ledger.post, book.award("again", book.guiying, 1))
    assert (again.seq, again.legs[1].n) == (seq + 1, n + 1)
    place.dispose()


def refused(error: type[Exception], act: Callable[[], object], **fields: object) -> None:
    with pytest.raises(error) as refusal:
        act()
    assert refusal.value.fields.items() >= fields.items()


def test_a_backup_is_restored_into_an_empty_place_only(
    database: Database, database_url: str, empty_url: str, book: Book, tmp_path: Path
) -> None:
    path = service.back_up(database_url, tmp_path / "one.backup", None, Steps())
    before = every_row(database_url)
    refused(errors.PlaceNotEmpty, lambda: service.restore(database_url, path, None, Steps()))
    assert every_row(database_url) == before
    service.restore(empty_url, path, None, Steps())
    refused(errors.PlaceNotEmpty, lambda: service.restore(empty_url, path, None, Steps()))


@ON_SQLITE
@pytest.mark.parametrize("ending", ["-wal", "-journal"])
def test_a_log_without_its_database_is_no_empty_place(
    database_url: str, empty_url: str, book: Book, tmp_path: Path, ending: str
) -> None:
    path = service.back_up(database_url, tmp_path / "one.backup", None, Steps())
    (tmp_path / f"restored.db{ending}").write_bytes(b"of another database")
    refused(errors.PlaceNotEmpty, lambda: service.restore(empty_url, path, None, Steps()))


@ON_POSTGRESQL
def test_whatever_a_database_holds_makes_it_not_empty(
    database_url: str, empty_url: str, book: Book, tmp_path: Path
) -> None:
    path = service.back_up(database_url, tmp_path / "one.backup", None, Steps())
    engine = sa.create_engine(empty_url, isolation_level="AUTOCOMMIT")
    with engine.connect() as db:
        for made, kind in (("", "SEQUENCE"), (" AS SELECT 1", "VIEW"), ("() RETURNS int RETURN 1", "FUNCTION")):
            db.exec_driver_sql(f"CREATE {kind} one{made}")
            refused(errors.PlaceNotEmpty, lambda: service.restore(empty_url, path, None, Steps()))
            db.exec_driver_sql(f"DROP {kind} one")
    engine.dispose()


def test_of_two_that_restore_at_once_one_does(
    database: Database, database_url: str, empty_url: str, book: Book, tmp_path: Path
) -> None:
    path = service.back_up(database_url, tmp_path / "one.backup", None, Steps())
    outcomes: list[object] = []

    def restore() -> None:
        try:
            outcomes.append(service.restore(empty_url, path, None, Steps()))
        except errors.PlaceNotEmpty as refusal:
            outcomes.append(refusal)

    two = [threading.Thread(target=restore) for _ in range(2)]
    for thread in two:
        thread.start()
    for thread in two:
        thread.join()
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["PlaceNotEmpty", "Restored"]
    assert every_row(empty_url) == every_row(database_url)


def test_a_file_is_never_overwritten_and_never_half(
    database: Database, database_url: str, book: Book, tmp_path: Path, key_file: Path
) -> None:
    folder = tmp_path / "backups"
    folder.mkdir()
    first = service.back_up(database_url, folder, None, Steps())
    assert first.parent == folder
    refused(errors.BackupExists, lambda: service.back_up(database_url, first, None, Steps()), file=first)
    refused(errors.BackupNotWritten, lambda: service.back_up(database_url, tmp_path / "no" / "a", None, Steps()))
    assert list(folder.iterdir()) == [first]
    assert not list(tmp_path.glob("*snapshot*"))


@ON_SQLITE
def test_a_place_out_of_reach_is_said_to_be_so(database_url: str, book: Book, tmp_path: Path) -> None:
    nowhere = "postgresql+psycopg://127.0.0.1:1/none"
    refused(errors.BackupNotWritten, lambda: service.back_up(nowhere, tmp_path / "a", None, Steps()))
    path = service.back_up(database_url, tmp_path / "one.backup", None, Steps())
    refused(
        errors.RestoreFailed, lambda: service.restore(f"sqlite:///{tmp_path}/no/a.db", path, None, Steps()), file=path
    )


@ON_POSTGRESQL
def test_a_server_out_of_reach_is_said_to_be_so(database_url: str, book: Book, tmp_path: Path) -> None:
    path = service.back_up(database_url, tmp_path / "one.backup", None, Steps())
    nowhere = "postgresql+psycopg://127.0.0.1:1/none"
    refused(errors.RestoreFailed, lambda: service.restore(nowhere, path, None, Steps()), file=path)


def test_there_must_be_a_bank_to_back_up(empty_url: str, tmp_path: Path) -> None:
    refused(errors.NothingToBackUp, lambda: service.back_up(empty_url, tmp_path / "a", None, Steps()))
    refused(errors.NothingToBackUp, lambda: service.drill(empty_url, None, Steps()))
    assert not (tmp_path / "a").exists()


def test_a_backup_of_the_other_engine_or_of_newer_code_is_refused_by_name(
    database: Database, database_url: str, empty_url: str, book: Book, tmp_path: Path
) -> None:
    path = service.back_up(database_url, tmp_path / "one.backup", None, Steps())
    other = "postgresql+psycopg://127.0.0.1:1/none" if database.is_sqlite else f"sqlite:///{tmp_path}/other.db"
    engine = database.engine.dialect.name
    refused(errors.OtherEngine, lambda: service.restore(other, path, None, Steps()), engine=engine)
    with sa.create_engine(database_url).begin() as db:
        db.exec_driver_sql("UPDATE alembic_version SET version_num = '9999_from_next_year'")
    newer = service.back_up(database_url, tmp_path / "newer.backup", None, Steps())
    with sa.create_engine(database_url).begin() as db:
        db.exec_driver_sql(f"UPDATE alembic_version SET version_num = '{schema.head()}'")
    refused(
        errors.BackupTooNew, lambda: service.restore(empty_url, newer, None, Steps()), revision="9999_from_next_year"
    )


@pytest.mark.parametrize(
    "alteration",
    [
        "UPDATE ledger_postings SET amount = amount + 1 WHERE seq = 1",
        "UPDATE transparency_logs SET last_fact = last_fact + 1",
    ],
)
def test_a_book_or_a_log_that_was_altered_before_the_backup_is_not_put_in_place(
    database_url: str, empty_url: str, tmp_path: Path, alteration: str
) -> None:
    from tests.ledger.test_verify import fill
    from tests.test_startup import unguarded

    database = Database(database_url)
    fill(database)
    database.transact(integrate.integrate, 1, Log.LEDGER)
    unguarded(database, alteration)
    database.dispose()
    path = service.back_up(database_url, tmp_path / "one.backup", None, Steps())
    refused(errors.RestoredUnsound, lambda: service.restore(empty_url, path, None, Steps()))
    if empty_url.startswith("sqlite"):
        assert not list(tmp_path.glob("restored.db*"))
    else:
        engine = sa.create_engine(empty_url)
        assert sa.inspect(engine).get_table_names() == []
        engine.dispose()


def test_the_drill_says_how_long_each_step_took_and_leaves_nothing(
    database: Database, database_url: str, book: Book, key_file: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DATABASE_URL", database_url)
    result = CliRunner().invoke(cli, ["drill", "--key-file", str(key_file)])
    assert result.exit_code == 0, result.output
    assert "book NS-00: 30 entries, 84 points outstanding, sound" in result.output
    assert [line.split(" s  ")[1] for line in result.output.splitlines()[-3:]] == ["back up", "restore", "verify"]
    if not database.is_sqlite:
        with database.reading() as db:
            left = db.execute(sa.text("SELECT count(*) FROM pg_database WHERE datname LIKE 'moralbank_drill%'"))
            assert left.scalar() == 0


@ON_POSTGRESQL
def test_a_login_that_may_not_make_a_database_is_told_so(database: Database, database_url: str, book: Book) -> None:
    with sa.create_engine(database_url).begin() as db:
        db.exec_driver_sql("CREATE ROLE no_maker LOGIN IN ROLE moralbank_app")
    url = sa.make_url(database_url).set(username="no_maker").render_as_string()
    try:
        refused(errors.NoThrowAwayPlace, lambda: service.drill(url, None, Steps()))
    finally:
        with sa.create_engine(database_url).begin() as db:
            db.exec_driver_sql("DROP ROLE no_maker")


def test_the_commands_make_a_backup_and_restore_it(
    database: Database, database_url: str, empty_url: str, book: Book, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "one.backup"
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("MORALBANK_VAR", str(path.parent / "var"))
    made = CliRunner().invoke(cli, ["backup", str(path)])
    assert made.exit_code == 0, made.output
    assert f"{path}  {path.stat().st_size:,} bytes, not encrypted" in made.output
    monkeypatch.setenv("DATABASE_URL", empty_url)
    restored = CliRunner().invoke(cli, ["restore", str(path)])
    assert restored.exit_code == 0, restored.output
    assert "book NS-00: 30 entries, 84 points outstanding, sound" in restored.output
    place = Database(empty_url)
    with place.reading() as db:
        assert db.execute(sa.text("SELECT name FROM access_logins")).scalar() == ADMINISTRATOR
    place.dispose()


@pytest.fixture
def nightly(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, key_file: Path) -> Path:
    """Say where the nightly backup goes, and give it a key."""
    monkeypatch.setenv("MORALBANK_VAR", str(tmp_path))
    monkeypatch.setenv("MORALBANK_BACKUP_DIR", str(tmp_path / "backups"))
    monkeypatch.setenv("MORALBANK_BACKUP_KEY_FILE", str(key_file))
    monkeypatch.setenv("MORALBANK_BACKUP_KEEP", "2")
    return tmp_path / "backups"


def found(database: Database) -> findings.Finding:
    with database.reading() as db:
        [one] = findings.list_findings(db, jobs.NAME)
    return one


def test_every_night_has_its_backup_and_only_the_newest_stay(
    database: Database, empty_url: str, book: Book, tmp_path: Path, key_file: Path, nightly: Path
) -> None:
    noon = datetime(2026, 11, 21, 12, 0, tzinfo=clock.TIMEZONE)
    done = []
    for hours in (0, 1, 14, 15, 38, 62):
        with clock.at(noon + timedelta(hours=hours)):
            done.append(jobs.back_up_nightly(database))
    assert done == [1, 0, 1, 0, 1, 1]
    kept = sorted(path.name for path in nightly.iterdir())
    assert kept == ["moralbank-20261122T180000Z.backup", "moralbank-20261123T180000Z.backup"]
    assert found(database).is_good
    assert found(database).said.startswith(f"{kept[-1]}, ")
    assert found(database).said.endswith(" bytes, encrypted")
    people = people_keys_path({"MORALBANK_VAR": str(tmp_path)})
    assert service.restore(empty_url, nightly / kept[-1], read_key(key_file), Steps(), people).books[1][1].is_sound


def test_a_backup_that_fails_is_said_and_tried_again_and_none_goes_for_it(
    database: Database, book: Book, monkeypatch: pytest.MonkeyPatch, nightly: Path
) -> None:
    monkeypatch.setenv("MORALBANK_BACKUP_KEEP", "1")
    noon = datetime(2026, 11, 21, 12, 0, tzinfo=clock.TIMEZONE)
    with clock.at(noon):
        jobs.back_up_nightly(database)
    [first] = nightly.iterdir()

    def full(*_given: object) -> None:
        raise errors.BackupNotWritten(file=nightly, reason="No space left on device")

    with monkeypatch.context() as patch, clock.at(noon + timedelta(hours=14)):
        patch.setattr(service, "back_up", full)
        with pytest.raises(errors.BackupNotWritten):
            jobs.back_up_nightly(database)
    assert (found(database).is_good, found(database).said, found(database).good_at) == (
        False,
        "backup-not-written",
        noon,
    )
    assert list(nightly.iterdir()) == [first]
    with clock.at(noon + timedelta(hours=15)):
        assert jobs.back_up_nightly(database) == 1
    assert first not in nightly.iterdir()


def test_without_a_folder_there_is_no_nightly_backup_and_a_senseless_setting_is_named(
    database: Database, book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert jobs.back_up_nightly(database) == 0
    for key, value in (("MORALBANK_BACKUP_KEEP", "0"), ("MORALBANK_BACKUP_KEY_FILE", "/etc/key")):
        with pytest.raises(ConfigError, match="MORALBANK_BACKUP"):
            BackupConfig.from_env({key: value})
