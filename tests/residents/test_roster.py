"""A roster with the usual dirt, in three formats, row by row; and rosters that are refused as a whole."""

from __future__ import annotations

import csv
import io
import json
import tracemalloc
import zipfile
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import openpyxl
import pytest
import xlsxwriter

from moralbank.errors import MoralBankError
from moralbank.residents import roster_errors, roster_files
from moralbank.residents.roster import RosterRow, RowVerdict, Take, read
from moralbank.residents.roster_refused import write_refused

DATA = Path(__file__).parent.parent / "data" / "roster"
FILES = ["residents.csv", "residents-gbk.csv", "residents.xlsx", "with a BOM"]
TODAY = date(2026, 11, 21)
BRANCHES = {
    "道德银行中心空间": 3,
    "南山驿站": 4,
    "育苗驿站": 5,
    "丽春驿站": 6,
    "景华驿站": 7,
    "湖北驿站": 8,
    "天津驿站": 9,
}
HEADER = ["姓名", "手机号", "所属驿站", "户号", "期初积分"]
WHY = {
    "empty": "empty",
    "not a phone number": "not-a-phone",
    "unknown branch": "unknown-branch",
    "negative": "negative",
    "not a whole number": "not-whole",
    "in the future": "in-the-future",
    "not a date": "not-a-date",
    "starts like a spreadsheet formula": "formula",
    "blank row": "blank-row",
    "total row": "total-row",
}


@pytest.fixture(scope="module")
def expected() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((DATA / "residents.expected.json").read_text(encoding="utf-8"))
    return found


def open_file(name: str) -> tuple[io.BytesIO, str]:
    if name == "with a BOM":
        return io.BytesIO(b"\xef\xbb\xbf" + (DATA / "residents.csv").read_bytes()), "residents.csv"
    return io.BytesIO((DATA / name).read_bytes()), name


def as_expected(verdict: RowVerdict) -> dict[str, Any]:
    """Say a verdict in the words of the expected file, but for the reason, which stays our code."""
    if verdict.take is Take.SKIP:
        return {"take": False, "skip": True, "why": verdict.reason_code}
    if verdict.take is Take.REFUSE:
        reason = verdict.reasons[0]
        why: object = (reason.code, reason.first_row) if reason.first_row else reason.code
        return {"take": False, "column": reason.column, "why": why}
    row = verdict.values
    assert row is not None
    return {
        "take": True,
        "name": row.name,
        "phone": row.phone,
        "branch": row.branch,
        "household": row.household,
        "party_member": row.party_member,
        "born": row.born_on and row.born_on.isoformat(),
        "joined": row.joined_on and row.joined_on.isoformat(),
        "opening_points": row.opening_points,
    }


def in_our_codes(row: dict[str, Any]) -> dict[str, Any]:
    why = row.get("why")
    if why is None:
        return row
    if why.startswith("already in this file"):
        return row | {"why": ("duplicate", int(why.rsplit(" ", 1)[1]))}
    return row | {"why": WHY[why]}


@pytest.mark.parametrize("name", FILES)
def test_every_row_is_judged_as_expected(name: str, expected: dict[str, Any]) -> None:
    stream, filename = open_file(name)
    sheet = read(stream, filename, BRANCHES, TODAY)
    verdicts = list(sheet)
    assert sheet.first_row == expected["first_sheet_row"]
    assert [verdict.row_number for verdict in verdicts] == list(range(3, 3 + len(expected["rows"])))
    for verdict, row in zip(verdicts, expected["rows"], strict=True):
        assert as_expected(verdict) == in_our_codes(row), f"sheet row {verdict.row_number}"
    count = {take: sum(verdict.take is take for verdict in verdicts) for take in Take}
    assert count == {
        Take.TAKE: expected["taken"],
        Take.REFUSE: expected["refused"],
        Take.SKIP: expected["skipped"],
    }
    points = sum(verdict.values.opening_points for verdict in verdicts if verdict.values)
    assert points == expected["opening_points"]


@pytest.mark.parametrize("name", FILES)
def test_a_sheet_reads_the_same_a_second_time(name: str) -> None:
    sheet = read(*open_file(name), BRANCHES, TODAY)
    assert list(sheet) == list(sheet)


@pytest.mark.parametrize("file_format", ["csv", "xlsx"])
def test_refused_rows_come_back_with_the_reason_beside_each_and_run_nothing(file_format: str) -> None:
    sheet = read(*open_file("residents.xlsx"), BRANCHES, TODAY)
    refused = [verdict for verdict in sheet if verdict.take is Take.REFUSE]
    with write_refused(sheet, file_format, sheet.header) as file:
        content = file.read()
    again = read(io.BytesIO(content), f"refused.{file_format}", BRANCHES, TODAY)
    assert again.first_row == 2
    rows = list(again)
    assert [row.cells[len(sheet.header)] for row in rows] == [verdict.sentence for verdict in refused]
    # Alone in their file the second rows of the three people are no duplicates any more.
    assert sum(row.take is Take.TAKE for row in rows) == 3
    if file_format == "xlsx":
        page = openpyxl.load_workbook(io.BytesIO(content)).active
        assert page is not None
        assert all(cell.data_type == "s" for line in page.iter_rows() for cell in line if cell.value is not None)
    else:
        assert content.startswith(b"\xef\xbb\xbf")
        cells = [cell for line in csv.reader(io.StringIO(content.decode("utf-8-sig"))) for cell in line]
        assert [cell for cell in cells if cell.startswith(("=", "+", "@"))] == []
        assert '\'=HYPERLINK("x","y")' in cells


def judge(*rows: list[object]) -> list[RowVerdict]:
    out = io.StringIO(newline="")
    csv.writer(out).writerows([HEADER, *rows])
    return list(read(io.BytesIO(out.getvalue().encode()), "r.csv", BRANCHES, TODAY))


def only(*rows: list[object]) -> RowVerdict:
    (verdict,) = judge(*rows)
    return verdict


def taken(*row: object) -> RosterRow:
    verdict = only(list(row))
    assert verdict.values is not None, verdict.reasons
    return verdict.values


def test_a_family_shares_a_phone_and_an_old_lady_has_none() -> None:
    rows = judge(["张三", "13700000000", "南山驿站", "H1", 5], ["张小三", "13700000000", "南山驿站", "H1", 5])
    assert [row.take for row in rows] == [Take.TAKE, Take.TAKE]
    assert taken("李奶奶", "", "南山驿站", "H2", "").phone is None


def test_two_people_of_one_name_without_a_phone_are_one_only_in_one_household() -> None:
    rows = judge(["李明", "", "南山驿站", "H1"], ["李明", "", "南山驿站", "H2"], ["李 明", "", "南山驿站", "H1"])
    assert [row.reason_code for row in rows] == [None, None, "duplicate"]


def test_a_refused_row_does_not_make_the_next_a_duplicate() -> None:
    rows = judge(["张三", "13700000000", "南山驿站", "H1", -5], ["张三", "13700000000", "南山驿站", "H1", 5])
    assert [row.reason_code for row in rows] == ["negative", None]


def test_all_there_is_to_mend_in_a_row_is_said_at_once() -> None:
    verdict = only(["", "123", "月亮驿站", "H1", "1.5"])
    assert [reason.code for reason in verdict.reasons] == [
        "empty",
        "not-a-phone",
        "unknown-branch",
        "not-whole",
    ]
    assert all(reason.column and reason.column in reason.sentence for reason in verdict.reasons)


def test_the_hub_is_known_by_its_short_name_and_its_whole_name() -> None:
    assert taken("张三", "13700000000", "中心空间", "", "").branch_id == 3
    assert taken("张三", "13700000000", "道德银行 中心空间", "", "").branch_id == 3


def test_a_header_that_comes_again_on_the_next_page_is_skipped() -> None:
    assert only(list(HEADER)).reason_code == "repeated-header"


def test_a_total_row_is_one_wherever_the_word_stands_but_a_person_is_a_person() -> None:
    assert only(["合 计：", "", "", "", 500]).reason_code == "total-row"
    assert only(["", "", "", "总计", 500]).reason_code == "total-row"
    assert only(["共计", "13700000000", "南山驿站", "", 5]).take is Take.TAKE


def test_blank_rows_at_the_end_are_no_rows() -> None:
    assert judge(["", "", "", "", ""], [" ", "　", "", "", ""]) == []


def test_the_header_is_found_under_titles_and_its_columns_by_other_names() -> None:
    text = "储户名单\n\n填表人：王五,,\n 姓 名 *,联系电话,驿站\n张三,13700000000,南山驿站\n"
    sheet = read(io.BytesIO(text.encode("gb18030")), "名单.CSV", BRANCHES, TODAY)
    assert (sheet.header_row, [row.row_number for row in sheet]) == (4, [5])


def workbook(fill: Callable[[Any, Any], None]) -> io.BytesIO:
    out = io.BytesIO()
    with xlsxwriter.Workbook(out) as book:
        fill(book, book.add_worksheet())
    return out


def test_a_workbook_may_hold_real_numbers_dates_and_a_cover_sheet() -> None:
    def fill(book: Any, cover: Any) -> None:
        cover.write(0, 0, "说明")
        page = book.add_worksheet()
        page.write_row(2, 0, [*HEADER, "出生日期"])
        page.write_row(4, 0, ["张三", 13700000000, "南山驿站", "H1", 120.0])
        page.write_datetime(4, 5, date(1960, 2, 29), book.add_format({"num_format": "yyyy-mm-dd"}))
        page.set_row(1_048_575, 30)

    sheet = read(workbook(fill), "r.xlsx", BRANCHES, TODAY)
    blank, row = list(sheet)
    assert (blank.row_number, blank.take) == (4, Take.SKIP)
    assert row.values is not None
    assert (row.values.phone, row.values.opening_points) == ("13700000000", 120)
    assert row.values.born_on == date(1960, 2, 29)


def test_a_real_formula_in_a_name_is_seen() -> None:
    def fill(_book: Any, page: Any) -> None:
        page.write_row(0, 0, HEADER)
        page.write_formula(1, 0, '=HYPERLINK("x","y")', None, "张三")
        page.write_row(1, 1, ["13700000000", "南山驿站"])

    (row,) = read(workbook(fill), "r.xlsx", BRANCHES, TODAY)
    assert row.reason_code == "formula"


def generated(rows: int) -> Iterator[str]:
    yield "姓名,手机号,所属驿站,户号,期初积分\n"
    for n in range(rows):
        yield f"张三,{13700000000 + n},南山驿站,H{n // 3},5\n"


@pytest.mark.long
def test_six_thousand_rows_are_judged_in_bounded_memory() -> None:
    csv_file = io.BytesIO("".join(generated(6_000)).encode())

    def fill(_book: Any, page: Any) -> None:
        for n, line in enumerate(generated(6_000)):
            page.write_row(n, 0, line.strip().split(","))

    for stream, name in ((csv_file, "r.csv"), (workbook(fill), "r.xlsx")):
        tracemalloc.start()
        try:
            count = sum(verdict.take is Take.TAKE for verdict in read(stream, name, BRANCHES, TODAY))
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert count == 6_000
        # The keys of the people taken, and for .xlsx its table of shared texts; never the rows.
        assert peak < 5 * 2**20


def test_a_million_rows_are_refused() -> None:
    stream = io.BytesIO("".join(generated(1_000_000)).encode())
    with pytest.raises(roster_errors.RosterTooLarge):
        read(stream, "r.csv", BRANCHES, TODAY)
    short = io.BytesIO(b"name,phone,branch\n" + b"a,1,b\n" * 1_000_000)
    with pytest.raises(roster_errors.RosterTooManyRows):
        list(read(short, "r.csv", BRANCHES, TODAY))


def test_a_zip_bomb_is_refused_before_it_unpacks() -> None:
    bomb = io.BytesIO()
    with (
        zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive,
        archive.open("xl/worksheets/sheet1.xml", "w", force_zip64=True) as part,
    ):
        for _ in range(roster_files.UNPACKED_BYTES_MAX // 2**20 + 1):
            part.write(bytes(2**20))
    assert len(bomb.getvalue()) < 2**20
    with pytest.raises(roster_errors.RosterUnpacksTooLarge):
        read(bomb, "r.xlsx", BRANCHES, TODAY)


def test_a_bomb_of_entities_is_refused() -> None:
    evil = io.BytesIO()
    with zipfile.ZipFile(DATA / "residents.xlsx") as good, zipfile.ZipFile(evil, "w") as archive:
        for part in good.infolist():
            body = good.read(part)
            if part.filename.endswith("sheet1.xml"):
                body = b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>' + body.replace(
                    "谢勇海".encode(), b"&b;"
                )
            archive.writestr(part.filename, body)
    with pytest.raises(roster_errors.RosterUnreadable):
        list(read(evil, "r.xlsx", BRANCHES, TODAY))


@pytest.mark.parametrize(
    ("content", "name", "refusal"),
    [
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "r.xls", roster_errors.RosterOldExcel),
        (b"PK\x03\x04 and no more", "r.xlsx", roster_errors.RosterUnreadable),
        (b"%PDF-1.7", "r.pdf", roster_errors.RosterUnknownFormat),
        ("姓名,手机号".encode("utf-16"), "r.csv", roster_errors.RosterUnknownEncoding),
        (b"\xff\xff\xff", "r.csv", roster_errors.RosterUnknownEncoding),
        (b"", "r.csv", roster_errors.RosterHeaderMissing),
        ("姓名\n张三\n".encode(), "r.csv", roster_errors.RosterHeaderMissing),
        ("姓名,性别,备注\n张三,,\n".encode(), "r.csv", roster_errors.RosterColumnsMissing),
        (('姓名,手机号,驿站\n"' + "张" * 200_000).encode(), "r.csv", roster_errors.RosterUnreadable),
    ],
)
def test_a_file_that_is_no_roster_is_refused_by_name(content: bytes, name: str, refusal: type[MoralBankError]) -> None:
    with pytest.raises(refusal):
        list(read(io.BytesIO(content), name, BRANCHES, TODAY))


@pytest.mark.long
def test_a_damaged_workbook_is_refused_or_read_but_never_fails() -> None:
    content = (DATA / "residents.xlsx").read_bytes()
    outcomes = set()
    for place in range(0, len(content), len(content) // 20):
        damaged = content[:place] + bytes([content[place] ^ 0x55]) + content[place + 1 :]
        try:
            outcomes.add(len(list(read(io.BytesIO(damaged), "r.xlsx", BRANCHES, TODAY))))
        except MoralBankError as refusal:
            outcomes.add(refusal.code)
    assert "roster-unreadable" in outcomes
