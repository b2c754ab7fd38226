"""Reads rule tables and finds the version of a rule in force on a day. Pure, but for the packaged table."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Mapping
from datetime import date
from enum import StrEnum
from importlib import resources
from typing import TypeVar

from moralbank.earning.errors import (
    BadDate,
    BadYesNo,
    RuleFieldMissing,
    RuleNotInForce,
    RuleNotWhole,
    RuleTableUnreadable,
    UnknownBasis,
    UnknownCapBasis,
    UnknownRule,
    VersionGap,
)
from moralbank.earning.values import Basis, CapBasis, Rule
from moralbank.errors import MoralBankError

E = TypeVar("E", bound=StrEnum)

COLUMNS = (
    "code",
    "category_zh",
    "category_en",
    "basis",
    "points",
    "step_minutes",
    "cap_value",
    "cap_basis",
    "counts_as_service",
    "evidence",
    "version",
    "effective_from",
)


def packaged_rules() -> tuple[Rule, ...]:
    """Return the rules a new bank starts with."""
    table = resources.files("moralbank.earning") / "rules.csv"
    return parse_rules(table.read_text(encoding="utf-8").splitlines())


def parse_rules(lines: Iterable[str]) -> tuple[Rule, ...]:
    """Return the rules of a CSV table, ordered by code and version.

    Raises (in the order checked): RuleTableUnreadable, then per row as `parse_rule`, then VersionGap.
    """
    reader = csv.DictReader(lines)
    missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
    if missing:
        raise RuleTableUnreadable(columns="、".join(missing))
    rules = tuple(sorted((parse_rule(row) for row in reader), key=lambda rule: (rule.code, rule.version)))
    check_versions(rules)
    return rules


def parse_rule(row: Mapping[str, str | None]) -> Rule:
    """Return the rule one row of the table spells out.

    Raises (in the order checked): RuleFieldMissing, RuleNotWhole, UnknownBasis, UnknownCapBasis, BadYesNo,
    BadDate, then as Rule: NegativePoints, BadStep, BadCap.
    """
    text = {name: (row.get(name) or "").strip() for name in COLUMNS}
    code = text["code"]
    for field in COLUMNS:
        if not text[field] and field not in ("step_minutes", "cap_value", "cap_basis"):
            raise RuleFieldMissing(rule=code or "?", field=field)
    return Rule(
        code=code,
        category_zh=text["category_zh"],
        category_en=text["category_en"],
        points=_whole(code, "points", text["points"]),
        step_minutes=_whole(code, "step_minutes", text["step_minutes"]) if text["step_minutes"] else None,
        cap_value=_whole(code, "cap_value", text["cap_value"]) if text["cap_value"] else None,
        version=_whole(code, "version", text["version"]),
        basis=_member(Basis, code, text["basis"], UnknownBasis),
        cap_basis=_member(CapBasis, code, text["cap_basis"], UnknownCapBasis) if text["cap_basis"] else None,
        counts_as_service=_yes_no(code, "counts_as_service", text["counts_as_service"]),
        evidence=text["evidence"],
        effective_from=_date(code, text["effective_from"]),
    )


def check_versions(rules: Iterable[Rule]) -> None:
    """Refuse versions that are not 1, 2, 3 … or don't each start later. Raises VersionGap."""
    previous: Rule | None = None
    for rule in rules:
        check_follows(previous if previous and previous.code == rule.code else None, rule)
        previous = rule


def check_follows(previous: Rule | None, rule: Rule) -> None:
    """Refuse a version that isn't the next after `previous` (None: the first). Raises VersionGap."""
    expected = previous.version + 1 if previous else 1
    if rule.version != expected or (previous and rule.effective_from <= previous.effective_from):
        raise VersionGap(rule=rule.code, version=rule.version)


def rule_on(rules: Iterable[Rule], code: str, day: date) -> Rule:
    """Return the version of a rule in force on a day: the last that has begun.

    Raises (in the order checked): UnknownRule, RuleNotInForce.
    """
    versions = [rule for rule in rules if rule.code == code]
    if not versions:
        raise UnknownRule(rule=code)
    begun = [rule for rule in versions if rule.effective_from <= day]
    if not begun:
        raise RuleNotInForce(rule=code, day=day.isoformat())
    return max(begun, key=lambda rule: rule.version)


def _whole(code: str, field: str, value: str) -> int:
    if not re.fullmatch(r"-?[0-9]{1,9}", value):
        raise RuleNotWhole(rule=code, field=field, value=value)
    return int(value)


def _member(kind: type[E], code: str, value: str, refusal: type[MoralBankError]) -> E:
    try:
        return kind(value)
    except ValueError:
        raise refusal(rule=code, value=value, known="、".join(kind)) from None


def _yes_no(code: str, field: str, value: str) -> bool:
    if value not in ("yes", "no"):
        raise BadYesNo(rule=code, field=field, value=value)
    return value == "yes"


def _date(code: str, value: str) -> date:
    try:
        return date.fromisoformat(value)
    except ValueError:
        raise BadDate(rule=code, value=value) from None
