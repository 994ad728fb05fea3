"""Addresses and forms as a browser sends them."""

import re
from collections.abc import Callable

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

BASE = "http://127.0.0.1"

Submit = Callable[..., TestResponse]


def form_token(client: FlaskClient) -> str:
    """Return a form token that belongs to the client's cookie."""
    # Every page has the token in its head, the page of a missing address too.
    page = client.get("/no-such-address", base_url=BASE)
    found = re.search(r'name="csrf-token" content="([^"]+)"', page.text)
    assert found is not None
    return found[1]


@pytest.fixture
def submit() -> Submit:
    """Fill in the sign-in form."""

    def send(
        client: FlaskClient, name: str, password: str, *, to: str = "/", **headers: str
    ) -> TestResponse:
        data = {
            "name": name,
            "password": password,
            "csrf_token": form_token(client),
            "next": to,
        }
        return client.post(
            "/login",
            base_url=BASE,
            data=data,
            headers={name.replace("_", "-"): value for name, value in headers.items()},
        )

    return send
