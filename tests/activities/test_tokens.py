"""The code in the QR picture: nobody else can make it, alter it, or use it late."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta

import pytest

from moralbank.activities import tokens, verdicts
from moralbank.activities.tokens import Key, Token

NOW = datetime(2026, 11, 21, 6, 30, 5, tzinfo=UTC)
KEY = Key(3, bytes(range(32)))
KEYS = {3: KEY}


def read(text: str, now: datetime = NOW, keys: dict[int, Key] | None = None):
    return tokens.verify(text, KEYS if keys is None else keys, now)


def test_a_token_is_27_characters_and_comes_back_whole() -> None:
    text = tokens.rotating(KEY, 4_000_000_000, 7, NOW)
    assert len(text) == 27
    assert read(text) == Token(tokens.ROTATING, 3, 4_000_000_000, 7, 0, tokens.step_of(NOW))
    assert read(tokens.poster(KEY, 12, 99)) == Token(tokens.POSTER, 3, 12, 0, 0, 99)


def test_the_layout_is_the_documented_twenty_bytes() -> None:
    octets = base64.urlsafe_b64decode(tokens.sign(KEY, Token(0x11, 3, 258, 5, 1, 65536)) + "=")
    assert octets[:12] == bytes([0x11, 3, 0, 0, 1, 2, 5, 1, 0, 1, 0, 0])
    assert len(octets) == 20


@pytest.mark.parametrize("kind", ["rotating", "poster"])
def test_each_of_the_160_single_bit_flips_is_forged(kind: str) -> None:
    text = tokens.rotating(KEY, 17, 0, NOW) if kind == "rotating" else tokens.poster(KEY, 17, 4)
    octets = base64.urlsafe_b64decode(text + "=")
    for bit in range(160):
        flipped = bytearray(octets)
        flipped[bit // 8] ^= 1 << bit % 8
        spelled = base64.urlsafe_b64encode(flipped).rstrip(b"=").decode()
        assert read(spelled) is verdicts.FORGED, bit


def test_another_spelling_of_the_same_bytes_is_forged() -> None:
    text = tokens.rotating(KEY, 17, 0, NOW)
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    loose = text[:-1] + alphabet[alphabet.index(text[-1]) ^ 1]
    assert base64.urlsafe_b64decode(loose + "=") == base64.urlsafe_b64decode(text + "=")
    for other in (loose, text + "=", " " + text, text + "\n", text[:-1], text + "A", text.replace(text[0], "+", 1)):
        assert read(other) is verdicts.FORGED


def test_a_code_opens_for_twenty_to_thirty_seconds_and_never_longer() -> None:
    start = datetime(2026, 11, 21, 6, 30, 0, tzinfo=UTC)
    text = tokens.rotating(KEY, 17, 0, start)
    for seconds in range(-60, 90):
        got = read(text, start + timedelta(seconds=seconds))
        assert isinstance(got, Token) == (-10 <= seconds < 30), seconds


def test_a_code_of_a_retired_key_lives_out_its_seconds_and_a_poster_its_day() -> None:
    retired = {3: Key(3, KEY.secret, retired_at=NOW)}
    assert isinstance(read(tokens.rotating(KEY, 17, 0, NOW), NOW + timedelta(seconds=20), retired), Token)
    later = NOW + timedelta(seconds=31)
    assert read(tokens.rotating(KEY, 17, 0, later), later, retired) is verdicts.EXPIRED
    assert isinstance(read(tokens.poster(KEY, 17, 4), NOW + timedelta(days=3), retired), Token)


def test_an_unknown_key_another_secret_and_another_kind_are_forged() -> None:
    assert read(tokens.rotating(KEY, 17, 0, NOW), keys={}) is verdicts.FORGED
    assert read(tokens.rotating(Key(3, b"x" * 32), 17, 0, NOW)) is verdicts.FORGED
    assert read(tokens.sign(KEY, Token(0x15, 3, 17, 0, 0, tokens.step_of(NOW)))) is verdicts.FORGED
    assert read(tokens.sign(KEY, Token(0x11, 3, 17, 0, 3, tokens.step_of(NOW)))) is verdicts.FORGED


@pytest.mark.parametrize("text", ["", "x", "签到", "null", "a" * 27, "../../etc/passwd", "1" * 26 + "é"])
def test_rubbish_is_forged(text: str) -> None:
    assert read(text) is verdicts.FORGED


def test_the_digits_of_another_apps_payment_code_are_named_as_such() -> None:
    assert read("134567890123456789") is verdicts.WRONG_APP


def test_the_seconds_left_count_down_from_ten() -> None:
    assert [tokens.seconds_left(NOW.replace(second=second)) for second in (0, 1, 9, 10)] == [10, 9, 1, 10]
