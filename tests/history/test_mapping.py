"""A mapping says what a file's columns and words mean, and says so completely or not at all."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from moralbank.history.errors import BadMapping, MissingColumns, UnreadableHistory
from moralbank.history.mapping import Act, HistoryLine, find_mapping, read_lines, read_mapping

OWN = """
id = "old-book"
title = "旧账"
[file]
encoding = "gb18030"
[columns]
line = "序号"
person = "卡号"
timestamp = "时间"
type = "类别"
amount = "分"
[timestamp]
format = "%Y-%m-%d %H:%M"
zone = "Asia/Shanghai"
[types]
"存" = "deposit"
"注" = "skip"
"""


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "own.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_file_with_chinese_headings_and_no_balance_is_read_by_its_own_mapping(tmp_path: Path) -> None:
    mapping = read_mapping(written(tmp_path, OWN))
    rows = io.StringIO("时间,序号,卡号,类别,分\n2020-01-02 08:30,a-1,卡7,存,25\n\n")
    [line] = read_lines(rows, mapping)

    assert isinstance(line, HistoryLine)
    assert (line.line_id, line.person, line.act, line.amount, line.balance) == ("a-1", "卡7", Act.DEPOSIT, 25, None)
    assert line.happened_at.isoformat() == "2020-01-02T08:30:00+08:00"
    assert not mapping.has_balance


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        ('id = "old-book"', 'id = "old book"', "id"),
        ('line = "序号"', "", "columns.line"),
        ('line = "序号"', 'line = "序号"\ncolour = "x"', "columns.colour"),
        ('"注" = "skip"', '"注" = "ignore"', "types.注"),
        ('"注" = "skip"', '"注" = "redemption"', "columns.merchant"),
        ('zone = "Asia/Shanghai"', 'zone = "Mars/Olympus"', "timestamp.zone"),
        ('encoding = "gb18030"', 'encoding = "klingon"', "file.encoding"),
        ("[types]", "[tyypes]", "tyypes"),
        ('title = "旧账"', 'title = "旧账', "own.toml"),
    ],
)
def test_a_mapping_that_is_not_of_its_form_is_refused_by_the_field(
    tmp_path: Path, old: str, new: str, field: str
) -> None:
    with pytest.raises(BadMapping) as refusal:
        read_mapping(written(tmp_path, OWN.replace(old, new)))
    assert refusal.value.fields["field"] == field


def test_a_mapping_nobody_wrote_is_refused_with_the_names_of_those_that_are_there() -> None:
    with pytest.raises(BadMapping, match="minsapay-2019"):
        find_mapping("no-such-mapping")


def test_a_file_without_a_column_is_refused_before_its_first_line(tmp_path: Path) -> None:
    mapping = read_mapping(written(tmp_path, OWN))
    with pytest.raises(MissingColumns) as refusal:
        list(read_lines(io.StringIO("时间,序号,类别\n"), mapping))
    assert refusal.value.fields["columns"] == "卡号, 分"


def test_a_file_in_another_encoding_is_refused_with_the_row(tmp_path: Path) -> None:
    mapping = read_mapping(find_mapping("minsapay-2019"))
    file = tmp_path / "history.csv"
    file.write_bytes(b"transaction,user,booth,timestamp,type,amount,balance\n" + b"\xff\xfe\n")
    with file.open(encoding=mapping.encoding, newline="") as text, pytest.raises(UnreadableHistory):
        list(read_lines(text, mapping))
