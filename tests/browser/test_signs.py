"""Signs in a real browser: read, map, word of a leader, answer of the person."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from fixtures.stack import DatabaseUrls, Stack
from tests.browser.witness import Witness
from tests.factories.desk import Desk, desk, served
from tests.factories.footprints import absence, compared, judge, tread
from tests.factories.signs import note_signs

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def office(stack: Stack, module_database: DatabaseUrls) -> Iterator[Desk]:
    with desk(stack, module_database) as made:
        made.roster("employee")
        tread(made, "employee", absence())
        compared(made, "employee", ["plausible"] * 40 + ["impossible"])
        judge(made, "employee")
        note_signs(made, "employee")
        yield made


@pytest.fixture(scope="module")
def address(office: Desk) -> Iterator[str]:
    with served(office) as url:
        yield url


def opened(office: Desk, address: str, context: BrowserContext, login: str) -> Page:
    context.clear_cookies()
    context.add_cookies([{"name": "sid", "value": office.cookie(login), "url": address}])
    return context.new_page()


def test_a_sign_is_read_answered_and_settled(
    office: Desk, address: str, context: BrowserContext, witness: Witness
) -> None:
    witness.home = address
    page = opened(office, address, context, "employee")
    page.goto(f"{address}/me")
    page.locator("a[href^='/me/signs/']").click()
    page.wait_for_selector("html[data-ready]", state="attached")
    expect(page.get_by_text("考勤和薪酬都不知道它")).to_be_visible()
    page.get_by_label("缘由").fill("developer options were on")
    page.get_by_role("button", name="发送").click()
    expect(page.get_by_text("已与迹象一并保存。")).to_be_visible()

    leader = opened(office, address, context, "supervisor_north")
    leader.goto(address)
    leader.get_by_role("link", name="异常迹象").click()
    leader.get_by_role("link", name="employee ALPHA-NORTH-CANARY").click()
    leader.wait_for_selector("html[data-ready]", state="attached")
    expect(leader.get_by_role("meter")).to_have_count(1)
    expect(leader.get_by_text("开发者选项未关闭")).to_be_visible()
    expect(leader.get_by_text("developer options were on")).to_be_visible()
    leader.get_by_text("以表格查看").click()
    expect(leader.locator("[data-evidence-table] tbody tr").first).to_be_visible()
    leader.get_by_label("原因").fill("phone was checked")
    leader.get_by_role("button", name="已说明").click()
    expect(leader.get_by_text("已记录。")).to_be_visible()
    leader.goto(f"{address}/signs")
    expect(leader.get_by_text("没有需要查看的")).to_be_visible()


def test_the_player_says_what_cells_say_of_a_fix(
    office: Desk, address: str, context: BrowserContext, witness: Witness
) -> None:
    witness.home = address
    page = opened(office, address, context, "employee")
    page.goto(f"{address}/tracks?p={office.alpha.people['employee']}&d=2026-11-18")
    page.wait_for_selector("html[data-ready]", state="attached")
    expect(page.locator("[data-now]")).to_contain_text("基站相符")
    page.get_by_role("button", name="基站否定此位置").click()
    expect(page.locator("[data-now]")).to_contain_text("超出覆盖 9.0 公里")
