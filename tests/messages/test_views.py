"""The inbox, what one wants where, and what staff see of what is stuck."""

from __future__ import annotations

import re

import pytest
import sqlalchemy as sa
from click.testing import CliRunner
from flask.testing import FlaskClient

from moralbank.access.models import access_deeds
from moralbank.cli import cli
from moralbank.db import Database
from moralbank.messages import service
from moralbank.messages.models import messages
from moralbank.messages.senders import Rejected
from moralbank.messages.values import Channel, Note
from tests._people import form, give_reason, make_login, sign_in
from tests._worlds import world
from tests.messages._post import Pigeon, deliver
from tests.redemptions.conftest import Street, make_resident, make_street, pay
from tests.redemptions.test_races import at_once


@world
def street(database: Database) -> Street:
    return database.transact(make_street)


@pytest.fixture(autouse=True)
def ways(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SMTP_HOST", "mail.example")
    monkeypatch.setenv("SMTP_FROM", "bank@bank.example")
    monkeypatch.setenv("GATEWAY_URL", "https://gateway.example/")
    monkeypatch.setenv("GATEWAY_SECRET", "x" * 32)


def test_staff_read_messages_out_to_somebody_without_a_phone_for_a_reason_and_that_is_written_down(
    client: FlaskClient, database: Database, street: Street
) -> None:
    pay(database, street, offer=street.soap)
    who = street.zhang.resident_id
    sign_in(client, database.transact(make_login, "staff", street.tree["NS-01"]))
    here = f"/staff/residents/{who}/messages"
    assert client.get(here).status_code == 303
    assert form(client, f"{here}/read", {"id": [1]}).status_code == 303
    assert client.get("/staff/residents/999/messages").status_code == 404
    give_reason(client, who)
    page = client.get(here)
    assert "您在邻家便利店兑换了 30 分" in words(page.text)
    assert 'class="tag warn"' in page.text
    with database.reading() as db:
        everything = list(db.execute(sa.select(messages.c.message_id)).scalars())
    for _ in range(2):
        assert form(client, f"{here}/read", {"id": everything}).status_code == 303
    page = client.get(here).text
    assert 'class="tag warn"' not in page
    with database.reading() as db:
        said = sa.select(access_deeds.c.kind, access_deeds.c.reason, access_deeds.c.about, access_deeds.c.people)
        deeds = db.execute(said.where(access_deeds.c.resident_id == who).order_by(access_deeds.c.deed_id)).all()
    assert [tuple(deed) for deed in deeds][-1] == ("view", "desk", "messages", 1)
    assert len([deed for deed in deeds if deed.about == "messages"]) == 1
    assert here in client.get(f"/staff/residents/{who}").text
    sign_in(client, database.transact(make_login, "staff", street.tree["XX-01"]))
    assert form(client, f"{here}/read", {"id": everything}).status_code == 403


def words(page: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", "", page))


def test_a_resident_reads_what_happened_and_the_count_goes_when_they_say_so(
    client: FlaskClient, database: Database, street: Street
) -> None:
    pay(database, street, offer=street.soap)
    other = database.transact(make_resident, street.tree["NS-01"], "陈晓东")
    stranger = Note("undo", "x", other.branch_id, other.resident_id, facts={"points": 7, "shop": "邻家"})
    database.transact(service.tell, [stranger])
    sign_in(client, street.zhang_login)
    assert 'href="/me/messages">消息 <span class="tag warn">1</span>' in client.get("/me").text
    page = client.get("/me/messages")
    assert "您在邻家便利店兑换了 30 分" in words(page.text)
    assert "7 分" not in words(page.text)
    with database.reading() as db:
        everything = list(db.execute(sa.select(messages.c.message_id)).scalars())
    for _ in range(2):
        assert form(client, "/me/messages/read", {"id": everything}).status_code == 303
    assert 'class="tag warn"' not in client.get("/me/messages").text
    with database.reading() as db:
        unread = sa.select(messages.c.resident_id).where(messages.c.read_at.is_(None))
        assert list(db.execute(unread).scalars()) == [other.resident_id]


def test_an_inbox_without_messages_says_what_will_come(client: FlaskClient, street: Street) -> None:
    sign_in(client, street.zhang_login)
    assert "还没有消息" in client.get("/me/messages").text
    client.set_cookie("lang", "en")
    assert "No messages yet" in client.get("/me/messages").text


def test_those_at_the_till_read_what_their_shop_was_told(
    client: FlaskClient, database: Database, street: Street
) -> None:
    facts = {"number": "JS202610-00001", "reference": "付-1"}
    note = Note("payment", "p1", street.shop.branch_id, merchant_id=street.shop.merchant_id, facts=facts)
    database.transact(service.tell, [note])
    sign_in(client, street.li)
    assert "结算单 JS202610-00001 已付款，凭证号 付-1。" in client.get("/counter/messages").text
    assert form(client, "/counter/messages/read", {"id": 1}).status_code == 303
    assert "新" not in words(client.get("/counter/messages").text).split("消息")[-1]


def test_a_mailbox_gets_mail_only_after_its_code_came_back(
    client: FlaskClient, database: Database, street: Street
) -> None:
    sign_in(client, street.zhang_login)
    assert "请填一个邮箱地址" in form(client, "/me/messages/mailbox", {"address": "zhang@mail\nBcc: x@y.z"}).text
    assert form(client, "/me/messages/mailbox", {"address": "zhang@mail.example"}).status_code == 303
    assert form(client, "/me/messages/mailbox", {"address": "zhang@mail.example"}).status_code == 429
    pay(database, street, offer=street.soap)
    mail = Pigeon()
    deliver(database, {Channel.EMAIL: mail})
    assert [letter.kind for letter in mail.sent] == ["mailbox"]
    code = mail.sent[0].facts["code"]
    wrong = f"{(int(code) + 1) % 10**6:06d}"
    assert "验证码不对" in form(client, "/me/messages/mailbox/confirm", {"code": wrong}).text
    assert form(client, "/me/messages/mailbox/confirm", {"code": code}).status_code == 303
    assert code not in client.get("/me/messages").text
    pay(database, street, offer=street.towel)
    deliver(database, {Channel.EMAIL: mail})
    assert mail.sent[-1].kind == "redemption"
    assert form(client, "/me/messages/mailbox/drop").status_code == 303
    pay(database, street, points=11)
    deliver(database, {Channel.EMAIL: mail})
    assert len(mail.sent) == 2


def test_a_code_is_good_for_five_tries(client: FlaskClient, database: Database, street: Street) -> None:
    sign_in(client, street.zhang_login)
    form(client, "/me/messages/mailbox", {"address": "zhang@mail.example"})
    mail = Pigeon()
    deliver(database, {Channel.EMAIL: mail})
    code = mail.sent[0].facts["code"]
    for _ in range(5):
        form(client, "/me/messages/mailbox/confirm", {"code": f"{(int(code) + 1) % 10**6:06d}"})
    assert "没有等待确认的邮箱" in form(client, "/me/messages/mailbox/confirm", {"code": code}).text


def test_what_is_unticked_is_not_sent(client: FlaskClient, database: Database, street: Street) -> None:
    sign_in(client, street.zhang_login)
    assert form(client, "/me/messages/settings", {"want": ["sms:expiry", "wechat:redemption"]}).status_code == 303
    page = client.get("/me/messages/settings").text
    assert re.search(r'value="sms:expiry" checked', page)
    assert not re.search(r'value="sms:redemption" checked', page)
    pay(database, street, offer=street.soap)
    sms, wechat = Pigeon(), Pigeon()
    deliver(database, {Channel.SMS: sms, Channel.WECHAT: wechat})
    assert (len(sms.sent), len(wechat.sent)) == (0, 1)


def test_a_choice_that_is_sent_twice_at_once_is_taken(database: Database, street: Street) -> None:
    def choose() -> bool:
        database.transact(service.choose, street.zhang.resident_id, [(Channel.SMS, "expiry"), (Channel.SMS, "undo")])
        return True

    assert at_once(*[choose] * 4) == [True] * 4


def test_staff_see_what_is_stuck_at_their_branches_and_send_it_again(
    client: FlaskClient, database: Database, database_url: str, street: Street
) -> None:
    pay(database, street, offer=street.soap)
    sms = Pigeon(answers=[Rejected("unknown-recipient")])
    deliver(database, {Channel.SMS: sms})
    staff = database.transact(make_login, "staff", street.tree["NS-01"])
    stranger = database.transact(make_login, "staff", street.tree["XX-01"])
    sign_in(client, stranger)
    assert "没有卡住的消息" in client.get("/staff/messages").text
    assert form(client, "/staff/messages/1/retry").status_code == 403
    sign_in(client, staff)
    page = client.get("/staff/messages").text
    assert "对方没有这个收件人" in page
    assert "张建三" not in page
    assert "138" not in page
    env = {"DATABASE_URL": database_url}
    assert "unknown-recipient" in CliRunner().invoke(cli, ["messages", "failed"], env=env).output
    assert form(client, "/staff/messages/1/retry").status_code == 303
    assert "1  sms" not in CliRunner().invoke(cli, ["messages", "failed"], env=env).output
    assert "waiting" in CliRunner().invoke(cli, ["messages", "waiting"], env=env).output
    again = CliRunner().invoke(cli, ["messages", "retry", "1"], env=env)
    assert again.exit_code != 0
    deliver(database, {Channel.SMS: sms})
    assert len(sms.sent) == 1
    assert "sent             1" in CliRunner().invoke(cli, ["messages", "show"], env=env).output
