"""What a test does when the machine lacks something: skip at home, fail in CI, where a skip would hide a hole."""

from __future__ import annotations

import os
from typing import NoReturn

import pytest


def is_ci() -> bool:
    return os.environ.get("CI", "").lower() in ("1", "true")


def missing(reason: str) -> NoReturn:
    """Skip the test (or the fixture's tests) with `reason`; fail instead under CI=true."""
    if is_ci():
        pytest.fail(f"{reason} (CI=true turns this skip into a failure)", pytrace=False)
    pytest.skip(reason)
