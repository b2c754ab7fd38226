"""What a statement and a passbook page say."""

from __future__ import annotations

from datetime import date

import pytest
from sqlalchemy import Connection

from moralbank import clock
from moralbank.db import Database
from moralbank.ledger import Unit
from moralbank.statements import queries
from moralbank.statements.errors import MonthBeforeBooks, MonthMalformed, MonthToCome
from moralbank.statements.values import Expiry, Statement, read_month
from tests.statements._story import Story, Teller, at, enrol

MARCH, APRIL, MAY = date(2025, 3, 1), date(2025, 4, 1), date(2025, 5, 1)


def of_zhang(database: Database, story: Story, month: date) -> Statement:
    with database.reading() as db:
        return queries.statement(db, queries.owner_of_resident(db, story.zhang), month)


def test_each_month_opens_with_what_the_month_before_closed_with(database: Database, story: Story) -> None:
    march, april, may = (of_zhang(database, story, month) for month in (MARCH, APRIL, MAY))

    assert (march.points.opening, march.points.credit, march.points.debit, march.points.closing) == (0, 125, 30, 95)
    assert (april.points.opening, april.points.credit, april.points.debit, april.points.closing) == (95, 60, 40, 115)
    assert (may.points.opening, may.points.credit, may.points.debit, may.points.closing) == (115, 0, 20, 95)
    assert [one.minutes.closing for one in (march, april, may) if one.minutes] == [150, 270, 150]
    assert [one.is_running for one in (march, april, may)] == [False, False, True]


def test_the_lines_of_all_months_are_numbered_without_a_gap(database: Database, story: Story) -> None:
    lines = [line for month in (MARCH, APRIL, MAY) for line in of_zhang(database, story, month).points.lines]

    assert [line.number for line in lines] == [1, 2, 3, 4, 5, 6, 7]
    balance = 0
    for line in lines:
        balance += line.amount
        assert line.balance_after == balance


def test_a_line_says_what_where_by_which_rule_and_in_which_role(database: Database, story: Story) -> None:
    opening, award, soap = of_zhang(database, story, MARCH).points.lines

    assert (opening.kind, opening.about, opening.place, opening.role) == ("opening", "", "南山驿站", "staff")
    assert (award.about, award.place, award.rule_code, award.rule_version) == ("河岸清洁", "洛水河岸", "V01", 1)
    assert (award.occurred_on, award.happened_earlier) == (date(2025, 3, 14), True)
    assert (soap.about, soap.place, soap.role) == ("香皂一块", "邻家便利店", "operator")


def test_a_reversed_line_and_its_reversal_name_each_other_over_the_months(database: Database, story: Story) -> None:
    april, may = (of_zhang(database, story, month).points.lines for month in (APRIL, MAY))

    towel, back, service = april
    assert (towel.reversed_by_number, back.reverses_number) == (5, 4)
    assert (service.number, service.reversed_by_number) == (6, 7)
    assert [(line.number, line.reverses_number, line.reason) for line in may] == [(7, 6, "同一时段重复登记")]


def test_what_expires_next_is_what_spending_left_of_the_oldest_points(database: Database, story: Story) -> None:
    # The soap's 30 came out of the 100 of March, which go first in 2028; April's 20 are there until May reverses them.
    first, second = Expiry(date(2028, 3, 2), 70), Expiry(date(2028, 3, 15), 25)
    assert of_zhang(database, story, MARCH).expiring == (first, second)
    assert of_zhang(database, story, APRIL).expiring == (first, second, Expiry(date(2028, 4, 12), 20))
    assert of_zhang(database, story, MAY).expiring == (first, second)


def test_a_merchants_statement_has_points_only_and_numbers_of_the_month(database: Database, story: Story) -> None:
    with database.reading() as db:
        owner = queries.owner_of_merchant(db, story.shop)
        april = queries.statement(db, owner, APRIL)

    assert (april.minutes, april.expiring) == (None, ())
    assert (april.points.opening, april.points.closing) == (30, 30)
    assert [(line.number, line.amount, line.balance_after) for line in april.points.lines] == [
        (1, 40, 70),
        (2, -40, 30),
    ]
    assert april.points.lines[0].reversed_by_number == 2


def test_a_line_at_local_midnight_belongs_to_the_month_that_begins(database: Database, story: Story) -> None:
    def award(db: Connection) -> None:
        with clock.at(at(6, 1, 0)):
            Teller(db, story.book).award(story.zhang, 5, 0, "零点", "")

    database.transact(award)
    with clock.at(at(6, 2)):
        assert of_zhang(database, story, MAY).points.closing == 95
        june = of_zhang(database, story, date(2025, 6, 1)).points
        assert (june.opening, [line.about for line in june.lines]) == (95, ["零点"])


def test_a_month_to_come_or_before_the_first_line_is_refused_by_name(database: Database, story: Story) -> None:
    with pytest.raises(MonthToCome):
        of_zhang(database, story, date(2025, 6, 1))
    with pytest.raises(MonthBeforeBooks) as refusal:
        of_zhang(database, story, date(2025, 2, 1))
    assert refusal.value.fields == {"month": "2025-02", "first": "2025-03"}
    with pytest.raises(MonthBeforeBooks):
        of_zhang(database, story, date(1, 1, 1))


@pytest.mark.parametrize("text", ["2025-3", "2025-13", "2025-00", "0000-01", "25-03", "2025/03", "２０２５-03", ""])
def test_a_malformed_month_is_refused_by_name(text: str) -> None:
    with pytest.raises(MonthMalformed):
        read_month(text)


def test_somebody_without_a_line_has_a_statement_of_this_month_that_says_zero(database: Database, story: Story) -> None:
    newcomer = database.transact(enrol, story.tree["NS-01"], "新来的", "13800000009")
    with database.reading() as db:
        owner = queries.owner_of_resident(db, newcomer)
        may = queries.statement(db, owner, MAY)
        assert [one.month for one in queries.list_months(db, owner)] == [MAY]
        assert queries.passbook(db, owner, Unit.POINTS).lines == ()
    assert (may.points.opening, may.points.closing, may.points.lines) == (0, 0, ())


def test_a_quiet_month_still_has_its_statement(database: Database, story: Story) -> None:
    with database.reading() as db:
        owner = queries.owner_of_resident(db, story.wang)
        may = queries.statement(db, owner, MAY)
        assert [one.month for one in queries.list_months(db, owner)] == [MAY, APRIL]
    assert (may.points.opening, may.points.closing, may.points.lines) == (5, 5, ())


def test_the_passbook_pages_back_from_the_newest_line(
    database: Database, story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queries, "PAGE", 3)
    with database.reading() as db:
        owner = queries.owner_of_resident(db, story.zhang)
        first = queries.passbook(db, owner, Unit.POINTS)
        second = queries.passbook(db, owner, Unit.POINTS, first.older_before)
        third = queries.passbook(db, owner, Unit.POINTS, second.older_before)

    assert [[line.number for line in page.lines] for page in (first, second, third)] == [[7, 6, 5], [4, 3, 2], [1]]
    assert (first.points, first.minutes) == (95, 150)
    # Months that a page shows only in part carry the whole month's sum all the same.
    assert first.month_sums == {"2025-04": 20}
    assert second.month_sums == {"2025-04": 20, "2025-03": 95}
    assert third.month_sums == {"2025-03": 95}
    assert third.older_before is None
    assert first.lines[1].reversed_by_number == 7


def test_the_list_of_months_adds_up_what_came_and_went(database: Database, story: Story) -> None:
    with database.reading() as db:
        months = queries.list_months(db, queries.owner_of_resident(db, story.zhang))

    assert [(one.month, one.credit, one.debit, one.minutes) for one in months] == [
        (MAY, 0, -20, -120),
        (APRIL, 60, -40, 120),
        (MARCH, 125, -30, 150),
    ]
