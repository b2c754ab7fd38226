"""Static files are kept for good by browsers, and asked for anew once they change."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from moralbank.web.assets import FOR_GOOD, version


@pytest.fixture
def addresses(client: FlaskClient) -> list[str]:
    found: list[str] = re.findall(r'(?:href|src)="(/static/[^"]+)"', client.get("/login").text)
    return found


def test_every_file_of_a_page_is_kept_for_good_under_the_name_of_its_content(
    client: FlaskClient, addresses: list[str]
) -> None:
    assert {address.split("?")[0] for address in addresses} >= {
        "/static/app.css",
        "/static/app.js",
        "/static/print.css",
    }
    for address in addresses:
        answer = client.get(address)
        assert (answer.status_code, answer.headers["Cache-Control"]) == (200, FOR_GOOD)
        assert client.get(address.split("?")[0]).headers["Cache-Control"] == "no-cache"


def test_the_address_of_another_build_keeps_nothing(client: FlaskClient) -> None:
    assert client.get("/static/app.css?v=0123456789ab").headers["Cache-Control"] == "no-cache"
    assert client.get("/static/nothing.css?v=").status_code == 404


def test_a_file_that_changes_has_another_address(tmp_path: Path) -> None:
    style = tmp_path / "page.css"
    style.write_text("p { color: red }")
    first = version(str(tmp_path), "page.css")
    style.write_text("p { color: tan }")
    os.utime(style, ns=(1, 1))
    assert version(str(tmp_path), "page.css") not in ("", first)
