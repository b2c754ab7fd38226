"""A street whose messages go out by what the test holds in its hands, and servers that answer as they are told."""

from __future__ import annotations

import contextlib
import hmac
import json
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from moralbank.config import MessagesConfig
from moralbank.db import Database
from moralbank.messages import jobs
from moralbank.messages.senders import Letter, sign
from moralbank.messages.values import Channel
from moralbank.periodic.jobs import _directory

NOON = datetime(2026, 11, 21, 4, 0, tzinfo=UTC)
SECRET = "a secret that the gateway knows as well"
CONFIG = MessagesConfig(public_url="https://bank.example", smtp_from="bank@bank.example", send_seconds=0.4)


@dataclass
class Pigeon:
    """A sender of the tests: it keeps what it was given, and says of each what it is told to say."""

    is_repeatable: bool = False
    sent: list[Letter] = field(default_factory=list)
    #: Raised, first to last, before anything is taken.
    answers: list[Exception | None] = field(default_factory=list)

    def send(self, letter: Letter) -> None:
        answer = self.answers.pop(0) if self.answers else None
        if answer is not None:
            raise answer
        self.sent.append(letter)

    def close(self) -> None:
        """Keep nothing."""


def deliver(database: Database, ways: Mapping[Channel, Any], config: MessagesConfig = CONFIG) -> int:
    return jobs.deliver(database, _directory, ways, config)


class Mailroom:
    """What aiosmtpd asks for each step of a mail."""

    def __init__(self) -> None:
        self.mails: list[Any] = []
        self.answers: dict[str, str] = {}

    async def handle_RCPT(self, server, session, envelope, address, options):
        if "RCPT" in self.answers:
            return self.answers["RCPT"]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        answer = self.answers.get("DATA", "250 OK")
        if answer == "vanish":
            self.mails.append(envelope)
            server.transport.abort()
            return "250 OK"
        if answer.startswith("250"):
            self.mails.append(envelope)
        return answer

    def authenticate(self, server, session, envelope, mechanism, data):
        return AuthResult(success=data.login == b"bank" and data.password == b"right", handled=False)


@contextlib.contextmanager
def mail_server(room: Mailroom, **more: Any) -> Iterator[int]:
    """Run a real mail server on the loopback and yield its port."""
    controller = Controller(room, hostname="127.0.0.1", port=_free_port(), **more)
    controller.start()
    try:
        yield controller.port
    finally:
        controller.stop()


@contextlib.contextmanager
def silent_server(greeting: bytes = b"", every: float = 0.1) -> Iterator[int]:
    """Run a server that takes connections and then says nothing, or `greeting` octet by octet and no end of it."""
    listener = socket.create_server(("127.0.0.1", 0))
    stopping = threading.Event()
    taken: list[socket.socket] = []

    def drip(line: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while not stopping.wait(every):
                line.sendall(greeting)

    def take() -> None:
        with contextlib.suppress(OSError):
            while True:
                line, _ = listener.accept()
                taken.append(line)
                if greeting:
                    threading.Thread(target=drip, args=(line,), daemon=True).start()

    threading.Thread(target=take, daemon=True).start()
    try:
        yield listener.getsockname()[1]
    finally:
        stopping.set()
        listener.close()
        for line in taken:
            line.close()


@dataclass
class Gateway:
    """A gateway as an installation would write it: it checks the signature and sends each delivery once."""

    status: int = 200
    calls: list[dict[str, Any]] = field(default_factory=list)
    told: dict[str, dict[str, Any]] = field(default_factory=dict)
    forged: int = 0


@contextlib.contextmanager
def gateway_server(gateway: Gateway) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            given = [self.headers[f"X-Moralbank-{name}"] for name in ("Timestamp", "Nonce", "Signature")]
            if not hmac.compare_digest(sign(SECRET, given[0], given[1], body), given[2]):
                gateway.forged += 1
                self.send_response(401)
            else:
                gateway.calls.append(json.loads(body))
                if gateway.status == 200:
                    gateway.told.setdefault(self.headers["Idempotency-Key"], json.loads(body))
                self.send_response(gateway.status)
            self.end_headers()

        def log_message(self, *_words: object) -> None:
            """Keep the test's output clean."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/send"
    finally:
        server.shutdown()
        server.server_close()


def certificate(place: Path) -> tuple[ssl.SSLContext, Path]:
    """Return what a server on the loopback shows, and the file by which it is trusted."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    paths = place / "cert.pem", place / "key.pem"
    paths[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*map(str, paths))
    return context, paths[0]


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])
