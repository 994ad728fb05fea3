"""Screens under test: the world's accounts with a post, a shift and browsers to look with."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from typing import Any
from uuid import UUID

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from fixtures.stack import DatabaseUrls, Stack
from server.clock import ManualClock
from server.db.session import unit_of_work
from server.http.extensions import db
from server.main.app import create_app
from server.posts.services import assign_shift, create_post, create_shift
from server.settings import Settings
from tests.factories.browser import parts_of, signed_in
from tests.factories.serving import serving
from tests.factories.world import ZONE, TenantWorld, World, build_world

DAY = date(2026, 11, 18)
NOON = datetime(2026, 11, 18, 4, 0, tzinfo=UTC)
LON_DEG, LAT_DEG = 24.9415, 60.1712
_BASE = "http://127.0.0.1"
_TOKEN = re.compile(r'name="csrf-token" content="([^"]+)"')


@dataclass(slots=True)
class Browser:
    """A signed-in test client that sends what a page would send."""

    client: FlaskClient
    language: str = "en"
    _token: str | None = field(default=None, repr=False)

    def get(self, path: str, **options: Any) -> TestResponse:
        """GET whatever is there."""
        return self.client.get(path, base_url=_BASE, **options)

    def text(self, path: str) -> str:
        """GET a page that must be there."""
        answer = self.get(path)
        assert answer.status_code == 200, (path, answer.status_code, answer.text[-600:])
        return answer.text

    def post(self, path: str, data: dict[str, Any] | None = None, **options: Any) -> TestResponse:
        """POST a form or JSON with the token of the pages."""
        return self.client.post(
            path, base_url=_BASE, data=data, headers={"X-CSRFToken": self.token()}, **options
        )

    def token(self) -> str:
        """Return the token that this browser's pages carry."""
        if self._token is None:
            found = _TOKEN.search(self.get("/me").text)
            assert found is not None, "no page with a token"
            self._token = found[1]
        return self._token


@dataclass(slots=True)
class Desk:
    """The world with one post (a circle of 100 m) and a day shift 09:00-18:00 in north.

    The clock stands at noon of `DAY` in Shanghai.
    """

    world: World
    app: Flask
    clock: ManualClock
    urls: DatabaseUrls
    posts: dict[str, UUID] = field(default_factory=dict)
    shift_id: UUID | None = None

    @property
    def alpha(self) -> TenantWorld:
        """The tenant the tests use."""
        return self.world.alpha

    @contextmanager
    def transaction(self, tenant: TenantWorld | None = None) -> Iterator[Session]:
        """One transaction as the web process runs it."""
        of = tenant or self.alpha
        with unit_of_work(parts_of(self.app).sessions, tenant_id=of.id) as session:
            yield session

    def browser(self, login: str, tenant: TenantWorld | None = None) -> Browser:
        """A browser signed in as somebody of the cast."""
        of = tenant or self.alpha
        return Browser(signed_in(self.app, of, of.logins[login]))

    def cookie(self, login: str) -> str:
        """Open a session and return the value of its cookie."""
        client = signed_in(self.app, self.alpha, self.alpha.logins[login])
        found = client.get_cookie("sid", domain="127.0.0.1")
        assert found is not None
        return found.value

    def roster(self, name: str, *, on_date: date = DAY, post: str | None = "north") -> UUID:
        """Put somebody on the roster."""
        assert self.shift_id is not None
        with self.transaction() as session:
            return assign_shift(
                session,
                self.clock,
                tenant_id=self.alpha.id,
                employee_id=self.alpha.people[name],
                shift_id=self.shift_id,
                on_date=on_date,
                post_id=self.posts[post] if post else None,
                zone=ZONE,
            )

    def _furnish(self) -> None:
        tenant = self.alpha
        with self.transaction() as session:
            for number, unit in enumerate(("north", "south")):
                self.posts[unit] = create_post(
                    session,
                    self.clock,
                    tenant_id=tenant.id,
                    unit_id=tenant.units[unit],
                    name=f"hall {tenant.canary(unit)}",
                    zone=ZONE,
                    shape={
                        "type": "Point",
                        "coordinates": [LON_DEG + 0.01 * number, LAT_DEG],
                        "radius_m": 100,
                    },
                )
            self.shift_id = create_shift(
                session, tenant_id=tenant.id, name="day", starts=time(9), ends=time(18)
            )


@contextmanager
def served(desk: Desk) -> Iterator[str]:
    """Serve the pages to a real browser; yields their address."""
    with serving(desk.app) as address:
        yield address


@contextmanager
def desk(
    stack: Stack, urls: DatabaseUrls, *, settings: dict[str, str] | None = None
) -> Iterator[Desk]:
    """A desk in an empty database; `settings` override those of the stack."""
    clock = ManualClock(NOON)
    env = {**stack.settings_env(urls), **(settings or {})}
    world = build_world(urls, clock)
    made = Desk(world, create_app(Settings.from_environ(env), clock=clock), clock, urls)
    made._furnish()
    try:
        yield made
    finally:
        with made.app.app_context():
            db.engine.dispose()
