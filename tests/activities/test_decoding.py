"""One frame of the camera: what is read, what is refused unread, and how fast a phone may send."""

from __future__ import annotations

from io import BytesIO

import pytest
from flask import Flask
from flask.testing import FlaskClient
from PIL import Image

from moralbank import clock
from moralbank.activities import camera_views, decoding
from moralbank.activities.errors import BadFrame
from moralbank.residents.queries import find_card
from tests._camera import bars, photograph, qr, still
from tests._people import make_login, sign_in
from tests.activities.conftest import Scene, time_of
from tests.activities.test_pages import Browser

CARD = "701234567890123456789079"


def jpeg(picture: Image.Image) -> bytes:
    octets = BytesIO()
    picture.save(octets, format="JPEG", quality=60)
    return octets.getvalue()


@pytest.mark.parametrize("draw", [qr, bars])
def test_a_card_is_read_from_a_frame_and_an_empty_table_is_nothing(draw) -> None:
    assert decoding.read_frame(jpeg(still(draw(CARD)))) == CARD
    assert decoding.read_frame(jpeg(Image.new("L", (640, 480), 120))) is None


def test_every_code_that_we_print_is_read_from_a_photo_of_480_pixels() -> None:
    """scripts/door photos tries forty of each."""
    for printed in (
        qr(CARD),
        qr("711234567890123488"),
        bars("711234567890123488"),
        qr("https://bank.example/a/" + "x" * 27),
    ):
        read = [decoding.read_frame(photograph(printed, 480, seed)) for seed in range(2)]
        assert all(read)


def test_what_is_too_long_too_large_or_no_picture_is_refused_by_its_header(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("it was unpacked")

    large = jpeg(Image.new("L", (1281, 8)))
    whole = jpeg(still(qr(CARD)))
    monkeypatch.setattr(Image.Image, "convert", refuse)
    for octets in (b"", b"no picture", large, whole[:300], whole + b"\0" * decoding.MAX_BYTES):
        with pytest.raises(BadFrame):
            decoding.read_frame(octets)


def test_a_phone_sends_four_frames_a_second_and_another_phone_is_not_held_up() -> None:
    pace = decoding.Pace()
    sent = [number / 8 for number in range(32) if pace.wait_seconds(1, number / 8) == 0]
    assert len(sent) == 16
    assert pace.wait_seconds(2, 0.8) == 0
    assert 0 < pace.wait_seconds(1, 3.5) <= 2


def test_the_door_reads_frames_for_staff_of_its_branch_and_says_when_it_is_too_much(
    app: Flask, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(camera_views, "monotonic", lambda: 5.0)
    monkeypatch.setattr(camera_views, "_pace", decoding.Pace())
    app.test_client_class = Browser
    session = scene.session()
    card = scene.look(find_card, scene.people["wei"].resident_id)
    frame, path = jpeg(still(qr(card.number))), f"/staff/desk/{session.session_id}/frame"

    def door(branch: str, role: str = "staff") -> FlaskClient:
        client = app.test_client()
        sign_in(client, scene.do(make_login, role, scene.branches[branch]))
        return client

    def send(client: FlaskClient, octets: bytes):
        headers = {"X-CSRFToken": client.token(), "Sec-Fetch-Mode": "cors"}
        return FlaskClient.post(client, path, data=octets, headers=headers, content_type="image/jpeg")

    with clock.at(time_of("9:00")):
        staff = door("NS-01")
        found = send(staff, frame)
        assert (found.status_code, found.json) == (200, {"code": card.number})
        assert send(staff, jpeg(Image.new("L", (640, 480)))).status_code == 204
        assert send(staff, b"x" * (decoding.MAX_BYTES + 1)).status_code == 422
        assert {send(staff, frame).status_code for _ in range(5)} == {200}
        too_much = send(staff, frame)
        assert (too_much.status_code, too_much.headers["Retry-After"]) == (429, "2")
        assert send(door("XX-01"), frame).status_code == 403
        assert send(app.test_client(), frame).status_code == 401
        assert scene.look(lambda db: db.exec_driver_sql("SELECT count(*) FROM activities_checkins").scalar()) == 0
