"""Sign-in by form: cookies, fixation, limits, what happens while Redis is down."""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from flask import Flask
from redis import Redis
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from fixtures.stack import Stack
from fixtures.stack.ports import free_port
from server.audit.models import SecurityEvent
from server.clock import ManualClock
from server.db.session import unit_of_work
from server.main.app import create_app
from server.people import passwords
from server.settings import Settings
from tests.factories.world import PASSWORD, World
from tests.server.conftest import dispose
from tests.server.http.conftest import BASE, Submit, form_token

NAME = "supervisor_north@alpha"


def test_the_right_password_opens_a_session(app: Flask, submit: Submit) -> None:
    client = app.test_client()
    answer = submit(client, NAME, PASSWORD, to="/posts?unit=1")
    assert (answer.status_code, answer.location) == (303, "/posts?unit=1")
    cookie = client.get_cookie("sid", domain="127.0.0.1")
    assert cookie is not None
    assert (cookie.http_only, cookie.same_site, cookie.path) == (True, "Lax", "/")
    assert re.fullmatch(r"\d+\.[\w-]{43}", cookie.value)


def test_the_language_picked_before_signing_in_stays(app: Flask, submit: Submit) -> None:
    client = app.test_client()
    client.set_cookie("locale", "en", domain="127.0.0.1")
    submit(client, NAME, PASSWORD)
    client.delete_cookie("locale", domain="127.0.0.1")
    page = client.get("/posts", base_url=BASE, headers={"Accept-Language": "zh"})
    assert 'lang="en"' in page.text


@pytest.mark.parametrize(
    ("name", "password"),
    [
        (NAME, "wrong-password-1"),
        ("nobody@alpha", PASSWORD),
        ("a@nowhere", PASSWORD),
        ("zz~zz", "yyyy"),
    ],
)
def test_every_wrong_pair_gets_the_same_page(
    app: Flask, submit: Submit, name: str, password: str
) -> None:
    client = app.test_client()
    answer = submit(client, name, password)
    assert answer.status_code == 401
    assert client.get_cookie("sid", domain="127.0.0.1") is None
    neutral = answer.text.replace(name, "NAME")
    neutral = re.sub(r'(value|content|nonce)="[^"]{20,}"', "", neutral)
    reference = submit(app.test_client(), "else@alpha", "something-else")
    expected = re.sub(
        r'(value|content|nonce)="[^"]{20,}"', "", reference.text.replace("else@alpha", "NAME")
    )
    assert neutral == expected


def test_a_session_planted_before_is_worth_nothing_after(app: Flask, submit: Submit) -> None:
    client = app.test_client()
    planted = "1." + "A" * 43
    client.set_cookie("sid", planted, domain="127.0.0.1")
    before = client.get_cookie("form", domain="127.0.0.1")
    submit(client, NAME, PASSWORD)
    cookie = client.get_cookie("sid", domain="127.0.0.1")
    after = client.get_cookie("form", domain="127.0.0.1")
    assert cookie is not None
    assert cookie.value != planted
    assert before is None
    assert after is None or "csrf" not in after.value
    stranger = app.test_client()
    stranger.set_cookie("sid", planted, domain="127.0.0.1")
    assert stranger.get("/", base_url=BASE).location == "/login"


def test_each_sign_in_gives_another_session(app: Flask, submit: Submit) -> None:
    client = app.test_client()
    submit(client, NAME, PASSWORD)
    first = client.get_cookie("sid", domain="127.0.0.1")
    client.delete_cookie("sid", domain="127.0.0.1")
    submit(client, NAME, PASSWORD)
    second = client.get_cookie("sid", domain="127.0.0.1")
    assert first is not None
    assert second is not None
    assert first.value != second.value


@pytest.mark.parametrize(
    "target",
    [
        *("//evil.example", "https://evil.example/", "/\\evil.example", "javascript:alert(1)"),
        *("", "/login", "\\\\evil", "/ok\r\nSet-Cookie: x=1", "evil.example", "/\tx"),
    ],
)
def test_the_way_back_stays_on_this_host(app: Flask, submit: Submit, target: str) -> None:
    answer = submit(app.test_client(), NAME, PASSWORD, to=target)
    assert (answer.status_code, answer.location) == (303, "/")
    assert "Set-Cookie: x" not in str(answer.headers)


def test_the_form_needs_its_token(app: Flask) -> None:
    data = {"name": NAME, "password": PASSWORD}
    client = app.test_client()
    assert client.post("/login", base_url=BASE, data=data).status_code == 403
    client.get("/login", base_url=BASE)
    answer = client.post("/login", base_url=BASE, data=data | {"csrf_token": "made-up"})
    assert answer.status_code == 403
    assert client.get_cookie("sid", domain="127.0.0.1") is None


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
    ],
)
def test_a_form_sent_from_elsewhere_is_refused_even_with_a_token(
    app: Flask, submit: Submit, headers: dict[str, str]
) -> None:
    assert submit(app.test_client(), NAME, PASSWORD, **headers).status_code == 403


def test_a_form_sent_from_here_passes(app: Flask, submit: Submit) -> None:
    headers = {"Origin": BASE, "Sec_Fetch_Site": "same-origin"}
    assert submit(app.test_client(), NAME, PASSWORD, **headers).status_code == 303


def test_one_account_gets_ten_tries_a_minute_and_no_more_hashes(
    app: Flask, submit: Submit, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashes = 0
    real = passwords._fits

    def counted(known: str, password: str) -> bool:
        nonlocal hashes
        hashes += 1
        return real(known, password)

    monkeypatch.setattr(passwords, "_fits", counted)
    client = app.test_client()
    answers = [submit(client, "peer@alpha", f"guess-number-{n}") for n in range(14)]
    assert [a.status_code for a in answers] == [401] * 10 + [429] * 4
    assert hashes == 10
    assert int(answers[-1].headers["Retry-After"]) <= 60
    # The right password does not help a stranger now, and its owner's own browser does.
    assert submit(app.test_client(), "peer@alpha", PASSWORD).status_code == 429
    assert submit(app.test_client(), "employee@alpha", PASSWORD).status_code == 303


def test_strangers_cannot_lock_out_a_browser_that_was_here_before(
    app: Flask, submit: Submit
) -> None:
    mine, theirs = app.test_client(), app.test_client()
    submit(mine, "peer@alpha", PASSWORD)
    mine.delete_cookie("sid", domain="127.0.0.1")
    for n in range(12):
        submit(theirs, "peer@alpha", f"guess-number-{n}")
    assert submit(theirs, "peer@alpha", PASSWORD).status_code == 429
    assert submit(mine, "peer@alpha", PASSWORD).status_code == 303


def test_a_full_network_limit_does_not_shut_out_a_known_browser(app: Flask, submit: Submit) -> None:
    mine, theirs = app.test_client(), app.test_client()
    submit(mine, "hr@alpha", PASSWORD)
    mine.delete_cookie("sid", domain="127.0.0.1")
    for n in range(61):
        submit(theirs, f"user{n}@nowhere", "guess-number")
    assert submit(theirs, "hr@alpha", PASSWORD).status_code == 429
    assert submit(mine, "hr@alpha", PASSWORD).status_code == 303


def test_one_network_gets_sixty_failures_a_minute(app: Flask, submit: Submit) -> None:
    client = app.test_client()
    codes = [submit(client, f"user{n}@nowhere", "guess-number").status_code for n in range(62)]
    assert codes == [401] * 60 + [429] * 2


def test_a_refusal_is_on_record_without_the_password(
    app: Flask, world: World, app_sessions: sessionmaker[Session], submit: Submit
) -> None:
    submit(app.test_client(), "auditor@alpha", "not-my-password")
    account = str(world.alpha.logins["auditor"].account_id)
    with unit_of_work(app_sessions, tenant_id=world.alpha.id) as session:
        events = session.scalars(
            select(SecurityEvent).where(SecurityEvent.kind == "sign_in_refused")
        ).all()
    assert account in {event.subject for event in events}
    assert all("not-my-password" not in str(event.detail) for event in events)


@pytest.fixture
def app_without_redis(settings: Settings, world: World) -> Iterator[Flask]:
    made = create_app(
        replace(settings, redis_url=f"redis://127.0.0.1:{free_port(None)}/0"), clock=world.clock
    )
    yield made
    dispose(made)


def test_nobody_signs_in_while_redis_is_down_and_the_page_says_so(
    app_without_redis: Flask, submit: Submit
) -> None:
    client = app_without_redis.test_client()
    answer = submit(client, NAME, PASSWORD, Accept_Language="en")
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "10"
    assert "a part of the system is down" in answer.text
    assert client.get_cookie("sid", domain="127.0.0.1") is None


def test_redis_coming_back_heals_sign_in(
    settings: Settings, world: World, stack: Stack, submit: Submit
) -> None:
    made = create_app(settings, clock=world.clock)
    with Redis.from_url(stack.redis.url) as client:
        client.flushall()
        client.client_kill_filter(_type="normal", skipme=True)
    assert submit(made.test_client(), NAME, PASSWORD).status_code == 303
    dispose(made)


def test_signing_out_ends_the_session_and_clears_the_browser(app: Flask, submit: Submit) -> None:
    client = app.test_client()
    submit(client, NAME, PASSWORD)
    cookie = client.get_cookie("sid", domain="127.0.0.1")
    assert cookie is not None
    answer = client.post("/logout", base_url=BASE, data={"csrf_token": form_token(client)})
    assert (answer.status_code, answer.location) == (303, "/login")
    assert answer.headers["Clear-Site-Data"] == '"cache", "storage"'
    assert client.get_cookie("sid", domain="127.0.0.1") is None
    thief = app.test_client()
    thief.set_cookie("sid", cookie.value, domain="127.0.0.1")
    assert thief.get("/", base_url=BASE).location == "/login"


def test_an_idle_session_is_sent_to_sign_in_and_back(
    app: Flask, world: World, submit: Submit
) -> None:
    client = app.test_client()
    submit(client, NAME, PASSWORD)
    assert isinstance(world.clock, ManualClock)
    before = world.clock.at
    world.clock.advance(timedelta(minutes=31))
    try:
        answer = client.get("/posts?keep_alive=1", base_url=BASE)
    finally:
        world.clock.at = before
    assert answer.status_code == 303
    assert answer.location == "/login?next=%2Fposts%3Fkeep_alive%3D1"
