"""The live page with more people than a browser is given: the bound is put at nothing."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.scene import CAST, Scene
from tests.browser.witness import Witness
from web.live import views

pytestmark = pytest.mark.browser

ON_DUTY = sum(story != "free" for _name, _post, story in CAST)
PROBE = "document.querySelector('[data-map]').probe"


@pytest.fixture
def page(scene: Scene, lead: Page, monkeypatch: pytest.MonkeyPatch) -> Page:
    monkeypatch.setattr(views, "MANY", 0)
    lead.goto(f"{scene.url}/live")
    lead.wait_for_selector("html[data-ready]", state="attached", timeout=60_000)
    expect(lead.locator(".person").first).to_be_visible()
    return lead


def test_counts_list_and_window_agree(page: Page, witness: Witness) -> None:
    counts = [int(text) for text in page.locator(".chip__n").all_inner_texts()]
    assert sum(counts[:-1]) == ON_DUTY
    # Near enough, people of the window are drawn one by one or in clusters of them.
    drawn = page.evaluate(f"{PROBE}('people')")
    assert sum(each.get("point_count", 1) for each in drawn) == ON_DUTY
    assert page.locator(".person").first.locator(".pill--off_post").count() == 1
    assert witness.errors == []
    assert witness.strangers == []


def test_from_afar_there_are_discs_of_counts(page: Page) -> None:
    zoom_out = page.get_by_role("button", name="缩小")
    with page.expect_response(lambda answer: "/api/live/cells" in answer.url):
        for _ in range(6):
            zoom_out.click()
            page.wait_for_timeout(400)
    page.wait_for_function(
        "(n) => document.querySelector('[data-map]').probe('squares')"
        ".then((all) => all.reduce((sum, each) => sum + each.people, 0) === n)",
        arg=ON_DUTY,
    )


def test_somebody_of_the_list_is_found_on_the_map(page: Page) -> None:
    page.locator(".person").nth(3).click()
    expect(page.locator("[data-card] [data-name]")).to_be_visible()
    name = page.locator("[data-card] [data-name]").inner_text()
    assert name in page.locator(".person").nth(3).inner_text()


def test_a_search_asks_the_server(page: Page) -> None:
    with page.expect_response(lambda answer: "/api/live/list" in answer.url and "q=" in answer.url):
        page.locator(".topbar [data-search-key]").fill("王芳")
    expect(page.locator(".person")).to_have_count(1)


def test_a_move_inside_the_window_arrives(scene: Scene, page: Page) -> None:
    expect(page.locator("[data-connection][data-state='live']")).to_be_visible(timeout=30_000)
    page.locator(".person", has_text="王芳").click()
    expect(page.locator("[data-card] [data-name]")).to_have_text("王芳")
    scene.report("王芳", (0.0, 24.9440, 60.1715))
    page.wait_for_function(
        "() => document.querySelector('[data-map]').probe('selected')"
        ".then((at) => at && Math.abs(at[0] - 24.944) < 1e-6)",
        timeout=30_000,
    )
