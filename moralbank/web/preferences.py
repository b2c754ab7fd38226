"""How a reader wants pages: language, elder mode, theme, a cookie each; and the gallery of widgets."""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import Blueprint, Flask, abort, current_app, redirect, render_template, request
from werkzeug.wrappers import Response

from moralbank.web import gallery, i18n
from moralbank.web.auth import public

COOKIE_SECONDS = 365 * 24 * 3600
THEMES = ("light", "dark")

blueprint = Blueprint("preferences", __name__)


def preference(name: str) -> str:
    """Return what the reader chose for "elder" ("1") or "theme" ("light", "dark"), or an empty string."""
    value = request.cookies.get(name, "")
    return value if value in {"elder": ("1",), "theme": THEMES}[name] else ""


def own_path(target: str | None) -> str:
    """Return the target if it is a path of this site, else the first page: no link leads away through us."""
    # Browsers read a backslash as a slash and drop tabs and line ends, so either could hide "//elsewhere".
    if not target or not target.startswith("/") or target.startswith("//") or "\\" in target:
        return "/"
    if any(ord(character) < 0x20 for character in target) or urlsplit(target).netloc:
        return "/"
    return target


@blueprint.get("/language/<code>")
@public
def language(code: str) -> Response:
    """Read in this language from now on."""
    if code not in i18n.LANGUAGES:
        abort(404)
    return _choose(i18n.COOKIE, code)


@blueprint.get("/elder")
@public
def elder() -> Response:
    """Turn elder mode on or off: on=1, on=0, or the other way round when nothing is said."""
    wanted = request.args.get("on", "0" if preference("elder") else "1")
    return _choose("elder", "1" if wanted == "1" else "")


@blueprint.get("/theme/<code>")
@public
def theme(code: str) -> Response:
    """Show light or dark pages, or follow the system (auto)."""
    if code not in (*THEMES, "auto"):
        abort(404)
    return _choose("theme", code if code in THEMES else "")


@blueprint.get("/_gallery")
@public
def show_gallery() -> str:
    """Show every widget with believable content, while developing."""
    if not current_app.debug:
        abort(404)
    layout = request.args.get("layout", "staff")
    return render_template("web/gallery.html", layout=layout, **gallery.content())


def _choose(name: str, value: str) -> Response:
    """Remember a choice for a year (an empty one is forgotten) and go back to where the reader was."""
    response = redirect(own_path(request.args.get("next")), 303)
    if value:
        response.set_cookie(
            name, value, max_age=COOKIE_SECONDS, secure=request.is_secure, httponly=True, samesite="Lax"
        )
    else:
        response.delete_cookie(name, secure=request.is_secure, httponly=True, samesite="Lax")
    return response


def init_app(app: Flask) -> None:
    """Give templates preference()."""
    app.jinja_env.globals.update(preference=preference)
