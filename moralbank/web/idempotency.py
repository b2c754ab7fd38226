"""One key, one effect, forever: keeps the first answer to every keyed write, in the transaction of its effect."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from moralbank import clock
from moralbank.db import Database, UtcDateTime, metadata
from moralbank.errors import MoralBankError, Refused
from moralbank.prepared import Change, Prepared, Question, Row, ask
from moralbank.web.errors import IdempotencyKeyReused

#: First answers. Rows are never pruned, and never changed but for the body of one about a person who is forgotten.
web_idempotency = sa.Table(
    "web_idempotency",
    metadata,
    #: Whose key it is; two logins may use the same text.
    sa.Column("login_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("key", sa.String(128), primary_key=True),
    #: SHA-256 of method, path and canonical body.
    sa.Column("fingerprint", sa.LargeBinary(32), nullable=False),
    sa.Column("status", sa.SmallInteger, nullable=False),
    sa.Column("content_type", sa.String(64), nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
    sa.Column("created_at", UtcDateTime, nullable=False),
    #: Of whom the answer tells: when they are forgotten, its body is emptied.
    sa.Column("resident_id", sa.BigInteger, index=True),
    sa.CheckConstraint("status BETWEEN 200 AND 499", name="status_decided"),
)

#: The body of an answer about somebody who was forgotten.
EMPTIED = b"{}"

_FIND = Prepared(
    sa.select(
        web_idempotency.c.fingerprint,
        web_idempotency.c.status,
        web_idempotency.c.content_type,
        web_idempotency.c.body,
    ).where(
        web_idempotency.c.login_id == sa.bindparam("login_id"),
        web_idempotency.c.key == sa.bindparam("key"),
    )
)


_KEEP = Prepared(
    lambda insert: (
        insert(web_idempotency)
        .values({column.name: sa.bindparam(column.name) for column in web_idempotency.c})
        .on_conflict_do_nothing()
    )
)


@dataclass(frozen=True, slots=True)
class Answer:
    """What is sent back, octet for octet the same on every repetition."""

    status: int
    content_type: str
    body: bytes
    replayed: bool = False
    #: The resident of whom it tells, if it does.
    resident_id: int | None = None


@dataclass(frozen=True, slots=True)
class Key:
    """One login's key for one request."""

    login_id: int
    key: str
    fingerprint: bytes


#: Of whom the answer that is being made tells.
_about: ContextVar[int | None] = ContextVar("about", default=None)


def tell_about(resident_id: int) -> None:
    """Say, within an act, that its answer tells of this person."""
    _about.set(resident_id)


class _Overtaken(Exception):
    """The same key was answered while this act ran, so the act is undone."""


def fingerprint(method: str, path: str, body: Any) -> bytes:
    """Return the SHA-256 of a request. `body` is its JSON value or its octets; spacing and order don't count."""
    octets = body if isinstance(body, bytes) else json.dumps(body, sort_keys=True, separators=(",", ":")).encode()
    digest = hashlib.sha256(f"{method} {path}\n".encode())
    digest.update(octets)
    return digest.digest()


def once(
    database: Database,
    key: Key,
    act: Callable[[Connection], Answer],
    on_refusal: Callable[[Refused], Answer],
    leave: Callable[[Connection, Refused], object] = lambda _db, _refusal: None,
) -> Answer:
    """Return the first answer to the key, running `act` in a write transaction when there is none yet.

    A refusal under the rules is an answer and stays one; `leave` writes what else it leaves behind, in the
    transaction that keeps it. Every other error leaves nothing behind, so that the same request may be made again.
    Raises (in the order checked): IdempotencyKeyReused, whatever `act` raises.
    """
    try:
        return database.transact(_answer_once, key, act)
    except _Overtaken:
        return _first_answer(database, key)
    except Refused as refusal:
        return database.transact(_remember, key, refusal, on_refusal(refusal), leave)
    except IdempotencyKeyReused:
        raise
    except MoralBankError:
        # The state may have moved under the act because the same request was carried out meanwhile.
        with database.reading() as db:
            if first := find_answer(db, key):
                return first
        raise


def find_answer(db: Connection, key: Key) -> Answer | None:
    """Return the answer given to the key before, or None. Raises IdempotencyKeyReused."""
    [first] = find_first(db, [key])
    if isinstance(first, IdempotencyKeyReused):
        raise first
    return first


def find_first(db: Connection, keys: Sequence[Key]) -> list[Answer | IdempotencyKeyReused | None]:
    """Return for each key the answer given before, its refusal when the request was another one, or None."""
    [found] = ask(db, asking_first(keys))
    return list(found)


def asking_first(keys: Sequence[Key]) -> Question[list[Answer | IdempotencyKeyReused | None]]:
    """Ask as find_first does."""
    given = [{"login_id": key.login_id, "key": key.key} for key in keys]
    return Question(_FIND, given, lambda found: [_first(rows, key) for rows, key in zip(found, keys, strict=True)])


def _first(rows: list[Row], key: Key) -> Answer | IdempotencyKeyReused | None:
    if not rows:
        return None
    [(first_asked, status, content_type, body)] = rows
    if bytes(first_asked) != key.fingerprint:
        return IdempotencyKeyReused()
    return Answer(status, content_type, bytes(body), replayed=True)


def keep_first(db: Connection, answers: Sequence[tuple[Key, Answer]]) -> bool:
    """Write the answers down; False when one of the keys was answered meanwhile."""
    rows = [_row(key, answer) for key, answer in answers]
    [kept] = ask(db, Change(_KEEP, rows))
    return bool(kept == len(rows))


def _answer_once(db: Connection, key: Key, act: Callable[[Connection], Answer]) -> Answer:
    if first := find_answer(db, key):
        return first
    before = _about.set(None)
    try:
        answer = act(db)
        answer = replace(answer, resident_id=_about.get())
    finally:
        _about.reset(before)
    if not _insert(db, key, answer):
        raise _Overtaken
    return answer


def _remember(
    db: Connection, key: Key, refusal: Refused, answer: Answer, leave: Callable[[Connection, Refused], object]
) -> Answer:
    if _insert(db, key, answer):
        leave(db, refusal)
        return answer
    first = find_answer(db, key)
    assert first is not None, "a row that is in the way is there"
    return first


def _first_answer(database: Database, key: Key) -> Answer:
    with database.reading() as db:
        first = find_answer(db, key)
    assert first is not None, "an act is overtaken by an answer only"
    return first


def _insert(db: Connection, key: Key, answer: Answer) -> bool:
    """Write the answer down; on PostgreSQL this waits for a transaction that is just writing the same key."""
    return keep_first(db, [(key, answer)])


def _row(key: Key, answer: Answer) -> dict[str, Any]:
    return {
        "login_id": key.login_id,
        "key": key.key,
        "fingerprint": key.fingerprint,
        "status": answer.status,
        "content_type": answer.content_type,
        "body": answer.body,
        "created_at": clock.now(),
        "resident_id": answer.resident_id,
    }


def forget_answers(db: Connection, resident_id: int) -> int:
    """Empty the answers that tell of a person and return how many there were; their keys stay answered.

    Answers from before the person stood beside them are found by what they say.
    """
    says = f'"resident_id":{resident_id},'
    if db.dialect.name == "postgresql":  # The service's role can change nothing here but through this function.
        found = db.execute(sa.text("SELECT web_forget_answers(:who, :says)"), {"who": resident_id, "says": says})
        return int(found.scalar_one())
    table = web_idempotency.c
    named = sa.and_(table.resident_id.is_(None), sa.func.instr(table.body, says.encode()) > 0)
    theirs = sa.and_(sa.or_(table.resident_id == resident_id, named), table.body != EMPTIED)
    return db.execute(web_idempotency.update().where(theirs).values(body=EMPTIED)).rowcount
