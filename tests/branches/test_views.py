"""The administrator's pages of branches."""

from __future__ import annotations

from flask.testing import FlaskClient

from moralbank.branches import queries
from moralbank.branches.queries import Branch
from moralbank.db import Database
from tests._people import form, make_branch_tree, make_login, sign_in
from tests._worlds import world


@world
def tree(database: Database) -> dict[str, Branch]:
    return database.transact(make_branch_tree)


def sign_in_admin(client: FlaskClient, database: Database, branch: Branch | None) -> None:
    sign_in(client, database.transact(make_login, "admin", branch))


def test_an_administrator_sees_only_what_is_below(client, database: Database, tree) -> None:
    sign_in_admin(client, database, tree["NS"])
    page = client.get("/admin/branches").text
    assert "南山驿站" in page
    assert "外区" not in page


def test_a_new_station_shares_the_hubs_book(client, database: Database, tree) -> None:
    sign_in_admin(client, database, tree["NS-00"])
    given = {"code": "NS-07", "kind": "station", "parent_id": tree["NS-00"].branch_id}
    answer = form(client, "/admin/branches/new", given | {"name_zh": "新驿站", "name_en": "New Station"})
    assert answer.status_code == 303
    with database.reading() as db:
        branch = queries.find_branch(db, "NS-07")
    assert branch is not None
    assert branch.book_id == tree["NS-00"].book_id


def test_a_refused_form_keeps_what_was_typed_and_says_what_to_mend(client, database: Database, tree) -> None:
    sign_in_admin(client, database, tree["NS-00"])
    answer = form(client, "/admin/branches/new", {"code": "ns 7", "kind": "station", "name_zh": "新驿站"})
    assert answer.status_code == 422
    assert "编号用大写字母" in answer.text
    assert "请填写这一项" in answer.text
    assert 'value="新驿站"' in answer.text


def test_a_taken_code_is_said_at_its_field(client, database: Database, tree) -> None:
    sign_in_admin(client, database, tree["NS-00"])
    given = {"code": "NS-01", "kind": "station", "parent_id": tree["NS-00"].branch_id}
    answer = form(client, "/admin/branches/new", given | {"name_zh": "新", "name_en": "New"})
    assert answer.status_code == 409
    assert "已经属于另一个网点" in answer.text


def test_nobody_plants_a_branch_above_or_beside_what_they_look_after(client, database: Database, tree) -> None:
    sign_in_admin(client, database, tree["NS-00"])
    given = {"code": "EVIL", "name_zh": "新", "name_en": "New"}
    for place in ({"kind": "station", "parent_id": tree["XX-00"].branch_id}, {"kind": "hub"}):
        assert form(client, "/admin/branches/new", given | place).status_code == 403
    assert form(client, f"/admin/branches/{tree['XX-01'].branch_id}", given).status_code == 403
    with database.reading() as db:
        assert queries.find_branch(db, "EVIL") is None


def test_an_edit_changes_the_particulars_and_nothing_else(client, database: Database, tree) -> None:
    sign_in_admin(client, database, tree["NS-00"])
    given = {"name_zh": "南山新站", "name_en": "Nanshan", "address": "新路1号", "code": "HACK", "kind": "hub"}
    assert form(client, f"/admin/branches/{tree['NS-01'].branch_id}", given).status_code == 303
    with database.reading() as db:
        branch = queries.get_branch(db, tree["NS-01"].branch_id)
    assert (branch.name_zh, branch.code, branch.kind) == ("南山新站", "NS-01", "station")
    assert "南山新站" in client.get("/admin/branches").text
