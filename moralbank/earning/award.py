"""What a claim earns under a rule: the caps, and their order. Pure: no clock, no database, no randomness."""

from __future__ import annotations

from moralbank.earning.values import Basis, Cap, CapBasis, Claim, Limits, Outcome, Reason, Rule, Totals

DEFAULT_LIMITS = Limits()

_TIMES_CAPS = {
    CapBasis.TIMES_PER_DAY: Cap.TIMES_PER_DAY,
    CapBasis.TIMES_PER_MONTH: Cap.TIMES_PER_MONTH,
    CapBasis.TIMES_EVER: Cap.TIMES_EVER,
}


def award(rule: Rule, claim: Claim, totals: Totals, limits: Limits = DEFAULT_LIMITS) -> Outcome:
    """Return what the claim earns. Every step can only take away; this is their order.

    1. Presence: under 60 % of the planned time nothing is credited and the claim goes to review.
    2. Minutes: the rule's minutes a day, then the 8 hours a day over all rules. What is left is credited
       to the minute if the rule is volunteer service: the record must be true, only points are rounded.
    3. Helpings: whole steps of the minutes left; or whole kilograms; or times, cut to one per household
       and day, to once ever, and to the rule's times a day, a month or ever. A cap on times takes points
       and leaves the minutes.
    4. Points: helpings by the rule, halves rounded down once at the end; then the rule's points a week and
       household. What the rule's own caps take was never earned.
    5. The month, the year and the balance over all rules. What these take was earned: it is `surplus_points`.
    """
    if _is_too_short(claim, limits):
        return Outcome(0, 0, 0, 0, 0, (), review=True, reason=Reason.UNDER_PLANNED)
    capped: list[Cap] = []
    minutes = _countable_minutes(rule, claim, totals, limits, capped)
    times = _countable_times(rule, claim, totals, capped)
    earned = _points(rule, claim, minutes, times)
    if rule.cap_basis is CapBasis.POINTS_PER_WEEK_HOUSEHOLD and rule.cap_value is not None:
        left = rule.cap_value - totals.rule_points_in_week_of_household
        earned = _cut(earned, left, Cap.POINTS_PER_WEEK_HOUSEHOLD, capped)
    points = _cut(earned, limits.points_per_month - totals.points_in_month, Cap.POINTS_PER_MONTH, capped)
    points = _cut(points, limits.points_per_year - totals.points_in_year, Cap.POINTS_PER_YEAR, capped)
    points = _cut(points, limits.balance_points - totals.balance_points, Cap.BALANCE, capped)
    return Outcome(
        points=points,
        minutes=minutes if rule.counts_as_service else 0,
        counted_minutes=minutes,
        counted_times=times,
        surplus_points=earned - points,
        capped_by=tuple(capped),
        review=False,
        reason=_reason(rule, claim, points, minutes, capped),
    )


def _is_too_short(claim: Claim, limits: Limits) -> bool:
    if claim.planned_minutes is None:
        return False
    return claim.minutes * 100 < claim.planned_minutes * limits.presence_percent


def _countable_minutes(rule: Rule, claim: Claim, totals: Totals, limits: Limits, capped: list[Cap]) -> int:
    if not rule.uses_minutes:
        return 0
    minutes = claim.minutes
    if rule.cap_basis is CapBasis.MINUTES_PER_DAY and rule.cap_value is not None:
        minutes = _cut(minutes, rule.cap_value - totals.rule_minutes_in_day, Cap.RULE_MINUTES_PER_DAY, capped)
    return _cut(minutes, limits.minutes_per_day - totals.minutes_in_day, Cap.MINUTES_PER_DAY, capped)


def _countable_times(rule: Rule, claim: Claim, totals: Totals, capped: list[Cap]) -> int:
    times = claim.times
    if rule.basis is Basis.PER_DAY_HOUSEHOLD:
        times = _cut(times, claim.days - totals.rule_times_in_day, Cap.ONCE_PER_HOUSEHOLD_DAY, capped)
    if rule.basis is Basis.ONCE:
        times = _cut(times, 1 - totals.rule_times_ever, Cap.TIMES_EVER, capped)
    if rule.cap_basis in _TIMES_CAPS and rule.cap_value is not None:
        before = {
            CapBasis.TIMES_PER_DAY: totals.rule_times_in_day,
            CapBasis.TIMES_PER_MONTH: totals.rule_times_in_month,
            CapBasis.TIMES_EVER: totals.rule_times_ever,
        }[rule.cap_basis]
        times = _cut(times, rule.cap_value - before, _TIMES_CAPS[rule.cap_basis], capped)
    return times


def _points(rule: Rule, claim: Claim, minutes: int, times: int) -> int:
    if rule.basis is Basis.PER_HOUR:
        step = rule.step_minutes or 60
        return minutes // step * step * rule.points // 60
    if rule.basis is Basis.PER_KG:
        return (claim.kg if times else 0) * rule.points
    return times * rule.points


def _cut(amount: int, left: int, cap: Cap, capped: list[Cap]) -> int:
    """Return what of the amount fits into what is left, and note the cap once if it took anything."""
    fits = min(amount, max(left, 0))
    if fits < amount and cap not in capped:
        capped.append(cap)
    return fits


def _reason(rule: Rule, claim: Claim, points: int, minutes: int, capped: list[Cap]) -> Reason:
    if capped:
        return Reason.CAPPED
    if points or (not rule.points and (minutes or claim.times)):
        return Reason.AWARDED
    if rule.basis is Basis.PER_HOUR and minutes:
        return Reason.UNDER_A_STEP
    return Reason.NOTHING_DONE
