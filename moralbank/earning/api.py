"""API operations of the earning rules."""

from __future__ import annotations

from datetime import date
from typing import Any

from marshmallow import Schema, fields
from sqlalchemy import Connection

from moralbank import earning
from moralbank.earning.values import Basis, CapBasis
from moralbank.web.api import ApiBlueprint
from moralbank.web.auth import allow
from moralbank.web.paging import Page, Paging

blueprint = ApiBlueprint("rules", __name__, description="What earns how many points, in versions.")


class RuleQuery(Schema):
    """Which versions to list."""

    on = fields.Date(metadata={"description": "Only the version of each rule in force on this day."})


class RuleOut(Schema):
    """One version of one earning rule."""

    code = fields.String(required=True)
    version = fields.Integer(required=True)
    category_zh = fields.String(required=True)
    category_en = fields.String(required=True)
    basis = fields.Enum(Basis, by_value=True, required=True)
    points = fields.Integer(required=True)
    step_minutes = fields.Integer(required=True, allow_none=True)
    cap_value = fields.Integer(required=True, allow_none=True)
    cap_basis = fields.Enum(CapBasis, by_value=True, required=True, allow_none=True)
    counts_as_service = fields.Boolean(required=True)
    evidence = fields.String(required=True)
    effective_from = fields.Date(required=True)


@blueprint.reads("/rules", RuleOut, query=RuleQuery, paged=True)
@allow("resident", "operator", "staff", "auditor", "admin", scope="book", token="branches:read")
def list_rules(db: Connection, *, query: dict[str, Any], page: Paging) -> Page:
    """List the earning rules by code and version."""
    on: date | None = query.get("on")
    return page.cut(earning.list_rules(db, on), key=lambda rule: [rule.code, rule.version])
