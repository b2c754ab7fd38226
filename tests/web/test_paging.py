"""What names a row in an address: plain digits that a database could look for, and nothing else."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient
from werkzeug.datastructures import MultiDict

from moralbank.db import Database
from moralbank.web.paging import row_id
from tests._people import make_branch_tree, make_login, sign_in


@pytest.mark.parametrize("text", ["", " 7", "-1", "+1", "1.0", "²", "٣", "1" * 16, "0x7", "7\n"])
def test_what_is_no_row_is_refused(text: str) -> None:
    given = MultiDict({"before": text, "after": "7"})
    assert (given.get("before", type=row_id), given.get("after", type=row_id)) == (None, 7)


def test_a_page_before_a_row_that_cannot_be_is_the_first(client: FlaskClient, database: Database) -> None:
    if database.is_sqlite:  # Which can't even be asked for so large a number.
        tree = database.transact(make_branch_tree)
        sign_in(client, database.transact(make_login, "staff", tree["NS-00"]))
        for path in ("fairs", "activities", "approvals", "late-entries", "notices", "settlements", "forgetting"):
            for text in ("9" * 30, "²"):
                assert client.get(f"/staff/{path}?before={text}").status_code == 200, path
