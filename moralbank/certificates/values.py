"""What a certificate says: its fields, which of them are missing, their one spelling, stars. Pure.

Source: 民政部令第67号 (what a record holds), 民发〔2015〕149号 (number, date, issuer, handler, contact, register of
copies; stars by hours).
"""

from __future__ import annotations

import base64
import hashlib
import json
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from enum import StrEnum
from typing import Any

from moralbank import ledger
from moralbank.errors import N_

FORMAT = "moralbank-certificate/1"
#: Hours from which a volunteer has one star more.
STAR_HOURS = (100, 300, 600, 1000, 1500)
#: Without the letters that are taken for digits or for each other.
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
SHORT_CHARACTERS = 12

FIELD_WORDS = {
    "name": N_("姓名"),
    "sex": N_("性别"),
    "born_on": N_("出生日期"),
    "volunteer_number": N_("志愿者编号"),
    "area": N_("所属网点"),
    "volunteer_contact": N_("联系方式（手机号，没有手机的写楼栋）"),
    "issuer": N_("出具单位"),
    "handler": N_("经办人"),
    "contact": N_("出具单位的联系方式"),
    "activity": N_("活动名称"),
    "place": N_("服务地点"),
    "content": N_("服务内容"),
    "organiser": N_("组织单位"),
    "leader": N_("负责人"),
}
_PERSON = ("name", "sex", "born_on", "volunteer_number", "area", "volunteer_contact", "issuer", "handler", "contact")
_SERVICE = ("activity", "place", "content", "organiser", "leader")


class State(StrEnum):
    """What became of a certificate."""

    VALID = "valid"
    CORRECTED = "corrected"
    REVOKED = "revoked"
    FORGOTTEN = "forgotten"


@dataclass(frozen=True, slots=True)
class Service:
    """One service as the record has it. line: its number among the resident's lines of service time."""

    line: int
    on: str
    activity: str
    place: str
    content: str
    minutes: int
    organiser: str
    leader: str


@dataclass(frozen=True, slots=True)
class Person:
    """Who served; volunteer_contact is asked for and stays off the paper."""

    name: str
    sex: str
    born_on: str
    volunteer_number: str
    area: str
    volunteer_contact: str


@dataclass(frozen=True, slots=True)
class Issuing:
    """Who certifies it."""

    issuer: str
    handler: str
    contact: str


@dataclass(frozen=True, slots=True)
class Missing:
    """A field that is empty; line: of which service, None for one about the person or the issuer."""

    field: str
    line: int | None = None


def missing(person: Person, issuing: Issuing, services: Sequence[Service]) -> Iterator[Missing]:
    """Yield every field that the regulation asks for and that is empty."""
    known = asdict(person) | asdict(issuing)
    yield from (Missing(name) for name in _PERSON if not known[name].strip())
    for service in services:
        for name in _SERVICE:
            if not getattr(service, name).strip():
                yield Missing(name, service.line)


def stars(minutes: int) -> int:
    """Return how many stars so much service has: 0 to 5."""
    return sum(minutes >= 60 * hours for hours in STAR_HOURS)


def fields(
    *,
    number: str,
    issued_on: date,
    span: tuple[date, date],
    person: Person,
    issuing: Issuing,
    services: Sequence[Service],
    total_minutes: int,
    nonce: str,
) -> dict[str, Any]:
    """Return the fields of a certificate, as they are spelled and signed.

    total_minutes: of the whole record, by which the stars go. nonce: keeps the hash in the code from being guessed
    from what else is known of the person, once they are forgotten.
    """
    first, last = span
    said = {
        "format": FORMAT,
        "number": number,
        "issued_on": f"{issued_on}",
        "first": f"{first}",
        "last": f"{last}",
        "name": person.name,
        "sex": person.sex,
        "born_on": person.born_on,
        "volunteer_number": person.volunteer_number,
        "area": person.area,
        "issuer": issuing.issuer,
        "handler": issuing.handler,
        "contact": issuing.contact,
        "minutes": sum(service.minutes for service in services),
        "total_minutes": total_minutes,
        "stars": stars(total_minutes),
        "services": [asdict(service) for service in services],
        "nonce": nonce,
    }
    return {name: _nfc(value) for name, value in said.items()}


def spell(said: dict[str, Any]) -> str:
    """Return the one spelling of the fields, which is hashed. Source: RFC 8785, as the ledger restricts it."""
    return ledger.canonical(said).decode()


def read(content: str) -> dict[str, Any]:
    """Return the fields of a spelling."""
    found: dict[str, Any] = json.loads(content)
    return found


def digest(content: str) -> bytes:
    """Return what the code holds of the fields: the first 16 bytes of their SHA-256."""
    return hashlib.sha256(content.encode()).digest()[:16]


def short_code(token: str) -> str:
    """Return twelve characters that people type instead of the code."""
    bits = int.from_bytes(hashlib.sha256(token.encode()).digest()[:8], "big") >> 4
    return "".join(_ALPHABET[bits >> 5 * place & 31] for place in reversed(range(SHORT_CHARACTERS)))


def read_short_code(typed: str) -> str:
    """Return a short code as it was typed: with spaces or hyphens, in small letters, O for 0 and I or L for 1."""
    plain = unicodedata.normalize("NFKC", typed).upper()
    return "".join(character for character in plain if character.isalnum()).translate(str.maketrans("OIL", "011"))


def in_fours(code: str) -> str:
    return "-".join(code[at : at + 4] for at in range(0, len(code), 4))


def base64url(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def _nfc(value: Any) -> Any:
    if isinstance(value, str):
        return unicodedata.normalize("NFC", value)
    if isinstance(value, dict):
        return {name: _nfc(one) for name, one in value.items()}
    return [_nfc(one) for one in value] if isinstance(value, list) else value
