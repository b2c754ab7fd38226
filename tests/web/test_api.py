"""How any operation of the API reads a request and answers it."""

from __future__ import annotations

import json

import pytest

PROBLEM = "application/problem+json"


def problem(response, status, code):
    assert response.status_code == status, response.get_data(as_text=True)
    assert response.content_type == PROBLEM
    body = response.get_json()
    assert body["status"] == status
    assert body["code"] == code
    assert body["type"] == f"/problems/{code}"
    assert body["title"]
    assert body["detail"]
    return body


def test_an_unknown_path_is_a_problem_and_no_page(mei):
    problem(mei.get("/nothing/here"), 404, "not-found")


def test_a_wrong_method_is_told_the_right_ones(mei):
    response = mei.send("PATCH", "/trials", json={})
    problem(response, 405, "method-not-allowed")
    assert {"GET", "POST"} <= set(response.headers["Allow"].split(", "))


def test_without_a_token_the_scheme_is_named(mei):
    response = mei.client.get("/api/v1/trials")
    problem(response, 401, "unauthenticated")
    assert response.headers["WWW-Authenticate"].startswith("Bearer")


def test_a_session_cookie_opens_no_operation(mei, database):
    from tests._people import make_login, sign_in

    sign_in(mei.client, database.transact(make_login, "staff", None))
    problem(mei.client.get("/api/v1/trials"), 401, "unauthenticated")


def test_a_token_without_the_scope_is_refused(mei, database):
    from tests._people import bearer, make_login

    login = database.transact(make_login, "staff", None)
    headers = database.transact(bearer, login, "branches:read")
    response = mei.client.post("/api/v1/trials", headers=headers | {"Idempotency-Key": "key-00000001"}, json={})
    problem(response, 403, "token-scope-missing")


def test_a_write_answers_with_what_was_written(mei):
    response = mei.post("/trials", {"name": "米", "weight": 5})
    assert response.status_code == 201
    assert response.content_type == "application/json"
    assert response.get_json() == {"trial_id": 1, "name": "米", "weight": 5}
    assert "Idempotency-Replayed" not in response.headers
    assert mei.get("/trials/1").get_json() == response.get_json()


def test_a_write_needs_a_key_of_visible_ascii(mei, count_trials):
    for key in ("", "short", "k" * 129, "with a space", "schlüssel"):
        problem(mei.post("/trials", {"name": "a"}, key=key), 400, "idempotency-key-missing")
    assert count_trials() == 0


UNDESCRIBED = [
    ({}, "name"),
    ({"name": "a", "colour": "red"}, "colour"),
    ({"name": 5}, "name"),
    ({"name": None}, "name"),
    ({"name": "a" * 21}, "name"),
    ({"name": "a\0b"}, "name"),
    ({"name": "\ud800"}, "name"),
    ({"name": "a", "weight": "5"}, "weight"),
    ({"name": "a", "weight": True}, "weight"),
    ({"name": "a", "weight": 1.5}, "weight"),
    ({"name": "a", "weight": 2**53}, "weight"),
    ({"name": "a", "weight": 10**400}, "weight"),
    ({"name": "a", "weight": [1]}, "weight"),
    ({"name": "a", "heavy": "yes"}, "heavy"),
    ({"name": "a", "heavy": 1}, "heavy"),
    ({"name": "a", "parts": [{"size": 1}, {"size": "1"}]}, "parts.1.size"),
    ({"name": "a", "parts": [{"size": 1}, {"size": 10}]}, "parts.1.size"),
    ({"name": "a", "parts": {"size": 1}}, "parts"),
    ({"name": "a", "parts": [{"size": 1}] * 4}, "parts"),
    ({"name\0": "a"}, "body"),
    ([], "body"),
    (None, "body"),
    ("text", "body"),
]


def test_a_body_that_the_document_does_not_describe_is_refused_by_field(mei, count_trials):
    for body, field in UNDESCRIBED:
        response = mei.post("/trials", data=json.dumps(body), content_type="application/json")
        assert field in problem(response, 422, "invalid")["errors"], body
    assert count_trials() == 0


NO_JSON = [
    b"",
    b"{",
    b'{"name": "a"} x',
    b'{"name": "a", "weight": NaN}',
    b'{"name": "a", "weight": 1e999}',
    b'{"name": "a", "name": "b"}',
    b'{"name": "\xff"}',
    b'{"name": ' + b"[" * 900 + b"]" * 900 + b"}",
]


def test_what_is_no_json_is_told_so(mei):
    for body in NO_JSON:
        response = mei.post("/trials", data=body, content_type="application/json")
        assert problem(response, 400, "malformed-json"), body


def test_a_body_over_its_bound_is_not_read(mei):
    body = b'{"name": "a", "weight": ' + b"9" * 5_000 + b"}"
    problem(mei.post("/trials", data=body, content_type="application/json"), 413, "body-too-large")


def test_other_content_is_refused_by_its_type(mei):
    problem(mei.post("/trials", data="name=a", content_type="text/plain"), 415, "unsupported-media-type")
    problem(mei.post("/trials", data=b'{"name": "a"}', content_type=None), 415, "unsupported-media-type")
    problem(mei.post("/trials/files", {"name": "a"}), 415, "unsupported-media-type")


def test_a_file_is_taken_as_its_octets(mei):
    response = mei.post("/trials/files", data="姓名\n".encode("gb18030"), content_type="text/csv")
    assert response.get_json()["weight"] == 5


def test_who_reads_no_json_is_not_answered_in_it(mei):
    problem(mei.get("/trials", headers={"Accept": "text/html"}), 406, "not-acceptable")
    assert mei.get("/trials", headers={"Accept": "text/html, */*;q=0.1"}).status_code == 200


def test_a_write_may_answer_without_a_body(mei, count_trials):
    mei.post("/trials", {"name": "a"}, key="key-made")
    response = mei.send("DELETE", "/trials/1", key="key-removed")
    assert response.status_code == 204
    assert response.get_data() == b""
    assert count_trials() == 0


def test_what_no_row_can_be_named_by_is_not_found(mei):
    for path in ("/trials/99999999999999999999", "/trials/x", "/trials/9" + "0" * 400):
        problem(mei.get(path), 404, "not-found")


def test_a_list_is_walked_by_its_next_links(mei):
    for number in range(7):
        mei.post("/trials", {"name": "even" if number % 2 == 0 else "odd"}, key=f"key-{number:08}")
    seen, path = [], "/trials?limit=2&name=even"
    while path:
        page = mei.get(path).get_json()
        assert len(page["items"]) <= 2
        seen += [trial["trial_id"] for trial in page["items"]]
        path = page["next"] and page["next"].removeprefix("/api/v1")
    assert seen == [1, 3, 5, 7]


def test_a_query_that_the_document_does_not_describe_is_refused_by_field(mei):
    for query in ("limit=0", "limit=201", "limit=x", "limit=1&limit=2", "colour=red", "name=", "name=%00"):
        assert query.partition("=")[0] in problem(mei.get(f"/trials?{query}"), 422, "invalid")["errors"]


def test_a_cursor_is_good_for_its_own_list_and_filters_only(mei):
    for number in range(3):
        mei.post("/trials", {"name": "a"}, key=f"key-{number:08}")
    following = mei.get("/trials?limit=1").get_json()["next"].removeprefix("/api/v1")
    assert mei.get(following).status_code == 200
    problem(mei.get(following + "&name=a"), 422, "cursor-invalid")
    problem(mei.get(following.replace("/trials", "/branches")), 422, "cursor-invalid")
    problem(mei.get(following + "x"), 422, "cursor-invalid")
    problem(mei.get("/trials?cursor=2"), 422, "cursor-invalid")


def test_a_read_is_not_sent_twice_while_nothing_changes(mei):
    first = mei.get("/trials")
    again = mei.get("/trials", headers={"If-None-Match": first.headers["ETag"]})
    assert again.status_code == 304
    assert again.get_data() == b""
    mei.post("/trials", {"name": "a"})
    assert mei.get("/trials", headers={"If-None-Match": first.headers["ETag"]}).status_code == 200


def test_answers_are_kept_for_their_caller_only(mei):
    assert "private" in mei.get("/trials").headers["Cache-Control"]


def test_a_refusal_says_what_to_do_in_the_callers_language(mei):
    assert mei.get("/nothing").get_json()["title"] == "没有找到"
    response = mei.post("/trials", {"name": "refused"})
    assert problem(response, 409, "not-today")["detail"] == "refused 今天不行。"
    assert response.get_json()["name"] == "refused"


def test_our_own_fault_tells_nothing_of_itself(mei, trial_app, count_trials):
    trial_app.testing = False
    response = mei.post("/trials", {"name": "broken"})
    problem(response, 500, "internal-error")
    assert "own fault" not in response.get_data(as_text=True)
    assert count_trials() == 0


def test_an_operation_that_says_nothing_about_who_may_use_it_cannot_be_made():
    from moralbank.web.api import ApiBlueprint
    from tests.web._trials import TrialOut

    with pytest.raises(TypeError, match="list_nothing"):

        @ApiBlueprint("bad", __name__, description="").reads("/bad", TrialOut)
        def list_nothing(db):
            return None
