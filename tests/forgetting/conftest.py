"""A bank that lived a day, with somebody in it who wants to be forgotten, and two who work there."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest
import sqlalchemy as sa
from flask import Flask

from moralbank import ledger
from moralbank.access import deeds
from moralbank.access.deeds import Deed, Kind, Reason
from moralbank.approvals import service as approvals
from moralbank.branches.queries import get_branch
from moralbank.db import Database
from moralbank.forgetting import service
from moralbank.forgetting.queries import Request
from moralbank.forgetting.service import Asked
from moralbank.forgetting.values import AskedBy, Ground, Points, Proof
from moralbank.history.models import history_accounts
from moralbank.residents import jobs
from moralbank.residents import queries as residents
from moralbank.residents import service as people
from moralbank.residents.enrolment import Person
from moralbank.residents.queries import Resident
from tests import _postgres
from tests._people import MadeLogin, form, make_login, sign_in
from tests.api._village import Village
from tests.conftest import PG_PORT

#: The name stands nowhere else in the village, and the phone neither.
NAME, OLD_NAME, PHONE, GUARDIAN = "欧阳桂瑛", "张桂英", "13800000001", "欧阳守望"
MEMO, REASON = "桂瑛雪天背来的三袋米", "桂瑛的女儿来问"
#: What must be found nowhere afterwards.
SECRETS = (NAME, OLD_NAME, PHONE, GUARDIAN, MEMO, REASON)


@dataclass
class Bank:
    """The village, its people and its places."""

    database: Database
    url: str
    app: Flask
    resident: Resident
    neighbour: Resident
    maker: MadeLogin
    checker: MadeLogin
    var: Path
    #: Where the village's shop is.
    merchant_id: int

    @property
    def people(self) -> Path:
        return self.var / "people.keys"

    def asked(self, points: Points = Points.DONATE, ground: Ground = Ground.WITHDRAWN) -> Request:
        asked = Asked(ground, AskedBy.SELF, Proof.IDENTITY_CARD, points)
        who = self.resident.resident_id
        return self.database.transact(service.ask, who, asked, actor=f"staff:{self.maker.login_id}")

    def forget(self) -> None:
        request = self.asked()
        self.database.transact(service.forget, request.request_id, actor=f"staff:{self.checker.login_id}")

    def now(self) -> Resident:
        with self.database.reading() as db:
            return residents.get_resident(db, self.resident.resident_id)


@pytest.fixture
def bank(app: Flask, database: Database, database_url: str, tmp_path: Path) -> Bank:
    """Ouyang Guiying came as Zhang Guiying, was corrected, and left traces in every room."""
    village = Village(app)
    village.act()
    who = village.ids["resident_id"]
    with database.reading() as db:
        before = residents.get_resident(db, who)
        place = get_branch(db, before.branch_id)

    def live(db: sa.Connection) -> tuple[MadeLogin, MadeLogin, Resident]:
        fields = {"phone": PHONE, "guardian_name": GUARDIAN, "guardian_relation": "姐弟", "building": "七栋"}
        people.correct(db, who, Person(NAME, before.branch_id, **fields), actor="staff:1")
        people.join_household(db, who, "H7", actor="staff:1")
        people.reissue_card(db, who, REASON, actor="staff:1")
        other = people.enrol(db, Person("欧阳桂英", before.branch_id, PHONE, "H7"), actor="staff:1")
        issuer = ledger.internal_account(db, before.book_id, ledger.AccountKind.ISSUER)
        draft = ledger.Draft(
            book=before.book_id,
            kind="award",
            legs=(
                ledger.Leg(issuer, ledger.Unit.POINTS, -5),
                ledger.Leg(before.account_id, ledger.Unit.POINTS, 5),
            ),
            key="rice",
            actor="staff:1",
            private={"memo": MEMO, "place": "七栋"},
        )
        ledger.post(db, draft)
        outside = {"book_id": before.book_id, "outside_kind": "person", "outside_name": NAME}
        db.execute(history_accounts.insert().values(outside | {"account_id": before.account_id}))
        place = (before.branch_id, before.book_id, who, before.account_id)
        deeds.record(db, Deed("staff:1", Kind.VIEW, *place, reason=Reason.OTHER, note=REASON))
        approvals.ask_adjustment(db, approvals.Hand("staff:1", 1, "陈红"), who, 5, REASON)
        return make_login(db, "staff", before.branch_id), make_login(db, "staff", before.branch_id), other

    maker, checker, neighbour = database.transact(live)
    roster = (
        f"姓名,手机号,所属驿站,户号\n{NAME},{PHONE},南山驿站,H7\n{NAME},12,南山驿站,\n欧阳桂英,{PHONE},南山驿站,H7\n"
    )
    database.transact(jobs.read_at_once, place, io.BytesIO(roster.encode()), f"{NAME}.csv", actor="staff:1")
    with app.test_client() as client:
        sign_in(client, database.transact(make_login, "resident", before.branch_id, None, who))
        form(client, "/login", {"identifier": NAME, "secret": "000000"})
    with database.reading() as db:
        resident = residents.get_resident(db, who)
    return Bank(database, database_url, app, resident, neighbour, maker, checker, tmp_path, village.ids["merchant_id"])


@pytest.fixture
def empty_url(database_url: str, tmp_path: Path) -> Iterator[str]:
    """The URL of a place of the same kind as `database_url` where there is nothing yet."""
    if database_url.startswith("sqlite"):
        yield f"sqlite:///{tmp_path}/restored.db"
        return
    cluster = _postgres.Cluster(int(os.environ[PG_PORT]))
    name = f"t_{uuid4().hex}"
    yield cluster.create_database(name)
    cluster.drop_database(name)


def spellings(text: str) -> list[bytes]:
    """Return how a text may stand in a file: in UTF-8, and in the escapes of JSON."""
    escaped = text.encode("ascii", "backslashreplace")
    return list(dict.fromkeys([text.encode(), escaped, escaped.replace(b"\\", b"\\\\")]))
