"""Adopts versions of rules. Nothing here changes or removes one that was adopted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection

from moralbank import clock
from moralbank.access.deeds import Deed, Kind, record
from moralbank.db import insert_for
from moralbank.earning.errors import ConsultationMissing, RuleAlreadyAdopted, StartsInThePast
from moralbank.earning.models import earning_rules
from moralbank.earning.queries import list_adoptions, list_rules
from moralbank.earning.rules import check_follows, check_versions
from moralbank.earning.values import Rule


def load_rules(db: Connection, rules: Sequence[Rule], *, actor: str, consultation: str) -> int:
    """Adopt the versions of a table that the bank doesn't hold yet and return how many those were.

    For opening a bank: a first version may have begun in the past. Loading the same table again does nothing.
    Raises (in the order checked): ConsultationMissing, RuleAlreadyAdopted, VersionGap, StartsInThePast.
    """
    _need_consultation(consultation)
    stored = {(rule.code, rule.version): rule for rule in list_rules(db)}
    for rule in rules:
        if stored.get((rule.code, rule.version), rule) != rule:
            raise RuleAlreadyAdopted(rule=rule.code, version=rule.version)
    known_codes = {code for code, _ in stored}
    added = [rule for rule in rules if (rule.code, rule.version) not in stored]
    check_versions(sorted([*stored.values(), *added], key=lambda rule: (rule.code, rule.version)))
    for rule in added:
        if rule.code in known_codes:
            _refuse_past(rule)
    if added:
        db.execute(earning_rules.insert(), [_row(rule, actor, consultation) for rule in added])
        record(db, Deed(actor, Kind.SETTING, about="rules", count=len(added)))
    return len(added)


def adopt_rule(db: Connection, rule: Rule, *, actor: str, consultation: str) -> Rule:
    """Adopt a new rule or the next version of one, from today or a later day on.

    Raises (in the order checked): ConsultationMissing, StartsInThePast, VersionGap, RuleAlreadyAdopted.
    """
    _need_consultation(consultation)
    _refuse_past(rule)
    versions = [adoption.rule for adoption in list_adoptions(db, rule.code)]
    check_follows(versions[-1] if versions else None, rule)
    insert = insert_for(db, earning_rules).values(_row(rule, actor, consultation))
    stored = db.execute(insert.on_conflict_do_nothing().returning(earning_rules.c.code))
    if stored.first() is None:
        raise RuleAlreadyAdopted(rule=rule.code, version=rule.version)
    record(db, Deed(actor, Kind.SETTING, about=f"rule:{rule.code}"))
    return rule


def _need_consultation(consultation: str) -> None:
    if not consultation.strip():
        raise ConsultationMissing()


def _refuse_past(rule: Rule) -> None:
    today = clock.today()
    if rule.effective_from < today:
        raise StartsInThePast(rule=rule.code, effective_from=rule.effective_from.isoformat(), today=today.isoformat())


def _row(rule: Rule, actor: str, consultation: str) -> dict[str, Any]:
    return {
        "code": rule.code,
        "version": rule.version,
        "category_zh": rule.category_zh,
        "category_en": rule.category_en,
        "basis": rule.basis.value,
        "points": rule.points,
        "step_minutes": rule.step_minutes,
        "cap_value": rule.cap_value,
        "cap_basis": rule.cap_basis.value if rule.cap_basis else None,
        "counts_as_service": rule.counts_as_service,
        "evidence": rule.evidence,
        "effective_from_on": rule.effective_from,
        "consultation": consultation.strip(),
        "adopted_by": actor,
        "adopted_at": clock.now(),
    }
