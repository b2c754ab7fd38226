"""One key, one answer, for good: what became of each key that came to a till."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from moralbank import clock
from moralbank.db import Raced
from moralbank.errors import Refused
from moralbank.prepared import Change, Prepared, Question, ask
from moralbank.redemptions.errors import KeyReused
from moralbank.redemptions.models import answers
from moralbank.redemptions.orders import Ask
from moralbank.redemptions.queries import Receipt, get_receipt

#: The fingerprint of a key that was closed before anything came with it.
ANY = b""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a key was answered: a charge, or a refusal's code with its public fields."""

    fingerprint: bytes
    charge_id: int | None
    refusal: str | None
    fields: Mapping[str, Any]


_FIND = Prepared(
    sa.select(answers.c.fingerprint, answers.c.charge_id, answers.c.refusal, answers.c.fields).where(
        answers.c.merchant_id == sa.bindparam("merchant_id"),
        answers.c.operator_id == sa.bindparam("operator_id"),
        answers.c.key == sa.bindparam("key"),
    )
)
_KEEP = Prepared(
    lambda insert: (
        insert(answers)
        .values({column.name: sa.bindparam(column.name) for column in answers.c})
        .on_conflict_do_nothing()
    )
)

Name = tuple[int, int, str]


def find_answers(db: Connection, names: Sequence[Name]) -> list[Answer | None]:
    """Return what each key (merchant, operator, key) was answered, or None while it has not come."""
    [found] = ask(db, asking_answers(names))
    return list(found)


def asking_answers(names: Sequence[Name]) -> Question[list[Answer | None]]:
    """Ask as find_answers does."""
    given = [{"merchant_id": shop, "operator_id": operator, "key": key} for shop, operator, key in names]
    return Question(_FIND, given, lambda found: [_answer(rows) for rows in found])


def _answer(rows: list[tuple[Any, ...]]) -> Answer | None:
    if not rows:
        return None
    [(fingerprint, charge_id, refusal, fields)] = rows
    return Answer(bytes(fingerprint), charge_id, refusal, json.loads(fields))


def keeping(kept: Sequence[tuple[Ask, Receipt]]) -> Change:
    """Keep each charge as its key's answer; fewer change when a key got its answer meanwhile."""
    now = clock.now()
    rows = [_row(ask.name, ask.order.fingerprint, now) | {"charge_id": receipt.charge_id} for ask, receipt in kept]
    return Change(_KEEP, rows)


def keep_charge(db: Connection, asked: Ask, receipt: Receipt) -> None:
    """Keep a charge as its key's answer. Raises: Raced when the key got its answer meanwhile."""
    [kept] = ask(db, keeping([(asked, receipt)]))
    if not kept:
        raise Raced


def keep_refusal(db: Connection, name: Name, fingerprint: bytes, refusal: Refused) -> None:
    """Keep a refusal as the key's answer, unless it has one."""
    fields = json.dumps(refusal.fields, ensure_ascii=False)
    _KEEP.touch(db, **_row(name, fingerprint, clock.now()) | {"refusal": refusal.code, "fields": fields})


def _row(name: Name, fingerprint: bytes, now: Any) -> dict[str, Any]:
    merchant_id, operator_id, key = name
    return {
        "merchant_id": merchant_id,
        "operator_id": operator_id,
        "key": key,
        "fingerprint": fingerprint,
        "charge_id": None,
        "refusal": None,
        "fields": "{}",
        "answered_at": now,
    }


def check_same(answer: Answer, fingerprint: bytes) -> None:
    """Refuse a key that comes again with other content. Raises: KeyReused."""
    if answer.fingerprint not in (fingerprint, ANY):
        raise KeyReused


def outcome(db: Connection, answer: Answer) -> Receipt | Refused:
    """Return the charge, or the refusal as it was the first time."""
    if answer.charge_id is not None:
        return get_receipt(db, answer.charge_id)
    known = {kind.code: kind for kind in _kinds_of(Refused)}
    return known.get(answer.refusal or "", Refused)(**answer.fields)


def _kinds_of(family: type[Refused]) -> list[type[Refused]]:
    return [family, *(kind for child in family.__subclasses__() for kind in _kinds_of(child))]
