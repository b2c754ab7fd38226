"""Opens roster files, .xlsx and .csv in UTF-8 or GB18030, in bounded memory, with a limit on everything."""

from __future__ import annotations

import codecs
import csv
import io
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import PurePath
from typing import IO, Any, Protocol
from xml.etree.ElementTree import ParseError

from defusedxml.common import DefusedXmlException

from moralbank.residents.roster_cells import as_text
from moralbank.residents.roster_errors import (
    RosterOldExcel,
    RosterTooLarge,
    RosterTooManyRows,
    RosterUnknownEncoding,
    RosterUnknownFormat,
    RosterUnpacksTooLarge,
    RosterUnreadable,
)

FILE_BYTES_MAX = 32 * 2**20
UNPACKED_BYTES_MAX = 256 * 2**20
PARTS_MAX = 1_000
ROWS_MAX = 100_000
#: Formatting dragged to the last row or column of a sheet is no content: what lies right of this is left.
COLUMNS_MAX = 100
_CHUNK = 2**16
#: What reading a damaged sheet raises, by the layer: zip, deflate, XML, cells.
_BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    OSError,
    ParseError,
    DefusedXmlException,
    LookupError,
    ValueError,
    TypeError,
    AttributeError,
)

Cells = tuple[str, ...]
#: A row's number in the sheet, from 1, and its cells as text.
NumberedRow = tuple[int, Cells]


class Book(Protocol):
    """A file that can be read again from the start: its sheets in order, and the rows of each."""

    file_format: str

    def sheets(self) -> int: ...

    def rows(self, sheet: int) -> Iterator[NumberedRow]: ...


def open_book(stream: IO[bytes], filename: str) -> Book:
    """Return the file as a book, by what is in it rather than by what it is called.

    Raises (in the order checked): RosterTooLarge, RosterOldExcel, RosterUnreadable, RosterUnpacksTooLarge,
    RosterUnknownFormat, RosterUnknownEncoding; its rows raise RosterUnreadable and RosterTooManyRows.
    """
    if stream.seek(0, io.SEEK_END) > FILE_BYTES_MAX:
        raise RosterTooLarge(megabytes=FILE_BYTES_MAX // 2**20)
    stream.seek(0)
    start = stream.read(8)
    if start.startswith(b"\xd0\xcf\x11\xe0"):
        raise RosterOldExcel()
    if start.startswith(b"PK"):
        return XlsxBook(stream)
    if PurePath(filename).suffix.lower() not in (".csv", ".txt"):
        raise RosterUnknownFormat()
    return CsvBook(stream)


class CsvBook:
    file_format = "csv"

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self.encoding = _encoding(stream)

    def sheets(self) -> int:
        return 1

    def rows(self, sheet: int) -> Iterator[NumberedRow]:
        self._stream.seek(0)
        lines = io.TextIOWrapper(self._stream, encoding=self.encoding, newline="")
        try:
            numbered = ((n, tuple(row[:COLUMNS_MAX])) for n, row in enumerate(csv.reader(lines), start=1))
            yield from _limited(numbered)
        except csv.Error:
            # An opening quote that never closes swallows the rest of the file into one field.
            raise RosterUnreadable() from None
        finally:
            lines.detach()  # otherwise the caller's stream would be closed with the wrapper


class XlsxBook:
    file_format = "xlsx"

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        try:
            with zipfile.ZipFile(stream) as archive:
                parts = archive.infolist()
        except (zipfile.BadZipFile, ValueError):
            raise RosterUnreadable() from None
        # zipfile never unpacks more of a part than its directory states, so what is stated is a limit.
        if len(parts) > PARTS_MAX or sum(part.file_size for part in parts) > UNPACKED_BYTES_MAX:
            raise RosterUnpacksTooLarge(megabytes=UNPACKED_BYTES_MAX // 2**20)

    def sheets(self) -> int:
        book = self._open()
        try:
            return len(book.worksheets)
        finally:
            book.close()

    def rows(self, sheet: int) -> Iterator[NumberedRow]:
        book = self._open()
        try:
            worksheet = book.worksheets[sheet]
            worksheet.reset_dimensions()  # the stated size of a sheet is often wrong
            values = worksheet.iter_rows(max_col=COLUMNS_MAX, values_only=True)
            # Counting first: a stray row at the very end makes openpyxl give a million empty ones before it.
            filled = ((n, row) for n, row in enumerate(values, start=1) if row.count(None) < len(row))
            yield from _limited((n, tuple(map(as_text, row))) for n, row in filled)
        except _BROKEN:
            raise RosterUnreadable() from None
        finally:
            book.close()

    def _open(self) -> Any:
        import openpyxl  # Here, because a start need not wait for what an import needs.

        self._stream.seek(0)
        try:
            # Formulas are read as they are written, so that one in a name is seen for what it is.
            return openpyxl.load_workbook(self._stream, read_only=True, data_only=False, keep_links=False)
        except Exception:
            # openpyxl answers a broken file with whatever its parts happen to raise.
            raise RosterUnreadable() from None


def _limited(rows: Iterator[NumberedRow]) -> Iterator[NumberedRow]:
    """Give the rows up to the last that holds anything; only rows that do are counted against the limit."""
    filled = given = 0
    for number, cells in rows:
        if not any(cell.strip() for cell in cells):
            continue
        filled += 1
        if filled > ROWS_MAX:
            raise RosterTooManyRows(rows=ROWS_MAX)
        yield from ((blank, ()) for blank in range(given + 1, number))
        yield number, _trimmed(cells)
        given = number


def _trimmed(cells: Cells) -> Cells:
    """Return the cells without the empty ones to the right of the last that holds anything."""
    width = max(place for place, cell in enumerate(cells, start=1) if cell.strip())
    return cells[:width]


def _encoding(stream: IO[bytes]) -> str:
    """Return the encoding in which the whole file is sound. UTF-8 first: GB18030 reads most of it too."""
    for encoding in ("utf-8-sig", "gb18030"):
        stream.seek(0)
        decoder = codecs.getincrementaldecoder(encoding)()
        try:
            while chunk := stream.read(_CHUNK):
                if "\0" in decoder.decode(chunk):
                    raise RosterUnknownEncoding()  # UTF-16, or no text at all
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            continue
        return encoding
    raise RosterUnknownEncoding()
