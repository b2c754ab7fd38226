"""Statements over the API."""

from __future__ import annotations

from moralbank.db import Database
from tests._people import bearer, make_login
from tests.statements._story import Story


def test_a_resident_reads_months_a_statement_and_its_lines(client, database: Database, story: Story) -> None:
    login = database.transact(make_login, "resident", story.tree["NS-01"], None, story.zhang.resident_id)
    headers = database.transact(bearer, login, "statements:read")

    months = client.get("/api/v1/statements?limit=2", headers=headers).json
    assert [one["month"] for one in months["items"]] == ["2025-05", "2025-04"]
    assert [one["month"] for one in client.get(months["next"], headers=headers).json["items"]] == ["2025-03"]

    april = client.get("/api/v1/statements/2025-04", headers=headers).json
    assert april["points"] == {
        "opening": 95, "credit": 60, "debit": 40, "closing": 115, "first_number": 4, "last_number": 6,
    }  # fmt: skip
    assert april["expiring"][0] == {"expires_on": "2028-03-02", "points": 70, "noted_on": None}

    page = client.get("/api/v1/statements/2025-04/lines?limit=2", headers=headers).json
    assert [line["number"] for line in page["items"]] == [4, 5]
    assert [line["number"] for line in client.get(page["next"], headers=headers).json["items"]] == [6]


def test_staff_read_a_resident_of_their_own_branch_only(client, database: Database, story: Story) -> None:
    login = database.transact(make_login, "staff", story.tree["NS-01"])
    headers = database.transact(bearer, login, "statements:read")
    own = f"/api/v1/residents/{story.zhang.resident_id}/statements"

    assert client.get(own, headers=headers).status_code == 200
    assert client.get(f"{own}/2025-03", headers=headers).json["minutes"]["closing"] == 150
    assert len(client.get(f"{own}/2025-03/lines?unit=minutes", headers=headers).json["items"]) == 1
    for month, code in (("2025-06", "month-to-come"), ("2025-02", "month-before-books"), ("May", "month-malformed")):
        assert client.get(f"{own}/{month}", headers=headers).json["code"] == code
    other = f"/api/v1/residents/{story.wang.resident_id}/statements"
    for tail in ("", "/2025-04", "/2025-04/lines"):
        assert client.get(other + tail, headers=headers).json["code"] == "out-of-scope"
