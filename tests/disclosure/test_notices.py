"""A notice is generated from the book, tells of nobody who did not agree, and is gone after its days."""

from __future__ import annotations

import json
import re
from datetime import date, timedelta

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient
from sqlalchemy import Connection

from moralbank import clock, ledger
from moralbank.db import Database
from moralbank.disclosure import errors, jobs, models, queries, service
from moralbank.disclosure.queries import Notice
from moralbank.disclosure.values import Kind, Period, State, hash_row
from moralbank.ledger import Draft, Leg, Unit
from moralbank.objections import service as objections
from moralbank.objections.errors import ObjectionsOpen
from moralbank.objections.service import Doubt
from moralbank.residents import service as residents
from moralbank.residents.queries import Resident
from moralbank.residents.values import Consent
from tests._people import form, make_login, sign_in
from tests.disclosure.conftest import IN_NOVEMBER, NAMES, OCTOBER, Town, award
from tests.redemptions.test_races import at_once, kinds

MONTH = Period.month(OCTOBER)
QUARTER = Period.quarter(OCTOBER)
IN_JANUARY = IN_NOVEMBER + timedelta(days=70)


def draft(database: Database, town: Town, kind: Kind = Kind.TOTALS, branch: str = "NS-01") -> Notice:
    period = MONTH if kind is Kind.TOTALS else QUARTER
    actor = f"staff:{town.chen.login_id}"
    return database.transact(service.draft, town.tree[branch].branch_id, kind, period, actor=actor)


def publish(database: Database, town: Town, kind: Kind = Kind.TOTALS, branch: str = "NS-01") -> Notice:
    made = draft(database, town, kind, branch)
    return database.transact(service.publish, made.notice_id, actor=f"staff:{town.wu.login_id}")


@pytest.fixture
def january(database: Database, town: Town):
    """The quarter is over and closed."""
    with clock.at(IN_JANUARY):
        database.transact(ledger.close_day, town.station.book_id, date(2026, 12, 31))
        yield town


def outputs(client: FlaskClient, notices: list[Notice], town: Town) -> dict[str, str]:
    """Return everything that anybody can see of the notices, in both languages."""
    seen = {}
    for lang in ("zh", "en"):
        client.set_cookie("lang", lang)
        seen[f"list-{lang}"] = client.get("/notices").text
        for one in notices:
            for end in ("", "/sheet", "/sheet?size=a3", ".txt", ".json"):
                answer = client.get(f"/notices/{one.notice_id}{end}")
                assert answer.status_code == 200, end
                assert "noindex" in answer.headers["X-Robots-Tag"]
                seen[f"{one.notice_id}{end}-{lang}"] = answer.text
        for code in ("NS-01", "NS-00", "NS-02"):
            answer = client.get(f"/notices/screen/{code}")
            assert f"url=/notices/screen/{code}?page=" in answer.headers["Refresh"]
            first = answer.text
            pages = int(re.search(r"/ (\d+)</span>", first)[1]) if "/ " in first and "</span>" in first else 1
            for page in range(1, pages + 1):
                seen[f"screen-{code}-{page}-{lang}"] = client.get(f"/notices/screen/{code}?page={page}").text
    return seen


def test_nothing_that_anybody_sees_tells_of_who_did_not_agree(
    client: FlaskClient, database: Database, january: Town
) -> None:
    town = january
    notices = [publish(database, town, kind, branch) for kind in Kind for branch in ("NS-01", "NS-00", "NS-02")]
    seen = outputs(client, notices, town)
    with database.reading() as db:
        stored = db.execute(sa.select(models.notices.c.content)).scalars()
        seen |= {f"stored-{n}": text for n, text in enumerate(stored)}
        shown = db.execute(sa.select(models.rows.c.shown)).scalars()
        seen |= {f"row-{n}": text for n, text in enumerate(shown)}
    everybody = [*town.agreed, *town.unnamed()]
    for where, text in seen.items():
        for who in everybody:
            assert who.name not in text or len(who.name) == 1, (where, who.name)
            assert (who.phone or "-") not in text, where
            assert who.number not in text, where
        assert "7栋302" not in text, where
        assert "2012-05" not in text, where
        for who in town.unnamed():
            assert who.masked_name not in text, (where, who.masked_name)
        for name in ("沈甲一", "沈*一", "韩*二"):
            assert name not in text, where
        assert "独一网格" not in text, where
        assert "小组读书" not in text, where
    listed = next(one for one in notices if one.kind is Kind.LIST and one.branch_id == town.station.branch_id)
    page = seen[f"{listed.notice_id}-zh"]
    for masked in NAMES.values():
        assert f'">{masked}</span>' in page, masked
    assert "50–99 分" in page
    assert "龘" not in "".join(seen.values())


def test_small_groups_are_in_no_figure_and_cannot_be_reckoned(database: Database, january: Town) -> None:
    told = {
        (branch, kind): draft(database, january, kind, branch).told
        for branch in ("NS-00", "NS-01", "NS-02")
        for kind in Kind
    }
    assert told["NS-02", Kind.TOTALS]["is_small"]
    month = told["NS-01", Kind.TOTALS]
    assert month["people"] == 19
    for part in ("activities", "grids", "grades"):
        assert all(one["people"] >= 5 for one in month[part]), part
        assert sum(one["points"] for one in month[part]) == month["issued_points"]
    titles = [one["title"] for one in month["activities"]]
    assert titles == ["河岸清洁", None]
    assert month["redeemed_points"] == 0
    # Of 26 at the hub 19 are known from the station; the seven others are four and three together.
    assert told["NS-00", Kind.TOTALS]["people"] - month["people"] == 7
    assert told["NS-01", Kind.LIST]["others"] == {"people": 10}


def test_what_few_spent_at_one_station_cannot_be_reckoned_from_the_others(database: Database, january: Town) -> None:
    """Three spend at the first station and six at the second: the hub's nine less six would tell of the three."""
    town, spenders = january, {"NS-01": january.silent[:3], "NS-02": january.agreed[3:9]}

    def spend(db: Connection, branch: str, number: int, who: Resident) -> None:
        account = ledger.open_accounts(db, who.book_id, [ledger.AccountKind.MERCHANT])[0]
        legs = (Leg(who.account_id, Unit.POINTS, -10), Leg(account, Unit.POINTS, 10))
        key = f"{branch}-{number}"
        place = town.tree[branch].branch_id
        ledger.post(db, Draft(who.book_id, "redemption", legs, key=key, actor="operator:1", branch=place))

    with clock.at(IN_JANUARY):
        for branch, people in spenders.items():
            for number, who in enumerate(people):
                database.transact(spend, branch, number, who)
        for branch in ("NS-01", "NS-02"):
            for who in town.agreed[:6]:
                database.transact(award, who, town.tree[branch], 5)
    with clock.at(IN_JANUARY + timedelta(days=40)):
        database.transact(ledger.close_day, town.station.book_id, date(2027, 1, 31))
        month = Period.month(date(2027, 1, 1))
        told = {
            branch: database.transact(
                service.draft, town.tree[branch].branch_id, Kind.TOTALS, month, actor="staff:1"
            ).told["redeemed_points"]
            for branch in ("NS-00", "NS-01", "NS-02")
        }
    assert told == {"NS-00": 90, "NS-01": None, "NS-02": None}


def test_a_grid_of_a_few_at_one_station_cannot_be_reckoned_from_the_hubs_and_the_others(
    database: Database, january: Town
) -> None:
    """Six of the third grid serve at the first station and three at the second; the hub tells of nine."""
    town = january
    served = {"NS-01": [*town.agreed[:6], *town.silent[:5]], "NS-02": [*town.agreed[6:9], *town.silent[:5]]}
    with clock.at(IN_JANUARY):
        for branch, people in served.items():
            for who in people:
                database.transact(award, who, town.tree[branch], 5)
    with clock.at(IN_JANUARY + timedelta(days=40)):
        database.transact(ledger.close_day, town.station.book_id, date(2027, 1, 31))
        month = Period.month(date(2027, 1, 1))
        told = {
            branch: database.transact(
                service.draft, town.tree[branch].branch_id, Kind.TOTALS, month, actor="staff:1"
            ).told
            for branch in ("NS-00", "NS-01", "NS-02")
        }
    grids = {branch: [(one["grid"], one["people"]) for one in said["grids"]] for branch, said in told.items()}
    assert grids == {
        "NS-00": [("三网格", 9), ("五网格", 5)],
        "NS-01": [("五网格", 5), (None, 6)],
        "NS-02": [(None, 8)],
    }
    for said in told.values():
        for part in ("grids", "grades"):
            assert sum(one["points"] for one in said[part]) == said["issued_points"]


def test_it_comes_out_the_same_again_and_the_database_holds_it_to_that(database: Database, january: Town) -> None:
    made = publish(database, january, Kind.LIST)
    with clock.at(IN_JANUARY + timedelta(days=3)), database.reading() as db:
        assert service.reproduce(db, made) == made.content
        assert queries.get_notice(db, made.notice_id).is_whole
        for row in queries.list_rows(db, made.notice_id):
            assert made.told["named"][row.number - 1] == hash_row(row.salt, row.shown).hex()
    for change in (
        models.notices.update().values(content="{}"),
        models.notices.update().values(up_until_on=date(2030, 1, 1)),
        models.rows.update().values(shown='{"name":"张建三"}'),
        models.notices.delete(),
    ):
        with pytest.raises(sa.exc.DBAPIError):
            database.transact(lambda db, change=change: db.execute(change))


def test_one_drafts_and_another_publishes_what_still_is_so(database: Database, january: Town) -> None:
    made = draft(database, january, Kind.LIST)
    with pytest.raises(errors.PublisherDrafted):
        database.transact(service.publish, made.notice_id, actor=f"admin:{january.chen.login_id}")
    gone = january.agreed[1]
    database.transact(residents.withdraw_consent, gone.resident_id, Consent.NOTICE, actor="self")
    with pytest.raises(errors.NoticeChanged):
        database.transact(service.publish, made.notice_id, actor=f"staff:{january.wu.login_id}")
    again = draft(database, january, Kind.LIST)
    assert again.notice_id == made.notice_id
    out = database.transact(service.publish, made.notice_id, actor=f"staff:{january.wu.login_id}")
    assert len(out.told["named"]) == len(NAMES) - 1
    with pytest.raises(errors.NoticeNotDraft):
        database.transact(service.publish, made.notice_id, actor=f"staff:{january.wu.login_id}")
    with pytest.raises(errors.NoticePublished):
        draft(database, january, Kind.LIST)


def test_a_notice_that_is_drafted_anew_and_published_at_once_is_one_of_both(database: Database, january: Town) -> None:
    for month in (10, 11, 12):
        period = Period.month(date(2026, month, 1))
        anew = (service.draft, january.station.branch_id, Kind.TOTALS, period)
        made = database.transact(*anew, actor="staff:1")
        publish_it = (service.publish, made.notice_id)
        results = at_once(
            lambda what=anew: database.transact(*what, actor="staff:1"),
            lambda what=publish_it: database.transact(*what, actor="staff:2"),
        )
        assert kinds(results) in (["Notice", "Notice"], ["Notice", "NoticePublished"], ["Notice", "NoticeChanged"])


def test_who_takes_their_word_back_or_is_forgotten_is_gone_at_once_and_the_rest_still_adds_up(
    client: FlaskClient, database: Database, january: Town
) -> None:
    made = publish(database, january, Kind.LIST)
    taker, forgotten = january.agreed[2], january.agreed[4]
    database.transact(residents.withdraw_consent, taker.resident_id, Consent.NOTICE, actor="self")
    assert database.transact(service.forget, forgotten.resident_id) == 1
    page = client.get(f"/notices/{made.notice_id}").text
    assert "张*三" not in page
    assert "欧阳*娜" not in page
    assert "司马*如" in page
    data = json.loads(client.get(f"/notices/{made.notice_id}.json").text)
    hashes = json.loads(data["content"])["named"]
    assert len(data["rows"]) == len(hashes) - 2
    for row in data["rows"]:
        assert hash_row(bytes.fromhex(row["salt"]), row["shown"]).hex() == hashes[row["number"] - 1]


def test_after_its_days_nobody_sees_it_and_it_ends_when_everybody_was_answered(
    client: FlaskClient, database: Database, january: Town
) -> None:
    made = publish(database, january)
    doubt = Doubt(made.book_id, made.branch_id, "notice", str(made.notice_id), "人数不对")
    raised = database.transact(objections.object_as_stranger, doubt, "刘女士", "13900001111")
    assert client.get(f"/notices/{made.notice_id}").status_code == 200
    with pytest.raises(errors.NoticeStillUp):
        database.transact(service.close, made.notice_id, actor="staff:1")
    with clock.at(IN_JANUARY + timedelta(days=8)):
        for end in ("", "/sheet", ".txt", ".json", "/objection"):
            assert client.get(f"/notices/{made.notice_id}{end}").status_code == 404
        assert "现在没有公示" in client.get("/notices/screen/NS-01").text
        assert jobs.close_over(database) == 0
        with pytest.raises(ObjectionsOpen):
            database.transact(service.close, made.notice_id, actor="staff:1")
        database.transact(
            objections.answer, raised.objection_id, is_right=False, words="核对过，没有错。", actor="staff:1"
        )
        assert jobs.close_over(database) == 1
        with database.reading() as db:
            assert queries.get_notice(db, made.notice_id).state is State.CLOSED


@pytest.mark.parametrize(
    ("period", "refusal"),
    [
        (Period.month(date(2027, 2, 1)), errors.PeriodNotOver),
        (Period.month(date(2020, 1, 1)), errors.BeforeTheBooks),
    ],
)
def test_a_period_to_come_or_before_the_books_is_refused(database, january, period, refusal) -> None:
    with pytest.raises(refusal):
        database.transact(service.draft, january.station.branch_id, Kind.TOTALS, period, actor="staff:1")
    with pytest.raises(errors.NoticeWithoutBook):
        database.transact(service.draft, january.tree["NS"].branch_id, Kind.TOTALS, MONTH, actor="staff:1")


def test_the_job_drafts_each_period_of_each_branch_once(database: Database, january: Town) -> None:
    with clock.at(IN_NOVEMBER + timedelta(days=1)):
        assert jobs.draft_due(database) == 3
        assert jobs.draft_due(database) == 0
    assert jobs.draft_due(database) == 6
    with database.reading() as db:
        found = queries.list_notices(db, ["/"], state=State.DRAFT)
    assert {(one.kind, one.since_on) for one in found} == {
        (Kind.TOTALS, date(2026, 10, 1)),
        (Kind.TOTALS, date(2026, 12, 1)),
        (Kind.LIST, date(2026, 10, 1)),
    }


def test_staff_look_publish_take_down_and_draft_again(client: FlaskClient, database: Database, january: Town) -> None:
    made = draft(database, january)
    sign_in(client, january.wu)
    page = client.get("/staff/notices").text
    assert "草稿" in page
    assert "河岸清洁" in client.get(f"/staff/notices/{made.notice_id}").text
    assert form(client, f"/staff/notices/{made.notice_id}/publish", {"days": "3"}).status_code == 422
    assert form(client, f"/staff/notices/{made.notice_id}/publish", {"days": "9"}).status_code == 303
    assert "公示中" in client.get(f"/staff/notices/{made.notice_id}").text
    assert form(client, f"/staff/notices/{made.notice_id}/take-down").status_code == 422
    assert form(client, f"/staff/notices/{made.notice_id}/take-down", {"reason": "活动名写错"}).status_code == 303
    assert client.get(f"/notices/{made.notice_id}").status_code == 404
    given = {"branch_id": january.station.branch_id, "kind": "totals", "day": "2026-10-15"}
    again = form(client, "/staff/notices", given)
    assert again.status_code == 303
    assert "2027-02-28 日结以后" in form(client, "/staff/notices", given | {"day": "2027-02-03"}).text
    stranger = database.transact(make_login, "staff", january.tree["XX-01"])
    sign_in(client, stranger)
    assert client.get(f"/staff/notices/{made.notice_id}").status_code == 403
    assert form(client, "/staff/notices", given).status_code == 403
