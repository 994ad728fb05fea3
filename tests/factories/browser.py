"""Signing in to an app under test without spending a password hash a time."""

from flask import Flask
from flask.testing import FlaskClient

from server.db.session import unit_of_work
from server.http.context import EXTENSION, Runtime
from server.people.sessions import Credential, open_session
from tests.factories.world import Login, TenantWorld


def parts_of(app: Flask) -> Runtime:
    """Return the parts of an app."""
    parts = app.extensions[EXTENSION]
    assert isinstance(parts, Runtime)
    return parts


def signed_in(app: Flask, tenant: TenantWorld, login: Login) -> FlaskClient:
    """Return a client that holds a session of an account, opened as after a right password."""
    parts = parts_of(app)
    credential = Credential(tenant.id, login.account_id, "")
    with unit_of_work(parts.sessions, tenant_id=tenant.id) as session:
        cookie = open_session(session, parts.clock, credential).cookie
    client = app.test_client()
    client.set_cookie("sid", cookie, domain="127.0.0.1")
    return client
