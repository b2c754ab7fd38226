"""What every answer says to browsers about its own safety, and the guard of every form against forgery."""

from __future__ import annotations

from flask import Flask, Response, abort, current_app, request
from flask_wtf import CSRFProtect
from flask_wtf.csrf import CSRFError, generate_csrf
from markupsafe import Markup

from moralbank.config import Config
from moralbank.web import bodies, problems
from moralbank.web.i18n import gettext

CSRF_SECONDS = 12 * 3600
#: Nothing inline, nothing from elsewhere: a page is its own HTML, one style sheet and one module.
CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "font-src 'self'",
        "connect-src 'self'",
        "media-src 'self'",
        "manifest-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), geolocation=(), microphone=(), payment=(), usb=()",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
HSTS = "max-age=31536000; includeSubDomains"

_csrf = CSRFProtect()


def csrf_field() -> Markup:
    """Return the hidden field that every form carries."""
    return Markup('<input type="hidden" name="csrf_token" value="{}">').format(generate_csrf())


def _add_headers(response: Response) -> Response:
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    if request.endpoint != "static":
        # Pages hold balances and names: no shared computer may show them after signing out.
        response.headers.setdefault("Cache-Control", "no-store")
    return response


def _add_hsts(response: Response) -> Response:
    response.headers.setdefault("Strict-Transport-Security", HSTS)
    return response


def _guard() -> None:
    """Refuse a form without its token, and characters that no database keeps.

    The API takes bearer tokens only, which no other site can send, and looks at its characters itself.
    """
    if request.endpoint is None or problems.is_api():
        return
    if current_app.config["WTF_CSRF_ENABLED"]:
        _csrf.protect()
    given = [*request.args.items(multi=True), *request.form.items(multi=True), *(request.view_args or {}).items()]
    if not all(bodies.is_storable(str(text)) for pair in given for text in pair):
        abort(400)


def _stale_form(_error: CSRFError) -> Response:
    sentence = gettext("这一页放得太久，或者在别处重新登录过。请返回上一页，刷新后再提交一次。")
    return problems.page(400, gettext("请刷新后再提交"), sentence)


def init_app(app: Flask) -> None:
    """Add the headers, the guard, and csrf_field() for templates. Goes before anything that reads a form."""
    config: Config = app.config["MORALBANK"]
    app.config.update(WTF_CSRF_CHECK_DEFAULT=False, WTF_CSRF_TIME_LIMIT=CSRF_SECONDS)
    _csrf.init_app(app)
    app.before_request(_guard)
    app.register_error_handler(CSRFError, _stale_form)
    app.after_request(_add_headers)
    if config.secure:
        app.after_request(_add_hsts)
    app.jinja_env.globals.update(csrf_field=csrf_field)
