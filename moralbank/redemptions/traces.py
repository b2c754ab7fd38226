"""What charges and tries leave behind, as the auditor's patterns read it. Reads only; names come from elsewhere."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from moralbank.redemptions.models import UNKNOWN_TRY, answers, charges
from moralbank.redemptions.numbers import Means

TRACES_MAX = 20_000


@dataclass(frozen=True, slots=True)
class ChargeTrace:
    charge_id: int
    entry_id: UUID | None
    merchant_id: int
    operator_id: int
    resident_id: int
    points: int
    is_typed: bool
    is_by_card: bool
    is_taken_back: bool
    at: datetime
    #: Of behalf: by which link somebody else showed the code.
    link_id: int | None


def list_charge_traces(
    db: Connection, merchant_ids: Collection[int], since: datetime, until: datetime
) -> list[ChargeTrace]:
    """Return what was charged at the merchants in a span of time, the latest of them where there are too many."""
    query = (
        sa.select(
            charges.c.charge_id,
            charges.c.entry_id,
            charges.c.merchant_id,
            charges.c.operator_id,
            charges.c.resident_id,
            charges.c.points,
            charges.c.offer_id.is_(None),
            charges.c.means == Means.CARD_PIN.value,
            sa.or_(charges.c.undone_at.is_not(None), charges.c.refunded_points > 0),
            charges.c.charged_at,
            charges.c.link_id,
        )
        .where(charges.c.merchant_id.in_(merchant_ids), charges.c.charged_at >= since, charges.c.charged_at < until)
        .order_by(charges.c.charged_at.desc())
        .limit(TRACES_MAX)
    )
    return [ChargeTrace(*row) for row in reversed(db.execute(query).all())]


def list_unknown_tries(
    db: Connection, merchant_ids: Collection[int], since: datetime, until: datetime
) -> list[tuple[int, datetime]]:
    """Return who scanned a number that the till did not know, and when."""
    query = (
        sa.select(answers.c.operator_id, answers.c.answered_at)
        .where(
            answers.c.merchant_id.in_(merchant_ids),
            answers.c.answered_at >= since,
            answers.c.answered_at < until,
            UNKNOWN_TRY,
        )
        .order_by(answers.c.answered_at.desc())
        .limit(TRACES_MAX)
    )
    return [(operator, at) for operator, at in reversed(db.execute(query).all())]
