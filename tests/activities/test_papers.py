"""The printed roster: ticks that one person types in and another compares, marked as from paper."""

from __future__ import annotations

from flask import Flask

from moralbank.activities import queries, service
from moralbank.activities.values import Means
from tests.activities.conftest import Scene, time_of
from tests.activities.test_offline import at, signed_in
from tests.activities.test_pages import Browser


def test_a_paper_counts_once_another_person_has_compared_it(app: Flask, scene: Scene) -> None:
    app.test_client_class = Browser
    session = scene.session()
    for who in ("wei", "qiang"):
        scene.do(service.sign_up, session.session_id, scene.people[who].resident_id)
    wei, qiang, bo = (scene.people[who] for who in ("wei", "qiang", "bo"))
    one, other = signed_in(app, scene), signed_in(app, scene)
    path = f"/staff/sessions/{session.session_id}/paper"
    ticks = {f"came_{wei.resident_id}": "1", f"came_at_{wei.resident_id}": "09:10", f"left_{wei.resident_id}": "1"}
    ticks |= {"number_new1": bo.number, "left_new1": "1", "left_at_new1": "11:00"}
    with at(one, scene, time_of("11:45")):
        sheet = one.get(path)
        assert all(word in sheet.text for word in (wei.name, qiang.number, "记录人"))
        for wrong in ({}, {"number_new1": "00000000"}, ticks | {f"came_at_{wei.resident_id}": "08:00"}):
            assert one.post(f"{path}/entry", data=wrong).status_code == 422
        assert one.post(f"{path}/entry", data=ticks).headers["Location"] == "/staff/papers/1"
        assert one.post("/staff/papers/1/confirm").status_code == 409
        assert scene.look(queries.count_present, session.session_id) == 0
    with at(other, scene, time_of("11:50")):
        page = other.get("/staff/papers/1")
        assert all(word in page.text for word in (wei.name, "09:10", bo.name, "11:00"))
        assert qiang.name not in page.text
        assert other.post("/staff/papers/1/confirm").status_code == 303
        assert other.post("/staff/papers/1/refuse").status_code == 409
    scans = scene.look(queries.scans_by_resident, session.session_id)
    assert set(scans) == {wei.resident_id, bo.resident_id}
    for person, times in ((wei, ("9:10", "11:30")), (bo, ("9:00", "11:00"))):
        mine = scans[person.resident_id]
        assert [scan.at for scan in mine] == [time_of(text) for text in times]
        assert {(scan.means, scan.is_pending, scan.reason) for scan in mine} == {(Means.PAPER, True, "纸质签到表 1 号")}


def test_a_paper_that_differs_is_sent_back_and_counts_nothing(app: Flask, scene: Scene) -> None:
    app.test_client_class = Browser
    session = scene.session()
    one = signed_in(app, scene)
    with at(one, scene, time_of("11:45")):
        data = {"number_new1": scene.people["bo"].number}
        assert one.post(f"/staff/sessions/{session.session_id}/paper/entry", data=data).status_code == 303
        assert one.post("/staff/papers/1/refuse").status_code == 303
        assert one.post("/staff/papers/1/confirm").status_code == 409
    assert scene.look(queries.count_present, session.session_id) == 0
