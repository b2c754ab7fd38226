"""A year of a community in facts, drawn from a seed: nobody does wrong, or somebody does in one of thirteen ways."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from random import Random
from uuid import UUID

from moralbank.reports.oddities import AwardFact, ChargeFact, Facts, ScanFact, TryFact

BEGINS = datetime(2026, 1, 1)
RESIDENTS, SHOPS, SESSIONS, CHARGES = 400, 20, 300, 6_000


@dataclass
class Year:
    """Lists to draw into; ids never come twice."""

    random: Random
    charges: list[ChargeFact] = field(default_factory=list)
    tries: list[TryFact] = field(default_factory=list)
    scans: list[ScanFact] = field(default_factory=list)
    awards: list[AwardFact] = field(default_factory=list)
    ids: int = 0

    def new_id(self) -> int:
        self.ids += 1
        return self.ids

    def day(self) -> datetime:
        return BEGINS + timedelta(days=self.random.randrange(360))

    def charge(self, at: datetime, **what: object) -> ChargeFact:
        number = self.new_id()
        shop = self.random.randrange(SHOPS)
        plain = ChargeFact(
            charge_id=number,
            entry_id=UUID(int=number),
            merchant_id=shop,
            operator_id=2 * shop + self.random.randrange(2),
            resident_id=self.random.randrange(RESIDENTS),
            points=self.random.choice([8, 10, 15, 20, 30, 30, 40, 50, 60, 100]),
            is_typed=self.random.random() < 0.15,
            is_by_card=self.random.random() < 0.2,
            is_taken_back=self.random.random() < 0.03,
            is_own=False,
            at=at,
        )
        self.charges.append(replace(plain, **what))  # type: ignore[arg-type]
        return self.charges[-1]

    def session(self, people: list[int], starts: datetime, *, poster: bool = False, **what: object) -> int:
        """Let people come, each with their own phone or the desk, and be awarded."""
        number = self.new_id()
        leader = f"staff:{self.random.randrange(12)}"
        for one in people:
            device = f"phone-{one // 2}" if self.random.random() < 0.7 else None
            came = starts + timedelta(seconds=self.random.randrange(-900, 900))
            scan = ScanFact(number, one, device, poster, self.random.random() < 0.02, came)
            self.scans.append(replace(scan, **{k: v for k, v in what.items() if k in ScanFact.__dataclass_fields__}))
            award = AwardFact(
                UUID(int=self.new_id()), number, one, leader, "A", self.random.random() < 0.05, is_own=False
            )
            self.awards.append(replace(award, **{k: v for k, v in what.items() if k in AwardFact.__dataclass_fields__}))
        return number

    def facts(self) -> Facts:
        return Facts(
            sorted(self.charges, key=lambda one: one.at),
            sorted(self.tries, key=lambda one: one.at),
            sorted(self.scans, key=lambda one: one.at),
            self.awards,
        )


def clean(seed: int) -> Year:
    """Draw a year in which nobody does wrong."""
    year = Year(Random(seed))
    for _ in range(SESSIONS):
        size = year.random.randrange(5, 30)
        people = year.random.sample(range(RESIDENTS), size)
        at = year.day() + timedelta(hours=year.random.choice([9, 14, 19]))
        year.session(people, at, poster=year.random.random() < 0.2)
    for _ in range(CHARGES):
        year.charge(year.day() + timedelta(seconds=year.random.randrange(7 * 3600, 22 * 3600)))
    for _ in range(200):
        year.tries.append(TryFact(year.random.randrange(2 * SHOPS), year.day() + timedelta(hours=10)))
    return year


def _relay(year: Year) -> None:
    people = year.random.sample(range(RESIDENTS), 10)
    year.session(people, year.day() + timedelta(hours=9), device="one-phone-for-all")


def _self_credit(year: Year) -> None:
    year.session([3], year.day() + timedelta(hours=9), is_own=True)


def _own_till(year: Year) -> None:
    year.charge(year.day() + timedelta(hours=12), is_own=True)


def _refund_loop(year: Year) -> None:
    at = year.day() + timedelta(hours=12)
    for n in range(5):
        year.charge(at + timedelta(hours=n), operator_id=1, merchant_id=0, resident_id=7, is_taken_back=True)


def _guess_run(year: Year) -> None:
    at = year.day() + timedelta(hours=12)
    year.tries.extend(TryFact(99, at + timedelta(seconds=20 * n)) for n in range(10))


def _copied_card(year: Year) -> None:
    at = year.day() + timedelta(hours=12)
    for n in range(2):
        year.charge(at + timedelta(seconds=30 * n), merchant_id=n, resident_id=9, is_by_card=True)


def _late_override(year: Year) -> None:
    year.session(year.random.sample(range(RESIDENTS), 8), year.day() + timedelta(hours=9), is_manual=True)


def _poster_abuse(year: Year) -> None:
    at = year.day() + timedelta(hours=9)
    year.session(year.random.sample(range(RESIDENTS), 10), at, poster=True, at=at)


def _round_cash_out(year: Year) -> None:
    at = BEGINS + timedelta(days=100, hours=12)
    for n in range(4):
        year.charge(at + timedelta(days=n), merchant_id=2, resident_id=11, points=100, is_typed=True)


def _off_hours(year: Year) -> None:
    at = year.day() + timedelta(hours=2)
    for n in range(4):
        year.charge(at + timedelta(minutes=9 * n), operator_id=5, merchant_id=2)


def _same_second(year: Year) -> None:
    at = year.day() + timedelta(hours=12)
    for n in range(5):
        year.charge(at, merchant_id=4, resident_id=20 + n)


def _sold_hours(year: Year) -> None:
    for n in range(8):
        number = year.session([RESIDENTS + 1], BEGINS + timedelta(days=20 * n, hours=9), is_bare_plan=True, device=None)
        year.awards[-1] = replace(year.awards[-1], signed_by="staff:3", session_id=number)


def _helper_till(year: Year) -> None:
    at = BEGINS + timedelta(days=200, hours=10)
    for n in range(7):
        year.charge(at + timedelta(days=3 * n), merchant_id=3, operator_id=6, resident_id=15, points=10, helper_id=1)


WRONGS: dict[str, Callable[[Year], None]] = {
    "relay": _relay,
    "self-credit": _self_credit,
    "own-till": _own_till,
    "refund-loop": _refund_loop,
    "guess-run": _guess_run,
    "copied-card": _copied_card,
    "late-override": _late_override,
    "poster-abuse": _poster_abuse,
    "round-cash-out": _round_cash_out,
    "off-hours": _off_hours,
    "same-second": _same_second,
    "sold-hours": _sold_hours,
    "helper-till": _helper_till,
}
