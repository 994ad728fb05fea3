"""Builds the two Flask apps: pages with the JSON API, and the stream."""

from pathlib import Path

from flask import Flask
from redis import Redis

import mobile_api
import web
from server.clock import Clock, SystemClock
from server.crypto import Vault
from server.db.engine import make_session_factory
from server.http import app as http
from server.http import health, openapi
from server.http.context import EXTENSION, Runtime
from server.http.counters import Counters
from server.http.extensions import db
from server.http.limits import Limiter
from server.settings import Settings
from server.tracking.live import LivePublisher

_WEB = Path(web.__file__).resolve().parent
WEB_POOL, STREAM_POOL = 8, 4


def create_app(settings: Settings, *, clock: Clock | None = None) -> Flask:
    """Return the app of the web process: every page and the JSON API.

    Parameters
    ----------
    settings : of this process, with the URL of the app's database role.
    clock : the system's by default; tests pass their own.
    """
    app = _new_app(settings, clock, pool_size=WEB_POOL)
    for blueprint in (*web.blueprints(), *mobile_api.blueprints()):
        app.register_blueprint(blueprint)
    app.register_blueprint(openapi.blueprint)
    return app


def create_stream_app(settings: Settings, *, clock: Clock | None = None) -> Flask:
    """Return the app of the stream process: server-sent events only."""
    app = _new_app(settings, clock, pool_size=STREAM_POOL)
    for blueprint in web.stream_blueprints():
        app.register_blueprint(blueprint)
    return app


def _new_app(settings: Settings, clock: Clock | None, *, pool_size: int) -> Flask:
    app = Flask("outpost", root_path=str(_WEB), static_folder=None, template_folder="templates")
    http.configure(app, settings, translations=str(_WEB / "translations"), pool_size=pool_size)
    with app.app_context():
        factory = make_session_factory(db.engine)
    redis = Redis.from_url(settings.redis_url, socket_timeout=5, socket_connect_timeout=2)
    app.extensions[EXTENSION] = Runtime(
        settings=settings,
        clock=clock or SystemClock(),
        sessions=factory,
        redis=redis,
        live=LivePublisher(redis),
        limiter=Limiter(settings.redis_url),
        counters=Counters(redis),
        vault=Vault(settings.data_key),
    )
    health.install(app)
    return app
