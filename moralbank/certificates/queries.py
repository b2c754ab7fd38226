"""Reads of the register of certificates."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from moralbank.certificates import tokens, values
from moralbank.certificates.errors import CertificateForgotten, UnknownCertificate
from moralbank.certificates.models import certificates, copies, keys
from moralbank.certificates.tokens import Token
from moralbank.certificates.values import State

LIST_LIMIT_MAX = 200
_C = certificates.c


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate as the register has it."""

    certificate_id: int
    book_id: int
    branch_id: int
    resident_id: int
    number: str
    since_on: date
    until_on: date
    service_minutes: int
    #: Canonical JSON; empty when its holder was forgotten.
    content: str
    token: str
    short_code: str
    issued_at: datetime
    issued_by: str
    voided_at: datetime | None
    voided_by: str | None
    void_reason: str | None
    corrected_by: int | None

    @property
    def state(self) -> State:
        if self.voided_at is not None:
            return State.CORRECTED if self.corrected_by else State.REVOKED
        return State.VALID if self.content else State.FORGOTTEN

    @property
    def code(self) -> str:
        """The short code as it is printed."""
        return values.in_fours(self.short_code)

    @property
    def said(self) -> dict[str, Any]:
        """What it says. Raises: CertificateForgotten."""
        if not self.content:
            raise CertificateForgotten(number=self.number)
        return values.read(self.content)


@dataclass(frozen=True, slots=True)
class Copy:
    """A copy that was handed out."""

    number: int
    means: str
    made_at: datetime
    made_by: str


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A key that certificates are checked with."""

    kid: int
    public: bytes
    created_at: datetime
    retired_at: datetime | None


_COLUMNS = [_C[name] for name in Certificate.__dataclass_fields__]


def get_certificate(db: Connection, certificate_id: int) -> Certificate:
    """Return a certificate. Raises: UnknownCertificate."""
    row = db.execute(sa.select(*_COLUMNS).where(_C.certificate_id == certificate_id)).first()
    if row is None:
        raise UnknownCertificate()
    return Certificate(*row)


def list_of_resident(db: Connection, resident_id: int) -> list[Certificate]:
    """Return a resident's certificates, the latest first."""
    query = sa.select(*_COLUMNS).where(_C.resident_id == resident_id)
    return [Certificate(*row) for row in db.execute(query.order_by(_C.certificate_id.desc()).limit(LIST_LIMIT_MAX))]


def list_register(
    db: Connection, branch_ids: Collection[int], *, before_id: int | None = None, limit: int = 50
) -> list[Certificate]:
    """Return the register of the branches, the latest first. before_id: the last of the page before."""
    query = sa.select(*_COLUMNS).where(_C.branch_id.in_(branch_ids))
    if before_id is not None:
        query = query.where(_C.certificate_id < before_id)
    return [Certificate(*row) for row in db.execute(query.order_by(_C.certificate_id.desc()).limit(limit))]


def open_token(db: Connection, text: str) -> Token | None:
    """Return what is in a code that this bank signed, of a certificate or of another paper; None for any other."""
    return tokens.verify(text, {key.kid: key.public for key in list_keys(db)})


def find_by_token(db: Connection, text: str) -> Certificate | None:
    """Return the certificate of a code, or None: not signed by this bank, altered, or not in its register."""
    token = open_token(db, text)
    if token is None or token.type != tokens.CERTIFICATE:
        return None
    row = db.execute(sa.select(*_COLUMNS).where(_C.document == token.document, _C.token == text)).first()
    return None if row is None else Certificate(*row)


def find_by_short_code(db: Connection, code: str) -> Certificate | None:
    """Return the certificate of a short code, or None."""
    row = db.execute(sa.select(*_COLUMNS).where(_C.short_code == code)).first()
    return None if row is None else Certificate(*row)


def list_copies(db: Connection, certificate_id: int) -> list[Copy]:
    """Return the copies that were handed out, the first first."""
    query = sa.select(*(copies.c[name] for name in Copy.__dataclass_fields__))
    of_it = query.where(copies.c.certificate_id == certificate_id).order_by(copies.c.number)
    return [Copy(*row) for row in db.execute(of_it)]


def list_keys(db: Connection) -> list[PublicKey]:
    """Return every key that a certificate may have been signed with: all of them stay good for checking."""
    query = sa.select(*(keys.c[name] for name in PublicKey.__dataclass_fields__)).order_by(keys.c.kid)
    return [PublicKey(*row) for row in db.execute(query)]
