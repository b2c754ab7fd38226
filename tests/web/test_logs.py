"""One line per request that helps to find it again, and names nobody."""

from __future__ import annotations

import json
import logging


def lines(capsys) -> list[dict[str, object]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines() if line.startswith("{")]


def test_a_request_is_one_line_with_its_id_and_outcome(mei, capsys):
    response = mei.get("/trials/5")
    (line,) = lines(capsys)
    assert line["request_id"] == response.headers["X-Request-Id"]
    assert (line["method"], line["route"], line["status"]) == ("GET", "/api/v1/trials/<int:trial_id>", 404)
    assert (line["login"], line["code"]) == (1, "not-found")
    assert line["ms"] > 0


def test_neither_paths_nor_queries_nor_bodies_are_logged(mei, capsys):
    mei.get("/trials?name=张三")
    mei.get("/nothing/张三")
    mei.post("/trials", {"name": "张三", "colour": "张三"})
    text = capsys.readouterr().err
    assert len(text.splitlines()) == 3
    assert "张三" not in text
    assert "\\u5f20" not in text


def test_a_callers_id_is_kept_when_it_is_one(mei, capsys):
    for given, kept in (("trace-0001", True), ("short", False), ("with a space", False), ("x" * 65, False)):
        response = mei.get("/trials", headers={"X-Request-Id": given})
        assert (response.headers["X-Request-Id"] == given) is kept


def test_a_fault_is_logged_by_its_place_and_not_by_what_it_quotes(mei, trial_app, capsys):
    trial_app.testing = False
    response = mei.post("/trials", {"name": "broken"})
    fault, request = lines(capsys)
    assert (fault["event"], fault["level"], fault["fault"]) == ("fault", "error", "builtins.RuntimeError")
    assert "create_trial" in fault["at"][-1]
    assert fault["request_id"] == request["request_id"] == response.headers["X-Request-Id"]
    assert "own fault" not in str(fault)


def test_lines_of_libraries_are_json_too(app, capsys):
    try:
        raise ValueError("张三")
    except ValueError:
        logging.getLogger("some.library").exception("it failed")
    (line,) = lines(capsys)
    assert (line["event"], line["logger"], line["fault"]) == ("it failed", "some.library", "builtins.ValueError")
    assert "张三" not in str(line)
