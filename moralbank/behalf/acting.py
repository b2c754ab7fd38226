"""Whose pages a phone shows at present: its owner's, or those of somebody of the family whom they act for."""

from __future__ import annotations

from flask import g

from moralbank.access.deeds import Reason
from moralbank.behalf import queries, service
from moralbank.behalf.errors import LinkEnded, PersonNotActive, UnknownLink
from moralbank.behalf.values import Kind, Link
from moralbank.errors import MoralBankError
from moralbank.residents.queries import Resident, get_resident
from moralbank.web import auth, looking
from moralbank.web.auth import current
from moralbank.web.db import database


def person_id() -> int:
    """Return whose pages these are, on a page for residents. Raises: as acting does."""
    found = acting()
    resident_id = found[1].resident_id if found else current().resident_id
    assert resident_id is not None, "a resident's role is held by a resident's login only"
    return resident_id


def acting() -> tuple[Link, Resident] | None:
    """Return by which link the phone acts, and for whom; None: for its owner. That they look is written down.

    Raises (in the order checked): LinkEnded, PersonNotActive; then the phone shows its owner's pages again.
    """
    if "acting" not in g:
        g.acting = None
        g.acting = _acting()
    found: tuple[Link, Resident] | None = g.acting
    return found


def reader_id() -> int | None:
    """Return whose marks a public page shows, or None for nobody's; where acting has ended, its owner's."""
    principal = auth.principal_or_none()
    if principal is None or principal.resident_id is None:
        return None
    try:
        return person_id()
    except MoralBankError:
        return principal.resident_id


def link_id() -> int | None:
    """Return by which link the phone acts now. Raises: as acting does."""
    found = acting()
    return found[0].link_id if found else None


def _acting() -> tuple[Link, Resident] | None:
    chosen = auth.acting_link()
    principal = auth.principal_or_none()
    if chosen is None or principal is None:
        return None
    try:
        with database().reading() as db:
            link = service.usable(db, principal.login_id, chosen, Kind.FAMILY)
            person = get_resident(db, link.resident_id)
        if not person.is_active:
            raise PersonNotActive()
    except (UnknownLink, LinkEnded, PersonNotActive) as refusal:
        auth.act_by(None)
        raise refusal if isinstance(refusal, PersonNotActive) else LinkEnded() from None
    return link, person


def look() -> None:
    """Write down that the phone's owner sees what is another's, where they act for one."""
    found = acting()
    if found is not None:
        link, person = found
        looking.look_at(person, Reason.ACT, about=link.about)


def family() -> list[tuple[Link, Resident]]:
    """Return for whom the phone's owner may act as their family, for the row of "who is this?"."""
    with database().reading() as db:
        held = queries.list_held(db, current().login_id, Kind.FAMILY)
        people = queries.people_of(db, held)
    return [(link, people[link.resident_id]) for link in held]
