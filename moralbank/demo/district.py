"""Loads the district in one transaction, so that a load that is cut short leaves nothing; and says how to try it."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import partial
from random import Random

import click
from sqlalchemy import Connection

from moralbank import clock
from moralbank.access.queries import find_login
from moralbank.activities.queries import find_activity_by_code, list_sessions
from moralbank.branches.queries import list_branches
from moralbank.config import var_directory
from moralbank.db import Database
from moralbank.demo import kin, logins, neighbours, opening, programmes, witnesses
from moralbank.demo.errors import BankInUse
from moralbank.demo.logins import DemoLogin
from moralbank.demo.market import Market
from moralbank.demo.sittings import Sittings
from moralbank.demo.trade import Trade
from moralbank.residents.queries import count_residents

#: The packaged rules are in force from the year's first day.
_FIRST_ON = date(2026, 1, 5)
_SEED = 20260105
_AHEAD = timedelta(days=30)

Progress = Callable[[int], object]


@dataclass(frozen=True, slots=True)
class Scale:
    """How many people, and how many days of history."""

    residents: int = 360
    days: int = 364


def load(database: Database, progress: Progress | None = None) -> None:
    """Fill an empty bank with the district, unless it is there; progress is told how many more days were lived.

    progress None draws a bar on the terminal. Raises: BankInUse.
    """
    if progress is not None:
        load_district(database, Scale(), progress)
        return
    if is_loaded(database):
        load_district(database, Scale(), lambda days: None)
        return
    with click.progressbar(length=_days(Scale(), clock.now()), label="装载演示街区 · loading the demo district") as bar:
        load_district(database, Scale(), bar.update)


def load_district(database: Database, scale: Scale, progress: Progress) -> None:
    """Fill an empty bank with a district of this scale, unless one is there. Raises: BankInUse."""
    given: list[tuple[DemoLogin, str]] = []
    is_new = not is_loaded(database)
    if is_new:
        given = database.transact(_live, scale, clock.now(), progress)
    else:
        with database.reading() as db:
            are_kept = logins.are_kept(db)
        if not are_kept:  # The file was lost or belongs to another database.
            given = database.transact(logins.give_secrets)
    if given:
        logins.keep(given)
    witnesses.establish(database, var_directory(), anew=is_new)


def is_loaded(database: Database) -> bool:
    """Tell whether the district is in this bank."""
    with database.reading() as db:
        return find_login(db, opening.ADMIN) is not None


def card(database: Database) -> str:
    """Return what to print for who tries the demonstration: a login per role, and a few addresses."""
    url = os.environ.get("PUBLIC_URL", "http://127.0.0.1:8000").rstrip("/")
    with database.reading() as db:
        fair = find_activity_by_code(db, programmes.RUNNING)
        sessions = list_sessions(db, [fair.activity_id]) if fair else []
    rows = logins.kept()
    widest = max((len(identifier) for identifier, _, _ in rows), default=0)
    lines = ["演示登录 · demo logins（登录名或号码、密码 · what to type and the secret）"]
    lines += [f"  {identifier:<{widest}}  {secret:<14}  {role}" for identifier, secret, role in rows]
    lines += ["试试看 · addresses to try"]
    if sessions:
        session_id = sessions[0].session.session_id
        lines.append(f"  {url}/display/{session_id}  签到大屏（demo-hub）· check-in display")
    lines.append(f"  {url}/counter  收银台（till-m002）· the till")
    lines.append(f"  {url}/me  存折和付款码（居民）· passbook, payment code")
    lines.append(f"  {url}/log  公开验证（三家见证人都在本机）· public logs; all three witnesses run here")
    return "\n".join(lines)


def _days(scale: Scale, now: datetime) -> int:
    return max(1, (clock.local(now).date() - _first_on(scale, now)).days)


def _first_on(scale: Scale, now: datetime) -> date:
    return max(_FIRST_ON, clock.local(now).date() - timedelta(days=scale.days))


def _live(db: Connection, scale: Scale, now: datetime, progress: Progress) -> list[tuple[DemoLogin, str]]:
    """Let the district live from its first day until now, in the order of time."""
    if count_residents(db, [branch.branch_id for branch in list_branches(db)]):
        raise BankInUse()
    random = Random(_SEED)  # noqa: S311 - makes people up, guards nothing
    first_on = _first_on(scale, now)
    opened_at = clock.start_of(first_on) + timedelta(hours=8)
    people = neighbours.make_up(random, scale.residents, first_on)
    with clock.at(opened_at):
        town = opening.open_district(db, random, now, people)
    opening.enrol_everybody(town, opened_at + timedelta(minutes=20))
    planned = [*programmes.of_the_year(first_on, now + _AHEAD), *programmes.of_today(now)]
    Sittings(town).announce_all(planned, opened_at)
    Market(town).open_days(opened_at)
    with clock.at(opened_at):
        Trade(town).open_days(opened_at)
    kin.plan(town)
    for day in range(1, _days(scale, now) + 1):
        town.diary.at(clock.start_of(first_on + timedelta(days=day)), partial(progress, 1))
    town.diary.live(now)
    return logins.give_secrets(db)
