"""Reads what a caller of the API sent, as strictly as the OpenAPI document describes it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, NoReturn

import flask
import marshmallow as ma
from marshmallow import fields
from webargs.flaskparser import FlaskParser
from webargs.multidictproxy import MultiDictProxy

from moralbank.errors import N_, Invalid
from moralbank.web.errors import MalformedJson, NotJson
from moralbank.web.forms import say
from moralbank.web.i18n import gettext

JSON = "application/json"
#: What a caller who reads JSON says, if anything.
ACCEPTED = (None, "*/*", JSON)
#: The longest body that any view takes.
MAX_CONTENT_BYTES = 16 * 1024 * 1024
#: Beyond this a JSON reader in another language no longer holds every whole number.
LARGEST_WHOLE = 2**53 - 1
MAX_DEPTH = 32
#: Names the whole body where an error belongs to none of its fields.
WHOLE_BODY = "body"

_UNSTORABLE = N_("不能含有空字符或不成对的代理字符。")
_REPEATED = N_("只能给一次。")
_BAD_WHOLE = N_("不是整数。")
_BAD_FLAG = N_("只能是 true 或 false。")


class StrictParser(FlaskParser):
    """A webargs parser that refuses what marshmallow would quietly convert, drop or pass on to the database."""

    DEFAULT_UNKNOWN_BY_LOCATION = {**FlaskParser.DEFAULT_UNKNOWN_BY_LOCATION, "query": ma.RAISE, "json": ma.RAISE}

    def load_json(self, req: flask.Request, schema: ma.Schema) -> Any:
        """Return the body when it is well-formed and of the JSON types that the schema names."""
        data = read_json(req)
        _raise_any({**dict(_unstorable(data, "")), **dict(_wrong_types(schema, data, ""))})
        return data

    def load_querystring(self, req: flask.Request, schema: ma.Schema) -> Any:
        """Return the query string's arguments; only those of a list may be repeated."""
        given = req.args
        repeated = {
            name: _REPEATED
            for name in given
            if len(given.getlist(name)) > 1 and not isinstance(schema.load_fields.get(name), fields.List)
        }
        _raise_any({**dict(_unstorable({name: "".join(given.getlist(name)) for name in given}, "")), **repeated})
        return MultiDictProxy(given, schema)

    def handle_error(
        self,
        error: ma.ValidationError,
        req: flask.Request,
        schema: ma.Schema,
        *,
        error_status_code: int | None,
        error_headers: Mapping[str, str] | None,
    ) -> NoReturn:
        """Refuse with the problem of the whole API, fields named by their path."""
        found: dict[str, list[str]] = {}
        for messages in error.normalized_messages().values():
            for path, text in _flat(messages, ""):
                found.setdefault(path or WHOLE_BODY, []).append(text)
        raise Invalid(errors=found) from None


def read_json(req: flask.Request) -> Any:
    """Return the request's JSON value.

    Raises (in the order checked): NotJson, MalformedJson; RequestEntityTooLarge when the body is over its bound.
    """
    if req.mimetype != JSON:
        raise NotJson(expected=JSON)
    return parse(req.get_data())


def parse(octets: bytes) -> Any:
    """Return the JSON value that the octets spell. Raises: MalformedJson."""
    try:
        data = json.loads(
            octets.decode(),
            parse_constant=_refuse_constant,
            parse_float=_finite,
            object_pairs_hook=_once_each,
        )
        _check_depth(data)
    except (ValueError, RecursionError):
        raise MalformedJson() from None
    return data


def is_storable(text: str) -> bool:
    """Tell whether both engines can store the text: no NUL, no half of a surrogate pair."""
    return "\0" not in text and not any("\ud800" <= character <= "\udfff" for character in text)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _finite(digits: str) -> float:
    value = float(digits)
    if value in (float("inf"), float("-inf")):
        raise ValueError("a number is out of range")
    return value


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice in an object")
    return found


def _check_depth(data: Any) -> None:
    level, depth = [data], 0
    while level:
        if depth > MAX_DEPTH:
            raise ValueError("nested too deeply")
        level = [
            child
            for value in level
            if isinstance(value, dict | list)
            for child in (value.values() if isinstance(value, dict) else value)
        ]
        depth += 1


def _raise_any(errors: Mapping[str, str]) -> None:
    if errors:
        raise Invalid(errors={path or WHOLE_BODY: [gettext(text)] for path, text in errors.items()})


def _unstorable(value: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        if not is_storable(value):
            yield path, _UNSTORABLE
    elif isinstance(value, dict):
        for name, child in value.items():
            if not is_storable(name):
                yield path, _UNSTORABLE
            else:
                yield from _unstorable(child, _join(path, name))
    elif isinstance(value, list):
        for place, child in enumerate(value):
            yield from _unstorable(child, _join(path, place))


def _wrong_types(schema: ma.Schema, value: Any, path: str) -> Iterator[tuple[str, str]]:
    """Find texts where the schema has a whole number or a flag: right in a form, which has only texts, not in JSON."""
    if schema.many and isinstance(value, list):
        for place, child in enumerate(value):
            yield from _wrong_types_of_one(schema, child, _join(path, place))
    else:
        yield from _wrong_types_of_one(schema, value, path)


def _wrong_types_of_one(schema: ma.Schema, value: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for name, field in schema.load_fields.items():
            name = field.data_key or name
            if value.get(name) is not None:
                yield from _wrong_type(field, value[name], _join(path, name))


def _wrong_type(field: ma.fields.Field[Any], value: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(field, fields.Integer):
        # JSON knows no difference between 1 and 1.0, but true and "1" are no numbers.
        if isinstance(value, bool) or not isinstance(value, int | float) or value != int(value):
            yield path, _BAD_WHOLE
    elif isinstance(field, fields.Boolean):
        if not isinstance(value, bool):
            yield path, _BAD_FLAG
    elif isinstance(field, fields.Nested):
        yield from _wrong_types(field.schema, value, path)
    elif isinstance(field, fields.List) and isinstance(value, list):
        for place, child in enumerate(value):
            yield from _wrong_type(field.inner, child, _join(path, place))


def _flat(messages: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(messages, dict):
        for name, child in messages.items():
            yield from _flat(child, path if name == "_schema" else _join(path, name))
    elif isinstance(messages, list):
        for child in messages:
            yield from _flat(child, path)
    else:
        yield path, say(str(messages))


def _join(path: str, name: object) -> str:
    return f"{path}.{name}" if path else str(name)
