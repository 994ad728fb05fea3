"""Playback in a real browser: time, not points, moves everything."""

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from fixtures.stack import DatabaseUrls, Stack
from tests.browser.witness import Witness
from tests.factories.desk import DAY, Desk, desk, served
from tests.factories.footprints import Step, absence, judge, tread

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def office(stack: Stack, module_database: DatabaseUrls) -> Iterator[Desk]:
    with desk(stack, module_database) as made:
        made.roster("employee")
        made.roster("peer")
        tread(made, "employee", absence())
        judge(made, "employee")
        # Walks east by 60 m a minute: a position for every second in between is known.
        tread(made, "peer", [Step(m, east_m=60.0 * m, speed_mps=1.0) for m in range(60)])
        judge(made, "peer")
        yield made


@pytest.fixture(scope="module")
def address(office: Desk) -> Iterator[str]:
    with served(office) as url:
        yield url


@pytest.fixture
def page(office: Desk, address: str, context: BrowserContext, witness: Witness) -> Page:
    return signed_in(office, address, context, witness, "employee")


def signed_in(
    office: Desk, address: str, context: BrowserContext, witness: Witness, login: str
) -> Page:
    witness.home = address
    context.add_cookies([{"name": "sid", "value": office.cookie(login), "url": address}])
    return context.new_page()


def epoch(clock: str) -> int:
    return int(datetime.fromisoformat(f"{DAY}T{clock}+08:00").timestamp())


def open_day(page: Page, office: Desk, address: str, name: str, clock: str = "09:00:00") -> None:
    person = office.alpha.people[name]
    page.goto(f"{address}/tracks?p={person}&d={DAY}&t={epoch(clock)}")
    page.wait_for_selector("html[data-ready]", state="attached")
    expect(page.locator("#player")).to_have_attribute("data-state", "ready")


def at(page: Page) -> float:
    return float(page.locator("#player").get_attribute("data-t") or "nan")


def test_the_address_opens_and_keeps_the_exact_second(
    page: Page, office: Desk, address: str, witness: Witness
) -> None:
    open_day(page, office, address, "employee", "10:03:30")
    assert page.locator("[data-clock]").inner_text() == "10:03:30"
    page.keyboard.press("ArrowRight")
    assert page.locator("[data-clock]").inner_text() == "10:03:40"
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    assert page.locator("[data-clock]").inner_text() == "10:03:20"
    assert parse_qs(urlsplit(page.url).query)["t"] == [str(epoch("10:03:20"))]
    assert witness.errors == []
    assert witness.strangers == []


def test_playing_runs_by_the_clock_and_skips_what_stands_still(
    page: Page, office: Desk, address: str
) -> None:
    open_day(page, office, address, "employee", "09:00:00")
    page.check("input[name=speed][value='10']", force=True)
    page.keyboard.press(" ")
    expect(page.locator("#player")).to_have_attribute("data-playing", "1")
    # The first stop ends at 09:59; skipping it takes one frame, not an hour.
    expect(page.locator("[data-clock]")).to_have_text(re.compile(r"^(09:59|10:0)"))
    page.keyboard.press(" ")
    expect(page.locator("#player")).to_have_attribute("data-playing", "0")
    stopped = at(page)
    page.uncheck("[data-skip]")
    page.locator("[data-axis]").focus()
    page.keyboard.press("Home")
    assert at(page) < epoch("09:00:00")
    page.keyboard.press(" ")
    expect(page.locator("[data-clock]")).not_to_have_text("08:56:00")
    page.keyboard.press(" ")
    assert at(page) < stopped - 1800, "without skipping, a stop takes its time"


def test_the_marker_moves_between_fixes_and_stays_in_silence(
    page: Page, office: Desk, address: str
) -> None:
    open_day(page, office, address, "employee", "10:00:30")
    expect(page.locator("#player")).to_have_attribute("data-mode", "between")
    open_day(page, office, address, "employee", "11:10:00")
    expect(page.locator("#player")).to_have_attribute("data-mode", "held")
    assert (
        "最近定位在" in page.locator("[data-now]").inner_text()
        or "Last fix" in page.locator("[data-now]").inner_text()
    )


def test_shift_arrows_walk_from_stop_to_stop(page: Page, office: Desk, address: str) -> None:
    open_day(page, office, address, "employee", "09:30:00")
    page.keyboard.press("Shift+ArrowRight")
    first = at(page)
    assert epoch("10:01:00") < first < epoch("10:06:00")
    page.keyboard.press("Shift+ArrowRight")
    assert at(page) > first
    page.keyboard.press("Shift+ArrowLeft")
    assert at(page) == pytest.approx(first, abs=1)
    expect(page.locator("[data-part][aria-current]")).to_have_count(1)


def test_the_list_seeks_and_the_strip_hatches_silence(
    page: Page, office: Desk, address: str
) -> None:
    open_day(page, office, address, "employee")
    page.locator("[data-part]").nth(2).click()
    assert epoch("10:01:00") < at(page) < epoch("10:06:00")
    gaps = page.locator("[data-way] .bar--gap").all()
    assert any("hatch" in (bar.get_attribute("fill") or "") for bar in gaps)
    expect(page.locator(".part--finding")).to_have_count(1)


def test_the_axis_is_proportional_to_time(page: Page, office: Desk, address: str) -> None:
    open_day(page, office, address, "employee")
    box = page.locator("[data-axis]").bounding_box()
    assert box is not None
    left, width = box["x"] + 46, box["width"] - 46
    page.mouse.click(left + width / 2, box["y"] + 20)
    start = float(page.locator("[data-axis]").get_attribute("aria-valuemin") or 0)
    end = float(page.locator("[data-axis]").get_attribute("aria-valuemax") or 0)
    assert at(page) == pytest.approx((start + end) / 2, abs=15)


MODEL: Any = """async (facts) => {
  const { TrackModel, Playhead, typical } = await import("app/track-model");
  const day = { start: 0, end: 1000, presence: [], findings: [], segments: facts.segments,
    fixes: { at: facts.at, lon: facts.at.map((t) => t / 1000), lat: facts.at.map(() => 0),
      accuracy_m: facts.at.map(() => 5), speed_mps: facts.at.map(() => null) } };
  const model = new TrackModel(day);
  let now = 0;
  const head = new Playhead(model, { now: () => now });
  head.speed = 60;
  head.skip = false;
  head.play();
  for (let i = 0; i < 10; i += 1) { now += 0.1; head.tick(); }
  return { interval: typical(facts.at), played: head.t,
    modes: facts.ask.map((t) => model.at(t).mode), lon: facts.ask.map((t) => model.at(t).lon) };
}"""


def test_interpolation_needs_a_gap_below_two_intervals(
    page: Page, office: Desk, address: str
) -> None:
    open_day(page, office, address, "employee")
    found = page.evaluate(
        MODEL,
        {"at": [10, 20, 30, 45, 70, 80], "segments": [], "ask": [5, 10, 25, 40, 65, 75, 200]},
    )
    assert found["interval"] == 10
    # 30 to 45 is 1.5 intervals: between. 45 to 70 is 2.5: held where it was last seen.
    modes = ["before", "fix", "between", "between", "held", "between", "held"]
    assert found["modes"] == modes
    assert found["lon"][2] == pytest.approx(0.025)
    assert found["lon"][4] == pytest.approx(0.045)
    assert found["played"] == pytest.approx(60), "one second at 60 times is a minute"


def test_a_leader_says_why_and_then_sees_the_day(
    office: Desk, address: str, context: BrowserContext, witness: Witness
) -> None:
    page = signed_in(office, address, context, witness, "supervisor_north")
    page.goto(f"{address}/tracks?p={office.alpha.people['peer']}&d={DAY}&t={epoch('09:20:30')}")
    page.select_option("#f-occasion", "shift")
    page.fill("#f-reason", "customer asked about the morning")
    page.click("main .btn--primary")
    page.wait_for_selector("html[data-ready]", state="attached")
    assert page.locator("[data-clock]").inner_text() == "09:20:30"
    expect(page.locator("#player")).to_have_attribute("data-mode", "between")
    page.click("[data-flip=before]")
    expect(page.locator("[data-empty]")).to_be_visible()
    assert witness.errors == []


def test_a_day_that_cannot_be_loaded_says_so(page: Page, office: Desk, address: str) -> None:
    page.route(
        "**/api/tracks/**",
        lambda route: route.fulfill(status=503, content_type="application/json", body="{}"),
    )
    page.goto(f"{address}/tracks?p={office.alpha.people['employee']}&d={DAY}")
    expect(page.locator("[data-failed]")).to_be_visible()
    expect(page.locator(".player__deck")).to_be_hidden()


def test_a_phone_shows_map_list_and_player_below_each_other(
    page: Page, office: Desk, address: str, witness: Witness
) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    open_day(page, office, address, "employee", "10:03:30")
    places = [page.locator(s).bounding_box() for s in ("[data-map]", ".player__list", ".deck")]
    assert all(box is not None and box["height"] > 40 for box in places)
    tops = [box["y"] for box in places if box is not None]
    assert tops == sorted(tops)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert witness.errors == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(
    page: Page, office: Desk, address: str, axe_source: str, scheme: str
) -> None:
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    open_day(page, office, address, "employee")
    page.evaluate(axe_source)
    found = page.evaluate(
        "axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21aa', 'wcag22aa']})"
        ".then((r) => r.violations.map((v) => v.id + ' ' + v.nodes[0].target))"
    )
    assert found == []


def test_the_whole_day_is_in_sight_at_first(page: Page, office: Desk, address: str) -> None:
    person = office.alpha.people["employee"]
    page.goto(f"{address}/tracks?p={person}&d={DAY}")
    page.wait_for_selector("html[data-ready]", state="attached")
    page.locator("[data-follow]").uncheck()
    shown = page.locator(".player__map .map").bounding_box()
    assert shown is not None
    for key in ("Home", "End"):
        page.locator("[data-axis]").press(key)
        marker = page.locator(".now-marker").bounding_box()
        assert marker is not None, key
        assert shown["x"] < marker["x"] < shown["x"] + shown["width"], key
        assert shown["y"] < marker["y"] < shown["y"] + shown["height"] - 30, key
