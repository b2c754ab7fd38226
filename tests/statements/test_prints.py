"""Print runs: every sheet once, by building, whole or not there; a full disk costs a minute and no sheet."""

from __future__ import annotations

import errno
import io
import zipfile
from datetime import date, timedelta
from pathlib import Path

import pytest

from moralbank import clock, ledger, papers
from moralbank.certificates import service as certificates
from moralbank.db import Database
from moralbank.residents import forgetting
from moralbank.residents import service as residents
from moralbank.residents.enrolment import Person
from moralbank.statements import jobs, printing, prints
from moralbank.statements.errors import IssuedDiffers, PrintNotReady
from moralbank.statements.periods import read_period
from moralbank.statements.prints import Print
from tests import _ci
from tests._people import form, make_login, sign_in
from tests.papers._paper import text_of
from tests.statements._story import NOW, Story, Teller, at

APRIL = read_period("2025-04")
#: In the order of enrolment, with their buildings: the sheets are carried round in the order of the buildings.
HOMES = {"丙": "3号楼", "甲": "1号楼", "乙": "2号楼", "丁": "3号楼", "戊": None}


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    if not papers.is_available():
        _ci.missing("no typst or no Chinese font on this machine (extra pdf)")
    monkeypatch.setenv("MORALBANK_VAR", str(tmp_path / "var"))
    monkeypatch.setattr(prints, "PAGE", 2)
    monkeypatch.setattr(printing, "PAGE", 2)
    return tmp_path / "var"


@pytest.fixture
def street(database: Database, story: Story) -> Story:
    """The story with five neighbours of Zhang, who sorted waste in April; all statements are issued."""

    def move_in(db) -> None:
        with clock.at(at(4, 20)):
            teller = Teller(db, story.book)
            teller.count = 200
            for name, building in HOMES.items():
                who = Person(f"邻居{name}", story.tree["NS-01"].branch_id, building=building, born_on=date(1950, 1, 1))
                teller.award(residents.enrol(db, who, actor="staff:7"), 5, 0, "垃圾分类", "")

    database.transact(move_in)
    database.transact(ledger.close_day, story.book, date(2025, 4, 30))
    jobs.issue_periods(database)
    return story


def ask(database: Database, street: Story, of: str = "run", phoneless: bool = False) -> Print:
    station = street.tree["NS-01"].branch_id
    return database.transact(prints.ask, station, street.book, APRIL, of, phoneless, 6, actor="staff:7")


def get(database: Database, one: Print) -> Print:
    with database.reading() as db:
        return prints.get_print(db, one.print_id)


def sheets_of(path: Path) -> list[str]:
    with zipfile.ZipFile(path) as whole:
        assert whole.testzip() is None
        return [text_of(whole.read(name)) for name in whole.namelist()]


def test_sheets_come_by_building_and_each_once(database: Database, street: Story, root: Path) -> None:
    one = ask(database, street)

    assert jobs.print_runs(database) == 3

    done = get(database, one)
    assert (done.state, done.parts, done.done, done.total) == ("done", 3, 6, 6)
    text = "".join(sheets_of(prints.ready_file(root, done)))
    order = sorted(["邻居" + name for name in HOMES] + ["张建三"], key=lambda name: text.index(f"姓名{name}"))
    assert order == ["张建三", "邻居戊", "邻居甲", "邻居乙", "邻居丙", "邻居丁"]
    assert all(text.count(f"姓名{name}") == 1 for name in order)
    assert "3号楼南山驿站" in text
    assert jobs.print_runs(database) == 0


def test_the_keys_are_read_once_for_a_page_of_statements(
    database: Database, street: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    database.transact(certificates.ensure_key)
    read, paper_keys = [], certificates.paper_keys
    monkeypatch.setattr(certificates, "paper_keys", lambda db: read.append(1) or paper_keys(db))
    monkeypatch.setattr(printing, "PAGE", 50)
    one = ask(database, street)
    with database.reading() as db:
        page = printing.read_page(db, one, "https://bank.example")
    assert (len(page.made), len(read)) == (6, 1)
    assert all("https://bank.example/v/" in str(made.document) for made in page.made)


def test_everybody_has_a_file_of_their_own_and_only_those_without_a_phone_where_asked(
    database: Database, street: Story, root: Path
) -> None:
    one = ask(database, street, "files", phoneless=True)

    jobs.print_runs(database)

    with zipfile.ZipFile(prints.ready_file(root, get(database, one))) as whole:
        names = whole.namelist()
    assert len(names) == 5
    assert all(name.endswith("-2025-04.pdf") for name in names)


@pytest.mark.parametrize("fails_at", [2, 4])
def test_a_disk_that_fills_leaves_no_half_file_and_the_run_goes_on_where_it_was(
    database: Database, street: Story, root: Path, monkeypatch: pytest.MonkeyPatch, fails_at: int
) -> None:
    one = ask(database, street)
    whole, writes = prints.os.fsync, []

    def fill_up(descriptor: int) -> None:
        writes.append(descriptor)
        # Whoever were killed here would leave nothing under the name of a file that is whole.
        names = {path.name for path in prints.folder(root, one).iterdir()}
        assert f"{len(writes):04}.pdf" not in names
        if len(writes) == fails_at:
            raise OSError(errno.ENOSPC, "No space left on device")
        whole(descriptor)

    monkeypatch.setattr(prints.os, "fsync", fill_up)
    jobs.print_runs(database)

    stopped = get(database, one)
    assert (stopped.state, stopped.fault, stopped.parts) == ("stopped", "disk-full", fails_at - 1)
    files = sorted(path.name for path in prints.folder(root, one).iterdir())
    assert files == [f"{number:04}.pdf" for number in range(1, fails_at)]
    with pytest.raises(PrintNotReady):
        prints.ready_file(root, stopped)

    jobs.print_runs(database)

    done = get(database, one)
    assert (done.state, done.fault, done.parts, done.done) == ("done", None, 3, 6)
    text = "".join(sheets_of(prints.ready_file(root, done)))
    assert all(text.count(f"姓名邻居{name}") == 1 for name in HOMES)


def test_a_run_whose_book_differs_waits_and_those_behind_it_are_made(
    database: Database, street: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = ask(database, street), ask(database, street, "files")
    whole = printing.check

    def differ(db, one) -> str:
        if get_open(db) == first.print_id:
            raise IssuedDiffers(account=one.account, period=one.period.name)
        return whole(db, one)

    def get_open(db) -> int:
        return prints.list_open(db)[0].print_id if prints.get_print(db, first.print_id).fault is None else 0

    monkeypatch.setattr(printing, "check", differ)
    jobs.print_runs(database)

    assert (get(database, first).state, get(database, first).fault) == ("stopped", "issued-differs")
    assert get(database, second).state == "done"


def test_two_machines_that_make_the_same_run_count_each_file_once(database: Database, street: Story) -> None:
    one = ask(database, street)
    one = ask(database, street)
    with database.reading() as db:
        page = printing.read_page(db, one, "http://localhost")

    assert database.transact(prints.keep_part, one, page.last, len(page.made), page.count)
    assert not database.transact(prints.keep_part, one, page.last, len(page.made), page.count)


def test_files_go_after_a_week_and_when_somebody_on_them_is_forgotten(
    database: Database, street: Story, root: Path
) -> None:
    old = ask(database, street)
    jobs.print_runs(database)
    assert prints.ready_file(root, get(database, old)).is_file()

    with clock.at(NOW + timedelta(days=8)):
        new = ask(database, street)
        jobs.print_runs(database)
        assert get(database, old).state == "dropped"
        assert not prints.folder(root, old).exists()
        assert get(database, new).state == "done"
    with clock.at(NOW + timedelta(days=9)):
        database.transact(forgetting.forget_resident, street.zhang)
        jobs.print_runs(database)
    assert get(database, new).state == "dropped"
    assert not prints.folder(root, new).exists()


def test_staff_ask_for_their_own_stations_and_take_what_is_whole(client, database: Database, street: Story) -> None:
    sign_in(client, database.transact(make_login, "staff", street.tree["NS-01"]))
    given = {"branch_id": street.tree["NS-01"].branch_id, "period": "2025-04", "form": "run"}

    assert "2025年4月" in client.get("/staff/prints").text
    assert form(client, "/staff/prints", given).status_code == 303
    assert "正在做" in client.get("/staff/prints").text
    with database.reading() as db:
        [one] = prints.list_open(db)
    assert client.get(f"/staff/prints/{one.print_id}/whole.zip").status_code == 409
    jobs.print_runs(database)
    whole = client.get(f"/staff/prints/{one.print_id}/whole.zip")
    assert len(zipfile.ZipFile(io.BytesIO(whole.data)).namelist()) == 3
    assert "张建三" in text_of(client.get(f"/staff/prints/{one.print_id}/1.pdf").data)
    assert client.get(f"/staff/prints/{one.print_id}/4.pdf").status_code == 409
    for wrong, status in (
        ({"period": "2025-06"}, 409), ({"period": "x"}, 422), ({"form": "fax"}, 422), ({"branch_id": ""}, 422),
        ({"branch_id": street.tree["NS-02"].branch_id}, 403),
    ):  # fmt: skip
        assert form(client, "/staff/prints", given | wrong).status_code == status, wrong
    sign_in(client, database.transact(make_login, "staff", street.tree["NS-02"]))
    assert client.get(f"/staff/prints/{one.print_id}/whole.zip").status_code == 403


def test_a_stations_shops_and_a_hubs_pool_come_as_a_file_each(database: Database, street: Story, root: Path) -> None:
    def give_to_the_pool(db) -> None:
        teller = Teller(db, street.book)
        pool = teller.internal(ledger.AccountKind.POOL)
        legs = (
            ledger.Leg(street.zhang.account_id, ledger.Unit.POINTS, -5),
            ledger.Leg(pool, ledger.Unit.POINTS, 5),
        )
        teller.count = 900
        teller.post("donation", legs, "staff:7", {"memo": "捐给邻居"})

    with clock.at(at(5, 21)):
        database.transact(give_to_the_pool)
    with clock.at(at(6, 3)):
        database.transact(ledger.close_day, street.book, date(2025, 5, 31))
        jobs.issue_periods(database)
        made = {}
        for code, period in (("NS-01", "2025-04"), ("NS-00", "2025-05")):
            branch_id = street.tree[code].branch_id
            one = database.transact(
                prints.ask, branch_id, street.book, read_period(period), "shops", False, 1, actor="staff:7"
            )
            jobs.print_runs(database)
            with database.reading() as db:
                one = prints.get_print(db, one.print_id)
            assert one.state == "done", code
            with zipfile.ZipFile(prints.ready_file(root, one)) as files:
                made[code] = {name: text_of(files.read(name)) for name in files.namelist()}
    assert list(made["NS-01"]) == ["M002-2025-04.pdf"]
    assert "邻家便利店" in made["NS-01"]["M002-2025-04.pdf"]
    [pool] = [name for name in made["NS-00"] if not name.startswith("M")]
    assert "互助池" in made["NS-00"][pool]
    assert "捐给邻居" in made["NS-00"][pool]
