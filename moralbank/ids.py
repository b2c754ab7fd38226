"""The only maker of identifiers: time-ordered ids, secret tokens, and printed numbers with check digits."""

from __future__ import annotations

import secrets
from uuid import UUID

from moralbank import clock


def new_id() -> UUID:
    """Return a 128-bit id that sorts by the time it was made.

    Source: RFC 9562 §5.7 (UUID version 7).
    """
    return new_ids(1)[0]


def new_ids(number: int) -> list[UUID]:
    """Return so many ids of one instant, rising."""
    milliseconds = int(clock.now().timestamp() * 1000)
    head = (milliseconds & (2**48 - 1)) << 80 | 0x7 << 76 | 0b10 << 62
    noise = secrets.token_bytes(10 * number)
    made = [int.from_bytes(noise[place : place + 10], "big") for place in range(0, len(noise), 10)]
    return [UUID(int=head | value) for value in sorted([bits >> 68 << 64 | bits & (2**62 - 1) for bits in made])]


def token(octets: int = 32) -> str:
    """Return an unguessable URL-safe text of `octets` random octets."""
    return secrets.token_urlsafe(octets)


def secret(octets: int) -> bytes:
    """Return so many unguessable octets."""
    return secrets.token_bytes(octets)


def checked_digits(prefix: str, random_digits: int) -> str:
    """Return prefix + random digits + two check digits, as printed on cards and payment codes.

    Source: ISO 7064 mod 97-10; it catches every single wrong digit and every swap of neighbours.
    """
    body = prefix + "".join(secrets.choice("0123456789") for _ in range(random_digits))
    return with_check(body)


def with_check(body: str) -> str:
    """Return the digits with their two ISO 7064 mod 97-10 check digits appended."""
    return body + f"{98 - int(body) * 100 % 97:02d}"


def has_valid_check(number: str) -> bool:
    """Tell whether a number of digits ends in the check digits that belong to it."""
    return number.isascii() and number.isdigit() and len(number) > 2 and int(number) % 97 == 1
