"""Witnesses are asked with what was committed; whatever one of them does keeps nobody waiting and harms nothing."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from moralbank import clock
from moralbank.db import Database
from moralbank.logbook import asking, queries, service
from moralbank.logbook.asking import Outcome
from moralbank.logbook.queries import Witness
from moralbank.transparency import Log, append_fact, checkpoint, cosignature, note, witness_files
from moralbank.transparency.handing import statement
from moralbank.transparency.witness_server import WitnessServer
from tests.logbook._signed import WITNESSES, SignedBook, key_of
from tests.transparency._logs import GrowingLog, leaves

NOW = datetime(2026, 11, 26, 8, tzinfo=UTC)


class Office:
    """A witness with a machine of its own."""

    def __init__(self, place: Path, name: str) -> None:
        self.witness = witness_files.found(place, f"{name}.example")
        self.witness.trust(key_of(1, Log.LEDGER).key)
        self.server = WitnessServer(place, "127.0.0.1", 0)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,))
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    office = Office(tmp_path / "street", "street")
    yield office
    office.close()


def add(signed: SignedBook, key: note.VerifierKey, url: str | None) -> Witness:
    return signed.database.transact(service.add_witness, signed.book, str(key), key.name, url, actor="admin:1")


def last(signed: SignedBook, witness: Witness, log: Log = Log.LEDGER) -> queries.Round | None:
    with signed.database.reading() as db:
        return queries.list_rounds(db, [witness.witness_id]).get((witness.witness_id, log))


def outcome(signed: SignedBook, witness: Witness) -> str | None:
    found = last(signed, witness)
    return found.outcome if found else None


def cosigners(signed: SignedBook) -> list[str]:
    with signed.database.reading() as db:
        standing = queries.get_standing(db, signed.book, Log.LEDGER)
    return [each.key.name for each in standing.cosigned]


def test_each_new_checkpoint_is_cosigned_once(signed: SignedBook, office: Office, tmp_path: Path):
    witness = add(signed, office.witness.key, office.server.address)
    assert asking.ask_witnesses(signed.database, tmp_path) == 0
    for size in (1, 2):
        signed.award()
        assert signed.sign() == size
        assert asking.ask_witnesses(signed.database, tmp_path) == 1
        assert asking.ask_witnesses(signed.database, tmp_path) == 0
        assert cosigners(signed) == ["street.example"]
        found = last(signed, witness)
        assert found is not None
        assert (found.known_size, found.outcome, found.failures) == (size, "signed", 0)
    assert office.witness.logs()[key_of(1, Log.LEDGER).name].size == 2


def test_a_witness_that_signed_more_than_the_bank_remembers_is_asked_from_there(
    signed: SignedBook, office: Office, tmp_path: Path
):
    """The answer was lost on its way: the witness knows of the checkpoint, the bank has no cosignature."""
    witness = add(signed, office.witness.key, office.server.address)
    signed.award()
    signed.sign()
    with signed.database.reading() as db:
        errand = asking.list_errands(db, clock.now())[0]
    office.witness.add_checkpoint(errand.request.encode())
    signed.award()
    signed.sign()
    assert asking.ask_witnesses(signed.database, tmp_path) == 1
    assert outcome(signed, witness) == "signed"


def test_a_book_that_was_set_back_is_noticed(signed: SignedBook, office: Office, tmp_path: Path):
    witness = add(signed, office.witness.key, office.server.address)
    elsewhere = GrowingLog(leaves(9), key_of(1, Log.LEDGER))
    office.witness.add_checkpoint(elsewhere.request(0, 9).encode())
    signed.award()
    signed.sign()
    assert asking.ask_witnesses(signed.database, tmp_path) == 0
    assert outcome(signed, witness) == Outcome.AHEAD
    assert cosigners(signed) == []


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_second_book_of_the_same_name_is_noticed(signed: SignedBook, office: Office, tmp_path: Path):
    witness = add(signed, office.witness.key, office.server.address)
    elsewhere = GrowingLog(leaves(9), key_of(1, Log.LEDGER))
    office.witness.add_checkpoint(elsewhere.request(0, 2).encode())
    for count in (2, 1):  # The same size with another root, then a larger one that doesn't continue it.
        signed.award(count)
        signed.sign()
        with clock.at(clock.now() + timedelta(days=count)):
            assert asking.ask_witnesses(signed.database, tmp_path) == 0
        assert outcome(signed, witness) == Outcome.FORKED


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_witness_that_does_not_know_the_log_is_a_stranger(signed: SignedBook, tmp_path: Path):
    office = Office(tmp_path / "elsewhere", "elsewhere")
    (tmp_path / "elsewhere" / witness_files.RECORD).write_text('{"v": 1, "logs": {}}')
    witness = add(signed, office.witness.key, office.server.address)
    signed.award()
    signed.sign()
    asking.ask_witnesses(signed.database, tmp_path)
    office.close()
    assert outcome(signed, witness) == Outcome.STRANGER


class Answering(BaseHTTPRequestHandler):
    """A witness that answers with whatever a test wants."""

    status, body, wait = 200, b"", 0.0

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        time.sleep(self.wait)
        self.send_response(self.status)
        self.send_header("Location", "/elsewhere")
        self.send_header("Content-Length", str(len(self.body)))
        self.end_headers()
        self.wfile.write(self.body)


@pytest.fixture
def crooked() -> Iterator[tuple[type[Answering], str]]:
    handler = type("Crooked", (Answering,), {})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield handler, f"http://127.0.0.1:{server.server_address[1]}/below"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_an_answer_that_is_not_the_witnesss_signature_is_not_kept(
    signed: SignedBook, crooked: tuple[type[Answering], str], tmp_path: Path
):
    handler, url = crooked
    witness = add(signed, WITNESSES[0].key, url)
    signed.award()
    signed.sign()
    with signed.database.reading() as db:
        text = checkpoint.read(queries.get_standing(db, signed.book, Log.LEDGER).checkpoint.note)[1].text
    by_another = f"{cosignature.cosign(text, WITNESSES[1], 1_790_000_000)}\n".encode()
    other_text = text + "x\n"
    of_another = f"{cosignature.cosign(other_text, WITNESSES[0], 1_790_000_000)}\n".encode()
    answers = [
        (200, by_another, Outcome.UNFIT), (200, of_another, Outcome.UNFIT), (200, b"", Outcome.UNFIT),
        (200, b"\xff\n", Outcome.UNFIT), (200, b"x" * 100_000, Outcome.UNFIT), (302, b"", Outcome.AWAY),
        (500, b"", Outcome.AWAY), (404, b"", Outcome.STRANGER), (403, b"", Outcome.STRANGER),
        (409, b"what\n", Outcome.FORKED), (422, b"", Outcome.FORKED), (400, b"", Outcome.AWAY),
    ]  # fmt: skip
    for day, (status, body, expected) in enumerate(answers):
        handler.status, handler.body = status, body
        with clock.at(NOW + timedelta(days=day)):
            assert asking.ask_witnesses(signed.database, tmp_path) == 0
        assert outcome(signed, witness) == expected, (status, body[:20])
    assert cosigners(signed) == []


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_who_does_not_answer_is_asked_later_and_later_and_keeps_nobody_waiting(
    signed: SignedBook,
    office: Office,
    crooked: tuple[type[Answering], str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    handler, url = crooked
    handler.wait = 3.0
    monkeypatch.setattr(asking, "ALL_SECONDS", 1.0)
    slow = add(signed, WITNESSES[0].key, url)
    gone = add(signed, WITNESSES[1].key, "http://127.0.0.1:1")
    add(signed, office.witness.key, office.server.address)
    signed.award()
    signed.sign()
    began = time.monotonic()
    with clock.at(NOW):
        assert asking.ask_witnesses(signed.database, tmp_path) == 1
    assert time.monotonic() - began < 2.5
    assert cosigners(signed) == ["street.example"]
    assert outcome(signed, slow) == outcome(signed, gone) == Outcome.AWAY
    handler.wait, now, pauses = 0.0, NOW, []
    for _ in range(9):
        found = last(signed, gone)
        assert found is not None
        pauses.append(found.next_at - found.asked_at)
        with clock.at(found.next_at - timedelta(seconds=1)):
            asking.ask_witnesses(signed.database, tmp_path)
        assert last(signed, gone) == found
        now = found.next_at
        with clock.at(now):
            asking.ask_witnesses(signed.database, tmp_path)
    assert pauses[:3] == [timedelta(seconds=30), timedelta(minutes=1), timedelta(minutes=2)]
    assert pauses[-1] == asking.LONGEST_PAUSE


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_witness_without_address_is_never_asked_and_a_retired_one_no_more(
    signed: SignedBook, office: Office, tmp_path: Path
):
    add(signed, WITNESSES[0].key, None)
    asked = add(signed, office.witness.key, office.server.address)
    signed.award()
    signed.sign()
    with signed.database.reading() as db:
        errands = asking.list_errands(db, clock.now())
    assert [errand.witness for errand in errands] == [asked]
    found = asking.run(errands, tmp_path)
    signed.database.transact(service.retire_witness, signed.book, asked.witness_id, actor="admin:1")
    signed.database.transact(asking.keep, found[0])  # It had signed when it was let go.
    assert cosigners(signed) == []
    assert asking.ask_witnesses(signed.database, tmp_path) == 0


def test_the_demonstrations_witnesses_sign_in_their_own_place(signed: SignedBook, tmp_path: Path, database: Database):
    made = witness_files.found(tmp_path / "witnesses" / "street-office", "street-office.example")
    add(signed, made.key, "local:street-office")
    missing = add(signed, WITNESSES[1].key, "local:nobody")
    signed.award()
    signed.sign()
    signed.tell()
    signed.sign(Log.ACCESS)
    assert asking.ask_witnesses(database, tmp_path) == 2
    assert cosigners(signed) == ["street-office.example"]
    assert outcome(signed, missing) == Outcome.AWAY
    assert sorted(made.logs()) == [key_of(1, Log.LEDGER).name, key_of(1, Log.ACCESS).name]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_the_demonstrations_witnesses_follow_a_key_that_the_old_one_hands_over_and_no_other(
    signed: SignedBook, tmp_path: Path, database: Database
):
    made = witness_files.found(tmp_path / "witnesses" / "street-office", "street-office.example")
    add(signed, made.key, "local:street-office")
    signed.award()
    signed.sign()
    asking.ask_witnesses(database, tmp_path)
    old, origin = key_of(1, Log.LEDGER), key_of(1, Log.LEDGER).name
    new, stranger = (note.signing_key(origin, bytes([seed]) * 32) for seed in (71, 72))
    until = "2027-01-01T00:00:00.000000Z"
    by_old, by_new = (
        str(note.sign(statement(origin, str(new.key), until), [one]).signatures[0]) for one in (old, stranger)
    )
    stated = {"origin": origin, "new": str(new.key), "old": str(old.key), "until": until}
    database.transact(append_fact, signed.book, Log.LEDGER, "key", stated | {"sig": by_new})
    signed.sign()
    asking.ask_witnesses(database, tmp_path)
    assert made.logs()[origin].keys == (old.key,)
    database.transact(append_fact, signed.book, Log.LEDGER, "key", stated | {"sig": by_old})
    signed.sign()
    asking.ask_witnesses(database, tmp_path)
    assert made.logs()[origin].keys == (old.key, new.key)
    assert cosigners(signed) == ["street-office.example"]
