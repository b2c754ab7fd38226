"""Tables as files: CSV in which nothing is run when it is opened, XLSX in bounded memory. Knows no package."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime
from tempfile import SpooledTemporaryFile
from typing import IO

from flask import Response, send_file, stream_with_context

from moralbank import clock

Cell = str | int | date | datetime | None
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_CHUNK_CHARACTERS = 64 * 1024
_IN_MEMORY_BYTES = 2**21
#: A spreadsheet runs a text cell of a CSV file that starts with one of these.
_RUNS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def csv_response(rows: Iterable[Sequence[Cell]], filename: str) -> Response:
    """Answer with a UTF-8 CSV file (with a BOM, for spreadsheets), row by row as they are read."""
    response = Response(stream_with_context(_csv(rows)), content_type="text/csv; charset=utf-8")
    response.headers["Content-Disposition"] = f'attachment; filename="{filename}"'
    return response


def _csv(rows: Iterable[Sequence[Cell]]) -> Iterator[bytes]:
    buffer = io.StringIO()
    buffer.write("\ufeff")
    writer = csv.writer(buffer)
    for row in rows:
        writer.writerow([safe(cell) for cell in row])
        if buffer.tell() >= _CHUNK_CHARACTERS:
            yield buffer.getvalue().encode()
            buffer.seek(0)
            buffer.truncate()
    yield buffer.getvalue().encode()


def safe(cell: Cell) -> str | int:
    """Return what a CSV cell may hold: a whole number as it is, a text that no spreadsheet takes for a formula."""
    if isinstance(cell, int):
        return cell
    text = _text(cell)
    return f"'{text}" if text.startswith(_RUNS) else text


def _text(cell: Cell) -> str:
    if cell is None:
        return ""
    if isinstance(cell, datetime):
        return f"{clock.local(cell):%Y-%m-%d %H:%M:%S}"
    return str(cell)


def xlsx_response(rows: Iterable[Sequence[Cell]], filename: str, sheet_name: str) -> Response:
    """Answer with a workbook of one sheet whose first row stays in sight."""
    out: IO[bytes] = SpooledTemporaryFile(_IN_MEMORY_BYTES)  # noqa: SIM115 - send_file closes it with the answer
    _write_xlsx(rows, sheet_name, out)
    out.seek(0)
    return send_file(out, XLSX, as_attachment=True, download_name=filename)


def _write_xlsx(rows: Iterable[Sequence[Cell]], sheet_name: str, out: IO[bytes]) -> None:
    options = {
        "constant_memory": True,
        "strings_to_formulas": False,
        "strings_to_numbers": False,
        "strings_to_urls": False,
    }
    import xlsxwriter  # Here, because a start need not wait for what an export needs.

    with xlsxwriter.Workbook(out, options) as workbook:
        sheet = workbook.add_worksheet(sheet_name)
        sheet.freeze_panes(1, 0)
        for number, row in enumerate(rows):
            for column, cell in enumerate(row):
                if isinstance(cell, int):
                    sheet.write_number(number, column, cell)
                elif cell is not None:
                    sheet.write_string(number, column, _text(cell))
