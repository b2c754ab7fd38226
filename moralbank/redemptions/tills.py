"""Stops an operator's till where numbers are tried out."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from moralbank import clock
from moralbank.prepared import Prepared, Question, Row, ask
from moralbank.redemptions.errors import TillLocked
from moralbank.redemptions.models import UNKNOWN_TRY, answers

UNKNOWN_PER_MINUTE_MAX = 10

_UNKNOWN_TRIES = Prepared(
    sa.select(sa.func.count(), sa.func.min(answers.c.answered_at)).where(
        answers.c.operator_id == sa.bindparam("operator_id"),
        answers.c.answered_at > sa.bindparam("since"),
        UNKNOWN_TRY,
    )
)


def asking_locked_tills(operator_ids: Collection[int]) -> Question[dict[int, TillLocked]]:
    """Ask which of the operators are stopped, and for how long."""
    since = clock.now() - timedelta(minutes=1)
    operators = list(operator_ids)

    def read(tries: list[list[Row]]) -> dict[int, TillLocked]:
        return {
            operator: TillLocked(seconds=1 + int((first_at - since).total_seconds()))
            for operator, [(count, first_at)] in zip(operators, tries, strict=True)
            if count >= UNKNOWN_PER_MINUTE_MAX
        }

    return Question(_UNKNOWN_TRIES, [{"operator_id": operator, "since": since} for operator in operators], read)


def check_till(db: Connection, operator_id: int) -> None:
    """Raises: TillLocked."""
    [locked] = ask(db, asking_locked_tills([operator_id]))
    for refusal in locked.values():
        raise refusal
