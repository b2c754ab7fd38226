"""Grows a year of a bank's life to a number of entries, through the ledger's own verbs; measures nothing."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import count
from uuid import UUID

import sqlalchemy as sa

from moralbank import clock, db, ids, ledger
from moralbank.ledger import AccountKind, Draft, Leg, Posted, Unit, jobs
from moralbank.merchants import service as merchants
from moralbank.merchants.queries import Merchant
from moralbank.merchants.service import MerchantDetails
from moralbank.redemptions import codes, models, service
from moralbank.redemptions.numbers import Means
from moralbank.redemptions.service import Order, Till
from moralbank.residents.enrolment import Person, enrol_many
from moralbank.residents.queries import Resident, residents_by_id
from scripts.bench_post import opening
from tests._people import make_branch_tree, make_login

DAYS = 360
BATCH = 500
#: One entry in five is a redemption; the others are awards of points and minutes.
REDEMPTION_EVERY = 5
#: A resident of the year has about a hundred lines; these few have as many in every book, however large.
ENTRIES_A_RESIDENT = 100
WITNESSES, WITNESS_LINES = 10, 120
MERCHANTS = 16
_LEARNS = (0, BATCH, 10 * BATCH, 100 * BATCH)


@dataclass(frozen=True, slots=True)
class _Cast:
    book: int
    issuer: int
    registry: int
    station: int
    operator: int
    merchants: list[Merchant]
    residents: list[Resident]


class Grown:
    """A book with so many entries, and the acts whose cost must not depend on how many those are."""

    def __init__(self, url: str, entries: int) -> None:
        self.database = db.Database(url)
        self.entries = entries
        self._serials = count(1)
        residents = WITNESSES + max(WITNESSES, entries // ENTRIES_A_RESIDENT)
        self._cast = self.database.transact(_settle, residents)
        #: The last whole month, for statements.
        self.month = (clock.today().replace(day=1) - timedelta(days=1)).replace(day=1)
        self._grow()
        jobs.fold_books(self.database)  # As the scheduler does every minute.

    @property
    def book(self) -> int:
        return self._cast.book

    @property
    def witnesses(self) -> list[Resident]:
        return self._cast.residents[:WITNESSES]

    @property
    def merchant(self) -> Merchant:
        return self._cast.merchants[0]

    def _grow(self) -> None:
        start, span = clock.now() - timedelta(days=DAYS + 1), timedelta(days=DAYS)
        for first in range(0, self.entries, BATCH):
            numbers = range(first, min(first + BATCH, self.entries))
            with clock.at(start + span * (first / self.entries)):
                self.database.transact(self._post_batch, numbers)
            if first in _LEARNS:
                analyse(self.database)
        analyse(self.database)

    def _post_batch(self, connection: sa.Connection, numbers: Sequence[int]) -> None:
        cast = self._cast
        drafts, payers = [], []
        for number in numbers:
            resident = self._whose(number)
            if self._is_redemption(number):
                payers.append((resident, cast.merchants[number % MERCHANTS], ids.new_id()))
                drafts.append(self._redemption(*payers[-1]))
            else:
                drafts.append(self.award(resident))
        verdicts = ledger.post_many(connection, drafts)
        refused = [verdict for verdict in verdicts if not isinstance(verdict, Posted)]
        if refused:
            raise refused[0]
        if payers:
            connection.execute(models.charges.insert(), [self._charge_row(*payer) for payer in payers])

    def _is_redemption(self, number: int) -> bool:
        """Tell what an entry is: everybody redeems now and then, at another time than their neighbour."""
        return sum(divmod(number, len(self._cast.residents))) % REDEMPTION_EVERY == 0

    def _whose(self, number: int) -> Resident:
        """Return the resident of an entry: the witnesses' are spread evenly over the year."""
        every = max(1, self.entries // (WITNESSES * WITNESS_LINES))
        residents = self._cast.residents
        if number % every == 0:
            return residents[number // every % WITNESSES]
        return residents[WITNESSES + number % (len(residents) - WITNESSES)]

    def award(self, resident: Resident) -> Draft:
        """Return an award of 25 points and 150 minutes as a sign-off posts it."""
        cast, serial = self._cast, next(self._serials)
        until = clock.today() + timedelta(days=1095)
        legs = (
            Leg(cast.issuer, Unit.POINTS, -25),
            Leg(resident.account_id, Unit.POINTS, 25, until),
            Leg(cast.registry, Unit.MINUTES, -150),
            Leg(resident.account_id, Unit.MINUTES, 150),
        )
        return Draft(
            cast.book, "award", legs, f"award:{serial}", "staff:12", cast.station, ("attendance", f"{serial}:1"),
            ("V01", 1), "A", private={"memo": "河岸清洁", "place": "河岸公园"},
        )  # fmt: skip

    def awards(self, number: int) -> Iterator[Draft]:
        """Yield awards to everybody in turn."""
        residents = self._cast.residents
        return (self.award(residents[place % len(residents)]) for place in range(number))

    def redemptions(self, number: int) -> Iterator[Draft]:
        """Yield redemptions by everybody in turn, all at one merchant."""
        residents = self._cast.residents
        return (
            self._redemption(residents[place % len(residents)], self.merchant, ids.new_id()) for place in range(number)
        )

    def _redemption(self, resident: Resident, merchant: Merchant, entry_id: UUID) -> Draft:
        cast, serial = self._cast, next(self._serials)
        legs = (Leg(resident.account_id, Unit.POINTS, -5), Leg(merchant.account_id, Unit.POINTS, 5))
        return Draft(
            cast.book, "redemption", legs, f"grown:{serial}", f"operator:{cast.operator}", cast.station,
            ("redemption", f"b{serial}"), private={"memo": "香皂一块", "place": merchant.name}, entry_id=entry_id,
        )  # fmt: skip

    def _charge_row(self, resident: Resident, merchant: Merchant, entry_id: UUID) -> dict[str, object]:
        return {
            "book_id": self._cast.book,
            "merchant_id": merchant.merchant_id,
            "operator_id": self._cast.operator,
            "terminal": "api",
            "resident_id": resident.resident_id,
            "title": "香皂一块",
            "points": 5,
            "means": Means.CODE,
            "code_hash": secrets.token_bytes(32),
            "entry_id": entry_id,
            "charged_at": clock.now(),
        }

    def order(self, resident: Resident) -> tuple[Till, Order, str]:
        """Return what a charge of a point at the first merchant takes, with a fresh code."""
        number = self.database.transact(codes.issue_code, resident.resident_id).number
        till = Till(self.merchant.merchant_id, self._cast.operator, "api")
        return till, Order(None, 1, Means.CODE, number, is_confirmed=True), ids.token(12)

    def charge(self, till: Till, order: Order, key: str) -> None:
        self.database.transact(service.charge, till, order, key)

    def close(self) -> None:
        self.database.dispose()


def analyse(database: db.Database) -> None:
    """Let PostgreSQL count its rows now, as it does every minute by itself: plans made for an empty table are slow."""
    if not database.is_sqlite:
        with database.engine.connect() as connection:
            connection.exec_driver_sql("COMMIT")
            connection.exec_driver_sql("RESET ROLE")
            connection.exec_driver_sql("VACUUM ANALYZE")
            connection.invalidate()


def _settle(connection: sa.Connection, residents: int) -> _Cast:
    tree = make_branch_tree(connection)
    station = tree["NS-01"]
    book = station.book_id
    assert book is not None, "a station shares its hub's book"
    shops = [
        merchants.add_merchant(
            connection, station, f"M{number:03}", MerchantDetails(f"第{number}便利店", "便利店", "李", "1", "donated"),
            status="active",
        )
        for number in range(MERCHANTS)
    ]  # fmt: skip
    people = [Person(f"居民{number}", station.branch_id) for number in range(residents)]
    known: dict[int, Resident] = {}
    for first in range(0, residents, 10_000):
        enrolled = enrol_many(connection, book, people[first : first + 10_000], actor="staff:1")
        known |= residents_by_id(connection, [new.resident_id for new in enrolled])
    opening_account = ledger.internal_account(connection, book, AccountKind.OPENING)
    with clock.at(clock.now() - timedelta(days=DAYS + 2)):
        for first in range(0, residents, BATCH):
            accounts = [resident.account_id for resident in list(known.values())[first : first + BATCH]]
            ledger.post_many(connection, opening(book, opening_account, accounts))
    return _Cast(
        book=book,
        issuer=ledger.internal_account(connection, book, AccountKind.ISSUER),
        registry=ledger.internal_account(connection, book, AccountKind.REGISTRY),
        station=station.branch_id,
        operator=make_login(connection, "operator", station, shops[0].merchant_id).login_id,
        merchants=shops,
        residents=list(known.values()),
    )
