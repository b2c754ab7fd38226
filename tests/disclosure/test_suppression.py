"""Which groups have a figure: none under five, and none by taking the others from the total."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from moralbank.disclosure.suppression import LEAST, hidden, hidden_below, together
from moralbank.disclosure.values import Kind, band_of, period_before, period_of

GROUPS = st.dictionaries(st.text("abc", min_size=1, max_size=2), st.frozensets(st.integers(1, 30), max_size=12))


@given(GROUPS)
def test_no_group_under_five_has_a_figure_nor_what_is_left_of_the_total(groups) -> None:
    kept = hidden(groups)
    for name, people in groups.items():
        assert name in kept or not people or len(people) >= LEAST
    everybody_hidden = all(name in kept for name, people in groups.items() if people)
    assert not kept or len(together(groups, kept)) >= LEAST or everybody_hidden


STATIONS = st.fixed_dictionaries(dict.fromkeys(("NS-01", "NS-02", "NS-03"), GROUPS))


@given(STATIONS, GROUPS)
def test_no_small_group_comes_out_of_a_hubs_figures_and_its_stations(parts, own) -> None:
    """Whatever is told of a name, taken from what the hub tells of it, leaves five or nobody; so does each total."""
    whole: dict[str, frozenset[int]] = {}
    # A person serves at one branch here, so that figures add up and differences are people.
    placed = [{name: frozenset((place, one) for one in people) for name, people in groups.items()}
              for place, groups in enumerate([*parts.values(), own])]  # fmt: skip
    *stations, home = placed
    for groups in placed:
        for name, people in groups.items():
            whole[name] = whole.get(name, frozenset()) | people
    below = dict(zip(parts, stations, strict=True))
    above = hidden(whole)
    kept = hidden_below(whole, below, home, set(), set())
    for name, people in whole.items():
        told = [groups[name] for part, groups in below.items() if name in groups and name not in kept[part]]
        if name in above:
            assert not any(told)
        else:
            rest = people - frozenset().union(*told)
            assert not 0 < len(rest) < LEAST, name
    for part, groups in below.items():
        rest = together(groups, kept[part])
        assert not 0 < len(rest) < LEAST or all(name in kept[part] for name, people in groups.items() if people)
        assert all(not 0 < len(people) < LEAST for name, people in groups.items() if name not in kept[part])


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
