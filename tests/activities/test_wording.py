"""What a scan is answered, in words."""

from __future__ import annotations

from flask import Flask

from moralbank import clock
from moralbank.activities import wording
from tests.activities.conftest import Scene, time_of


def test_a_check_in_says_from_when_to_check_out_until_that_is_open(app: Flask, scene: Scene) -> None:
    session = scene.session(minutes=50)  # In until 9:30, out from 9:20.
    said = {}
    for who, at in (("wei", "9:05"), ("lan", "9:25"), ("lan", "9:26")):
        answer = scene.scan(session, who, at)
        with app.test_request_context(), clock.at(time_of(at)):
            said[at] = wording.say(answer).sentence
    assert said["9:05"] == "09:05 已签到。离开前请再扫一次签退，签退从 09:20 开始。"
    assert said["9:25"] == "09:25 已签到。离开前请再扫一次签退。"
    assert said["9:26"] == "您在 09:25 已签到，不用再扫。离开前请再扫一次签退。"
