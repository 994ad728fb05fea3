"""Headers of every answer, whatever it is."""

import re
from collections.abc import Iterator
from dataclasses import replace

import pytest
from flask import Flask, request

from server.http.headers import content_security_policy
from server.http.markers import public
from server.main.app import create_app
from server.settings import Settings
from tests.factories.world import World
from tests.server.conftest import dispose
from tests.server.http.conftest import BASE

ADDRESSES = ["/login", "/no-such-address", "/api/no-such-address", "/livez", "/api/openapi.json"]


@pytest.fixture
def https_app(settings: Settings, world: World) -> Iterator[Flask]:
    made = create_app(
        replace(settings, public_url="https://outpost.example", proxy_hops=1), clock=world.clock
    )
    yield made
    dispose(made)


@pytest.mark.parametrize("path", ADDRESSES)
def test_every_answer_says_what_a_browser_may_do(app: Flask, path: str) -> None:
    headers = app.test_client().get(path, base_url=BASE).headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert "camera=()" in headers["Permissions-Policy"]
    assert "Strict-Transport-Security" not in headers
    assert "Server" not in headers or "Werkzeug" not in headers["Server"]
    assert re.fullmatch(r"[0-9a-f]{16}", headers["X-Request-Id"])
    if path != "/api/openapi.json":
        assert headers["Cache-Control"] == "no-store"


def test_the_policy_allows_nothing_inline_and_nobody_else() -> None:
    policy = dict(part.split(" ", 1) for part in content_security_policy("abc").split("; "))
    assert policy == {
        "default-src": "'self'",
        "script-src": "'self' 'nonce-abc'",
        "style-src": "'self' 'nonce-abc'",
        "img-src": "'self' data: blob:",
        "worker-src": "'self' blob:",
        "connect-src": "'self'",
        "object-src": "'none'",
        "base-uri": "'none'",
        "frame-ancestors": "'none'",
        "form-action": "'self'",
    }


def test_each_page_has_its_own_nonce_and_bears_it(app: Flask) -> None:
    seen = set()
    for _ in range(3):
        answer = app.test_client().get("/login", base_url=BASE)
        found = re.search(
            r"script-src 'self' 'nonce-([\w-]+)'", answer.headers["Content-Security-Policy"]
        )
        assert found is not None
        assert f'nonce="{found[1]}"' in answer.text
        assert not re.search(r"<script(?![^>]*(nonce|src)=)", answer.text)
        assert not re.search(r"\son\w+=|\sstyle=", answer.text)
        seen.add(found[1])
    assert len(seen) == 3


def test_a_proxys_request_id_is_taken_over_when_it_is_well_formed(app: Flask) -> None:
    client = app.test_client()
    good = client.get("/livez", base_url=BASE, headers={"X-Request-Id": "abcdef0123456789"})
    bad = client.get("/livez", base_url=BASE, headers={"X-Request-Id": "<script>"})
    assert good.headers["X-Request-Id"] == "abcdef0123456789"
    assert re.fullmatch(r"[0-9a-f]{16}", bad.headers["X-Request-Id"])


def test_https_makes_cookies_and_transport_strict(https_app: Flask) -> None:
    answer = https_app.test_client().get(
        "/login", base_url="http://outpost.example", headers={"X-Forwarded-Proto": "https"}
    )
    assert answer.headers["Strict-Transport-Security"].startswith("max-age=31536000")
    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith("__Host-form=")
    assert all(part in cookie for part in ("Secure", "HttpOnly", "SameSite=Lax", "Path=/"))
    assert "Domain" not in cookie


@pytest.mark.parametrize(
    "host", ["evil.example", "outpost.example.evil.example", "10.0.0.1", "a b"]
)
def test_another_host_name_is_refused(https_app: Flask, host: str) -> None:
    client = https_app.test_client()
    assert client.get("/login", headers={"Host": host}).status_code == 400
    forwarded = {"Host": "outpost.example", "X-Forwarded-Host": host}
    assert client.get("/login", headers=forwarded).status_code == 400


@pytest.mark.parametrize("proxied", [False, True])
def test_a_forwarded_address_counts_only_behind_a_proxy(
    settings: Settings, world: World, *, proxied: bool
) -> None:
    made = create_app(replace(settings, proxy_hops=int(proxied)), clock=world.clock)

    @made.get("/api/whence")
    @public("tells the address in this test")
    def whence() -> str:
        return str(request.remote_addr)

    forwarded = {"X-Forwarded-For": "198.51.100.1, 203.0.113.9"}
    answer = made.test_client().get("/api/whence", base_url=BASE, headers=forwarded)
    assert answer.text == ("203.0.113.9" if proxied else "127.0.0.1")
    dispose(made)
