"""Pages of sites."""

import re

import pytest

from tests.factories.desk import Browser, Desk


@pytest.fixture
def lead(office: Desk) -> Browser:
    return office.browser("manager_n1")


def form(office: Desk, **fields: str) -> dict[str, str]:
    return {
        "number": "S1",
        "name": "Corner shop",
        "unit_id": str(office.alpha.units["n1"]),
        "address": "High Street 1",
        "lon": "121.4",
        "lat": "31.2",
        "radius_m": "150",
        **fields,
    }


def address_of(browser: Browser, name: str) -> str:
    found = re.search(rf'href="(/sites/[0-9a-f-]+)">{name}<', browser.get("/sites?closed=1").text)
    assert found is not None
    return found[1]


def test_a_site_is_added_changed_closed_and_opened(office: Desk, lead: Browser) -> None:
    assert "No sites yet" in lead.get("/sites").text
    assert lead.post("/sites/new", data=form(office)).status_code == 303
    listed = lead.get("/sites").text
    assert "Corner shop" in listed
    assert "121.40000, 31.20000" in listed
    address = address_of(lead, "Corner shop")
    assert lead.post(address, data=form(office, name="Corner café")).status_code == 303
    assert "Corner café" in lead.get(address).text
    lead.post(f"{address}/active", data={"active": "0"})
    assert "Corner café" not in lead.get("/sites").text
    assert "Closed" in lead.get("/sites?closed=1").text
    lead.post(f"{address}/active", data={"active": "1"})
    assert "Corner café" in lead.get("/sites?sort=-name&q=high").text


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"number": ""}, "Enter a number"),
        ({"name": " "}, "Enter a name"),
        ({"lat": ""}, "needs longitude and latitude"),
        ({"lat": "91"}, "not on Earth"),
        ({"lon": "0", "lat": "0"}, "in the sea"),
        ({"radius_m": "5"}, "20 m to 50 km"),
        ({"radius_m": "nan"}, "Enter a number"),
        ({"unit_id": ""}, "Choose a unit"),
    ],
)
def test_a_refused_form_says_why_and_keeps_what_was_typed(
    office: Desk, lead: Browser, fields: dict[str, str], sentence: str
) -> None:
    answer = lead.post("/sites/new", data=form(office, number="S9") | fields)
    assert answer.status_code == 422
    assert sentence in answer.text
    assert "High Street 1" in answer.text


def test_a_number_is_taken_once(office: Desk, lead: Browser) -> None:
    lead.post("/sites/new", data=form(office, number="S7", name="First"))
    answer = lead.post("/sites/new", data=form(office, number="S7", name="Second"))
    assert answer.status_code == 422
    assert "with this number already" in answer.text


def test_sites_of_other_units_are_not_there(office: Desk, lead: Browser) -> None:
    lead.post("/sites/new", data=form(office, number="S8", name="Of north"))
    address = address_of(lead, "Of north")
    other = office.browser("supervisor_south")
    assert "Of north" not in other.get("/sites").text
    assert other.get(address).status_code == 404
    assert other.post(address, data=form(office)).status_code == 404
    elsewhere = form(office, number="S10", unit_id=str(office.alpha.units["s1"]))
    assert lead.post("/sites/new", data=elsewhere).status_code == 404


def test_a_site_without_a_position_is_shown_as_such(office: Desk, lead: Browser) -> None:
    lead.post("/sites/new", data=form(office, number="S11", name="Somewhere", lon="", lat=""))
    listed = lead.get("/sites?unplaced=1").text
    assert "Somewhere" in listed
    assert "Unknown" in listed
