"""Reads the adopted rules."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy import Connection, RowMapping

from moralbank.earning.models import earning_rules
from moralbank.earning.rules import rule_on
from moralbank.earning.values import Basis, CapBasis, Rule


@dataclass(frozen=True, slots=True)
class Adoption:
    """A rule version with how it came to be."""

    rule: Rule
    consultation: str
    adopted_by: str
    adopted_at: datetime


def list_rules(db: Connection, on: date | None = None) -> list[Rule]:
    """Return every version of every rule, or with a day the version of each that is in force on it."""
    rules = [adoption.rule for adoption in list_adoptions(db)]
    if on is None:
        return rules
    # Versions ascend within a code, so the last that has begun stays.
    return list({rule.code: rule for rule in rules if rule.effective_from <= on}.values())


def get_rule(db: Connection, code: str, on: date) -> Rule:
    """Return the version of a rule in force on a day.

    Raises (in the order checked): UnknownRule, RuleNotInForce.
    """
    return rule_on([adoption.rule for adoption in list_adoptions(db, code)], code, on)


def list_adoptions(db: Connection, code: str | None = None) -> list[Adoption]:
    """Return the versions with their consultations, by code and version."""
    query = sa.select(earning_rules).order_by(earning_rules.c.code, earning_rules.c.version)
    if code is not None:
        query = query.where(earning_rules.c.code == code)
    return [_adoption(row) for row in db.execute(query).mappings()]


def _adoption(row: RowMapping) -> Adoption:
    rule = Rule(
        code=row["code"],
        category_zh=row["category_zh"],
        category_en=row["category_en"],
        basis=Basis(row["basis"]),
        points=row["points"],
        step_minutes=row["step_minutes"],
        cap_value=row["cap_value"],
        cap_basis=CapBasis(row["cap_basis"]) if row["cap_basis"] else None,
        counts_as_service=row["counts_as_service"],
        evidence=row["evidence"],
        version=row["version"],
        effective_from=row["effective_from_on"],
    )
    return Adoption(rule, row["consultation"], row["adopted_by"], row["adopted_at"])
