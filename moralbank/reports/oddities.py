"""Thirteen patterns that are worth a look, each a rule over plain facts. Pure: knows no database and no clock.

A finding says what was seen and where the entries are. It is no verdict, ranks nobody, and nothing follows from it by
itself: an auditor looks, and often there is a good reason.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import TypeVar
from uuid import UUID

from moralbank.errors import N_


@dataclass(frozen=True, slots=True)
class ChargeFact:
    """A charge; is_own: operator and resident have one name, or the operator's is in the resident's household."""

    charge_id: int
    entry_id: UUID | None
    merchant_id: int
    operator_id: int
    resident_id: int
    points: int
    is_typed: bool
    is_by_card: bool
    is_taken_back: bool
    is_own: bool
    #: On the bank's own clock.
    at: datetime
    #: By which link a helper showed the code; None: the resident or their family did.
    helper_id: int | None = None


@dataclass(frozen=True, slots=True)
class TryFact:
    """A number that a till did not know."""

    operator_id: int
    at: datetime


@dataclass(frozen=True, slots=True)
class ScanFact:
    """A check-in or check-out; is_manual: an organiser let it count beside the windows, and said why."""

    session_id: int
    resident_id: int
    #: None at the desk.
    device: str | None
    is_poster: bool
    is_manual: bool
    at: datetime


@dataclass(frozen=True, slots=True)
class AwardFact:
    """An award; is_own: whoever signed the session off has the name of the one who got it, or of their household."""

    entry_id: UUID
    session_id: int
    resident_id: int
    signed_by: str
    grade: str
    #: Without a scan of the resident's own at both ends, and for exactly the planned time.
    is_bare_plan: bool
    is_own: bool


@dataclass(frozen=True, slots=True)
class Facts:
    """What happened in a span of time, each in the order it did."""

    charges: Sequence[ChargeFact] = ()
    tries: Sequence[TryFact] = ()
    scans: Sequence[ScanFact] = ()
    awards: Sequence[AwardFact] = ()

    def __len__(self) -> int:
        return len(self.charges) + len(self.tries) + len(self.scans) + len(self.awards)


@dataclass(frozen=True, slots=True)
class Finding:
    """What a rule saw: where, how many acts it is of, and the entries behind it."""

    rule: str
    #: Kind and number of what it is about: ("session", 12), ("operator", 7), ("merchant", 3).
    about: tuple[str, int]
    at: datetime | None
    acts: int
    entries: tuple[UUID, ...]
    charges: tuple[int, ...] = ()


#: By a rule's name: what was seen, and what may well explain it.
RULES = {
    "relay": (N_("一部手机替多人签到"), N_("也可能是家人共用一部手机。")),
    "self-credit": (N_("给自己或家人发分"), N_("也可能是同名的人。")),
    "own-till": (N_("收银员收自家人的积分"), N_("也可能是同名的人。")),
    "refund-loop": (N_("同一人反复收了又退"), N_("也可能是机器或网络不好。")),
    "guess-run": (N_("短时间扫了很多认不出的码"), N_("也可能是扫码枪坏了。")),
    "copied-card": (N_("一张卡两分钟内在两家店付款"), N_("也可能是两家店紧挨着。")),
    "late-override": (N_("一场里很多人靠人工放行签到"), N_("也可能是当天签到设备坏了。")),
    "poster-abuse": (N_("海报码几秒内连续签到"), N_("也可能是大家一起扫的。")),
    "round-cash-out": (N_("同一人在同一家店反复付整数积分"), N_("也可能常买同一样东西。")),
    "off-hours": (N_("深夜收积分"), N_("也可能是夜间营业的店。")),
    "same-second": (N_("同一秒收了好几笔"), N_("也可能是补扫积压的单子。")),
    "sold-hours": (N_("同一人经手、没有扫码、次次记满"), N_("也可能是固定岗位。")),
    "helper-till": (N_("同一代办人一个月里总在同一位收银员那里付款"), N_("也可能附近只有这一家店。")),
}

Fact = TypeVar("Fact", ChargeFact, TryFact, ScanFact, AwardFact)


def find_all(facts: Facts) -> list[Finding]:
    """Return what is worth a look, by rule and then as it happened."""
    return [finding for rule in _RULES for finding in rule(facts)]


def _by(facts: Iterable[Fact], key: Callable[[Fact], Hashable]) -> Iterator[list[Fact]]:
    groups: dict[Hashable, list[Fact]] = defaultdict(list)
    for fact in facts:
        groups[key(fact)].append(fact)
    yield from groups.values()


def _runs(group: Sequence[Fact], least: int, within: timedelta) -> Iterator[Sequence[Fact]]:
    """Yield the longest stretches of at least so many facts that lie within a span of time; none is in two."""
    start = 0
    while start < len(group):
        end = start
        while end < len(group) and group[end].at - group[start].at <= within:  # type: ignore[union-attr]
            end += 1
        if end - start >= least:
            yield group[start:end]
            start = end
        else:
            start += 1


def _of_charges(rule: str, about: tuple[str, int], found: Sequence[ChargeFact]) -> Finding:
    entries = tuple(one.entry_id for one in found if one.entry_id is not None)
    return Finding(rule, about, found[0].at, len(found), entries, tuple(one.charge_id for one in found))


def _entries_of(facts: Facts, session: int, residents: Iterable[int]) -> tuple[UUID, ...]:
    wanted = set(residents)
    return tuple(one.entry_id for one in facts.awards if one.session_id == session and one.resident_id in wanted)


def _of_scans(rule: str, facts: Facts, found: Sequence[ScanFact]) -> Finding:
    session = found[0].session_id
    behind = _entries_of(facts, session, (one.resident_id for one in found))
    return Finding(rule, ("session", session), found[0].at, len(found), behind)


def _relay(facts: Facts) -> Iterator[Finding]:
    for group in _by((one for one in facts.scans if one.device), lambda one: (one.session_id, one.device)):
        if len({one.resident_id for one in group}) > 4:
            yield _of_scans("relay", facts, group)


def _self_credit(facts: Facts) -> Iterator[Finding]:
    for group in _by((one for one in facts.awards if one.is_own), lambda one: one.session_id):
        entries = tuple(one.entry_id for one in group)
        yield Finding("self-credit", ("session", group[0].session_id), None, len(group), entries)


def _own_till(facts: Facts) -> Iterator[Finding]:
    for group in _by((one for one in facts.charges if one.is_own), lambda one: one.operator_id):
        yield _of_charges("own-till", ("operator", group[0].operator_id), group)


def _refund_loop(facts: Facts) -> Iterator[Finding]:
    taken_back = (one for one in facts.charges if one.is_taken_back)
    for group in _by(taken_back, lambda one: (one.operator_id, one.resident_id)):
        for run in _runs(group, 4, timedelta(days=7)):
            yield _of_charges("refund-loop", ("operator", group[0].operator_id), run)


def _guess_run(facts: Facts) -> Iterator[Finding]:
    for group in _by(facts.tries, lambda one: one.operator_id):
        for run in _runs(group, 8, timedelta(minutes=10)):
            yield Finding("guess-run", ("operator", group[0].operator_id), run[0].at, len(run), ())


def _copied_card(facts: Facts) -> Iterator[Finding]:
    for group in _by((one for one in facts.charges if one.is_by_card), lambda one: one.resident_id):
        for before, after in pairwise(group):
            if before.merchant_id != after.merchant_id and after.at - before.at < timedelta(minutes=2):
                yield _of_charges("copied-card", ("merchant", after.merchant_id), [before, after])


def _late_override(facts: Facts) -> Iterator[Finding]:
    for group in _by(facts.scans, lambda one: one.session_id):
        manual = [one for one in group if one.is_manual]
        if len(manual) > 4 and len(manual) * 10 > len(group) * 3:
            yield _of_scans("late-override", facts, manual)


def _poster_abuse(facts: Facts) -> Iterator[Finding]:
    for group in _by((one for one in facts.scans if one.is_poster), lambda one: one.session_id):
        for run in _runs(group, 8, timedelta(seconds=10)):
            yield _of_scans("poster-abuse", facts, run)


def _round_cash_out(facts: Facts) -> Iterator[Finding]:
    rounds = (one for one in facts.charges if one.is_typed and one.points >= 50 and one.points % 50 == 0)
    for group in _by(rounds, lambda one: (one.merchant_id, one.resident_id)):
        for run in _runs(group, 3, timedelta(days=31)):
            yield _of_charges("round-cash-out", ("merchant", group[0].merchant_id), run)


def _off_hours(facts: Facts) -> Iterator[Finding]:
    night = (one for one in facts.charges if one.at.hour >= 23 or one.at.hour < 5)
    for group in _by(night, lambda one: one.operator_id):
        for run in _runs(group, 3, timedelta(hours=8)):
            yield _of_charges("off-hours", ("operator", group[0].operator_id), run)


def _same_second(facts: Facts) -> Iterator[Finding]:
    for group in _by(facts.charges, lambda one: (one.merchant_id, one.at.replace(microsecond=0))):
        if len(group) > 3:
            yield _of_charges("same-second", ("merchant", group[0].merchant_id), group)


def _sold_hours(facts: Facts) -> Iterator[Finding]:
    for group in _by(facts.awards, lambda one: (one.signed_by, one.resident_id)):
        bare = Counter(one.is_bare_plan for one in group)
        if bare[True] > 5 and not bare[False]:
            entries = tuple(one.entry_id for one in group)
            yield Finding("sold-hours", ("session", group[-1].session_id), None, len(group), entries)


def _helper_till(facts: Facts) -> Iterator[Finding]:
    acted = (one for one in facts.charges if one.helper_id is not None)
    for group in _by(acted, lambda one: (one.helper_id, one.operator_id)):
        for run in _runs(group, 6, timedelta(days=31)):
            yield _of_charges("helper-till", ("operator", group[0].operator_id), run)


_RULES = (
    _relay, _self_credit, _own_till, _refund_loop, _guess_run, _copied_card, _late_override, _poster_abuse,
    _round_cash_out, _off_hours, _same_second, _sold_hours, _helper_till,
)  # fmt: skip
