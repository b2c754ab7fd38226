"""Where residents belong, as a condition for the queries of other packages, which don't know the table."""

from __future__ import annotations

from collections.abc import Collection

import sqlalchemy as sa

from moralbank.residents.models import residents_residents


def living_in(resident_id: sa.ColumnElement[int], branch_ids: Collection[int]) -> sa.ColumnElement[bool]:
    """Return as a condition that the resident belongs to one of the branches."""
    here = residents_residents.c.branch_id.in_(branch_ids)
    return resident_id.in_(sa.select(residents_residents.c.resident_id).where(here))
