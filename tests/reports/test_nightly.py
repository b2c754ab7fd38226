"""Every night the books are made again: what is broken is named to whoever watches over them until it is sound."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from moralbank import clock, findings
from moralbank.db import Database
from moralbank.reports import jobs, nightly
from tests._people import make_login, sign_in
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
