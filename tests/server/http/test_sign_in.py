"""Sign-in by form against the running app."""

import re

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.factories.world import World

BASE = "http://127.0.0.1"


def submit(client: FlaskClient, name: str, password: str, *, to: str = "/live") -> TestResponse:
    page = client.get("/login", base_url=BASE).text
    token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', page)
    assert token is not None
    data = {"name": name, "password": password, "csrf_token": token[1], "next": to}
    return client.post("/login", base_url=BASE, data=data)


def test_the_right_password_opens_a_session(app: Flask, world: World) -> None:
    client = app.test_client()
    login = world.alpha.logins["supervisor_north"]
    answer = submit(client, login.sign_in_name, login.password)
    assert answer.status_code == 303
    assert answer.location == "/live"
    cookie = client.get_cookie("sid", domain="127.0.0.1")
    assert cookie is not None
    assert cookie.http_only
    assert cookie.same_site == "Lax"
