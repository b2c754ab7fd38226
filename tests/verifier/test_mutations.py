"""Random damage to exports, proofs, statements and checkpoints: none of it passes, and none of it makes a traceback.

MORALBANK_MUTATIONS sets how many; the default is what one run of all tests can bear.
"""

from __future__ import annotations

import base64
import json
import os
import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.verifier import _paper as p
from tests.verifier._paper import SUN, ZHAO, Paper
from tests.verifier._run import run

MUTATIONS = int(os.environ.get("MORALBANK_MUTATIONS", "2000"))
#: What an export holds beside the evidence: nothing is proven by it, so it may say what it likes.
#: Of notices, that one came earlier than it did: no leaf tells.
BESIDE = {"README.txt", "reversed.txt", "policy.txt", "notices.txt"}


def proof_file(paper: Paper, index: int, size: int, extra: bool = True) -> bytes:
    hashes = [p.leaf_hash(leaf) for leaf in paper.leaves[:size]]
    lines = ["c2sp.org/tlog-proof@v1"]
    lines += [f"extra {base64.b64encode(paper.leaves[index]).decode()}"] if extra else []
    lines += [f"index {index}", *(base64.b64encode(step).decode() for step in p.path_of(hashes, index))]
    note = p.note(p.LOG_KEY, p.ORIGIN, size, p.root_of(hashes), p.WITNESSES[:2])
    return ("\n".join(lines) + "\n\n" + note).encode()


def statement_file(paper: Paper, account: int, month: str) -> bytes:
    """A month of an account, with the line before it and the line behind it."""
    size = len(paper.leaves)
    hashes = [p.leaf_hash(leaf) for leaf in paper.leaves]
    note = p.note(p.LOG_KEY, p.ORIGIN, size, p.root_of(hashes), p.WITNESSES)
    leaves = []
    for index, leaf in enumerate(paper.leaves):
        if any(leg["a"] == account for leg in json.loads(leaf).get("legs", ())):
            path = [base64.b64encode(step).decode() for step in p.path_of(hashes, index)]
            leaves.append({"index": index, "leaf": leaf.decode(), "proof": path})
    edges = {}
    for unit in ("points", "minutes"):
        opening, _, _, closing, first, last = paper.months[account, unit, month]
        edges[unit] = {"opening": {"n": first - 1, "balance": opening}, "closing": {"n": last, "balance": closing}}
    after = {"2026-03": "2026-03-31T16:00:00.000000Z", "2026-04": "2026-04-30T16:00:00.000000Z"}
    since = {"2026-03": "2026-02-28T16:00:00.000000Z", "2026-04": "2026-03-31T16:00:00.000000Z"}
    whole = {
        "format": "moralbank-statement/1", "book": p.BOOK, "account": account, "month": month, "checkpoint": note,
        "leaves": leaves, "waiting": [], "since": since[month], "until": after[month],
    }  # fmt: skip
    return p.canonical(whole | edges)


def flip(data: bytes, chance: random.Random) -> bytes:
    place = chance.randrange(len(data))
    return data[:place] + bytes([data[place] ^ 1 << chance.randrange(8)]) + data[place + 1 :]


def truncate(data: bytes, chance: random.Random) -> bytes:
    return data[: chance.randrange(len(data))]


def drop_line(data: bytes, chance: random.Random) -> bytes:
    lines = data.splitlines(keepends=True)
    lines.pop(chance.randrange(len(lines)))
    return b"".join(lines)


def double_line(data: bytes, chance: random.Random) -> bytes:
    lines = data.splitlines(keepends=True)
    place = chance.randrange(len(lines))
    return b"".join([*lines[: place + 1], *lines[place:]])


def swap_lines(data: bytes, chance: random.Random) -> bytes:
    lines = data.splitlines(keepends=True)
    one, two = chance.randrange(len(lines)), chance.randrange(len(lines))
    lines[one], lines[two] = lines[two], lines[one]
    return b"".join(lines)


def respace(data: bytes, chance: random.Random) -> bytes:
    """Write a leaf with another spacing: the same JSON, other octets."""
    lines = data.split(b"\n")
    place = chance.randrange(len(lines))
    lines[place] = lines[place].replace(b",", b", ", 1)
    return b"\n".join(lines)


def change_digit(data: bytes, chance: random.Random) -> bytes:
    digits = [place for place, octet in enumerate(data) if octet in b"0123456789"]
    place = chance.choice(digits or [0])
    return data[:place] + str((int(chr(data[place])) + 1) % 10).encode() + data[place + 1 :] if digits else b""


WAYS = (flip, flip, truncate, drop_line, double_line, swap_lines, respace, change_digit)


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    (tmp_path / "policy.txt").write_text(p.policy_of(p.LOG_KEY, p.ACCESS_KEY))
    return tmp_path / "policy.txt"


def mutate(data: bytes, chance: random.Random) -> tuple[str, bytes]:
    """Return damage that is damage, and which."""
    while True:
        way = chance.choice(WAYS)
        changed = way(data, chance)
        if changed != data:
            return way.__name__, changed


def test_no_random_damage_passes(tmp_path: Path, keys: Path) -> None:
    """A third each: the archive's octets, a file in it with a manifest that is true again, single proofs."""
    chance = random.Random(20260301)
    paper = p.small_book()
    whole = paper.write(tmp_path / "whole.zip")
    files = p.unpack(whole)
    proofs = [proof_file(paper, index, len(paper.leaves)) for index in range(len(paper.leaves))]
    months = ((ZHAO, "2026-03"), (SUN, "2026-03"), (SUN, "2026-04"))
    statements = [statement_file(paper, who, month) for who, month in months]
    changed = tmp_path / "changed"
    refused: Counter[str] = Counter()
    while refused.total() < MUTATIONS:
        kind = ("archive", "file", "proof", "statement")[min(refused.total() % 3 + chance.randrange(2), 3)]
        if kind == "archive":
            way, damaged = mutate(whole.read_bytes(), chance)
            changed.write_bytes(damaged)
            words, is_same = [changed], lambda: contents(changed) == files
        elif kind == "file":
            name = chance.choice(sorted(name for name in files if name not in BESIDE and files[name]))
            way, damaged = mutate(files[name], chance)
            p.pack(changed, {**files, name: damaged})
            words, is_same = [changed], lambda: evidence_of(name, damaged) == evidence_of(name, files[name])  # noqa: B023
        else:
            original = chance.choice(proofs if kind == "proof" else statements)
            way, damaged = mutate(original, chance)
            changed.write_bytes(damaged)
            words, is_same = [kind, changed], lambda: said_by(kind, damaged) == said_by(kind, original)  # noqa: B023
        status, said = run(*words, "--key", keys)
        if status == 0:
            assert is_same(), f"{kind}, {way}, {name if kind == 'file' else ''}: {damaged[:2000]!r}"
            continue  # Nothing that is evidence was damaged, or so little that what is left proves the same.
        # A proof from which the leaf was taken away is not wrong; there is nothing to check.
        assert status == 1 or (kind == "proof" and "holds no leaf" in said), said
        refused[kind] += 1
    print(f"{refused.total()} mutations refused: {dict(refused)}")


def contents(path: Path) -> dict[str, bytes] | None:
    """Return what the files of an archive hold: a date or a comment of its own is no evidence."""
    try:
        return p.unpack(path)
    except Exception:
        return None


def evidence_of(name: str, data: bytes) -> object:
    """Return what of a file of an export is evidence, in a form in which a lost part equals the whole."""
    if name == "book.json":
        about = json.loads(data)
        for log in ("ledger", "access"):  # From which size on a name holds matters to a log that has two.
            about[log]["origins"] = [name for _, name in about[log]["origins"]]
        return {key: value for key, value in about.items() if key not in ("code", "name", "at")}
    if name.endswith("checkpoints.jsonl"):
        return None  # Fewer checkpoints, or fewer signatures below one, prove less, and what they prove is the same.
    if name in ("ledger/keys.txt", "access/keys.txt"):
        return None  # The auditor has the keys from elsewhere.
    rows = [line.split(b" ") for line in data.splitlines()]
    if name == "keys.txt":
        return [[row[0], *row[2:]] for row in rows]  # The words by which requests were told apart.
    if name == "rules.txt":
        return {tuple(row[:2]) for row in rows}  # The text of the consultation is shown, not proven.
    if name == "openings.txt":  # A salt in capitals is the same salt.
        return {(row[0], row[1].lower(), *row[2:]) for row in rows}
    return set(data.splitlines()) if name.endswith(".txt") else data  # The order of a table's rows says nothing.


def said_by(kind: str, data: bytes) -> object:
    """Return what a proof or a statement says apart from signature lines, of which enough may be left."""
    if kind == "statement":
        fields = json.loads(data)
        return fields | {"checkpoint": fields["checkpoint"].partition("\n\n")[0]}
    return data[: data.rindex(b"\n\n")]


def test_the_named_kinds_of_mischief_are_refused(tmp_path: Path, keys: Path) -> None:
    paper = p.small_book()
    size = len(paper.leaves)
    good = proof_file(paper, 3, size)
    (tmp_path / "good").write_bytes(good)
    assert run("proof", tmp_path / "good", "--key", keys)[0] == 0
    stranger = p.Signer(p.ORIGIN, 1, seed=7)
    hashes = [p.leaf_hash(leaf) for leaf in paper.leaves]
    head = good[: good.index(b"\n\n") + 2]
    mischief: dict[str, Callable[[], bytes]] = {
        "another key of the same name": lambda: head
        + p.note(stranger, p.ORIGIN, size, p.root_of(hashes), p.WITNESSES).encode(),
        "one witness": lambda: head + p.note(p.LOG_KEY, p.ORIGIN, size, p.root_of(hashes), p.WITNESSES[:1]).encode(),
        "no signature": lambda: good[: good.index("—".encode())],
        "another leaf": lambda: good.replace(
            base64.b64encode(paper.leaves[3]), base64.b64encode(paper.leaves[2])
        ),
        "a leaf with other spacing": lambda: good.replace(
            base64.b64encode(paper.leaves[3]), base64.b64encode(paper.leaves[3].replace(b",", b", ", 1))
        ),
    }  # fmt: skip
    for name, make in mischief.items():
        (tmp_path / "bad").write_bytes(make())
        status, said = run("proof", tmp_path / "bad", "--key", keys)
        assert status == 1, name
        assert said.startswith("BROKEN"), name


def test_two_checkpoints_of_one_size_are_refused(tmp_path: Path, keys: Path) -> None:
    files = p.unpack(p.small_book().write(tmp_path / "export.zip"))
    lines = files["ledger/checkpoints.jsonl"].splitlines(keepends=True)
    files["ledger/checkpoints.jsonl"] = b"".join([*lines, lines[-1]])
    status, said = run(p.pack(tmp_path / "export.zip", files), "--key", keys)
    assert status == 1
    assert "two checkpoints of 14 leaves" in said


def test_a_tree_larger_than_the_book_is_refused(tmp_path: Path, keys: Path) -> None:
    paper = p.small_book()
    files = p.unpack(paper.write(tmp_path / "export.zip"))
    hashes = [p.leaf_hash(leaf) for leaf in paper.leaves]
    larger = p.note(p.LOG_KEY, p.ORIGIN, len(hashes) + 1, p.root_of([*hashes, hashes[0]]), p.WITNESSES)
    files["ledger/checkpoints.jsonl"] += p.canonical(larger) + b"\n"
    status, said = run(p.pack(tmp_path / "export.zip", files), "--key", keys)
    assert status == 1
    assert "a checkpoint signs 15 leaves and the book holds 14" in said
