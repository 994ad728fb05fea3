"""The distribution page in a real browser: list and map agree, time moves both."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.scene import Scene
from tests.browser.witness import Witness

pytestmark = pytest.mark.browser

ON_DUTY = 21
PROBE = "document.querySelector('[data-map]').probe()"


def opened(page: Page, scene: Scene, query: str = "") -> Page:
    page.goto(f"{scene.url}/distribution{query}")
    page.wait_for_selector("html[data-ready]", state="attached", timeout=60_000)
    return page


def shown(page: Page) -> dict[str, int]:
    """People by hexagon as the map draws them."""
    drawn = page.evaluate(PROBE)
    return {each["id"]: each["value"] for each in drawn if "value" in each}


def test_list_and_map_count_the_same_people(scene: Scene, lead: Page, witness: Witness) -> None:
    page = opened(lead, scene)
    expect(page.locator('[data-n="people"]')).to_have_text(str(ON_DUTY))
    assert sum(shown(page).values()) == ON_DUTY
    page.get_by_text("六边形", exact=True).click()
    rows = page.locator("[data-cell]")
    expect(rows.first).to_be_visible()
    listed = [int(text) for text in page.locator("[data-cell] strong").all_inner_texts()]
    assert sum(listed) == ON_DUTY
    assert listed == sorted(listed, reverse=True)
    rows.first.click()
    expect(rows.first).to_have_attribute("aria-pressed", "true")
    expect(page.locator("[data-detail]")).to_contain_text(str(listed[0]))
    page.keyboard.press("Escape")
    expect(page.locator("[data-detail]")).to_be_hidden()
    assert witness.errors == []
    assert witness.strangers == []


def test_a_status_and_a_unit_narrow_both(scene: Scene, lead: Page) -> None:
    page = opened(lead, scene)
    off = int(page.locator('[data-n="off_post"]').inner_text())
    page.locator('label:has([value="off_post"])').click()
    expect(page.locator("[data-list] strong").first).to_have_text(str(off))
    assert sum(shown(page).values()) == off
    assert "m=off_post" in page.url
    page.locator('label:has([name="measure"][value="people"])').click()
    page.get_by_role("button", name="城东一组").click()
    expect(page.locator('[data-n="people"]')).to_have_text("7")
    assert "unit=" in page.url
    assert "lon" not in page.url


def test_the_slider_goes_into_the_past_and_back(scene: Scene, lead: Page) -> None:
    page = opened(lead, scene)
    page.locator("#dist-minute").focus()
    before = int(page.locator("#dist-minute").input_value())
    with page.expect_response(lambda answer: "at=" in answer.url):
        for _ in range(5):
            page.keyboard.press("ArrowLeft")
    expect(page.locator("[data-now]")).to_have_attribute("aria-pressed", "false")
    assert "at=" in page.url
    at = int(page.locator("#dist-minute").input_value())
    assert at in {before - 5, before - 4}
    expect(page.locator("[data-clock]")).to_have_text(f"{at // 60:02d}:{at % 60:02d}")
    page.locator("#dist-title").click()
    page.keyboard.press("n")
    expect(page.locator("[data-now]")).to_have_attribute("aria-pressed", "true")


def test_two_instants_are_compared(scene: Scene, lead: Page) -> None:
    page = opened(lead, scene)
    page.locator("[data-compare]").click()
    expect(page.locator("[data-versus]")).to_be_visible()
    expect(page.locator("[data-list] strong").first).to_contain_text("→")
    assert "vs=" in page.url
    # Nobody had been heard an hour and a half ago; nothing to see there is a change as well.
    page.locator("[data-compare]").click()
    expect(page.locator("[data-versus]")).to_be_hidden()


def test_a_drawn_area_counts_the_people_inside(scene: Scene, lead: Page) -> None:
    page = opened(lead, scene)
    page.locator("[data-draw]").click()
    box = page.locator("[data-map]").bounding_box()
    assert box is not None
    corners = ((0.06, 0.2), (0.9, 0.2), (0.9, 0.85), (0.06, 0.85), (0.06, 0.85))
    with page.expect_response(lambda answer: answer.url.endswith("/api/distribution/areas")):
        for x, y in corners:
            page.mouse.click(box["x"] + box["width"] * x, box["y"] + box["height"] * y, delay=40)
    row = page.locator("[data-list] .dist__row strong")
    expect(row).to_have_count(1)
    assert 0 < int(row.inner_text()) <= ON_DUTY
    page.locator("[data-list] .icon-btn").click()
    expect(page.locator("[data-no-areas]")).to_be_visible()


def test_of_the_rest_of_the_company_nothing_small_is_told(scene: Scene, lead: Page) -> None:
    page = opened(lead, scene)
    page.locator("[data-company]").click()
    expect(page.locator("[data-company]")).to_have_attribute("aria-pressed", "true")
    expect(page.locator("[data-note]")).to_contain_text("0")
    assert all("value" in each for each in page.evaluate(PROBE)), "one person is fewer than five"
