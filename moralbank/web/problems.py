"""Turns every refusal into one answer: an HTML page that says what to do, or RFC 9457 problem+json under /api/."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any

from flask import Flask, Response, g, make_response, render_template, request
from werkzeug.exceptions import HTTPException

from moralbank.errors import N_, MoralBankError, TooEarly, TooMany, Unauthenticated, Unavailable, fill
from moralbank.web import logs, outages
from moralbank.web.i18n import gettext

RETRY_SECONDS = 2

#: Code, title and detail of what the web server side refuses under /api/ before or after any package.
HTTP_PROBLEMS: dict[int, tuple[str, str, str]] = {
    400: ("bad-request", N_("没看懂这次请求"), N_("请按接口文档检查后再发。")),
    404: ("not-found", N_("没有找到"), N_("没有这个地址，请对照 /api/v1/openapi.json。")),
    405: ("method-not-allowed", N_("不支持这个方法"), N_("请用响应头 Allow 里列出的方法。")),
    413: ("body-too-large", N_("内容太大"), N_("请拆成几次发送。")),
    500: (
        "internal-error",
        N_("系统出了点问题"),
        N_("没有办成的事不会记账，请用同一个 Idempotency-Key 再试。"),
    ),
}


def sentence(error: MoralBankError) -> str:
    """Return the refusal's one sentence in the reader's language, and note its code for the log and the figures."""
    g.refusal = error.code
    # A field may be a word of ours ("微信付款码"); names of people and places are in no catalogue and stay.
    found = error.fields.items()
    fields = {name: gettext(value) if isinstance(value, str) and value else value for name, value in found}
    return fill(gettext(error.sentence), fields)


def problem(error: MoralBankError) -> dict[str, Any]:
    """Return the refusal as problem details.

    Shape: type, title, status, detail, code, errors (per field, when there are any), and the public fields.
    Source: RFC 9457.
    """
    body: dict[str, Any] = {
        "type": f"/problems/{error.code}",
        "title": gettext(error.title),
        "status": error.status,
        "detail": sentence(error),
        "code": error.code,
    }
    if error.errors:
        body["errors"] = error.errors
    return body | {name: _plain(value) for name, value in error.fields.items() if name not in body}


def _plain(value: object) -> object:
    return value if isinstance(value, str | int | bool | None) else str(value)


def answer(error: MoralBankError) -> Response:
    """Answer a refusal in the form that the caller reads."""
    if is_api():
        response = Response(
            json.dumps(problem(error), ensure_ascii=False),
            error.status,
            content_type="application/problem+json",
        )
    else:
        response = page(error.status, gettext(error.title), sentence(error))
    if isinstance(error, Unauthenticated) and is_api():
        response.headers["WWW-Authenticate"] = 'Bearer realm="moralbank"'
    say_when(error, response)
    return response


def say_when(error: MoralBankError, response: Response) -> None:
    """Say in a header when to come again, where coming again helps."""
    if isinstance(error, TooEarly | TooMany | Unavailable):
        response.headers["Retry-After"] = str(error.fields.get("seconds", RETRY_SECONDS))


def page(status: int, title: str | None = None, sentence: str | None = None) -> Response:
    """Return the page for an HTTP status; without words of its own it has the status's."""
    return make_response(render_template("errors/page.html", status=status, title=title, sentence=sentence), status)


def is_api() -> bool:
    return request.path.startswith("/api/")


def _from_http(error: HTTPException) -> Response | HTTPException:
    status = error.code or HTTPStatus.INTERNAL_SERVER_ERROR
    if status < HTTPStatus.BAD_REQUEST:
        return error
    response = _http_problem(status) if is_api() else page(status)
    for name, value in error.get_headers(request.environ):
        if name == "Allow":
            response.headers[name] = value
    return response


def _http_problem(status: int) -> Response:
    """Answer as problem details what no package decided: no such path, no such method, too large, our own fault."""
    code, title, detail = HTTP_PROBLEMS.get(status, HTTP_PROBLEMS[500 if status >= 500 else 400])
    body = {
        "type": f"/problems/{code}",
        "title": gettext(title),
        "status": status,
        "detail": gettext(detail),
        "code": code,
    }
    return Response(json.dumps(body, ensure_ascii=False), status, content_type="application/problem+json")


def _from_database(fault: Exception) -> Response:
    """Answer for a database that is away, full or broken; what is our own fault goes on as one."""
    outage = outages.named(fault)
    if outage is None:
        raise fault
    outages.note(outage)
    logs.log.error("outage", code=outage.code, method=request.method, route=logs.route(), **logs.place(fault))
    return answer(outage)


def init_app(app: Flask) -> None:
    outages.init_app(app)
    for kind in outages.faults(app.extensions["moralbank_database"]):
        app.register_error_handler(kind, _from_database)
    app.register_error_handler(MoralBankError, answer)
    app.register_error_handler(HTTPException, _from_http)
