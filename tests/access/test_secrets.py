"""PINs and passwords: what is refused as easy, and what a hash gives away."""

from __future__ import annotations

import pytest

from moralbank.access import secrets
from moralbank.access.errors import WeakSecret


@pytest.mark.parametrize(
    "pin", ["12345", "1234567", "12345a", "１２３４５６", "123456", "654321", "901234", "000000", "112211", "258258"]
)
def test_a_pin_that_thieves_try_first_is_refused(pin: str) -> None:
    with pytest.raises(WeakSecret) as refusal:
        secrets.refuse_weak("pin", pin)
    assert "secret" in refusal.value.errors


def test_an_ordinary_pin_is_taken_and_one_inside_a_known_text_is_not() -> None:
    secrets.refuse_weak("pin", "258369")
    with pytest.raises(WeakSecret):
        secrets.refuse_weak("pin", "258369", not_in=("13825836900",))


@pytest.mark.parametrize("password", ["short", "x" * 129, "aaaaaaaaaaaaa", "abababababab", "my-WangFang-1"])
def test_a_password_that_is_short_repetitive_or_the_name_is_refused(password: str) -> None:
    with pytest.raises(WeakSecret):
        secrets.refuse_weak("password", password, not_in=("wangfang",))


def test_first_secrets_satisfy_their_own_rules_and_differ() -> None:
    for kind in ("pin", "password"):
        made = {secrets.new_secret(kind) for _ in range(50)}
        assert len(made) > 45
        for secret in made:
            secrets.refuse_weak(kind, secret)


def test_a_hash_is_argon2id_and_two_of_one_secret_differ() -> None:
    one, other = secrets.hashed("258369"), secrets.hashed("258369")
    assert one.startswith("$argon2id$")
    assert one != other


def test_all_whose_secret_it_is_are_found_and_nobody_when_there_is_nobody() -> None:
    hashes = {1: secrets.hashed("258369"), 2: secrets.hashed("147258"), 3: secrets.hashed("258369")}
    assert secrets.matching(hashes, "258369") == [1, 3]
    assert secrets.matching(hashes, "000001") == []
    assert secrets.matching({}, "258369") == []


def test_the_dear_profile_is_what_runs_unless_it_is_asked_for_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MORALBANK_CHEAP_HASHES")
    hashed = secrets.hashed("258369")
    assert "m=19456,t=2,p=1" in hashed
    assert secrets.matching({7: hashed}, "258369") == [7]
