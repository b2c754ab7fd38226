"""A witness that answers over HTTP: POST /add-checkpoint, and its verifier key for whoever asks. No database.

Source: C2SP tlog-witness. Meant to stand behind a TLS proxy, or in the same house as the bank.
"""

from __future__ import annotations

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from moralbank.errors import MoralBankError
from moralbank.transparency import witnessing
from moralbank.transparency.errors import (
    BadWitnessRequest,
    Inconsistent,
    OtherRoot,
    OtherSize,
    Unsigned,
    UntrustedOrigin,
    WrongSignature,
)
from moralbank.transparency.witness_files import Witness

ADD = "/add-checkpoint"
SIZE_TYPE = "text/x.tlog.size"
TEXT_TYPE = "text/plain; charset=utf-8"
#: What the standard says to answer; anything else is the witness's own trouble.
STATUSES: dict[type[MoralBankError], int] = {
    BadWitnessRequest: 400,
    Unsigned: 403,
    WrongSignature: 403,
    UntrustedOrigin: 404,
    OtherSize: 409,
    OtherRoot: 409,
    Inconsistent: 422,
}
#: A client that says nothing for so long is let go.
PATIENCE_SECONDS = 30


def answer(witness: Witness, body: bytes) -> tuple[int, str, bytes]:
    """Return status, content type and body of the answer to an add-checkpoint request."""
    try:
        return 200, TEXT_TYPE, f"{witness.add_checkpoint(body)}\n".encode()
    except OtherSize as refusal:
        return 409, SIZE_TYPE, f"{refusal.fields['size']}\n".encode()
    except MoralBankError as refusal:
        return STATUSES.get(type(refusal), 503), TEXT_TYPE, f"{refusal}\n".encode()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = PATIENCE_SECONDS
    server: WitnessServer

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length", "")
        if self.path != ADD:
            self._say(404, TEXT_TYPE, b"POST /add-checkpoint\n")
        elif not length.isascii() or not length.isdigit() or int(length) > witnessing.MAX_BYTES:
            # What was not read would be taken for the next request.
            self.close_connection = True
            self._say(413 if length.isdigit() else 411, TEXT_TYPE, b"a request has a length, and a small one\n")
        else:
            self._say(*answer(self.server.witness, self.rfile.read(int(length))))

    def do_GET(self) -> None:
        if self.path == "/":
            self._say(200, TEXT_TYPE, f"{self.server.witness.key}\n".encode())
        else:
            self._say(404, TEXT_TYPE, b"GET / shows the verifier key; POST /add-checkpoint\n")

    def _say(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class WitnessServer(ThreadingHTTPServer):
    """Serves one witness; requests share its place's lock."""

    daemon_threads = True

    def __init__(self, place: Path, host: str, port: int) -> None:
        """Raises: whatever opening the witness raises; OSError when the port is taken."""
        self.witness = Witness(place)
        super().__init__((host, port), _Handler)

    @property
    def address(self) -> str:
        """Where it listens, as the bank's register takes it."""
        host, port = self.server_address[:2]
        return f"http://{host!s}:{port}"
