"""A signed book for every test of its logs."""

from __future__ import annotations

import pytest

from moralbank.db import Database
from tests.logbook._signed import SignedBook, open_signed_book


@pytest.fixture
def signed(database: Database) -> SignedBook:
    return open_signed_book(database)
