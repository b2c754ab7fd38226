"""Reads what a page's form sent, through the same schemas as the API, and says in words what to mend."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import marshmallow as ma
from flask import request
from marshmallow import fields

from moralbank.errors import N_, Invalid, MoralBankError
from moralbank.web.i18n import gettext

#: marshmallow's own words for what our schemas say nothing about.
_WORDS = {
    "Missing data for required field.": N_("请填写这一项。"),
    "Field may not be null.": N_("请填写这一项。"),
    "Not a valid integer.": N_("请填一个整数。"),
    "Not a valid date.": N_("请填一个日期，例如 2026-11-21。"),
    "Not a valid time.": N_("请填一个时间，例如 14:30。"),
    "Not a valid boolean.": N_("请选择是或否。"),
    "Not a valid string.": N_("请填文字。"),
    "Not a valid list.": N_("请给一个列表。"),
    "Not a valid datetime.": N_("请给一个带时区的时刻，例如 2026-11-21T14:30:00+08:00。"),
    "Not a valid UUID.": N_("不是有效的编号。"),
    "Unknown field.": N_("没有这个字段。"),
    "Invalid input type.": N_("内容的形式不对。"),
}


def read_form(schema: type[ma.Schema]) -> dict[str, Any]:
    """Return the form's fields as the schema loads them; an empty field counts as missing.

    Raises: Invalid, with a sentence per field.
    """
    loader = schema(unknown=ma.EXCLUDE)
    given = {name: value for name, value in _given(loader) if value not in ("", [])}
    try:
        loaded: dict[str, Any] = loader.load(given)
    except ma.ValidationError as error:
        raise Invalid(errors=dict(_in_words(error.normalized_messages()))) from None
    return loaded


def in_words(refusal: MoralBankError) -> dict[str, list[str]]:
    """Return a refusal's sentences by field, in the reader's language, for the form's macros."""
    return {name: [gettext(text) for text in texts] for name, texts in refusal.errors.items()}


def _given(loader: ma.Schema) -> Iterable[tuple[str, Any]]:
    for name, field in loader.load_fields.items():
        key = field.data_key or name
        if isinstance(field, fields.List):
            yield key, request.form.getlist(key)
        elif key in request.form:
            yield key, request.form[key].strip()


def _in_words(messages: dict[str, Any]) -> Iterable[tuple[str, list[str]]]:
    for name, found in messages.items():
        texts = found if isinstance(found, list) else [text for texts in found.values() for text in texts]
        yield name, [say(text) for text in texts]


def say(text: str) -> str:
    """Return what a schema says about a field in the reader's language."""
    return gettext(_WORDS.get(text, text))
