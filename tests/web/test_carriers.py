"""Pages of carriers: set up, secrets that never come back, test calls, consent."""

import html
import io
import json
import re
import zipfile
from collections.abc import Iterator

import pytest
from sqlalchemy import text

from fixtures.stack import DatabaseUrls, Stack
from tests.factories import carrier_server as moods
from tests.factories.browser import parts_of
from tests.factories.carrier_server import KEY, PASSWORD, USER, CarrierServer, carrier_server, seen
from tests.factories.desk import Browser, Desk, desk

HERE = seen(time="20261118115930", off="+0800", x="31 13 49.44N", y="121 28 25.32E")
FORM = {"daily_quota": "100", "person_quota": "5", "position": "0", "enabled": "1"}


@pytest.fixture(scope="module")
def server() -> Iterator[CarrierServer]:
    with carrier_server() as scene:
        yield scene


@pytest.fixture(scope="module")
def office(stack: Stack, module_database: DatabaseUrls, server: CarrierServer) -> Iterator[Desk]:
    settings = {"OUTPOST_CARRIER_HOSTS": server.host}
    with desk(stack, module_database, settings=settings) as made:
        yield made


@pytest.fixture
def admin(office: Desk, server: CarrierServer) -> Browser:
    server.mood = None
    server.asked.clear()
    server.phones.clear()
    parts_of(office.app).redis.flushall()
    with office.transaction() as session:
        session.execute(text("DELETE FROM carrier_providers"))
    return office.browser("admin")


def set_up(admin: Browser, server: CarrierServer, name: str = "mobile", **given: str) -> str:
    """Set a carrier up and return the address of its page."""
    form = {
        **FORM,
        "kind": "mlp",
        "name": name,
        "url": server.url("/mlp"),
        "secret_client_id": USER,
        "secret_password": PASSWORD,
        "test_number": "13500135000",
        **given,
    }
    answer = admin.post("/carriers/new", form)
    assert answer.status_code == 303, answer.text[-800:]
    return str(answer.location)


def said(admin: Browser, address: str) -> str:
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", admin.text(address))).split())


def test_without_providers_the_page_says_what_that_means(admin: Browser) -> None:
    assert "Nobody is asked" in admin.text("/carriers")


def test_a_secret_is_written_once_and_never_read_again(
    admin: Browser, office: Desk, server: CarrierServer
) -> None:
    address = set_up(admin, server)
    for page in (address, "/carriers"):
        content = html.unescape(admin.text(page))
        assert PASSWORD not in content
        assert USER not in re.sub(r"acme@", "", content)
    assert "Stored and sealed" in admin.text(address)
    with office.transaction() as session:
        sealed = session.execute(text("SELECT sealed_credentials FROM carrier_providers")).scalar()
    assert isinstance(sealed, bytes)
    assert PASSWORD.encode() not in sealed


def test_a_test_call_says_what_came_back_and_never_where(
    admin: Browser, office: Desk, server: CarrierServer
) -> None:
    address = set_up(admin, server)
    server.phones["8613500135000"] = HERE
    admin.post(f"{address}/test")
    shown = said(admin, address)
    assert "It works: a position came back" in shown
    assert "Test call" in shown
    assert "121.47" not in shown
    with office.transaction() as session:
        row = session.execute(
            text("SELECT outcome, place, purpose FROM carrier_requests ORDER BY id DESC LIMIT 1")
        ).one()
    assert tuple(row) == ("ok", None, "test")


@pytest.mark.parametrize(
    ("mood", "words"),
    [
        (moods.hangs_up, "The provider cannot be reached."),
        (moods.says(b"<html/>", "text/html"), "The answer could not be understood."),
        (moods.says(b"", status=302, Location="http://a/"), "another address"),
        (moods.says(b"no", status=500), "The provider answered with an error."),
    ],
)
def test_what_went_wrong_is_told_in_words(
    admin: Browser, server: CarrierServer, mood: moods.Mood, words: str
) -> None:
    address = set_up(admin, server)
    server.mood = mood
    admin.post(f"{address}/test")
    assert words in said(admin, address)


@pytest.mark.parametrize(
    ("number", "words"),
    [(202, "This is no absence."), (3, "does not accept the credentials"), (101, "too busy")],
)
def test_a_carriers_numbers_become_sentences(
    admin: Browser, server: CarrierServer, number: int, words: str
) -> None:
    address = set_up(admin, server)
    server.phones["8613500135000"] = number
    admin.post(f"{address}/test")
    assert words in said(admin, address)


def test_people_are_no_test_numbers(admin: Browser, office: Desk, server: CarrierServer) -> None:
    with office.transaction() as session:
        session.execute(
            text("UPDATE employees SET phone = '+86 135 0013 5000' WHERE id = :id"),
            {"id": office.alpha.people["peer"]},
        )
    try:
        address = set_up(admin, server)
        admin.post(f"{address}/test")
        assert "The test number belongs to an employee." in said(admin, address)
        assert server.asked == []
    finally:
        with office.transaction() as session:
            session.execute(text("UPDATE employees SET phone = NULL"))


def test_credentials_stay_until_the_host_is_another(
    admin: Browser, office: Desk, server: CarrierServer
) -> None:
    address = set_up(admin, server)
    server.phones["8613500135000"] = HERE
    kept = {**FORM, "url": server.url("/mlp?more=1"), "test_number": "13500135000"}
    assert admin.post(address, kept).status_code == 303
    admin.post(f"{address}/test")
    assert "It works" in said(admin, address)
    moved = {**kept, "url": "https://elsewhere.example/mlp"}
    assert admin.post(address, moved).status_code == 303
    assert "No credentials are stored." in admin.text(address)
    with office.transaction() as session:
        sealed = session.execute(text("SELECT sealed_credentials FROM carrier_providers")).scalar()
    assert sealed is None


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"name": "No Spaces"}, "A name has 1 to 31"),
        ({"url": "http://carrier.example/"}, "Enter an https address"),
        ({"url": "https://user:pw@carrier.example/"}, "Enter an https address"),
        ({"daily_quota": "-1"}, "A quota is a whole number"),
        ({"total_s": "nan"}, "A setting is out of range."),
        ({"total_s": "much"}, "A setting is out of range."),
        ({"country_code": "x"}, "A setting is out of range."),
        ({"datum": "mars"}, "A setting is out of range."),
        ({"secret_password": "\x07"}, "A credential is too long"),
    ],
)
def test_what_cannot_be_saved_is_named_and_the_form_kept(
    admin: Browser, server: CarrierServer, changes: dict[str, str], words: str
) -> None:
    form = {**FORM, "kind": "mlp", "name": "mobile", "url": server.url("/mlp"), **changes}
    form |= {"test_number": "13577777777"}
    answer = admin.post("/carriers/new", form)
    assert answer.status_code == 400
    assert words in answer.text
    assert "13577777777" in answer.text
    assert "Nobody is asked" in admin.text("/carriers")


def test_a_name_is_taken_once(admin: Browser, server: CarrierServer) -> None:
    set_up(admin, server)
    form = {**FORM, "kind": "geolocate", "name": "mobile", "url": server.url("/geolocate")}
    answer = admin.post("/carriers/new", form)
    assert answer.status_code == 400
    assert "There is a provider with this name already." in answer.text


def test_a_geolocate_service_asks_for_a_key_and_no_numbers(
    admin: Browser, server: CarrierServer
) -> None:
    page = admin.text("/carriers/new?kind=geolocate")
    assert 'name="secret_key"' in page
    assert 'name="test_number"' not in page
    form = {
        **FORM,
        "kind": "geolocate",
        "name": "cells",
        "url": server.url("/geolocate"),
        "secret_key": KEY,
    }
    address = str(admin.post("/carriers/new", form).location)
    admin.post(f"{address}/test")
    assert "knows none of the cells" in said(admin, address)


def test_a_breaker_that_opened_is_shown(admin: Browser, server: CarrierServer) -> None:
    address = set_up(admin, server)
    server.mood = moods.hangs_up
    for _ in range(3):
        admin.post(f"{address}/test")
    assert "It failed 3 times in a row" in said(admin, address)
    assert "Paused after faults" in said(admin, "/carriers")


def test_test_calls_are_limited(admin: Browser, server: CarrierServer) -> None:
    address = set_up(admin, server)
    for _ in range(200):
        if admin.post(f"{address}/test").status_code == 429:
            break
    else:
        pytest.fail("two hundred test calls in a row were let through")
    assert 10 <= len(server.asked) < 200


def test_removing_deletes_the_credentials(
    admin: Browser, office: Desk, server: CarrierServer
) -> None:
    address = set_up(admin, server)
    assert admin.post(f"{address}/remove").status_code == 303
    assert admin.get(address).status_code == 404
    with office.transaction() as session:
        assert session.execute(text("SELECT count(*) FROM carrier_providers")).scalar() == 0


def test_consent_is_recorded_with_its_reason_and_withdrawn_at_once(
    admin: Browser, office: Desk
) -> None:
    person = office.alpha.people["employee"]
    address = f"/carriers/consents/{person}"
    given = {"given_on": "2026-11-17", "note": "signed sheet 12"}
    assert admin.post(address, given).status_code == 303
    assert "has no phone number on record" in admin.text("/carriers/consents")
    with office.transaction() as session:
        session.execute(
            text("UPDATE employees SET phone = '13800138000' WHERE id = :id"), {"id": person}
        )
    admin.post(address, {**given, "given_on": "2026-11-19"})
    assert "Consent cannot be from the future." in admin.text("/carriers/consents")
    admin.post(address, {**given, "note": ""})
    assert "Say how consent was given" in admin.text("/carriers/consents")
    admin.post(address, given)
    assert "signed sheet 12" in admin.text("/carriers/consents?state=given")
    admin.post(f"{address}/withdraw")
    shown = said(admin, "/carriers/consents?state=withdrawn")
    assert "by an administrator" in shown
    assert "1–1 of 1" in shown
    assert "Nobody matches" in said(admin, "/carriers/consents?state=given")
    assert "E001" not in said(admin, "/carriers/consents?state=none")
    assert "1–1 of 1" in said(admin, "/carriers/consents?q=e002&state=none")
    assert "Nobody matches" in said(admin, "/carriers/consents?q=%25")
    with office.transaction() as session:
        kinds = session.scalars(
            text("SELECT kind FROM security_events WHERE kind LIKE 'carrier_consent%' ORDER BY id")
        ).all()
    assert kinds == ["carrier_consent_recorded", "carrier_consent_withdrawn"]


def test_texts_are_chinese_for_chinese_readers(admin: Browser, server: CarrierServer) -> None:
    set_up(admin, server)
    for page in ("/carriers", "/carriers/new", "/carriers/consents"):
        answer = admin.get(page, headers={"Accept-Language": "zh-CN"})
        assert answer.status_code == 200
        assert "运营商" in answer.text


def test_people_see_and_withdraw_their_own_consent(admin: Browser, office: Desk) -> None:
    person = office.alpha.people["peer"]
    own = office.browser("peer")
    assert "Located by the carrier" not in own.text("/me")
    with office.transaction() as session:
        session.execute(
            text("UPDATE employees SET phone = '13700137000' WHERE id = :id"), {"id": person}
        )
    given = {"given_on": "2026-11-17", "note": "signed sheet 13"}
    admin.post(f"/carriers/consents/{person}", given)
    assert "You agreed" in own.text("/me")
    assert own.post("/me/carrier/withdraw").status_code == 303
    shown = said(own, "/me")
    assert "Your consent is withdrawn." in shown
    assert "by the person" in shown
    assert own.post("/me/carrier/withdraw").status_code == 303, "again changes nothing"
    archive = zipfile.ZipFile(io.BytesIO(own.get("/me/export").data))
    (consent,) = json.loads(archive.read("carrier_consents.json"))
    assert (consent["number"], consent["withdrawn_how"]) == ("8613700137000", "person")
    assert json.loads(archive.read("carrier_requests.json")) == []
