"""The reader's language: how it is chosen, and what their texts are read from."""

from __future__ import annotations

from pathlib import Path

import pytest
from babel.messages.pofile import read_po
from flask import Flask, render_template_string

from moralbank.web import i18n

PO = """
msgid ""
msgstr "Content-Type: text/plain; charset=utf-8\\nPlural-Forms: nplurals=2; plural=(n != 1);\\n"

msgid "收到 %(n)s 分"
msgstr "%(n)s points received"

msgid "%(n)s 人"
msgid_plural "%(n)s 人们"
msgstr[0] "%(n)s person"
msgstr[1] "%(n)s people"

#, fuzzy
msgid "再见"
msgstr "Hello"
"""


TEMPLATE = "{{ _('收到 %(n)s 分', n=name) }}"


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A bare application whose English catalogue is the one above."""
    home = tmp_path / "en" / "LC_MESSAGES"
    home.mkdir(parents=True)
    (home / "messages.po").write_text(PO, encoding="utf-8")
    monkeypatch.setattr(i18n, "_CATALOGUES", tmp_path)
    i18n.translations.cache_clear()
    app = Flask("bare")
    i18n.init_app(app)
    app.add_url_rule("/", "page", view_func=lambda: render_template_string(TEMPLATE, name="<20>"))
    app.add_url_rule("/picture", "picture", lambda: app.response_class("x", mimetype="image/svg+xml"))
    yield app
    i18n.translations.cache_clear()


@pytest.mark.parametrize(
    ("accepts", "reads"),
    [
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        ("en-GB,en;q=0.9,zh;q=0.5", "en"),
        ("en-US", "en"),
        ("zh-TW", "zh"),
        ("fr-FR,fr", "zh"),
        ("fr-FR,en;q=0.3", "en"),
        (None, "zh"),
    ],
)
def test_a_new_reader_gets_the_language_of_their_browser_or_else_chinese(app: Flask, accepts: str | None, reads: str):
    with app.test_request_context(headers={"Accept-Language": accepts} if accepts else {}):
        assert i18n.language() == reads


@pytest.mark.parametrize(("cookie", "reads"), [("zh", "zh"), ("en", "en"), ("tlh", "en"), ("../../etc", "en")])
def test_a_choice_once_made_outweighs_the_browser_when_we_speak_that_language(app: Flask, cookie: str, reads: str):
    with app.test_request_context(headers={"Accept-Language": "en", "Cookie": f"lang={cookie}"}):
        assert i18n.language() == reads


def test_texts_are_given_in_the_readers_language(app: Flask):
    with app.test_request_context(headers={"Accept-Language": "en"}):
        assert i18n.gettext("收到 %(n)s 分", n=20) == "20 points received"
        assert i18n.ngettext("%(n)s 人", "%(n)s 人们", 1) == "1 person"
        assert i18n.ngettext("%(n)s 人", "%(n)s 人们", 3) == "3 people"
    with app.test_request_context():
        assert i18n.gettext("收到 %(n)s 分", n=20) == "收到 20 分"
        assert i18n.ngettext("%(n)s 人", "%(n)s 人们", 1) == "1 人"


def test_a_text_without_fields_may_hold_percent_signs_and_braces(app: Flask):
    with app.test_request_context():
        assert i18n.gettext("完成 100%，尾号 {tail}") == "完成 100%，尾号 {tail}"


def test_an_unchecked_translation_is_not_shown(app: Flask):
    with app.test_request_context(headers={"Accept-Language": "en"}):
        assert i18n.gettext("再见") == "再见"


def test_outside_a_request_texts_are_the_source(app: Flask):
    assert i18n.language() == "zh"
    assert i18n.gettext("收到 %(n)s 分", n=20) == "收到 20 分"


def test_templates_translate_and_escape_what_fills_a_text(app: Flask):
    answer = app.test_client().get("/", headers={"Accept-Language": "en"})
    assert answer.text == "&lt;20&gt; points received"


def test_a_page_says_its_language_and_what_it_varies_with(app: Flask):
    answer = app.test_client().get("/", headers={"Accept-Language": "en"})
    assert answer.headers["Content-Language"] == "en"
    assert {"cookie", "accept-language"} <= {name.lower() for name in answer.vary}


def test_a_picture_says_nothing_of_language(app: Flask):
    answer = app.test_client().get("/picture", headers={"Accept-Language": "en"})
    assert "Content-Language" not in answer.headers
    assert not answer.vary


def test_the_english_catalogue_keeps_every_field_of_the_source_text():
    path = Path(i18n.__file__).parent.parent / "translations" / "en" / "LC_MESSAGES" / "messages.po"
    with path.open("rb") as source:
        catalogue = read_po(source, locale="en", abort_invalid=True)
    faults = [(message.id, str(error)) for message, errors in catalogue.check() for error in errors]
    translated = [message for message in catalogue if message.id and message.string]
    braces = [message.id for message in translated if _braces(message.id) != _braces(message.string)]
    assert faults == []
    assert braces == []


def _braces(text: object) -> set[str]:
    """Return the {fields} of a refusal's sentence."""
    parts = text if isinstance(text, str) else " ".join(text)  # type: ignore[arg-type]
    return {piece.split("}")[0] for piece in parts.split("{")[1:]}
