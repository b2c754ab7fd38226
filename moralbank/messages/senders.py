"""Takes one message out of the house: e-mail by SMTP, and everything else by a signed call to a gateway.

A sender says truthfully what it knows: that the other side has it, that it surely hasn't, or that nobody knows.
"""

from __future__ import annotations

import hashlib
import hmac
import http.client
import json
import smtplib
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid
from threading import Timer
from typing import Any, Protocol
from urllib.parse import urlsplit

from moralbank import clock, ids
from moralbank.config import MessagesConfig
from moralbank.messages.values import Channel

#: A mail server's greeting when it takes mail.
_READY = 220


class SendFault(Exception):
    """Why something was not sent: a word of ours."""

    def __init__(self, fault: str) -> None:
        super().__init__(fault)
        self.fault = fault


class Rejected(SendFault):
    """The other side will not have it, however often it is tried."""


class Later(SendFault):
    """The other side surely hasn't got it and may take it later."""


class Down(Later):
    """As Later, and nothing else would get through now either."""


class Unsure(SendFault):
    """The other side may have got it."""


@dataclass(frozen=True, slots=True)
class Letter:
    """What is sent: to whom, what it says, and by which number a repetition is known."""

    delivery_id: int
    channel: Channel
    address: str
    kind: str
    title: str
    text: str
    facts: dict[str, Any]
    url: str


class Sender(Protocol):
    """One way out. It is opened for a run of letters and closed after it."""

    #: Whether the other side tells repetitions apart, so that what is unsure may simply be sent again.
    is_repeatable: bool

    def send(self, letter: Letter) -> None:
        """Send one. Raises: Rejected, Down, Later, Unsure."""

    def close(self) -> None:
        """Let go of the other side."""


class MailSender:
    """E-mail by SMTP. One connection for a run; nothing is waited for longer than the deadline, however it drips."""

    is_repeatable = False

    def __init__(self, config: MessagesConfig) -> None:
        self._config = config
        self._smtp: smtplib.SMTP | None = None

    def send(self, letter: Letter) -> None:
        smtp = self._smtp = self._smtp or self._connect()
        message = _mail(self._config, letter)
        try:
            with _deadline(self._config.send_seconds, smtp):
                self._envelope(smtp, letter.address)
        except (OSError, smtplib.SMTPException) as fault:
            self._let_go()
            raise Down("timeout" if isinstance(fault, TimeoutError) else "unreachable") from None
        # From here on the server may have it, whatever becomes of its answer.
        try:
            with _deadline(self._config.send_seconds, smtp):
                code, _ = smtp.data(message.as_bytes())
        except smtplib.SMTPDataError as answer:
            _judge(answer.smtp_code)
        except (OSError, smtplib.SMTPException):
            self._let_go()
            raise Unsure("answer-lost") from None
        else:
            _judge(code)

    def close(self) -> None:
        smtp, self._smtp = self._smtp, None
        if smtp is not None:
            try:
                with _deadline(self._config.send_seconds, smtp):
                    smtp.quit()
            except (OSError, smtplib.SMTPException):
                smtp.close()

    def _connect(self) -> smtplib.SMTP:
        config = self._config
        try:
            # The greeting may come in drops too, before there is an object to close: one more deadline, by the socket.
            smtp = self._open()
            with _deadline(self._config.send_seconds, smtp):
                smtp.ehlo_or_helo_if_needed()
                if config.smtp_security == "starttls":
                    smtp.starttls(context=self._tls())
                    smtp.ehlo()
                if config.smtp_user:
                    smtp.login(config.smtp_user, config.smtp_password)
        except smtplib.SMTPAuthenticationError:
            raise Down("login-refused") from None
        except TimeoutError:
            raise Down("timeout") from None
        except (OSError, smtplib.SMTPException):
            raise Down("unreachable") from None
        return smtp

    def _open(self) -> smtplib.SMTP:
        config = self._config
        smtp: smtplib.SMTP
        if config.smtp_security == "tls":
            smtp = smtplib.SMTP_SSL(timeout=config.send_seconds, context=self._tls())
        else:
            smtp = smtplib.SMTP(timeout=config.send_seconds)
        # connect() needs the name for TLS, and keeps the socket where the deadline finds it.
        smtp._host = config.smtp_host  # type: ignore[attr-defined]
        with _deadline(self._config.send_seconds, smtp):
            code, _ = smtp.connect(config.smtp_host, config.smtp_port)
        if code != _READY:
            smtp.close()
            raise Down("busy")
        return smtp

    def _tls(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self._config.smtp_ca_file or None)

    def _envelope(self, smtp: smtplib.SMTP, address: str) -> None:
        for code, _ in (smtp.mail(self._config.smtp_from), smtp.rcpt(address)):
            if code not in (250, 251):
                smtp.rset()
                _judge(code)

    def _let_go(self) -> None:
        smtp, self._smtp = self._smtp, None
        if smtp is not None:
            smtp.close()


class _Line(Protocol):
    """Whoever holds a socket."""

    sock: socket.socket | None


@contextmanager
def _deadline(seconds: float, line: _Line) -> Iterator[None]:
    """Cut the line when the time for all of it is over: a timeout of the socket begins anew with every octet.

    Raises: TimeoutError, whatever a line that was cut or silent looked like from within.
    """
    is_late: list[bool] = []

    def cut() -> None:
        is_late.append(True)
        if line.sock is not None:
            with suppress(OSError):
                line.sock.shutdown(socket.SHUT_RDWR)

    timer = Timer(seconds, cut)
    timer.daemon = True
    timer.start()
    try:
        yield
    except (OSError, smtplib.SMTPException, http.client.HTTPException) as fault:
        if is_late or isinstance(fault.__context__, TimeoutError):
            raise TimeoutError from None
        raise
    finally:
        timer.cancel()
    if is_late:  # What was read up to the cut may look like an answer.
        raise TimeoutError


def _judge(code: int) -> None:
    """Make of a mail server's answer what it means for the letter. Raises: Later, Rejected."""
    if 200 <= code < 300:
        return
    raise Later("busy") if 400 <= code < 500 else Rejected("refused")


def _mail(config: MessagesConfig, letter: Letter) -> EmailMessage:
    message = EmailMessage()
    message["From"] = config.smtp_from
    message["To"] = letter.address
    message["Subject"] = letter.title
    message["Date"] = format_datetime(clock.now())
    message["Message-ID"] = make_msgid(str(letter.delivery_id), domain=config.smtp_from.rpartition("@")[2])
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(f"{letter.text}\n\n{letter.url}\n")
    return message


class GatewaySender:
    """SMS and WeChat template messages by a signed call to a gateway of the installation.

    Shape: POST of JSON with X-Moralbank-Timestamp (seconds), -Nonce and -Signature, which is the HMAC-SHA256 in hex,
        under the shared secret, of timestamp, ".", nonce, "." and the body's octets. Idempotency-Key names the
        delivery: a gateway that has had it answers 200 again and sends nothing.
    """

    is_repeatable = True

    def __init__(self, config: MessagesConfig) -> None:
        self._config = config
        self._parts = urlsplit(config.gateway_url)

    def send(self, letter: Letter) -> None:
        body = json.dumps(_call(letter), ensure_ascii=False).encode()
        timestamp, nonce = str(int(clock.now().timestamp())), ids.token(16)
        headers = {
            "Content-Type": "application/json",
            "Idempotency-Key": f"delivery-{letter.delivery_id}",
            "X-Moralbank-Timestamp": timestamp,
            "X-Moralbank-Nonce": nonce,
            "X-Moralbank-Signature": sign(self._config.gateway_secret, timestamp, nonce, body),
        }
        status = self._post(body, headers)
        if 200 <= status < 300:
            return
        if status in (401, 403):
            raise Down("login-refused")
        if status in (404, 410):
            raise Rejected("unknown-recipient")
        if status in (408, 425, 429) or status >= 500:
            raise Later("busy")
        raise Rejected("refused")

    def close(self) -> None:
        """Keep nothing: each call is a connection of its own."""

    def _post(self, body: bytes, headers: dict[str, str]) -> int:
        parts, seconds = self._parts, self._config.send_seconds
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        connection = kind(parts.hostname or "", parts.port, timeout=seconds)
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        try:
            with _deadline(seconds, connection):
                connection.request("POST", path, body, headers)
                return connection.getresponse().status
        except TimeoutError:
            raise Down("timeout") from None
        except (OSError, http.client.HTTPException):
            raise Down("unreachable") from None
        finally:
            connection.close()


def sign(secret: str, timestamp: str, nonce: str, body: bytes) -> str:
    """Return the signature of a call, as the gateway works it out too."""
    return hmac.new(secret.encode(), f"{timestamp}.{nonce}.".encode() + body, hashlib.sha256).hexdigest()


def _call(letter: Letter) -> dict[str, Any]:
    to = {"phone": letter.address} if letter.channel is Channel.SMS else {"number": letter.address}
    told = {"channel": letter.channel, "to": to, "template": letter.kind, "title": letter.title, "text": letter.text}
    return {"id": f"delivery-{letter.delivery_id}", **told, "fields": letter.facts, "url": letter.url}


def senders_of(config: MessagesConfig) -> dict[Channel, Sender]:
    """Return the ways that this installation has."""
    ways: dict[Channel, Sender] = {}
    if config.smtp_host:
        ways[Channel.EMAIL] = MailSender(config)
    if config.gateway_url:
        ways |= {Channel(name): GatewaySender(config) for name in config.gateway_channels}
    return ways
