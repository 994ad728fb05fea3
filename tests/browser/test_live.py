"""The live map as its supervisor uses it: real server, real feed, real Chromium."""

import re
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import BrowserContext, Page, expect
from sqlalchemy import text

from server.db.engine import make_engine
from server.db.session import unit_of_work
from server.people.sessions import parse_cookie, sign_out
from tests.browser.conftest import sign_in
from tests.browser.scene import PLACES, Scene
from tests.browser.witness import Witness
from tests.factories.browser import parts_of

pytestmark = pytest.mark.browser


def open_map(page: Page, scene: Scene, query: str = "") -> None:
    page.goto(f"{scene.url}/live{query}")
    page.wait_for_selector("html[data-ready]", state="attached")
    expect(page.locator("[data-connection]")).to_have_attribute("data-state", "live")


def chip(page: Page, status: str) -> str:
    return page.locator(f"[data-status={status}] [data-n]").inner_text()


def names(page: Page) -> list[str]:
    return page.locator(".person strong").all_inner_texts()


def test_list_chips_and_figures_say_what_the_engine_found(lead: Page, scene: Scene) -> None:
    open_map(lead, scene)
    assert [chip(lead, s) for s in ("on_post", "off_post", "travelling", "stale", "no_signal")] == [
        "11", "2", "4", "2", "2",
    ]  # fmt: skip
    shown = names(lead)
    assert set(shown[:2]) == {"杨磊", "李娜"}, "the worst comes first"
    assert "看不见" not in lead.content()
    assert lead.locator("[data-rostered]").inner_text() == "17"
    assert lead.locator("[data-rate]").inner_text() == "65%"
    assert lead.locator("[data-signal]").inner_text() == "81%"
    expect(lead.locator("[data-alert-list] > li")).to_have_count(2)


def test_a_chip_filters_list_and_map_and_stands_in_the_address(lead: Page, scene: Scene) -> None:
    open_map(lead, scene)
    for status in ("on_post", "travelling", "stale", "no_signal"):
        lead.click(f"[data-status={status}]")
    expect(lead.locator(".person")).to_have_count(2)
    assert parse_qs(urlsplit(lead.url).query) == {"s": ["off_post"]}
    expect(lead.locator("[data-shown]")).to_have_text("显示 2 人")
    open_map(lead, scene, "?s=off_post")
    expect(lead.locator(".person")).to_have_count(2)
    assert lead.locator("[data-status=on_post]").get_attribute("aria-pressed") == "false"


def test_searching_narrows_the_list_by_name_unit_and_post(lead: Page, scene: Scene) -> None:
    open_map(lead, scene)
    lead.keyboard.press("/")
    expect(lead.locator("[data-search-key]")).to_be_focused()
    lead.keyboard.type("aino")
    expect(lead.locator(".person")).to_have_count(1)
    lead.keyboard.press("Enter")
    expect(lead.locator("[data-card] [data-name]")).to_have_text("Aino Virtanen")
    lead.fill("[data-search-key]", "三号岗")
    expect(lead.locator(".person").first).to_be_visible()
    assert len(names(lead)) == 6
    lead.fill("[data-search-key]", "没有这个人")
    expect(lead.locator("[data-empty]")).to_be_visible()
    lead.click("[data-all]")
    expect(lead.locator("[data-empty]")).to_be_hidden()


def test_the_keyboard_walks_the_list_selects_and_follows(lead: Page, scene: Scene) -> None:
    open_map(lead, scene)
    lead.focus("[data-people]")
    lead.keyboard.press("ArrowDown")
    first = lead.locator("[data-card] [data-name]").inner_text()
    lead.keyboard.press("ArrowDown")
    second = lead.locator("[data-card] [data-name]").inner_text()
    assert {first, second} == {"杨磊", "李娜"}
    assert lead.locator("[aria-selected=true] strong").inner_text() == second
    lead.keyboard.press("f")
    expect(lead.locator("button[data-follow]")).to_have_attribute("aria-pressed", "true")
    query = parse_qs(urlsplit(lead.url).query)
    assert query["follow"] == ["1"]
    assert query["p"] == [str(scene.employees[second])]
    lead.keyboard.press("Escape")
    expect(lead.locator("[data-card]")).to_be_hidden()
    assert urlsplit(lead.url).query == ""


def test_clicking_a_row_selects_that_row_on_list_and_map(lead: Page, scene: Scene) -> None:
    open_map(lead, scene)
    for number in (7, 3):
        picked = lead.locator(".person").nth(number)
        name = picked.locator("strong").inner_text()
        picked.click()
        expect(lead.locator("[data-card] [data-name]")).to_have_text(name)
        expect(lead.locator("[aria-selected=true] strong")).to_have_text([name])
        assert lead.evaluate("document.querySelector('[data-map]').probe('selected')") is not None


def test_a_selected_person_shows_facts_and_the_way_of_half_an_hour(
    lead: Page, scene: Scene
) -> None:
    with lead.expect_response(re.compile("/api/live/trail/")) as answer:
        open_map(lead, scene, f"?p={scene.employees['杨磊']}")
    trail = answer.value.json()
    assert 20 <= len(trail["points"]) <= 32
    expect(lead.locator("[data-card] [data-name]")).to_have_text("杨磊")
    expect(lead.locator("[data-fact=post]")).to_have_text(PLACES[0][0])
    expect(lead.locator("[data-fact=source]")).to_have_text("卫星")
    expect(lead.locator("[data-fact=accuracy]")).to_have_text("±12 米")


def test_an_event_moves_the_marker_and_changes_the_status(lead: Page, scene: Scene) -> None:
    _name, lon, lat, _radius = PLACES[1]
    open_map(lead, scene, f"?p={scene.employees['赵敏']}&s=stale,on_post")
    expect(lead.locator("[data-card] [data-pill]")).to_have_text("信号迟滞")
    scene.report("赵敏", (0, lon + 0.0003, lat))
    expect(lead.locator("[data-card] [data-pill]")).to_have_text("在岗")
    expect(lead.locator("[data-status=stale] [data-n]")).to_have_text("1")
    at = lead.evaluate("document.querySelector('[data-map]').probe('selected')")
    assert at == [pytest.approx(lon + 0.0003, abs=1e-5), pytest.approx(lat, abs=1e-5)]


def test_the_map_draws_people_by_status_and_only_those_in_scope(lead: Page, scene: Scene) -> None:
    open_map(lead, scene, "?s=off_post,travelling")
    drawn = lead.evaluate("document.querySelector('[data-map]').probe('people')")
    assert {p["name"]: p["status"] for p in drawn if "name" in p}.items() <= {
        "杨磊": "off_post", "李娜": "off_post", "张伟": "travelling", "谢宇": "travelling",
        "傅明": "travelling", "Liam Chen": "travelling",
    }.items()  # fmt: skip
    assert sum(p.get("point_count", 1) for p in drawn) == 6


def test_statuses_age_in_the_page_while_the_stream_is_down(
    scene: Scene, context: BrowserContext, witness: Witness
) -> None:
    page = sign_in(scene, context, "lead", witness)
    page.clock.install()
    open_map(page, scene)
    before = int(chip(page, "on_post"))
    assert before > 0
    context.set_offline(offline=True)
    page.clock.fast_forward("07:00")
    expect(page.locator("[data-connection]")).not_to_have_attribute("data-state", "live")
    expect(page.locator("[data-status=on_post] [data-n]")).to_have_text("0")
    assert int(chip(page, "stale")) >= before
    page.clock.fast_forward("12:00")
    expect(page.locator("[data-status=stale] [data-n]")).to_have_text("0")
    assert chip(page, "no_signal") == "21"


def test_nobody_is_offered_to_review_an_alert_of_their_own(lead: Page, scene: Scene) -> None:
    """The supervisor walks a post too: the one who is off it."""
    superuser = make_engine(scene.urls.superuser, pool_size=1)
    sql = text("UPDATE accounts SET employee_id = :who WHERE id = :id RETURNING employee_id")
    before = text("SELECT employee_id FROM accounts WHERE id = :id")
    me = {"id": scene.accounts["lead"]}
    with superuser.begin() as connection:
        former = connection.scalar(before, me)
        connection.execute(sql, me | {"who": scene.employees["李娜"]})
    try:
        open_map(lead, scene)
        cards = lead.locator("[data-alert-list] > li")
        own, other = (cards.filter(has_text=name) for name in ("李娜", "杨磊"))
        expect(other.get_by_role("button", name="确认")).to_have_count(1)
        expect(own).to_have_count(1)
        expect(own.get_by_role("button", name="确认")).to_have_count(0)
    finally:
        with superuser.begin() as connection:
            connection.execute(sql, me | {"who": former})
        superuser.dispose()


def test_an_alert_is_acknowledged_with_a_reason_in_place(lead: Page, scene: Scene) -> None:
    open_map(lead, scene)
    card = lead.locator("[data-alert-list] > li").filter(has_text="李娜")
    card.get_by_role("button", name="确认").click()
    card.get_by_label("原因").fill("已电话联系，正在返回")
    with lead.expect_response(re.compile("/reviews$")) as answer:
        card.get_by_role("button", name="确认").click()
    assert answer.value.status == 201
    expect(lead.locator("[data-alert-list] > li")).to_have_count(1)
    open_map(lead, scene)
    expect(lead.locator("[data-alert-list] > li")).to_have_count(1)


def test_signing_out_elsewhere_closes_the_map(lead: Page, scene: Scene) -> None:
    open_map(lead, scene)
    (cookie,) = [c["value"] for c in lead.context.cookies() if c["name"] == "sid"]
    token = parse_cookie(cookie)
    assert token is not None
    parts = parts_of(scene.app)
    with unit_of_work(parts.sessions, tenant_id=scene.tenant_id) as session:
        sign_out(session, parts.clock, token)
    lead.wait_for_url("**/login**", timeout=60_000)


def test_an_employee_sees_nobody_else(
    scene: Scene, context: BrowserContext, witness: Witness
) -> None:
    page = sign_in(scene, context, "worker", witness)
    open_map(page, scene, "?s=off_duty,on_post,off_post,travelling,stale,no_signal")
    assert names(page) == ["李员工"]
    assert page.locator("[data-alert-list] > li").count() == 0


def test_without_webgl_list_and_alerts_still_work(lead: Page, scene: Scene) -> None:
    lead.add_init_script(
        """const get = HTMLCanvasElement.prototype.getContext;
           HTMLCanvasElement.prototype.getContext = function (kind, ...rest) {
             return String(kind).startsWith("webgl") ? null : get.call(this, kind, ...rest);
           };"""
    )
    open_map(lead, scene)
    expect(lead.locator("[data-no-map]")).to_be_visible()
    lead.locator(".person").first.click()
    expect(lead.locator("[data-card]")).to_be_visible()
    expect(lead.locator("[data-alert-list] > li").first).to_be_visible()


@pytest.mark.parametrize("path", ["/live", "/live/table", "/search?q=a"])
@pytest.mark.parametrize(("locale", "theme"), [("zh", "light"), ("en", "dark")])
def test_pages_are_clean_for_axe_csp_and_other_hosts(
    lead: Page, scene: Scene, witness: Witness, axe_source: str, path: str, locale: str, theme: str
) -> None:
    choose(lead, scene, locale, theme)
    lead.goto(scene.url + path)
    if path == "/live":
        lead.wait_for_selector("html[data-ready]", state="attached")
        lead.locator(".person").first.click()
        expect(lead.locator("[data-card]")).to_be_visible()
    assert lead.locator("html").get_attribute("lang") == {"zh": "zh-CN", "en": "en"}[locale]
    assert lead.locator("html").get_attribute("data-theme") == theme
    assert witness.errors == []
    assert witness.strangers == []
    # Last, because axe itself writes inline styles, which the policy refuses.
    lead.evaluate(axe_source)
    found = lead.evaluate(
        """() => axe.run(document, {runOnly: ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa"]})
             .then((r) => r.violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.target)}`))"""
    )
    assert found == []


@pytest.mark.parametrize("width", [420, 820, 1100])
def test_narrow_windows_neither_scroll_sideways_nor_lose_the_list(
    lead: Page, scene: Scene, width: int
) -> None:
    lead.set_viewport_size({"width": width, "height": 800})
    open_map(lead, scene)
    assert lead.evaluate("document.documentElement.scrollWidth <= innerWidth")
    expect(lead.locator(".person").first).to_be_visible()
    expect(lead.locator("[data-map] canvas")).to_be_visible()


def test_theme_and_language_switch_without_scripts(scene: Scene, context: BrowserContext) -> None:
    plain = context.browser.new_context(java_script_enabled=False, locale="zh-CN")  # type: ignore[union-attr]
    page = sign_in(scene, plain, "lead", Witness())
    choose(page, scene, "zh", "light")
    page.reload()
    page.get_by_role("button", name="Switch to English").click()
    expect(page.locator("h1")).to_have_text("Live list")
    page.locator("[data-theme-switch]").click()
    assert page.locator("html").get_attribute("data-theme") == "dark"
    plain.close()


def choose(page: Page, scene: Scene, locale: str, theme: str) -> None:
    """Set preferences as the forms of the top bar do."""
    page.goto(f"{scene.url}/live/table")
    token = page.locator("meta[name=csrf-token]").get_attribute("content")
    assert token is not None
    answer = page.request.post(
        f"{scene.url}/preferences",
        form={"locale": locale, "theme": theme, "csrf_token": token, "next": "/live/table"},
        headers={"Origin": scene.url},
    )
    assert answer.ok
