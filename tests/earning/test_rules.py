"""The rule table: what is read, what is refused, which version holds on a day."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from moralbank import earning
from moralbank.earning import Basis, CapBasis, errors
from moralbank.errors import MoralBankError

HEAD = (
    "code,category_zh,category_en,basis,points,step_minutes,cap_value,cap_basis,"
    "counts_as_service,evidence,version,effective_from"
)
ROW = {
    "code": "V01",
    "category_zh": "清洁",
    "category_en": "Cleaning",
    "basis": "per_hour",
    "points": "10",
    "step_minutes": "30",
    "cap_value": "480",
    "cap_basis": "minutes_per_day",
    "counts_as_service": "yes",
    "evidence": "A|B",
    "version": "1",
    "effective_from": "2026-01-01",
}


def test_the_packaged_table_has_seventeen_rules() -> None:
    rules = {rule.code: rule for rule in earning.packaged_rules()}
    assert len(rules) == 17
    assert rules["V02"].points == 15
    assert rules["V02"].cap_basis is CapBasis.MINUTES_PER_DAY
    assert rules["P04"].basis is Basis.PER_DAY_HOUSEHOLD
    assert rules["P06"].cap_basis is CapBasis.TIMES_EVER
    service = [code for code, rule in rules.items() if rule.counts_as_service]
    assert service == [f"V0{n}" for n in range(1, 10)]


@pytest.mark.parametrize(
    ("change", "refusal"),
    [
        ({"points": "-1"}, errors.NegativePoints),
        ({"points": "2.5"}, errors.RuleNotWhole),
        ({"points": ""}, errors.RuleFieldMissing),
        ({"evidence": ""}, errors.RuleFieldMissing),
        ({"basis": "per_smile"}, errors.UnknownBasis),
        ({"cap_basis": "per_moon"}, errors.UnknownCapBasis),
        ({"cap_value": ""}, errors.BadCap),
        ({"cap_value": "0"}, errors.BadCap),
        ({"cap_basis": "times_per_day"}, errors.BadCap),
        ({"basis": "per_time", "step_minutes": ""}, errors.BadCap),
        ({"step_minutes": ""}, errors.BadStep),
        ({"step_minutes": "61"}, errors.BadStep),
        ({"step_minutes": "0"}, errors.BadStep),
        ({"basis": "per_time"}, errors.BadStep),
        ({"counts_as_service": "maybe"}, errors.BadYesNo),
        ({"effective_from": "2026-13-01"}, errors.BadDate),
        ({"version": "2"}, errors.VersionGap),
        ({"version": "0"}, errors.VersionGap),
    ],
)
def test_a_bad_row_is_refused_by_name(change: dict[str, str], refusal: type[MoralBankError]) -> None:
    with pytest.raises(refusal):
        earning.parse_rules([HEAD, ",".join((ROW | change).values())])


def test_a_table_without_a_column_is_refused() -> None:
    with pytest.raises(errors.RuleTableUnreadable) as caught:
        earning.parse_rules([HEAD.replace("points,", "")])
    assert caught.value.fields == {"columns": "points"}


def test_a_version_that_does_not_start_later_is_refused() -> None:
    again = ROW | {"version": "2"}
    with pytest.raises(errors.VersionGap):
        earning.parse_rules([HEAD, ",".join(ROW.values()), ",".join(again.values())])


def test_a_gap_between_versions_is_refused() -> None:
    third = ROW | {"version": "3", "effective_from": "2026-09-01"}
    with pytest.raises(errors.VersionGap):
        earning.parse_rules([HEAD, ",".join(ROW.values()), ",".join(third.values())])


def test_the_version_in_force_changes_on_its_first_day() -> None:
    first = earning.parse_rule(ROW)
    second = replace(first, version=2, points=12, effective_from=date(2026, 7, 1))
    rules = [first, second]
    assert earning.rule_on(rules, "V01", date(2026, 6, 30)) is first
    assert earning.rule_on(rules, "V01", date(2026, 7, 1)) is second
    with pytest.raises(errors.RuleNotInForce):
        earning.rule_on(rules, "V01", date(2025, 12, 31))
    with pytest.raises(errors.UnknownRule):
        earning.rule_on(rules, "V99", date(2026, 7, 1))
