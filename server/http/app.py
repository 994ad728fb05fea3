"""Puts the shared behaviour on a Flask app."""

from datetime import timedelta
from urllib.parse import urlsplit

from flask import Flask
from jinja2 import StrictUndefined
from werkzeug.middleware.proxy_fix import ProxyFix

from server.db.engine import engine_options
from server.http import access, headers, problems, requests
from server.http.extensions import babel, csrf, db
from server.http.language import choose_language, choose_zone
from server.people.sessions import ABSOLUTE
from server.settings import Settings

_MEBIBYTE = 1024 * 1024


def configure(app: Flask, settings: Settings, *, translations: str, pool_size: int) -> None:
    """Configure an app from settings and attach the shared extensions and checks.

    Parameters
    ----------
    app : a fresh app.
    settings : of this process.
    translations : folder of the message catalogues.
    pool_size : database connections kept by this process.
    """
    secure = settings.public_url.startswith("https://")
    app.config.update(
        SECRET_KEY=settings.secret_key,
        SQLALCHEMY_DATABASE_URI=settings.database_url,
        SQLALCHEMY_ENGINE_OPTIONS=engine_options(pool_size=pool_size, application_name="web"),
        # Flask's own session holds the form token and notices, nothing about who asks.
        SESSION_COOKIE_NAME="__Host-form" if secure else "form",
        SESSION_COOKIE_SECURE=secure,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_PATH="/",
        PERMANENT_SESSION_LIFETIME=ABSOLUTE,
        WTF_CSRF_CHECK_DEFAULT=False,
        WTF_CSRF_TIME_LIMIT=int(timedelta(hours=12).total_seconds()),
        # The scheme behind a proxy is http; origin and referrer are checked by `access`.
        WTF_CSRF_SSL_STRICT=False,
        MAX_CONTENT_LENGTH=_MEBIBYTE,
        MAX_FORM_MEMORY_SIZE=_MEBIBYTE // 2,
        MAX_FORM_PARTS=200,
        TRUSTED_HOSTS=trusted_hosts(settings),
        PREFERRED_URL_SCHEME="https" if secure else "http",
        BABEL_DEFAULT_LOCALE="zh",
        BABEL_TRANSLATION_DIRECTORIES=translations,
    )
    app.jinja_env.undefined = StrictUndefined
    if settings.proxy_hops:
        hops = settings.proxy_hops
        app.wsgi_app = ProxyFix(  # type: ignore[method-assign]
            app.wsgi_app, x_for=hops, x_proto=hops, x_host=hops
        )
    db.init_app(app)
    csrf.init_app(app)
    babel.init_app(app, locale_selector=choose_language, timezone_selector=choose_zone)
    requests.install(app)
    access.install(app)
    headers.install(app)
    problems.install(app)


def trusted_hosts(settings: Settings) -> list[str]:
    """Return the host names that requests may name; others are refused with 400.

    Loopback is among them for health checks. No answer builds an address from the host.
    """
    own = urlsplit(settings.public_url).hostname
    return [*settings.trusted_hosts, *([own] if own else []), "127.0.0.1", "localhost"]
