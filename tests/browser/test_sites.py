"""A site's position, set by a click on its map."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import BrowserContext, expect

from fixtures.stack import DatabaseUrls, Stack
from tests.browser.witness import Witness
from tests.factories.desk import Desk, desk, served

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def office(stack: Stack, module_database: DatabaseUrls) -> Iterator[Desk]:
    with desk(stack, module_database) as made:
        yield made


def test_a_click_on_the_map_sets_the_position_of_a_new_site(
    office: Desk, context: BrowserContext, witness: Witness
) -> None:
    with served(office) as address:
        witness.home = address
        cookie = office.cookie("supervisor_north")
        context.add_cookies([{"name": "sid", "value": cookie, "url": address}])
        page = context.new_page()
        page.goto(f"{address}/sites/new")
        expect(page.locator("html[data-ready='1'] [data-site-map] canvas")).to_be_visible()
        page.locator("[data-site-map] canvas").click(position={"x": 120, "y": 90})
        for name in ("lon", "lat"):
            expect(page.locator(f"[name={name}]")).to_have_value(re.compile(r"^-?\d+\.\d{6}$"))
        assert witness.errors == []
        assert witness.strangers == []
