"""Every work page in both languages and themes: nothing for axe, no complaint, no stranger."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from playwright.sync_api import BrowserContext
from sqlalchemy import text

from fixtures.stack import DatabaseUrls, Stack
from server.audit.aggregates import record_aggregate_look
from server.audit.services import Purpose
from server.db.engine import make_engine, make_session_factory
from server.people.services import set_preferences
from server.tracking.replayer import Replayer
from tests.browser.witness import Witness
from tests.factories.cell_tables import ROWS, bring, teach
from tests.factories.desk import Desk, desk, served
from tests.factories.footprints import absence, judge, tread
from tests.factories.journeys import check, drive, hand_in, mileage
from tests.factories.offsets import find_offset
from tests.factories.signs import note_signs
from tests.server.audit.test_services import principal
from tests.web.test_claims import HEADER, LINE
from tests.web.test_visits import form, new_site, one_elsewhere

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
        *("/visits", "/visits?verdict=cancelled", "/visits/{visit}", "/visits/{planned}"),
        *("/signs", "/signs?tab=settled", "/signs/{sign}"),
        *("/policies", "/what-if", "/what-if?post={post}", "/what-if/{trial}"),
    ),
    "hr": ("/roster?w=2026-11-18", "/organisation", "/devices", "/imports"),
    "admin": (
        *("/devices/new", "/devices/bulk", "/devices/{phone}", "/organisation/accounts", "/posts"),
        *("/carriers", "/carriers/new", "/carriers/consents", "/settings/basemap"),
        *("/cells", "/devices/{phone}/datum"),
    ),
    "employee": (
        *("/me", "/alerts", "/people", "/claims/new", "/claims/new?kind=transport"),
        *("/claims/new?kind=night", "/claims/new?kind=per_diem", "/claims", "/claims/{draft}"),
        *("/claims/{draft}?line=1", "/visits", "/visits/{visit}", "/me/signs/{sign}", "/signs"),
    ),
    "other_team": ("/claims/{claim}",),
    "finance": ("/me", "/tracks", "/roster", "/claims", "/claims/{claim}", "/visits"),
    "auditor": ("/audit", "/audit/counts", "/audit/security"),
}
_NAMED = {
    "alert": "SELECT id FROM findings WHERE employee_id = :person AND kind = 'off_post'",
    "sign": "SELECT id FROM findings WHERE employee_id = :person AND kind = 'signs'",
    "claim": "SELECT id FROM travel_claims WHERE state = 'returned' AND employee_id <> :person",
    "draft": "SELECT id FROM travel_claims WHERE state = 'draft' AND employee_id = :person",
    "visit": "SELECT id FROM planned_visits WHERE version > 0 AND employee_id = :person",
    "planned": "SELECT id FROM planned_visits WHERE version = 0 AND employee_id <> :person",
    "trial": "SELECT id FROM what_if_runs WHERE CAST(:person AS uuid) IS NOT NULL",
}
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
        send_back(made)
        note_signs(made, "employee")
        one_elsewhere(made)
        planned = form(made, new_site(made, east_m=900), "peer", on="2026-11-25")
        made.browser("supervisor_north").post("/visits", planned)
        draft = HEADER | LINE | {"stops": "车站, 24.94, 60.17\n百货, 24.9425, 60.1686"}
        made.browser("employee").post("/claims/new", draft)
        try_another_rule(made)
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


def send_back(office: Desk) -> None:
    """Let finance return the claim."""
    with office.transaction() as session:
        claim, version, seen = session.execute(
            text("SELECT id, version, check_version FROM travel_claims")
        ).one()
    words = {"decision": "returned", "reason": "the way back?", "version": version, "check": seen}
    office.browser("finance").post(f"/claims/{claim}/decide", words)


def try_another_rule(office: Desk) -> None:
    """Let a leader try a longer limit on the day after, and the engine work it out."""
    today = office.clock.at
    office.clock.at = today + timedelta(days=1)
    tried = {"off_post.min_outside_s": "3600"}
    assert office.browser("supervisor_north").post("/what-if", tried).status_code == 303
    engine = make_engine(office.urls.engine, pool_size=1)
    Replayer(make_session_factory(engine), office.clock, rests=False).run_once()
    engine.dispose()
    office.clock.at = today


@pytest.fixture(scope="module")
def names(office: Desk) -> dict[str, object]:
    """What addresses name."""
    people = office.alpha.people
    with office.transaction() as session:
        found = {
            name: session.execute(text(query), {"person": people["employee"]}).scalar_one()
            for name, query in _NAMED.items()
        }
    return found | {
        "employee": people["employee"],
        "phone": office.alpha.devices["employee"].device_id,
        "post": office.posts["north"],
    }


@pytest.fixture(scope="module")
def address(office: Desk) -> Iterator[str]:
    with served(office) as url:
        yield url


@pytest.mark.parametrize(("locale", "scheme"), [("zh", "light"), ("en", "dark")])
@pytest.mark.parametrize("login", sorted(PAGES))
def test_pages_are_clean(
    office: Desk,
    names: dict[str, object],
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
    context.add_cookies([{"name": "sid", "value": office.cookie(login), "url": address}])
    page = context.new_page()
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
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
    ("login", "path"),
    [
        *(
            ("supervisor_group", path)
            for path in ("/alerts", "/people/{employee}", "/me", "/roster")
        ),
        *(
            ("supervisor_group", path)
            for path in ("/posts", "/claims", "/visits", "/visits/{visit}")
        ),
        *(("supervisor_north", path) for path in ("/signs", "/signs/{sign}", "/what-if")),
        *(("supervisor_north", path) for path in ("/what-if?post={post}", "/what-if/{trial}")),
        *(("employee", path) for path in ("/claims/new", "/claims/{draft}", "/me/signs/{sign}")),
        *(("other_team", path) for path in ("/claims", "/claims/{claim}")),
        ("finance", "/claims/{claim}"),
    ],
)
def test_pages_fit_a_phone(
    office: Desk,
    names: dict[str, object],
    address: str,
    context: BrowserContext,
    witness: Witness,
    login: str,
    path: str,
) -> None:
    witness.home = address
    context.add_cookies([{"name": "sid", "value": office.cookie(login), "url": address}])
    page = context.new_page()
    page.set_viewport_size({"width": 390, "height": 844})
    answer = page.goto(address + path.format(**names))
    assert answer is not None
    assert answer.status == 200
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.wait_for_load_state("networkidle")
    assert witness.errors == []
