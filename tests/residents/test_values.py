"""What others may see of a name and a phone, and how a person is known again."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moralbank.residents.values import adult_since, age, in_fours, is_minor, mask, mask_phone, person_key


@pytest.mark.parametrize(
    ("name", "masked"),
    [
        ("张建三", "张*三"),
        ("张三", "张*"),
        ("张", "*"),
        ("欧阳娜娜", "欧阳*娜"),
        ("诸葛亮", "诸葛*"),
        ("欧阳", "欧*"),
        ("阿卜杜拉·买买提", "阿*提"),
        ("𠮷田茂", "𠮷*茂"),
        ("葛\U000e0100城", "葛\U000e0100*"),
        ("张" * 50, "张*张"),
        ("Maria Sanchez", "M*z"),
    ],
)
def test_a_name_is_masked_between_family_name_and_last_character(name: str, masked: str) -> None:
    assert mask(name) == masked


@given(st.text(alphabet="张王李欧阳娜娜三·四五", min_size=1, max_size=50))
def test_a_mask_never_shows_a_whole_name(name: str) -> None:
    assert mask(name) != name
    assert mask(name).count("*") == 1


def test_a_phone_shows_its_ends() -> None:
    assert mask_phone("13812345678") == "138****5678"
    assert mask_phone(None) == ""


def test_one_household_may_share_a_phone() -> None:
    assert person_key("张三", "13800000000", None, None) != person_key("张四", "13800000000", None, None)


def test_a_person_with_a_phone_is_the_same_with_another_birth_date_or_spacing() -> None:
    assert person_key("张 三", "13800000000", "H1", date(1990, 1, 1)) == person_key("张三", "13800000000", None, None)


@pytest.mark.parametrize(("day", "years"), [(date(2026, 11, 20), 17), (date(2026, 11, 21), 18)])
def test_a_minor_comes_of_age_on_the_birthday(day: date, years: int) -> None:
    born = date(2008, 11, 21)
    assert age(born, day) == years
    assert is_minor(born, day) == (years < 18)


def test_an_unknown_birth_date_is_an_adults() -> None:
    assert not is_minor(None, date(2026, 11, 21))


def test_card_numbers_are_read_in_fours() -> None:
    assert in_fours("701234567890123456789012") == "7012 3456 7890 1234 5678 9012"


@pytest.mark.parametrize("today", [date(2026, 11, 21), date(2028, 2, 28), date(2028, 2, 29), date(2028, 3, 1)])
def test_of_age_is_who_was_born_by_the_day_that_queries_compare_with(today: date) -> None:
    since = adult_since(today)
    for days in range(-400, 400):
        born_on = since + timedelta(days=days)
        assert is_minor(born_on, today) == (born_on > since)
