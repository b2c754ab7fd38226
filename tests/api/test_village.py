"""A day of the bank through the API alone: every operation succeeds at least once, as the document describes it."""

from __future__ import annotations

import schemathesis
from flask import Flask
from werkzeug.test import TestResponse

from tests.api._village import Village


def test_every_operation_works_and_answers_as_described(app: Flask) -> None:
    schema = schemathesis.openapi.from_wsgi("/api/v1/openapi.json", app)
    described = {(op.path, op.method.upper()): op for op in (result.ok() for result in schema.get_all_operations())}
    succeeded = set()

    def look(template: str, method: str, response: TestResponse) -> None:
        described[template, method].validate_response(response)
        succeeded.add((template, method))

    Village(app, look).act()
    assert set(described) - succeeded == set()
