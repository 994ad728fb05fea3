"""Every work page in both languages and themes: nothing for axe, no complaint, no stranger."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import BrowserContext
from sqlalchemy import text

from fixtures.stack import DatabaseUrls, Stack
from server.audit.aggregates import record_aggregate_look
from server.audit.services import Purpose
from server.people.services import set_preferences
from tests.browser.witness import Witness
from tests.factories.cell_tables import ROWS, bring, teach
from tests.factories.desk import Desk, desk, served
from tests.factories.footprints import absence, judge, tread
from tests.factories.journeys import check, drive, hand_in, mileage
from tests.factories.offsets import find_offset
from tests.server.audit.test_services import principal

pytestmark = pytest.mark.browser

PAGES = {
    "supervisor_north": (
        "/alerts",
        "/alerts?tab=closed",
        "/alerts?tab=retracted",
        "/alerts/{alert}",
        "/claims",
        "/claims/{claim}",
        "/people",
        "/people/{employee}",
        "/tracks",
        "/tracks?p={employee}",
        "/roster",
        "/excusals",
        "/sites",
        "/sites/new",
        "/distribution",
    ),
    "hr": ("/roster?w=2026-11-18", "/organisation", "/devices", "/imports"),
    "admin": (
        *("/devices/new", "/devices/bulk", "/devices/{phone}", "/organisation/accounts", "/posts"),
        *("/carriers", "/carriers/new", "/carriers/consents", "/settings/basemap"),
        *("/cells", "/devices/{phone}/datum"),
    ),
    "employee": ("/me", "/alerts", "/people", "/claims/new", "/claims/new?kind=transport"),
    "finance": ("/me", "/tracks", "/roster", "/claims", "/claims/{claim}"),
    "auditor": ("/audit", "/audit/counts", "/audit/security"),
}
_ALERT = text("SELECT id FROM findings WHERE employee_id = :person AND kind = 'off_post'")
AXE = (
    "axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21aa', 'wcag22aa']})"
    ".then((r) => r.violations.map((v) => v.id + ' ' + v.nodes[0].target))"
)


@pytest.fixture(scope="module")
def office(stack: Stack, module_database: DatabaseUrls) -> Iterator[Desk]:
    with desk(stack, module_database) as made:
        for name in ("employee", "peer"):
            made.roster(name)
        steps = absence()
        late = [step for step in steps if 60 <= step.minute < 70]
        tread(made, "employee", [step for step in steps if step not in late])
        judge(made, "employee")
        # Late fixes make a second version of the alert that is looked at.
        tread(made, "employee", late)
        tread(made, "peer", absence(leaves=150, returns=400))
        for name in ("employee", "peer"):
            judge(made, name)
        bring(made, "opencellid", *ROWS)
        teach(made)
        find_offset(made, made.alpha.devices["employee"].device_id)
        look_at_counts(made)
        tread(made, "other_team", drive())
        hand_in(made, "other_team", mileage("70.0"))
        check(made)
        yield made


def look_at_counts(office: Desk) -> None:
    """Let somebody look at how many people of a branch are where."""
    now = office.clock.now()
    with office.transaction() as session:
        record_aggregate_look(
            session,
            principal(office.alpha, "supervisor_group"),
            Purpose.LIVE_SUPERVISION,
            "distribution",
            now=now,
            about_on=now.date(),
            reach=str(office.alpha.units["north"]),
            people=1_700,
        )


@pytest.fixture(scope="module")
def address(office: Desk) -> Iterator[str]:
    with served(office) as url:
        yield url


@pytest.mark.parametrize(("locale", "scheme"), [("zh", "light"), ("en", "dark")])
@pytest.mark.parametrize("login", sorted(PAGES))
def test_pages_are_clean(
    office: Desk,
    address: str,
    context: BrowserContext,
    witness: Witness,
    axe_source: str,
    login: str,
    locale: str,
    scheme: str,
) -> None:
    witness.home = address
    with office.transaction() as session:
        set_preferences(
            session,
            office.clock,
            tenant_id=office.alpha.id,
            account_id=office.alpha.logins[login].account_id,
            locale=locale,
        )
        claim = session.execute(text("SELECT id FROM travel_claims")).scalar_one()
        alert = session.execute(_ALERT, {"person": office.alpha.people["employee"]}).scalar_one()
    context.add_cookies([{"name": "sid", "value": office.cookie(login), "url": address}])
    page = context.new_page()
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    names = {
        "employee": office.alpha.people["employee"],
        "phone": office.alpha.devices["employee"].device_id,
        "alert": alert,
        "claim": claim,
    }
    for path in PAGES[login]:
        answer = page.goto(address + path.format(**names))
        # Finance holds no right to a roster: a page that says so is a page too.
        assert answer is not None
        assert answer.status in {200, 403}, path
        page.wait_for_load_state("networkidle")
        assert [e for e in witness.errors if "403" not in e] == [], path
        page.evaluate(axe_source)
        assert page.evaluate(AXE) == [], (path, locale, scheme)
        assert page.evaluate("document.documentElement.scrollWidth") <= 1440, path
        # axe paints with inline styles, which the pages' policy refuses: its, not theirs.
        witness.errors.clear()
    assert witness.strangers == []


@pytest.mark.parametrize(
    "path", ["/alerts", "/people/{employee}", "/me", "/roster", "/posts", "/claims"]
)
def test_pages_fit_a_phone(
    office: Desk, address: str, context: BrowserContext, witness: Witness, path: str
) -> None:
    witness.home = address
    cookie = office.cookie("supervisor_group")
    context.add_cookies([{"name": "sid", "value": cookie, "url": address}])
    page = context.new_page()
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(address + path.format(employee=office.alpha.people["employee"]))
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
