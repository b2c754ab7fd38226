"""One scan for several people: a phone's owner and their family, or whom a helper looks after. Each has their own
receipt, check-in and answer; the leader sees who did not scan themselves, and whom it is about is told.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from moralbank.activities import verdicts
from moralbank.activities.answers import Answer
from moralbank.activities.checkin import Scan, check_in_many
from moralbank.activities.models import receipts
from moralbank.activities.receipts import claim_receipt, hash_of
from moralbank.activities.values import CheckIn, Direction, Means
from moralbank.behalf import queries, service
from moralbank.behalf.errors import BeyondScope
from moralbank.behalf.values import Link
from moralbank.db import insert_for
from moralbank.errors import MoralBankError
from moralbank.messages import service as messages
from moralbank.messages.queries import was_told
from moralbank.messages.values import Note
from moralbank.residents.queries import Resident, find_residents


@dataclass(frozen=True, slots=True)
class Party:
    """Who comes by one scan: the phone's owner, if they come too, and those for whom they scan."""

    cookie: str
    login_id: int
    #: Whose phone it is; None: a helper's who is no resident.
    owner_id: int | None
    owner_comes: bool
    link_ids: Sequence[int]
    #: How the owner's own scan is cited, and theirs for others.
    actor: str
    device: str | None


@dataclass(frozen=True, slots=True)
class Came:
    """One of a party, and what their scan is answered."""

    person: Resident
    answer: Answer


def check_in_together(db: Connection, party: Party) -> list[Came]:
    """Count one scan for each of a party; sent again, each has the first answer.

    Writes: a receipt and a check-in for each, a deed and a message for those who did not scan themselves.
    Raises (in the order checked): UnknownLink, LinkEnded, BeyondScope, what a person's scan is refused for.
    """
    standing = [link for link in queries.list_held(db, party.login_id) if link.scope.may_check_in]
    links = [_usable(db, party, link_id) for link_id in dict.fromkeys(party.link_ids)]
    # The receipt is the phone's: whoever holds it may come back to it with another of those they act for.
    keeper = party.owner_id or min(link.resident_id for link in standing)
    base = claim_receipt(db, party.cookie, keeper)
    wanted = [link.resident_id for link in links]
    if party.owner_comes and party.owner_id is not None:
        wanted.insert(0, party.owner_id)
    people = find_residents(db, wanted)
    if base is None:
        return [Came(people[who], Answer(verdicts.EXPIRED, resident_id=who)) for who in wanted]
    kin = frozenset({link.resident_id for link in standing} | ({party.owner_id} - {None}))
    scans = [_scan(db, party, base, who, kin) for who in wanted]
    answers = check_in_many(db, scans)
    acted = {link.resident_id: link for link in links}
    for scan, answer in zip(scans, answers, strict=True):
        link = acted.get(scan.resident_id)
        is_its_own = isinstance(answer, Answer) and answer.scan is not None and answer.scan.nonce == scan.nonce
        if link is not None and is_its_own:
            _tell(db, link, people[scan.resident_id], answer.scan)
    return [Came(people[scan.resident_id], _said(answer)) for scan, answer in zip(scans, answers, strict=True)]


def whom(db: Connection, login_id: int) -> list[tuple[Link, Resident]]:
    """Return for whom a login may scan now."""
    standing = [link for link in queries.list_held(db, login_id) if link.scope.may_check_in]
    people = find_residents(db, {link.resident_id for link in standing})
    return [(link, people[link.resident_id]) for link in standing if people[link.resident_id].is_active]


def _usable(db: Connection, party: Party, link_id: int) -> Link:
    link = service.usable(db, party.login_id, link_id)
    if not link.scope.may_check_in:
        raise BeyondScope()
    return link


def _said(answer: Answer | MoralBankError) -> Answer:
    if isinstance(answer, MoralBankError):
        raise answer
    return answer


def _scan(db: Connection, party: Party, base: Any, who: int, kin: frozenset[int]) -> Scan:
    """Return a person's scan; whoever is not the phone's owner has a receipt of their own, made of the phone's."""
    receipt_id, is_acted = base.receipt_id, who != party.owner_id
    if is_acted:
        receipt_id = hash_of(f"{party.cookie}:{who}")
        row = {**base._mapping, "receipt_id": receipt_id, "used_by": who}
        db.execute(insert_for(db, receipts).values(row).on_conflict_do_nothing())
    return Scan(
        session_id=base.session_id,
        resident_id=who,
        means=Means(base.means),
        nonce=f"receipt:{receipt_id}",
        actor=party.actor,
        at=base.scanned_at,
        direction=Direction(base.direction) if base.direction else None,
        device=party.device,
        station=base.station,
        is_acted=is_acted,
        kin=kin,
    )


def _tell(db: Connection, link: Link, person: Resident, scan: CheckIn) -> None:
    """Tell somebody once that another scanned for them, and write it down."""
    event = f"acted-check-in:{scan.checkin_id}"
    if was_told(db, person.resident_id, event):
        return
    service.note_act(db, link, person, f"session:{scan.session_id}")
    who = queries.parties(db, [link])[link.link_id].masked_name
    note = Note("acted_check_in", event, person.branch_id, resident_id=person.resident_id, facts={"who": who})
    messages.tell(db, [note])
