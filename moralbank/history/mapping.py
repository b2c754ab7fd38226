"""What the columns and words of a file mean. Pure: reads a mapping and the file's rows, touches no book."""

from __future__ import annotations

import codecs
import csv
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import IO, Any
from zoneinfo import ZoneInfo

from moralbank.history.errors import BadMapping, MalformedLine, MissingColumns, UnknownType, UnreadableHistory
from moralbank.ledger import MAX_AMOUNT

PACKAGED = Path(__file__).parent / "mappings"
MAX_NAME_CHARACTERS = 100
_ID = re.compile(r"[A-Za-z0-9._-]{1,32}")
_LINE = re.compile(r"[A-Za-z0-9._-]{1,24}")
_WHOLE = re.compile(r"[0-9]{1,16}")
_REQUIRED = ("line", "person", "timestamp", "type", "amount")
_OPTIONAL = ("merchant", "balance")


class Act(StrEnum):
    """What a line does."""

    OPENING = "opening"
    DEPOSIT = "deposit"
    REDEMPTION = "redemption"
    PAYOUT = "payout"
    SKIP = "skip"


@dataclass(frozen=True, slots=True)
class ColumnMapping:
    """How one kind of file is to be read; history_id and a line's id together are the line's key for good."""

    history_id: str
    title: str
    encoding: str
    columns: Mapping[str, str]
    timestamp_format: str
    zone: ZoneInfo
    types: Mapping[str, Act]
    counters: frozenset[str]

    @property
    def has_balance(self) -> bool:
        return "balance" in self.columns


@dataclass(frozen=True, slots=True)
class HistoryLine:
    """One line of the file, understood. balance: what the file says was left afterwards, if it says so."""

    line_id: str
    person: str
    merchant: str
    happened_at: datetime
    act: Act
    amount: int
    balance: int | None


@dataclass(frozen=True, slots=True)
class Unread:
    """A line that can't be understood, and why."""

    line_id: str
    person: str
    refusal: MalformedLine | UnknownType


def find_mapping(name: str) -> Path:
    """Return the file of a mapping that is given by its path, or by the name of one that comes with the program.

    Raises: BadMapping.
    """
    packaged = {path.stem: path for path in PACKAGED.glob("*.toml")}
    if name in packaged:
        return packaged[name]
    if not Path(name).is_file():
        raise BadMapping(field="--map", reason=f"{name}: no such file, nor one of {', '.join(sorted(packaged))}")
    return Path(name)


def read_mapping(path: Path) -> ColumnMapping:
    """Return the mapping that a TOML file says.

    Raises: BadMapping, naming the first field that is not of its form.
    """
    try:
        given = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadMapping(field=path.name, reason=str(error)) from None
    _only(given, "", {"id", "title", "file", "columns", "timestamp", "types", "merchants"})
    history_id = _text(given, "id")
    if not _ID.fullmatch(history_id):
        raise BadMapping(field="id", reason="A-Z a-z 0-9 . _ -, 1 to 32")
    columns = {name: _text(_part(given, "columns"), name) for name in _part(given, "columns")}
    _only(columns, "columns.", {*_REQUIRED, *_OPTIONAL})
    for name in _REQUIRED:
        _text(columns, name, "columns.")
    types = {word: _act(word, act) for word, act in _part(given, "types").items()}
    if Act.REDEMPTION in types.values() and "merchant" not in columns:
        raise BadMapping(field="columns.merchant", reason="redemptions need it")
    return ColumnMapping(
        history_id=history_id,
        title=_text(given, "title")[:MAX_NAME_CHARACTERS],
        encoding=_encoding(_text({"encoding": "utf-8-sig"} | given.get("file", {}), "encoding", "file.")),
        columns=columns,
        timestamp_format=_text(_part(given, "timestamp"), "format", "timestamp."),
        zone=_zone(_text(_part(given, "timestamp"), "zone", "timestamp.")),
        types=types,
        counters=_names(given.get("merchants", {}).get("counters", [])),
    )


def _part(given: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = given.get(name)
    if not isinstance(part, dict) or not part:
        raise BadMapping(field=name, reason="missing")
    return part


def _only(given: Mapping[str, Any], prefix: str, known: set[str]) -> None:
    for name in given:
        if name not in known:
            raise BadMapping(field=f"{prefix}{name}", reason="not known")


def _text(given: Mapping[str, Any], name: str, prefix: str = "") -> str:
    value = given.get(name)
    if not isinstance(value, str) or not value:
        raise BadMapping(field=f"{prefix}{name}", reason="missing")
    return value


def _act(word: str, act: object) -> Act:
    try:
        return Act(act)  # type: ignore[arg-type]
    except ValueError:
        raise BadMapping(field=f"types.{word}", reason=", ".join(Act)) from None


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        raise BadMapping(field="timestamp.zone", reason=name) from None


def _encoding(name: str) -> str:
    try:
        return codecs.lookup(name).name
    except LookupError:
        raise BadMapping(field="file.encoding", reason=name) from None


def _names(names: object) -> frozenset[str]:
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise BadMapping(field="merchants.counters", reason="a list of names")
    return frozenset(names)


def read_lines(file: IO[str], mapping: ColumnMapping) -> Iterator[HistoryLine | Unread]:
    """Yield the file's lines in its order, one at a time.

    Raises: MissingColumns before the first line; UnreadableHistory where the file is no longer text of its encoding.
    """
    rows = csv.reader(file)
    try:
        header = [cell.strip() for cell in next(rows, [])]
        places = _places(header, mapping)
        for row in rows:
            if any(cell.strip() for cell in row):
                yield _read({name: _cell(row, place) for name, place in places.items()}, mapping)
    except (csv.Error, UnicodeDecodeError) as error:
        raise UnreadableHistory(row=rows.line_num, reason=str(error)) from None


def _places(header: Sequence[str], mapping: ColumnMapping) -> dict[str, int]:
    missing = [heading for heading in mapping.columns.values() if heading not in header]
    if missing:
        raise MissingColumns(columns=", ".join(missing))
    return {name: header.index(heading) for name, heading in mapping.columns.items()}


def _cell(row: Sequence[str], place: int) -> str:
    return row[place].strip() if place < len(row) else ""


def _read(cells: Mapping[str, str], mapping: ColumnMapping) -> HistoryLine | Unread:
    """Understand one line: first its fields, then its type."""
    try:
        line = HistoryLine(
            line_id=_line_id(cells["line"]),
            person=_name("person", cells["person"]),
            merchant=_name("merchant", cells["merchant"]) if cells.get("merchant") else "",
            happened_at=_instant(cells["timestamp"], mapping),
            act=Act.SKIP,
            amount=_whole("amount", cells["amount"]),
            balance=_whole("balance", cells["balance"]) if cells.get("balance") else None,
        )
        act = mapping.types.get(cells["type"])
        if act is None:
            raise UnknownType(value=cells["type"])
    except (MalformedLine, UnknownType) as refusal:
        return Unread(cells["line"], cells["person"], refusal)
    return HistoryLine(line.line_id, line.person, line.merchant, line.happened_at, act, line.amount, line.balance)


def _line_id(text: str) -> str:
    if not _LINE.fullmatch(text):
        raise MalformedLine(field="line", value=text)
    return text


def _name(field: str, text: str) -> str:
    if not 1 <= len(text) <= MAX_NAME_CHARACTERS or not text.isprintable():
        raise MalformedLine(field=field, value=text)
    return text


def _instant(text: str, mapping: ColumnMapping) -> datetime:
    try:
        return datetime.strptime(text, mapping.timestamp_format).replace(tzinfo=mapping.zone)
    except ValueError:
        raise MalformedLine(field="timestamp", value=text) from None


def _whole(field: str, text: str) -> int:
    """Return a whole number that is not negative: a correction has a type of its own."""
    if not _WHOLE.fullmatch(text) or int(text) > MAX_AMOUNT:
        raise MalformedLine(field=field, value=text)
    return int(text)


def in_batches(lines: Iterable[HistoryLine | Unread], size: int) -> Iterator[list[HistoryLine | Unread]]:
    """Yield the lines in lists of at most `size`."""
    batch: list[HistoryLine | Unread] = []
    for line in lines:
        batch.append(line)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch
