"""Mail goes to a real mail server, calls to a real web server; both may be slow, rude or gone."""

from __future__ import annotations

import time
from dataclasses import replace
from email import message_from_bytes, policy
from pathlib import Path

import pytest

from moralbank.config import ConfigError, MessagesConfig
from moralbank.messages.senders import Down, GatewaySender, Later, Letter, MailSender, Rejected, Unsure
from moralbank.messages.values import Channel
from tests.messages._post import (
    CONFIG,
    SECRET,
    Gateway,
    Mailroom,
    certificate,
    gateway_server,
    mail_server,
    silent_server,
)

LETTER = Letter(
    7, Channel.EMAIL, "zhang@mail.example", "undo", "退回 30 分", "邻家便利店撤销了一笔兑换。", {"points": 30},
    "https://bank.example/me/passbook",
)  # fmt: skip
PLAIN = replace(CONFIG, smtp_host="127.0.0.1", smtp_security="none")


def send(config: MessagesConfig, letter: Letter = LETTER) -> None:
    sender = MailSender(config)
    try:
        sender.send(letter)
    finally:
        sender.close()


def test_a_mail_arrives_with_its_words_and_no_more() -> None:
    room = Mailroom()
    with mail_server(room) as port:
        sender = MailSender(replace(PLAIN, smtp_port=port))
        sender.send(LETTER)
        sender.send(replace(LETTER, delivery_id=8))
        sender.close()
    assert [mail.rcpt_tos for mail in room.mails] == [["zhang@mail.example"]] * 2
    mail = message_from_bytes(room.mails[0].content, policy=policy.default)
    assert (mail["Subject"], mail["From"], mail["Auto-Submitted"]) == (
        "退回 30 分",
        "bank@bank.example",
        "auto-generated",
    )
    assert mail.get_content().split() == ["邻家便利店撤销了一笔兑换。", "https://bank.example/me/passbook"]


def test_the_line_is_encrypted_and_the_login_is_told_over_it_only(tmp_path: Path) -> None:
    context, trusted = certificate(tmp_path)
    room = Mailroom()
    config = replace(CONFIG, smtp_host="localhost", smtp_user="bank", smtp_password="right", send_seconds=3.0)
    with mail_server(
        room, tls_context=context, require_starttls=True, authenticator=room.authenticate, auth_required=True
    ) as port:
        send(replace(config, smtp_port=port, smtp_ca_file=str(trusted)))
        with pytest.raises(Down, match="unreachable"):  # Nobody it trusts vouches for the server.
            send(replace(config, smtp_port=port))
        with pytest.raises(Down, match="login-refused"):
            send(replace(config, smtp_port=port, smtp_ca_file=str(trusted), smtp_password="wrong"))
    assert len(room.mails) == 1


@pytest.mark.parametrize(
    ("step", "answer", "fault"),
    [
        ("RCPT", "550 no such user", Rejected),
        ("RCPT", "451 come again", Later),
        ("DATA", "554 no", Rejected),
        ("DATA", "452 full", Later),
        ("DATA", "vanish", Unsure),
    ],
)
def test_what_the_server_answers_is_told_truly(step: str, answer: str, fault: type[Exception]) -> None:
    room = Mailroom()
    room.answers[step] = answer
    with mail_server(room) as port, pytest.raises(fault):
        send(replace(PLAIN, smtp_port=port))


@pytest.mark.parametrize("greeting", [b"", b"2"])
def test_a_server_that_hangs_or_drips_is_left_after_the_deadline(greeting: bytes) -> None:
    with silent_server(greeting) as port:
        began = time.monotonic()
        with pytest.raises(Down, match="timeout"):
            send(replace(PLAIN, smtp_port=port))
        with pytest.raises(Down, match="timeout"):
            GatewaySender(replace(CONFIG, gateway_url=f"http://127.0.0.1:{port}/", gateway_secret=SECRET)).send(LETTER)
    assert time.monotonic() - began < 6 * CONFIG.send_seconds


def test_nobody_there_is_no_surprise() -> None:
    with pytest.raises(Down, match="unreachable"):
        send(replace(PLAIN, smtp_port=1))
    with pytest.raises(Down, match="unreachable"):
        GatewaySender(replace(CONFIG, gateway_url="http://127.0.0.1:1/", gateway_secret=SECRET)).send(LETTER)


def test_a_call_to_the_gateway_is_signed_and_says_what_is_needed() -> None:
    gateway = Gateway()
    letter = replace(LETTER, channel=Channel.SMS, address="13800000001")
    with gateway_server(gateway) as url:
        config = replace(CONFIG, gateway_url=url, gateway_secret=SECRET)
        GatewaySender(config).send(letter)
        with pytest.raises(Down, match="login-refused"):
            GatewaySender(replace(config, gateway_secret="x" * 32)).send(letter)
        for status, fault in ((404, Rejected), (422, Rejected), (429, Later), (503, Later)):
            gateway.status = status
            with pytest.raises(fault):
                GatewaySender(config).send(letter)
    assert gateway.forged == 1
    assert gateway.told["delivery-7"] == {
        "id": "delivery-7",
        "channel": "sms",
        "to": {"phone": "13800000001"},
        "template": "undo",
        "title": "退回 30 分",
        "text": "邻家便利店撤销了一笔兑换。",
        "fields": {"points": 30},
        "url": "https://bank.example/me/passbook",
    }


@pytest.mark.parametrize(
    ("env", "named"),
    [
        ({"SMTP_HOST": "mail.example", "SMTP_FROM": "b@b.example", "SMTP_SECURITY": "none"}, "SMTP_SECURITY"),
        ({"SMTP_HOST": "mail.example"}, "SMTP_FROM"),
        ({"SMTP_HOST": "mail.example", "SMTP_FROM": "b@b.example", "SMTP_PORT": "mail"}, "SMTP_PORT"),
        ({"GATEWAY_URL": "http://gateway.example/", "GATEWAY_SECRET": "x" * 32}, "GATEWAY_URL"),
        ({"GATEWAY_URL": "https://gateway.example/", "GATEWAY_SECRET": "short"}, "GATEWAY_SECRET"),
        ({"GATEWAY_URL": "https://g.example/", "GATEWAY_SECRET": "x" * 32, "GATEWAY_CHANNELS": "fax"}, "CHANNELS"),
        ({"MORALBANK_QUIET_HOURS": "25:00-08:00"}, "QUIET_HOURS"),
    ],
)
def test_a_setting_that_cannot_be_meant_is_named(env: dict[str, str], named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        MessagesConfig.from_env(env)
