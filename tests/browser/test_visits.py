"""Visits as a leader plans them and reads their cards, in both languages and themes."""

from collections.abc import Iterator
from uuid import UUID

import pytest
from playwright.sync_api import BrowserContext, expect

from fixtures.stack import DatabaseUrls, Stack
from server.people.services import set_preferences
from tests.browser.test_screens import AXE
from tests.browser.witness import Witness
from tests.factories.desk import Desk, desk, served
from tests.factories.footprints import tread
from tests.web.test_visits import form, judge, morning, new_site, visits

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def office(stack: Stack, module_database: DatabaseUrls) -> Iterator[Desk]:
    with desk(stack, module_database) as made:
        yield made


@pytest.fixture(scope="module")
def address(office: Desk) -> Iterator[str]:
    with served(office) as url:
        yield url


@pytest.fixture(scope="module")
def seen(office: Desk) -> UUID:
    """A verified visit of `employee`."""
    office.roster("employee")
    tread(office, "employee", morning())
    number = new_site(office)
    office.browser("supervisor_north").post("/visits", form(office, number))
    judge(office)
    [visit_id] = visits(office, number)
    return visit_id


@pytest.mark.parametrize(("locale", "scheme"), [("zh", "light"), ("en", "dark")])
def test_a_leader_assigns_a_visit_and_reads_a_card(
    office: Desk,
    address: str,
    seen: UUID,
    context: BrowserContext,
    witness: Witness,
    axe_source: str,
    locale: str,
    scheme: str,
) -> None:
    witness.home = address
    number = new_site(office, east_m=3_000)
    with office.transaction() as session:
        set_preferences(
            session,
            office.clock,
            tenant_id=office.alpha.id,
            account_id=office.alpha.logins["supervisor_north"].account_id,
            locale=locale,
        )
    cookie = office.cookie("supervisor_north")
    context.add_cookies([{"name": "sid", "value": cookie, "url": address}])
    page = context.new_page()
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    page.goto(f"{address}/visits")
    page.click("[data-dialog=assign]")
    page.select_option("#f-p", [str(office.alpha.people["peer"])])
    page.fill("#f-sites", number)
    page.fill("#f-on", "2026-11-20")
    page.press("#f-on", "Enter")
    expect(page.locator("tbody tr", has_text=number)).to_have_count(1)
    page.evaluate(axe_source)
    assert page.evaluate(AXE) == []
    page.goto(f"{address}/visits/{seen}")
    expect(page.locator("html")).to_have_attribute("data-ready", "1")
    page.click(".evidence-table summary")
    expect(page.locator("[data-evidence-table] tbody tr")).to_have_count(150)
    page.evaluate(axe_source)
    assert page.evaluate(AXE) == []
    assert witness.strangers == []
