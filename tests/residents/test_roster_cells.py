"""Single cells: width, spaces, dates, phones, points and names as people type them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moralbank.residents import roster_cells as cells

TODAY = date(2026, 11, 21)
WIDE = {ord(narrow): ord(narrow) + 0xFEE0 for narrow in map(chr, range(0x21, 0x7F))}
days = st.dates(min_value=date(1900, 1, 1), max_value=TODAY)
phones = st.from_regex(r"1[3-9][0-9]{9}", fullmatch=True).filter(str.isascii)


def refused(reader: Callable[[str], object], text: str) -> str:
    with pytest.raises(cells.CellRefused) as caught:
        reader(text)
    return caught.value.code


def day(text: str) -> date | None:
    return cells.read_date(text, TODAY)


@given(
    days,
    st.sampled_from(
        [
            "{:%Y-%m-%d}",
            "{:%Y%m%d}",
            "{:%Y/%m/%d}",
            "{0.year}年{0.month}月{0.day}日",
            "{0.year}.{0.month}.{0.day}",
            " {0.year} / {0.month} / {0.day} ",
            "{:%Y-%m-%d} 00:00:00",
        ]
    ),
    st.booleans(),
)
def test_a_day_is_read_however_it_is_written(found: date, form: str, wide: bool) -> None:
    text = form.format(found)
    assert day(text.translate(WIDE) if wide else text) == found


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("1960-13-45", "not-a-date"),
        ("1961-02-29", "not-a-date"),
        ("60-1-2", "not-a-date"),
        ("1960-1/2", "not-a-date"),
        ("1960年1月", "not-a-date"),
        ("45000", "not-a-date"),
        ("不详", "not-a-date"),
        ("2026-11-22", "in-the-future"),
        ("1899-12-31", "too-long-ago"),
    ],
)
def test_what_is_no_day_says_why(text: str, code: str) -> None:
    assert refused(day, text) == code


def test_today_is_no_future() -> None:
    assert day("2026-11-21") == TODAY


@given(
    phones,
    st.sampled_from(["", "+86 ", "86", "0086-"]),
    st.sampled_from(["", " ", "-", "－", "\u200b", "　"]),
    st.booleans(),
)
def test_a_phone_is_read_however_it_is_spread(phone: str, prefix: str, gap: str, wide: bool) -> None:
    text = prefix + phone[:3] + gap + phone[3:7] + gap + phone[7:]
    assert cells.read_phone(text.translate(WIDE) if wide else text) == phone


@pytest.mark.parametrize(
    "text", ["无", "1370000028", "12700000000", "010-65550000", "1.37E+10", "13700000000/13700000001"]
)
def test_what_is_no_mobile_number_is_refused(text: str) -> None:
    assert refused(cells.read_phone, text) == "not-a-phone"


@given(
    st.integers(0, cells.OPENING_POINTS_MAX),
    st.booleans(),
    st.sampled_from(["{}", "{:,}", " {} ", "{}.0", "{}分"]),
)
def test_points_are_read_however_they_are_written(points: int, wide: bool, form: str) -> None:
    text = form.format(points)
    assert cells.read_points(text.translate(WIDE) if wide else text) == points


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("-20", "negative"),
        ("12.5", "not-whole"),
        ("1,2", "not-whole"),
        ("二十", "not-whole"),
        ("=SUM(A1)", "not-whole"),
        ("13700000000", "too-many-points"),
        ("9" * 5_000, "too-many-points"),
    ],
)
def test_what_are_no_points_says_why(text: str, code: str) -> None:
    assert refused(cells.read_points, text) == code


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("  姜浩明 ", "姜浩明"),
        ("张　三", "张三"),
        ("阿不都热合曼・买买提明", "阿不都热合曼·买买提明"),
        ("Ｍａｒｙ  O'Neil", "Mary O'Neil"),
        ("王\u200b五", "王五"),
        ("\U00020bb7野", "\U00020bb7野"),
        ("\ue863丽", "\ue863丽"),
        ("张三（大）", "张三(大)"),
    ],
)
def test_a_name_keeps_its_characters_and_loses_the_dirt(text: str, name: str) -> None:
    assert cells.read_name(text) == name


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (" 　", "empty"),
        ('=HYPERLINK("x","y")', "formula"),
        ("＝1+1", "formula"),
        ("\t@SUM(A1)", "formula"),
        ("13700000000", "not-a-name"),
        ("#N/A", "not-a-name"),
        ("·", "not-a-name"),
        ("张" * 51, "name-too-long"),
    ],
)
def test_what_is_no_name_says_why(text: str, code: str) -> None:
    assert refused(cells.read_name, text) == code


@given(st.text())
def test_cleaning_twice_changes_nothing_more(text: str) -> None:
    assert cells.clean(cells.clean(text)) == cells.clean(text)


READERS: list[Callable[[str], object]] = [
    cells.read_name,
    cells.read_phone,
    day,
    cells.read_points,
    cells.read_yes_no,
    cells.read_sex,
    cells.read_label,
]


@given(st.sampled_from(READERS), st.text())
def test_no_text_breaks_a_reader(reader: Callable[[str], object], text: str) -> None:
    with suppress(cells.CellRefused):
        reader(text)


def test_values_of_a_spreadsheet_become_what_would_be_typed() -> None:
    values = [None, 13700000000.0, 5, 2.5, datetime(2026, 1, 2), datetime(2026, 1, 2, 3), date(2026, 1, 2)]
    assert [cells.as_text(value) for value in values] == [
        "",
        "13700000000",
        "5",
        "2.5",
        "2026-01-02",
        "2026-01-02 03:00:00",
        "2026-01-02",
    ]
