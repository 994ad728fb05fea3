"""A leader tries another rule in a browser, follows it, reads whose verdicts flip."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from fixtures.stack import DatabaseUrls, Stack
from server.db.engine import make_engine, make_session_factory
from server.people.rules import Role
from server.people.services import grant_role
from server.tracking.replayer import Replayer
from tests.browser.witness import Witness
from tests.factories.desk import Desk, desk, served
from tests.factories.footprints import absence, judge, tread

pytestmark = pytest.mark.browser

AXE = (
    "axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21aa', 'wcag22aa']})"
    ".then((r) => r.violations.map((v) => v.id + ' ' + v.nodes[0].target))"
)


@pytest.fixture(scope="module")
def office(stack: Stack, module_database: DatabaseUrls) -> Iterator[Desk]:
    """Three of north were away for 25 minutes yesterday; the group's supervisor sets rules."""
    with desk(stack, module_database) as made:
        for name in ("employee", "peer", "other_team"):
            made.roster(name)
            tread(made, name, absence())
            judge(made, name)
        made.clock.at += timedelta(days=1)
        with made.transaction() as session:
            grant_role(
                session,
                made.clock,
                tenant_id=made.alpha.id,
                account_id=made.alpha.logins["supervisor_group"].account_id,
                role=Role.ADMIN,
                unit_id=made.alpha.units["group"],
            )
        yield made


@pytest.fixture(scope="module")
def address(office: Desk) -> Iterator[str]:
    with served(office) as url:
        yield url


@pytest.fixture
def page(office: Desk, address: str, context: BrowserContext, witness: Witness) -> Page:
    witness.home = address
    context.add_cookies(
        [{"name": "sid", "value": office.cookie("supervisor_group"), "url": address}]
    )
    return context.new_page()


def accessible(page: Page, witness: Witness, axe_source: str) -> None:
    assert witness.errors == []
    page.evaluate(axe_source)
    assert page.evaluate(AXE) == []
    # axe paints with inline styles, which the pages' policy refuses: its, not theirs.
    witness.errors.clear()


def test_a_rule_is_tried_followed_read_and_saved(
    office: Desk, address: str, page: Page, witness: Witness, axe_source: str
) -> None:
    page.goto(f"{address}/policies")
    accessible(page, witness, axe_source)
    page.fill("[name='off_post.min_outside_s']", "3600")
    page.click("button[formaction$='/what-if']")
    expect(page.locator("progress")).to_be_visible()
    accessible(page, witness, axe_source)
    # The engine works it out; the page notices by itself.
    engine = make_engine(office.urls.engine, pool_size=1)
    Replayer(make_session_factory(engine), office.clock, rests=False).run_once()
    engine.dispose()
    expect(page.locator("main tbody tr")).to_have_count(3)
    expect(page.locator(".rules__changes ins")).to_have_text("1 小时 0 分")
    accessible(page, witness, axe_source)
    page.locator("thead a").first.click()
    expect(page.locator("thead [aria-sort]")).to_have_count(1)
    page.locator("form[action$='/save'] button").click()
    expect(page.locator(".timeline > li")).to_have_count(1)
    expect(page.locator(".timeline")).to_contain_text("1 小时 0 分")
    assert witness.errors == []


def test_a_fence_is_tried_from_its_editor_and_stopped(
    office: Desk, address: str, page: Page, witness: Witness, axe_source: str
) -> None:
    page.goto(f"{address}/posts/{office.posts['north']}")
    page.click("a[href*='/what-if?post=']")
    page.fill("[name=radius_m]", "500")
    accessible(page, witness, axe_source)
    page.keyboard.press("Enter")
    expect(page.locator("progress")).to_be_visible()
    page.locator("form[action$='/cancel'] button").click()
    expect(page.locator(".state__title")).to_be_visible()
    assert witness.errors == []
