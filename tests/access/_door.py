"""A fair and a paper roster for the places of the walk."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import Connection

from moralbank import clock
from moralbank.activities import papers
from moralbank.activities import service as activities
from moralbank.activities.values import Plan
from moralbank.branches.queries import Branch
from moralbank.fairs import service as fairs
from moralbank.fairs.queries import list_stalls
from moralbank.fairs.service import FairPlan
from moralbank.merchants.queries import Merchant
from moralbank.residents.queries import Resident


def door_things(
    db: Connection, branch: Branch, shop: Merchant, resident: Resident, phone: tuple[int, int]
) -> dict[str, int]:
    """Return what stands for the parameters of these routes. phone: the device and a scan that it kept."""
    device_id, scan_id = phone
    things = {"device_id": device_id, "scan_id": scan_id, "paper_id": _paper(db, branch, resident)}
    return things | _fair(db, branch, shop)


def _fair(db: Connection, branch: Branch, shop: Merchant) -> dict[str, int]:
    """Announce a fair with a stall where people serve and a merchant's table."""
    starts_at = clock.now() + timedelta(days=1)
    times = (starts_at, starts_at + timedelta(hours=2))
    plan = FairPlan(branch.branch_id, "邻里节", "广场", "V01", *times, ["理发"], [shop.merchant_id])
    fair = fairs.open_fair(db, plan, actor="system", login_id=1)
    return {"fair_id": fair.fair_id, "stall_id": list_stalls(db, fair.fair_id)[0].stall_id}


def _paper(db: Connection, branch: Branch, resident: Resident) -> int:
    """Type in a printed roster of a session that runs now."""
    plan = Plan(title="楼道清扫", rule_code="V01", branch_id=branch.branch_id, place="楼下")
    activity = activities.create_activity(db, plan, actor="system")
    starts_at = clock.now() - timedelta(minutes=10)
    session = activities.add_session(db, activity.activity_id, starts_at, starts_at + timedelta(hours=2))
    activities.publish_activity(db, activity.activity_id)
    line = papers.Line(resident.resident_id, starts_at, None)
    return papers.enter(db, session.session_id, [line], actor="system").paper_id
