"""The command that imports a roster, as one would type it."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from moralbank.branches.queries import Branch
from moralbank.db import Database
from moralbank.errors import Forbidden
from moralbank.residents import queries
from moralbank.residents.cli import residents
from tests._people import make_login

ROSTER = "姓名,手机号,所属驿站,期初积分\n张桂英,13800000001,南山驿站,25\n李四,12,南山驿站,5\n"


@pytest.fixture
def roster(tmp_path: Path) -> Path:
    path = tmp_path / "roster.csv"
    path.write_text(ROSTER, encoding="gb18030")
    return path


def run(url: str, *arguments: str) -> Result:
    return CliRunner().invoke(residents, ["import-roster", *arguments], env={"DATABASE_URL": url})


def test_a_roster_is_imported_once_however_often_it_is_run(
    database: Database, database_url: str, street: dict[str, Branch], roster: Path
) -> None:
    login = database.transact(make_login, "staff", street["NS-00"])
    options = (str(roster), "--branch", "NS-00", "--as", str(login.name))
    previewed = run(database_url, *options, "--preview", "--refused", str(roster.with_name("refused.csv")))
    assert "take 1, here 0, refuse 1, skip 0" in previewed.output
    assert "nobody enrolled" in previewed.output
    assert "李四" in roster.with_name("refused.csv").read_text(encoding="utf-8-sig")
    first = run(database_url, *options)
    assert "enrolled 1 residents with 25 opening points" in first.output
    again = run(database_url, *options)
    assert "take 0, here 1, refuse 1, skip 0" in again.output
    with database.reading() as db:
        (resident,) = queries.list_residents(db, [street["NS-01"].branch_id])
    assert resident.name == "张桂英"


@pytest.mark.parametrize(("role", "branch"), [("auditor", "NS-00"), ("staff", "NS-01")])
def test_only_staff_of_the_branch_import(
    database: Database, database_url: str, street: dict[str, Branch], roster: Path, role: str, branch: str
) -> None:
    login = database.transact(make_login, role, street[branch])
    refused = run(database_url, str(roster), "--branch", "NS-00", "--as", str(login.name))
    assert isinstance(refused.exception, Forbidden)
