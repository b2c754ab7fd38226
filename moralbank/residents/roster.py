"""Reads and judges a roster of depositors: a verdict per row. Writes nothing, knows no Flask."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import date
from typing import IO, TypeVar

from moralbank import clock
from moralbank.residents import roster_cells as cells
from moralbank.residents.roster_columns import columns_of, label_of, written
from moralbank.residents.roster_errors import RosterColumnsMissing, RosterHeaderMissing
from moralbank.residents.roster_files import Book, Cells, open_book
from moralbank.residents.roster_verdicts import Reason, RosterRow, RowVerdict, Take

__all__ = ["Reason", "RosterRow", "RowVerdict", "Sheet", "Take", "read"]

HEADER_ROWS_MAX = 30
#: A title row may hold one word that is also a column's name; a header holds several.
_HEADER_COLUMNS_MIN = 3
_REQUIRED = ("name", "phone", "branch")
#: The short way to write a branch leaves out the institution's own name.
_INSTITUTION = "道德银行"
_TOTAL_WORDS = ("合计", "总计", "小计", "共计", "总数", "total")

T = TypeVar("T")


class Sheet:
    """A roster whose header was found. Each iteration reads the file again and gives a verdict per row."""

    def __init__(
        self,
        book: Book,
        number: int,
        header_row: int,
        header: Cells,
        branches: Mapping[str, int],
        today: date,
    ) -> None:
        self.header_row = header_row
        self.first_row = header_row + 1
        self.header = header
        self.file_format = book.file_format
        self._book = book
        self._number = number
        self._branches = branches
        self._today = today

    def __iter__(self) -> Iterator[RowVerdict]:
        """Give the verdicts in the order of the sheet. Raises RosterUnreadable, RosterTooManyRows."""
        judge = _Judge(self.header, self._branches, self._today)
        for row_number, row in self._book.rows(self._number):
            if row_number > self.header_row:
                yield judge.verdict(row_number, row)


def read(stream: IO[bytes], filename: str, branches: Mapping[str, int], today: date | None = None) -> Sheet:
    """Return the roster in a file, with its header row found under whatever titles stand above it.

    `branches` maps the names (or codes) that may stand in the sheet to branch ids. The stream must be
    seekable and stay open while the sheet is read.
    Raises (in the order checked): as `open_book`, then RosterHeaderMissing, RosterColumnsMissing.
    """
    book = open_book(stream, filename)
    for number in range(book.sheets()):
        for row_number, row in book.rows(number):
            if row_number > HEADER_ROWS_MAX:
                break
            columns = columns_of(row)
            if len(columns) < _HEADER_COLUMNS_MIN:
                continue
            missing = [label_of(column) for column in _REQUIRED if column not in columns]
            if missing:
                raise RosterColumnsMissing(columns="、".join(missing))
            return Sheet(book, number, row_number, row, _branch_names(branches), today or clock.today())
    raise RosterHeaderMissing(rows=HEADER_ROWS_MAX)


class _Judge:
    """Judges rows one by one and remembers who was taken."""

    def __init__(self, header: Cells, branches: Mapping[str, int], today: date) -> None:
        self._header = tuple(map(written, header))
        self._columns = columns_of(header)
        self._labels = {column: cells.clean(header[place]) for column, place in self._columns.items()}
        self._branches = branches
        self._today = today
        self._taken: dict[tuple[str | None, ...], int] = {}

    def verdict(self, row_number: int, row: Cells) -> RowVerdict:
        skipped = self._skip(row)
        if skipped:
            return RowVerdict(row_number, Take.SKIP, row, reasons=(Reason(skipped),))
        reasons: list[Reason] = []
        values = self._values(row, reasons)
        if values is not None:
            first_row = self._taken.setdefault(_identity(values), row_number)
            if first_row == row_number:
                return RowVerdict(row_number, Take.TAKE, row, values)
            reasons.append(Reason("duplicate", self._labels["name"], first_row))
        return RowVerdict(row_number, Take.REFUSE, row, reasons=tuple(reasons))

    def _skip(self, row: Cells) -> str | None:
        texts = tuple(map(written, row))
        if not any(texts):
            return "blank-row"
        if texts[: len(self._header)] == self._header:
            return "repeated-header"
        name = written(self._cell(row, "name")).rstrip(":")
        nobody = (not name or name in _TOTAL_WORDS) and not written(self._cell(row, "phone"))
        if nobody and any(text.rstrip(":") in _TOTAL_WORDS for text in texts):
            return "total-row"
        return None

    def _values(self, row: Cells, reasons: list[Reason]) -> RosterRow | None:
        def cell(column: str, reader: Callable[[str], T]) -> T | None:
            try:
                return reader(self._cell(row, column))
            except cells.CellRefused as refusal:
                reasons.append(Reason(refusal.code, self._labels[column]))
                return None

        def day(text: str) -> date | None:
            return cells.read_date(text, self._today)

        name = cell("name", cells.read_name)
        sex = cell("sex", cells.read_sex)
        born_on = cell("born_on", day)
        phone = cell("phone", cells.read_phone)
        branch = cell("branch", self._read_branch)
        grid = cell("grid", cells.read_label)
        building = cell("building", cells.read_label)
        household = cell("household", cells.read_label)
        party_member = cell("party_member", cells.read_yes_no)
        joined_on = cell("joined_on", day)
        points = cell("opening_points", cells.read_points)
        if born_on and joined_on and joined_on < born_on:
            reasons.append(Reason("before-birth", self._labels["joined_on"]))
        if reasons or name is None or branch is None:
            return None
        return RosterRow(
            name=name,
            phone=phone,
            branch=branch,
            branch_id=self._branches[written(branch)],
            household=household,
            grid=grid,
            building=building,
            sex=sex,
            party_member=bool(party_member),
            born_on=born_on,
            joined_on=joined_on,
            opening_points=points or 0,
            note=cells.clean(self._cell(row, "note")),
        )

    def _read_branch(self, raw: str) -> str:
        text = cells.clean(raw)
        if not text:
            raise cells.CellRefused("empty")
        if written(text) not in self._branches:
            raise cells.CellRefused("unknown-branch")
        return text

    def _cell(self, row: Cells, column: str) -> str:
        place = self._columns.get(column)
        return row[place] if place is not None and place < len(row) else ""


def _branch_names(branches: Mapping[str, int]) -> dict[str, int]:
    """Return the names to compare with, and for each the short one unless that is another branch's name."""
    names = {written(name): branch_id for name, branch_id in branches.items()}
    for name, branch_id in list(names.items()):
        short = name.removeprefix(_INSTITUTION)
        if short:
            names.setdefault(short, branch_id)
    return names


def _identity(values: RosterRow) -> tuple[str | None, ...]:
    """Return what makes a person the same: name and phone; without a phone name, household and birth."""
    name = values.name.replace(" ", "").casefold()
    if values.phone is not None:
        return (name, values.phone)
    return (name, None, values.household, values.born_on.isoformat() if values.born_on else None)
