"""The API under /api/v1: how an operation is read, keyed, answered and described. Knows no package.

docs/API.md shows how a package adds an operation.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Sequence
from copy import deepcopy
from functools import wraps
from http import HTTPStatus
from typing import Any, TypeVar

import flask_smorest
import marshmallow as ma
from apispec.ext.marshmallow import MarshmallowPlugin
from flask import Blueprint as FlaskBlueprint
from flask import Flask, Response, request
from marshmallow import fields, validate
from sqlalchemy import Connection

from moralbank.errors import MoralBankError, NotFound, Refused
from moralbank.web import auth, bodies, idempotency, paging, problems
from moralbank.web.db import database
from moralbank.web.errors import IdempotencyKeyMissing, NotAcceptable, NotJson
from moralbank.web.openapi import PROBLEM_JSON, describe, page_schema, plain_pattern, register_components, schema_name

F = TypeVar("F", bound=Callable[..., Any])

PREFIX = "/api/v1"
JSON = bodies.JSON
MAX_BODY_BYTES = 64 * 1024
MAX_PATH_CHARACTERS = 128
KEY = re.compile(r"[!-~]{8,128}")


class ApiBlueprint(flask_smorest.Blueprint):
    """A package's operations. Every view is a plain function whose first parameter is `db`.

    It gets path parameters by name, and as keywords `query` (loaded by the query schema), `page` (of a paged read),
    `body` (loaded by the body schema) and `key` (of a write). It returns what its answer schema dumps, or a Page.
    """

    ARGUMENTS_PARSER = bodies.StrictParser()

    def __init__(self, name: str, import_name: str, *, description: str) -> None:
        #: The tag of its operations in the OpenAPI document.
        self.title = name
        super().__init__(f"api_{name}", import_name, url_prefix=PREFIX, description=description)

    def reads(
        self,
        rule: str,
        answer: type[ma.Schema],
        *,
        query: type[ma.Schema] | None = None,
        paged: bool = False,
        refusals: Sequence[type[MoralBankError]] = (),
    ) -> Callable[[F], F]:
        """Register a GET operation. It runs in one read snapshot and answers with an ETag."""
        schema = page_schema(answer) if paged else answer
        arguments = _query_schema(query, paged)()
        written = schema()

        def register(view: F) -> F:
            @wraps(view)
            def operation(*, query: dict[str, Any], **path: Any) -> Response:
                _check(path)
                keywords: dict[str, Any] = dict(path)
                if paged:
                    page = _paging(query)
                    keywords["page"] = page
                if query_given:
                    keywords["query"] = query
                with database().reading() as db:
                    result = view(db, **keywords)
                    if paged:
                        result = {"items": result.items, "next": paging.next_link(result, page, query)}
                    body = _dump(written, result)
                response = Response(body, content_type=JSON)
                response.cache_control.private = response.cache_control.no_cache = True
                response.vary.update(("Authorization", "Accept-Language"))
                return _unless_known(response)

            query_given = query is not None
            documented = self.arguments(arguments, location="query", arg_name="query")(operation)
            self._register(rule, "GET", view, documented, {200: schema}, refusals)
            return view

        return register

    def writes(
        self,
        rule: str,
        answer: type[ma.Schema] | None,
        *,
        method: str = "POST",
        body: type[ma.Schema] | None = None,
        media: Sequence[str] = (),
        status: int = HTTPStatus.CREATED,
        max_bytes: int = MAX_BODY_BYTES,
        refusals: Sequence[type[MoralBankError]] = (),
        on_refused: Callable[..., object] | None = None,
    ) -> Callable[[F], F]:
        """Register a write. It is carried out once per Idempotency-Key, and every repetition has the first answer.

        With `media` instead of a body schema the view gets the body's octets. A refusal undoes what the view wrote;
        `on_refused(db, refusal, …)` then writes what is to stay, and gets what the view got.
        """

        def register(view: F) -> F:
            @wraps(view)
            def operation(*, query: dict[str, Any], body: Any = None, **path: Any) -> Response:
                if media:
                    body = _octets(media)
                key = _key(bodies.read_json(request) if takes_body else request.get_data())

                def given() -> dict[str, Any]:
                    # A copy each time: a view may take its body apart, and a deadlock lets it run again.
                    return {"key": key.key, **({"body": deepcopy(body)} if media or takes_body else {}), **path}

                def act(db: Connection) -> idempotency.Answer:
                    result = view(db, **given())
                    content = _dump(written, result) if written else b""
                    return idempotency.Answer(int(status), JSON if answer else "", content)

                def leave(db: Connection, refusal: Refused) -> None:
                    if on_refused:
                        on_refused(db, refusal, **given())

                return _response(idempotency.once(database(), key, act, _decided, leave))

            takes_body = body is not None
            written = answer() if answer else None
            documented: Callable[..., Any] = operation
            if body is not None:
                documented = self.arguments(body(), location="json", arg_name="body")(documented)
            documented = self.arguments(ma.Schema(), location="query", arg_name="query")(documented)
            bounded = _bounded(documented, max_bytes)
            self._register(rule, method, view, bounded, {int(status): answer}, refusals, media=media)
            return view

        return register

    def _register(
        self,
        rule: str,
        method: str,
        view: Callable[..., Any],
        operation: Callable[..., Any],
        answers: dict[int, type[ma.Schema] | None],
        refusals: Sequence[type[MoralBankError]],
        media: Sequence[str] = (),
    ) -> None:
        allowed = getattr(view, "moralbank_allowed", None)
        if allowed is None or (allowed.roles and allowed.token is None):
            raise TypeError(f"{view.__name__} needs @allow(…, token=…) or @public below the API decorator")
        describe(operation, view, method, allowed, answers, refusals, media)
        self.add_url_rule(rule, view.__name__, operation, methods=[method], tags=[self.title])


class Api(flask_smorest.Api):
    """flask-smorest's registry of operations, with the problems of this service instead of its own errors."""

    DEFAULT_ERROR_RESPONSE_NAME = None

    def __init__(self, *settings: Any, **named: Any) -> None:
        self._undescribed: list[ApiBlueprint] = []
        self._describing = threading.Lock()
        super().__init__(*settings, **named)

    def _register_error_handlers(self) -> None:
        """Leave errors to web/problems.py: flask-smorest's own handler drops the Allow header of a 405."""

    def _register_responses(self) -> None:
        register_components(self.spec)

    def _register_pagination_header(self) -> None:
        """Leave out flask-smorest's pages by number: ours go by cursor."""

    def register_blueprint(self, blueprint: ApiBlueprint, **options: Any) -> None:
        """Add a package's operations to the application, and to the document when that is asked for."""
        self._app.register_blueprint(blueprint, **options)
        self._undescribed.append(blueprint)

    def document(self) -> dict[str, Any]:
        """Return the OpenAPI document. Every start would wait for what few processes are ever asked for."""
        with self._describing:
            while self._undescribed:
                blueprint = self._undescribed.pop(0)
                blueprint.register_views_in_doc(self, self._app, self.spec, name=blueprint.name, parameters=None)
                self.spec.tag({"name": blueprint.title, "description": blueprint.description})
            document: dict[str, Any] = self.spec.to_dict()
            return document


def init_app(app: Flask) -> Api:
    """Open /api/v1 with its OpenAPI document and return the registry for the packages' operations."""
    app.config.update(API_TITLE="moralbank", API_VERSION="v1", OPENAPI_VERSION="3.1.0")
    plugin = MarshmallowPlugin(schema_name_resolver=schema_name)
    rest = Api(
        app,
        spec_kwargs={
            "marshmallow_plugin": plugin,
            "info": {"description": "Points and minutes of volunteers: earn, spend, read, audit."},
            "servers": [{"url": "/"}],
        },
    )
    assert plugin.converter is not None, "the registry has just begun the document"
    plugin.converter.add_attribute_function(plain_pattern)
    documents = FlaskBlueprint("api_document", __name__, url_prefix=PREFIX)

    @documents.get("/openapi.json")
    @auth.public
    def openapi() -> Response:
        response = Response(json.dumps(rest.document(), ensure_ascii=False), content_type=JSON)
        return _unless_known(response)

    app.register_blueprint(documents)
    return rest


def _query_schema(query: type[ma.Schema] | None, paged: bool) -> type[ma.Schema]:
    """Return the schema of the whole query string; an argument it doesn't name is refused."""
    if not paged:
        return query or ma.Schema
    limits = validate.Range(1, paging.MAX_LIMIT)
    extra = {
        "limit": fields.Integer(
            load_default=paging.DEFAULT_LIMIT,
            validate=limits,
            metadata={"description": "The most rows to answer with."},
        ),
        "cursor": fields.String(
            validate=validate.Length(1, paging.MAX_CURSOR_CHARACTERS),
            metadata={"description": "Where to go on: taken from `next` of the page before, filters unchanged."},
        ),
    }
    base = query or ma.Schema
    return type(f"{base.__name__}Paged", (base,), extra)


def _paging(query: dict[str, Any]) -> paging.Paging:
    """Take the limit and the cursor out of the query, so that what stays are the filters."""
    limit = query.pop("limit")
    return paging.Paging(limit, paging.read_cursor(query.pop("cursor", None), query))


def _bounded(operation: Callable[..., Any], max_bytes: int) -> Callable[..., Any]:
    """Bound the body before anything reads it."""

    @wraps(operation)
    def bounded(**path: Any) -> Any:
        _check(path)
        _check_key()
        request.max_content_length = max_bytes
        return operation(**path)

    return bounded


def _check(path: dict[str, Any]) -> None:
    """Refuse what no row can be named by, and a caller who wouldn't read JSON.

    Raises (in the order checked): NotFound, NotAcceptable.
    """
    for value in path.values():
        if isinstance(value, str) and (len(value) > MAX_PATH_CHARACTERS or not bodies.is_storable(value)):
            raise NotFound()
        if isinstance(value, int) and value > bodies.LARGEST_WHOLE:
            raise NotFound()
    accepted = request.accept_mimetypes
    if accepted and not (accepted.quality(JSON) or accepted.quality(PROBLEM_JSON)):
        raise NotAcceptable()


def _octets(media: Sequence[str]) -> bytes:
    if request.mimetype not in media:
        raise NotJson(expected=", ".join(media))
    return request.get_data()


def _check_key() -> None:
    """Refuse a write without a key. Raises: IdempotencyKeyMissing."""
    if not KEY.fullmatch(request.headers.get("Idempotency-Key", "")):
        raise IdempotencyKeyMissing()


def _key(body: Any) -> idempotency.Key:
    """Return the caller's key with the fingerprint of this request."""
    digest = idempotency.fingerprint(request.method, request.path, body)
    return idempotency.Key(auth.current().login_id, request.headers["Idempotency-Key"], digest)


def _decided(refusal: Refused) -> idempotency.Answer:
    response = problems.answer(refusal)
    return idempotency.Answer(response.status_code, PROBLEM_JSON, response.get_data())


def _response(answer: idempotency.Answer) -> Response:
    response = Response(answer.body, answer.status, content_type=answer.content_type or None)
    if not answer.content_type:
        del response.headers["Content-Type"]
    if answer.replayed:
        response.headers["Idempotency-Replayed"] = "true"
    return response


def _unless_known(response: Response) -> Response:
    """Name the content by an ETag, and leave it out where the caller has it."""
    response.add_etag()
    response.make_conditional(request)
    return response


def _dump(schema: ma.Schema, value: Any) -> bytes:
    return json.dumps(schema.dump(value), ensure_ascii=False, separators=(",", ":")).encode()
