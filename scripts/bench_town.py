"""The people of the HTTP bench, made through the packages' own verbs: residents, a shop, tokens, sessions, codes."""

from __future__ import annotations

import json
from datetime import timedelta
from itertools import count

import sqlalchemy as sa

from moralbank import clock, db, ids, ledger
from moralbank.access import sessions
from moralbank.activities import service as activities
from moralbank.activities.values import Plan, Windows
from moralbank.earning import load_rules, packaged_rules
from moralbank.ledger import AccountKind, Draft, Leg, Unit
from moralbank.merchants import service as merchants
from moralbank.merchants.service import MerchantDetails, OfferDetails
from moralbank.redemptions import codes
from moralbank.residents.enrolment import Person, enrol_many
from moralbank.residents.queries import residents_by_id
from scripts.bench_floor import PURSES
from scripts.bench_load import request
from tests._people import make_branch_tree, make_login

RESIDENTS = PURSES
#: Residents with so many lines that a page of history is full.
READERS, LINES = 50, 25
BULK = 100
_DAY_MINUTES = 24 * 60


class Town:
    """A hub with a shop and a thousand residents, and the requests that they send."""

    def __init__(self, url: str, residents: int = RESIDENTS) -> None:
        self._database = db.Database(url)
        self._number = residents
        self._sessions = count()
        self._database.transact(self._settle)

    def _settle(self, connection: sa.Connection) -> None:
        tree = make_branch_tree(connection)
        station = tree["NS-01"]
        assert station.book_id is not None, "a station shares its hub's book"
        self._book = station.book_id
        details = MerchantDetails("邻家便利店", "便利店", "李玉兰", "13900000002", "subsidised")
        self._shop = merchants.add_merchant(connection, station, "M002", details, status="active")
        offer = merchants.add_offer(connection, self._shop.merchant_id, "O1", OfferDetails("香皂", 1, 10**6, 600, 100))
        self._offer_id = offer.offer_id
        people = [Person(f"居民{number}", station.branch_id) for number in range(self._number)]
        enrolled = enrol_many(connection, self._book, people, actor="staff:1")
        known = residents_by_id(connection, [new.resident_id for new in enrolled])
        self._residents = list(known.values())
        load_rules(connection, packaged_rules(), actor="system", consultation="居民议事会通过")
        plan = Plan("河岸清洁", "V01", station.branch_id, "河岸公园")
        self._activity = activities.create_activity(connection, plan, actor="staff:1", login_id=None).activity_id
        in_a_week = clock.today() + timedelta(days=7)
        self._bearer = {}
        for role, scope, merchant_id in (
            ("operator", "charges:write", self._shop.merchant_id),
            ("staff", "checkins:write", None),
            ("auditor", "audit:read", None),
        ):
            by = make_login(connection, role, station if role == "operator" else tree["NS-00"], merchant_id).principal
            self._bearer[role] = f"Bearer {sessions.issue_token(connection, by, 'bench', [scope], in_a_week)}"
        self._fill_books(connection)

    def _fill_books(self, connection: sa.Connection) -> None:
        opening = ledger.internal_account(connection, self._book, AccountKind.OPENING)

        def give(account: int, points: int) -> Draft:
            legs = (Leg(opening, Unit.POINTS, -points), Leg(account, Unit.POINTS, points))
            return Draft(self._book, "opening", legs, ids.token(8), "system")

        ledger.post_many(connection, [give(resident.account_id, 10**9) for resident in self._residents])
        lines = [give(resident.account_id, 1) for resident in self._residents[:READERS] for _ in range(LINES)]
        ledger.post_many(connection, lines)

    def charges(self, number: int) -> list[bytes]:
        """Return charges of an offer, each by a fresh code of another resident; they live for a minute."""

        def issue(connection: sa.Connection) -> list[str]:
            return [codes.issue_code(connection, payer.resident_id).number for payer in self._residents[:number]]

        given = {"merchant_id": self._shop.merchant_id, "offer_id": self._offer_id, "confirmed": True}
        return [
            self._write("/api/v1/redemptions", "operator", given | {"code": code})
            for code in self._database.transact(issue)
        ]

    def redemptions(self, number: int) -> list[bytes]:
        """Return redemptions in the book alone."""
        given = {"book": self._book, "merchant": self._shop.account_id, "points": 1}
        accounts = [self._residents[place % self._number].account_id for place in range(number)]
        return [
            self._write("/api/v1/ledger-redemptions", "operator", given | {"resident": account}) for account in accounts
        ]

    def redemptions_in_bulk(self, number: int) -> list[bytes]:
        """Return requests of a hundred redemptions each."""
        accounts = [resident.account_id for resident in self._residents]
        return [
            self._write(
                "/api/v1/ledger-redemptions/bulk",
                "operator",
                {
                    "book": self._book,
                    "merchant": self._shop.account_id,
                    "residents": [accounts[(place * BULK + item) % self._number] for item in range(BULK)],
                },
            )
            for place in range(number)
        ]

    def bulk_check_ins(self, sessions: int, number: int) -> list[bytes]:
        """Return scans of as many residents' numbers at each of some sessions, a hundred a request."""
        return [text for _ in range(sessions) for text in self.check_ins(number, BULK)]

    def check_ins(self, number: int, items: int = 1) -> list[bytes]:
        """Return scans of residents' numbers, so many a request, all at one session that has just begun."""
        path = f"/api/v1/sessions/{self._database.transact(self._open_session)}/checkins"
        scans = [
            {"nonce": ids.token(8), "code": resident.number, "direction": "in"} for resident in self._residents[:number]
        ]
        return [
            self._write(path, "staff", {"items": scans[first : first + items]}) for first in range(0, number, items)
        ]

    def _open_session(self, connection: sa.Connection) -> int:
        # Sessions of other hours, or everybody would be in two places at once; their doors are open all day.
        starts_at = clock.now() + timedelta(minutes=2 * next(self._sessions))
        windows = Windows(in_before=_DAY_MINUTES, in_after=_DAY_MINUTES)
        session = activities.add_session(
            connection, self._activity, starts_at, starts_at + timedelta(minutes=1), windows
        )
        activities.publish_activity(connection, self._activity)
        return session.session_id

    def reads(self, what: str) -> list[bytes]:
        """Return an auditor's reads of the accounts that have many lines."""
        accounts = [resident.account_id for resident in self._residents[:READERS]]
        headers = {"Authorization": self._bearer["auditor"]}
        return [request("GET", f"/api/v1/accounts/{account}/{what}", **headers) for account in accounts]

    def _write(self, path: str, role: str, body: dict[str, object]) -> bytes:
        headers = {"Authorization": self._bearer[role], "Idempotency_Key": ids.token(12)}
        return request("POST", path, json.dumps(body).encode(), **headers)

    def close(self) -> None:
        self._database.dispose()
