"""Print runs: a station's statements of a period as files, page by page; a file that is not whole is never counted.

A page's file is written beside its name, brought to the disk and renamed; only then does the run's position move, in a
transaction that the position before it keys. So a full disk or a killed process loses at most the page it was at.
"""

from __future__ import annotations

import os
import shutil
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import IO

import sqlalchemy as sa
from sqlalchemy import Connection

from moralbank import clock
from moralbank.statements.errors import PrintNotReady, UnknownPrint
from moralbank.statements.models import prints
from moralbank.statements.periods import Period, read_period

#: Statements in a file: more in one would need much memory to set.
PAGE = 50
#: Print runs are other people's accounts: they are not kept longer than it takes to print them.
KEPT = timedelta(days=7)
FORMS = ("run", "files", "shops")
OPEN = ("waiting", "stopped")


@dataclass(frozen=True, slots=True)
class Print:
    """A run. form: "run" sheets in the order of the buildings, "files" one for each person, "shops" one for each
    merchant, and at a hub for each team and the pool.
    """

    print_id: int
    branch_id: int
    book_id: int
    period_name: str
    form: str
    phoneless: bool
    #: waiting, stopped (and goes on by itself), done, dropped.
    state: str
    asked_by: str
    asked_at: datetime
    #: Up to whom it is; of shops the second is the merchant's number.
    after_building: str
    after_resident: int
    parts: int
    done: int
    total: int
    #: Why it stopped: disk-full, disk-error, paper-unavailable.
    fault: str | None
    ended_at: datetime | None

    @property
    def period(self) -> Period:
        return read_period(self.period_name)

    @property
    def is_open(self) -> bool:
        return self.state in OPEN


_COLUMNS = [
    prints.c.period.label("period_name") if name == "period_name" else prints.c[name]
    for name in Print.__dataclass_fields__
]


def ask(
    db: Connection, branch_id: int, book_id: int, period: Period, form: str, phoneless: bool, total: int, *, actor: str
) -> Print:
    """Enter a run; the job makes it within a minute."""
    row = {
        "branch_id": branch_id, "book_id": book_id, "period": period.name, "form": form, "phoneless": phoneless,
        "state": "waiting", "asked_by": actor, "asked_at": clock.now(), "after_building": "", "after_resident": 0,
        "parts": 0, "done": 0, "total": total,
    }  # fmt: skip
    print_id = db.execute(prints.insert().values(row).returning(prints.c.print_id)).scalar_one()
    return get_print(db, print_id)


def get_print(db: Connection, print_id: int) -> Print:
    """Return a run. Raises: UnknownPrint."""
    row = db.execute(sa.select(*_COLUMNS).where(prints.c.print_id == print_id)).first()
    if row is None:
        raise UnknownPrint()
    return Print(*row)


def list_prints(db: Connection, branch_ids: list[int], *, limit: int = 30) -> list[Print]:
    """Return the runs of the branches, the latest first."""
    query = sa.select(*_COLUMNS).where(prints.c.branch_id.in_(branch_ids))
    return [Print(*row) for row in db.execute(query.order_by(prints.c.print_id.desc()).limit(limit))]


def list_open(db: Connection) -> list[Print]:
    """Return what is to be made or gone on with, the first asked for first."""
    query = sa.select(*_COLUMNS).where(prints.c.state.in_(OPEN)).order_by(prints.c.print_id)
    return [Print(*row) for row in db.execute(query)]


def list_kept(db: Connection) -> list[Print]:
    """Return the runs that still have files."""
    query = sa.select(*_COLUMNS).where(prints.c.state != "dropped").order_by(prints.c.print_id)
    return [Print(*row) for row in db.execute(query)]


def keep_part(db: Connection, one: Print, after: tuple[str, int], statements: int, people: int) -> bool:
    """Count a file that is whole on the disk, unless somebody else has; tell whether that was so.

    statements: in the file; where there are none, there is no file.
    """
    moved = (
        sa.update(prints)
        .where(
            prints.c.print_id == one.print_id,
            prints.c.state.in_(OPEN),
            prints.c.after_building == one.after_building,
            prints.c.after_resident == one.after_resident,
        )
        .values(
            after_building=after[0],
            after_resident=after[1],
            parts=one.parts + bool(statements),
            done=one.done + people,
            state="waiting",
            fault=None,
        )
    )
    return db.execute(moved).rowcount > 0


def set_state(db: Connection, print_id: int, state: str, fault: str | None = None) -> None:
    """Note what became of a run."""
    ended = clock.now() if state in ("done", "dropped") else None
    here = prints.c.print_id == print_id
    db.execute(sa.update(prints).where(here).values(state=state, fault=fault, ended_at=ended))


def folder(root: Path, one: Print) -> Path:
    return root / "prints" / str(one.print_id)


def part_path(root: Path, one: Print, number: int) -> Path:
    return folder(root, one) / f"{number:04}.{'pdf' if one.form == 'run' else 'zip'}"


def whole_path(root: Path, one: Print) -> Path:
    return folder(root, one) / "whole.zip"


def ready_file(root: Path, one: Print, number: int | None = None) -> Path:
    """Return the whole run, or one of its files, once it is whole. Raises: PrintNotReady."""
    path = whole_path(root, one) if number is None else part_path(root, one, number)
    is_made = one.state == "done" if number is None else 1 <= number <= one.parts and one.state != "dropped"
    if not is_made or not path.is_file():
        raise PrintNotReady()
    return path


@contextmanager
def whole_file(path: Path) -> Iterator[IO[bytes]]:
    """Write a file that is there whole or not at all, whatever happens while it is written."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    beside = path.with_suffix(path.suffix + ".part")
    try:
        with beside.open("wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        beside.replace(path)
    except BaseException:
        with suppress(OSError):
            beside.unlink(missing_ok=True)
        raise


def put_together(root: Path, one: Print) -> None:
    """Make one file of all parts: the sheets in their order, or everybody's own."""
    with whole_file(whole_path(root, one)) as stream, zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as whole:
        for number in range(1, one.parts + 1):
            path = part_path(root, one, number)
            if one.form == "run":
                whole.write(path, path.name)
                continue
            with zipfile.ZipFile(path) as part:
                for name in part.namelist():
                    whole.writestr(name, part.read(name))


def drop_files(root: Path, one: Print) -> None:
    shutil.rmtree(folder(root, one), ignore_errors=True)
