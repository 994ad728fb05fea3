"""Errors on their way out: one table, two forms, two languages, the same bytes for every 404."""

import re
from collections.abc import Iterator
from dataclasses import replace

import pytest
from flask import Flask, request
from flask.testing import FlaskClient
from redis.exceptions import ConnectionError as RedisDown
from sqlalchemy.orm import Session, sessionmaker

from fixtures.stack.ports import free_port
from server.audit.queries import TrailFilter, list_security_events
from server.audit.services import LOOK_QUOTA
from server.db.session import unit_of_work
from server.errors import (
    Conflict,
    Forbidden,
    InvalidInput,
    NotFound,
    OutpostError,
    TooManyRequests,
    Unauthenticated,
    Unavailable,
)
from server.http.markers import public
from server.http.problems import STATUS_OF
from server.main.app import create_app
from server.settings import Settings
from tests.factories.browser import signed_in
from tests.factories.world import World
from tests.server.conftest import dispose
from tests.server.http.conftest import BASE

RAISED: dict[str, Exception] = {
    "invalid": InvalidInput("radius", "too small", fields={"radius": "radius"}),
    "unauthenticated": Unauthenticated(),
    "forbidden": Forbidden("no_right"),
    "missing": NotFound(None, "secret reason why"),
    "conflict": Conflict("stale"),
    "many": TooManyRequests(retry_after_s=77),
    "curious": TooManyRequests(LOOK_QUOTA),
    "down": Unavailable("broker_down"),
    "redis": RedisDown("connection to secret-host refused"),
    "bug": RuntimeError("secret detail of a bug"),
}


@pytest.fixture(scope="module")
def failing_app(settings: Settings, world: World) -> Iterator[Flask]:
    made = create_app(settings, clock=world.clock)

    @made.get("/fail/<name>")
    @made.get("/api/fail/<name>")
    @public("raises on purpose in this test", session=True)
    def fail(name: str) -> str:
        raise RAISED[name]

    @made.post("/api/echo")
    @public("echoes its size in this test", csrf=False)
    def echo() -> str:
        return str(len(request.get_data()))

    yield made
    dispose(made)


@pytest.fixture
def client(failing_app: Flask) -> FlaskClient:
    return failing_app.test_client()


@pytest.mark.parametrize(
    ("name", "status", "code"),
    [
        ("invalid", 400, "radius"),
        ("unauthenticated", 401, "unauthenticated"),
        ("forbidden", 403, "no_right"),
        ("missing", 404, "not_found"),
        ("conflict", 409, "stale"),
        ("many", 429, "too_many_requests"),
        ("down", 503, "broker_down"),
        ("redis", 503, "unavailable"),
        ("bug", 500, "error"),
    ],
)
def test_programs_get_problem_json(client: FlaskClient, name: str, status: int, code: str) -> None:
    answer = client.get(f"/api/fail/{name}", base_url=BASE)
    assert (answer.status_code, answer.mimetype) == (status, "application/problem+json")
    assert answer.json is not None
    assert (answer.json["status"], answer.json["code"]) == (status, code)
    assert "secret" not in answer.text
    if status != 404:
        assert answer.json["request_id"] == answer.headers["X-Request-Id"]


def test_details_that_help_are_told(client: FlaskClient) -> None:
    answer = client.get("/api/fail/invalid", base_url=BASE)
    assert answer.json is not None
    assert answer.json["detail"] == "too small"
    assert answer.json["fields"] == {"radius": "radius"}
    assert client.get("/api/fail/many", base_url=BASE).headers["Retry-After"] == "77"
    assert client.get("/api/fail/down", base_url=BASE).headers["Retry-After"] == "10"


def test_every_refusal_has_a_place_in_the_table() -> None:
    kinds = set(OutpostError.__subclasses__())
    ours = {kind for kind in kinds if kind.__module__ == "server.errors"}
    assert ours == set(STATUS_OF)


@pytest.mark.parametrize(
    ("language", "words"),
    [("zh-CN,zh;q=0.9", ("没有", "权限")), ("en-GB,en;q=0.8", ("Not allowed",)), ("fi", ())],
)
def test_people_get_a_page_in_their_language(
    client: FlaskClient, language: str, words: tuple[str, ...]
) -> None:
    answer = client.get("/fail/forbidden", base_url=BASE, headers={"Accept-Language": language})
    assert (answer.status_code, answer.mimetype) == (403, "text/html")
    lang = "en" if language.startswith("en") else "zh-CN"
    assert f'<html lang="{lang}"' in answer.text
    assert not words or any(word in answer.text for word in words)
    assert answer.headers["X-Request-Id"] in answer.text


@pytest.mark.parametrize("name", ["bug", "down", "many", "invalid", "conflict"])
def test_a_page_tells_no_internals(client: FlaskClient, name: str) -> None:
    answer = client.get(f"/fail/{name}", base_url=BASE)
    assert "secret" not in answer.text
    assert "Traceback" not in answer.text
    assert "<h1" in answer.text


def test_whoever_is_not_signed_in_is_sent_to_sign_in(client: FlaskClient) -> None:
    answer = client.get("/fail/unauthenticated?a=1&b=2", base_url=BASE)
    assert answer.status_code == 303
    assert answer.location == "/login?next=%2Ffail%2Funauthenticated%3Fa%3D1%26b%3D2"
    fragment = client.get("/fail/unauthenticated", base_url=BASE, headers={"HX-Request": "true"})
    assert (fragment.status_code, fragment.headers["HX-Redirect"]) == (401, "/login")


def test_foreign_absent_and_malformed_give_the_same_bytes(failing_app: Flask, world: World) -> None:
    client = signed_in(failing_app, world.alpha, world.alpha.logins["supervisor_north"])
    client.get("/first", base_url=BASE)  # brings the cookie of forms
    for prefix in ("/api", ""):
        answers = [
            client.get(path, base_url=BASE)
            for path in (f"{prefix}/fail/missing", f"{prefix}/nothing", f"{prefix}/n/%00/..")
        ]
        bodies = {re.sub(r'(nonce|content)="[^"]{20,}"', "", answer.text) for answer in answers}
        assert {answer.status_code for answer in answers} == {404}
        assert len(bodies) == 1
        names = [sorted(answer.headers.keys()) for answer in answers]
        assert names[0] == names[1] == names[2]


def test_a_wrong_method_names_the_right_ones(client: FlaskClient) -> None:
    answer = client.put("/api/echo", base_url=BASE)
    assert answer.status_code == 405
    assert "POST" in answer.headers["Allow"]


def test_what_is_too_large_is_refused(client: FlaskClient) -> None:
    assert client.post("/api/echo", base_url=BASE, data=b"x" * 1_000_000).status_code == 200
    assert client.post("/api/echo", base_url=BASE, data=b"x" * 1_100_000).status_code == 413


def test_looking_at_too_many_people_is_told_to_auditors(
    failing_app: Flask, world: World, app_sessions: sessionmaker[Session]
) -> None:
    login = world.alpha.logins["supervisor_north"]
    client = signed_in(failing_app, world.alpha, login)
    page = client.get("/fail/curious", base_url=BASE)
    assert page.status_code == 429
    assert "This was noted" in page.text
    with unit_of_work(app_sessions, tenant_id=world.alpha.id) as session:
        events = list_security_events(
            session, tenant_id=world.alpha.id, wanted=TrailFilter(kind=LOOK_QUOTA)
        ).rows
    assert [e.actor_id for e in events] == [login.account_id]


@pytest.fixture
def app_without_database(settings: Settings, world: World) -> Iterator[Flask]:
    url = f"postgresql+psycopg://outpost_app:none@127.0.0.1:{free_port(None)}/none"
    made = create_app(replace(settings, database_url=url), clock=world.clock)
    yield made
    dispose(made)


def test_without_the_database_pages_say_so(app_without_database: Flask) -> None:
    client = app_without_database.test_client()
    client.set_cookie("sid", "1." + "a" * 43, domain="127.0.0.1")
    page = client.get("/login", base_url=BASE)
    assert page.status_code == 503
    assert "<h1" in page.text
    assert page.headers["Retry-After"] == "10"
    assert client.get("/livez", base_url=BASE).status_code == 200
    assert client.get("/readyz", base_url=BASE).text == "unready\n"
