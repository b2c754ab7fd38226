"""Told once, in the transaction of what is told; sent once, or it is said that nobody knows."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta
from itertools import pairwise

import pytest
import sqlalchemy as sa

from moralbank import clock, ledger
from moralbank.db import Database
from moralbank.ledger.jobs import expire_points
from moralbank.messages import delivery, queries, service, wording
from moralbank.messages.errors import DeliveryNotStuck
from moralbank.messages.models import deliveries, messages
from moralbank.messages.senders import Down, Later, MailSender, Rejected, Unsure
from moralbank.messages.values import Channel, Note
from moralbank.periodic.jobs import MINUTE, Job, _directory
from moralbank.redemptions import service as redemptions
from moralbank.residents.jobs import tell_of_expiry
from moralbank.scheduler import Scheduler
from tests._worlds import world
from tests.activities.conftest import Scene, scene, settled, time_of
from tests.messages._post import CONFIG, NOON, Pigeon, deliver, silent_server
from tests.redemptions.conftest import Street, by_code, make_resident, make_street, pay, show_code

__all__ = ["scene", "settled"]
NIGHT = NOON + timedelta(hours=11)  # 23:00 on the bank's clock.


@world
def begun(database: Database) -> Street:
    with clock.at(NOON):
        return database.transact(make_street)


@pytest.fixture
def street(begun: Street) -> Iterator[Street]:
    with clock.at(NOON):
        yield begun


def told(database: Database, street: Street) -> list[tuple[str, dict[str, object]]]:
    with database.reading() as db:
        found = queries.list_messages(db, resident_id=street.zhang.resident_id)
    return [(message.kind, message.facts) for message in found]


def states(database: Database) -> list[tuple[str, str, str | None]]:
    with database.reading() as db:
        return [(one.channel, one.state, one.fault) for one in queries.list_deliveries(db)]


def tell(database: Database, street: Street, kind: str = "undo", event: str = "e") -> None:
    note = Note(kind, event, street.zhang.branch_id, street.zhang.resident_id, facts={"points": 5, "shop": "邻家"})
    database.transact(service.tell, [note])


def test_a_charge_and_its_undoing_are_told_with_them_or_not_at_all(database: Database, street: Street) -> None:
    receipt = pay(database, street, offer=street.soap)
    database.transact(redemptions.undo, street.till, receipt.charge_id)
    database.transact(redemptions.undo, street.till, receipt.charge_id)

    def charge_and_fail(db) -> None:
        redemptions.charge(db, street.till, by_code(show_code(db, street.zhang), points=10), "key-that-fails")
        raise RuntimeError

    with pytest.raises(RuntimeError):
        database.transact(charge_and_fail)
    shop = {"points": 30, "shop": "邻家便利店"}
    assert told(database, street) == [("undo", shop), ("redemption", shop)]


def test_what_expires_is_told_once_to_each_of_whom_it_is(database: Database, street: Street) -> None:
    book, account = street.zhang.book_id, street.zhang.account_id

    def give(db) -> None:
        wife = make_resident(db, street.tree["NS-01"], "李秀英", household="H-01")
        home = ledger.internal_account(db, book, ledger.AccountKind.ISSUER)
        expires_on = date(2026, 12, 20)
        for number, holder in enumerate((account, wife.account_id)):
            legs = (
                ledger.Leg(home, ledger.Unit.POINTS, -40),
                ledger.Leg(holder, ledger.Unit.POINTS, 40, expires_on),
            )
            ledger.post(db, ledger.Draft(book, "award", legs, key=f"g{number}", actor="staff:1", grade="A"))

    database.transact(give)
    expire_points(database)
    assert tell_of_expiry(database) == 2
    assert tell_of_expiry(database) == 0
    assert told(database, street) == [("expiry", {"points": 40, "day": "2026-12-20"})]


def test_each_way_has_it_once_however_many_send_and_however_often(database: Database, street: Street) -> None:
    for number in range(12):
        tell(database, street, event=f"e{number}")
    sms, wechat = Pigeon(is_repeatable=True), Pigeon(is_repeatable=True)
    instant = clock.now()

    def run() -> None:
        with clock.at(instant):
            deliver(database, {Channel.SMS: sms, Channel.WECHAT: wechat})

    runs = [threading.Thread(target=run) for _ in range(3)]
    for one in runs:
        one.start()
    for one in runs:
        one.join()
    run()
    for pigeon in (sms, wechat):
        assert len(pigeon.sent) == 12 == len({letter.delivery_id for letter in pigeon.sent})
    assert {letter.address for letter in sms.sent} == {"13800000001"}
    assert {letter.address for letter in wechat.sent} == {street.zhang.number}
    assert "张" not in "".join(letter.title + letter.text + str(letter.facts) for letter in sms.sent)


def test_an_award_at_half_past_ten_at_night_is_sent_in_the_morning_once_and_not_to_who_wants_none(
    database: Database, scene: Scene
) -> None:
    """The leader signs off at home late in the evening: 22:30 on the bank's clock."""
    wei, lan = (scene.people[who].resident_id for who in ("wei", "lan"))
    session = scene.session()
    scene.stay(session, "wei", "lan")
    late = time_of("22:30")
    with clock.at(late):
        scene.sign(session, "wei", "lan", now=True)
        scene.do(service.choose, lan, [(Channel.WECHAT, "award")])
    wechat = Pigeon(is_repeatable=True)
    job = Job("messages.deliver", "发", MINUTE, lambda told: deliver(told, {Channel.WECHAT: wechat}))
    scheduler, sent = Scheduler(database, [job]), {}
    for hours in (0, 0.5, 5, 9.4, 9.5, 9.6, 12):
        with clock.at(late + timedelta(hours=hours, minutes=1)):
            scheduler.tick()
        sent[hours] = [(letter.kind, letter.facts) for letter in wechat.sent]
    assert (sent[9.4], sent[9.5], sent[12]) == ([], [("award", {"points": 30})], [("award", {"points": 30})])
    assert {letter.address for letter in wechat.sent} == {scene.people["wei"].number}
    assert [(one.kind, one.read_at) for one in scene.look(queries.list_messages, resident_id=lan)] == [("award", None)]
    assert [(one.kind, one.read_at) for one in scene.look(queries.list_messages, resident_id=wei)] == [("award", None)]


def test_who_opts_out_in_the_night_gets_nothing_in_the_morning(database: Database, scene: Scene) -> None:
    wei, late = scene.people["wei"].resident_id, time_of("22:30")
    session = scene.session()
    scene.stay(session, "wei")
    wechat = Pigeon(is_repeatable=True)
    with clock.at(late):
        scene.sign(session, "wei", now=True)
        deliver(database, {Channel.WECHAT: wechat})
        assert states(database) == [("wechat", "waiting", None)]
        scene.do(service.choose, wei, [(Channel.WECHAT, "award")])
    with clock.at(late + timedelta(hours=10)):
        deliver(database, {Channel.WECHAT: wechat})
    assert (wechat.sent, states(database)) == ([], [("wechat", "dropped", "opted-out")])


def test_at_night_only_what_is_urgent_goes_out_and_the_rest_in_the_morning(database: Database, street: Street) -> None:
    sms = Pigeon()
    with clock.at(NIGHT):
        tell(database, street, "undo", "can-wait")
        tell(database, street, "redemption", "urgent")
        deliver(database, {Channel.SMS: sms})
        assert [letter.kind for letter in sms.sent] == ["redemption"]
    with clock.at(NIGHT + timedelta(hours=9)):
        deliver(database, {Channel.SMS: sms})
    assert [letter.kind for letter in sms.sent] == ["redemption", "undo"]


def test_nobody_gets_what_they_do_not_want_also_when_they_say_so_late(database: Database, street: Street) -> None:
    sms, wechat = Pigeon(), Pigeon()
    who = street.zhang.resident_id
    database.transact(service.choose, who, [(Channel.SMS, "undo")])
    tell(database, street)
    wechat.answers = [Later("busy")]
    deliver(database, {Channel.SMS: sms, Channel.WECHAT: wechat})
    assert states(database) == [("wechat", "waiting", "busy")]
    database.transact(service.choose, who, [(Channel.WECHAT, "undo")])
    with clock.at(NOON + timedelta(minutes=2)):
        deliver(database, {Channel.SMS: sms, Channel.WECHAT: wechat})
    assert (sms.sent, wechat.sent) == ([], [])
    assert states(database) == [("wechat", "dropped", "opted-out")]
    assert len(told(database, street)) == 1


def test_a_busy_server_is_asked_again_less_and_less_and_then_given_up_where_staff_see_it(
    database: Database, street: Street
) -> None:
    tell(database, street)
    sms = Pigeon(answers=[Later("busy")] * 7)
    now, asked = NOON, []
    for _ in range(400):
        left = len(sms.answers)
        with clock.at(now):
            deliver(database, {Channel.SMS: sms})
        if len(sms.answers) < left:
            asked.append(now)
        now += timedelta(minutes=5)
        if not sms.answers:
            break
    waits = [(later - earlier).total_seconds() / 60 for earlier, later in pairwise(asked)]
    assert len(asked) == 7
    assert waits == sorted(waits)
    assert states(database) == [("sms", "failed", "busy")]
    with clock.at(now):
        [stuck] = _stuck(database)
        database.transact(service.retry, stuck.delivery_id)
        with pytest.raises(DeliveryNotStuck):
            database.transact(service.retry, stuck.delivery_id)
        deliver(database, {Channel.SMS: sms})
    assert len(sms.sent) == 1
    assert states(database) == [("sms", "sent", None)]


def _stuck(database: Database) -> list[queries.Delivery]:
    with database.reading() as db:
        return queries.list_deliveries(db, states=queries.STUCK)


def test_a_server_that_says_no_is_not_asked_again(database: Database, street: Street) -> None:
    tell(database, street)
    sms = Pigeon(answers=[Rejected("unknown-recipient")])
    for _ in range(2):
        deliver(database, {Channel.SMS: sms})
    assert (sms.sent, states(database)) == ([], [("sms", "failed", "unknown-recipient")])


def test_what_was_claimed_by_one_who_died_is_sent_again_only_where_that_is_noticed(
    database: Database, street: Street
) -> None:
    box = "zhang@mail.example"
    database.transact(service.ask_mailbox, street.zhang.resident_id, street.zhang.branch_id, box)
    with database.reading() as db:
        code = db.execute(sa.select(messages.c.facts)).scalar_one()[9:15]
    assert database.transact(service.confirm_mailbox, street.zhang.resident_id, code)
    tell(database, street)
    ways = [Channel.SMS, Channel.EMAIL]
    while database.transact(delivery.plan, ways, _directory):
        pass
    lost = [database.transact(delivery.claim, way, False, _directory) for way in ways]
    sms, mail = Pigeon(is_repeatable=True), Pigeon()
    for minutes in (1, 6, 7):
        with clock.at(NOON + timedelta(minutes=minutes)):
            deliver(database, {Channel.SMS: sms, Channel.EMAIL: mail})
    assert [letter.delivery_id for letter in sms.sent] == [lost[0].delivery_id]
    assert mail.sent == []
    assert sorted(states(database))[0] == ("email", "unsure", "sender-lost")


def test_an_answer_that_is_lost_is_not_taken_for_a_failure(database: Database, street: Street) -> None:
    tell(database, street)
    sms = Pigeon(answers=[Unsure("answer-lost")])
    for _ in range(2):
        deliver(database, {Channel.SMS: sms})
    assert (sms.sent, states(database)) == ([], [("sms", "unsure", "answer-lost")])


def test_a_way_that_hangs_keeps_neither_the_others_nor_the_scheduler(database: Database, street: Street) -> None:
    box = "zhang@mail.example"
    who = street.zhang.resident_id
    for number in range(20):
        tell(database, street, event=f"e{number}")
    database.transact(service.ask_mailbox, who, street.zhang.branch_id, box)
    sms = Pigeon()
    with silent_server() as port:
        mail = MailSender(replace(CONFIG, smtp_host="127.0.0.1", smtp_port=port, smtp_security="none"))
        began = time.monotonic()
        deliver(database, {Channel.EMAIL: mail, Channel.SMS: sms})
        assert time.monotonic() - began < 5
    assert len(sms.sent) == 20
    assert ("email", "waiting", "timeout") in states(database)


def test_a_way_that_is_down_costs_one_message_a_try_and_the_others_none(database: Database, street: Street) -> None:
    for number in range(3):
        tell(database, street, event=f"e{number}")
    sms = Pigeon(answers=[Down("unreachable")])
    deliver(database, {Channel.SMS: sms})
    with database.reading() as db:
        tries = sorted(one.tries for one in queries.list_deliveries(db))
    assert (tries, sms.sent) == ([0, 0, 1], [])


def test_the_scheduler_sends_in_slots_of_its_own(database: Database, street: Street) -> None:
    tell(database, street)
    sms = Pigeon()
    job = Job("messages.deliver", "发", MINUTE, lambda told: deliver(told, {Channel.SMS: sms}))
    for seconds in (0, 10, 60):
        with clock.at(NOON + timedelta(seconds=seconds)):
            Scheduler(database, [job]).tick()
    assert len(sms.sent) == 1


def test_without_any_way_out_the_inbox_has_it_and_nothing_waits(database: Database, street: Street) -> None:
    tell(database, street)
    assert deliver(database, {}) == 0
    assert states(database) == []
    assert deliver(database, {Channel.SMS: Pigeon()}) == 0
    assert len(told(database, street)) == 1


def test_old_news_stays_in_the_inbox(database: Database, street: Street) -> None:
    tell(database, street)
    sms = Pigeon(answers=[Later("busy")])
    deliver(database, {Channel.SMS: sms})
    with clock.at(NOON + timedelta(days=4)):
        deliver(database, {Channel.SMS: sms})
    assert (sms.sent, states(database)) == ([], [("sms", "failed", "too-old")])


def test_who_is_forgotten_gets_nothing_more_and_leaves_no_word(database: Database, street: Street) -> None:
    tell(database, street)
    sms = Pigeon(answers=[Later("busy")])
    deliver(database, {Channel.SMS: sms})
    assert database.transact(service.forget, street.zhang.resident_id) == 1
    with clock.at(NOON + timedelta(minutes=2)):
        deliver(database, {Channel.SMS: sms})
    assert (sms.sent, states(database)) == ([], [("sms", "dropped", "forgotten")])
    with database.reading() as db:
        assert list(db.execute(sa.select(messages.c.facts)).scalars()) == ["null"]
        [message] = queries.list_messages(db, resident_id=street.zhang.resident_id)
    assert wording.words(message.kind, message.facts).text == "内容已经清除。"
    assert "点开看" in wording.words("objection", {}).text


def test_after_a_good_year_messages_go(database: Database, street: Street) -> None:
    tell(database, street)
    deliver(database, {Channel.SMS: Pigeon()})
    with clock.at(NOON + timedelta(days=399)):
        assert database.transact(service.purge, 10) == 0
    with clock.at(NOON + timedelta(days=401)):
        assert database.transact(service.purge, 10) == 1
    with database.reading() as db:
        assert db.execute(sa.select(sa.func.count()).select_from(deliveries)).scalar_one() == 0


def test_quiet_hours_may_lie_within_a_day_or_across_midnight() -> None:
    from moralbank.messages.values import QuietHours

    at = datetime.fromisoformat
    noon = QuietHours.parse("12:00-14:00")
    assert noon.hold(at("2026-11-21T13:59:00+08:00"))
    assert not noon.hold(at("2026-11-21T14:00:00+08:00"))
    assert QuietHours().hold(at("2026-11-21T07:59:00+08:00"))
    assert not QuietHours().hold(at("2026-11-21T20:59:00+08:00"))
