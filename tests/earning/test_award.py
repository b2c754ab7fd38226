"""What a claim earns: every cap alone, caps together, and what holds for all of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moralbank.earning import (
    Basis,
    Cap,
    CapBasis,
    Claim,
    Outcome,
    Reason,
    Rule,
    Totals,
    award,
    packaged_rules,
)
from moralbank.earning.errors import ClaimNotWhole

RULES = {rule.code: rule for rule in packaged_rules()}
V01, V02, V10 = RULES["V01"], RULES["V02"], RULES["V10"]
P01, P04, P05, P06 = RULES["P01"], RULES["P04"], RULES["P05"], RULES["P06"]
BY_THE_HOUR = [rule for rule in RULES.values() if rule.basis is Basis.PER_HOUR]
FRESH = Totals()


def minutes(amount: int, planned: int | None = None) -> Claim:
    return Claim(minutes=amount, planned_minutes=planned)


def test_two_and_a_half_hours_of_cleaning_are_25_points_and_150_minutes() -> None:
    got = award(V01, minutes(150), FRESH)
    assert got == Outcome(25, 150, 150, 1, 0, (), review=False, reason=Reason.AWARDED)


def test_points_round_down_to_half_hours_and_the_service_record_keeps_the_minutes() -> None:
    got = award(V01, minutes(89), FRESH)
    assert (got.points, got.minutes) == (10, 89)


def test_half_points_round_down_once_at_the_end() -> None:
    assert [award(V02, minutes(n), FRESH).points for n in (30, 60, 90)] == [7, 15, 22]


def test_less_than_a_step_earns_nothing_and_says_so() -> None:
    got = award(V01, minutes(29), FRESH)
    assert (got.points, got.minutes, got.reason) == (0, 29, Reason.UNDER_A_STEP)


def test_under_sixty_percent_of_the_plan_goes_to_review() -> None:
    short, enough = award(V01, minutes(71, 120), FRESH), award(V01, minutes(72, 120), FRESH)
    assert (short.points, short.minutes, short.review, short.reason) == (0, 0, True, Reason.UNDER_PLANNED)
    assert (enough.points, enough.minutes, enough.review) == (10, 72, False)


def test_a_lecture_left_early_goes_to_review_too() -> None:
    assert award(P01, minutes(20, 60), FRESH).review


def test_presence_is_judged_before_the_day_is_full() -> None:
    got = award(V02, minutes(300, 300), Totals(rule_minutes_in_day=200, minutes_in_day=200))
    assert (got.review, got.minutes, got.points) == (False, 40, 7)


def test_the_rules_minutes_a_day_cut_minutes_before_points() -> None:
    got = award(V02, minutes(300), FRESH)
    assert (got.points, got.minutes, got.capped_by) == (60, 240, (Cap.RULE_MINUTES_PER_DAY,))


def test_eight_hours_a_day_hold_over_all_rules() -> None:
    got = award(V01, minutes(120), Totals(minutes_in_day=450))
    assert (got.points, got.minutes, got.capped_by) == (5, 30, (Cap.MINUTES_PER_DAY,))


def test_leading_earns_twice_a_day_and_no_service_minutes() -> None:
    assert award(V10, minutes(120, 120), Totals(rule_times_in_day=1)).points == 10
    third = award(V10, minutes(120, 120), Totals(rule_times_in_day=2))
    assert (third.points, third.minutes, third.capped_by) == (0, 0, (Cap.TIMES_PER_DAY,))


def test_a_third_lecture_in_a_month_earns_nothing() -> None:
    assert award(P01, Claim(), Totals(rule_times_in_month=2)).capped_by == (Cap.TIMES_PER_MONTH,)


def test_sorting_is_one_credit_per_household_and_day() -> None:
    assert award(P04, Claim(), FRESH).points == 1
    assert award(P04, Claim(), Totals(rule_times_in_day=1)).capped_by == (Cap.ONCE_PER_HOUSEHOLD_DAY,)


def test_a_weeks_roll_up_of_sorting_is_one_credit_a_day_within_25_a_month() -> None:
    assert award(P04, Claim(times=9, days=7), FRESH).points == 7
    got = award(P04, Claim(times=9, days=7), Totals(rule_times_in_month=20))
    assert (got.points, got.counted_times) == (5, 5)
    assert got.capped_by == (Cap.ONCE_PER_HOUSEHOLD_DAY, Cap.TIMES_PER_MONTH)


def test_recyclables_earn_ten_points_a_week_and_household() -> None:
    got = award(P05, Claim(kg=8), Totals(rule_points_in_week_of_household=6))
    assert (got.points, got.surplus_points, got.capped_by) == (4, 0, (Cap.POINTS_PER_WEEK_HOUSEHOLD,))


def test_the_first_service_is_rewarded_once_ever() -> None:
    assert award(P06, Claim(), FRESH).points == 5
    assert award(P06, Claim(times=3), FRESH).points == 5
    assert award(P06, Claim(), Totals(rule_times_ever=1)).points == 0


@pytest.mark.parametrize(
    ("totals", "cap"),
    [
        (Totals(points_in_month=395), Cap.POINTS_PER_MONTH),
        (Totals(points_in_year=2_995), Cap.POINTS_PER_YEAR),
        (Totals(balance_points=14_995), Cap.BALANCE),
    ],
)
def test_what_the_global_caps_take_is_a_surplus_and_minutes_stay(totals: Totals, cap: Cap) -> None:
    got = award(V01, minutes(120), totals)
    assert (got.points, got.surplus_points, got.minutes, got.capped_by) == (5, 15, 120, (cap,))


def test_a_balance_over_the_cap_from_old_books_takes_nothing_away() -> None:
    got = award(V01, minutes(120), Totals(balance_points=20_000))
    assert (got.points, got.surplus_points) == (0, 20)


@pytest.mark.parametrize("value", [-1, 1.5, True, "60"])
def test_a_claim_is_whole_numbers_from_zero(value: object) -> None:
    with pytest.raises(ClaimNotWhole):
        Claim(minutes=value)  # type: ignore[arg-type]


rules = st.sampled_from(list(RULES.values()))
some = st.integers(0, 600)
totals = st.builds(
    Totals,
    rule_minutes_in_day=some,
    minutes_in_day=some,
    rule_times_in_day=st.integers(0, 3),
    rule_times_in_month=st.integers(0, 30),
    rule_times_ever=st.integers(0, 3),
    rule_points_in_week_of_household=st.integers(0, 12),
    points_in_month=st.integers(0, 500),
    points_in_year=st.integers(0, 3_100),
    balance_points=st.integers(0, 16_000),
)
claims = st.builds(
    Claim,
    minutes=some,
    times=st.integers(0, 30),
    kg=st.integers(0, 40),
    planned_minutes=st.none() | some,
    days=st.integers(1, 7),
)


@given(rules, claims, totals)
def test_an_outcome_is_never_negative_and_never_over_a_cap(rule: Rule, claim: Claim, before: Totals) -> None:
    got = award(rule, claim, before)
    assert min(got.points, got.minutes, got.counted_minutes, got.counted_times, got.surplus_points) >= 0
    if got.points:
        assert before.points_in_month + got.points <= 400
        assert before.points_in_year + got.points <= 3_000
        assert before.balance_points + got.points <= 15_000
    if got.counted_minutes:
        assert before.minutes_in_day + got.counted_minutes <= 480
    assert got.counted_minutes <= claim.minutes
    if got.points and rule.cap_value is not None:
        reached = {
            CapBasis.MINUTES_PER_DAY: before.rule_minutes_in_day + got.counted_minutes,
            CapBasis.TIMES_PER_DAY: before.rule_times_in_day + got.counted_times,
            CapBasis.TIMES_PER_MONTH: before.rule_times_in_month + got.counted_times,
            CapBasis.TIMES_EVER: before.rule_times_ever + got.counted_times,
            CapBasis.POINTS_PER_WEEK_HOUSEHOLD: before.rule_points_in_week_of_household + got.points,
        }
        assert rule.cap_basis is not None
        assert reached[rule.cap_basis] <= rule.cap_value


@given(rules, claims, totals, st.integers(0, 600))
def test_more_minutes_never_earn_less(rule: Rule, claim: Claim, before: Totals, more: int) -> None:
    longer = Claim(claim.minutes + more, claim.times, claim.kg, claim.planned_minutes, claim.days)
    less, got = award(rule, claim, before), award(rule, longer, before)
    assert got.points >= less.points
    assert got.minutes >= less.minutes


@given(rules, claims, totals, totals)
def test_more_before_never_earns_more(rule: Rule, claim: Claim, one: Totals, other: Totals) -> None:
    fields = Totals.__dataclass_fields__
    higher = Totals(**{name: max(getattr(one, name), getattr(other, name)) for name in fields})
    assert award(rule, claim, higher).points <= award(rule, claim, one).points


@given(rules, st.integers(0, 16), st.integers(0, 29))
def test_points_depend_only_on_whole_steps(rule: Rule, steps: int, rest: int) -> None:
    whole, longer = minutes(steps * 30), minutes(steps * 30 + rest)
    assert award(rule, longer, FRESH).points == award(rule, whole, FRESH).points


@given(st.sampled_from(BY_THE_HOUR), st.lists(some, max_size=6))
def test_splitting_a_day_never_earns_more_than_the_whole(rule: Rule, parts: list[int]) -> None:
    before = FRESH
    for part in parts:
        got = award(rule, minutes(part), before)
        before = Totals(
            rule_minutes_in_day=before.rule_minutes_in_day + got.counted_minutes,
            minutes_in_day=before.minutes_in_day + got.counted_minutes,
            points_in_month=before.points_in_month + got.points,
            points_in_year=before.points_in_year + got.points,
            balance_points=before.balance_points + got.points,
        )
    whole = award(rule, minutes(sum(parts)), FRESH)
    assert before.points_in_month <= whole.points
    assert before.minutes_in_day == whole.counted_minutes


@given(rules, claims, totals)
def test_only_volunteer_service_has_minutes(rule: Rule, claim: Claim, before: Totals) -> None:
    assert rule.counts_as_service or award(rule, claim, before).minutes == 0


@given(rules, claims, totals)
def test_a_named_cap_took_something(rule: Rule, claim: Claim, before: Totals) -> None:
    got = award(rule, claim, before)
    over_all = {Cap.POINTS_PER_MONTH, Cap.POINTS_PER_YEAR, Cap.BALANCE}
    assert bool(got.surplus_points) == bool(over_all & set(got.capped_by))
    assert (got.reason is Reason.CAPPED) == bool(got.capped_by)
