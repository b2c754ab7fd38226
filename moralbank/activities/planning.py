"""Turns what a form or a body says about an activity into a plan: the leader is named by the number on the card."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection

from moralbank.activities.errors import BadPlan
from moralbank.activities.values import Mode, Plan
from moralbank.branches.queries import get_branch
from moralbank.errors import N_
from moralbank.residents.queries import find_by_number


def plan_of(db: Connection, given: dict[str, Any]) -> Plan:
    """Return the plan. Raises: UnknownBranch; BadPlan when nobody of the branch's book has the leader's number."""
    fields = {name: value for name, value in given.items() if name != "leader_number"}
    number, leader_id = given["leader_number"], None
    if number:
        book_id = get_branch(db, given["branch_id"]).book_id
        leader = find_by_number(db, book_id, number) if book_id is not None else None
        if leader is None:
            raise BadPlan({"leader_number": [N_("没有这位居民，请核对居民号。")]})
        leader_id = leader.resident_id
    return Plan(**fields | {"mode": Mode(given["mode"]), "leader_resident_id": leader_id})
