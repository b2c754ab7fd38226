"""The signer signs what continues what it signed, and nothing else, whatever the database says."""

from __future__ import annotations

import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import threading
import time
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from moralbank import clock, ledger
from moralbank.db import Database
from moralbank.errors import MoralBankError
from moralbank.transparency import Log, append_fact, checkpoint, heads, note, queries, service, tree
from moralbank.transparency.errors import KeyFileOpen
from moralbank.transparency.handing import statement
from moralbank.transparency.signer import Signer
from moralbank.transparency.signer_errors import (
    BadSignerRecord,
    RotationRunning,
    SignerRunning,
    SigningKeyLost,
    SigningKeyThere,
    UnknownRefusal,
)
from moralbank.transparency.signer_memory import Place, Verdict
from moralbank.transparency.signing_keys import KeyFile
from tests.transparency._sealing import award, integrate_all

ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
ORIGIN = "bank.example/log/NS-00"


class Office:
    """The signer's own files, which outlive databases."""

    def __init__(self, home: Path) -> None:
        self.keys, self.place = KeyFile(home / "signing.key"), Place(home / "signer")

    def signer(self, database: Database, host: str = "bank.example") -> Signer:
        return Signer(database, self.keys, self.place, host, every=0)


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path)


def post_and_seal(database: Database, book, *keys: str) -> None:
    award(database, book, *keys)
    integrate_all(database, book.book)


def latest(database: Database, book, log: Log = Log.LEDGER):
    with database.reading() as db:
        return queries.latest_checkpoint(db, book.book, log)


def keys_of(database: Database, book) -> tuple[note.VerifierKey, ...]:
    with database.reading() as db:
        return tuple(note.parse_verifier_key(str(key)) for key in queries.verifier_keys(db, book.book, Log.LEDGER))


def open_refusals(database: Database) -> list[str]:
    with database.reading() as db:
        return [refusal.what for refusal in queries.list_refusals(db, open_only=True)]


def resolve(database: Database, office: Office, *, restarts: bool = False) -> None:
    with database.reading() as db:
        [refusal] = queries.list_refusals(db, open_only=True)
    verdict = Verdict("admin", "looked into it", restarts)
    database.transact(service.resolve_refusal, office.place, refusal.refusal_id, verdict)


def meddle(database_url: str, statement: str, **values) -> None:
    """Do as the database's owner what no trigger lets pass."""
    engine = sa.create_engine(database_url)
    with engine.begin() as db:
        for table in ("ledger_entries", "transparency_runs", "transparency_checkpoints"):
            if engine.dialect.name == "sqlite":
                for act in ("update", "delete"):
                    db.exec_driver_sql(f"DROP TRIGGER IF EXISTS {table}_no_{act}")
            else:
                db.exec_driver_sql(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        db.execute(sa.text(statement), values)
    engine.dispose()


def test_every_log_gets_a_checkpoint_that_its_key_signed_and_the_leaves_lead_to(database, book, office):
    post_and_seal(database, book, "a", "b", "c")
    database.transact(append_fact, book.book, Log.ACCESS, "view", {})
    integrate_all(database, book.book, Log.ACCESS)
    signer = office.signer(database)
    assert signer.cycle() == []
    found = latest(database, book)
    body, _ = checkpoint.open_signed(found.note, ORIGIN, keys_of(database, book))
    with database.reading() as db:
        hashes = [tree.leaf_hash(leaf) for _, leaf in queries.list_leaves(db, book.book, Log.LEDGER, 0, 9)]
    grown = tree.Frontier()
    grown.extend(hashes)
    assert (body.size, body.root) == (3, grown.root()) == (found.size, found.root)
    access = latest(database, book, Log.ACCESS)
    assert access.note.startswith(f"{ORIGIN}/access\n1\n".encode())
    assert stat.S_IMODE(office.keys.path.stat().st_mode) == 0o600
    signer.cycle()
    assert latest(database, book) == found
    post_and_seal(database, book, "d")
    signer.cycle()
    assert latest(database, book).size == 4
    with database.reading() as db:
        assert [each.size for each in queries.list_checkpoints(db, book.book, Log.LEDGER)] == [3, 4]
        assert queries.find_checkpoint(db, book.book, Log.LEDGER, 3) == found
        assert queries.find_checkpoint(db, book.book, Log.LEDGER, 2) is None


def test_checkpoints_of_a_busy_log_keep_their_distance(database, book, office):
    signer = Signer(database, office.keys, office.place, "bank.example", every=60)
    for key in "abc":
        post_and_seal(database, book, key)
        signer.cycle()
    assert latest(database, book).size == 1


def test_the_name_stays_when_the_banks_address_changes(database, book, office):
    post_and_seal(database, book, "a")
    office.signer(database).cycle()
    post_and_seal(database, book, "b")
    office.signer(database, host="new.example").cycle()
    assert latest(database, book).note.startswith(f"{ORIGIN}\n2\n".encode())


def test_what_was_remembered_and_not_shown_is_shown_at_the_next_start(database, book, office, database_url):
    """Killed between the two."""
    post_and_seal(database, book, "a")
    office.signer(database).cycle()
    found = latest(database, book)
    meddle(database_url, "DELETE FROM transparency_checkpoints")
    office.signer(database).cycle()
    assert latest(database, book).note == found.note


@ON_SQLITE
def test_yesterdays_backup_in_todays_place_is_refused_until_somebody_looked_into_it(
    database, book, office, database_url, tmp_path
):
    file = Path(database_url.removeprefix("sqlite:///"))
    post_and_seal(database, book, "a", "b")
    office.signer(database).cycle()
    database.dispose()
    shutil.copy(file, tmp_path / "yesterday.db")
    post_and_seal(database, book, "c")
    office.signer(database).cycle()
    database.dispose()
    shutil.copy(file, tmp_path / "today.db")
    shutil.copy(tmp_path / "yesterday.db", file)
    assert office.signer(database).cycle() == ["NS-00 ledger: shrunk"]
    assert open_refusals(database) == ["shrunk"]
    # It goes on as if nothing had been: the tree is larger again, and another one.
    post_and_seal(database, book, "d", "e")
    assert office.signer(database).cycle() == []
    assert latest(database, book).size == 2
    # The right file comes back, and still nobody has looked into it.
    database.dispose()
    shutil.copy(tmp_path / "today.db", file)
    signer = office.signer(database)
    signer.cycle()
    assert open_refusals(database) == ["shrunk"]
    resolve(database, office)
    post_and_seal(database, book, "f")
    assert signer.cycle() == []
    assert latest(database, book).size == 4
    assert open_refusals(database) == []


@ON_SQLITE
def test_a_restored_tree_that_outgrew_what_was_signed_is_refused_too(database, book, office, database_url, tmp_path):
    file = Path(database_url.removeprefix("sqlite:///"))
    post_and_seal(database, book, "a")
    database.dispose()
    shutil.copy(file, tmp_path / "old.db")
    post_and_seal(database, book, "b")
    office.signer(database).cycle()
    database.dispose()
    shutil.copy(tmp_path / "old.db", file)
    post_and_seal(database, book, "c", "d")
    assert office.signer(database).cycle() == ["NS-00 ledger: rewritten"]
    resolve(database, office)
    assert office.signer(database).cycle() == ["NS-00 ledger: rewritten"], "deciding alone mends nothing"
    resolve(database, office, restarts=True)
    signer = office.signer(database)
    signer.cycle()
    integrate_all(database, book.book)
    signer.cycle()
    found = latest(database, book)
    assert found.note.startswith(f"{ORIGIN}~2\n4\n".encode())
    with database.reading() as db:
        leaf = json.loads(queries.leaf_bytes(db, book.book, Log.LEDGER, 3))
        assert [name for _, name in queries.list_origins(db, book.book, Log.LEDGER)] == [f"{ORIGIN}~2"]
    assert (leaf["k"], leaf["old"], leaf["size"]) == ("restart", ORIGIN, 2)
    key = note.parse_verifier_key(str(keys_of(database, book)[-1]))
    assert key.name == f"{ORIGIN}~2"
    checkpoint.open_signed(found.note, f"{ORIGIN}~2", (key,))


def test_a_rewritten_leaf_a_missing_leaf_and_a_fork_are_refused(database, book, office, database_url):
    post_and_seal(database, book, "a", "b")
    office.signer(database).cycle()
    with database.reading() as db:
        kept = queries.leaf_bytes(db, book.book, Log.LEDGER, 1)
    post_and_seal(database, book, "c")
    with database.reading() as db:
        third = queries.leaf_bytes(db, book.book, Log.LEDGER, 2)
    update = "UPDATE ledger_entries SET leaf_bytes = :leaf WHERE seq = 3"
    meddle(database_url, update, leaf=kept)
    assert office.signer(database).cycle() == ["NS-00 ledger: rewritten"]
    meddle(database_url, update, leaf=third)
    resolve(database, office)
    meddle(database_url, "UPDATE transparency_runs SET first_number = 7 WHERE first_index = 2")
    signer = office.signer(database)
    assert signer.cycle() == ["NS-00 ledger: unreadable"]
    meddle(database_url, "UPDATE transparency_runs SET first_number = 3 WHERE first_index = 2")
    resolve(database, office)
    assert signer.cycle() == []
    assert latest(database, book).size == 3
    root = latest(database, book).root
    meddle(database_url, "UPDATE transparency_logs SET root = :root", root=b"\0" * 32)
    assert signer.cycle() == ["NS-00 ledger: rewritten"]
    meddle(database_url, "UPDATE transparency_logs SET root = :root", root=root)
    meddle(database_url, "UPDATE transparency_checkpoints SET root = :root WHERE size = 3", root=b"\0" * 32)
    resolve(database, office)
    again = office.signer(database)
    assert again.cycle() == ["NS-00 ledger: forked"]
    meddle(database_url, "UPDATE transparency_checkpoints SET root = :root WHERE size = 3", root=root)
    resolve(database, office)
    assert again.cycle() == []


def test_a_signer_that_forgot_reads_the_log_from_its_first_leaf_and_is_bound_by_what_stands(
    database, book, office, database_url
):
    post_and_seal(database, book, "a", "b")
    office.signer(database).cycle()
    shutil.rmtree(office.place.path)
    post_and_seal(database, book, "c")
    assert office.signer(database).cycle() == []
    assert latest(database, book).size == 3
    shutil.rmtree(office.place.path)
    post_and_seal(database, book, "d")
    meddle(database_url, "UPDATE transparency_checkpoints SET root = :root WHERE size = 3", root=b"\0" * 32)
    assert office.signer(database).cycle() == ["NS-00 ledger: forked"]


def test_another_key_signs_nothing_until_it_was_announced_as_a_lost_ones_heir(database, book, office, tmp_path):
    post_and_seal(database, book, "a")
    office.signer(database).cycle()
    [old] = keys_of(database, book)
    office.keys.path.unlink()
    post_and_seal(database, book, "b")
    with pytest.raises(SigningKeyLost):
        office.signer(database).cycle()
    assert not office.keys.path.exists()
    KeyFile(office.keys.path).make_first()
    assert office.signer(database).cycle() == ["NS-00 ledger: other-key"]
    [handed] = service.replace_lost_key(database, office.keys)
    assert (handed.origin, handed.until) == (ORIGIN, None)
    with pytest.raises(SigningKeyThere):
        service.replace_lost_key(database, office.keys)
    resolve(database, office)
    integrate_all(database, book.book)
    assert office.signer(database).cycle() == []
    found = latest(database, book)
    checkpoint.open_signed(found.note, ORIGIN, (handed.key,))
    with database.reading() as db:
        leaf = json.loads(queries.leaf_bytes(db, book.book, Log.LEDGER, 2))
        stated = queries.verifier_keys(db, book.book, Log.LEDGER)
    assert (leaf["k"], leaf["new"], "sig" in leaf) == ("key", str(handed.key), False)
    assert [(key.text, key.valid_until is None) for key in stated] == [(str(old), False), (str(handed.key), True)]


def test_a_second_machine_with_the_same_key_signs_the_same_and_one_with_another_nothing(database, book, tmp_path):
    first, second, stranger = (Office(tmp_path / name) for name in ("first", "second", "stranger"))
    post_and_seal(database, book, "a")
    first.signer(database).cycle()
    stranger.keys.make_first()
    second.keys.path.parent.mkdir(exist_ok=True)
    shutil.copy(first.keys.path, second.keys.path)
    for number, office in enumerate((second, first, second, second, first)):
        post_and_seal(database, book, str(number))
        with pytest.raises(SigningKeyLost):
            stranger.signer(database).cycle()
        assert office.signer(database).cycle() == []
    assert open_refusals(database) == []
    with database.reading() as db:
        assert [one.size for one in queries.list_checkpoints(db, book.book, Log.LEDGER)] == [1, 2, 3, 4, 5, 6]


def test_a_new_key_is_announced_by_the_old_one_and_both_sign_for_thirty_days(database, book, office):
    post_and_seal(database, book, "a")
    office.signer(database).cycle()
    [old] = keys_of(database, book)
    now = clock.now()
    [handed] = service.rotate_key(database, office.keys)
    assert timedelta(days=29) < handed.until - now < timedelta(days=31)
    with pytest.raises(RotationRunning):
        service.rotate_key(database, office.keys)
    integrate_all(database, book.book)
    office.signer(database).cycle()
    _, signed = checkpoint.read(latest(database, book).note)
    assert [line.is_by(key) for line, key in zip(signed.signatures, (old, handed.key), strict=True)] == [True, True]
    assert note.verify(signed, (old,)) and note.verify(signed, (handed.key,))  # noqa: PT018
    with database.reading() as db:
        leaf = json.loads(queries.leaf_bytes(db, book.book, Log.LEDGER, 1))
    text = statement(ORIGIN, str(handed.key), ledger.instant(handed.until))
    note.verify(note.parse(f"{text}\n{leaf['sig']}\n".encode()), (old,))
    with clock.at(now + timedelta(days=31)):
        post_and_seal(database, book, "b")
        office.signer(database).cycle()
        _, signed = checkpoint.read(latest(database, book).note)
        assert [line.is_by(handed.key) for line in signed.signatures] == [True]
        [next_one] = service.rotate_key(database, office.keys)
    assert next_one.key not in (old, handed.key)
    assert len(office.keys.read()) == 2, "a key that has stopped is forgotten"


def test_a_rotation_that_was_cut_short_is_finished_and_not_begun_again(database, book, office):
    post_and_seal(database, book, "a")
    office.signer(database).cycle()
    office.keys.add(clock.now(), clock.now() + timedelta(days=30))
    [handed] = service.rotate_key(database, office.keys)
    assert len(office.keys.read()) == 2
    assert handed.key in keys_of(database, book)


@ON_SQLITE
def test_files_that_others_may_read_or_that_are_broken_stop_the_signer_and_are_left_alone(database, book, office):
    post_and_seal(database, book, "a")
    office.signer(database).cycle()
    office.keys.path.chmod(0o644)
    post_and_seal(database, book, "b")
    with pytest.raises(KeyFileOpen):
        office.signer(database).cycle()
    office.keys.path.chmod(0o600)
    [record] = office.place.path.glob("book-*.json")
    whole = record.read_text()
    for broken in ("", "{}", whole.replace('"size": 1', '"size": 2'), whole[:-40], whole.replace('"v": 1', '"v": 2')):
        record.write_text(broken)
        with pytest.raises(BadSignerRecord):
            office.signer(database).cycle()
        assert record.read_text() == broken
    record.write_text(whole)
    assert office.signer(database).cycle() == []


@ON_SQLITE
def test_a_second_signer_of_the_same_memory_is_kept_away_and_an_unknown_refusal_is_named(database, office):
    held = office.place.hold()
    with pytest.raises(SignerRunning):
        office.place.hold()
    held.close()
    office.place.hold().close()
    with pytest.raises(UnknownRefusal):
        database.transact(service.resolve_refusal, office.place, 99, Verdict("admin", "", False))


def test_signers_that_die_again_and_again_never_sign_two_trees_of_one_size(database, book, database_url, tmp_path):
    """Real processes, one after the other, killed at random moments, while entries come and are sealed."""
    environment = dict(
        os.environ, DATABASE_URL=database_url, MORALBANK_VAR=str(tmp_path), PUBLIC_URL="http://b.example"
    )
    words = [sys.executable, "-m", "tests.transparency._signer_process"]
    stop, faults = threading.Event(), []

    def post() -> None:
        number = 0
        try:
            while not stop.is_set():
                post_and_seal(database, book, str(number))
                number += 1
        except MoralBankError as fault:
            faults.append(fault)

    poster = threading.Thread(target=post)
    poster.start()
    seen: set[int] = {0}
    try:
        with subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, text=True) as parent:
            for round in range(8):
                victim = int(parent.stdout.readline())
                deadline = time.monotonic() + 20
                while (found := latest(database, book)) is None or found.size <= max(seen):
                    assert time.monotonic() < deadline, "nobody signs"
                    time.sleep(0.01)
                time.sleep(0.01 * round)
                os.kill(victim, signal.SIGKILL)
                seen.add(found.size)
            victim = int(parent.stdout.readline())
            parent.kill()
        os.kill(victim, signal.SIGKILL)
    finally:
        stop.set()
        poster.join()
    assert faults == []
    assert open_refusals(database) == []
    keys = keys_of(database, book)
    assert len(keys) == 1
    with database.reading() as db:
        signed = queries.list_checkpoints(db, book.book, Log.LEDGER, limit=10_000)
        assert seen - {0} <= {each.size for each in signed}
        for each in signed:
            body, _ = checkpoint.open_signed(each.note, "b.example/log/NS-00", keys)
            assert (body.size, body.root) == (each.size, queries.root_at(db, book.book, Log.LEDGER, each.size))
        assert heads.head_of(db, book.book, Log.LEDGER).size >= max(seen)
