"""The crowd: residents who are signed in on their own phones, the sessions they come to, and what they are credited."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Sequence
from datetime import timedelta
from urllib.parse import urlencode

import sqlalchemy as sa
from flask import Flask
from flask.sessions import SecureCookieSessionInterface
from itsdangerous import URLSafeTimedSerializer

from moralbank import clock, ids
from moralbank.access import service as access
from moralbank.access import sessions as access_sessions
from moralbank.activities import queries, receipts, signoff
from moralbank.activities import service as activities
from moralbank.activities.signoff import Decision
from moralbank.activities.values import Means, Plan, Receipt, Windows
from moralbank.db import Database
from moralbank.earning import load_rules, packaged_rules
from moralbank.residents.enrolment import Person, enrol_many
from moralbank.residents.queries import Resident, residents_by_id
from scripts.bench_load import request
from tests._people import PIN, make_branch_tree, make_login

SECRET_KEY = "a key of the crowd, longer than thirty-two characters"
_DAY_MINUTES = 24 * 60
_MINUTES = 40
_CHUNK = 500


class People:
    """A station with residents who have phones, and staff with a program."""

    def __init__(self, url: str, number: int) -> None:
        os.environ.setdefault("MORALBANK_CHEAP_HASHES", "1")
        self._database = Database(url)
        self._signer = _cookie_signer()
        self.residents: list[Resident] = []
        self._database.transact(self._settle, number)
        self._phones = [
            phone
            for first in range(0, number, _CHUNK)
            for phone in self._database.transact(self._open_phones, self.residents[first : first + _CHUNK])
        ]

    def _settle(self, db: sa.Connection, number: int) -> None:
        tree = make_branch_tree(db)
        station = tree["NS-01"]
        assert station.book_id is not None, "a station shares its hub's book"
        load_rules(db, packaged_rules(), actor="system", consultation="居民议事会通过")
        people = [Person(f"居民{place}", station.branch_id) for place in range(number)]
        enrolled = enrol_many(db, station.book_id, people, actor="staff:1")
        self.residents = list(residents_by_id(db, [new.resident_id for new in enrolled]).values())
        plan = Plan("邻里节", "V01", station.branch_id, "中心广场")
        self._activity_id = activities.create_activity(db, plan, actor="staff:1").activity_id
        staff = make_login(db, "staff", tree["NS-00"]).principal
        in_a_week = clock.today() + timedelta(days=7)
        token = access_sessions.issue_token(db, staff, "crowd", ["checkins:write"], in_a_week)
        self._bearer = f"Bearer {token}"

    def _open_phones(self, db: sa.Connection, people: Sequence[Resident]) -> list[tuple[int, str, str]]:
        """Return for each resident their id, the cookie of a phone in which they are signed in, and its form token."""
        found = []
        for one in people:
            login = access.open_resident_login(
                db, one.resident_id, one.branch_id, by=None, secret=PIN, must_change=False
            )
            token = access.open_session(db, login.login_id, address="127.0.0.1", device="crowd")
            raw = ids.token(16)
            cookie = self._signer.dumps({"_user_id": token, "_fresh": True, "_permanent": True, "csrf_token": raw})
            form_token = URLSafeTimedSerializer(SECRET_KEY, salt="wtf-csrf-token").dumps(raw)
            found.append((one.resident_id, str(cookie), str(form_token)))
        return found

    def open_session(self, place: int = 0) -> int:
        """Announce a session that begins in a while and lets people in already; sessions of other places come later."""

        def announce(db: sa.Connection) -> int:
            last = db.execute(sa.text("SELECT count(*) FROM activities_sessions")).scalar_one()
            # Sessions of other hours, or everybody would be in two places at once; their doors are open all day.
            starts_at = clock.now() + timedelta(minutes=5 + last * (_MINUTES + 1))
            windows = Windows(in_before=_DAY_MINUTES, in_after=_DAY_MINUTES)
            ends_at = starts_at + timedelta(minutes=_MINUTES)
            session = activities.add_session(db, self._activity_id, starts_at, ends_at, windows)
            activities.publish_activity(db, self._activity_id)
            return session.session_id

        return self._database.transact(announce)

    def taps(self, session_id: int, number: int) -> list[bytes]:
        """Return what each phone sends when its owner presses the button after scanning the screen."""
        now = clock.now()
        life = now + timedelta(minutes=10)
        kept = [Receipt("", session_id, 0, None, Means.ROTATING, now, life, None) for _ in range(number)]
        cookies = self._database.transact(receipts.keep_receipts, kept)
        return [self._tap(phone, cookie) for phone, cookie in zip(self._phones, cookies, strict=False)]

    def _tap(self, phone: tuple[int, str, str], receipt: str) -> bytes:
        who, cookie, token = phone
        body = urlencode({"csrf_token": token}).encode()
        lines = [
            "POST /a/check HTTP/1.1", "Host: 127.0.0.1", "Content-Type: application/x-www-form-urlencoded",
            f"Content-Length: {len(body)}", f"Cookie: moralbank={cookie}; receipt={receipt}; device=phone-{who}",
        ]  # fmt: skip
        return "\r\n".join([*lines, "", ""]).encode() + body

    def scans(self, session_ids: Sequence[int], number: int) -> tuple[list[bytes], int]:
        """Return so many posts of the desk at random, and how many different (session, resident) are among them.

        A fifth are replays, the same nonce again; the others draw session and resident anew, so that many are doubles;
        all in an order of its own.
        """
        dice = random.Random(number)  # noqa: S311 - a plan, no secret
        crowd = self.residents[: max(20, number // 40)]
        pairs: set[tuple[int, str]] = set()
        made: list[tuple[int, bytes]] = []
        while len(made) < number:
            if made and dice.random() < 0.2:
                session_id, body = dice.choice(made)
            else:
                session_id, who = dice.choice(session_ids), dice.choice(crowd).number
                pairs.add((session_id, who))
                scan = {"nonce": ids.token(8), "code": who, "direction": "in"}
                body = json.dumps({"items": [scan]}).encode()
            made.append((session_id, body))
        dice.shuffle(made)
        headers = {"Authorization": self._bearer}
        posts = [
            request("POST", f"/api/v1/sessions/{session_id}/checkins", body, Idempotency_Key=ids.token(12), **headers)
            for session_id, body in made
        ]
        return posts, len(pairs)

    def sign_off(self, session_id: int) -> tuple[int, int]:
        """Let the leader confirm everybody who came; return the attendances credited in the book, and to how many."""
        with self._database.reading() as db:
            session = queries.get_session(db, session_id)
            present = list(queries.scans_by_resident(db, session_id))
        decisions = [Decision(who, _MINUTES) for who in present]
        with clock.at(session.out_until + timedelta(minutes=1)):
            signed = self._database.transact(signoff.sign_off, session_id, decisions, len(decisions), actor="staff:1")
        credited = [
            award.resident_id for award in signed.awards if award.kind == "attendance" and award.entry_id is not None
        ]
        return len(credited), len(set(credited))

    def close(self) -> None:
        self._database.dispose()


def _cookie_signer() -> URLSafeTimedSerializer:
    """Return what signs the cookies of a bank with this key."""
    app = Flask("crowd")
    app.secret_key = SECRET_KEY
    signer = SecureCookieSessionInterface().get_signing_serializer(app)
    assert signer is not None, "there is a key"
    return signer
