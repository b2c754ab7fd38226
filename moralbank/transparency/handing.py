"""How a log's key hands it over to the next: by a leaf that the old key signs. Who trusts the old one follows it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from moralbank.transparency import models, note
from moralbank.transparency.errors import BadNote, BadVerifierKey, Unsigned, WrongSignature
from moralbank.transparency.note import Note, VerifierKey
from moralbank.transparency.values import Log

KIND = "key"

_facts = models.facts


@dataclass(frozen=True, slots=True)
class Handover:
    """What a `key` leaf says of an old key: which is the new one, until when both sign, and the old one's signature."""

    origin: str
    old: str
    new: str
    until: str
    line: str


def statement(origin: str, key: str, until: str) -> str:
    """Return the text that an old key signs to hand a log over; the `key` leaf carries the signature's line."""
    return f"moralbank key\n{origin}\n{key}\n{until}\n"


def list_handovers(db: Connection, book: int, log: Log) -> list[Handover]:
    """Return the handovers of a log, oldest first. One of a lost key is none: nobody signed it."""
    query = (
        sa.select(_facts.c.leaf_bytes)
        .where(_facts.c.book_id == book, _facts.c.log == int(log), _facts.c.kind == KIND)
        .order_by(_facts.c.no)
    )
    leaves = [json.loads(leaf) for leaf in db.execute(query).scalars()]
    return [
        Handover(leaf["origin"], leaf["old"], leaf["new"], leaf["until"], leaf["sig"])
        for leaf in leaves
        if "old" in leaf
    ]


def followed(trusted: Iterable[VerifierKey], handovers: Iterable[Handover]) -> tuple[VerifierKey, ...]:
    """Return the keys that are trusted, with those that a trusted one handed over to."""
    keys = {str(key): key for key in trusted}
    for handover in handovers:
        old = keys.get(handover.old)
        if old is None:
            continue
        text = statement(handover.origin, handover.new, handover.until)
        try:
            new = note.parse_verifier_key(handover.new)
            note.verify(Note(text, note.parse_signatures(f"{handover.line}\n")), [old])
        except (BadNote, BadVerifierKey, Unsigned, WrongSignature):
            continue
        if new.name == old.name == handover.origin:
            keys[handover.new] = new
    return tuple(keys.values())
