"""The demonstration's logins: random secrets of this installation, kept only in a private file beside the database."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection

from moralbank.access import queries, secrets, service
from moralbank.demo.kin import HELPER
from moralbank.demo.opening import ADMIN, AUDITOR, till_name
from moralbank.merchants.queries import list_merchants
from moralbank.residents.queries import Resident, cards_in_force, list_by_name

_FILE = "demo-logins.txt"
_TILLS = ("M002", "M005", "M006")
WITH_PHONE, _SHARING, _BY_CARD = "林晓梅", ("陈国强", "陈雨桐"), "黄秀英"


@dataclass(frozen=True, slots=True)
class DemoLogin:
    """Who may come in: what they type, and whose login it is."""

    role: str
    identifier: str
    login_id: int
    #: Logins with the same word here get the same secret: a household that chose one.
    household: str = ""


def list_demo_logins(db: Connection) -> list[DemoLogin]:
    """Return one login or more of every role, as the demonstration has opened them."""
    named = [
        ("管理员 · administrator", ADMIN),
        ("工作人员（中心）· staff, hub", "demo-hub"),
        ("工作人员（南山驿站）· staff, station", "demo-station"),
        ("监督员 · auditor", AUDITOR),
    ]
    shops = {merchant.code: merchant.name for merchant in list_merchants(db)}
    named += [(f"商户操作员（{shops[code]}）· merchant operator", till_name(code)) for code in _TILLS]
    found = [DemoLogin(role, name, login.login_id) for role, name in named if (login := queries.find_login(db, name))]
    helper = queries.find_login(db, HELPER)
    if helper is not None:
        found.append(DemoLogin("代办人（替黄秀英）· helper of 黄秀英", HELPER, helper.login_id))
    return found + _residents(db)


def _residents(db: Connection) -> list[DemoLogin]:
    found: list[DemoLogin] = []
    for name, how in (
        (WITH_PHONE, "居民，用手机 · resident, by phone"),
        (_SHARING[0], "居民，一家人同用一部手机 · resident, phone shared"),
        (_SHARING[1], "居民，同上，选人后进入 · the grandchild, same phone"),
        (_BY_CARD, "居民，只有卡 · resident, card only"),
    ):
        person = _of_the_cast(db, name)
        login = queries.find_resident_login(db, person.resident_id)
        assert login is not None, "the cast have their PINs"
        by = person.phone or cards_in_force(db, [person.resident_id])[person.resident_id].number
        found.append(DemoLogin(f"{how} ({name})", by, login.login_id, by if name in _SHARING else ""))
    return found


def _of_the_cast(db: Connection, name: str) -> Resident:
    """Return the one of this name in the cast, who was enrolled first."""
    return list_by_name(db, name)[0]


def give_secrets(db: Connection) -> list[tuple[DemoLogin, str]]:
    """Give every demonstration login a fresh random secret that needs no changing."""
    given: list[tuple[DemoLogin, str]] = []
    of_household: dict[str, str] = {}
    for login in list_demo_logins(db):
        secret = secrets.new_secret(queries.get_login(db, login.login_id).secret_kind)
        if login.household:
            secret = of_household.setdefault(login.household, secret)
        service.change_secret(db, login.login_id, secret)
        given.append((login, secret))
    return given


def keep(given: Sequence[tuple[DemoLogin, str]]) -> None:
    """Write the secrets where only this installation's owner reads them."""
    path = secrets_file()
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    lines = "".join(f"{login.identifier}\t{secret}\t{login.role}\n" for login, secret in given)
    path.touch(mode=0o600)
    path.chmod(0o600)
    path.write_text(lines, encoding="utf-8")


def kept() -> list[tuple[str, str, str]]:
    """Return what to type, the secret and the role of each login in the file; nothing when there is no file."""
    path = secrets_file()
    if not path.is_file():
        return []
    found = []
    for line in path.read_text(encoding="utf-8").splitlines():
        identifier, secret, role = line.split("\t")
        found.append((identifier, secret, role))
    return found


def are_kept(db: Connection) -> bool:
    """Tell whether the file is about this bank's logins: cards have random numbers, so another's differ."""
    return [identifier for identifier, _, _ in kept()] == [login.identifier for login in list_demo_logins(db)]


def secrets_file() -> Path:
    return Path(os.environ.get("MORALBANK_VAR", "var")) / _FILE
