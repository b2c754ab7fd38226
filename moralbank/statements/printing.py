"""What a print run's files hold: the statements of the next people, as sheets in one PDF or as a PDF each."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from moralbank import papers
from moralbank.branches.queries import get_branch, list_branches
from moralbank.residents.queries import Resident, list_to_print
from moralbank.statements import codes, paper, prints, queries
from moralbank.statements.issued import check
from moralbank.statements.paper import Holder
from moralbank.statements.prints import PAGE, Print
from moralbank.statements.values import Statement
from moralbank.web.pdf import sheet


@dataclass(frozen=True, slots=True)
class PrintPage:
    """The next people of a run, and their statements; whoever has none in the period is passed over."""

    people: list[Resident]
    made: list[tuple[Resident, Statement, dict[str, Any]]]

    @property
    def last(self) -> tuple[str, int]:
        return self.people[-1].building or "", self.people[-1].resident_id


def read_page(db: Connection, one: Print, public_url: str) -> PrintPage:
    """Read the next statements of a run; public_url: where their codes lead to.

    Raises: IssuedDiffers, when the book no longer says what was issued.
    """
    branch_ids = [branch.branch_id for branch in list_branches(db, one.branch_id)]
    after = (one.after_building, one.after_resident)
    people = list_to_print(db, branch_ids, after=after, phoneless=one.phoneless, limit=PAGE)
    place = get_branch(db, one.branch_id).name_zh
    made = []
    for resident in people:
        owner = queries.owner_of_resident(db, resident)
        if owner.first_month >= one.period.following:
            continue
        found = queries.statement_of(db, owner, one.period)
        if found.issued is None:
            continue
        check(db, found.issued)
        address = codes.find_address(db, found.issued, public_url)
        document = paper.document(found, Holder(resident.name, resident.number, _address(place, resident)), address)
        made.append((resident, found, document))
    return PrintPage(people, made)


def write_part(root: Path, one: Print, page: PrintPage) -> None:
    """Write a page's file, whole or not at all. Raises: OSError, PaperUnavailable."""
    path = prints.part_path(root, one, one.parts + 1)
    if one.form == "run":
        octets = _pdf([document for _, _, document in page.made], page.made[0][1])
        with prints.whole_file(path) as stream:
            stream.write(octets)
        return
    with prints.whole_file(path) as stream, zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as files:
        for resident, found, document in page.made:
            files.writestr(f"{resident.number}-{one.period_name}.pdf", _pdf([document], found))


def _pdf(documents: list[dict[str, Any]], first: Statement) -> bytes:
    return papers.pdf("sheet", sheet(paper.title([first]), documents), paper.made_at(first))


def _address(place: str, resident: Resident) -> str:
    """Return where the sheet goes: the bearer reads the building first."""
    return " ".join(filter(None, (resident.building, resident.grid, place)))
