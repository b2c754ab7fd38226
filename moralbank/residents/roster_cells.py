"""Reads single cells of a roster: what was meant by what was typed, or which kind of mistake it is. Pure."""

from __future__ import annotations

import re
import unicodedata
from datetime import date, datetime

_WIDTH = {0xFF01 + n: 0x21 + n for n in range(94)}
_SPACES = dict.fromkeys((0x3000, 0xA0, 0x2007, 0x202F), " ")
#: Every middle dot in use in names to the one of the standard.
_DOTS = dict.fromkeys(map(ord, "・･•‧∙⋅●"), "·")
_INVISIBLE = dict.fromkeys([*range(0x200B, 0x2010), *range(0x202A, 0x202F), 0x2060, 0xFEFF, 0xAD])
_DASHES = dict.fromkeys(map(ord, "‐‑‒–—―−"), "-")
_TABLE = _WIDTH | _SPACES | _INVISIBLE | _DASHES

_FORMULA_STARTS = ("=", "+", "-", "@")
_PHONE = re.compile(r"(?:\+?86|0086)?(1[3-9][0-9]{9})")
_DATE = re.compile(r"([0-9]{4})(?:([-/.])([0-9]{1,2})\2([0-9]{1,2})|年([0-9]{1,2})月([0-9]{1,2})[日号]?)")
_DAY_DIGITS = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})")
_MIDNIGHT = re.compile(r"[ T]0{1,2}:00(:00(\.0+)?)?$")
_WHOLE = re.compile(r"(-?)([0-9]+|[0-9]{1,3}(?:,[0-9]{3})+)(?:\.0+)?分?")
_HAN_GAP = re.compile(r"(?<=[^\x00-\u02ff]) +(?=[^\x00-\u02ff])")

_NAME_MARKS = " ·.'’()-"
_SEXES = {
    "": None,
    "男": "male",
    "男性": "male",
    "m": "male",
    "女": "female",
    "女性": "female",
    "f": "female",
}

NAME_LENGTH_MAX = 50
#: No old book holds more; a phone number typed into this column does.
OPENING_POINTS_MAX = 100_000
EARLIEST_BIRTH = date(1900, 1, 1)


class CellRefused(Exception):
    """A cell that can't be meant as typed; carries the stable code of the mistake."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def as_text(value: object) -> str:
    """Return a cell's value as it would be typed: spreadsheets hand over numbers and dates as such."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == datetime.min.time() else value.isoformat(" ")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def clean(text: str) -> str:
    """Return text in half width, without invisible characters, with single spaces and none around it."""
    return " ".join(text.translate(_TABLE).split())


def refuse_formula(text: str) -> str:
    """Return the text, or refuse it if a spreadsheet would run it."""
    if text.startswith(_FORMULA_STARTS):
        raise CellRefused("formula")
    return text


def read_name(raw: str) -> str:
    """Return a name. Spaces that only spread Chinese characters apart go; those between Latin words stay."""
    text = refuse_formula(clean(raw))
    if not text:
        raise CellRefused("empty")
    text = _HAN_GAP.sub("", text.translate(_DOTS))
    if len(text) > NAME_LENGTH_MAX:
        raise CellRefused("name-too-long")
    letters = [mark for mark in text if _is_letter(mark)]
    if not letters or len(letters) + sum(mark in _NAME_MARKS for mark in text) < len(text):
        raise CellRefused("not-a-name")
    return text


def read_phone(raw: str) -> str | None:
    """Return the eleven digits of a mobile number; None when the cell is empty: not everybody has a phone."""
    text = re.sub(r"[ ()-]", "", clean(raw))
    if not text:
        return None
    match = _PHONE.fullmatch(text)
    if match is None:
        raise CellRefused("not-a-phone")
    return match[1]


def read_date(raw: str, today: date) -> date | None:
    """Return a day written in any of the usual ways, None for an empty cell; never one after today."""
    text = clean(raw)
    if not text:
        return None
    text = _MIDNIGHT.sub("", text).replace(" ", "")
    match = _DATE.fullmatch(text) or _DAY_DIGITS.fullmatch(text)
    if match is None:
        raise CellRefused("not-a-date")
    year, month, day = (int(part) for part in match.groups() if part and part.isdigit())
    try:
        found = date(year, month, day)
    except ValueError:
        raise CellRefused("not-a-date") from None
    if found > today:
        raise CellRefused("in-the-future")
    if found < EARLIEST_BIRTH:
        raise CellRefused("too-long-ago")
    return found


def read_points(raw: str) -> int:
    """Return whole points; an empty cell is none."""
    text = clean(raw).replace(" ", "")
    if not text:
        return 0
    match = _WHOLE.fullmatch(text)
    if match is None:
        raise CellRefused("not-whole")
    points = int(match[2].replace(",", "")) if len(match[2]) <= 20 else OPENING_POINTS_MAX + 1
    if match[1] and points:
        raise CellRefused("negative")
    if points > OPENING_POINTS_MAX:
        raise CellRefused("too-many-points")
    return points


def read_yes_no(raw: str) -> bool:
    """Return whether a cell says yes; an empty cell says no."""
    text = clean(raw).casefold()
    if text in ("是", "有", "y", "yes", "true", "1", "√", "✓", "党员", "中共党员"):
        return True
    if text in ("", "否", "无", "不是", "n", "no", "false", "0", "×", "群众", "非党员"):
        return False
    raise CellRefused("not-yes-no")


def read_sex(raw: str) -> str | None:
    """Return "male" or "female", None for an empty cell."""
    text = clean(raw).casefold()
    if text not in _SEXES:
        raise CellRefused("not-a-sex")
    return _SEXES[text]


def read_label(raw: str) -> str | None:
    """Return a short text such as a grid, building or household number, None for an empty cell."""
    text = refuse_formula(clean(raw))
    if len(text) > NAME_LENGTH_MAX:
        raise CellRefused("too-long")
    return text or None


def _is_letter(mark: str) -> bool:
    # Private-use characters (Co) stand for rare family names in older fonts.
    category = unicodedata.category(mark)
    return category[0] in "LM" or category == "Co"
