"""Time present, and what the next scan means."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moralbank.activities import verdicts
from moralbank.activities.presence import Next, minutes_of, minutes_so_far, next_scan, presence_of
from moralbank.activities.values import (
    Activity,
    CheckIn,
    Direction,
    Doubt,
    Means,
    Mode,
    Session,
    State,
    Status,
    Windows,
)
from moralbank.activities.verdicts import Verdict

DAY = datetime(2026, 11, 21, tzinfo=UTC)
ACTIVITY = Activity(1, "A1", "河岸清洁", "V01", 1, "河岸", "", None, None, None, Mode.ROTATING, False, Status.PUBLISHED)
SESSION = Session(
    1,
    ACTIVITY,
    DAY + timedelta(hours=9),
    DAY + timedelta(hours=11, minutes=30),
    Windows(),
    State.OPEN,
    None,
    None,
    None,
)


def at(clock: str) -> datetime:
    hours, minutes, *seconds = (int(part) for part in clock.split(":"))
    return DAY + timedelta(hours=hours, minutes=minutes, seconds=seconds[0] if seconds else 0)


def scans(text: str, means: Means = Means.ROTATING) -> list[CheckIn]:
    """Read "in 9:00 out 11:30 in …" as one person's scans; "end" is a check-out nobody made."""
    found: list[CheckIn] = []
    words = text.split()
    visit = 0
    for word, clock in zip(words[::2], words[1::2], strict=True):
        direction = Direction.IN if word == "in" else Direction.OUT
        visit += 1 if direction is Direction.IN or visit == 0 else 0
        how, doubt = (Means.PLANNED_END, Doubt.NO_OUT) if word == "end" else (means, None)
        number = len(found) + 1
        found.append(
            CheckIn(number, 1, 5, direction, visit, str(number), at(clock), how, False, doubt, None, "system", None)
        )
    return found


#: Planned 9:00 to 11:30, 150 minutes: (scans, minutes).
INTERVALS = [
    ("in 9:00 out 11:30", 150),  # to the minute
    ("in 8:40 out 11:45", 150),  # early and late count the plan
    ("in 9:20 out 11:30", 130),  # late
    ("in 9:00 out 11:10", 130),  # left early
    ("in 9:30 out 10:30", 60),  # both
    ("in 8:30 out 8:50", 0),  # gone before it began
    ("in 11:40 out 12:00", 0),  # came when it was over
    ("in 8:30 out 9:00", 0),  # left as it began
    ("in 11:30 out 11:40", 0),  # came as it ended
    ("in 9:00:00 out 9:00:59", 0),  # under a minute
    ("in 9:00:30 out 10:00:29", 59),  # seconds don't round up
    ("in 9:00:30 out 10:00:30", 60),
    ("in 9:00 out 9:30 in 10:00 out 11:30", 120),  # a break is taken off
    ("in 8:50 out 9:10 in 9:10 out 11:35", 150),  # no gap
    ("in 9:00 out 10:00 in 10:30 out 11:00 in 11:15 out 11:30", 105),  # three visits
    ("in 9:00:00 out 9:20:30 in 9:30:00 out 9:50:30", 41),  # half minutes add up
    ("in 9:00", 150),  # no check-out: the planned end, for the leader to judge
    ("in 9:00 end 11:30", 150),  # the same, written down
    ("in 9:00 out 10:00 in 11:00", 90),  # the second check-out is missing
    ("out 11:30", 0),  # no check-in: no time before the leader gives it
]


@pytest.mark.parametrize(("text", "minutes"), INTERVALS)
def test_twenty_ways_to_come_and_go(text: str, minutes: int) -> None:
    assert presence_of(SESSION, scans(text)).minutes == minutes_so_far(SESSION, scans(text)) == minutes


def test_there_are_twenty_of_them() -> None:
    assert len(INTERVALS) == 20


@given(st.lists(st.tuples(st.integers(-60, 260), st.integers(-60, 260)), max_size=6))
def test_intervals_in_any_order_never_exceed_the_plan_and_count_no_minute_twice(pairs) -> None:
    start, end = SESSION.starts_at, SESSION.ends_at
    intervals = [(start + timedelta(minutes=a), start + timedelta(minutes=b)) for a, b in pairs]
    covered = {minute for a, b in pairs for minute in range(max(a, 0), min(b, 150))}
    assert minutes_of(intervals, start, end) == len(covered) <= SESSION.planned_minutes


@pytest.mark.parametrize(
    ("text", "grade", "doubts", "most"),
    [
        ("in 9:00 out 11:30", "A", (), 150),
        ("in 9:00", "B", (Doubt.NO_OUT,), 150),
        ("in 10:00 end 11:30", "B", (Doubt.NO_OUT,), 90),
        ("out 11:00", "B", (Doubt.NO_IN, Doubt.SHORT), 120),
        ("in 9:00 out 10:00", "A", (Doubt.SHORT,), 60),
        ("in 9:00 out 10:30", "A", (), 90),  # exactly 60 percent
    ],
)
def test_grades_doubts_and_how_much_a_leader_may_confirm(text: str, grade: str, doubts, most: int) -> None:
    got = presence_of(SESSION, scans(text))
    assert (got.grade, got.doubts, got.minutes_max) == (grade, doubts, most)


def test_typed_digits_are_somebodys_word_so_they_are_grade_b_without_a_doubt() -> None:
    got = presence_of(SESSION, scans("in 9:00 out 11:30", Means.DESK_DIGITS))
    assert (got.grade, got.doubts) == ("B", ())


SHORT_SESSION = Session(
    2, ACTIVITY, at("9:00"), at("9:45"), Windows(), State.OPEN, None, None, None
)  # its windows overlap: in until 9:30, out from 9:15


@pytest.mark.parametrize(
    ("session", "before", "clock", "wanted", "got"),
    [
        (SESSION, "", "8:29", None, verdicts.NOT_OPEN),
        (SESSION, "", "8:30", None, Next(Direction.IN, 1)),
        (SESSION, "", "9:30", None, Next(Direction.IN, 1)),
        (SESSION, "", "9:31", None, verdicts.CLOSED),
        (SESSION, "in 9:00", "9:10", None, verdicts.ALREADY),
        (SESSION, "in 9:00", "10:59", None, verdicts.ALREADY),
        (SESSION, "in 9:00", "11:00", None, Next(Direction.OUT, 1)),
        (SESSION, "in 9:00", "12:30", None, Next(Direction.OUT, 1)),
        (SESSION, "in 9:00", "12:31", None, verdicts.CLOSED),
        (SESSION, "in 9:00 out 11:20", "11:25", None, verdicts.ALREADY_OUT),
        (SESSION, "in 8:40 out 8:50", "9:10", None, Next(Direction.IN, 2)),
        (SESSION, "", "11:20", Direction.OUT, Next(Direction.OUT, 1)),
        (SESSION, "", "10:00", Direction.OUT, verdicts.NOT_OPEN),
        (SESSION, "in 9:00", "9:05", Direction.IN, verdicts.ALREADY),
        (SESSION, "in 9:00 out 11:20", "11:40", Direction.OUT, verdicts.ALREADY_OUT),
        (SHORT_SESSION, "in 9:16", "9:17", None, verdicts.ALREADY),
        (SHORT_SESSION, "in 9:16", "9:19", None, Next(Direction.OUT, 1)),
        (SHORT_SESSION, "in 9:10 out 9:20", "9:21", None, verdicts.ALREADY_OUT),
    ],
)
def test_what_the_next_scan_means(session: Session, before: str, clock: str, wanted, got: Next | Verdict) -> None:
    assert next_scan(session, scans(before), at(clock), wanted) == got


def test_staff_may_count_a_scan_outside_the_hours() -> None:
    assert next_scan(SESSION, [], at("10:15"), is_override=True) == Next(Direction.IN, 1)
    assert next_scan(SESSION, scans("in 9:00"), at("10:15"), is_override=True) == Next(Direction.OUT, 1)


def test_every_verdict_of_the_vocabulary_has_words_a_sign_and_a_sound() -> None:
    found = [value for value in vars(verdicts).values() if isinstance(value, Verdict)]
    assert {verdict.code for verdict in found} == set(verdicts.CODES)
    for verdict in found:
        assert verdict.sign in ("ok", "warn", "bad", "pending")
        assert verdict.sound in ("good", "bad")
        assert verdict.title
        assert verdict.sentence.endswith("。")
