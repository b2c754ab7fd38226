"""The door to paper for pages: a PDF as an answer, and whether there can be one. Knows no package."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from flask import Flask, Response

from moralbank import papers
from moralbank.web.i18n import gettext as _
from moralbank.web.i18n import language

PDF = "application/pdf"


def init_app(app: Flask) -> None:
    """Let templates ask `pdf_is_available()`: where it isn't, they offer the page to be printed and say why."""
    app.jinja_env.globals["pdf_is_available"] = papers.is_available


def pdf_response(template: str, data: Mapping[str, Any], filename: str, made_at: datetime) -> Response:
    """Answer with a PDF of a template of moralbank/papers, shown in the browser and saved under the name.

    made_at: the time that the paper states; the same data and time give the same octets.
    Raises: PaperUnavailable.
    """
    answer = Response(papers.pdf(template, data, made_at), content_type=PDF)
    answer.headers["Content-Disposition"] = f'inline; filename="{filename}"'
    return answer


def sheet(title: str, documents: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the data of the template `sheet` (moralbank/papers/sheet.typ) for documents in the reader's language."""
    pages = _("第 %(n)s 页，共 %(m)s 页", n="{n}", m="{m}")
    return {"title": title, "lang": language()[:2], "pages": pages, "documents": documents}
