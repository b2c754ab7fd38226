"""How a reader wants pages, and that asking for it never leads them away from the site."""

from __future__ import annotations

import pytest
from flask import Flask

from moralbank.web import i18n, preferences


@pytest.fixture
def client():
    app = Flask("bare")
    i18n.init_app(app)
    preferences.init_app(app)
    app.register_blueprint(preferences.blueprint)
    app.add_url_rule("/", "home", lambda: f"{i18n.language()} {preferences.preference('elder')}")
    return app.test_client()


def test_a_language_chosen_once_stays_and_the_reader_is_back_where_they_were(client):
    answer = client.get("/language/en?next=/me/passbook?before=12")
    assert (answer.status_code, answer.location) == (303, "/me/passbook?before=12")
    assert client.get("/").text.startswith("en")
    cookie = client.get_cookie("lang")
    assert cookie.http_only
    assert cookie.same_site == "Lax"
    assert cookie.max_age == preferences.COOKIE_SECONDS


def test_a_language_we_do_not_speak_is_not_found(client):
    assert client.get("/language/tlh").status_code == 404


def test_elder_mode_is_one_press_and_a_second_press_leaves_it(client):
    client.get("/elder")
    assert client.get("/").text == "zh 1"
    client.get("/elder")
    assert client.get("/").text == "zh "


def test_asking_for_elder_mode_twice_leaves_it_on(client):
    client.get("/elder?on=1")
    client.get("/elder?on=1")
    assert client.get("/").text == "zh 1"


def test_a_theme_is_remembered_and_following_the_system_forgets_it(client):
    client.get("/theme/dark")
    assert client.get_cookie("theme").value == "dark"
    client.get("/theme/auto")
    assert client.get_cookie("theme") is None
    assert client.get("/theme/pink").status_code == 404


@pytest.mark.parametrize(
    "elsewhere",
    [
        "//evil.example",
        "https://evil.example/",
        "/\\evil.example",
        "/\t/evil.example",
        "me",
        "javascript:alert(1)",
        "",
    ],
)
def test_no_link_leads_away_through_us(client, elsewhere: str):
    assert client.get("/language/en", query_string={"next": elsewhere}).location == "/"


def test_a_cookie_with_nonsense_in_it_chooses_nothing(client):
    client.set_cookie("elder", "<script>")
    assert client.get("/").text == "zh "


def test_the_gallery_is_closed_outside_development(client):
    assert client.get("/_gallery").status_code == 404
