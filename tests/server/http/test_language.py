"""Which language a page speaks: chosen with the account, in the browser, or never."""

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.factories.world import PASSWORD
from tests.server.http.conftest import BASE, Submit, form_token

ENGLISH, CHINESE = 'lang="en"', 'lang="zh-CN"'


def page(client: FlaskClient, path: str, accepts: str | None = None) -> str:
    headers = {"Accept-Language": accepts} if accepts else {}
    return client.get(path, base_url=BASE, headers=headers).text


@pytest.mark.parametrize(
    ("accepts", "spoken"),
    [
        ("en-US,en;q=0.9", ENGLISH),
        ("zh-CN,zh;q=0.9,en;q=0.8", CHINESE),
        ("fi,sv;q=0.9,en;q=0.1", ENGLISH),
        ("fi", CHINESE),
        (None, CHINESE),
    ],
)
def test_strangers_are_greeted_in_the_language_of_their_browser(
    app: Flask, accepts: str | None, spoken: str
) -> None:
    assert spoken in page(app.test_client(), "/login", accepts)


def test_whoever_never_chose_gets_the_browsers_language_then_the_tenants(
    app: Flask, submit: Submit
) -> None:
    client = app.test_client()
    submit(client, "manager_n1@alpha", PASSWORD)
    assert CHINESE in page(client, "/posts", "zh-CN")
    assert ENGLISH in page(client, "/posts", "en-US")
    assert ENGLISH in page(client, "/posts", "fi"), "the tenant speaks English"
    assert ENGLISH in page(client, "/posts")


def test_a_choice_of_the_browser_beats_what_it_prefers(app: Flask) -> None:
    client = app.test_client()
    client.set_cookie("locale", "zh", domain="127.0.0.1")
    assert CHINESE in page(client, "/login", "en-US")


def test_a_choice_of_the_account_beats_one_of_the_browser(app: Flask, submit: Submit) -> None:
    client = app.test_client()
    submit(client, "manager_n2@alpha", PASSWORD)
    form = {"locale": "en", "csrf_token": form_token(client)}
    client.post("/preferences", base_url=BASE, data=form)
    client.set_cookie("locale", "zh", domain="127.0.0.1")
    assert ENGLISH in page(client, "/posts", "zh-CN")
