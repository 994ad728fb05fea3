"""Where people land, what they find, how a page looks to them."""

import gc

import pytest

from tests.factories.desk import Desk
from web.home.views import _local


@pytest.mark.parametrize(
    ("login", "target"), [("supervisor_north", "/live"), ("manager_n2", "/live")]
)
def test_leaders_start_at_the_live_map(office: Desk, login: str, target: str) -> None:
    answer = office.browser(login).get("/")
    assert (answer.status_code, answer.headers["Location"]) == (302, target)


def test_an_employee_starts_at_their_own_day(office: Desk) -> None:
    assert office.browser("employee").get("/").headers["Location"] == "/me"


def test_strangers_are_sent_to_sign_in(office: Desk) -> None:
    answer = office.app.test_client().get("/", base_url="http://127.0.0.1")
    assert answer.headers["Location"].startswith("/login")


def test_search_finds_people_and_posts_of_the_own_branch_only(office: Desk) -> None:
    browser = office.browser("supervisor_north")
    text = browser.text("/search?q=peer")
    assert f"peer {office.alpha.canary('north')}" in text
    for words in ("other_branch", "SOUTH", "hall"):
        assert office.alpha.canary("south") not in browser.text(f"/search?q={words}")
    assert office.alpha.canary("north") in browser.text("/search?q=hall")


def test_search_without_words_lists_nobody(office: Desk) -> None:
    assert office.alpha.canary("north") not in office.browser("supervisor_north").text("/search")


def test_search_treats_wildcards_and_markup_as_text(office: Desk) -> None:
    browser = office.browser("supervisor_north")
    assert office.alpha.canary("north") not in browser.text("/search?q=%25")
    text = browser.text("/search?q=%3Cscript%3Ealert(1)%3C/script%3E")
    assert "<script>alert" not in text


def test_preferences_stay_with_the_account(office: Desk) -> None:
    browser = office.browser("manager_n1")
    answer = browser.post("/preferences", {"locale": "zh", "theme": "dark", "next": "/me"})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/me")
    text = office.browser("manager_n1").text("/me")
    assert '<html lang="zh-CN" data-theme="dark"' in text


def test_unknown_preferences_change_nothing(office: Desk) -> None:
    browser = office.browser("manager_n2")
    browser.post("/preferences", {"locale": "xx", "theme": "pink", "next": "/"})
    assert '<html lang="en" data-theme="auto"' in office.browser("manager_n2").text("/me")


@pytest.mark.parametrize(
    "target", ["https://evil.example/", "//evil.example", "/\\evil.example", "live", "", None]
)
def test_nobody_is_sent_to_another_site(target: str | None) -> None:
    assert _local(target) == "/"


def test_a_local_address_with_its_query_is_kept() -> None:
    assert _local("/live?s=stale") == "/live?s=stale"


def test_navigation_shows_what_a_role_may_open(office: Desk) -> None:
    lead = office.browser("supervisor_north").text("/me")
    assert 'href="/live"' in lead
    assert 'href="/devices"' not in lead
    admin = office.browser("admin").text("/me")
    assert 'href="/devices"' in admin
    assert 'href="/live"' not in admin


def test_texts_for_scripts_come_in_both_languages(office: Desk) -> None:
    client = office.app.test_client()
    chinese = client.get("/i18n/zh.json", base_url="http://127.0.0.1")
    assert chinese.get_json()["Live"] == "实时"
    again = client.get(
        "/i18n/zh.json",
        base_url="http://127.0.0.1",
        headers={"If-None-Match": chinese.headers["ETag"]},
    )
    assert again.status_code == 304
    assert client.get("/i18n/xx.json", base_url="http://127.0.0.1").get_json()["Live"] == "Live"


def test_files_carry_their_version_and_are_kept_for_long(office: Desk) -> None:
    text = office.browser("supervisor_north").text("/live")
    start = text.index("/static/app/app.css?v=")
    address = text[start : text.index('"', start)]
    with office.browser("supervisor_north").get(address) as answer:
        assert "immutable" in answer.headers["Cache-Control"]


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_an_answer_without_body_leaves_no_file_open(office: Desk, method: str) -> None:
    client, path = office.app.test_client(), "/static/app/mark.svg"
    with client.get(path, base_url="http://127.0.0.1") as first:
        tag = first.headers["ETag"]
    known = {"If-None-Match": tag} if method == "GET" else {}
    # Nobody closes these: an open file would be an error when it is collected.
    answer = client.open(path, method=method, base_url="http://127.0.0.1", headers=known)
    assert answer.status_code == (304 if method == "GET" else 200)
    assert answer.data == b""
    del answer
    gc.collect()
