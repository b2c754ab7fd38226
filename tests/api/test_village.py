"""A day of the bank through the API alone: every operation succeeds at least once, as the document describes it."""

from __future__ import annotations

import json

import schemathesis
from flask import Flask
from werkzeug.test import TestResponse

from moralbank import ledger
from moralbank.db import Database
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
    assert entries_with_lines_of_two(app.extensions["moralbank_database"]) == []


def entries_with_lines_of_two(database: Database) -> list[bytes]:
    """Return leaves with the balances of two people: whoever gets one in a statement would read the other's."""
    found = []
    with database.reading() as db:
        for book in ledger.list_books(db):
            pool = {account.account for account in ledger.list_accounts(db, book.book_id, [ledger.AccountKind.POOL])}
            for _, leaf in ledger.list_leaves(db, book.book_id, [(1, ledger.ENDLESS)], 1_000):
                holders = {leg["a"] for leg in json.loads(leaf)["legs"] if "b" in leg} - pool
                found += [leaf] if len(holders) > 1 else []
    return found
