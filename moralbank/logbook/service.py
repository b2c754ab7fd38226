"""Verbs on a book's witnesses and on what they sign; each change of the register is a deed in the book's log."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

from sqlalchemy.engine import Connection

from moralbank import clock
from moralbank.access import deeds
from moralbank.access.deeds import Deed, Kind
from moralbank.db import insert_for
from moralbank.errors import N_, Invalid
from moralbank.logbook.errors import NothingSigned, PolicyNeedsWitness, WitnessKnown
from moralbank.logbook.models import policies, witnesses
from moralbank.logbook.queries import (
    LOCAL,
    Witness,
    find_witness,
    get_witness,
    list_witnesses,
    policy_of,
    signed_last,
)
from moralbank.transparency import Checkpoint, Log, checkpoint, cosignature, note
from moralbank.transparency import queries as logs
from moralbank.transparency.cosigning import keep_cosignatures
from moralbank.transparency.errors import BadVerifierKey
from moralbank.transparency.note import COSIGNATURE, Note, Signature

SYSTEM = "system"
_TITLE_MAX, _URL_MAX, _KEY_MAX = 100, 300, 400
_PLACE = re.compile(r"[a-z0-9][a-z0-9-]{0,31}", re.ASCII)
#: A file of signature lines alone doesn't say of which checkpoint, so all are tried, so many at a time.
_TRIED = 1_000


@dataclass(frozen=True, slots=True)
class Kept:
    """A cosignature that was taken in."""

    log: Log
    size: int
    name: str


def add_witness(db: Connection, book: int, verifier_key: str, title: str, url: str | None, *, actor: str) -> Witness:
    """Register a witness of the book.

    url: None when it signs files only. "local:place" is for the demonstration alone, and not for pages to pass on.
    Raises (in the order checked): Invalid, WitnessKnown when another in office has the name or the key.
    """
    key, errors = _read_witness(verifier_key, title, url)
    if errors or key is None:
        raise Invalid(errors=errors)
    taken = [known for known in list_witnesses(db, book) if key.name == known.name or key.public == known.key.public]
    if taken:
        raise WitnessKnown(name=taken[0].name)
    row = {
        "book_id": book,
        "name": key.name,
        "title": title.strip(),
        "verifier_key": str(key),
        "url": url.strip().rstrip("/") if url and url.strip() else None,
        "added_at": clock.now(),
        "added_by": actor,
    }
    added = db.execute(insert_for(db, witnesses).values(row).on_conflict_do_nothing().returning(witnesses.c.witness_id))
    witness_id = added.scalar()
    if witness_id is None:  # Somebody was faster.
        raise WitnessKnown(name=key.name)
    _write_down(db, book, actor, f"witness:{witness_id}")
    return get_witness(db, book, witness_id)


def retire_witness(db: Connection, book: int, witness_id: int, *, actor: str) -> Witness:
    """Let a witness go; what it signed stays. Raises (in the order checked): UnknownWitness, PolicyNeedsWitness."""
    witness = get_witness(db, book, witness_id)
    needed = policy_of(db, book).needed
    left = len(list_witnesses(db, book)) - 1
    if needed > left:
        raise PolicyNeedsWitness(needed=needed, left=left)
    mine = witnesses.c.witness_id == witness_id
    db.execute(witnesses.update().where(mine).values(retired_at=clock.now(), retired_by=actor))
    _write_down(db, book, actor, f"witness-retired:{witness_id}")
    return witness


def set_policy(db: Connection, book: int, needed: int, *, actor: str) -> cosignature.Policy:
    """Say how many of the book's witnesses must have signed. Raises: BadPolicy when there aren't so many."""
    policy = cosignature.make_policy(needed, [witness.key for witness in list_witnesses(db, book)])
    db.execute(policies.insert().values(book_id=book, needed=needed, set_at=clock.now(), set_by=actor))
    _write_down(db, book, actor, f"witness-policy:{needed}")
    return policy


def accept(db: Connection, book: int, data: bytes) -> list[Kept]:
    """Take in what witnesses signed by file: a cosigned checkpoint, or signature lines alone.

    Raises (in the order checked): BadNote, BadCheckpoint, WrongSignature, NothingSigned.
    """
    known = list_witnesses(db, book)
    kept = []
    for found, lines in _handed_in(db, book, data):
        _, signed = checkpoint.read(found.note)
        cosigned = cosignature.verify(Note(signed.text, lines), [witness.key for witness in known])
        keep_cosignatures(db, book, found.log, found.size, [each.signature for each in cosigned])
        kept += [Kept(found.log, found.size, each.key.name) for each in cosigned]
    if not kept:
        raise NothingSigned()
    return kept


def keep_answer(db: Connection, witness: Witness, log: Log, size: int, line: Signature) -> None:
    """Keep a verified cosignature of a witness that was asked, unless it was let go meanwhile."""
    if find_witness(db, witness.book, witness.name) is not None:
        keep_cosignatures(db, witness.book, log, size, [line])


def _write_down(db: Connection, book: int, actor: str, about: str) -> None:
    deeds.record(db, Deed(actor, Kind.SETTING, book_id=book, about=about))


def _handed_in(db: Connection, book: int, data: bytes) -> Iterable[tuple[Checkpoint, tuple[Signature, ...]]]:
    """Return the checkpoints of the book that the lines may be about, with the lines that may be about them."""
    if b"\n\n" in data:
        body, signed = checkpoint.read(data)
        for log in Log:
            found = logs.find_checkpoint(db, book, log, body.size)
            if found is not None and checkpoint.read(found.note)[1].text == signed.text:
                yield found, signed.signatures
        return
    try:
        lines = note.parse_signatures(data.decode())
    except UnicodeDecodeError:
        raise note.BadNote(reason="not-utf-8") from None
    for witness in list_witnesses(db, book):
        for line in lines:
            found = _signed_by(db, witness, line) if line.is_by(witness.key) else None
            if found is not None:
                yield found, (line,)


def _signed_by(db: Connection, witness: Witness, line: Signature) -> Checkpoint | None:
    """Return the checkpoint that the line is a cosignature of, or None: not a smaller one than it signed before."""
    time, body = cosignature.stated_time(line), line.payload[cosignature.TIME_BYTES :]
    for log in Log:
        since = signed_last(db, witness, log) - 1
        while tried := logs.list_checkpoints(db, witness.book, log, since, _TRIED):
            for found in tried:
                text = checkpoint.read(found.note)[1].text
                if witness.key.verify(cosignature.message(text, time), body):
                    return found
            since = tried[-1].size
    return None


def _read_witness(
    verifier_key: str, title: str, url: str | None
) -> tuple[note.VerifierKey | None, dict[str, list[str]]]:
    errors = {}
    key = None
    try:
        key = note.parse_verifier_key(verifier_key.strip())
    except BadVerifierKey as refusal:
        errors["verifier_key"] = [refusal.sentence]
    if key is not None and (key.algorithm != COSIGNATURE or len(str(key)) > _KEY_MAX):
        errors["verifier_key"] = [N_("这不是见证人的公钥，请用 moralbank witness show 显示的那一行。")]
    if not 0 < len(title.strip()) <= _TITLE_MAX:
        errors["title"] = [N_("请填写单位名称，最多 100 字。")]
    if url and url.strip() and not _is_address(url.strip()):
        errors["url"] = [N_("请填 http:// 或 https:// 开头的地址，或者留空。")]
    return key, errors


def _is_address(url: str) -> bool:
    """Tell whether a witness may answer there: plain HTTP, without user, query or fragment; or the demonstration's."""
    if url.startswith(LOCAL):
        return bool(_PLACE.fullmatch(url.removeprefix(LOCAL)))
    if len(url) > _URL_MAX or not url.isascii() or not url.isprintable() or " " in url:
        return False
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return False
    plain = not (parts.username or parts.password or parts.query or parts.fragment) and port != 0
    return parts.scheme in ("http", "https") and bool(parts.hostname) and plain
