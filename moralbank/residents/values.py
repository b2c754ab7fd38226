"""Small pure facts about residents: masks, consents, ages, the fingerprint of a person. Knows no database."""

from __future__ import annotations

import hashlib
import unicodedata
from datetime import date
from enum import StrEnum

#: Below it a guardian's consent is on record. PIPL art. 31 asks it under 14; the bank asks it of all minors.
AGE_OF_MAJORITY = 18

#: Who enrolled somebody that registered themselves at the door of a session.
SELF = "self"

CARD_PREFIX = "70"
CARD_DIGITS = 24

_COMPOUND_SURNAMES = frozenset(
    str.split(
        "欧阳 太史 端木 上官 司马 东方 独孤 南宫 万俟 闻人 夏侯 诸葛 尉迟 公羊 赫连 澹台 皇甫 宗政 "
        "濮阳 公冶 太叔 申屠 公孙 慕容 仲孙 钟离 长孙 宇文 司徒 鲜于 司空 闾丘 亓官 司寇 巫马 公西 "
        "颛孙 壤驷 公良 漆雕 乐正 宰父 谷梁 拓跋 夹谷 轩辕 令狐 段干 百里 呼延 东郭 南门 羊舌 微生 "
        "梁丘 左丘 东门 西门"
    )
)


class Status(StrEnum):
    ACTIVE = "active"
    SUSPENDED = "suspended"
    LEFT = "left"


#: In the list's filter beside the statuses: minors of whom no guardian is on record.
AWAITING = "guardian"


class Consent(StrEnum):
    """What a resident may agree to, each on its own and each to be withdrawn at any time."""

    RECORD = "record"
    NOTICE = "notice"
    PHOTO = "photo"
    HONOUR = "honour"


def mask(name: str) -> str:
    """Return a name fit for others' eyes: 张*三, 张*, 欧阳*娜. One star, however long the name is."""
    marks = _characters(name)
    if len(marks) < 2:
        return "*"
    family = 2 if len(marks) > 2 and "".join(marks[:2]) in _COMPOUND_SURNAMES else 1
    last = marks[-1] if len(marks) > family + 1 else ""
    return "".join(marks[:family]) + "*" + last


def mask_phone(phone: str | None) -> str:
    """Return 138****5678, or nothing where there is no phone."""
    return f"{phone[:3]}****{phone[-4:]}" if phone else ""


def list_about(search: str, status: str) -> str:
    """Return what a list was narrowed by, for the record: of what was typed only that something was."""
    return "residents" + (":search" if search else "") + (f":{status}" if status in {*Status, AWAITING} else "")


def person_key(name: str, phone: str | None, household_code: str | None, born_on: date | None) -> str:
    """Return the fingerprint by which a person is known again when a roster comes a second time.

    Name and phone say who it is; without a phone, name, household and day of birth.
    """
    same = "".join(unicodedata.normalize("NFC", name).casefold().split())
    parts = (same, phone) if phone else (same, "", household_code or "", born_on.isoformat() if born_on else "")
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]


def age(born_on: date, today: date) -> int:
    """Return the full years a person has lived."""
    return today.year - born_on.year - ((today.month, today.day) < (born_on.month, born_on.day))


def is_minor(born_on: date | None, today: date) -> bool:
    """Tell whether a person needs a guardian's consent; an unknown day of birth is taken for an adult's."""
    return born_on is not None and age(born_on, today) < AGE_OF_MAJORITY


def adult_since(today: date) -> date:
    """Return the latest day of birth of those who are of age today."""
    try:
        return today.replace(year=today.year - AGE_OF_MAJORITY)
    except ValueError:  # 29 February in a year that has none: who was born on the next day is not yet of age.
        return today.replace(year=today.year - AGE_OF_MAJORITY, day=28)


def in_fours(card_number: str) -> str:
    """Return a card number as it is printed and read out: 7012 3456 …"""
    return " ".join(card_number[at : at + 4] for at in range(0, len(card_number), 4))


def _characters(text: str) -> list[str]:
    """Split a text into what a reader sees as characters: a mark or variant selector stays with its base."""
    found: list[str] = []
    for mark in text.strip():
        if found and unicodedata.category(mark).startswith("M"):
            found[-1] += mark
        else:
            found.append(mark)
    return found
