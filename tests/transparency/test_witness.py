"""A witness signs what continues what it signed, once a size, whatever is killed when."""

from __future__ import annotations

import http.client
import json
import os
import signal
import stat
import subprocess
import sys
import threading
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moralbank import clock
from moralbank.errors import MoralBankError
from moralbank.transparency import checkpoint, cosignature, note, tree, witness_files, witnessing
from moralbank.transparency.errors import (
    BadVerifierKey,
    BadWitnessRecord,
    BadWitnessRequest,
    Inconsistent,
    KeyFileOpen,
    NoWitness,
    OtherLogKey,
    OtherRoot,
    OtherSize,
    Unsigned,
    UntrustedOrigin,
    WitnessExists,
    WrongSignature,
)
from moralbank.transparency.witness_files import Witness
from moralbank.transparency.witness_server import SIZE_TYPE, WitnessServer
from moralbank.transparency.witnessing import Request
from tests.transparency._logs import KEY, ORIGIN, GrowingLog, leaves

LOG = GrowingLog(leaves(40))
#: The same first ten leaves, and others after them: what a forger would show to somebody else.
FORK = GrowingLog([*leaves(10), *leaves(30, " forged")])
OTHER_KEY = note.signing_key(ORIGIN, bytes([9]) * 32)


@pytest.fixture
def witness(tmp_path: Path) -> Witness:
    made = witness_files.found(tmp_path / "street", "street-office.example")
    made.trust(KEY.key)
    return made


def test_a_witness_signs_what_continues_what_it_signed(witness: Witness):
    for old, new in ((0, 7), (7, 7), (7, 40)):
        line = witness.add_checkpoint(LOG.request(old, new).encode())
        found = cosignature.verify(LOG.signed(new).with_signatures([line]), [witness.key])
        assert [cosigned.key for cosigned in found] == [witness.key]
        assert abs(found[0].time - clock.now().timestamp()) < 60
    known = Witness(witness.place).logs()[ORIGIN]
    assert (known.size, known.root) == (40, LOG.root(40))
    assert checkpoint.read(known.checkpoint)[0].size == 40


def test_a_witness_begins_with_the_empty_tree(witness: Witness):
    witness.add_checkpoint(LOG.request(0, 0).encode())
    body = checkpoint.Body(ORIGIN, 0, bytes(32))
    with pytest.raises(OtherRoot):
        witness.add_checkpoint(Request(0, (), note.sign(body.encode(), [KEY]).encode()).encode())
    witness.add_checkpoint(LOG.request(0, 3).encode())


def test_a_smaller_tree_a_fork_and_a_second_root_are_refused_and_nothing_is_forgotten(witness: Witness):
    witness.add_checkpoint(LOG.request(0, 20).encode())
    before = (witness.place / witness_files.RECORD).read_bytes()
    refused = {
        "smaller": (LOG.request(5, 12), OtherSize),
        "from nothing": (LOG.request(0, 30), OtherSize),
        "second root": (FORK.request(20, 20), OtherRoot),
        "fork": (FORK.request(20, 30), Inconsistent),
        "no proof": (Request(20, (), LOG.signed(30).encode()), Inconsistent),
        "proof too long": (Request(20, (*LOG.request(20, 30).path, bytes(32)), LOG.signed(30).encode()), Inconsistent),
        "proof of nothing": (Request(20, (bytes(32),), LOG.signed(20).encode()), Inconsistent),
        "old above new": (Request(30, (), LOG.signed(20).encode()), BadWitnessRequest),
    }
    for name, (request, kind) in refused.items():
        with pytest.raises(kind):
            witness.add_checkpoint(request.encode())
        assert (witness.place / witness_files.RECORD).read_bytes() == before, name
    witness.add_checkpoint(LOG.request(20, 30).encode())


def test_only_known_logs_under_known_keys_are_signed(witness: Witness):
    elsewhere = GrowingLog(leaves(3), note.signing_key("elsewhere.example/log", bytes(32)))
    with pytest.raises(UntrustedOrigin):
        witness.add_checkpoint(elsewhere.request(0, 3).encode())
    with pytest.raises(Unsigned):
        witness.add_checkpoint(GrowingLog(leaves(3), OTHER_KEY).request(0, 3).encode())
    request = LOG.request(0, 3)
    forged = request.checkpoint.replace(b"\n3\n", b"\n4\n")
    with pytest.raises(WrongSignature):
        witness.add_checkpoint(Request(0, (), forged).encode())


def test_another_key_of_the_same_log_needs_the_keepers_word(witness: Witness):
    with pytest.raises(OtherLogKey):
        witness.trust(OTHER_KEY.key)
    witness.trust(KEY.key)
    witness.add_checkpoint(LOG.request(0, 3).encode())
    assert witness.trust(OTHER_KEY.key, also=True).size == 3
    witness.add_checkpoint(GrowingLog(LOG.leaves, OTHER_KEY).request(3, 8).encode())
    witness.add_checkpoint(LOG.request(8, 9).encode())
    with pytest.raises(BadVerifierKey):
        witness.trust(witness.key)


def test_the_key_is_private_and_never_replaced(witness: Witness):
    path = witness.place / witness_files.KEY
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(WitnessExists):
        witness_files.found(witness.place, "street-office.example")
    path.chmod(0o640)
    with pytest.raises(KeyFileOpen):
        Witness(witness.place)


def test_a_place_without_witness_and_a_broken_record_are_named_and_nothing_is_signed(witness: Witness, tmp_path: Path):
    with pytest.raises(NoWitness):
        Witness(tmp_path / "nowhere")
    witness.add_checkpoint(LOG.request(0, 3).encode())
    record = witness.place / witness_files.RECORD
    whole = record.read_text()
    broken = ["", "{", "[]", "{}", whole.replace('"v": 1', '"v": 2'), whole.replace('"size": 3', '"size": "3"')]
    for text in [*broken, whole.replace('"root": "', '"root": "A')]:
        record.write_text(text)
        with pytest.raises(BadWitnessRecord):
            witness.add_checkpoint(LOG.request(3, 5).encode())
    record.unlink()
    with pytest.raises(BadWitnessRecord):
        Witness(witness.place)


def test_a_witnesss_word_never_goes_back_in_time(witness: Witness):
    now = datetime(2026, 11, 26, 8, tzinfo=UTC)
    with clock.at(now):
        first = witness.add_checkpoint(LOG.request(0, 3).encode())
    with clock.at(now - timedelta(days=2)):
        second = witness.add_checkpoint(LOG.request(3, 5).encode())
    assert cosignature.stated_time(second) == cosignature.stated_time(first) == int(now.timestamp())


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda data: b"", "no-blank-line"),
        (lambda data: data.replace(b"\n\n", b"\n"), "no-blank-line"),
        (lambda data: data.replace(b"old 7", b"old 07"), "old-size"),
        (lambda data: data.replace(b"old 7", b"old -7"), "old-size"),
        (lambda data: data.replace(b"old 7", b"7"), "old-size"),
        (lambda data: data.replace(b"old 7\n", "old 7\né\n".encode()), "not-ascii"),
        (lambda data: data.replace(b"old 7\n", b"old 7\nAAAA\n"), "hash"),
        (lambda data: data.replace(b"old 7\n", b"old 7\n" + (b"A" * 43 + b"=\n") * 64), "too-long"),
        (lambda data: data + b"\n", "no-final-newline"),
        (lambda data: data.replace(b"\n12\n", b"\n012\n"), "checkpoint-size"),
        (lambda data: data + b"x" * witnessing.MAX_BYTES, "too-large"),
    ],
)
def test_each_kind_of_malformed_request_is_named(damage, reason):
    with pytest.raises(BadWitnessRequest) as refused:
        witnessing.parse(damage(LOG.request(7, 12).encode()))
    assert refused.value.fields["reason"] == reason


@given(st.integers(0, 500), st.integers(0, 255))
def test_a_request_with_one_byte_changed_is_refused_or_unchanged(place: int, byte: int):
    whole = LOG.request(7, 12).encode()
    place %= len(whole)
    data = whole[:place] + bytes([byte]) + whole[place + 1 :]
    trusted = witnessing.Trusted(ORIGIN, (KEY.key,), 7, LOG.root(7))
    try:
        body = witnessing.decide(witnessing.parse(data), trusted)
    except MoralBankError:
        return
    assert body == checkpoint.Body(ORIGIN, 12, LOG.root(12))
    assert data == whole


@pytest.fixture
def server(witness: Witness):
    server = WitnessServer(witness.place, "127.0.0.1", 0)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def _post(server: WitnessServer, body: bytes, path: str = "/add-checkpoint") -> tuple[int, str | None, bytes]:
    connection = http.client.HTTPConnection(*server.server_address[:2], timeout=10)
    connection.request("POST", path, body)
    answer = connection.getresponse()
    found = answer.status, answer.headers["Content-Type"], answer.read()
    connection.close()
    return found


def test_the_server_answers_as_the_standard_says(server: WitnessServer):
    status, _, body = _post(server, LOG.request(0, 20).encode())
    assert status == 200
    line = note.parse_signatures(body.decode())
    assert len(cosignature.verify(LOG.signed(20).with_signatures(line), [server.witness.key])) == 1
    assert _post(server, LOG.request(0, 30).encode()) == (409, SIZE_TYPE, b"20\n")
    elsewhere = GrowingLog(leaves(3), note.signing_key("elsewhere.example/log", bytes(32)))
    for request, status in (
        (FORK.request(20, 20), 409),
        (FORK.request(20, 30), 422),
        (GrowingLog(leaves(30), OTHER_KEY).request(20, 30), 403),
        (elsewhere.request(0, 3), 404),
        (Request(30, (), LOG.signed(20).encode()), 400),
    ):
        assert _post(server, request.encode())[0] == status, status
    assert _post(server, b"nonsense")[0] == 400
    assert _post(server, LOG.request(20, 30).encode(), "/elsewhere")[0] == 404
    assert _post(server, b"x" * (witnessing.MAX_BYTES + 1))[0] == 413


def test_the_server_shows_its_key_and_needs_a_length(server: WitnessServer):
    connection = http.client.HTTPConnection(*server.server_address[:2], timeout=10)
    connection.request("GET", "/")
    assert note.parse_verifier_key(connection.getresponse().read().decode().strip()) == server.witness.key
    connection.request("GET", "/elsewhere")
    assert connection.getresponse().read()
    connection.putrequest("POST", "/add-checkpoint")
    connection.endheaders()
    assert connection.getresponse().status == 411
    connection.close()


def test_of_many_requests_at_once_no_two_roots_of_a_size_are_signed(server: WitnessServer):
    """Two callers show two trees of the same sizes at once; whichever is signed first, the other never is."""
    signed: dict[int, set[bytes]] = defaultdict(set)

    def climb(log: GrowingLog) -> None:
        old = 0
        for new in range(10, 34):
            status, kind, body = _post(server, log.request(old, new).encode())
            if status == 200:
                signed[new].add(log.root(new))
                old = new
            elif kind == SIZE_TYPE and int(body) <= new:
                old = int(body)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(climb, [LOG, FORK, LOG, FORK]))
    assert len(signed) > 5
    assert {len(roots) for roots in signed.values()} == {1}
    witnessed = server.witness.logs()[ORIGIN]
    assert witnessed.root in (LOG.root(witnessed.size), FORK.root(witnessed.size))


_KILLED = """
import sys
from pathlib import Path
from moralbank.transparency import cosignature, witness_files
from moralbank.transparency.witness_files import Witness

def stop(*_):
    print("kept", flush=True)
    sys.stdin.read()  # Killed here: the record is written, the signature not yet made.

if sys.argv[2] == "after":
    cosignature.cosign = stop
else:
    Path.replace = stop
Witness(Path(sys.argv[1])).add_checkpoint(sys.stdin.buffer.read(int(sys.argv[3])))
"""


@pytest.mark.parametrize(("moment", "kept"), [("before", 5), ("after", 12)])
def test_a_witness_killed_between_record_and_answer_never_signs_two_trees_of_one_size(
    witness: Witness, moment: str, kept: int
):
    witness.add_checkpoint(LOG.request(0, 5).encode())
    request = LOG.request(5, 12).encode()
    process = subprocess.Popen(
        [sys.executable, "-c", _KILLED, str(witness.place), moment, str(len(request))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(request)
    process.stdin.flush()
    assert process.stdout.readline() == b"kept\n"
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    again = Witness(witness.place)
    assert again.logs()[ORIGIN].size == kept
    forged = GrowingLog([*leaves(5), *leaves(30, " forged")])
    if kept == 12:
        with pytest.raises(OtherRoot):
            again.add_checkpoint(forged.request(12, 12).encode())
        with pytest.raises(OtherSize):
            again.add_checkpoint(forged.request(5, 12).encode())
        again.add_checkpoint(LOG.request(12, 12).encode())
    else:
        again.add_checkpoint(LOG.request(5, 12).encode())


def test_a_record_is_whole_at_every_moment(witness: Witness):
    """While one writes as fast as it can, whoever reads finds one state or the other."""
    stop = time.monotonic() + 0.5
    sizes = []
    with ThreadPoolExecutor(1) as pool:

        def write() -> None:
            for new in range(1, 40):
                witness.add_checkpoint(LOG.request(new - 1, new).encode())

        writing = pool.submit(write)
        while not writing.done() or time.monotonic() < stop:
            sizes.append(json.loads((witness.place / witness_files.RECORD).read_text())["logs"][ORIGIN]["size"])
        writing.result()
    assert sizes == sorted(sizes)
    assert witnessing.Trusted(ORIGIN, ()).root == tree.EMPTY_ROOT
