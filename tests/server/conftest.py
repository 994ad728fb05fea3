"""The world in a database of its own, and the web app on it."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from flask import Flask
from redis import Redis
from sqlalchemy.orm import Session, sessionmaker

from fixtures.stack import DatabaseUrls, Stack
from server.clock import ManualClock
from server.db.engine import make_engine, make_session_factory
from server.http.extensions import db
from server.main.app import create_app
from server.settings import Settings
from tests.factories.browser import parts_of
from tests.factories.world import World, build_world

START = datetime(2026, 11, 18, 2, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def world(module_database: DatabaseUrls) -> World:
    return build_world(module_database, ManualClock(START))


@pytest.fixture(scope="module")
def app_sessions(module_database: DatabaseUrls) -> Iterator[sessionmaker[Session]]:
    engine = make_engine(module_database.app, pool_size=2)
    yield make_session_factory(engine)
    engine.dispose()


@pytest.fixture(scope="module")
def settings(stack: Stack, module_database: DatabaseUrls) -> Settings:
    return replace(
        Settings.from_environ(stack.settings_env(module_database)),
        public_url="http://127.0.0.1",
    )


@pytest.fixture(scope="module")
def app(settings: Settings, world: World) -> Iterator[Flask]:
    made = create_app(settings, clock=world.clock)
    made.testing = False
    yield made
    dispose(made)


@pytest.fixture(autouse=True)
def _fresh_counters(request: pytest.FixtureRequest) -> None:
    if "app" in request.fixturenames:
        stack: Stack = request.getfixturevalue("stack")
        with Redis.from_url(stack.redis.url) as client:
            client.flushall()


def dispose(app: Flask) -> None:
    """Close the connections of an app."""
    with app.app_context():
        db.engine.dispose()
    parts_of(app).redis.close()
