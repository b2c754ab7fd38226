"""Roots as people copy them: the table is what it was made to be, reading is tolerant, slips are caught."""

from __future__ import annotations

import random
import unicodedata
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moralbank.transparency import board
from moralbank.transparency.board_errors import BoardCharacterUnknown, BoardLength, BoardMistyped

LEFT_OUT = Path(__file__).resolve().parents[2] / "docs" / "board" / "left_out.txt"
#: Sheets on walls are printed with it: it never changes.
TABLE_HASH = "b93e1c7785c6e6c1992b43e54b35c8d07a2fc410634fb00b7f0af7a2a97c5f7b"
ROOT = sha256("洛水镇".encode()).digest()
#: Pairs that people take for each other; the table has at most one of each.
LOOK_ALIKES = (
    "人入 土士 干千 未末 己已 日曰 天夫 折拆 风凤 母毋 乌鸟 治冶 末朱 贷货 侯候 枚枝 拨拔 幕慕 薄簿 睛晴".split()
)


def level_one() -> list[str]:
    """GB 2312 level 1 in the order of that standard, by the codec of Python."""
    rows = [(high, low) for high in range(0xB0, 0xD8) for low in range(0xA1, 0xFF)]
    return [bytes(row).decode("gb2312") for row in rows if row < (0xD7, 0xFA)]


def test_the_table_never_changes():
    assert sha256(board.table().encode()).hexdigest() == TABLE_HASH


def test_the_table_is_made_by_its_rule():
    lines = LEFT_OUT.read_text(encoding="utf-8").splitlines()
    left_out = set("".join(line for line in lines if not line.startswith("#")))

    assert "".join(one for one in level_one() if one not in left_out) == board.table()


def test_the_table_has_2048_different_characters_in_nfc():
    assert len(set(board.table())) == len(board.table()) == 2048
    assert unicodedata.normalize("NFC", board.table()) == board.table()
    assert all("CJK UNIFIED IDEOGRAPH" in unicodedata.name(one) for one in board.table())


@pytest.mark.parametrize("pair", LOOK_ALIKES)
def test_of_two_that_look_alike_the_table_has_at_most_one(pair: str):
    assert not set(pair) <= set(board.table())


def test_a_root_is_spelled_as_ever():
    assert board.spell(ROOT) == "械抖迄科哉阐努刻铸扮手开梅禾县绣维扰萄铭跪栋址浩"
    assert board.spell(bytes(32)) == "矮" * 24


@given(st.binary(min_size=32, max_size=32))
def test_what_is_spelled_is_read_again(root: bytes):
    assert board.read(board.spell(root)) == root
    assert board.read(root.hex()) == root


@pytest.mark.parametrize("mark", [" ", "\n", "\u3000", " / ", "-", "，", "·", "\u200b"])
def test_spaces_breaks_and_marks_between_groups_are_nothing(mark: str):
    assert board.read(mark.join(board.groups(board.spell(ROOT)))) == ROOT
    assert board.read(mark.join(board.groups(ROOT.hex()))) == ROOT


def test_full_width_and_capital_hex_digits_are_read():
    wide = "".join(chr(ord(one) + 0xFEE0) for one in ROOT.hex())

    assert board.read(wide) == board.read(ROOT.hex().upper()) == ROOT


def test_an_unknown_character_is_named_with_its_place_in_what_was_typed():
    spelled = board.spell(ROOT)

    with pytest.raises(BoardCharacterUnknown) as refusal:
        board.read(f"{spelled[:4]} {spelled[4:8]} 死{spelled[9:]}鬼")

    assert refusal.value.fields == {"place": 9, "character": "死"}


@pytest.mark.parametrize(("text", "count", "wanted"), [("", 0, 24), ("矮" * 23, 23, 24), ("ab" * 33, 66, 64)])
def test_a_wrong_count_is_refused(text: str, count: int, wanted: int):
    with pytest.raises(BoardLength) as refusal:
        board.read(text)

    assert refusal.value.fields == {"count": count, "wanted": wanted}


def passes(text: str) -> bool:
    try:
        board.read(text)
    except BoardMistyped:
        return False
    return True


def test_the_check_bits_catch_all_slips_of_one_character_but_7_in_2047():
    spelled = board.spell(ROOT)
    for place in range(24):
        slips = [spelled[:place] + other + spelled[place + 1 :] for other in board.table() if other != spelled[place]]

        assert sum(passes(slip) for slip in slips) == 7, place
    print(f"slips of one character: {24 * 2040:,} of {24 * 2047:,} caught")


def test_the_check_bits_catch_all_swaps_of_neighbours_but_as_few():
    chance, tried, passed = random.Random(7), 0, 0
    for _ in range(1_000):
        spelled = board.spell(chance.randbytes(32))
        for place in range(23):
            one, other = spelled[place : place + 2]
            if one != other:
                tried += 1
                passed += passes(spelled[:place] + other + one + spelled[place + 2 :])
    print(f"swaps of neighbours: {tried - passed:,} of {tried:,} caught")

    assert passed / tried < 0.0045


def test_no_two_characters_that_stand_close_in_the_order_of_sounds_pass_for_each_other():
    """GB 2312 level 1 goes by sound: whatever sounds the same is near."""
    spelled = board.spell(ROOT)
    for place in range(24):
        number = board.table().index(spelled[place])
        near = [*range(max(0, number - 40), number), *range(number + 1, min(2048, number + 41))]

        assert not any(passes(spelled[:place] + board.table()[other] + spelled[place + 1 :]) for other in near)


def test_the_places_that_differ_from_a_root_are_told():
    spelled = board.spell(ROOT)
    typed = "矮" + spelled[1:9] + "爱" + spelled[10:]

    assert board.differences(typed, ROOT) == [1, 10]
    assert board.differences(ROOT.hex()[:-1] + "Z", ROOT) != []
    assert board.differences(" ".join(board.groups(ROOT.hex().upper())), ROOT) == []
