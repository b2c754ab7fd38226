"""One key, one effect, forever, whoever asks how often and how many at once."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
import sqlalchemy as sa

from moralbank.web.idempotency import web_idempotency
from tests.web import _trials


@contextmanager
def meeting_of(callers: int):
    """Let so many operations meet between their effect and their answer; gives up on those that can't come."""
    _trials.meeting = threading.Barrier(callers)
    try:
        yield
    finally:
        _trials.meeting = threading.Barrier(1)


def stored(database) -> int:
    with database.reading() as db:
        return db.execute(sa.select(sa.func.count()).select_from(web_idempotency)).scalar_one()


def test_a_repetition_gets_the_first_status_and_body_and_does_nothing(mei, count_trials):
    first = mei.post("/trials", {"name": "米", "weight": 5})
    mei.post("/trials", {"name": "油"}, key="key-00000002")
    again = mei.post("/trials", {"name": "米", "weight": 5})
    assert (again.status_code, again.get_data(), again.content_type) == (
        first.status_code,
        first.get_data(),
        first.content_type,
    )
    assert again.headers["Idempotency-Replayed"] == "true"
    assert count_trials() == 2


def test_order_and_spacing_of_the_body_do_not_count(mei, count_trials):
    mei.post("/trials", data='{"name": "a", "weight": 1}', content_type="application/json")
    again = mei.post("/trials", data='{"weight":1,"name":"\\u0061"}', content_type="application/json; charset=utf-8")
    assert again.headers["Idempotency-Replayed"] == "true"
    assert count_trials() == 1


def test_a_key_is_not_good_for_another_request(mei, count_trials):
    mei.post("/trials", {"name": "a"})
    for response in (mei.post("/trials", {"name": "b"}), mei.post("/trials/only", {"name": "a"})):
        assert response.status_code == 409
        assert response.get_json()["code"] == "idempotency-key-reused"
        assert "Idempotency-Replayed" not in response.headers
    assert count_trials() == 1


def test_two_callers_may_use_the_same_key(mei, bo, count_trials):
    mei.post("/trials", {"name": "a"})
    response = bo.post("/trials", {"name": "b"})
    assert response.status_code == 201
    assert "Idempotency-Replayed" not in response.headers
    assert count_trials() == 2


def test_a_refusal_stays_the_answer(mei, count_trials):
    first = mei.post("/trials", {"name": "refused"})
    again = mei.post("/trials", {"name": "refused"})
    assert (first.status_code, again.status_code) == (409, 409)
    assert again.get_data() == first.get_data()
    assert again.content_type == first.content_type == "application/problem+json"
    assert "Idempotency-Replayed" not in first.headers
    assert again.headers["Idempotency-Replayed"] == "true"
    assert count_trials() == 0


def test_what_a_refusal_leaves_is_written_once_and_the_rest_undone(mei, database):
    for _ in range(3):
        assert mei.post("/trials/kept", {"name": "a"}).status_code == 409
    with database.reading() as db:
        assert db.execute(sa.select(_trials.trials.c.name)).scalars().all() == ["no a"]


def test_what_was_not_decided_is_not_kept(mei, trial_app, database, count_trials):
    trial_app.testing = False
    assert mei.post("/trials", {"name": "missing"}).status_code == 404
    assert mei.post("/trials", {"name": "broken"}).status_code == 500
    assert mei.post("/trials", {"name": ""}).status_code == 422
    assert stored(database) == 0
    assert mei.post("/trials", {"name": "a"}).status_code == 201
    assert (stored(database), count_trials()) == (1, 1)


def test_an_answer_without_a_body_is_repeated_without_one(mei):
    mei.post("/trials", {"name": "a"}, key="key-made")
    first = mei.send("DELETE", "/trials/1", key="key-removed")
    again = mei.send("DELETE", "/trials/1", key="key-removed")
    assert (first.status_code, again.status_code) == (204, 204)
    assert again.headers["Idempotency-Replayed"] == "true"
    assert "Content-Type" not in again.headers


def test_the_first_answer_is_kept_from_everybody(mei, database):
    mei.post("/trials", {"name": "a"})
    for statement in (web_idempotency.update().values(status=200), web_idempotency.delete()):
        with pytest.raises(sa.exc.DBAPIError):
            database.transact(lambda db, statement=statement: db.execute(statement))
    assert stored(database) == 1


@pytest.mark.parametrize("name", ["a", "refused"])
def test_many_at_once_with_one_key_have_one_effect_and_one_answer(mei, database, count_trials, name):
    def ask(_):
        client = mei.client.application.test_client()
        headers = mei.headers | {"Idempotency-Key": "key-00000001"}
        return client.post("/api/v1/trials", headers=headers, json={"name": name})

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, range(24)))
    assert {answer.get_data() for answer in answers} == {answers[0].get_data()}
    assert {answer.status_code for answer in answers} == {201 if name == "a" else 409}
    assert sum("Idempotency-Replayed" not in answer.headers for answer in answers) == 1
    assert count_trials() == (1 if name == "a" else 0)
    assert stored(database) == 1


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_two_that_both_had_their_effect_undo_one(mei, count_trials):
    """SQLite lets one writer in at a time, so there the second never begins."""

    def ask(_):
        client = mei.client.application.test_client()
        headers = mei.headers | {"Idempotency-Key": "key-00000001"}
        return client.post("/api/v1/trials", headers=headers, json={"name": "a"})

    with meeting_of(2), ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(ask, range(2)))
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].get_data() == answers[1].get_data()
    assert count_trials() == 1


def test_a_request_that_its_own_twin_overtook_gets_the_twins_answer(mei, trial_app, count_trials):
    """The state moved under the second because the first was carried out: that is a replay, not a conflict."""

    def ask(_):
        client = trial_app.test_client()
        headers = mei.headers | {"Idempotency-Key": "key-00000001"}
        return client.post("/api/v1/trials/only", headers=headers, json={"name": "a"})

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, range(16)))
    assert {answer.status_code for answer in answers} == {200}
    assert count_trials() == 1
