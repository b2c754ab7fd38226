"""What every operation of every package keeps to: bounds on all input, closed answers, unique names."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from moralbank.app import create_app
from moralbank.config import Config

MAX_WHOLE = 2**53 - 1
METHODS = ("get", "post", "put", "patch", "delete")


@pytest.fixture(scope="module")
def document(tmp_path_factory):
    """The OpenAPI document; it needs no database behind it."""
    path = tmp_path_factory.mktemp("document") / "none.db"
    config = Config(
        f"sqlite:///{path}", "a test key of more than thirty-two characters", "http://localhost", False, False
    )
    return create_app(config).test_client().get("/api/v1/openapi.json").get_json()


def operations(document) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method in METHODS:
            if method in methods:
                yield path, method, methods[method]


def resolved(document, schema: dict[str, Any]) -> dict[str, Any]:
    if "$ref" in schema:
        return document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return schema


def unbounded(document, schema: dict[str, Any], path: str) -> Iterator[str]:
    """Find the texts, whole numbers, lists and objects that could be of any size."""
    schema = resolved(document, schema)
    if "enum" in schema or "const" in schema or schema.get("format") in ("date", "date-time", "uuid", "binary", "time"):
        return
    for part in ("allOf", "anyOf", "oneOf"):
        for child in schema.get(part, []):
            yield from unbounded(document, child, path)
    kinds = schema.get("type", [])
    kinds = [kinds] if isinstance(kinds, str) else kinds
    if "string" in kinds and "maxLength" not in schema and "pattern" not in schema:
        yield f"{path}: a text without Length(max=…)"
    if "integer" in kinds:
        low, high = (
            schema.get("minimum", schema.get("exclusiveMinimum")),
            schema.get("maximum", schema.get("exclusiveMaximum")),
        )
        if low is None or high is None or low < -MAX_WHOLE or high > MAX_WHOLE:
            yield f"{path}: a whole number without Range(min, max)"
    if "number" in kinds:
        yield f"{path}: a fraction, where everything here is whole"
    if "array" in kinds:
        if "maxItems" not in schema:
            yield f"{path}: a list without Length(max=…)"
        yield from unbounded(document, schema.get("items", {}), f"{path}[]")
    if "object" in kinds:
        if schema.get("additionalProperties") is not False:
            yield f"{path}: an object that takes any field"
        for name, child in schema.get("properties", {}).items():
            yield from unbounded(document, child, f"{path}.{name}")


def test_all_input_is_bounded(document):
    found: list[str] = []
    for path, method, operation in operations(document):
        name = f"{method.upper()} {path}"
        for parameter in operation.get("parameters", []):
            if parameter["in"] == "query":
                found += unbounded(document, parameter["schema"], f"{name} ?{parameter['name']}")
        for content in operation.get("requestBody", {}).get("content", {}).values():
            found += unbounded(document, content["schema"], name)
    assert not found, "\n".join(found)


def test_every_write_needs_a_key_and_every_read_has_an_etag(document):
    for path, method, operation in operations(document):
        headers = {parameter["name"] for parameter in operation["parameters"] if parameter["in"] == "header"}
        assert ("If-None-Match" if method == "get" else "Idempotency-Key") in headers, (method, path)


def test_every_operation_has_a_name_of_its_own_and_says_what_it_does(document):
    names = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(names) == len(set(names)), sorted(name for name in names if names.count(name) > 1)
    for path, method, operation in operations(document):
        assert operation.get("summary"), (method, path)
        assert operation["security"][0]["bearer"], (method, path)


def test_every_list_is_bounded_by_a_limit(document):
    for path, method, operation in operations(document):
        for code, response in operation["responses"].items():
            if not code.startswith("2"):
                continue
            for content in response.get("content", {}).values():
                schema = resolved(document, content.get("schema", {}))
                assert schema.get("type") != "array", f"{method} {path} answers with a bare list"
                if "next" in schema.get("properties", {}):
                    assert "limit" in {parameter["name"] for parameter in operation["parameters"]}, (method, path)
