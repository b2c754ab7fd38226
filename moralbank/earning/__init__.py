"""Versioned earning rules: deeds go in, points and minutes come out. Knows no people, no ledger, no Flask.

`award` and everything it needs is pure; the verbs that take `db` keep the adopted versions.
"""

from moralbank.earning.award import DEFAULT_LIMITS, award
from moralbank.earning.queries import Adoption, get_rule, list_adoptions, list_rules
from moralbank.earning.rules import packaged_rules, parse_rule, parse_rules, rule_on
from moralbank.earning.service import adopt_rule, load_rules
from moralbank.earning.values import (
    REASON_SENTENCES,
    Basis,
    Cap,
    CapBasis,
    Claim,
    Limits,
    Outcome,
    Reason,
    Rule,
    Totals,
)

__all__ = [
    "DEFAULT_LIMITS",
    "REASON_SENTENCES",
    "Adoption",
    "Basis",
    "Cap",
    "CapBasis",
    "Claim",
    "Limits",
    "Outcome",
    "Reason",
    "Rule",
    "Totals",
    "adopt_rule",
    "award",
    "get_rule",
    "list_adoptions",
    "list_rules",
    "load_rules",
    "packaged_rules",
    "parse_rule",
    "parse_rules",
    "rule_on",
]
