"""Staff open a team, change it and close it; its contact sees what it has, and nobody else does."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from flask import Flask

from moralbank import clock, ledger, papers
from moralbank.access.models import access_deeds
from moralbank.db import Database
from moralbank.ledger import AccountKind, Draft, Leg, Unit
from moralbank.reports import beside
from moralbank.residents import service as residents
from moralbank.residents.enrolment import Person
from moralbank.residents.values import Status
from moralbank.statements import jobs
from moralbank.teams import queries, service
from moralbank.teams.errors import TeamUnfit
from tests import _ci
from tests._people import form, make_login, sign_in
from tests.papers._paper import text_of
from tests.redemptions.test_races import at_once
from tests.statements._story import NOW, Story


def came_in(app: Flask, database: Database, role: str, branch: Any, resident_id: int | None = None) -> Any:
    client = app.test_client()
    sign_in(client, database.transact(make_login, role, branch, None, resident_id))
    return client


def give(database: Database, team: queries.Team, points: int) -> None:
    def post(db) -> None:
        home = ledger.internal_account(db, team.book_id, AccountKind.ISSUER)
        legs = (Leg(home, Unit.POINTS, -points), Leg(team.account_id, Unit.POINTS, points))
        ledger.post(db, Draft(team.book_id, "award", legs, key=f"team-{points}", actor="staff:1", grade="A"))

    database.transact(post)


def deeds_of(database: Database) -> list[str]:
    with database.reading() as db:
        about = access_deeds.c.about
        found = db.execute(sa.select(about).where(about.like("team-%")).order_by(access_deeds.c.deed_id))
        return list(found.scalars())


def test_a_team_is_opened_its_contact_reads_its_account_and_with_the_close_no_more(
    app: Flask, database: Database, story: Story
) -> None:
    station, zhang = story.tree["NS-01"], story.zhang
    wang = database.transact(residents.enrol, Person("王志远", station.branch_id), actor="staff:7")
    staff, auditor = (came_in(app, database, role, station) for role in ("staff", "auditor"))
    stranger = came_in(app, database, "staff", story.tree["XX-01"])
    contact = came_in(app, database, "resident", station, zhang.resident_id)
    other = came_in(app, database, "resident", station, wang.resident_id)
    assert "还没有团队" in staff.get("/staff/teams").text
    assert "您没有在联系团队" in contact.get("/me/teams").text
    given = {"branch_id": station.branch_id, "name": "  河岸 清洁队 ", "number": zhang.number}
    for wrong, says in (({"name": "长" * 41}, "1 到 40 个字"), ({"number": "00000000"}, "没有这个编号的储户")):
        refused = form(staff, "/staff/teams/new", given | wrong)
        assert (refused.status_code, says in refused.text) == (422, True)
        assert "河岸 清洁队" in refused.text or "name" in wrong, "what was typed stays"
    for who in (auditor, stranger):
        assert form(who, "/staff/teams/new", given).status_code == 403
    opened = form(staff, "/staff/teams/new", given)
    assert opened.status_code == 303
    twice = form(staff, "/staff/teams/new", given)
    assert (twice.status_code, "已经有叫这个名字的团队" in twice.text) == (422, True)
    with database.reading() as db:
        [team] = queries.teams_of_contact(db, zhang.resident_id)
    assert team.name == "河岸 清洁队"
    give(database, team, 40)
    # Who works at the station and the contact see it; a neighbour and another station don't.
    mine, theirs = f"/me/teams/{team.team_id}", f"/staff/teams/{team.team_id}"
    assert "我联系的团队（1 个）" in contact.get("/me").text
    assert "40 分" in contact.get("/me/teams").text
    month = f"{clock.today():%Y-%m}"
    assert f'href="{mine}/statements/{month}"' in contact.get(mine).text
    for end in ("", ".csv"):
        page = contact.get(f"{mine}/statements/{month}{end}")
        assert (page.status_code, "40" in page.text) == (200, True)
        assert other.get(f"{mine}/statements/{month}{end}").status_code == 404
    assert other.get(mine).status_code == 404
    assert "40 分" in staff.get(theirs).text
    assert "河岸 清洁队" in auditor.get(theirs).text
    assert stranger.get(theirs).status_code == 403
    assert "河岸 清洁队" not in stranger.get("/staff/teams").text
    # A new name and contact; the same again is no deed.
    renamed = {"name": "河岸护绿队", "number": wang.number}
    for _ in range(2):
        assert form(staff, theirs, renamed).status_code == 303
    assert form(auditor, theirs, renamed).status_code == 403
    assert contact.get(mine).status_code == 404
    assert "河岸护绿队" in other.get(mine).text
    database.transact(residents.set_status, wang.resident_id, Status.LEFT, "搬走了", actor="staff:7")
    assert "联系人已经离开" in staff.get(theirs).text
    for _ in range(2):
        assert form(staff, f"{theirs}/close", {}).status_code == 303
    assert other.get(mine).status_code in (401, 403, 404, 303)
    late = form(staff, theirs, {"name": "又一个名字", "number": zhang.number})
    assert "请先重新开放" in staff.get(late.location).text
    assert "河岸护绿队" in staff.get("/staff/teams?state=closed").text
    assert "40" in staff.get(f"/audit/accounts/{team.account_id}/statements/{month}").text, "its statements stay"
    assert form(staff, "/staff/teams/new", given | {"name": "河岸护绿队"}).status_code == 303, "the name is free again"
    number = re.sub(r".*:", "", deeds_of(database)[0])
    assert deeds_of(database)[:3] == [f"team-{what}:{number}" for what in ("open", "change", "close")]
    with database.reading() as db:
        assert beside.verify(db, story.book).faults == ()


def test_a_closed_team_opens_again_with_its_account_unless_its_name_or_contact_is_gone(
    app: Flask, database: Database, story: Story
) -> None:
    station, zhang = story.tree["NS-01"], story.zhang
    staff, auditor = (came_in(app, database, role, station) for role in ("staff", "auditor"))
    contact = came_in(app, database, "resident", station, zhang.resident_id)
    team = database.transact(service.open_team, station.branch_id, "晨练队", zhang.number, actor="staff:1")
    give(database, team, 40)
    mine, theirs = f"/me/teams/{team.team_id}", f"/staff/teams/{team.team_id}"
    as_it_was = {"name": team.name, "number": zhang.number}
    form(staff, f"{theirs}/close", {})
    page = staff.get(theirs).text
    assert all(word in page for word in ("重新开放这个团队", f'value="{team.name}"', f'value="{zhang.number}"'))
    assert "重新开放" not in auditor.get(theirs).text
    assert form(auditor, f"{theirs}/reopen", as_it_was).status_code == 403
    # Somebody else bears the name by now, and who was asked about it may be gone.
    database.transact(service.open_team, station.branch_id, team.name, zhang.number, actor="staff:1")
    for given, says in (
        (as_it_was, "已经有叫这个名字的团队"),
        ({"name": "晚练队", "number": "00000000"}, "没有这个编号"),
    ):
        refused = form(staff, f"{theirs}/reopen", given)
        assert (refused.status_code, says in refused.text) == (422, True)
    assert contact.get(mine).status_code == 404
    for _ in range(2):
        opened = form(staff, f"{theirs}/reopen", as_it_was | {"name": "晚练队"})
        assert opened.status_code == 303
    assert "“晚练队”重新开放了" in staff.get(opened.location).text
    assert all(word in contact.get("/me/teams").text for word in ("晚练队", "40 分"))
    assert deeds_of(database).count(f"team-reopen:{team.team_id}") == 1
    with database.reading() as db:
        assert queries.get_team(db, team.team_id).account_id == team.account_id
        assert beside.verify(db, story.book).faults == ()


def test_a_name_that_two_take_at_once_is_one_teams(database: Database, story: Story) -> None:
    station = story.tree["NS-01"].branch_id

    def take() -> object:
        with clock.at(NOW):
            return database.transact(service.open_team, station, "晨练队", story.zhang.number, actor="staff:1")

    found = at_once(take, take)
    assert sorted(type(one) for one in found if not isinstance(one, queries.Team)) == [TeamUnfit]


def test_a_teams_issued_statement_is_paper_with_its_name_for_its_contact(
    app: Flask, database: Database, story: Story
) -> None:
    if not papers.is_available():
        _ci.missing("no typst or no Chinese font on this machine (extra pdf)")
    station = story.tree["NS-01"]
    team = database.transact(service.open_team, station.branch_id, "河岸清洁队", story.zhang.number, actor="staff:1")
    with clock.at(NOW.replace(day=2)):
        give(database, team, 40)
    following = NOW.replace(month=NOW.month + 1)
    with clock.at(following):
        database.transact(ledger.close_day, story.book, following.replace(day=1).date() - timedelta(days=1))
        jobs.issue_periods(database)
        contact = came_in(app, database, "resident", station, story.zhang.resident_id)
        answer = contact.get(f"/me/teams/{team.team_id}/statements/{NOW:%Y-%m}.pdf")
    assert answer.status_code == 200
    assert "河岸清洁队" in text_of(answer.data)
