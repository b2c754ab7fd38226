"""Reads of who may act for whom. Who may read that is the caller's to say."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from moralbank import clock
from moralbank.access.queries import names_of
from moralbank.behalf.errors import UnknownLink
from moralbank.behalf.models import links
from moralbank.behalf.values import Basis, Kind, Limits, Link, Scope
from moralbank.residents.living import living_in
from moralbank.residents.queries import Resident, residents_by_id
from moralbank.residents.values import mask

LIST_MAX = 200
_L = links.c


@dataclass(frozen=True, slots=True)
class Party:
    """Who acts, as pages name them: in full for those who know them, masked for everybody else."""

    name: str
    masked_name: str


def find_link(db: Connection, link_id: int) -> Link | None:
    return next(iter(_links(db, sa.select(links).where(_L.link_id == link_id))), None)


def get_link(db: Connection, link_id: int) -> Link:
    """Return the link. Raises: UnknownLink."""
    found = find_link(db, link_id)
    if found is None:
        raise UnknownLink()
    return found


def find_links(db: Connection, link_ids: Collection[int]) -> dict[int, Link]:
    """Return those of a few links that exist, by id, standing or not."""
    if not link_ids:
        return {}
    found = _links(db, sa.select(links).where(_L.link_id.in_(list(link_ids))))
    return {link.link_id: link for link in found}


def list_held(db: Connection, login_id: int, kind: Kind | None = None) -> list[Link]:
    """List by which links a login may act for somebody now, the oldest first."""
    query = sa.select(links).where(_L.login_id == login_id, *_standing())
    if kind is not None:
        query = query.where(_L.kind == kind)
    return _links(db, query.order_by(_L.link_id).limit(LIST_MAX))


def list_about(db: Connection, resident_id: int, *, standing: bool = True) -> list[Link]:
    """List who may act for a person now; with standing=False those of before too, the newest first."""
    query = sa.select(links).where(_L.resident_id == resident_id)
    if standing:
        query = query.where(*_standing())
    return _links(db, query.order_by(_L.link_id.desc()).limit(LIST_MAX))


def list_helpers(
    db: Connection, branch_ids: Collection[int], *, standing: bool, before_id: int | None = None, limit: int = 50
) -> list[Link]:
    """List the helpers of people of these branches, the newest first: those who may act now, or those of before."""
    here = sa.and_(_L.kind == Kind.HELPER, living_in(_L.resident_id, branch_ids))
    query = sa.select(links).where(here, *(_standing() if standing else [sa.not_(sa.and_(*_standing()))]))
    if before_id is not None:
        query = query.where(_L.link_id < before_id)
    return _links(db, query.order_by(_L.link_id.desc()).limit(min(limit, LIST_MAX)))


def list_alike(db: Connection, link_ids: Collection[int]) -> list[tuple[int, int, int]]:
    """Return (link, person, link) of each of the links with every one of the same two, of before and itself.

    What was agreed anew in a month goes on where it was.
    """
    alike = links.alias("alike")
    same = sa.and_(alike.c.login_id == _L.login_id, alike.c.resident_id == _L.resident_id, alike.c.kind == _L.kind)
    query = sa.select(_L.link_id, _L.resident_id, alike.c.link_id).join(alike, same)
    return [(one, who, other) for one, who, other in db.execute(query.where(_L.link_id.in_(list(link_ids))))]


def count_held(db: Connection, login_id: int, kind: Kind) -> int:
    """Count by how many links of a kind a login may act now."""
    query = sa.select(sa.func.count()).select_from(links).where(_L.login_id == login_id, _L.kind == kind, *_standing())
    return db.execute(query).scalar_one()


def count_helpers(db: Connection, resident_id: int) -> int:
    """Count the helpers whom a person has now."""
    mine = (_L.resident_id == resident_id, _L.kind == Kind.HELPER, *_standing())
    return db.execute(sa.select(sa.func.count()).select_from(links).where(*mine)).scalar_one()


def parties(db: Connection, found: Collection[Link]) -> dict[int, Party]:
    """Return who acts by each of the links, by its id."""
    people = residents_by_id(db, {link.actor_resident_id for link in found if link.actor_resident_id is not None})
    names = names_of(db, {link.login_id for link in found if link.actor_resident_id is None})
    named = {}
    for link in found:
        person = people.get(link.actor_resident_id or 0)
        name = person.name if person else names.get(link.login_id, "")
        named[link.link_id] = Party(name, mask(name))
    return named


def people_of(db: Connection, found: Collection[Link]) -> dict[int, Resident]:
    """Return for whom the links are, by resident."""
    return residents_by_id(db, {link.resident_id for link in found})


def masked_actors(db: Connection, link_ids: Collection[int]) -> dict[int, str]:
    """Return the masked name of who acts by each of the links, by its id."""
    found = find_links(db, link_ids)
    return {link_id: party.masked_name for link_id, party in parties(db, list(found.values())).items()}


def _standing() -> list[sa.ColumnElement[bool]]:
    return [_L.ended_at.is_(None), sa.or_(_L.until_on.is_(None), _L.until_on >= clock.today())]


def _links(db: Connection, query: sa.Select[Any]) -> list[Link]:
    return [_link(row) for row in db.execute(query).mappings()]


def _link(row: Any) -> Link:
    limits = [row[name] for name in Limits.__dataclass_fields__]
    return Link(
        link_id=row["link_id"],
        kind=Kind(row["kind"]),
        login_id=row["login_id"],
        actor_resident_id=row["actor_resident_id"],
        resident_id=row["resident_id"],
        scope=Scope(row["may_check_in"], row["may_pay"], row["may_read"]),
        limits=None if limits[0] is None else Limits(*limits),
        basis=Basis(row["basis"]),
        agreed_on=row["agreed_on"],
        agreed_note=row["agreed_note"],
        until_on=row["until_on"],
        made_at=row["made_at"],
        made_by=row["made_by"],
        ended_at=row["ended_at"],
        ended_by=row["ended_by"],
    )
