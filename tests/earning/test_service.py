"""Adopting rules: what is stored stays as it was adopted, on both engines."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
import sqlalchemy as sa

from moralbank import clock, earning
from moralbank.db import Database
from moralbank.earning import errors

NOW = datetime(2026, 6, 15, 4, tzinfo=UTC)
TODAY = date(2026, 6, 15)
RULES = earning.packaged_rules()
V01 = next(rule for rule in RULES if rule.code == "V01")
SECOND = replace(V01, version=2, points=12, effective_from=TODAY)
HEARD = {"actor": "admin:1", "consultation": "居民提出，议事会商议，社区决定，6月1日公开。"}


def test_the_table_is_stored_once_and_read_back_as_it_was(database: Database) -> None:
    assert database.transact(earning.load_rules, RULES, **HEARD) == 17
    assert database.transact(earning.load_rules, RULES, **HEARD) == 0
    with database.reading() as db:
        assert earning.list_rules(db) == list(RULES)
        assert earning.list_rules(db, on=date(2025, 12, 31)) == []


def test_a_stored_version_is_never_replaced_by_another_text(database: Database) -> None:
    database.transact(earning.load_rules, RULES, **HEARD)
    with pytest.raises(errors.RuleAlreadyAdopted):
        database.transact(earning.load_rules, [replace(V01, points=11)], **HEARD)


def test_a_new_version_holds_from_its_day_and_the_old_one_before(database: Database) -> None:
    database.transact(earning.load_rules, RULES, **HEARD)
    with clock.at(NOW):
        database.transact(earning.adopt_rule, SECOND, **HEARD)
    with database.reading() as db:
        assert earning.get_rule(db, "V01", TODAY) == SECOND
        assert earning.get_rule(db, "V01", TODAY - timedelta(days=1)) == V01
        assert len(earning.list_rules(db, on=TODAY)) == 17
        assert earning.list_adoptions(db, "V01")[1].adopted_at == NOW
        with pytest.raises(errors.RuleNotInForce):
            earning.get_rule(db, "V01", date(2025, 12, 31))
        with pytest.raises(errors.UnknownRule):
            earning.get_rule(db, "X99", TODAY)


@pytest.mark.parametrize(
    ("rule", "refusal"),
    [
        (replace(SECOND, effective_from=TODAY - timedelta(days=1)), errors.StartsInThePast),
        (replace(SECOND, version=3), errors.VersionGap),
        (replace(SECOND, version=1), errors.VersionGap),
        (replace(SECOND, code="V99"), errors.VersionGap),
    ],
)
def test_a_version_that_reaches_back_or_leaves_a_gap_is_refused(
    database: Database, rule: earning.Rule, refusal: type[Exception]
) -> None:
    database.transact(earning.load_rules, RULES, **HEARD)
    with clock.at(NOW), pytest.raises(refusal):
        database.transact(earning.adopt_rule, rule, **HEARD)


def test_nothing_is_adopted_without_a_consultation(database: Database) -> None:
    with pytest.raises(errors.ConsultationMissing):
        database.transact(earning.load_rules, RULES, actor="admin:1", consultation=" ")


@pytest.mark.parametrize("statement", ["UPDATE earning_rules SET points = 99", "DELETE FROM earning_rules"])
def test_the_database_itself_keeps_what_was_adopted(database: Database, statement: str) -> None:
    database.transact(earning.load_rules, RULES, **HEARD)
    with pytest.raises(sa.exc.DBAPIError, match=r"append-only|permission denied"):
        database.transact(lambda db: db.execute(sa.text(statement)))
    with database.reading() as db:
        assert earning.list_rules(db) == list(RULES)
