"""What Prometheus reads, and who else may."""

from __future__ import annotations

from dataclasses import replace

import pytest

from moralbank import ledger
from moralbank.app import create_app
from moralbank.ledger import AccountKind, Draft, Leg, Unit
from moralbank.periodic.jobs import JOBS
from moralbank.scheduler import Scheduler
from tests._people import make_branch_tree


def figures(client, **keywords) -> str:
    response = client.get("/metrics", **keywords)
    assert response.status_code == 200
    return response.get_data(as_text=True)


def value(text: str, name: str) -> float:
    return sum(float(line.rpartition(" ")[2]) for line in text.splitlines() if line.startswith(name))


def test_requests_are_counted_by_route_and_never_by_path(mei):
    name = 'moralbank_request_seconds_count{method="GET",route="/api/v1/trials/<int:trial_id>",status="404"}'
    before = value(figures(mei.client), name)
    mei.get("/trials/417")
    after = figures(mei.client)
    assert value(after, name) == before + 1
    assert "trials/417" not in after


def test_refusals_are_counted_by_code(mei):
    before = value(figures(mei.client), 'moralbank_refusals_total{code="not-today"}')
    mei.post("/trials", {"name": "refused"})
    assert value(figures(mei.client), 'moralbank_refusals_total{code="not-today"}') == before + 1


def test_the_scheduler_and_its_lag_are_shown(client, database):
    assert value(figures(client), "moralbank_scheduler_up") == 0
    Scheduler(database, JOBS).tick()
    text = figures(client)
    assert value(text, "moralbank_scheduler_up") == 1
    assert 0 <= value(text, 'moralbank_job_lag_seconds{job="activities.close_forgotten"}') < 120


def test_the_books_grow_visibly(client, database):
    tree = database.transact(make_branch_tree)
    book = tree["NS-00"].book_id

    def award(db):
        (account,) = ledger.open_accounts(db, book, [AccountKind.RESIDENT])
        issuer = ledger.internal_account(db, book, AccountKind.ISSUER)
        legs = (Leg(issuer, Unit.POINTS, -5), Leg(account, Unit.POINTS, 5))
        return ledger.post(db, Draft(book, "award", legs, "award-0001", "system"))

    assert value(figures(client), "moralbank_ledger_seq") == 0
    posted = database.transact(award)
    assert value(figures(client), "moralbank_ledger_seq") == posted.seq


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_only_this_machine_or_the_token_may_read(config):
    client = create_app(replace(config, metrics_token="let me see")).test_client()
    elsewhere = {"environ_base": {"REMOTE_ADDR": "192.0.2.1"}}
    assert client.get("/metrics").status_code == 200
    assert client.get("/metrics", **elsewhere).status_code == 403
    assert client.get("/metrics", headers={"X-Forwarded-For": "192.0.2.1"}).status_code == 403
    assert client.get("/metrics", headers={"Authorization": "Bearer let me see"}, **elsewhere).status_code == 200
    assert client.get("/metrics", headers={"Authorization": "Bearer let me in"}, **elsewhere).status_code == 403


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_without_a_token_set_none_opens_it(client):
    headers = {"Authorization": "Bearer "}
    assert client.get("/metrics", headers=headers, environ_base={"REMOTE_ADDR": "192.0.2.1"}).status_code == 403
