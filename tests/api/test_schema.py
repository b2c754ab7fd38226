"""The OpenAPI document is true: every operation is asked, by every role, what it describes and what it doesn't."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
import schemathesis
from flask import Flask
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import Case, GenerationMode
from schemathesis.checks import CheckFunction, not_a_server_error
from schemathesis.config import SchemathesisConfig
from schemathesis.core.failures import FailureGroup
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi import checks

from moralbank import clock
from tests.api._village import NINE, Village

CHECKS: list[CheckFunction] = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
    checks.negative_data_rejection,
    checks.positive_data_acceptance,
    checks.missing_required_header,
    checks.unsupported_method,
]
CONFIG = {
    # 422 also answers what is well formed and can't be meant: rules between fields, unknown codes, a made-up cursor.
    "checks": {
        "positive_data_acceptance": {
            "expected-statuses": ["2xx", "3xx", "401", "403", "404", "409", "422", "429"],
        },
        "negative_data_rejection": {
            "expected-statuses": ["400", "401", "403", "404", "405", "406", "409", "413", "415", "422"],
        },
    }
}
MODES = [GenerationMode.POSITIVE, GenerationMode.NEGATIVE]
SETTINGS = settings(
    max_examples=2,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@schemathesis.serializer("text/csv", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet")
def as_octets(_context: object, value: object) -> bytes:
    """A file is whatever octets were thought of."""
    return value if isinstance(value, bytes) else str(value).encode(errors="replace")


class Inquiry:
    """Sends cases as somebody of the village, mostly one who may, and keeps the first wrong answer of an operation."""

    def __init__(self, village: Village) -> None:
        self._village = village
        self._dice = random.Random(20261121)
        self._wrong: dict[str, str] = {}

    def send(self, case: Case) -> None:
        label = case.operation.label
        # A list of nothing leaves no trace in an address, so nobody could refuse it.
        if label in self._wrong or [] in (case.query or {}).values():
            return
        try:
            case.call_and_validate(headers=self._headers(case.operation), checks=CHECKS)
        except FailureGroup as failures:
            self._wrong[label] = "\n".join(str(failure) for failure in failures.exceptions)
        except Exception as fault:  # What the application let through, or the case itself can't be sent.
            self._wrong[label] = f"{fault!r}\n{case.as_curl_command()}"

    def conclude(self) -> None:
        assert not self._wrong, "\n\n".join(f"{label}: {found}" for label, found in self._wrong.items())

    def own_ids(self, operation: APIOperation) -> dict[str, object]:
        """The path parameters that lead to something the village has made."""
        names = {parameter.name for parameter in operation.path_parameters}
        return {name: value for name, value in self._village.ids.items() if name in names}

    def _headers(self, operation: APIOperation) -> dict[str, str]:
        needed = operation.definition.raw["security"][0]["bearer"][0]
        able = [role for role, scopes in self._village.scopes.items() if needed in scopes]
        if self._dice.random() < 0.1:
            able = sorted(self._village.headers)
        return self._village.headers[self._dice.choice(able)]


@pytest.fixture
def inquiry(app: Flask) -> Iterator[Inquiry]:
    village = Village(app)
    village.act()
    app.testing = False  # A fault is to be a 500 here, as it would be for a caller.
    with clock.at(NINE + timedelta(hours=3)):
        yield Inquiry(village)


@pytest.fixture
def schema(app: Flask):
    return schemathesis.openapi.from_wsgi("/api/v1/openapi.json", app, config=SchemathesisConfig.from_dict(CONFIG))


def operations(schema) -> Iterator[APIOperation]:
    for result in schema.get_all_operations():
        yield result.ok()


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_the_document_is_openapi(schema):
    schema.validate()
    assert schema.raw_schema["openapi"] == "3.1.0"


@pytest.mark.long
@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_every_boundary_of_every_operation_is_answered_as_described(schema, inquiry):
    for operation in operations(schema):
        generation = schema.config.generation_for(operation=operation)
        for case in schema.iter_coverage_cases(operation, generation_modes=MODES, generation_config=generation):
            inquiry.send(case)
    inquiry.conclude()


@pytest.mark.long
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_whatever_is_sent_to_any_operation_is_answered_as_described(schema, inquiry):
    for operation in operations(schema):
        for mode in MODES:
            for path_parameters in ({}, inquiry.own_ids(operation)):
                strategy = operation.as_strategy(generation_mode=mode, path_parameters=path_parameters or None)
                _fuzz(inquiry.send, strategy)
    inquiry.conclude()


def _fuzz(send: Callable[[Case], None], strategy) -> None:
    @SETTINGS
    @given(case=strategy)
    def run(case: Case) -> None:
        send(case)

    run()
