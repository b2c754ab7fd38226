"""The reader's language: which one, and the catalogue of it. Chinese is the source and has no catalogue."""

from __future__ import annotations

from functools import cache
from gettext import GNUTranslations, NullTranslations
from io import BytesIO
from pathlib import Path

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from flask import Flask, Response, has_request_context, request

SOURCE = "zh"
#: Languages a reader may choose, with the tag that stands in <html lang> and Content-Language.
LANGUAGES = {"zh": "zh-CN", "en": "en"}
COOKIE = "lang"

_CATALOGUES = Path(__file__).parent.parent / "translations"


def language() -> str:
    """Return the reader's language: their own choice, else their browser's, else Chinese."""
    if not has_request_context():
        return SOURCE
    chosen = request.cookies.get(COOKIE)
    if chosen in LANGUAGES:
        return chosen
    return request.accept_languages.best_match(LANGUAGES, SOURCE)


def gettext(message: str, **fields: object) -> str:
    """Return the message in the reader's language, with %(name)s fields filled in."""
    text = translations(language()).gettext(message)
    return text % fields if fields else text


def ngettext(singular: str, plural: str, n: int, **fields: object) -> str:
    """Return the form of the message that fits the number, with %(n)s and further fields filled in."""
    return translations(language()).ngettext(singular, plural, n) % {"n": n, **fields}


@cache
def translations(code: str) -> NullTranslations:
    """Return one language's messages, compiled in memory from its .po file at the first question."""
    if code == SOURCE:
        return NullTranslations()
    with (_CATALOGUES / code / "LC_MESSAGES" / "messages.po").open("rb") as source:
        catalogue = read_po(source, locale=code, abort_invalid=True)
    compiled = BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    return GNUTranslations(compiled)


def init_app(app: Flask) -> None:
    """Give templates _() and ngettext(), and tell caches what an HTML answer depends on."""
    app.jinja_env.add_extension("jinja2.ext.i18n")
    app.jinja_env.install_gettext_callables(  # type: ignore[attr-defined]
        lambda message: translations(language()).gettext(message),
        lambda singular, plural, n: translations(language()).ngettext(singular, plural, n),
        newstyle=True,
    )
    app.jinja_env.globals.update(language=language)
    app.after_request(_say_the_language)


def _say_the_language(response: Response) -> Response:
    if response.mimetype == "text/html":
        response.vary.update(("Cookie", "Accept-Language"))
        response.headers.setdefault("Content-Language", LANGUAGES[language()])
    return response
