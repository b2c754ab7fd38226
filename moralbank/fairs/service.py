"""Opens and closes fairs, and gives each stall's hands of the day a login that ends with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy import Connection

from moralbank import clock
from moralbank.access import service as access
from moralbank.access.queries import Principal
from moralbank.access.service import GrantDraft
from moralbank.activities import service as activities
from moralbank.activities.values import Mode, Plan
from moralbank.branches.queries import get_branch
from moralbank.errors import N_
from moralbank.fairs import queries
from moralbank.fairs.errors import BadFair, FairOver
from moralbank.fairs.models import fairs, passes, stalls
from moralbank.fairs.queries import Fair, Pass, Stall
from moralbank.merchants.queries import get_merchant, list_merchants_by_id

STALLS_MAX = 60
NAME_MAX = 40
LONGEST = timedelta(hours=12)
#: Of a merchant that may not have a table at this fair.
NOT_OURS = N_("请从本中心的爱心商家里选。")


@dataclass(frozen=True, slots=True)
class FairPlan:
    """What is needed to open a fair: names of the stalls where people serve, and whose tables stand beside them."""

    branch_id: int
    title: str
    place: str
    rule_code: str
    starts_at: datetime
    ends_at: datetime
    names: Sequence[str]
    merchant_ids: Sequence[int]


@dataclass(frozen=True, slots=True)
class Handed:
    """A login of the day with its PIN, to be shown once."""

    stall: Stall
    login_name: str
    secret: str
    until: datetime


def open_fair(db: Connection, plan: FairPlan, *, actor: str, login_id: int) -> Fair:
    """Announce a fair with all its stalls: a published activity with one session for each where people serve.

    Raises (in the order checked): UnknownBranch, BadFair, BadPlan.
    """
    _check(db, plan)
    row = {
        "branch_id": plan.branch_id, "title": plan.title.strip(), "place": plan.place.strip(),
        "starts_at": plan.starts_at, "ends_at": plan.ends_at, "created_at": clock.now(), "created_by": actor,
    }  # fmt: skip
    fair_id = db.execute(fairs.insert().values(row).returning(fairs.c.fair_id)).scalar_one()
    number = 0
    for number, name in enumerate(plan.names, start=1):
        session_id = _open_stall(db, plan, number, name.strip(), actor, login_id)
        values = {"fair_id": fair_id, "number": number, "name": name.strip(), "session_id": session_id}
        db.execute(stalls.insert().values(values))
    shops = list_merchants_by_id(db, list(plan.merchant_ids))
    for place, merchant_id in enumerate(plan.merchant_ids, start=number + 1):
        name = shops[merchant_id].name[:NAME_MAX]
        values = {"fair_id": fair_id, "number": place, "name": name, "merchant_id": merchant_id}
        db.execute(stalls.insert().values(values))
    return queries.get_fair(db, fair_id)


def close_fair(db: Connection, fair_id: int, *, actor: str) -> int:
    """End a fair and take all logins of the day back; return how many. Twice is once. Raises: UnknownFair."""
    queries.get_fair(db, fair_id, lock=True)
    standing = (fairs.c.fair_id == fair_id) & fairs.c.closed_at.is_(None)
    db.execute(fairs.update().where(standing).values(closed_at=clock.now(), closed_by=actor))
    held = [one for some in queries.passes_by_stall(db, fair_id).values() for one in some]
    for one in held:
        end_pass(db, one)
    return len(held)


def hand_over(db: Connection, stall_id: int, *, by: Principal, actor: str) -> Handed:
    """Open a login for a stall and a day: at a merchant's table one that only charges, else one that only checks in.

    Raises (in the order checked): UnknownStall, FairOver, OutOfScope.
    """
    stall = queries.get_stall(db, stall_id)
    fair = queries.get_fair(db, stall.fair_id, lock=True)
    until = fair.cleared_at
    if not fair.is_open or clock.now() >= until:
        raise FairOver()
    name = f"tan{fair.fair_id}-{stall.number}-{queries.count_passes(db, stall_id) + 1}"
    grants = []
    if stall.merchant_id is not None:
        # At the merchant's own branch, so that nobody hands a till over that isn't theirs to open.
        shop = get_merchant(db, stall.merchant_id)
        grants = [GrantDraft("operator", shop.branch_id, shop.merchant_id, only_charges=True)]
    opened = access.open_login(db, name, stall.name, grants, by=by, must_change=False, kind="pin")
    row = {
        "stall_id": stall_id, "login_id": opened.login_id, "login_name": name, "opened_at": clock.now(),
        "opened_by": actor, "until": until,
    }  # fmt: skip
    db.execute(passes.insert().values(row))
    return Handed(stall, name, opened.secret, until)


def take_back(db: Connection, stall_id: int) -> int:
    """Take the logins of one stall back; return how many. Raises: UnknownStall."""
    stall = queries.get_stall(db, stall_id)
    held = queries.passes_by_stall(db, stall.fair_id).get(stall_id, [])
    for one in held:
        end_pass(db, one)
    return len(held)


def end_pass(db: Connection, one: Pass) -> None:
    """Close a login of the day for good, wherever it is signed in."""
    mine = passes.c.pass_id == one.pass_id
    db.execute(sa.select(passes.c.pass_id).where(mine).with_for_update())
    access.suspend_login(db, one.login_id, by=None)
    db.execute(passes.update().where(mine).values(ended_at=clock.now()))


def _open_stall(db: Connection, plan: FairPlan, number: int, name: str, actor: str, login_id: int) -> int:
    title = f"{plan.title.strip()} · {number} {name}"[:100]
    told = Plan(title, plan.rule_code, plan.branch_id, plan.place.strip(), mode=Mode.ROTATING)
    activity = activities.create_activity(db, told, actor=actor, login_id=login_id)
    session = activities.add_session(db, activity.activity_id, plan.starts_at, plan.ends_at)
    activities.publish_activity(db, activity.activity_id)
    return session.session_id


def _check(db: Connection, plan: FairPlan) -> None:
    branch = get_branch(db, plan.branch_id)
    errors: dict[str, list[str]] = {}
    if not plan.title.strip():
        errors["title"] = [N_("请填写集市的名称。")]
    if not plan.starts_at < plan.ends_at <= plan.starts_at + LONGEST:
        errors["ends"] = [N_("结束要晚于开始，最长 12 小时。")]
    names = [name.strip() for name in plan.names]
    if not names and not plan.merchant_ids:
        errors["names"] = [N_("请至少写一个摊位。")]
    elif len(names) + len(plan.merchant_ids) > STALLS_MAX or any(not 0 < len(name) <= NAME_MAX for name in names):
        errors["names"] = [N_("最多 60 个摊位，每个名称 1 到 40 个字。")]
    shops = list_merchants_by_id(db, list(plan.merchant_ids))
    if len(set(plan.merchant_ids)) != len(plan.merchant_ids) or any(
        who not in shops or shops[who].book_id != branch.book_id for who in plan.merchant_ids
    ):
        errors["merchant_ids"] = [NOT_OURS]
    if branch.book_id is None:
        errors["branch_id"] = [N_("请选一个驿站或中心，上级没有账本。")]
    if errors:
        raise BadFair(errors)
