"""Lets somebody act for another, and ends it: family on one phone, and appointed helpers. Tells the person."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from moralbank import clock
from moralbank.access import deeds
from moralbank.access import queries as access
from moralbank.access import service as logins
from moralbank.access.deeds import Deed, Reason
from moralbank.access.queries import Login, Principal
from moralbank.behalf import queries
from moralbank.behalf.errors import (
    AlreadyLinked,
    BadAppointment,
    HelpersFull,
    HelperUnfit,
    HelperWithoutLogin,
    HolderTooYoung,
    LinkEnded,
    LinkOneself,
    LinksFull,
    OtherBook,
    PersonNotActive,
)
from moralbank.behalf.models import links, words
from moralbank.behalf.values import (
    FAMILY_MAX,
    HELPERS_MAX,
    LONGEST,
    NOTE_MAX,
    POINTS_PER_MONTH_MAX,
    Basis,
    Kind,
    Limits,
    Link,
    Scope,
)
from moralbank.db import insert_for
from moralbank.errors import N_
from moralbank.messages import service as messages
from moralbank.messages.values import Note
from moralbank.residents import enrolment
from moralbank.residents.queries import Resident, find_by_number, get_resident, hold_resident
from moralbank.residents.values import is_minor

WORD_LIVES = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Word:
    """A one-time word in clear: only its owner's phone shows it."""

    digits: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Appointment:
    """What a person agreed to on paper with a helper: who, what for, how much, until when."""

    resident_id: int
    #: Eight digits of a resident who has a login, or the name of a helper's login, old or new.
    helper: str
    #: What a new login is called; not looked at for one that is there.
    display_name: str
    scope: Scope
    limits: Limits
    agreed_on: date
    agreed_note: str
    until_on: date


@dataclass(frozen=True, slots=True)
class Appointed:
    """A helper's link, with login name and first PIN where the login is new; they are shown once."""

    link: Link
    login_name: str | None = None
    secret: str | None = None


def make_word(db: Connection, resident_id: int) -> Word:
    """Make a one-time word by which this person agrees on another's phone; one made before is gone.

    Raises: UnknownResident.
    """
    get_resident(db, resident_id)
    word = Word(f"{secrets.randbelow(10**6):06d}", clock.now() + WORD_LIVES)
    row = {"resident_id": resident_id, "hash": _hash(resident_id, word.digits), "expires_at": word.expires_at}
    insert = insert_for(db, words).values(row)
    anew = {name: insert.excluded[name] for name in ("hash", "expires_at")}
    db.execute(insert.on_conflict_do_update(index_elements=["resident_id"], set_=anew))
    return word


def use_word(db: Connection, resident_id: int, digits: str) -> bool:
    """Tell whether this is the person's one-time word, and use it up if so. Wrong tries are the caller's to count."""
    row = db.execute(sa.select(words).where(words.c.resident_id == resident_id).with_for_update()).one_or_none()
    is_live = row is not None and row.expires_at > clock.now()
    if not is_live or not hmac.compare_digest(bytes(row.hash), _hash(resident_id, digits)):
        return False
    db.execute(words.delete().where(words.c.resident_id == resident_id))
    return True


def purge_words(db: Connection, now: datetime) -> int:
    """Forget one-time words that are no longer good; return how many."""
    return db.execute(words.delete().where(words.c.expires_at < now)).rowcount


def link_family(
    db: Connection,
    holder: Login,
    person_id: int,
    basis: Basis,
    *,
    actor: str,
    note: str = "",
    agreed_on: date | None = None,
) -> Link:
    """Let a resident act for a member of the family who agreed, on whatever phone they are signed in.

    Raises (in the order checked): UnknownResident, LinkOneself, HolderTooYoung, PersonNotActive, OtherBook,
    AlreadyLinked, LinksFull.
    """
    assert holder.resident_id is not None, "family acts by a resident's login"
    # Of two links at once for one holder the second is counted after the first.
    own = hold_resident(db, holder.resident_id)
    person = get_resident(db, person_id)
    if person.resident_id == own.resident_id:
        raise LinkOneself()
    if is_minor(own.born_on, clock.today()):
        raise HolderTooYoung()
    _check_people(own, person)
    if any(link.resident_id == person_id for link in queries.list_held(db, holder.login_id)):
        raise AlreadyLinked()
    if queries.count_held(db, holder.login_id, Kind.FAMILY) >= FAMILY_MAX:
        raise LinksFull(most=FAMILY_MAX)
    values = {
        "kind": Kind.FAMILY, "login_id": holder.login_id, "actor_resident_id": own.resident_id,
        "may_check_in": True, "may_pay": True, "may_read": True,
        "basis": basis, "agreed_on": agreed_on or clock.today(), "agreed_note": note.strip()[:NOTE_MAX],
    }  # fmt: skip
    return _make(db, person, values, actor)


def is_guardian(holder: Resident, person: Resident) -> bool:
    """Tell whether somebody is written down as the guardian of a minor of their own household: they agree for them."""
    is_one_home = holder.household_id is not None and holder.household_id == person.household_id
    return is_one_home and is_minor(person.born_on, clock.today()) and person.guardian_name == holder.name


def appoint(db: Connection, wanted: Appointment, *, by: Principal | None, actor: str) -> Appointed:
    """Appoint a helper to whom a person agreed on paper; a helper who has no login yet gets one with a PIN.

    Raises (in the order checked): UnknownResident, PersonNotActive, BadAppointment, LinkOneself, HelperWithoutLogin,
    OtherBook, HolderTooYoung, HelperUnfit, what opening a login raises, AlreadyLinked, HelpersFull.
    """
    person = hold_resident(db, wanted.resident_id)
    if not person.is_active:
        raise PersonNotActive()
    _check(wanted)
    login, opened = _helper(db, person, wanted, by)
    if any(link.resident_id == person.resident_id for link in queries.list_held(db, login.login_id)):
        raise AlreadyLinked()
    if queries.count_helpers(db, person.resident_id) >= HELPERS_MAX:
        raise HelpersFull(most=HELPERS_MAX)
    limits, scope = wanted.limits, wanted.scope
    values = {
        "kind": Kind.HELPER, "login_id": login.login_id, "actor_resident_id": login.resident_id,
        "may_check_in": scope.may_check_in, "may_pay": scope.may_pay, "may_read": scope.may_read,
        "points_per_charge_max": limits.points_per_charge_max, "points_per_day_max": limits.points_per_day_max,
        "points_per_month_max": limits.points_per_month_max, "basis": Basis.PAPER, "agreed_on": wanted.agreed_on,
        "agreed_note": wanted.agreed_note.strip(), "until_on": wanted.until_on,
    }  # fmt: skip
    link = _make(db, person, values, actor)
    return Appointed(link, login.name if opened else None, opened.secret if opened else None)


def end_link(db: Connection, link_id: int, *, actor: str) -> Link:
    """End a link at once; ended twice, it ended the first time. Whoever it was about is told.

    Raises: UnknownLink.
    """
    link = queries.get_link(db, link_id)
    ending = links.update().where(links.c.link_id == link_id, links.c.ended_at.is_(None))
    if not db.execute(ending.values(ended_at=clock.now(), ended_by=actor)).rowcount:
        return queries.get_link(db, link_id)
    person = get_resident(db, link.resident_id)
    who = queries.parties(db, [link])[link_id].masked_name
    enrolment.note_deed(db, person.resident_id, f"{link.kind}-ended", actor=actor, note=who)
    _record(db, person, link.about, actor, deeds.Kind.SETTING)
    _tell(db, "link_ended", f"link-ended:{link_id}", person, who)
    return queries.get_link(db, link_id)


def forget(db: Connection, resident_id: int) -> int:
    """End whatever a forgotten person did for others or others for them; return how many links that were."""
    db.execute(words.delete().where(words.c.resident_id == resident_id))
    theirs = links.c.resident_id == resident_id
    db.execute(links.update().where(theirs).values(agreed_note=""))
    either = sa.or_(theirs, links.c.actor_resident_id == resident_id)
    ended = links.update().where(either, links.c.ended_at.is_(None))
    return db.execute(ended.values(ended_at=clock.now(), ended_by="system")).rowcount


def usable(db: Connection, login_id: int, link_id: int, kind: Kind | None = None) -> Link:
    """Return a link by which this login may act now. Raises (in the order checked): UnknownLink, LinkEnded."""
    link = queries.find_link(db, link_id)
    if link is None or link.login_id != login_id or kind not in (None, link.kind):
        raise queries.UnknownLink()
    if not link.stands:
        raise LinkEnded()
    return link


def note_act(db: Connection, link: Link, person: Resident, about: str) -> None:
    """Write down that somebody did something for another: about names it, as kind and id."""
    _record(db, person, about, link.actor, deeds.Kind.ACT)


def _make(db: Connection, person: Resident, values: dict[str, Any], actor: str) -> Link:
    """Write a link down, end one of the same two whose last day has passed, and tell the person."""
    former = sa.and_(
        links.c.login_id == values["login_id"],
        links.c.resident_id == person.resident_id,
        links.c.ended_at.is_(None),
        links.c.until_on < clock.today(),
    )
    db.execute(links.update().where(former).values(ended_at=clock.now(), ended_by="system"))
    row = values | {"resident_id": person.resident_id, "made_at": clock.now(), "made_by": actor}
    try:
        with db.begin_nested():
            link_id = db.execute(links.insert().values(row).returning(links.c.link_id)).scalar_one()
    except IntegrityError:
        raise AlreadyLinked() from None
    link = queries.get_link(db, link_id)
    who = queries.parties(db, [link])[link_id].masked_name
    enrolment.note_deed(db, person.resident_id, f"{link.kind}-made", actor=actor, note=who)
    _record(db, person, link.about, actor, deeds.Kind.SETTING)
    kind = "helper_appointed" if link.kind is Kind.HELPER else "family_linked"
    _tell(db, kind, f"link:{link_id}", person, who)
    return link


def _check_people(own: Resident, person: Resident) -> None:
    if not own.is_active or not person.is_active:
        raise PersonNotActive()
    if own.book_id != person.book_id:
        raise OtherBook()


def _check(wanted: Appointment) -> None:
    """Refuse what can't be agreed. Raises: BadAppointment, with a sentence for each field."""
    today, limits, wrong = clock.today(), wanted.limits, {}
    if wanted.scope.is_empty:
        wrong["scope"] = [N_("请至少选一项。")]
    if not 1 <= limits.points_per_month_max <= POINTS_PER_MONTH_MAX:
        wrong["points_per_month_max"] = [N_("一个月最多 100 分。")]
    if not 1 <= limits.points_per_day_max <= limits.points_per_month_max:
        wrong["points_per_day_max"] = [N_("一天的不能多于一个月的。")]
    if not 1 <= limits.points_per_charge_max <= limits.points_per_day_max:
        wrong["points_per_charge_max"] = [N_("一笔的不能多于一天的。")]
    if not today < wanted.until_on <= today + LONGEST:
        wrong["until_on"] = [N_("请填明天到一年之内的一天。")]
    if not today - LONGEST <= wanted.agreed_on <= today:
        wrong["agreed_on"] = [N_("请填同意书上的日期，不能晚于今天。")]
    if not 2 <= len(wanted.agreed_note.strip()) <= NOTE_MAX:
        wrong["agreed_note"] = [N_("请写明同意书放在哪里，例如：2026 年代办夹第 12 页。")]
    if wrong:
        raise BadAppointment(wrong)


def _helper(
    db: Connection, person: Resident, wanted: Appointment, by: Principal | None
) -> tuple[Login, logins.Opened | None]:
    """Return the login of the one who is meant, and what opening it gave where it is new."""
    name = wanted.helper.strip()
    if name.isdigit():
        return _neighbour(db, person, name), None
    login = access.find_login(db, name)
    if login is not None:
        roles = {grant.role for grant in login.grants}
        if roles != {"helper"} or login.suspended_at is not None:
            raise HelperUnfit()
        return login, None
    if not wanted.display_name.strip():
        raise BadAppointment({"display_name": [N_("还没有这个账号。要新开，请填姓名；否则请核对登录名。")]})
    draft = logins.GrantDraft("helper", person.branch_id)
    opened = logins.open_login(db, name, wanted.display_name, [draft], by=by)
    return access.get_login(db, opened.login_id), opened


def _neighbour(db: Connection, person: Resident, number: str) -> Login:
    """Return the login of the resident of this number who is to help."""
    found = find_by_number(db, person.book_id, number)
    if found is None or found.is_forgotten:
        raise BadAppointment({"helper": [N_("没有这个编号的储户，请核对。")]})
    if found.resident_id == person.resident_id:
        raise LinkOneself()
    login = access.find_resident_login(db, found.resident_id)
    if login is None or login.suspended_at is not None:
        raise HelperWithoutLogin()
    if is_minor(found.born_on, clock.today()):
        raise HolderTooYoung()
    return login


def _record(db: Connection, person: Resident, about: str, actor: str, kind: deeds.Kind) -> None:
    whose = (person.branch_id, person.book_id, person.resident_id, person.account_id)
    deeds.record(db, Deed(actor, kind, *whose, reason=Reason.ACT, about=about))


def _tell(db: Connection, kind: str, event: str, person: Resident, who: str) -> None:
    note = Note(kind, event, person.branch_id, resident_id=person.resident_id, facts={"who": who})
    messages.tell(db, [note])


def _hash(resident_id: int, digits: str) -> bytes:
    return hashlib.sha256(f"{resident_id}:{digits}".encode()).digest()
