"""A claim from the claimant's form to finance's decision, in a real browser."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from fixtures.stack import DatabaseUrls, Stack
from tests.browser.witness import Witness
from tests.factories.desk import DAY, Desk, desk, served
from tests.factories.footprints import tread
from tests.factories.journeys import check, drive

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def office(stack: Stack, module_database: DatabaseUrls) -> Iterator[Desk]:
    with desk(stack, module_database) as made:
        tread(made, "employee", drive())
        yield made


@pytest.fixture(scope="module")
def address(office: Desk) -> Iterator[str]:
    with served(office) as url:
        yield url


def _page(office: Desk, context: BrowserContext, address: str, login: str) -> Page:
    context.add_cookies([{"name": "sid", "value": office.cookie(login), "url": address}])
    return context.new_page()


def test_a_padded_claim_is_entered_checked_and_reduced(
    office: Desk, address: str, chromium: Browser, context: BrowserContext, witness: Witness
) -> None:
    witness.home = address
    page = _page(office, context, address, "employee")
    page.goto(f"{address}/me")
    page.locator("main a[href^='/claims']").click()
    page.locator("main a[href='/claims/new']").first.click()
    page.locator("[name=start]").fill(f"{DAY}T09:00")
    page.locator("[name=end]").fill(f"{DAY}T11:00")
    page.locator("[name=km]").fill("70.0")
    page.locator("[name=reference]").fill("TC-1184")
    page.locator("main form.claim-form button").click()
    expect(page.locator(".claim-lines")).to_contain_text("70.0 km")
    page.locator("form[action$='/submit'] button").click()
    expect(page.locator("main")).not_to_contain_text("70.0 km claimed")
    check(office)
    page.reload()
    expect(page.locator(".evidence-card__sentence")).to_be_visible()
    # Their own way is on the map: they see what those who lead them see.
    expect(page.locator("html[data-ready='1'] .map canvas")).to_be_visible()
    claim = page.url

    with chromium.new_context(locale="en") as desk_context:
        finance = _page(office, desk_context, address, "finance")
        finance.goto(claim)
        assert finance.locator(".map").count() == 0, "finance sees what follows, not where"
        finance.locator("[name=reason]").fill("more than the way can have had")
        finance.locator("button[value=reduced]").click()
        expect(finance.locator("main")).to_contain_text("more than the way can have had")
        with finance.expect_download() as download:
            finance.locator("a[href$='card.pdf']").click()
        assert download.value.suggested_filename.endswith(".pdf")
    page.reload()
    expect(page.locator("main")).to_contain_text("more than the way can have had")
    assert witness.errors == []
    assert witness.strangers == []


def test_places_are_chosen_on_a_map_on_a_phone_and_corrected_as_text(
    office: Desk, address: str, context: BrowserContext, witness: Witness
) -> None:
    witness.home = address
    page = _page(office, context, address, "employee")
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"{address}/claims/new?kind=transport")
    page.locator("[name=start]").fill(f"{DAY}T09:00")
    page.locator("[name=end]").fill(f"{DAY}T11:00")
    page.locator("[name=amount]").fill("54.50")
    page.locator("[data-claim-map] summary").press("Enter")
    expect(page.locator("html[data-ready='1'] [data-claim-map] canvas")).to_be_visible()
    page.locator("[data-claim-map] canvas").click(position={"x": 120, "y": 90})
    expect(page.locator("[name=origin]")).to_have_value(re.compile(r"^\S+, -?\d+\.\d{6}, -?\d+"))
    page.locator("[name=destination]").focus()
    page.locator("[data-claim-map] canvas").click(position={"x": 200, "y": 160})
    expect(page.locator("[name=destination]")).to_have_value(re.compile(r", -?\d+\.\d{6}$"))
    lon_lat = page.locator("[name=destination]").input_value().split(",", 1)[1]
    # Who uses no pointer writes the same.
    page.locator("[name=destination]").fill(f"百货,{lon_lat}, 5")
    page.locator("main form.claim-form button[type=submit]").click()
    expect(page.locator(".claim-lines")).to_contain_text("54.50")
    page.locator(".claim-lines a").click()
    expect(page.locator("[name=destination]")).to_have_value(re.compile("^百货, .*, 5.0$"))
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert witness.errors == []
    assert witness.strangers == []
