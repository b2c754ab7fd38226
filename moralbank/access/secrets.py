"""PINs and passwords: how they are made, judged, hashed and compared. Touches no database."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from functools import cache
from threading import BoundedSemaphore

from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError
from argon2.low_level import Type

from moralbank.access.errors import WeakSecret
from moralbank.errors import N_

PIN_DIGITS = 6
PASSWORD_MIN, PASSWORD_MAX = 10, 128
_DIFFERENT_MIN = 5
#: Without 0 O 1 l I, since a first password is read from paper.
_ALPHABET = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"
_DIGITS = "0123456789"
_FIRST_PASSWORD_LENGTH = 14

#: Each hash takes 19 MiB, so a burst of logins may not take more of them at once than there are processors.
_at_once = BoundedSemaphore(os.cpu_count() or 1)


def is_cheap() -> bool:
    """Tell whether hashes are made cheaply, as tests and demonstrations ask for; never in production."""
    return os.environ.get("MORALBANK_CHEAP_HASHES") == "1"


@cache
def _hasher(cheap: bool) -> PasswordHasher:
    # Source: OWASP Password Storage Cheat Sheet, argon2id with m=19 MiB, t=2, p=1.
    memory, passes = (8, 1) if cheap else (19 * 1024, 2)
    return PasswordHasher(time_cost=passes, memory_cost=memory, parallelism=1, type=Type.ID)


@cache
def _nobodys_hash(cheap: bool) -> str:
    return _hasher(cheap).hash(secrets.token_urlsafe())


def hashed(secret: str) -> str:
    """Return the argon2id hash to keep of a secret."""
    with _at_once:
        return _hasher(is_cheap()).hash(secret)


def matching(hashes: Mapping[int, str], secret: str) -> list[int]:
    """Return the keys of the hashes that are this secret's; nobody's hash takes as long as somebody's."""
    return [key for key, known in (hashes or {0: _nobodys_hash(is_cheap())}).items() if _is(known, secret)]


def _is(known: str, secret: str) -> bool:
    try:
        with _at_once:
            return _hasher(is_cheap()).verify(known, secret)
    except VerifyMismatchError:
        return False


def new_secret(kind: str) -> str:
    """Return a random first secret: six digits that nobody guesses, or a password readable from paper."""
    if kind == "password":
        return "".join(secrets.choice(_ALPHABET) for _ in range(_FIRST_PASSWORD_LENGTH))
    while True:
        pin = "".join(secrets.choice(_DIGITS) for _ in range(PIN_DIGITS))
        if not is_easy_pin(pin):
            return pin


def is_easy_pin(pin: str) -> bool:
    """Tell whether a PIN is one that thieves try first: 111122, 123456, 654321, 123123."""
    half = PIN_DIGITS // 2
    return len(set(pin)) <= 2 or pin in _DIGITS * 2 or pin in _DIGITS[::-1] * 2 or pin[:half] == pin[half:]


def refuse_weak(kind: str, secret: str, *, not_in: tuple[str, ...] = ()) -> None:
    """Refuse a secret that others could guess; `not_in` are texts they know. Raises: WeakSecret."""
    if kind == "pin":
        if not (len(secret) == PIN_DIGITS and secret.isascii() and secret.isdigit()):
            raise WeakSecret(errors={"secret": [N_("密码要 6 位数字。")]})
        if is_easy_pin(secret) or any(secret in known for known in not_in):
            raise WeakSecret(errors={"secret": [N_("这 6 位数字太好猜，请换一个，不要用连号、叠号或手机号里的数字。")]})
        return
    if not PASSWORD_MIN <= len(secret) <= PASSWORD_MAX:
        raise WeakSecret(errors={"secret": [N_("密码至少 10 个字符，最多 128 个。")]})
    easy = len(set(secret)) < _DIFFERENT_MIN
    if easy or any(known and known.casefold() in secret.casefold() for known in not_in):
        raise WeakSecret(errors={"secret": [N_("密码太好猜，请换一个，不要含有登录名，也不要重复几个字符。")]})
