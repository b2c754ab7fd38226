"""A bank with a little of everything in it, filled through the API alone, by a token of every kind of role."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import count
from typing import Any
from zoneinfo import ZoneInfo

from flask import Flask
from sqlalchemy import Connection
from werkzeug.test import TestResponse

from moralbank import clock, earning
from moralbank.access import queries as access
from moralbank.access.sessions import issue_token
from moralbank.branches.queries import Branch, get_branch
from moralbank.db import Database
from moralbank.residents.queries import get_resident
from tests._people import MadeLogin, make_branch_tree, make_login
from tests.access._told import told

#: Called with the template of the path, the method and the answer of each request.
Look = Callable[[str, str, TestResponse], None]

ROSTER = "姓名,性别,手机号,所属驿站,期初积分\n赵大年,男,13800000091,南山驿站,120\n,女,13800000092,南山驿站,\n"
NINE = datetime(2026, 11, 21, 9, 0, tzinfo=ZoneInfo("Asia/Shanghai"))


class Village:
    """The bank's callers, and what they made: the ids by the names they have in paths."""

    def __init__(self, app: Flask, look: Look = lambda *_: None) -> None:
        self.client = app.test_client()
        self.database: Database = app.extensions["moralbank_database"]
        self.headers: dict[str, dict[str, str]] = {}
        self.scopes: dict[str, set[str]] = {}
        self.ids: dict[str, Any] = {}
        self._look = look
        self._keys = count(1)

    def act(self) -> None:
        """Live through a day of the bank, from its opening to a look into its books."""
        with clock.at(NINE - timedelta(minutes=15)):
            tree = self.database.transact(_open)
            self._employ("staff", tree["NS-00"])
            self._employ("auditor", tree["DZ"])
            self._employ("admin", None)
            self.ids["branch_id"] = tree["NS-01"].branch_id
            self._look_around()
            resident = self._enrol()
            self._take_in_a_roster()
            session_id = self._announce(resident)
        with clock.at(NINE + timedelta(hours=1)):
            self._ask_who_is_there(resident)
        with clock.at(NINE + timedelta(hours=2)):
            self._award(resident, session_id)
            merchant_id = self._contract()
            self._employ("operator", tree["NS-01"], merchant_id=merchant_id)
            self._employ("resident", tree["NS-01"], resident_id=resident["resident_id"])
            self._spend(merchant_id)
            self._employ("staff", tree["NS-00"], known_as="deputy")
            self._correct()
            self._enter_late()
            self._tell()
            self._read_the_books(resident)

    def ask(self, role: str, method: str, template: str, json: Any = None, **more: Any) -> Any:
        """Send a request as a role and return what the answer says; it must be a success."""
        headers = self.headers[role] | {"Idempotency-Key": f"village-{next(self._keys):04}"}
        path = "/api/v1" + template.format(**self.ids)
        body = {"json": json} if json is not None else {}
        response = self.client.open(path, method=method, headers=headers, **body, **more)
        assert response.status_code < 300, f"{method} {path}: {response.get_data(as_text=True)}"
        self._look("/api/v1" + template, method, response)
        return response.get_json() if response.get_data() else None

    def read(self, role: str, template: str, **query: Any) -> Any:
        return self.ask(role, "GET", template, query_string=query)

    def _employ(self, role: str, branch: Branch | None, known_as: str | None = None, **whose: Any) -> None:
        def employ(db: Connection) -> tuple[MadeLogin, str]:
            login = make_login(db, role, branch, **whose)
            scopes = access.scopes_of(login.principal)
            return login, issue_token(db, login.principal, "tests", scopes, clock.today() + timedelta(days=300))

        login, token = self.database.transact(employ)
        self.headers[known_as or role] = {"Authorization": f"Bearer {token}"}
        self.scopes[known_as or role] = set(access.scopes_of(login.principal))

    def _look_around(self) -> None:
        self.read("staff", "/branches", limit=2)
        self.read("staff", "/branches/{branch_id}")
        self.read("auditor", "/rules", on="2026-11-21")

    def _enrol(self) -> dict[str, Any]:
        person = {"name": "张桂英", "phone": "13800000001", "branch_id": self.ids["branch_id"], "born_on": "1954-03-01"}
        made = self.ask("staff", "POST", "/residents", person | {"consents": ["record"]})
        self.ids["resident_id"] = made["resident_id"]
        self.ids["account"] = made["account_id"]
        self.read("staff", "/residents", search="张")
        self.read("auditor", "/residents/{resident_id}")
        self.ask("staff", "PUT", "/residents/{resident_id}", person | {"grid": "02-01", "sex": "female"})
        for status in ("suspended", "active"):
            self.ask("staff", "POST", "/residents/{resident_id}/status", {"status": status, "reason": "本人要求"})
        self.ask("staff", "POST", "/residents/{resident_id}/cards/revoke", {"reason": "遗失"})
        self.ask("staff", "POST", "/residents/{resident_id}/cards")
        self.read("staff", "/residents/{resident_id}/cards")
        self.ask("staff", "POST", "/residents/{resident_id}/consents", {"kind": "record", "given": False})
        self.read("staff", "/residents/{resident_id}/consents")
        return made

    def _take_in_a_roster(self) -> None:
        roster = self.ask(
            "staff", "POST", "/branches/{branch_id}/rosters", data=ROSTER.encode(), content_type="text/csv"
        )
        self.ids["import_id"] = roster["import_id"]
        self.read("staff", "/rosters/{import_id}/rows", limit=1)
        self.ask("staff", "POST", "/rosters/{import_id}/confirm")
        self.read("staff", "/rosters/{import_id}")

    def _announce(self, resident: dict[str, Any]) -> int:
        text = {"title": "河岸清洁", "rule_code": "V01", "place": "河岸公园", "branch_id": self.ids["branch_id"]}
        self.ids["activity_id"] = self.ask("staff", "POST", "/activities", text)["activity_id"]
        times = {"starts_at": NINE.isoformat(), "ends_at": (NINE + timedelta(hours=2)).isoformat()}
        session = self.ask("staff", "POST", "/activities/{activity_id}/sessions", times)
        self.ids["session_id"] = session["session_id"]
        self.ask("staff", "POST", "/activities/{activity_id}/publish")
        self.read("auditor", "/activities/{activity_id}")
        self.read("auditor", "/activities", status="published")
        self.read("auditor", "/activities/{activity_id}/sessions")
        self.ask("staff", "POST", "/sessions/{session_id}/signups", {"resident_number": resident["number"]})
        self.read("staff", "/sessions/{session_id}/signups")
        self._scan(resident, "scan-in-01")
        return int(session["session_id"])

    def _scan(self, resident: dict[str, Any], nonce: str) -> None:
        items = [{"nonce": nonce, "code": resident["number"]}, {"nonce": f"{nonce}-x", "code": "00000000"}]
        self.ask("staff", "POST", "/sessions/{session_id}/checkins", {"items": items})

    def _ask_who_is_there(self, resident: dict[str, Any]) -> None:
        asked = self.ask("staff", "POST", "/sessions/{session_id}/spot-checks")
        self.ids["spot_id"] = asked["spot_id"]
        seen = {"resident_numbers": [resident["number"]]}
        ticked = self.ask("staff", "POST", "/sessions/{session_id}/spot-checks/{spot_id}/ticks", seen)
        assert (asked["missing"], ticked["missing"]) == ([resident["number"]], [])
        assert self.read("auditor", "/sessions/{session_id}/spot-checks")["items"] == [ticked]

    def _award(self, resident: dict[str, Any], session_id: int) -> None:
        self._scan(resident, "scan-out-1")
        confirmed = [{"resident_number": resident["number"], "minutes": None}]
        done = self.ask("staff", "POST", "/sessions/{session_id}/sign-off", {"head_count": 1, "confirmed": confirmed})
        assert sum(award["points"] for award in done["awards"]) > 0
        self.read("staff", "/sessions/{session_id}/awards")

    def _correct(self) -> None:
        """Give five points by hand and take them back: one asks, a deputy decides."""
        who, reason = self.ids["resident_id"], {"reason": "漏记了一次"}
        for decided in ("refuse", "withdraw", "approve"):
            body = {"resident_id": who, "points": 5, **reason}
            made = self.ask("staff", "POST", "/approvals/adjustments", body)
            self.ids["request_id"] = made["request_id"]
            by, text = ("staff", None) if decided == "withdraw" else ("deputy", None)
            done = self.ask(by, "POST", f"/approvals/{{request_id}}/{decided}", reason if decided == "refuse" else text)
        asked = {"book": "NS-00", "entry_id": done["posted_entry_id"], **reason}
        self.ids["request_id"] = self.ask("staff", "POST", "/approvals/reversals", asked)["request_id"]
        self.read("auditor", "/approvals", state="waiting")
        self.read("auditor", "/approvals/{request_id}")
        self.ask("deputy", "POST", "/approvals/{request_id}/approve")
        self.read("auditor", "/deeds", book="NS-00")

    def _enter_late(self) -> None:
        """Enter late, twice, who came on paper: it is taken back, and objected to."""
        person = {"name": "赵大年", "branch_id": self.ids["branch_id"], "consents": ["record"]}
        known = self.ask("staff", "POST", "/residents", person)
        times = {"came_at": NINE.isoformat(), "left_at": (NINE + timedelta(hours=2)).isoformat()}
        body = {"resident_number": known["number"], **times, "reason": "没带卡", "evidence": "纸质签到表"}
        for ended, said in (("withdraw", None), ("object", {"reason": "那天不在"})):
            asked = self.ask("staff", "POST", "/sessions/{session_id}/late-entries", body)
            self.ids["late_id"] = asked["late_id"]
            self.ask("staff", "POST", f"/late-entries/{{late_id}}/{ended}", said)
        self.read("auditor", "/late-entries", open="false")
        self.read("auditor", "/late-entries/{late_id}")
        self.read("auditor", "/evidence-grades")

    def _tell(self) -> None:
        """Send again what was not taken, read what is published, and answer who objects to it."""
        self.ids |= self.database.transact(self._told)
        self.read("auditor", "/deliveries", state="failed")
        self.ask("staff", "POST", "/deliveries/{delivery_id}/retry")
        self.read("auditor", "/notices", state="published")
        self.read("auditor", "/notices/{notice_id}")
        self.read("auditor", "/objections", state="open")
        answer = {"outcome": "explained", "words": "核对过，没有错。"}
        self.ask("staff", "POST", "/objections/{objection_id}/answer", answer)

    def _told(self, db: Connection) -> dict[str, int]:
        resident = get_resident(db, self.ids["resident_id"])
        return told(db, get_branch(db, resident.branch_id), resident)

    def _contract(self) -> int:
        text = {"name": "老街理发店", "kind": "理发", "contact": "孙建国", "phone": "13900000001"}
        text |= {"settlement_mode": "donated"}
        new = text | {"code": "M001", "branch_id": self.ids["branch_id"]}
        merchant = self.ask("staff", "POST", "/merchants", new)
        self.ids["merchant_id"] = merchant["merchant_id"]
        for status in ("visited", "active"):
            self.ask("staff", "PUT", "/merchants/{merchant_id}/status", {"status": status})
        self.ask("staff", "PUT", "/merchants/{merchant_id}", text | {"contact": "孙建军"})
        self.read("staff", "/merchants/{merchant_id}")
        self.read("staff", "/merchants", q="理发")
        offer = {
            "title": "理发一次",
            "points": 5,
            "monthly_quota": 20,
            "per_resident_per_month": 2,
            "settlement_fen": 0,
        }
        made = self.ask("staff", "POST", "/offers", offer | {"code": "O001", "merchant_id": merchant["merchant_id"]})
        self.ids["offer_id"] = made["offer_id"]
        self.ask("staff", "PUT", "/offers/{offer_id}", offer | {"monthly_quota": 30})
        self.read("staff", "/offers/{offer_id}")
        self.read("staff", "/offers", only_open="true")
        return int(merchant["merchant_id"])

    def _spend(self, merchant_id: int) -> None:
        code = self.ask("resident", "POST", "/payment-codes")["code"]
        order = {"merchant_id": merchant_id, "offer_id": self.ids["offer_id"], "code": code}
        self.ids["charge_id"] = self.ask("operator", "POST", "/redemptions", order)["charge_id"]
        self.read("operator", "/redemptions")
        self.ask("operator", "POST", "/redemptions/{charge_id}/undo", {})
        self.read("auditor", "/redemptions/{charge_id}")
        self._ask_on_the_phone(merchant_id)
        self._reserve(merchant_id)

    def _ask_on_the_phone(self, merchant_id: int) -> None:
        """Have a resident asked on the phone and wait no longer; show a sale that nobody opens."""
        order = {"merchant_id": merchant_id, "points": 3}
        code = self.ask("resident", "POST", "/payment-codes")["code"]
        self.ids["order_id"] = self.ask("operator", "POST", "/phone-orders", order | {"code": code})["order_id"]
        assert self.read("operator", "/phone-orders/{order_id}")["state"] == "waiting"
        assert self.ask("operator", "POST", "/phone-orders/{order_id}/withdraw")["state"] == "cancelled"
        assert "/p/" in self.ask("operator", "POST", "/phone-orders/sales", order)["address"]

    def _reserve(self, merchant_id: int) -> None:
        """Reserve twice, give one up and collect the other, ask a day later that some of it go back; close the day."""
        for step in ("cancel", "collect"):
            made = self.ask("resident", "POST", "/vouchers", {"offer_id": self.ids["offer_id"]})
            self.ids["voucher_id"] = made["voucher_id"]
            if step == "cancel":
                self.ask("resident", "POST", "/vouchers/{voucher_id}/cancel")
        self.read("resident", "/vouchers")
        scanned = {"merchant_id": merchant_id, "code": made["number"]}
        self.ids["charge_id"] = self.ask("operator", "POST", "/vouchers/collect", scanned)["charge_id"]
        with clock.at(NINE + timedelta(days=1)):
            wish = {"points": 2, "returned": False, "reason": "剪短了一点"}
            assert self.ask("operator", "POST", "/redemptions/{charge_id}/refunds", wish)["state"] == "waiting"
            self.read("operator", "/redemptions/{charge_id}/refunds")
        self.ask("operator", "POST", "/zreports", {"merchant_id": merchant_id})
        self.read("auditor", "/zreports", merchant_id=merchant_id)

    def _read_the_books(self, resident: dict[str, Any]) -> None:
        self.ids["month"] = "2026-11"
        for role, owner in (("resident", ""), ("auditor", "/residents/{resident_id}")):
            self.read(role, f"{owner}/statements")
            self.read(role, f"{owner}/statements/{{month}}")
            assert self.read(role, f"{owner}/statements/{{month}}/lines")["items"]
        self.ids["book"] = self.read("auditor", "/books")["items"][0]["code"]
        entries = self.read("auditor", "/entries", book=self.ids["book"])["items"]
        self.ids["entry_id"] = entries[0]["entry_id"]
        self.read("auditor", "/entries/{book}/{entry_id}")
        assert self.read("auditor", "/trial-balance", book=self.ids["book"])["closes"]
        self.read("auditor", "/accounts/{account}/balance")
        self.read("auditor", "/accounts/{account}/lines")


def _open(db: Connection) -> dict[str, Branch]:
    earning.load_rules(db, earning.packaged_rules(), actor="system", consultation="议事会 2025-12")
    return make_branch_tree(db)
