"""What a reversal could not take is offset from later awards: never more than was missing, and for a year."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from tests.verifier import _paper as p
from tests.verifier._paper import SUN, ZHAO, Paper
from tests.verifier._run import run


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    path = tmp_path / "policy.txt"
    path.write_text(p.policy_of(p.LOG_KEY, p.ACCESS_KEY))
    return path


def taken_back(spent: int = 15, *, deed: bool = True) -> tuple[Paper, list]:
    """Old Sun got 20 points, spent some of them and then it was taken back: what is left at once, the rest later."""
    paper = Paper()
    given = paper.award(SUN, 20)
    paper.redemption(SUN, spent)
    legs = ((SUN, "points", spent - 20), (p.ISSUER, "points", 20 - spent)) if spent < 20 else ()
    minutes = ((SUN, "minutes", -120), (p.REGISTRY, "minutes", 120))
    paper.entry("reversal", *legs, *minutes, rev=given, ok="staff:2")
    row = paper.shortfall(given, SUN, spent)
    if deed:
        paper.fact("approve", log=2, by="staff:2", a=SUN, src="approval:1")
    return paper, row


def offset_twice(paper: Paper, row: list) -> None:
    paper.award(SUN, 9)
    paper.offset(row, 9, 1)
    paper.award(SUN, 30)
    paper.offset(row, 6, 2)
    row[9] = paper.now.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def a_year_later(paper: Paper, row: list) -> None:
    paper.now += timedelta(days=365)


def seen(paper: Paper, tmp_path: Path, keys: Path) -> tuple[int, str]:
    paper.signed_sizes = [len(paper.leaves)]
    return run(paper.write(tmp_path / "export.zip"), "--key", keys)


def test_a_shortfall_is_added_up_and_told(tmp_path: Path, keys: Path) -> None:
    paper, row = taken_back()
    offset_twice(paper, row)
    status, said = seen(paper, tmp_path, keys)
    assert status == 0, said
    assert "1  reversals that fell short, by 15 points: 15 offset later, 0 let go after a year" in said


def test_what_is_left_after_a_year_is_let_go(tmp_path: Path, keys: Path) -> None:
    paper, row = taken_back()
    paper.award(SUN, 9)
    paper.offset(row, 9, 1)
    row[5], row[9] = 6, row[8]
    status, said = seen(paper, tmp_path, keys)
    assert status == 0, said
    assert "by 15 points: 9 offset later, 6 let go after a year" in said


def test_a_reversal_of_which_nothing_was_left_is_dated_by_its_deed(tmp_path: Path, keys: Path) -> None:
    paper = Paper()
    given = paper.entry("award", (p.ISSUER, "points", -20), (SUN, "points", 20, "2029-03-01"), rule=["V01", 1])
    paper.redemption(SUN, 20)
    row = paper.shortfall(given, SUN, 20)
    paper.fact("approve", log=2, by="staff:2", a=SUN, src="approval:1")
    paper.award(SUN, 9)
    paper.offset(row, 9, 1)
    paper.now += timedelta(hours=1)
    paper.deed("login", by="staff:1")
    assert seen(paper, tmp_path, keys)[0] == 0
    row[7] = row[7].replace("T01:", "T00:")
    assert "(opened)" in seen(paper, tmp_path, keys)[1]
    row[2], row[7] = 2, row[7].replace("T00:", "T01:")
    assert "(approval)" in seen(paper, tmp_path, keys)[1]


def put(**cells: object) -> Callable[[Paper, list], None]:
    """State something else than is so."""

    def change(paper: Paper, row: list) -> None:
        for name, value in cells.items():
            row[COLUMNS.index(name)] = value

    return change


COLUMNS = "award account request missing taken let_go steps opened ends closed".split()
MIDNIGHT = "T16:00:00.000000Z"
WRONG: dict[str, tuple[Callable[[Paper, list], object], str]] = {
    "more than was missing": (lambda paper, row: paper.offset(row, 16, 1), "it offsets no award"),
    "more in all": (lambda paper, row: (paper.offset(row, 9, 1), paper.offset(row, 7, 2)), "it offsets no award"),
    "a step left out": (lambda paper, row: (paper.offset(row, 1, 1), paper.offset(row, 1, 3)), "it offsets no award"),
    "too late": (lambda paper, row: (a_year_later(paper, row), paper.offset(row, 1, 1)), "it offsets no award"),
    "another's points": (lambda paper, row: paper.offset(row, 1, 1, ZHAO), "it offsets no award"),
    "of no award": (lambda paper, row: paper.offset(["0" * 32, *row[1:]], 1, 1), "it offsets no award"),
    "a later end": (put(ends=f"2028-02-28{MIDNIGHT}"), "(ends)"),
    "a later year": (put(opened="2026-03-04T01:20:00.000000Z", ends=f"2027-03-03{MIDNIGHT}"), "(opened)"),
    "more said to be missing": (put(missing=16), "(missing)"),
    "less said to be missing": (put(missing=14), "(missing)"),
    "more said to be offset": (put(taken=1), "(offset)"),
    "let go too early": (put(let_go=15, closed="2026-12-01T00:00:00.000000Z"), "(let go)"),
    "let go and open": (put(let_go=15), "(let go)"),
    "closed with a rest": (put(closed="2027-12-01T00:00:00.000000Z"), "(closed)"),
    "stated twice": (lambda paper, row: paper.shortfalls.append(row), "(twice)"),
    "not stated": (lambda paper, row: paper.shortfalls.clear(), "it reverses what cannot be reversed"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_does_not_add_up_is_named(tmp_path: Path, keys: Path, case: str) -> None:
    change, words = WRONG[case]
    paper, row = taken_back()
    paper.award(ZHAO, 40)
    paper.award(SUN, 40)
    change(paper, row)
    status, said = seen(paper, tmp_path, keys)
    assert status == 1, said
    assert words in said


def test_a_part_goes_on_with_reversals_and_offsets_of_what_came_before(tmp_path: Path, keys: Path) -> None:
    paper = Paper()
    paper.award(ZHAO, 10)
    given = paper.award(SUN, 20)
    paper.redemption(SUN, 15)
    paper.sign()
    old = paper.write(tmp_path / "old.zip")
    minutes = ((SUN, "minutes", -120), (p.REGISTRY, "minutes", 120))
    paper.entry("reversal", (SUN, "points", -5), (p.ISSUER, "points", 5), *minutes, rev=given, ok="staff:2")
    row = paper.shortfall(given, SUN, 15)
    offset_twice(paper, row)
    paper.reverse(0, "reversal", ok="staff:2")
    paper.sign()
    part = paper.write(tmp_path / "part.zip", start=3)
    status, said = run("since", old, part, "--key", keys)
    assert status == 0, said
    assert run(part, "--key", keys)[0] == 0
    row[4] += 1
    assert run("since", old, paper.write(tmp_path / "part.zip", start=3), "--key", keys)[0] == 1
