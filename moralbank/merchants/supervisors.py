"""Which operators of a merchant may give points back on the day itself: named by the station, one by one."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from moralbank import clock
from moralbank.access.queries import list_operators
from moralbank.db import insert_for
from moralbank.merchants.errors import UnknownOperator
from moralbank.merchants.models import supervisors
from moralbank.merchants.queries import get_merchant
from moralbank.merchants.service import SYSTEM, note


def name_supervisor(db: Connection, merchant_id: int, login_id: int, *, actor: str = SYSTEM) -> None:
    """Let an operator give points back; a second time changes nothing.

    Raises (in the order checked): UnknownMerchant, UnknownOperator.
    """
    get_merchant(db, merchant_id)
    if login_id not in {login.login_id for login in list_operators(db, merchant_id)}:
        raise UnknownOperator
    row = {"merchant_id": merchant_id, "login_id": login_id, "named_at": clock.now()}
    insert = insert_for(db, supervisors).values(row).on_conflict_do_nothing().returning(supervisors.c.login_id)
    if db.execute(insert).first():
        note(db, merchant_id, None, "edited", {}, {"supervisor": login_id}, actor)


def end_supervisor(db: Connection, merchant_id: int, login_id: int, *, actor: str = SYSTEM) -> None:
    """Take that back; a second time changes nothing. Raises: UnknownMerchant."""
    get_merchant(db, merchant_id)
    if db.execute(supervisors.delete().where(_is(merchant_id, login_id))).rowcount:
        note(db, merchant_id, None, "edited", {"supervisor": login_id}, {"supervisor": None}, actor)


def is_supervisor(db: Connection, merchant_id: int, login_id: int) -> bool:
    return db.execute(sa.select(supervisors.c.login_id).where(_is(merchant_id, login_id))).first() is not None


def list_supervisors(db: Connection, merchant_id: int) -> set[int]:
    """Return the logins of a merchant's supervisors."""
    query = sa.select(supervisors.c.login_id).where(supervisors.c.merchant_id == merchant_id)
    return set(db.execute(query).scalars())


def _is(merchant_id: int, login_id: int) -> sa.ColumnElement[bool]:
    return (supervisors.c.merchant_id == merchant_id) & (supervisors.c.login_id == login_id)
