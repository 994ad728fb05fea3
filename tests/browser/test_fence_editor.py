"""The fence editor in a real browser: drawing, numbers and files say the same shape."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from fixtures.stack import DatabaseUrls, Stack
from tests.browser.witness import Witness
from tests.factories.desk import LAT_DEG, LON_DEG, Desk, desk, served

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def office(stack: Stack, module_database: DatabaseUrls) -> Iterator[Desk]:
    with desk(stack, module_database) as made:
        yield made


@pytest.fixture(scope="module")
def address(office: Desk) -> Iterator[str]:
    with served(office) as url:
        yield url


@pytest.fixture
def page(office: Desk, address: str, context: BrowserContext, witness: Witness) -> Page:
    witness.home = address
    cookie = office.cookie("supervisor_north")
    context.add_cookies([{"name": "sid", "value": cookie, "url": address}])
    return context.new_page()


def open_editor(page: Page, address: str, path: str = "/posts/new") -> None:
    page.goto(f"{address}{path}")
    page.wait_for_selector("html[data-ready]", state="attached")


def click_map(page: Page, *points: tuple[float, float]) -> None:
    """Click at places given as shares of the map's width and height."""
    box = page.locator(".maplibregl-canvas").bounding_box()
    assert box is not None
    for x, y in points:
        page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"])
        page.mouse.click(box["x"] + x * box["width"], box["y"] + y * box["height"])


def geometry(page: Page) -> Any:
    return json.loads(page.locator("[name=geometry]").input_value() or "null")


def verdict(page: Page, code: str) -> None:
    expect(page.locator("#fence")).to_have_attribute("data-verdict", code)


def save(page: Page, name: str) -> None:
    page.fill("[name=name]", name)
    page.select_option("[name=unit_id]", index=1)
    page.click("[data-save]")
    page.wait_for_selector("html[data-ready]", state="attached")
    assert page.locator("h1").inner_text() == name


def test_a_circle_is_drawn_with_two_clicks_and_saved(
    page: Page, address: str, witness: Witness
) -> None:
    open_editor(page, address)
    page.click("[data-tool=circle]")
    click_map(page, (0.5, 0.5), (0.6, 0.5))
    expect(page.locator("[name=lon]")).not_to_have_value("")
    verdict(page, "ok")
    radius = float(page.locator("[name=radius_m]").input_value())
    assert radius > 20
    expect(page.locator("[data-handle]")).to_have_count(2)
    save(page, "drawn circle")
    assert float(page.locator("[name=radius_m]").input_value()) == radius
    assert witness.errors == []
    assert witness.strangers == []


def test_dragging_the_edge_changes_the_radius_and_undo_takes_it_back(
    page: Page, office: Desk, address: str
) -> None:
    open_editor(page, address, f"/posts/{office.posts['north']}")
    handle = page.locator("[data-handle=edge]").bounding_box()
    assert handle is not None
    x, y = handle["x"] + handle["width"] / 2, handle["y"] + handle["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x - 60, y, steps=6)
    page.mouse.up()
    expect(page.locator("[name=radius_m]")).not_to_have_value("100")
    assert float(page.locator("[name=radius_m]").input_value()) < 100
    page.click("[data-undo]")
    expect(page.locator("[name=radius_m]")).to_have_value("100")


def test_an_area_is_drawn_vertex_by_vertex_and_edited_by_number(page: Page, address: str) -> None:
    open_editor(page, address)
    page.click("[data-tool=polygon]")
    expect(page.locator("[data-hint]")).to_be_visible()
    click_map(page, (0.4, 0.4), (0.6, 0.4), (0.6, 0.6), (0.4, 0.6))
    page.keyboard.press("Enter")
    expect(page.locator("[data-vertices] li")).to_have_count(4)
    verdict(page, "ok")
    drawn = geometry(page)
    assert len(drawn["coordinates"][0]) == 5
    first = page.locator("[data-vertex='0-0']")
    moved = round(float(first.input_value()) - 0.0005, 6)
    first.fill(str(moved))
    first.press("Tab")
    assert geometry(page)["coordinates"][0][0][0] == moved
    assert geometry(page)["coordinates"][0][-1][0] == moved, "the ring stays closed"
    page.locator("[data-vertices] li .icon-btn").first.click()
    expect(page.locator("[data-vertices] li")).to_have_count(3)
    page.click("[data-undo]")
    page.click("[data-undo]")
    assert geometry(page) == drawn
    save(page, "drawn area")


def test_a_vertex_can_be_dragged_on_the_map(page: Page, address: str) -> None:
    open_editor(page, address)
    page.click("[data-tool=rectangle]")
    click_map(page, (0.35, 0.4), (0.6, 0.65))
    expect(page.locator("[data-vertices] li")).to_have_count(4)
    before = geometry(page)
    box = page.locator(".maplibregl-canvas").bounding_box()
    assert box is not None
    x, y = box["x"] + 0.35 * box["width"], box["y"] + 0.4 * box["height"]
    page.wait_for_timeout(300)
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x - 40, y - 30, steps=8)
    page.mouse.up()
    expect(page.locator("[name=geometry]")).not_to_have_value(json.dumps(before))
    after = geometry(page)
    changed = [
        a for a, b in zip(after["coordinates"][0], before["coordinates"][0], strict=True) if a != b
    ]
    assert 1 <= len(changed) <= 2, "one corner moved (the ring repeats the first)"


def test_a_crossing_edge_is_refused_in_words_and_pointed_out(page: Page, address: str) -> None:
    open_editor(page, address)
    page.check("[name=kind][value=polygon]", force=True)
    page.click(".geojson summary")
    bow = [(0.0, 0.0), (0.002, 0.002), (0.002, 0.0), (0.0, 0.002), (0.0, 0.0)]
    ring = [[LON_DEG + x, LAT_DEG + y] for x, y in bow]
    page.fill("[name=geometry]", json.dumps({"type": "Polygon", "coordinates": [ring]}))
    page.locator("[name=geometry]").press("Tab")
    verdict(page, "self_intersection")
    expect(page.locator("[data-verdict] .notice--danger")).to_be_visible()
    expect(page.locator(".fence-wrong")).to_have_count(1)


def test_a_file_with_a_hole_is_imported_and_keeps_it(
    page: Page, address: str, tmp_path: Path
) -> None:
    def square(at: float, side: float) -> list[list[float]]:
        x, y = LON_DEG + 0.004 + at, LAT_DEG + at
        return [[x, y], [x + side, y], [x + side, y + side], [x, y + side], [x, y]]

    shape = {"type": "Polygon", "coordinates": [square(0, 0.002), square(0.0005, 0.001)]}
    document = {
        "type": "FeatureCollection",
        "features": [{"type": "Feature", "properties": {}, "geometry": shape}],
    }
    file = tmp_path / "yard.geojson"
    file.write_text(json.dumps(document), encoding="utf-8")
    open_editor(page, address)
    page.set_input_files("[data-import]", file)
    verdict(page, "ok")
    assert len(geometry(page)["coordinates"]) == 2
    save(page, "imported")
    assert len(geometry(page)["coordinates"]) == 2
    bad = tmp_path / "bad.json"
    bad.write_text("[1, 2", encoding="utf-8")
    page.set_input_files("[data-import]", bad)
    expect(page.locator(".toast--danger")).to_be_visible()


def test_overlap_with_another_post_is_named(page: Page, address: str) -> None:
    open_editor(page, address)
    page.fill("[name=lon]", str(LON_DEG))
    page.fill("[name=lat]", str(LAT_DEG))
    page.fill("[name=radius_m]", "60")
    page.locator("[name=radius_m]").press("Tab")
    verdict(page, "ok")
    # Posts that other tests of this module saved may overlap as well.
    named = page.locator("[data-verdict] .notice--warn", has_text="ALPHA-NORTH")
    expect(named).to_have_count(1)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(
    page: Page, office: Desk, address: str, axe_source: str, scheme: str
) -> None:
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    for path in ("/posts", "/posts/new", f"/posts/{office.posts['north']}"):
        open_editor(page, address, path)
        page.evaluate(axe_source)
        found = page.evaluate(
            "axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21aa', 'wcag22aa']})"
            ".then((r) => r.violations.map((v) => v.id + ' ' + v.nodes[0].target))"
        )
        assert found == [], path
