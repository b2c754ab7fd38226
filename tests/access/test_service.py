"""Who may open which login and give which role.

The cast: an administrator of Nanshan street, an administrator of the strangers' hub, staff of Nanshan station.
"""

from __future__ import annotations

import pytest

from moralbank.access import queries, service
from moralbank.access.errors import (
    AlreadyGranted,
    BadGrant,
    BadLoginName,
    NameTaken,
    NotOneself,
    OutOfScope,
    RolesClash,
    UnknownLogin,
    WeakSecret,
)
from moralbank.access.queries import Principal
from moralbank.access.service import GrantDraft, Opened
from moralbank.branches.queries import Branch
from moralbank.db import Database
from tests._people import PIN, make_login

Tree = dict[str, Branch]


@pytest.fixture
def admin(database: Database, tree: Tree) -> Principal:
    return database.transact(make_login, "admin", tree["NS"]).principal


def open_one(database: Database, by: Principal | None, *drafts: GrantDraft, name: str = "wangfang") -> Opened:
    return database.transact(service.open_login, name, "王芳", list(drafts), by=by)


def principal(database: Database, login_id: int) -> Principal:
    with database.reading() as db:
        return queries.get_principal(db, login_id)


def test_a_new_login_has_a_random_secret_that_must_be_changed(database: Database, tree: Tree, admin) -> None:
    opened = open_one(database, admin, GrantDraft("staff", tree["NS-01"].branch_id))
    with database.reading() as db:
        login = queries.find_login(db, "WangFang")
        assert login is not None
        assert service.matching(queries.list_secrets(db, [opened.login_id]), opened.secret) == [opened.login_id]
    assert (login.must_change, login.secret_kind, len(opened.secret)) == (True, "password", 14)


def test_an_operator_has_a_pin(database: Database, tree: Tree, admin) -> None:
    opened = open_one(database, admin, GrantDraft("operator", tree["NS-01"].branch_id, 7))
    assert opened.secret.isdigit()
    assert len(opened.secret) == 6


def test_an_administrator_is_staff_within_the_branch_and_nowhere_else(database: Database, tree: Tree, admin) -> None:
    assert admin.has("staff")
    assert not admin.has("auditor")
    assert admin.covers(tree["NS-02"].path, "staff")
    assert not admin.covers(tree["DZ"].path, "staff")
    assert not admin.covers(tree["XX-01"].path, "staff", "admin")
    assert admin.paths("staff") == [tree["NS"].path]
    assert admin.actor("admin") == f"admin:{admin.login_id}"


def test_paths_inside_each_other_count_once(database: Database, tree: Tree) -> None:
    opened = open_one(
        database,
        None,
        GrantDraft("staff", tree["NS-01"].branch_id),
        GrantDraft("admin", tree["NS"].branch_id),
        GrantDraft("staff", tree["XX-01"].branch_id),
    )
    assert principal(database, opened.login_id).paths("staff") == [tree["NS"].path, tree["XX-01"].path]


def test_the_whole_bank_covers_every_branch(database: Database, tree: Tree) -> None:
    root = database.transact(make_login, "admin", None).principal
    assert root.covers(tree["XX-01"].path, "staff")
    assert root.covers("/", "admin")


@pytest.mark.parametrize("code", ["DZ", "XX-00", "XX-01", None])
def test_an_administrator_gives_nothing_above_or_beside_their_own_scope(
    database: Database, tree: Tree, admin, code: str | None
) -> None:
    branch_id = tree[code].branch_id if code else None
    for role in ("staff", "auditor", "admin"):
        with pytest.raises(OutOfScope):
            open_one(database, admin, GrantDraft(role, branch_id))
    with database.reading() as db:
        assert queries.find_login(db, "wangfang") is None


def test_staff_let_in_operators_but_no_colleagues(database: Database, tree: Tree) -> None:
    staff = database.transact(make_login, "staff", tree["NS-01"]).principal
    open_one(database, staff, GrantDraft("operator", tree["NS-01"].branch_id, 7), name="till")
    for role in ("staff", "auditor", "admin"):
        with pytest.raises(OutOfScope):
            open_one(database, staff, GrantDraft(role, tree["NS-01"].branch_id))


def test_an_auditor_gives_nothing_at_all(database: Database, tree: Tree) -> None:
    auditor = database.transact(make_login, "auditor", None).principal
    with pytest.raises(OutOfScope):
        open_one(database, auditor, GrantDraft("operator", tree["NS-01"].branch_id, 7))


@pytest.mark.parametrize("role", ["staff", "admin", "operator"])
@pytest.mark.parametrize(("audits", "works"), [("NS-01", "NS-01"), ("NS", "NS-01"), ("NS-01", "NS")])
def test_nobody_audits_what_they_do(database: Database, tree: Tree, admin, role: str, audits: str, works: str) -> None:
    work = GrantDraft(role, tree[works].branch_id, 7 if role == "operator" else None)
    audit = GrantDraft("auditor", tree[audits].branch_id)
    with pytest.raises(RolesClash):
        open_one(database, admin, work, audit)
    opened = open_one(database, admin, audit)
    with pytest.raises(RolesClash):
        database.transact(service.grant_role, opened.login_id, work, by=admin)


def test_one_may_audit_another_branch_than_one_works_in(database: Database, tree: Tree, admin) -> None:
    work, audit = GrantDraft("staff", tree["NS-01"].branch_id), GrantDraft("auditor", tree["NS-02"].branch_id)
    opened = open_one(database, admin, work, audit)
    assert [grant.role for grant in principal(database, opened.login_id).grants] == ["staff", "auditor"]


def test_a_role_is_given_once_and_can_be_taken_back(database: Database, tree: Tree, admin) -> None:
    draft = GrantDraft("staff", tree["NS-01"].branch_id)
    opened = open_one(database, admin, draft)
    with pytest.raises(AlreadyGranted):
        database.transact(service.grant_role, opened.login_id, draft, by=admin)
    [grant] = principal(database, opened.login_id).grants
    database.transact(service.revoke_role, opened.login_id, grant.grant_id, by=admin)
    assert principal(database, opened.login_id).grants == ()
    database.transact(service.grant_role, opened.login_id, draft, by=admin)
    assert principal(database, opened.login_id).has("staff")


def test_a_foreign_administrator_takes_nothing_back_resets_nothing_and_suspends_nobody(
    database: Database, tree: Tree, admin
) -> None:
    opened = open_one(database, admin, GrantDraft("staff", tree["NS-01"].branch_id))
    [grant] = principal(database, opened.login_id).grants
    stranger = database.transact(make_login, "admin", tree["XX-00"]).principal
    below = database.transact(make_login, "staff", tree["NS-01"]).principal
    for by in (stranger, below):
        for act, arguments in (
            (service.revoke_role, (grant.grant_id,)),
            (service.reset_secret, ()),
            (service.suspend_login, ()),
            (service.resume_login, ()),
        ):
            with pytest.raises(OutOfScope):
                database.transact(act, opened.login_id, *arguments, by=by)


def test_a_login_that_reaches_beyond_is_not_reset_by_who_covers_a_part_of_it(
    database: Database, tree: Tree, admin
) -> None:
    drafts = GrantDraft("staff", tree["NS-01"].branch_id), GrantDraft("staff", tree["XX-01"].branch_id)
    opened = open_one(database, None, *drafts)
    with pytest.raises(OutOfScope):
        database.transact(service.reset_secret, opened.login_id, by=admin)


def test_nobody_suspends_themselves_or_takes_their_own_role(database: Database, tree: Tree, admin) -> None:
    with pytest.raises(NotOneself):
        database.transact(service.suspend_login, admin.login_id, by=admin)
    with pytest.raises(NotOneself):
        database.transact(service.revoke_role, admin.login_id, admin.grants[0].grant_id, by=admin)


@pytest.mark.parametrize("name", ["a", "x" * 33, "wang fang", "13800000001", "wang\u200bfang", "\u0007bell"])
def test_a_name_that_could_be_a_phone_or_cannot_be_typed_is_refused(database: Database, tree: Tree, name: str) -> None:
    with pytest.raises(BadLoginName):
        open_one(database, None, GrantDraft("staff", tree["NS"].branch_id), name=name)


def test_a_name_is_given_once_however_it_is_cased(database: Database, tree: Tree) -> None:
    open_one(database, None, GrantDraft("staff", tree["NS"].branch_id))
    with pytest.raises(NameTaken):
        open_one(database, None, GrantDraft("staff", tree["NS"].branch_id), name="WANGFANG")


def test_an_operator_needs_a_merchant_and_others_have_none(database: Database, tree: Tree) -> None:
    for draft in (GrantDraft("operator", 1), GrantDraft("staff", 1, 7), GrantDraft("mayor", 1)):
        with pytest.raises(BadGrant):
            open_one(database, None, draft)


def test_a_reset_ends_every_session_and_the_old_secret(database: Database, tree: Tree, admin) -> None:
    opened = open_one(database, admin, GrantDraft("staff", tree["NS-01"].branch_id))
    cookie = database.transact(service.open_session, opened.login_id, address="a", device="d")
    secret = database.transact(service.reset_secret, opened.login_id, by=admin)
    with database.reading() as db:
        hashes = queries.list_secrets(db, [opened.login_id])
        assert queries.find_signed_in(db, cookie) is None
    assert service.matching(hashes, secret) == [opened.login_id]
    assert service.matching(hashes, opened.secret) == []


def test_a_suspended_login_ends_and_comes_back_with_its_secret(database: Database, tree: Tree, admin) -> None:
    opened = open_one(database, admin, GrantDraft("staff", tree["NS-01"].branch_id))
    cookie = database.transact(service.open_session, opened.login_id, address="a", device="d")
    database.transact(service.suspend_login, opened.login_id, by=admin)
    with database.reading() as db:
        assert queries.list_secrets(db, [opened.login_id]) == {}
        assert queries.find_signed_in(db, cookie) is None
    database.transact(service.resume_login, opened.login_id, by=admin)
    with database.reading() as db:
        assert opened.login_id in queries.list_secrets(db, [opened.login_id])
        assert queries.find_signed_in(db, cookie) is None


def test_the_owner_chooses_another_secret_that_is_not_easy(database: Database, tree: Tree) -> None:
    login = database.transact(make_login, "operator", tree["NS-01"], 7)
    for secret in ("123456", PIN, "abc"):
        with pytest.raises(WeakSecret):
            database.transact(service.change_secret, login.login_id, secret)
    database.transact(service.change_secret, login.login_id, "847261")
    with database.reading() as db:
        assert service.matching(queries.list_secrets(db, [login.login_id]), "847261") == [login.login_id]
        assert not queries.get_login(db, login.login_id).must_change


def test_a_residents_login_is_one_and_a_second_opening_gives_a_new_pin(database: Database, tree: Tree) -> None:
    def opened() -> Opened:
        return database.transact(service.open_resident_login, 42, tree["NS-01"].branch_id, by=None)

    first, second = opened(), opened()
    assert first.login_id == second.login_id
    with database.reading() as db:
        login = queries.find_resident_login(db, 42)
        assert login is not None
        assert service.matching(queries.list_secrets(db, [first.login_id]), second.secret) == [first.login_id]
    assert login.must_change
    assert [(grant.role, grant.branch_id) for grant in login.grants] == [("resident", tree["NS-01"].branch_id)]


def test_a_resident_gets_no_office_by_their_own_login(database: Database, tree: Tree, admin) -> None:
    opened = database.transact(service.open_resident_login, 42, tree["NS-01"].branch_id, by=admin)
    with pytest.raises(BadGrant):
        database.transact(service.grant_role, opened.login_id, GrantDraft("staff", tree["NS-01"].branch_id), by=admin)


def test_lists_show_only_named_logins_of_the_branches_asked_for(database: Database, tree: Tree, admin) -> None:
    open_one(database, admin, GrantDraft("staff", tree["NS-01"].branch_id))
    database.transact(make_login, "staff", tree["XX-01"], name="stranger")
    database.transact(make_login, "operator", tree["NS-02"], 7, name="till")
    database.transact(service.open_resident_login, 42, tree["NS-01"].branch_id, by=None)
    with database.reading() as db:
        below = [login.name for login in queries.list_logins(db, [tree["NS-00"].path])]
        everybody = {login.name for login in queries.list_logins(db, ["/"])}
        assert [login.name for login in queries.list_operators(db, 7)] == ["till"]
        with pytest.raises(UnknownLogin):
            queries.get_login(db, 999)
    assert below == ["till", "wangfang"]
    assert {"till", "wangfang", "stranger"} < everybody
    assert None not in everybody
