"""Issues, corrects and revokes certificates, and keeps the register of their copies. Free of charge, always."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy import Connection

from moralbank import clock
from moralbank.access.deeds import Deed, Kind, record
from moralbank.branches.queries import find_hub, get_branch
from moralbank.certificates import queries, records, tokens, values
from moralbank.certificates.errors import (
    CertificateForgotten,
    CertificateIncomplete,
    CertificateVoid,
    NothingToCertify,
    PeriodBackwards,
)
from moralbank.certificates.facts import forget_facts
from moralbank.certificates.models import certificates, copies, keys
from moralbank.certificates.queries import Certificate
from moralbank.certificates.values import Issuing, Missing, Person, Service, State
from moralbank.db import insert_for
from moralbank.residents.queries import Resident, get_resident, hold_resident

_NONCE_BYTES = 16
#: As many as a signed column of the databases holds.
_DOCUMENT_BITS = 62
_NAMED_MAX = 12
#: "cert", as the space of advisory locks of this package.
_LOCK = 0x63657274


@dataclass(frozen=True, slots=True)
class Draft:
    """What a certificate of a span would say, and what it lacks."""

    resident: Resident
    first: date
    last: date
    person: Person
    issuing: Issuing
    services: tuple[Service, ...]
    total_minutes: int
    missing: tuple[Missing, ...]

    @property
    def minutes(self) -> int:
        return sum(service.minutes for service in self.services)


def draft(db: Connection, resident: Resident, first: date, last: date, handler: str, contact: str) -> Draft:
    """Return what a certificate would say.

    contact: of the issuing office; empty means its address.
    Raises: PeriodBackwards.
    """
    if first > last or last > clock.today():
        raise PeriodBackwards()
    branch = get_branch(db, resident.branch_id)
    issuing = Issuing(branch.name_zh, handler.strip(), contact.strip() or branch.address)
    person = records.person_of(resident, branch)
    services = tuple(one.service for one in records.read_record(db, resident, first, last))
    lacking = tuple(values.missing(person, issuing, services))
    total = records.total_minutes(db, resident)
    return Draft(resident, first, last, person, issuing, services, total, lacking)


def issue(
    db: Connection, resident_id: int, first: date, last: date, *, handler: str, contact: str, actor: str
) -> Certificate:
    """Certify a resident's service of the days [first, last].

    Writes: the certificate with its number, and the deed of whoever issued it.
    Raises (in the order checked): UnknownResident, PeriodBackwards, NothingToCertify, CertificateIncomplete.
    """
    made = draft(db, hold_resident(db, resident_id), first, last, handler, contact)
    if not made.services:
        raise NothingToCertify(first=f"{first}", last=f"{last}")
    if made.missing:
        raise CertificateIncomplete(missing=name_missing(made.missing))
    certificate = _enter(db, made, actor)
    _note(db, certificate, actor, f"certificate:{certificate.certificate_id}")
    return certificate


def revoke(db: Connection, certificate_id: int, reason: str, *, actor: str) -> Certificate:
    """Take a certificate back, for a reason that the register keeps.

    Raises (in the order checked): UnknownCertificate, CertificateVoid.
    """
    certificate = _held(db, certificate_id)
    _void(db, certificate, reason, actor, None)
    _note(db, certificate, actor, f"certificate-revoked:{certificate_id}")
    return queries.get_certificate(db, certificate_id)


def correct(db: Connection, certificate_id: int, reason: str, *, handler: str, contact: str, actor: str) -> Certificate:
    """Put a certificate of the record as it is now in the place of one, and return the new one.

    Raises (in the order checked): UnknownCertificate, CertificateVoid, and what issuing raises.
    """
    old = _held(db, certificate_id)
    new = issue(db, old.resident_id, old.since_on, old.until_on, handler=handler, contact=contact, actor=actor)
    _void(db, old, reason, actor, new.certificate_id)
    _note(db, old, actor, f"certificate-corrected:{certificate_id}")
    return new


def note_copy(db: Connection, certificate_id: int, means: str, *, actor: str) -> int:
    """Enter a copy into the register and return its number.

    Raises (in the order checked): UnknownCertificate, CertificateForgotten, CertificateVoid.
    """
    certificate = _locked(db, certificate_id)
    if certificate.state is State.FORGOTTEN:
        raise CertificateForgotten(number=certificate.number)
    if certificate.state is not State.VALID:
        raise CertificateVoid(number=certificate.number)
    number = len(queries.list_copies(db, certificate_id)) + 1
    row = {"certificate_id": certificate_id, "number": number, "means": means}
    db.execute(copies.insert().values(row | {"made_at": clock.now(), "made_by": actor}))
    return number


def has_changed(db: Connection, certificate: Certificate, resident: Resident) -> bool:
    """Tell whether the record no longer is what a valid certificate says of it."""
    if certificate.state is not State.VALID:
        return False
    now = [one.service for one in records.read_record(db, resident, certificate.since_on, certificate.until_on)]
    return sum(service.minutes for service in now) != certificate.service_minutes


def forget(db: Connection, resident_id: int) -> int:
    """Take away what the certificates of a person say, who is forgotten; return of how many."""
    forget_facts(db, resident_id)
    theirs = (certificates.c.resident_id == resident_id, certificates.c.content != "")
    return db.execute(certificates.update().where(*theirs).values(content="", void_reason=None)).rowcount


def name_missing(lacking: tuple[Missing, ...]) -> str:
    """Say which fields are missing, in Chinese, as the form of the certificate calls them."""
    named = [
        f"第 {one.line} 行的{values.FIELD_WORDS[one.field]}" if one.line else values.FIELD_WORDS[one.field]
        for one in lacking[:_NAMED_MAX]
    ]
    more = len(lacking) - len(named)
    return "、".join(named) + (f"……等 {len(lacking)} 项" if more else "")


def _enter(db: Connection, made: Draft, actor: str) -> Certificate:
    now, today = clock.now(), clock.today()
    resident = made.resident
    hub = find_hub(db, resident.book_id)
    assert hub is not None, "a book is a hub's"
    serial = _next_serial(db, resident.book_id, today.year)
    number = f"{hub.code}-{today.year}-{serial:06}"
    said = values.fields(
        number=number,
        issued_on=today,
        span=(made.first, made.last),
        person=made.person,
        issuing=made.issuing,
        services=made.services,
        total_minutes=made.total_minutes,
        nonce=secrets.token_hex(_NONCE_BYTES),
    )
    content = values.spell(said)
    key = _signing_key(db)
    row = {
        "book_id": resident.book_id,
        "branch_id": resident.branch_id,
        "resident_id": resident.resident_id,
        "number": number,
        "year": today.year,
        "serial": serial,
        "since_on": made.first,
        "until_on": made.last,
        "service_minutes": made.minutes,
        "content": content,
        "issued_at": now,
        "issued_by": actor,
    }
    document = secrets.randbits(_DOCUMENT_BITS)
    token = tokens.sign(key.seed, tokens.Token(key.kid, document, tokens.seconds_of(now), values.digest(content)))
    codes = {"document": document, "token": token, "short_code": values.short_code(token)}
    new = certificates.insert().values(row | codes).returning(certificates.c.certificate_id)
    return queries.get_certificate(db, db.execute(new).scalar_one())


def _next_serial(db: Connection, book: int, year: int) -> int:
    if db.dialect.name == "postgresql":
        # Whoever issues in the same book at the same moment waits, so that numbers have no gaps.
        db.execute(sa.text("SELECT pg_advisory_xact_lock(:space, :book)"), {"space": _LOCK, "book": book})
    of_year = (certificates.c.book_id == book, certificates.c.year == year)
    last = sa.select(sa.func.coalesce(sa.func.max(certificates.c.serial), 0)).where(*of_year)
    return int(db.execute(last).scalar_one()) + 1


@dataclass(frozen=True, slots=True)
class PaperKeys:
    """All keys that the bank ever signed with, as read once for however many papers."""

    #: The number, the seed, since when and until when, the first key first.
    keys: tuple[tuple[int, bytes, datetime, datetime | None], ...]

    def sign(self, of_type: int, document: int, digest: bytes, issued_at: datetime) -> str | None:
        """Return the code of a paper of another kind, the same each time; None while there is no key yet.

        It is signed with the key that was in use when the paper was issued, so that one that is printed again later
        has the same octets; with the first key where it was issued before there was any.
        """
        if not self.keys:
            return None
        then = [key for key in self.keys if key[2] <= issued_at and (key[3] or clock.now()) > issued_at]
        kid, seed, _since, _until = then[0] if then else self.keys[0]
        return tokens.sign(seed, tokens.Token(kid, document, tokens.seconds_of(issued_at), digest, of_type))


def paper_keys(db: Connection) -> PaperKeys:
    """Read the keys that papers are signed with."""
    rows = db.execute(sa.select(keys.c.kid, keys.c.seed, keys.c.created_at, keys.c.retired_at).order_by(keys.c.kid))
    return PaperKeys(tuple(tuple(row) for row in rows))


def ensure_key(db: Connection) -> None:
    """Make the first key, where there is none."""
    _signing_key(db)


@dataclass(frozen=True, slots=True)
class _Key:
    kid: int
    seed: bytes


def _signing_key(db: Connection) -> _Key:
    """Return the key in use, the first time a new one."""
    in_use = sa.select(keys.c.kid, keys.c.seed).where(keys.c.retired_at.is_(None)).order_by(keys.c.kid.desc()).limit(1)
    row = db.execute(in_use).first()
    if row is None:
        seed, public = tokens.new_seed()
        new = insert_for(db, keys).values(kid=1, seed=seed, public=public, created_at=clock.now())
        db.execute(new.on_conflict_do_nothing())
        row = db.execute(in_use).one()
    return _Key(*row)


def rotate_key(db: Connection) -> int:
    """Sign with a fresh key from now on and return its number; the former ones stay good for checking."""
    signing = _signing_key(db)
    seed, public = tokens.new_seed()
    db.execute(keys.update().where(keys.c.retired_at.is_(None)).values(retired_at=clock.now()))
    row = {"kid": signing.kid + 1, "seed": seed, "public": public, "created_at": clock.now()}
    db.execute(keys.insert().values(row))
    return signing.kid + 1


def _held(db: Connection, certificate_id: int) -> Certificate:
    certificate = _locked(db, certificate_id)
    if certificate.state not in (State.VALID, State.FORGOTTEN):
        raise CertificateVoid(number=certificate.number)
    return certificate


def _locked(db: Connection, certificate_id: int) -> Certificate:
    row = sa.select(certificates.c.certificate_id).where(certificates.c.certificate_id == certificate_id)
    db.execute(row.with_for_update())
    return queries.get_certificate(db, certificate_id)


def _void(db: Connection, certificate: Certificate, reason: str, actor: str, corrected_by: int | None) -> None:
    voided = {"voided_at": clock.now(), "voided_by": actor, "void_reason": reason, "corrected_by": corrected_by}
    here = certificates.c.certificate_id == certificate.certificate_id
    db.execute(certificates.update().where(here).values(voided))


def _note(db: Connection, certificate: Certificate, actor: str, about: str) -> None:
    account = get_resident(db, certificate.resident_id).account_id
    whose = (certificate.branch_id, certificate.book_id, certificate.resident_id, account)
    record(db, Deed(actor, Kind.APPROVE, *whose, about=about))
