"""Which groups have a figure: none under five, and none by taking the others from the total."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from moralbank.disclosure.suppression import LEAST, hidden, together
from moralbank.disclosure.values import Kind, band_of, period_before, period_of

GROUPS = st.dictionaries(st.text("abc", min_size=1, max_size=2), st.frozensets(st.integers(1, 30), max_size=12))


@given(GROUPS)
def test_no_group_under_five_has_a_figure_nor_what_is_left_of_the_total(groups) -> None:
    kept = hidden(groups)
    for name, people in groups.items():
        assert name in kept or not people or len(people) >= LEAST
    everybody_hidden = all(name in kept for name, people in groups.items() if people)
    assert not kept or len(together(groups, kept)) >= LEAST or everybody_hidden


def test_of_two_groups_the_large_one_goes_with_the_small_one() -> None:
    assert hidden({"a": {1, 2, 3, 4}, "b": set(range(10, 20))}) == {"a", "b"}
    assert hidden({"a": {1, 2, 3, 4}, "b": set(range(10, 20)), "c": set(range(20, 26))}) == {"a", "c"}
    assert hidden({"a": {1, 2, 3, 4, 5}}) == set()
    assert hidden({"a": set(range(9)), "b": set(range(20, 29))}, {"b"}) == {"b"}


def test_bands_have_no_gap_and_no_end() -> None:
    assert [band_of(points) for points in (1, 49, 50, 299, 300, 9999)] == [
        (1, 49), (1, 49), (50, 99), (200, 299), (300, None), (300, None),
    ]  # fmt: skip


def test_periods_are_whole_months_and_quarters() -> None:
    from datetime import date

    assert period_before(Kind.TOTALS, date(2026, 1, 15)).until_on == date(2025, 12, 31)
    assert period_before(Kind.LIST, date(2026, 11, 4)).since_on == date(2026, 7, 1)
    assert period_of(Kind.LIST, date(2026, 12, 31)).until_on == date(2026, 12, 31)
