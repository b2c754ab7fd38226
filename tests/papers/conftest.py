"""Paper needs typst and a Chinese font."""

from __future__ import annotations

import pytest

from moralbank import papers
from tests import _ci


@pytest.fixture(autouse=True)
def _paper() -> None:
    if not papers.is_available():
        _ci.missing("no typst or no Chinese font on this machine (extra pdf)")
