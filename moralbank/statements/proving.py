"""Checks a statement file as anybody who has one can: what it says follows from its leaves, they from the log. Pure.

`scripts/verify_export.py` and the page's own script (static/proof.js) do the same, each written for itself.
"""

from __future__ import annotations

import hmac
import json
from base64 import b64decode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from moralbank.proofs.values import Trust
from moralbank.statements.errors import StatementFails
from moralbank.transparency import checkpoint, cosignature, tree

_UNITS = ("points", "minutes")


@dataclass(frozen=True, slots=True)
class Proven:
    """What a statement file shows.

    entries: how many of the month; waiting: how many of these are in no checkpoint yet; balance: of points at its end.
    offices: the names of the witnesses' keys that signed the checkpoint; root: its root, None while there is none.
    is_open: there is no line of points after the month yet, so that nothing but the resident's own slips shows that its
        last line is the last.
    """

    entries: int
    waiting: int
    balance: int
    offices: tuple[str, ...]
    root: bytes | None
    is_open: bool


def prove(file: Mapping[str, Any], trust: Trust | None) -> Proven:
    """Return what the file shows, by signatures of those who are trusted.

    Raises (in the order checked): BadNote, BadCheckpoint, OtherOrigin, WrongSignature, Unsigned; StatementFails.
    """
    root, offices = None, ()
    if file["leaves"]:
        if trust is None:
            raise StatementFails(why="signature")
        note = file["checkpoint"].encode()
        origin = trust.origin_at(checkpoint.read(note)[0].size)
        body, signed = checkpoint.open_signed(note, origin, trust.keys)
        offices = tuple(one.key.name for one in cosignature.verify(signed, trust.policy.keys))
        root = body.root
        for one in file["leaves"]:
            _check_leaf(one, body)
    leaves = [json.loads(one["leaf"]) for one in file["leaves"]]
    waiting = [json.loads(leaf) for leaf in file["waiting"]]
    entries: dict[str, None] = {}
    for unit in _UNITS:
        entries |= dict.fromkeys(_check_lines(file, unit, [*leaves, *waiting]))
    late = sum(leaf["id"] in entries for leaf in waiting)
    closing = file["points"]["closing"]
    numbers = [leg["n"] for leaf in (*leaves, *waiting) for leg in leaf["legs"] if _is_of(leg, file, "points")]
    return Proven(len(entries), late, closing["balance"], offices, root, max(numbers, default=0) <= closing["n"])


def _is_of(leg: Mapping[str, Any], file: Mapping[str, Any], unit: str) -> bool:
    return bool(leg["a"] == file["account"] and leg["u"] == unit)


def _check_leaf(one: Mapping[str, Any], body: checkpoint.Body) -> None:
    leaf = one["leaf"].encode()
    path = [b64decode(step) for step in one["proof"]]
    if not tree.verify_inclusion(tree.leaf_hash(leaf), one["index"], body.size, path, body.root):
        raise StatementFails(why="leaf")
    private = one.get("private")
    if private:
        opened = hmac.new(b64decode(private["salt"]), private["content"].encode(), sha256).hexdigest()
        if opened != json.loads(leaf).get("m"):
            raise StatementFails(why="private")


def _check_lines(file: Mapping[str, Any], unit: str, leaves: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return the entries of the month that have a line of the account in the unit."""
    opening, closing = file[unit]["opening"], file[unit]["closing"]
    lines: dict[int, tuple[Mapping[str, Any], str, str]] = {}
    for leaf in leaves:
        for leg in leaf["legs"]:
            if _is_of(leg, file, unit):
                if leg["n"] in lines:
                    raise StatementFails(why="missing")
                lines[leg["n"]] = leg, leaf["at"], leaf["id"]
    before = lines[opening["n"]][0]["b"] if opening["n"] in lines else None if opening["n"] else 0
    if before != opening["balance"]:
        raise StatementFails(why="missing")
    for n, (_, at, _) in lines.items():
        if (file["since"] <= at < file["until"]) != (opening["n"] < n <= closing["n"]):
            raise StatementFails(why="missing")
    if max(lines, default=0) > closing["n"] and closing["n"] + 1 not in lines:
        raise StatementFails(why="missing")
    balance = opening["balance"]
    found = []
    for n in range(opening["n"] + 1, closing["n"] + 1):
        if n not in lines:
            raise StatementFails(why="missing")
        leg, _, entry_id = lines[n]
        balance += leg["d"]
        if leg["b"] != balance:
            raise StatementFails(why="figures")
        found.append(entry_id)
    if balance != closing["balance"]:
        raise StatementFails(why="figures")
    return found
