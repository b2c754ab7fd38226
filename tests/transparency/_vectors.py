"""Writes docs/vectors/, the log's formats as other programs must read them: `python -m tests.transparency._vectors`.

Everything follows from fixed keys and fixed leaves, so the same bytes are written each time.
"""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import UUID

from moralbank.ledger import Draft, Leg, PostedLeg, Unit
from moralbank.ledger.leaf import encode
from moralbank.transparency import cosignature, note, tiles, tree
from moralbank.transparency.checkpoint import Body
from tests.transparency._logs import KEY, WITNESSES, GrowingLog

PLACE = Path(__file__).resolve().parents[2] / "docs" / "vectors"
SMALL = 21
#: Trees over the numbered leaves: below, at and above the borders of tiles.
LARGE = (64, 100, 255, 256, 257, 1000, 4096, 65_536, 66_000)
SPARE_KEY = note.signing_key(KEY.name, bytes(range(1, 33)))
_FIRST_AT = datetime(2026, 1, 5, 1, 30, tzinfo=UTC)
_SIGNED_AT = 1_767_600_000


def made() -> dict[str, str]:
    """Return every file's text by its name."""
    small, large = GrowingLog(_entries(SMALL)), GrowingLog([numbered(number) for number in range(LARGE[-1])])
    files: dict[str, Any] = {
        "keys.json": _keys(),
        "leaves.json": [
            {"index": index, "leaf": leaf.decode(), "hash": tree.leaf_hash(leaf).hex()}
            for index, leaf in enumerate(small.leaves)
        ],
        "heads.json": {
            "small": [{"size": size, "root": small.root(size).hex()} for size in range(SMALL + 1)],
            "large": [{"size": size, "root": large.root(size).hex()} for size in LARGE],
        },
        "inclusion.json": {
            "small": [_inclusion(small, index, size) for size in range(1, SMALL + 1) for index in range(size)],
            "large": [_inclusion(large, index, size) for size in LARGE for index in _corners(size)],
        },
        "consistency.json": {
            "small": [_consistency(small, old, new) for new in range(SMALL + 1) for old in range(new + 1)],
            "large": [_consistency(large, old, new) for new in LARGE for old in LARGE if old <= new],
        },
        "tiles.json": [_tile(large, tile) for tile in _tiles_of(LARGE[-1])],
        "refused.json": _refused(_checkpoint(small, 7).encode().decode()),
    }
    texts = {name: _lines(content) for name, content in files.items()}
    for size in (0, 1, 7, SMALL):
        texts[f"checkpoint-{size}.txt"] = _checkpoint(small, size).encode().decode()
    texts["checkpoint-rotation.txt"] = note.sign(_body(small, SMALL).encode(), [KEY, SPARE_KEY]).encode().decode()
    cosigned = _cosigned(small, SMALL)
    texts["checkpoint-cosigned.txt"] = cosigned.encode().decode()
    texts["entry-12.tlog-proof"] = small.proof(12, cosigned, SMALL).encode().decode()
    texts["entry-0-alone.tlog-proof"] = small.proof(0, _checkpoint(small, 1), 1).encode().decode()
    texts["add-checkpoint.txt"] = small.request(7, SMALL).encode().decode()
    texts["add-checkpoint-first.txt"] = small.request(0, 7).encode().decode()
    policy = cosignature.make_policy(2, [witness.key for witness in WITNESSES])
    texts["policy.txt"] = cosignature.policy_file([KEY.key], policy)
    return texts


def _lines(content: list[Any] | dict[str, Any]) -> str:
    """Return JSON that a person can read and compare: one thing a line."""
    if isinstance(content, list):
        return "[\n" + ",\n".join(json.dumps(each, ensure_ascii=False) for each in content) + "\n]\n"
    parts = [
        f"{json.dumps(name)}: {_lines(part).rstrip() if isinstance(part, list) else json.dumps(part)}"
        for name, part in content.items()
    ]
    return "{\n" + ",\n".join(parts) + "\n}\n"


def numbered(number: int) -> bytes:
    """Return a leaf of the large trees: too many to be written down, so they are made by this rule."""
    return f"leaf {number}".encode()


def _entries(count: int) -> list[bytes]:
    """Return the leaves of a small book: somebody earns and spends in turn."""
    found, balance = [], 0
    for number in range(count):
        amount = -20 if number % 3 == 2 else 30
        balance += amount
        kind = "redemption" if amount < 0 else "award"
        at = _FIRST_AT + timedelta(days=number, microseconds=number)
        draft = Draft(
            book=1,
            key=f"vector-{number}",
            kind=kind,
            legs=(Leg(1001, Unit.POINTS, amount), Leg(2 if amount > 0 else 3001, Unit.POINTS, -amount)),
            actor="staff:12",
            branch=3,
            source=("attendance", str(number)),
            rule=("V01", 1) if amount > 0 else None,
            grade="A" if amount > 0 else None,
        )
        legs = (
            PostedLeg(1001, Unit.POINTS, amount, number + 1, balance, date(2029, 1, 31) if amount > 0 else None),
            PostedLeg(2 if amount > 0 else 3001, Unit.POINTS, -amount, None, None, None),
        )
        commits_to = f"{number:064x}" if number % 2 else None
        found.append(encode(draft, UUID(int=number + 1).hex, number + 1, at, at.date(), legs, commits_to))
    return found


def _keys() -> dict[str, Any]:
    return {
        "log": [{"verifier_key": str(key.key), "seed": key.seed.hex()} for key in (KEY, SPARE_KEY)],
        "witnesses": [{"verifier_key": str(key.key), "seed": key.seed.hex()} for key in WITNESSES],
        "policy": "2 of 3",
    }


def _body(log: GrowingLog, size: int) -> Body:
    return Body(KEY.name, size, log.root(size))


def _checkpoint(log: GrowingLog, size: int) -> note.Note:
    return note.sign(_body(log, size).encode(), [KEY])


def _cosigned(log: GrowingLog, size: int) -> note.Note:
    signed = _checkpoint(log, size)
    lines = [
        cosignature.cosign(signed.text, witness, _SIGNED_AT + number * 60) for number, witness in enumerate(WITNESSES)
    ]
    return signed.with_signatures(lines)


def _inclusion(log: GrowingLog, index: int, size: int) -> dict[str, Any]:
    path = tree.inclusion_proof(log.node, index, size)
    return {"index": index, "size": size, "path": [step.hex() for step in path]}


def _consistency(log: GrowingLog, old: int, new: int) -> dict[str, Any]:
    path = tree.consistency_proof(log.node, old, new)
    return {"old": old, "new": new, "path": [step.hex() for step in path]}


def _corners(size: int) -> list[int]:
    return sorted({0, 1, size // 3, size // 2, size - 2, size - 1})


def _tiles_of(size: int) -> list[tiles.Tile]:
    found = [tiles.Tile(0, 0), tiles.Tile(0, 255), tiles.Tile(1, 0)]
    return [*found, *tiles.partial_tiles(size)]


def _tile(log: GrowingLog, tile: tiles.Tile) -> dict[str, Any]:
    first = tile.index * tiles.WIDTH
    hashes = [log.node(tiles.HEIGHT * tile.level, first + number) for number in range(tile.width)]
    return {"path": tile.path, "sha256": sha256(b"".join(hashes)).hexdigest()}


def _refused(good: str) -> list[dict[str, str]]:
    """Return notes that nobody may open with the log's key, and why."""
    text, _, line = good.partition("\n\n")
    damaged = {
        "the size was changed": good.replace("\n7\n", "\n8\n"),
        "one bit of the signature was changed": good.replace(line[-20], "A" if line[-20] != "A" else "B"),
        "no signature": f"{text}\n\n",
        "no blank line": good.replace("\n\n", "\n"),
        "no final newline": good[:-1],
        "a hyphen in place of the dash": good.replace("—", "-"),
        "a control character": good.replace("7\n", "7\r\n"),
        "a plus in the key's name": good.replace(f"— {KEY.name}", f"— {KEY.name}+1"),
        "a short signature": f"{text}\n\n— {KEY.name} AAAA\n",
        "signed by another key of the same name": note.sign(f"{text}\n", [SPARE_KEY]).encode().decode(),
        "signed under another name": good.replace(f"— {KEY.name}", "— elsewhere.example/log"),
    }
    return [{"why": why, "note": given} for why, given in damaged.items()]


def write() -> None:
    """Write every file anew and remove what is none of them."""
    PLACE.mkdir(parents=True, exist_ok=True)
    texts = made()
    for path in PLACE.iterdir():
        if path.name not in texts and path.name != "README.md":
            path.unlink()
    for name, text in texts.items():
        (PLACE / name).write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    write()
