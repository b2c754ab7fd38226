"""Family on one phone: who may be taken onto it, whose pages it shows then, and that whom it is about can tell."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from moralbank import clock
from moralbank.access import deed_queries
from moralbank.access.errors import Locked
from moralbank.access.forgetting import forget_login
from moralbank.behalf import errors, queries, service
from moralbank.behalf.values import Basis, Kind
from moralbank.messages.queries import list_messages
from moralbank.redemptions import codes
from moralbank.residents import service as residents
from moralbank.residents.enrolment import Person
from moralbank.residents.values import Status
from moralbank.web.auth import declared
from tests._people import PIN, form, make_login, sign_in
from tests.redemptions.test_races import at_once, kinds

CODE = re.compile(r'class="code-digits">([\d ]+)<')


@pytest.fixture
def phone(app, home):
    """Ming's phone."""
    client = app.test_client()
    sign_in(client, home.ming_login)
    return client


def form_here(phone, path, fields=None) -> str:
    """Send a form with the token of a page that is open while one acts for somebody."""
    token = re.search(r'name="csrf_token" value="([^"]+)"', phone.get("/me").text)[1]
    return phone.post(path, data={"csrf_token": token, **(fields or {})}).text


def open_for(home, person):
    """Give somebody a login with the tests' PIN."""
    return home.do(make_login, "resident", person.branch_id, resident_id=person.resident_id)


def kinds_told(home, person) -> list[str]:
    return [one.kind for one in home.look(list_messages, resident_id=person.resident_id)]


def test_grandma_types_her_pin_on_her_daughters_phone_and_ends_it_on_her_own(app, home, phone) -> None:
    grandmas = open_for(home, home.grandma)
    answer = form(phone, "/me/family/link", {"number": home.grandma.number, "secret": PIN})
    assert answer.status_code == 303
    [link] = home.look(queries.list_held, home.ming_login.login_id)
    assert (link.kind, link.basis, link.resident_id) == (Kind.FAMILY, Basis.PIN, home.grandma.resident_id)

    assert "40 <small>" in phone.get("/me").text
    assert form(phone, "/me/family/switch", {"link_id": link.link_id}).location == "/me"
    page = phone.get("/me").text
    assert "500 <small>" in page
    assert "您正在替周桂英办事" in page
    shown = form_here(phone, "/me/code")
    assert "周桂英的积分，由您代为出示" in shown
    number = CODE.search(shown)[1].replace(" ", "")
    [holder] = home.look(
        lambda db: codes.asking_codes([number]).read([codes._FIND.all(db, digest=codes.digest(number))])
    )
    assert (holder.resident_id, holder.link_id) == (home.grandma.resident_id, link.link_id)

    hers = app.test_client()
    sign_in(hers, grandmas)
    assert "周明" in hers.get("/me/family").text
    assert form(hers, f"/me/family/{link.link_id}/end").status_code == 303
    refused = phone.get("/me")
    assert refused.status_code == 409
    assert "代办已经结束" in refused.text
    assert "40 <small>" in phone.get("/me").text
    assert kinds_told(home, home.grandma) == ["link_ended", "family_linked"]
    seen = hers.get("/me/profile/lookers").text
    assert "周*" in seen
    assert "本人" not in seen
    looks = home.look(deed_queries.list_lookers, home.grandma.resident_id)
    by = f"resident:{home.ming_login.login_id}"
    assert [(one.actor, one.about) for one in looks] == [(by, "code"), (by, f"link:{link.link_id}")]
    assert "代为出示付款码" in seen


def test_every_page_of_ones_own_that_is_not_for_family_is_refused_while_acting(app, home, phone) -> None:
    link = home.link()
    form(phone, "/me/family/switch", {"link_id": link.link_id})
    app.config["WTF_CSRF_ENABLED"] = False
    values = {"month": "2026-01", "unit": "points", "form": "csv"}
    tried = 0
    for rule in app.url_map.iter_rules():
        for method in sorted({"GET", "POST"} & rule.methods):
            allowed = declared(app, rule.endpoint, method)
            is_own = allowed and allowed.roles and allowed.scope == "self" and "resident" in allowed.roles
            if not is_own or allowed.for_family or allowed.token:
                continue
            with app.test_request_context():
                path = rule.build({name: values.get(name, 1) for name in rule.arguments})[1]
            answer = phone.open(path, method=method)
            assert answer.status_code == 403, path
            assert "只能本人用" in answer.text, path
            tried += 1
    assert tried > 25


def test_wrong_words_are_counted_and_tell_nothing_of_who_is_there(home, phone) -> None:
    open_for(home, home.grandma)
    for number, secret in ((home.grandma.number, "111111"), ("99999999", PIN), (home.grandma.number, "")):
        answer = form(phone, "/me/family/link", {"number": number, "secret": secret})
        assert answer.status_code == 422
        assert "编号、密码或口令不对" in answer.text
    for _ in range(3):
        form(phone, "/me/family/link", {"number": home.grandma.number, "secret": "222222"})
    answer = form(phone, "/me/family/link", {"number": home.grandma.number, "secret": PIN})
    assert answer.status_code == Locked.status
    assert home.look(queries.list_held, home.ming_login.login_id) == []


def test_a_one_time_word_from_her_own_phone_is_good_once_and_for_ten_minutes(app, home, phone) -> None:
    hers = app.test_client()
    sign_in(hers, open_for(home, home.grandma))
    digits = re.search(r'class="result-number ok">(\d{6})<', form(hers, "/me/family/word").text)[1]
    with clock.at(clock.now() + timedelta(minutes=11)):
        assert not home.do(service.use_word, home.grandma.resident_id, digits)
    assert form(phone, "/me/family/link", {"number": home.grandma.number, "secret": digits}).status_code == 303
    assert not home.do(service.use_word, home.grandma.resident_id, digits)
    [link] = home.look(queries.list_held, home.ming_login.login_id)
    assert link.basis is Basis.WORD


def test_a_guardian_takes_the_child_without_a_word_and_nobody_elses(home, phone) -> None:
    assert form(phone, "/me/family/link", {"number": home.child.number}).status_code == 303
    [link] = home.look(queries.list_held, home.ming_login.login_id)
    assert link.basis is Basis.GUARDIAN
    assert not service.is_guardian(home.street.zhang, home.child)


def test_who_may_be_taken_onto_a_phone(home) -> None:
    branch = home.street.tree["NS-01"]

    def refused(kind, person, holder=None) -> None:
        before = home.look(queries.list_about, person.resident_id)
        with pytest.raises(kind):
            home.link(person, holder)
        assert home.look(queries.list_about, person.resident_id) == before

    home.link(home.grandma)
    refused(errors.AlreadyLinked, home.grandma)
    refused(errors.LinkOneself, home.ming)
    childs = open_for(home, home.child)
    refused(errors.HolderTooYoung, home.grandma, childs)
    stranger = home.do(residents.enrol, Person("外客", home.street.tree["XX-01"].branch_id), actor="staff:1")
    refused(errors.OtherBook, stranger)
    uncle = home.do(residents.enrol, Person("周强", branch.branch_id), actor="staff:1")
    home.do(residents.set_status, uncle.resident_id, Status.SUSPENDED, "住院", actor="staff:1")
    refused(errors.PersonNotActive, uncle)
    home.link(home.child)
    third = home.link(home.street.zhang)
    fourth = home.do(residents.enrol, Person("周芳", branch.branch_id), actor="staff:1")
    refused(errors.LinksFull, fourth)
    home.do(service.end_link, third.link_id, actor="resident:1")
    assert home.link(fourth).stands


def test_two_links_at_once_never_make_more_than_three(home) -> None:
    branch = home.street.tree["NS-01"]
    people = [home.do(residents.enrol, Person(f"周{n}", branch.branch_id), actor="staff:1") for n in "甲乙丙丁"]
    results = at_once(*[lambda one=one: home.link(one) for one in people])
    assert kinds(results) == ["Link"] * 3 + ["LinksFull"]


def test_whoever_is_suspended_is_acted_for_no_more(home, phone) -> None:
    link = home.link()
    form(phone, "/me/family/switch", {"link_id": link.link_id})
    home.do(residents.set_status, home.grandma.resident_id, Status.SUSPENDED, "住院", actor="staff:1")
    assert phone.get("/me/passbook").status_code == 409
    assert "您正在替" not in phone.get("/me").text


def test_only_either_side_ends_a_link_and_a_strangers_link_is_nobodys(app, home, phone) -> None:
    link = home.link()
    other = app.test_client()
    sign_in(other, home.street.zhang_login)
    assert form(other, f"/me/family/{link.link_id}/end").status_code == 404
    assert form(other, "/me/family/switch", {"link_id": link.link_id}).status_code == 404
    assert form(phone, f"/me/family/{link.link_id}/end").status_code == 303
    assert not home.look(queries.get_link, link.link_id).stands
    assert form(phone, f"/me/family/{link.link_id}/end").status_code == 303
    assert kinds_told(home, home.grandma) == ["link_ended", "family_linked"]


def test_forgetting_either_ends_the_link_and_blanks_where_the_paper_is(home) -> None:
    link, childs = home.link(), home.link(home.child)
    home.do(service.forget, home.grandma.resident_id)
    assert home.look(queries.get_link, link.link_id).ended_by == "system"
    assert home.look(queries.get_link, childs.link_id).stands
    home.do(service.forget, home.ming.resident_id)
    assert home.do(forget_login, home.ming.resident_id, []).logins == 1
    assert not home.look(queries.get_link, childs.link_id).stands
