"""Figures, dates and durations as a reader sees them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime

import pytest
from flask import Flask, render_template_string

from moralbank import clock
from moralbank.web import filters

NOON_IN_2026 = datetime(2026, 11, 21, 4, 0, tzinfo=UTC)
#: 23:30 UTC on the 20th is half past seven on the morning of the 21st in the bank's towns.
EARLY = datetime(2026, 11, 20, 23, 30, tzinfo=UTC)


@pytest.fixture(params=["zh", "en"])
def reads(request: pytest.FixtureRequest):
    """A reader of each language in turn, on 21 November 2026."""
    with (
        Flask("bare").test_request_context(headers={"Accept-Language": request.param}),
        clock.at(NOON_IN_2026),
    ):
        yield request.param


def test_a_day_is_the_banks_local_day_with_its_weekday(reads: str):
    expected = {"zh": "11月21日（周六）", "en": "Sat 21 Nov"}[reads]
    assert filters.day(EARLY) == expected
    assert filters.day(date(2026, 11, 21)) == expected


def test_a_day_of_another_year_says_which(reads: str):
    assert filters.day(date(2027, 3, 31)) == {"zh": "2027年3月31日（周三）", "en": "Wed 31 Mar 2027"}[reads]


def test_a_moment_is_a_day_and_a_time(reads: str):
    assert filters.moment(EARLY) == {"zh": "11月21日（周六）07:30", "en": "Sat 21 Nov 07:30"}[reads]
    assert filters.time_of_day(EARLY) == "07:30"


def test_nothing_is_shown_for_a_time_that_has_not_come(reads: str):
    assert (filters.day(None), filters.moment(None), filters.time_of_day(None)) == ("", "", "")


@pytest.mark.parametrize("value", [date(2026, 3, 9), "2026-03", datetime(2026, 2, 28, 16, 0, tzinfo=UTC)])
def test_a_month_is_named_from_a_date_a_moment_or_its_number(reads: str, value: object):
    assert filters.month(value) == {"zh": "2026年3月", "en": "March 2026"}[reads]


@pytest.mark.parametrize(
    ("value", "signed", "plain"),
    [(25, "+25", "25"), (-20, "\u221220", "\u221220"), (0, "0", "0"), (1234567, "+1,234,567", "1,234,567")],
)
def test_points_carry_their_sign_and_figures_their_thousands(value: int, signed: str, plain: str):
    assert filters.points(value) == signed
    assert filters.figure(value) == plain


@pytest.mark.parametrize(
    ("value", "chinese", "english"),
    [
        (150, "2小时30分", "2 h 30 min"),
        (120, "2小时", "2 h"),
        (45, "45分钟", "45 min"),
        (0, "0分钟", "0 min"),
        (-60, "\u22121小时", "\u22121 h"),
        (61_201, "1,020小时1分", "1,020 h 1 min"),
    ],
)
def test_service_time_is_hours_and_minutes_and_never_looks_like_points(
    reads: str, value: int, chinese: str, english: str
):
    assert filters.minutes(value) == {"zh": chinese, "en": english}[reads]


@dataclass(frozen=True)
class Line:
    n: int
    day: date | datetime


def test_lines_are_gathered_under_their_local_month_in_the_order_given():
    lines = [
        Line(4, date(2026, 11, 2)),
        Line(3, datetime(2026, 10, 31, 16, 30, tzinfo=UTC)),
        Line(2, date(2026, 10, 31)),
        Line(1, date(2026, 9, 1)),
    ]
    months = [(month.isoformat(), [line.n for line in rows]) for month, rows in filters.by_month(lines)]
    assert months == [("2026-11-01", [4, 3]), ("2026-10-01", [2]), ("2026-09-01", [1])]


def test_a_template_compiled_for_one_reader_is_read_in_the_next_ones_language():
    app = Flask("bare")
    filters.init_app(app)
    page = "{{ 150|minutes }}, {{ '2026-03'|month }}"
    for language, expected in (("en", "2 h 30 min, March 2026"), ("zh", "2小时30分, 2026年3月")):
        with app.test_request_context(headers={"Accept-Language": language}):
            assert render_template_string(page) == expected
