"""Every night the books are made again: what is broken is named to whoever watches over them until it is sound."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

import pytest

from moralbank import clock, findings
from moralbank.db import Database
from moralbank.messages.values import Channel
from moralbank.reports import jobs, nightly
from tests._people import form, make_login, sign_in
from tests.messages._post import Pigeon, deliver
from tests.reports.test_cli import broken
from tests.statements._story import NOW, Story


def at_night(days: int) -> datetime:
    return NOW.replace(hour=2) + timedelta(days=days)


def checks(database: Database) -> dict[str, tuple[bool, str]]:
    with database.reading() as db:
        return {one.name: (one.is_good, one.said) for one in findings.list_findings(db)}


def test_a_book_that_is_broken_is_named_to_its_auditors_and_no_others_until_it_is_sound_again(
    app, database: Database, story: Story
) -> None:
    auditor, stranger, admin = (app.test_client() for _ in range(3))
    sign_in(auditor, database.transact(make_login, "auditor", story.tree["NS-00"]))
    sign_in(stranger, database.transact(make_login, "auditor", story.tree["XX-00"]))
    sign_in(admin, database.transact(make_login, "admin", None))
    mine, other = nightly.name_of(story.book), nightly.name_of(story.tree["XX-00"].book_id)
    with broken(database, story), clock.at(at_night(1)):
        assert jobs.verify_books(database) == 1
    found = checks(database)
    assert (found[mine][0], found[other]) == (False, (True, "1 entries"))
    assert str(story.soap.entry_id) in found[mine][1]
    for page in ("/audit", "/audit/verify", "/audit/trial-balance"):
        shown = auditor.get(page).text
        assert "有一处对不上" in shown, page
        assert str(story.soap.entry_id) in shown
        assert "有一处对不上" not in stranger.get(page).text
    assert 'href="/audit" aria-current="page">查账 <span class="tag warn">1</span>' in auditor.get("/audit").text
    assert "对不上" in admin.get("/admin/jobs").text
    with clock.at(at_night(2)):
        assert jobs.verify_books(database) == 0
    assert checks(database)[mine][0]
    assert "有一处对不上" not in auditor.get("/audit").text
    assert "没有一处不对" in auditor.get("/audit/verify").text


def test_auditors_and_administrators_are_told_once_of_a_fault_and_once_that_it_is_over(
    app, database: Database, story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SMTP_HOST", "mail.example")
    monkeypatch.setenv("SMTP_FROM", "bank@bank.example")
    auditor, admin, staff, stranger = (app.test_client() for _ in range(4))
    watcher = database.transact(make_login, "auditor", story.tree["NS-00"])
    sign_in(auditor, watcher)
    sign_in(admin, database.transact(make_login, "admin", None))
    sign_in(staff, database.transact(make_login, "staff", story.tree["NS-01"]))
    sign_in(stranger, database.transact(make_login, "auditor", story.tree["XX-00"]))
    mail = Pigeon()
    # The auditor has mail, which is confirmed by the code that comes; the administrator has none.
    assert "还没有消息" in auditor.get("/staff/inbox").text
    assert form(auditor, "/staff/inbox/mailbox", {"address": "audit@mail.example"}).status_code == 303
    deliver(database, {Channel.EMAIL: mail})
    assert form(auditor, "/staff/inbox/mailbox/confirm", {"code": "12"}).status_code == 422
    code = mail.sent[0].facts["code"]
    assert form(auditor, "/staff/inbox/mailbox/confirm", {"code": code}).status_code == 303
    with broken(database, story):
        for night in (1, 2):
            with clock.at(at_night(night)):
                assert jobs.verify_books(database) == 1
    with clock.at(at_night(2).replace(hour=12)):
        for _ in range(2):
            deliver(database, {Channel.EMAIL: mail})
        assert [(one.kind, one.address) for one in mail.sent[1:]] == [("book_broken", "audit@mail.example")]
    for reader in (auditor, admin):
        page = reader.get("/staff/inbox").text
        assert page.count('class="tag warn">新<') == 1
        assert str(story.soap.entry_id) in page
        assert '收件箱 <span class="tag warn">1</span>' in page
    for other in (staff, stranger):
        assert "对不上：" not in other.get("/staff/inbox").text
    [shown] = re.findall(r'name="id" value="(\d+)"', auditor.get("/staff/inbox").text)
    assert form(stranger, "/staff/inbox/read", {"id": shown}).status_code == 303
    assert 'class="tag warn">新<' in auditor.get("/staff/inbox").text, "nobody reads it for another"
    assert form(auditor, "/staff/inbox/read", {"id": shown}).status_code == 303
    assert 'class="tag warn">新<' not in auditor.get("/staff/inbox").text
    ready = auditor.get("/readyz")
    assert "books" not in ready.json["failing"], "turning the service off would hide it"
    assert ready.json["checks"]["books"].startswith("ok to serve, but")
    assert f'moralbank_book_sound{{book="{story.tree["NS-00"].code}"}} 0.0' in auditor.get("/metrics").text
    assert form(auditor, "/staff/inbox/mailbox/drop", {}).status_code == 303
    for night in (3, 4):
        with clock.at(at_night(night)):
            assert jobs.verify_books(database) == 0
    with clock.at(at_night(4).replace(hour=12)):
        deliver(database, {Channel.EMAIL: mail})
    assert len(mail.sent) == 2, "without a mailbox nothing is sent"
    assert auditor.get("/staff/inbox").text.count("又对上了") == 1
    assert auditor.get("/readyz").json["checks"]["books"] == "ok"


@pytest.mark.parametrize(
    ("before", "after", "is_same"),
    [
        ("entry a: the leaf says more (grade)", "entry a: the leaf says more (grade, kind)", True),
        ("entry a: the leaf says more (grade)", "entry b: the leaf says more (grade)", False),
        (
            "ledger log: of 9 entries up to number 9, 8 are sealed",
            "ledger log: of 12 entries up to number 12, 11 are sealed",
            True,
        ),
        ("deed 5: it has no leaf", "deed 6: it has no leaf", False),
    ],
)
def test_a_fault_whose_figures_grow_is_the_same_fault(before: str, after: str, is_same: bool) -> None:
    assert (nightly._fault_of(before) == nightly._fault_of(after)) is is_same


@pytest.mark.parametrize(
    ("hours_ago", "hour", "due"), [(3, 2, False), (24, 2, True), (20, 14, False), (27, 14, True), (None, 14, True)]
)
def test_it_is_done_once_a_night_and_at_any_hour_when_a_night_was_missed(
    hours_ago: int | None, hour: int, due: bool
) -> None:
    now = NOW.replace(hour=hour)
    last = None if hours_ago is None else now - timedelta(hours=hours_ago)
    assert findings.is_due(last, now) is due


def test_a_process_that_is_killed_between_two_books_is_gone_on_for_within_the_hour(
    database: Database, story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[int] = []
    verify = jobs._verify

    def verify_and_die(told, book, before, total):
        if len(done) == 1:
            raise KeyboardInterrupt
        done.append(book.book_id)
        return verify(told, book, before, total)

    with monkeypatch.context() as patch, clock.at(at_night(1)):
        patch.setattr(jobs, "_verify", verify_and_die)
        with pytest.raises(KeyboardInterrupt):
            jobs.verify_books(database)
    assert list(checks(database)) == [nightly.name_of(done[0])]
    again: list[int] = []

    def verify_and_note(told, book, before, total):
        again.append(book.book_id)
        return verify(told, book, before, total)

    monkeypatch.setattr(jobs, "_verify", verify_and_note)
    with clock.at(at_night(1) + timedelta(hours=1)):
        jobs.verify_books(database)
        jobs.verify_books(database)
    assert sorted([*done, *again]) == sorted({story.book, story.tree["XX-00"].book_id})
    assert len(again) == 1
