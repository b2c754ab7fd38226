"""Between granian's event loop and the application: reads each request, has it answered, sends the answer.

What the short way knows gathers, and one thread carries all that waits; what it doesn't know Flask answers, in a thread
of a pool. Whoever sends or reads slowly holds none of them: a body is there before, an answer is whole before it goes.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from io import BytesIO
from queue import Empty, SimpleQueue
from tempfile import SpooledTemporaryFile
from threading import Thread
from typing import IO, Any, Generic, TypeVar

from granian.rsgi import ProtocolClosed

from moralbank.web import logs
from moralbank.web.bodies import MAX_CONTENT_BYTES
from moralbank.web.front import Application, Environ, Front, Reply, Write

A = TypeVar("A")

#: Threads for what the short way doesn't know: they mostly wait for the database.
THREADS = 32
#: The most that is carried at once.
TOGETHER_MOST = 256
#: As gunicorn bounds them.
URL_CHARACTERS_MAX, HEADER_CHARACTERS_MAX = 8_190, 8_190
#: What is longer waits on the disk, whichever way it goes, and is sent in pieces of as much.
PIECE_BYTES = 256 * 1024
#: How long a body may take: so long, and what this rate takes besides.
BODY_SECONDS, BODY_BYTES_PER_SECOND = 10, 16 * 1024
#: How long a reader may take for a piece.
PIECE_SECONDS = 30
#: Answered by threads of their own: when all the others wait for a database, these must still be able to say so.
_ALWAYS = frozenset({"/healthz", "/readyz"})
_LOCAL = frozenset({"127.0.0.1", "::1"})


class Entrance:
    """The application as granian calls it, in one worker process."""

    def __init__(self, application: Any) -> None:
        """`application`: a WSGI application; Flask's may have a Front before it."""
        front = getattr(application, "wsgi_app", None)
        self._front = front if isinstance(front, Front) else None
        self._reference: Application = application if self._front is None else self._front.reference
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="flask")
        self._spare_threads = ThreadPoolExecutor(2, thread_name_prefix="health")
        self._loop: asyncio.AbstractEventLoop

    def __rsgi_init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        if self._front is not None:
            self._writes = _Gathering("writes", loop, self._front.write)
            self._looks = _Gathering("looks", loop, self._front.look)

    def __rsgi_del__(self, _loop: asyncio.AbstractEventLoop) -> None:
        """Let the threads end: every request has had its answer."""
        for threads in (self._threads, self._spare_threads):
            threads.shutdown(wait=False, cancel_futures=True)

    async def __rsgi__(self, scope: Any, protocol: Any) -> None:
        environ = _environ_of(scope)
        try:
            refusal = _too_long(scope) or await _read_body(environ, protocol)
            if refusal is not None:
                _refuse(protocol, refusal)
                return
            reply = await self._answer_short(environ)
            if reply is not None:
                protocol.response_bytes(reply.status.value, reply.headers, reply.body)
                return
            threads = self._spare_threads if scope.path in _ALWAYS else self._threads
            status, headers, body = await self._loop.run_in_executor(threads, _answer, self._reference, environ)
            if isinstance(body, bytes):
                protocol.response_bytes(status, headers, body)
                return
            with body:
                await _send(protocol.response_stream(status, headers), body)
        except (ProtocolClosed, TimeoutError):  # The client went away, or reads nothing more.
            return

    async def _answer_short(self, environ: Environ) -> Reply | None:
        asked = self._front.find(environ) if self._front is not None else None
        if asked is None:
            return None
        return await (self._writes.ask(asked) if isinstance(asked, Write) else self._looks.ask(asked))


class _Gathering(Generic[A]):
    """What waits to be carried together, and the thread that carries it, again and again."""

    def __init__(
        self, name: str, loop: asyncio.AbstractEventLoop, carry: Callable[[Sequence[A]], Sequence[Reply | None]]
    ) -> None:
        self._loop = loop
        self._carry = carry
        self._came: list[tuple[A, asyncio.Future[Reply | None]]] = []
        self._waiting: SimpleQueue[list[tuple[A, asyncio.Future[Reply | None]]]] = SimpleQueue()
        Thread(target=self._run, name=name, daemon=True).start()

    def ask(self, asked: A) -> asyncio.Future[Reply | None]:
        """Return what will be the reply. Called in the loop's thread; what comes in one turn of it goes together."""
        future: asyncio.Future[Reply | None] = self._loop.create_future()
        if not self._came:
            self._loop.call_soon(self._hand_over)
        self._came.append((asked, future))
        return future

    def _hand_over(self) -> None:
        came, self._came = self._came, []
        self._waiting.put(came)

    def _run(self) -> None:
        while True:
            carried = self._waiting.get()
            while len(carried) < TOGETHER_MOST:
                try:
                    carried += self._waiting.get_nowait()
                except Empty:
                    break
            try:
                replies = self._carry([asked for asked, _ in carried])
            except Exception as fault:  # The reference will meet it too, and say so.
                logs.log.warning("short way left", **logs.place(fault))
                replies = [None] * len(carried)
            self._loop.call_soon_threadsafe(_tell, carried, replies)


def _tell(carried: Sequence[tuple[Any, asyncio.Future[Reply | None]]], replies: Sequence[Reply | None]) -> None:
    for (_, future), reply in zip(carried, replies, strict=True):
        if not future.done():  # Its client may have gone.
            future.set_result(reply)


_PLAIN: Environ = {
    "SCRIPT_NAME": "",
    "wsgi.version": (1, 0),
    "wsgi.errors": sys.stderr,
    "wsgi.multithread": True,
    "wsgi.multiprocess": True,
    "wsgi.run_once": False,
    #: The body is there as a whole, so its end is the end.
    "wsgi.input_terminated": True,
}
_KEYS = {
    "content-type": "CONTENT_TYPE",
    "content-length": "CONTENT_LENGTH",
    "authorization": "HTTP_AUTHORIZATION",
    "accept": "HTTP_ACCEPT",
    "host": "HTTP_HOST",
    "cookie": "HTTP_COOKIE",
    "user-agent": "HTTP_USER_AGENT",
    "idempotency-key": "HTTP_IDEMPOTENCY_KEY",
}


def _environ_of(scope: Any) -> Environ:
    """Return the request as WSGI spells it, without its body.

    As with gunicorn, a name with an underscore is dropped, since it would pass for another's, and a proxy on this
    machine may say that the client came by TLS.
    Source: PEP 3333.
    """
    address, _, port = scope.client.rpartition(":")
    own_address, _, own_port = scope.server.rpartition(":")
    environ = _PLAIN | {
        "REQUEST_METHOD": scope.method,
        "PATH_INFO": scope.path.encode().decode("latin-1"),
        "QUERY_STRING": scope.query_string,
        "SERVER_NAME": own_address.strip("[]"),
        "SERVER_PORT": own_port,
        "SERVER_PROTOCOL": f"HTTP/{scope.http_version}",
        "REMOTE_ADDR": address.strip("[]"),
        "REMOTE_PORT": port,
        "wsgi.url_scheme": scope.scheme,
    }
    for name, value in scope.headers.items():
        key = _KEYS.get(name)
        if key is None:
            if "_" in name:
                continue
            key = f"HTTP_{name.upper().replace('-', '_')}"
        if key in environ:
            value = f"{environ[key]}{'; ' if name == 'cookie' else ','}{value}"
        environ[key] = value
    if environ.get("HTTP_X_FORWARDED_PROTO") == "https" and environ["REMOTE_ADDR"] in _LOCAL:
        environ["wsgi.url_scheme"] = "https"
    return environ


def _too_long(scope: Any) -> HTTPStatus | None:
    if len(scope.path) + len(scope.query_string) > URL_CHARACTERS_MAX:
        return HTTPStatus.REQUEST_URI_TOO_LONG
    if any(len(value) > HEADER_CHARACTERS_MAX for value in scope.headers.values()):
        return HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
    return None


async def _read_body(environ: Environ, protocol: Any) -> HTTPStatus | None:
    """Put the body where the application reads it, with its length, or return why it isn't taken.

    Of one that is too long no more is read than shows that: the view that would read it refuses it by its length.
    """
    is_chunked = environ.pop("HTTP_TRANSFER_ENCODING", None) is not None
    length = MAX_CONTENT_BYTES if is_chunked else int(environ.get("CONTENT_LENGTH", 0))
    environ["wsgi.input"] = BytesIO()
    if not 0 < length <= MAX_CONTENT_BYTES:
        return None
    try:
        async with asyncio.timeout(BODY_SECONDS + length / BODY_BYTES_PER_SECOND):
            if length <= PIECE_BYTES:
                environ["wsgi.input"] = BytesIO(await protocol())
            else:
                environ["wsgi.input"], size = await _spool(protocol)
                environ["CONTENT_LENGTH"] = str(size)
    except TimeoutError:
        return HTTPStatus.REQUEST_TIMEOUT
    return None


async def _spool(protocol: Any) -> tuple[IO[bytes], int]:
    spool: IO[bytes] = SpooledTemporaryFile(PIECE_BYTES)  # noqa: SIM115 - the application reads it
    async for piece in protocol:
        spool.write(piece)
        if spool.tell() > MAX_CONTENT_BYTES:
            break
    size = spool.tell()
    spool.seek(0)
    return spool, size


def _answer(application: Application, environ: Environ) -> tuple[int, list[tuple[str, str]], bytes | IO[bytes]]:
    """Return the application's whole answer: a longer one lies on the disk, so that its thread is free for others."""
    said: list[Any] = []

    def start(status: str, headers: list[tuple[str, str]], _fault: object = None) -> None:
        said[:] = int(status[:3]), headers

    pieces = application(environ, start)
    try:
        body = _gather(pieces)
    finally:
        close = getattr(pieces, "close", None)
        if close is not None:
            close()
        environ["wsgi.input"].close()
    status, headers = said
    return status, headers, body


def _gather(pieces: Iterable[bytes]) -> bytes | IO[bytes]:
    first: list[bytes] = []
    size = 0
    rest = iter(pieces)
    for piece in rest:
        first.append(piece)
        size += len(piece)
        if size > PIECE_BYTES:
            break
    else:
        return b"".join(first)
    spool: IO[bytes] = SpooledTemporaryFile(PIECE_BYTES)  # noqa: SIM115 - whoever sends it closes it
    spool.writelines(first)
    spool.writelines(rest)
    spool.seek(0)
    return spool


async def _send(stream: Any, body: IO[bytes]) -> None:
    while piece := body.read(PIECE_BYTES):
        async with asyncio.timeout(PIECE_SECONDS):
            await stream.send_bytes(piece)


def _refuse(protocol: Any, status: HTTPStatus) -> None:
    """Answer what never became a request of the application."""
    text = status.phrase.encode()
    length = ("Content-Length", str(len(text)))
    protocol.response_bytes(status.value, [("Content-Type", "text/plain"), length, ("Connection", "close")], text)
