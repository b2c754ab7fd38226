"""What administrators see of the periodic work, and how one does a job by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from click.testing import CliRunner

from moralbank import clock, slots
from moralbank.periodic import jobs as periodic
from moralbank.periodic.cli import jobs as command
from moralbank.periodic.jobs import JOBS, MINUTE, Job
from moralbank.scheduler import Scheduler
from tests._people import make_branch_tree, make_login, sign_in

NOON = datetime(2026, 11, 21, 12, 0, 30, tzinfo=UTC)


def moralbank(database_url, *words):
    return CliRunner().invoke(command, words, env={"DATABASE_URL": database_url})


def works(database):
    with database.reading() as db:
        return {work.job: work for work in slots.list_works(db)}


def test_a_job_that_went_well_says_how_long_it_took_and_what_it_found(database, database_url):
    with clock.at(NOON):
        Scheduler(database, [Job("finds", "试", MINUTE, lambda _database: 7)]).tick()
    assert (works(database)["finds"].found, works(database)["finds"].failures) == (7, 0)
    told = moralbank(database_url, "history")
    assert told.exit_code == 0
    assert "2026-11-21 20:00:00  finds" in told.output


def test_failures_are_counted_named_without_their_words_and_forgotten_when_it_goes_well(database):
    fails = [True]

    def work(_database):
        if fails[0]:
            raise RuntimeError("张建三的电话")

    scheduler = Scheduler(database, [Job("fails", "试", MINUTE, work)])
    with clock.at(NOON):
        scheduler.tick()
        scheduler.tick()
    assert (works(database)["fails"].failures, works(database)["fails"].fault) == (2, "RuntimeError")
    fails[0] = False
    with clock.at(NOON + MINUTE):
        scheduler.tick()
    assert (works(database)["fails"].failures, works(database)["fails"].fault) == (0, None)


def test_a_long_job_is_seen_on_its_way(database, monkeypatch):
    monkeypatch.setattr(slots, "_NOTED_EVERY_SECONDS", 0.0)
    seen = []

    def work(told):
        slots.tell(told, 400, 1_000)
        seen.append(works(database)["long"])

    with clock.at(NOON):
        Scheduler(database, [Job("long", "试", MINUTE, work)]).tick()
    [on_its_way] = seen
    assert (on_its_way.done, on_its_way.total, on_its_way.ended_at) == (400, 1_000, None)
    assert works(database)["long"].ended_at is not None


def test_a_job_is_done_by_hand_with_a_bar_and_an_unknown_one_is_named(database, database_url, monkeypatch):
    def work(told):
        for done in range(4):
            slots.tell(told, done, 4)
        return 4

    monkeypatch.setattr(periodic, "JOBS", (Job("by.hand", "试", MINUTE, work),))
    told = moralbank(database_url, "run", "by.hand")
    assert told.exit_code == 0
    assert "by.hand: 4" in told.output
    refused = moralbank(database_url, "run", "no.such")
    assert refused.exit_code == 1
    assert "moralbank jobs list" in str(refused.exception)


@pytest.mark.parametrize("name", [job.name for job in JOBS])
def test_every_job_runs_on_an_empty_bank(database, database_url, name):
    told = moralbank(database_url, "run", name)
    assert told.exit_code == 0, told.output


def test_the_list_says_of_each_job_when_it_last_ran(database, database_url):
    with clock.at(NOON):
        Scheduler(database, JOBS).tick()
    told = moralbank(database_url, "list")
    for job in JOBS:
        [line] = [line for line in told.output.splitlines() if line.startswith(job.name)]
        assert "ok" in line, line


def test_an_administrator_sees_the_jobs_and_staff_do_not(app, database):
    tree = database.transact(make_branch_tree)
    admin, staff = app.test_client(), app.test_client()
    sign_in(admin, database.transact(make_login, "admin", None))
    sign_in(staff, database.transact(make_login, "staff", tree["NS-01"]))
    assert "没有在运行的定时作业" in admin.get("/admin/jobs").text

    def fail(_database):
        raise RuntimeError

    Scheduler(database, [*JOBS[1:], Job(JOBS[0].name, JOBS[0].title, timedelta(days=1), fail)]).tick()
    shown = admin.get("/admin/jobs").text
    assert "定时作业在运行" in shown
    assert "失败 1 次" in shown
    assert "出商家月结算单" in shown
    assert staff.get("/admin/jobs").status_code == 403
