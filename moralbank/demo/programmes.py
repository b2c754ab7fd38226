"""Plans the year's activities from the community's files, and what goes on today. Touches no database."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path

from moralbank import clock
from moralbank.activities.values import Mode, Windows

COMMUNITY = Path(__file__).parent / "community"
_RECURS = {"week": timedelta(days=7), "fortnight": timedelta(days=14), "month": timedelta(days=28)}
#: A year of whole weeks, so that an activity of the files keeps its weekday when the year is another one.
_YEAR = timedelta(days=364)
_SEASONS = {1: "春季", 2: "夏季", 3: "秋季", 4: "冬季"}
#: The activity that runs when the district is loaded.
RUNNING = "T01"
#: "beneficiary" in the file: whoever was helped confirms it, at the desk.
_MODES = {"beneficiary": Mode.DESK} | {mode.value: mode for mode in Mode}


@dataclass(frozen=True, slots=True)
class Programme:
    """An activity with its sittings, and how many usually come."""

    code: str
    title: str
    rule: str
    branch: str
    place: str
    mode: Mode
    turnout: int
    sittings: tuple[tuple[datetime, datetime], ...]
    description: str = ""
    capacity: int | None = None
    needs_signup: bool = False
    leader: str | None = None
    #: None: those of any session.
    windows: Windows | None = None
    #: It waits for its sign-off, with one person of every kind that the leader must look at.
    is_troubled: bool = False


def read(name: str) -> list[Mapping[str, str]]:
    """Return the rows of one of the community's files."""
    with (COMMUNITY / name).open(encoding="utf-8-sig", newline="") as lines:
        return list(csv.DictReader(lines))


def of_the_year(first_on: date, until: datetime) -> list[Programme]:
    """Return what the files plan between a day and an instant."""
    programmes = [*_single(first_on), *_recurring(first_on, until)]
    return [programme for programme in programmes if programme.sittings[0][0] <= until]


def of_today(now: datetime) -> list[Programme]:
    """Return what can be tried at once: two sessions that run, and one that waits for its sign-off."""
    begun = now.replace(minute=now.minute // 5 * 5, second=0, microsecond=0) - timedelta(minutes=30)
    all_along = Windows(in_before=60, in_after=8 * 60, out_before=8 * 60, out_after=60)
    ended = begun - timedelta(hours=20)
    return [
        Programme(
            RUNNING, "家门口的公益集市", "V08", "NS-00", "中心空间广场", Mode.ROTATING, 18,
            ((begun, begun + timedelta(hours=8)),), "义剪、磨刀、修家电、换旧物，来了就能帮忙。",
            windows=all_along,
        ),
        Programme(
            "T02", "图书漂流角", "P03", "NS-01", "南山驿站", Mode.POSTER, 6,
            ((begun, begun + timedelta(hours=8)),), "带一本书来，换一本书走。", windows=all_along,
        ),
        Programme(
            "T03", "楼道杂物清理", "V01", "NS-01", "南山小区3至8栋", Mode.ROTATING, 10,
            ((ended - timedelta(hours=2), ended),), "清理楼道和消防通道。", is_troubled=True,
        ),
    ]  # fmt: skip


def _single(first_on: date) -> Iterator[Programme]:
    for row in read("activities.csv"):
        starts_at, ends_at = _local(row["starts_at"]), _local(row["ends_at"])
        while starts_at < clock.start_of(first_on):
            starts_at, ends_at = starts_at + _YEAR, ends_at + _YEAR
        capacity = int(row["capacity"])
        yield Programme(
            row["code"], row["title"], row["rule"], row["branch"], row["place"], _MODES[row["checkin_mode"]],
            min(60, capacity * 3 // 5), ((starts_at, ends_at),), capacity=capacity, leader=row["leader"],
        )  # fmt: skip


def _recurring(first_on: date, until: datetime) -> Iterator[Programme]:
    """Give each recurring activity anew for every quarter of the year."""
    for row in read("recurring.csv"):
        by_quarter: dict[tuple[int, int], list[tuple[datetime, datetime]]] = {}
        day = first_on + timedelta(days=(int(row["weekday"]) - first_on.isoweekday()) % 7)
        while clock.start_of(day) <= until:
            sitting = (_on(day, row["starts"]), _on(day, row["ends"]))
            if sitting[0] <= until:
                by_quarter.setdefault((day.year, (day.month + 2) // 3), []).append(sitting)
            day += _RECURS[row["every"]]
        for (year, quarter), sittings in by_quarter.items():
            yield Programme(
                f"{row['code']}-{year % 100}Q{quarter}", f"{row['title']}（{_SEASONS[quarter]}）", row["rule"],
                row["branch"], row["place"], Mode(row["mode"]), int(row["turnout"]), tuple(sittings),
                capacity=int(row["capacity"]) if row["capacity"] else None,
                needs_signup=row["needs_signup"] == "yes",
            )  # fmt: skip


def _local(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=clock.TIMEZONE)


def _on(day: date, hour: str) -> datetime:
    return datetime.combine(day, time.fromisoformat(hour), clock.TIMEZONE)
