"""Writes the refused rows of a roster as a file to mend and import again, the reasons beside each."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator
from tempfile import SpooledTemporaryFile
from typing import IO

from moralbank.errors import N_
from moralbank.residents.roster import RowVerdict, Take
from moralbank.residents.roster_files import Cells

REASON_HEADING = N_("未导入原因")
ROW_HEADING = N_("原表行号")
_IN_MEMORY = 2**20
_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?")
#: A spreadsheet runs a text cell of a CSV file that starts with one of these.
_RUNS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def write_refused(verdicts: Iterable[RowVerdict], file_format: str, header: Cells) -> IO[bytes]:
    """Return an open file, at its start, with the refused rows among the verdicts, in bounded memory.

    `file_format` is "xlsx" or "csv" (UTF-8 with BOM). Nothing in it is run when it is opened.
    """
    out: IO[bytes] = SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115 - the caller closes it
    rows = _rows(verdicts, header)
    if file_format == "xlsx":
        _write_xlsx(rows, out)
    else:
        _write_csv(rows, out)
    out.seek(0)
    return out


def _rows(verdicts: Iterable[RowVerdict], header: Cells) -> Iterator[list[str]]:
    yield [*header, REASON_HEADING, ROW_HEADING]
    for verdict in verdicts:
        if verdict.take is Take.REFUSE:
            padded = (*verdict.cells, *[""] * len(header))[: len(header)]
            sentences = "".join(reason.sentence for reason in verdict.reasons)
            yield [*padded, sentences, str(verdict.row_number)]


def _write_xlsx(rows: Iterable[list[str]], out: IO[bytes]) -> None:
    options = {
        "constant_memory": True,
        "strings_to_formulas": False,
        "strings_to_numbers": False,
        "strings_to_urls": False,
    }
    import xlsxwriter  # Here, because a start need not wait for what an import needs.

    with xlsxwriter.Workbook(out, options) as book:
        sheet = book.add_worksheet("未导入")
        sheet.freeze_panes(1, 0)
        for number, row in enumerate(rows):
            for place, text in enumerate(row):
                sheet.write_string(number, place, text)


def _write_csv(rows: Iterable[list[str]], out: IO[bytes]) -> None:
    text = io.TextIOWrapper(out, encoding="utf-8-sig", newline="")
    writer = csv.writer(text)
    for row in rows:
        writer.writerow([_harmless(cell) for cell in row])
    text.flush()
    text.detach()


def _harmless(text: str) -> str:
    return "'" + text if text.lstrip(" ").startswith(_RUNS) and not _NUMBER.fullmatch(text) else text
