"""Describes the API's operations in OpenAPI 3.1, so that the document says what the code does."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from functools import cache
from http import HTTPStatus
from typing import Any

import marshmallow as ma
from apispec import APISpec
from apispec.ext.marshmallow.common import make_schema_key, resolve_schema_cls
from apispec.ext.marshmallow.openapi import OpenAPIConverter
from marshmallow import fields

from moralbank.errors import MoralBankError
from moralbank.web.auth import Allowed

PROBLEM_JSON = "application/problem+json"

#: What any operation may answer besides success; a write more than a read.
_READ_REFUSALS = (400, 401, 403, 404, 406, 422, 429, 503)
_WRITE_REFUSALS = (400, 401, 403, 404, 406, 409, 413, 415, 422, 429, 503)

_ROLES = {
    "resident": "residents",
    "operator": "merchant operators",
    "staff": "staff",
    "helper": "helpers",
    "auditor": "auditors",
    "admin": "administrators",
}

_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": True,
    "description": "Names this write. Repeated with the same body, it gets the first answer and has no second effect.",
    "schema": {"type": "string", "minLength": 8, "maxLength": 128, "pattern": "^[!-~]{8,128}$"},
}
_IF_NONE_MATCH = {
    "name": "If-None-Match",
    "in": "header",
    "description": "The ETag of an earlier answer; answered with 304 when nothing has changed.",
    "schema": {"type": "string"},
}
_REPLAYED = {
    "description": "`true` when this is the answer given to the key before.",
    "schema": {"type": "string", "enum": ["true"]},
}
_ETAG = {"description": "Names this very content.", "schema": {"type": "string"}}
_PROBLEM = {
    "type": "object",
    "description": "A refusal. Members beyond these are the facts it speaks of. Source: RFC 9457.",
    "required": ["type", "title", "status", "detail", "code"],
    "properties": {
        "type": {"type": "string", "format": "uri-reference"},
        "title": {"type": "string", "description": "What is wrong, in the caller's language."},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "What to do next, in the caller's language."},
        "code": {"type": "string", "pattern": "^[a-z][a-z0-9-]*$", "description": "Stable name of the refusal."},
        "errors": {
            "type": "object",
            "description": "What is wrong with single fields, by their path.",
            "additionalProperties": {"type": "array", "items": {"type": "string"}},
        },
    },
}


def register_components(spec: APISpec) -> None:
    """Add what operations refer to: the security scheme, and problems by status."""
    spec.components.security_scheme("bearer", {"type": "http", "scheme": "bearer"})
    spec.components.schema("Problem", _PROBLEM)
    for code in sorted({*_READ_REFUSALS, *_WRITE_REFUSALS}):
        status = HTTPStatus(code)
        spec.components.response(
            status.name,
            {
                "description": status.phrase,
                "content": {PROBLEM_JSON: {"schema": {"$ref": "#/components/schemas/Problem"}}},
                **({"headers": {"WWW-Authenticate": {"schema": {"type": "string"}}}} if code == 401 else {}),
            },
        )


def plain_pattern(
    _converter: OpenAPIConverter, _field: fields.Field[Any], ret: dict[str, Any], **_more: Any
) -> dict[str, Any]:
    """Write a pattern's ends as every JSON Schema reader knows them, not as Python does."""
    if "pattern" not in ret:
        return {}
    return {"pattern": ret["pattern"].replace(r"\A", "^").replace(r"\Z", "$")}


def describe(
    operation: Callable[..., Any],
    view: Callable[..., Any],
    method: str,
    allowed: Allowed,
    answers: dict[int, type[ma.Schema] | None],
    refusals: Sequence[type[MoralBankError]],
    media: Sequence[str],
) -> None:
    """Attach to the operation what flask-smorest writes into the document for it."""
    writes = method != "GET"
    responses: dict[int, Any] = {code: _success(schema, writes) for code, schema in answers.items()}
    if not writes:
        responses[304] = {
            "description": "Not Modified: If-None-Match names what is still so.",
            "headers": {"ETag": _ETAG},
        }
    for code in _WRITE_REFUSALS if writes else _READ_REFUSALS:
        responses[code] = HTTPStatus(code).name
    document: dict[str, Any] = {
        "operationId": view.__name__,
        "description": _description(view, allowed, refusals),
        "responses": responses,
    }
    if allowed.roles:
        document["security"] = [{"bearer": [allowed.token]}]
    if media:
        content = {name: {"schema": {"type": "string", "format": "binary"}} for name in media}
        document["requestBody"] = {"required": True, "content": content}
    docs: dict[str, Any] = operation.__dict__["_apidoc"]
    docs["arguments"]["parameters"].append(_KEY if writes else _IF_NONE_MATCH)
    docs["manual_doc"] = document


def _success(schema: type[ma.Schema] | None, writes: bool) -> dict[str, Any]:
    return {
        "description": "Done." if writes else "What was asked for.",
        "headers": {"Idempotency-Replayed": _REPLAYED} if writes else {"ETag": _ETAG},
        **({"content": {"application/json": {"schema": schema()}}} if schema else {}),
    }


def _description(view: Callable[..., Any], allowed: Allowed, refusals: Sequence[type[MoralBankError]]) -> str:
    _, _, more = (inspect.getdoc(view) or "").partition("\n")
    who = ", ".join(_ROLES[role] for role in allowed.roles) or "anybody"
    lines = [more.strip(), f"For {who}." + (f" Token scope: `{allowed.token}`." if allowed.token else "")]
    if refusals:
        named = ", ".join(f"`{refusal.code}` ({refusal.status})" for refusal in refusals)
        lines.append(f"Refusals of its own: {named}.")
    return "\n\n".join(line for line in lines if line)


def schema_name(schema: Any) -> str:
    """Name a schema after its package and class; one cut down with only= or exclude= stands inline, without a name."""
    found = resolve_schema_cls(schema)
    owner = found[0] if isinstance(found, list) else found
    if isinstance(owner, str):
        return owner
    if isinstance(schema, ma.Schema) and make_schema_key(schema) != make_schema_key(owner()):
        return ""
    package = owner.__module__.split(".")[1] if owner.__module__.startswith("moralbank.") else "web"
    return f"{package}.{owner.__name__.removesuffix('Schema')}"


@cache
def page_schema(answer: type[ma.Schema]) -> type[ma.Schema]:
    """Return the schema of a page of what `answer` describes."""
    name = answer.__name__.removesuffix("Schema")
    made = type(
        f"{name}Page",
        (ma.Schema,),
        {
            "__module__": answer.__module__,
            "items": fields.List(fields.Nested(answer), required=True),
            "next": fields.String(
                required=True,
                allow_none=True,
                metadata={"description": "Path and query of the next page; null behind the last."},
            ),
        },
    )
    return made
