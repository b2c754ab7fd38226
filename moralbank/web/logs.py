"""One JSON line per request on standard error: what was asked and how it ended, never who the person is.

A path may hold a token and a query a name, so the route's pattern stands for both; bodies are never logged, and
of a fault only its place, since its message may quote a row.
"""

from __future__ import annotations

import json
import logging
import re
import sys
import time
import traceback
from types import TracebackType
from typing import Any

import structlog
from flask import Flask, Response, g, request

from moralbank import clock, ids

REQUEST_ID = "X-Request-Id"
_ID = re.compile(r"[A-Za-z0-9_.-]{8,64}")

log = structlog.get_logger("moralbank")


def configure() -> None:
    """Write every log line of the process, our own and of libraries, as JSON to standard error."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        # Looked up for each line, since a test or a supervisor may have put another stream in its place.
        logger_factory=lambda *_names: structlog.WriteLogger(sys.stderr),
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    if not any(isinstance(handler, _ToStructlog) for handler in root.handlers):
        root.addHandler(_ToStructlog(logging.WARNING))


class _ToStructlog(logging.Handler):
    """Carries the lines of libraries over, without the messages of the faults they quote."""

    def emit(self, record: logging.LogRecord) -> None:
        fault = place(record.exc_info[1]) if record.exc_info else {}
        log.log(record.levelno, record.getMessage(), logger=record.name, **fault)


def place(fault: BaseException | None) -> dict[str, Any]:
    if fault is None:
        return {}
    frames = traceback.extract_tb(fault.__traceback__)
    return {
        "fault": f"{type(fault).__module__}.{type(fault).__qualname__}",
        "at": [f"{frame.filename.rpartition('/')[2]}:{frame.lineno} {frame.name}" for frame in frames[-8:]],
    }


def id_of(given: str) -> str:
    """Return the id that a request brings along, or a new one."""
    return given if _ID.fullmatch(given) else str(ids.new_id())


def line(
    method: str, rule: str, status: int, seconds: float, login_id: int | None, code: str | None, request_id: str
) -> str:
    """Return the line that says how a request ended, as structlog would: it takes longer than the line is worth."""
    told = {
        "method": method,
        "route": rule,
        "status": status,
        "ms": round(seconds * 1000, 1),
        "login": login_id,
        "code": code,
        "event": "request",
        "request_id": request_id,
        "level": "info",
        "timestamp": f"{clock.now():%Y-%m-%dT%H:%M:%S.%fZ}",
    }
    return json.dumps(told, ensure_ascii=False) + "\n"


def write(lines: str) -> None:
    """Write lines that are spelled already, all at once."""
    sys.stderr.write(lines)


def request_id() -> str:
    """Return the id that this request bears in the log, in its answer and on an error page."""
    found: str = g.request_id
    return found


def route() -> str:
    """Return the pattern of the route asked for, or a dash where there is none."""
    return request.url_rule.rule if request.url_rule else "-"


def _begin() -> None:
    g.request_id = id_of(request.headers.get(REQUEST_ID, ""))
    g.began = time.perf_counter()
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(request_id=g.request_id)


def _end(response: Response) -> Response:
    response.headers[REQUEST_ID] = g.request_id
    principal = g.get("principal")
    login_id = principal.login_id if principal else None
    seconds = time.perf_counter() - g.began
    write(line(request.method, route(), response.status_code, seconds, login_id, g.get("refusal"), g.request_id))
    return response


def _log_fault(
    exc_info: tuple[type, BaseException, TracebackType] | tuple[None, None, None],
) -> None:
    """Stand in for Flask's own line, which holds the path and the fault's message."""
    log.error("fault", method=request.method, route=route(), **place(exc_info[1]))


def init_app(app: Flask) -> None:
    """Give each request an id and each answer a line."""
    configure()
    app.before_request(_begin)
    app.after_request(_end)
    app.log_exception = _log_fault  # type: ignore[method-assign]
    app.context_processor(lambda: {"request_id": g.get("request_id", "")})
