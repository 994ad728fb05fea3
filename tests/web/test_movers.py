"""Who moves to another branch takes no past along: each side reads of its own days."""

from datetime import date, timedelta

import pytest
from sqlalchemy import text

from server.db.engine import make_engine, make_session_factory
from server.db.session import unit_of_work
from server.people.services import move_employee
from server.sites.rules import SiteFacts
from server.sites.services import add_sites
from server.visits.rules import VisitDraft, VisitType
from server.visits.services import assign_visits, verify_due
from tests.factories.desk import DAY, LAT_DEG, LON_DEG, Browser, Desk
from tests.factories.footprints import absence, judge, nine, tread
from tests.factories.signs import note_signs
from tests.factories.world import ZONE

NEXT = DAY + timedelta(days=1)


@pytest.fixture(scope="module", autouse=True)
def _moved(office: Desk) -> None:
    """employee was away from the post in north; from the next day on they belong to south."""
    office.roster("employee")
    tread(office, "employee", absence())
    judge(office, "employee")
    visit_at_the_post(office)
    with office.transaction() as session:
        move_employee(
            session,
            office.clock,
            tenant_id=office.alpha.id,
            employee_id=office.alpha.people["employee"],
            unit_id=office.alpha.units["s1"],
            from_on=NEXT,
        )
    office.clock.at += timedelta(days=1)


def finding(office: Desk) -> str:
    with office.transaction() as session:
        return str(
            session.execute(text("SELECT id FROM findings WHERE kind = 'off_post'")).scalar_one()
        )


def visit_at_the_post(office: Desk) -> None:
    """employee was to visit a site of n1 early that morning, and did."""
    alpha = office.alpha
    site = SiteFacts(
        number="M1", name="mill", unit_id=alpha.units["n1"], position=(LON_DEG, LAT_DEG)
    )
    with office.transaction() as session:
        [site_id] = add_sites(session, office.clock, tenant_id=alpha.id, sites=[site])
        draft = VisitDraft(
            employee_id=alpha.people["employee"],
            site_id=site_id,
            kind=VisitType.REGULAR,
            starts_at=nine(),
            ends_at=nine() + timedelta(minutes=50),
        )
        assign_visits(session, office.clock, tenant_id=alpha.id, zone=ZONE, drafts=[draft])
    engine = make_engine(office.urls.engine, pool_size=1)
    with unit_of_work(make_session_factory(engine), tenant_id=None) as session:
        assert verify_due(session, office.clock) == 1
    engine.dispose()


def visit(office: Desk) -> str:
    with office.transaction() as session:
        return str(session.execute(text("SELECT id FROM planned_visits")).scalar_one())


def explained(office: Desk, browser: Browser, on: date) -> int:
    return browser.post(
        "/tracks/reason",
        {
            "p": str(office.alpha.people["employee"]),
            "d": str(on),
            "occasion": "shift",
            "reason": "customer asked when somebody came",
        },
    ).status_code


@pytest.mark.parametrize(
    ("who", "before", "after"),
    [("supervisor_north", True, False), ("supervisor_south", False, True)],
)
def test_each_side_reads_of_the_days_that_were_its_own(
    office: Desk, who: str, *, before: bool, after: bool
) -> None:
    browser, person = office.browser(who), office.alpha.people["employee"]
    listed = browser.text("/alerts?tab=closed")
    assert ("employee ALPHA-NORTH" in listed) is before
    assert ("employee ALPHA-NORTH" in browser.text("/alerts?tab=closed&format=csv")) is before
    allowed = 200 if before else 404
    assert browser.get(f"/alerts/{finding(office)}").status_code == allowed
    assert browser.get(f"/api/alerts/{finding(office)}/evidence").status_code == allowed
    assert (visit(office) in browser.text("/visits")) is before
    assert ("mill" in browser.text("/visits?format=csv")) is before
    for path in ("visits/{}", "visits/{}/card.pdf", "api/visits/{}/evidence"):
        assert browser.get("/" + path.format(visit(office))).status_code == allowed, path
    for on, mine in ((DAY, before), (NEXT, after)):
        assert explained(office, browser, on) == (303 if mine else 404)
    for on, mine in ((DAY, before), (NEXT, after)):
        status = 200 if mine else 404
        for path in (
            f"/api/tracks/{person}/{on}",
            f"/tracks/{person}/{on}.csv",
            f"/tracks?p={person}&d={on}",
        ):
            assert browser.get(path).status_code == status, path


@pytest.mark.parametrize(
    ("who", "before", "after"),
    [("supervisor_north", True, False), ("supervisor_south", False, True)],
)
def test_signs_are_of_the_side_of_their_day(
    office: Desk, who: str, *, before: bool, after: bool
) -> None:
    browser = office.browser(who)
    for on, mine in ((DAY, before), (NEXT, after)):
        [sign] = note_signs(office, "employee", on=on)
        status = 200 if mine else 404
        for path in (f"/signs/{sign}", f"/api/signs/{sign}/evidence"):
            assert browser.get(path).status_code == status, path
        assert (str(sign) in browser.text("/signs")) is mine
        assert office.browser("employee").get(f"/me/signs/{sign}").status_code == 200


def test_only_the_side_of_that_day_has_a_word_on_it(office: Desk) -> None:
    cancelling = f"/visits/{visit(office)}/cancel"
    assert office.browser("supervisor_south").post(cancelling).status_code == 404
    path = f"/alerts/{finding(office)}/review"
    form = {"action": "note", "reason": "was at the bank"}
    assert office.browser("supervisor_south").post(path, form).status_code == 404
    assert office.browser("supervisor_north").post(path, form).status_code == 303


def test_one_keeps_ones_own_past(office: Desk) -> None:
    browser = office.browser("employee")
    assert browser.get(f"/visits/{visit(office)}").status_code == 200
    assert browser.get(f"/alerts/{finding(office)}").status_code == 200
    assert browser.get(f"/api/tracks/{office.alpha.people['employee']}/{DAY}").status_code == 200
