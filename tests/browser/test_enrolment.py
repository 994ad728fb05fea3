"""Enrolling a phone: the desk shows a code, the phone opens a link, each of it once."""

import re
from collections.abc import Iterator

import pytest
import segno
from playwright.sync_api import Browser, BrowserContext, Page, expect

from fixtures.stack import DatabaseUrls, Stack
from tests.browser.witness import Witness
from tests.factories.desk import Desk, desk, served

pytestmark = pytest.mark.browser

PHONE = {
    "viewport": {"width": 390, "height": 844},
    "is_mobile": True,
    "has_touch": True,
    "device_scale_factor": 2,
}


@pytest.fixture(scope="module")
def office(stack: Stack, module_database: DatabaseUrls) -> Iterator[Desk]:
    with desk(stack, module_database) as made:
        yield made


@pytest.fixture(scope="module")
def address(office: Desk) -> Iterator[str]:
    with served(office) as url:
        yield url


@pytest.fixture
def admin(office: Desk, address: str, context: BrowserContext, witness: Witness) -> Page:
    witness.home = address
    context.add_cookies([{"name": "sid", "value": office.cookie("admin"), "url": address}])
    page = context.new_page()
    page.goto(f"{address}/devices")
    page.click("main .btn--primary")
    page.select_option("[name=p]", index=1)
    page.fill("[name=label]", "Redmi Note 13")
    page.click("main button.btn--primary")
    expect(page.locator("[data-enrolment]")).to_be_visible()
    return page


def path_of(page: Page) -> str:
    """Path of the one-time link; the host is the configured one, not the test's."""
    link = page.locator("[data-one-time]").input_value()
    return "/" + link.split("/", 3)[3]


def test_the_code_says_what_the_link_says(admin: Page, witness: Witness) -> None:
    link = admin.locator("a[href^='owntracks:']").get_attribute("href")
    assert link is not None
    code = segno.make(link, error="l", boost_error=False)
    image = admin.locator(".setup__code img")
    expected = code.svg_data_uri(scale=4, border=4, light="#ffffff", dark="#000000")
    assert image.get_attribute("src") == expected
    box = image.bounding_box()
    assert box is not None
    assert box["width"] >= 280, "smaller codes do not scan"
    assert witness.errors == []
    assert witness.strangers == []


def test_the_file_holds_the_same_secret(admin: Page) -> None:
    secret = admin.locator("[data-secret]").inner_text()
    with admin.expect_download() as waiting:
        admin.click("a[download]")
    assert waiting.value.suggested_filename.endswith(".otrc")
    assert f'"password":"{secret}"' in waiting.value.path().read_text(encoding="utf-8")


def test_the_link_opens_on_a_phone_once(admin: Page, address: str, chromium: Browser) -> None:
    username = admin.locator("a[download]").get_attribute("download")
    path = path_of(admin)
    phone = chromium.new_context(locale="zh-CN", **PHONE)  # type: ignore[arg-type]
    try:
        page = phone.new_page()
        page.goto(address + path)
        assert page.locator("a[href^='owntracks:']").count() == 0
        page.click("form button")
        expect(page.locator("a[href^='owntracks:']")).to_be_visible()
        assert page.locator("a[download]").get_attribute("download") == username
        width = page.evaluate("document.documentElement.scrollWidth")
        assert width <= 390, "nothing sticks out on a phone"
        page.goto(address + path)
        page.click("form button")
        expect(page.locator("main")).to_contain_text(re.compile("已使用|was used"))
    finally:
        phone.close()


def test_a_revoked_device_says_so(admin: Page, address: str) -> None:
    admin.goto(f"{address}/devices?q=Redmi")
    admin.locator("tbody th a").first.click()
    admin.click("[data-dialog=revoke]")
    admin.click("#revoke .btn--danger")
    expect(admin.locator("main .facts")).to_contain_text("OwnTracks")
    expect(admin.locator("[data-dialog=revoke]")).to_have_count(0)
