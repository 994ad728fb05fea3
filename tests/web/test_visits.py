"""Visits on screen: assigned, judged, shown to who may see them and to the person concerned."""

import csv
import io
import json
from datetime import date, timedelta
from typing import Any
from uuid import UUID
from zipfile import ZipFile

import pytest
from sqlalchemy import text

from server.db.engine import make_engine, make_session_factory
from server.db.session import unit_of_work
from server.http.extensions import db
from server.sites.queries import sites_by_id
from server.sites.rules import SiteFacts
from server.sites.services import add_sites
from server.visits.services import verify_due
from tests.factories.desk import DAY, LAT_DEG, LON_DEG, Browser, Desk
from tests.factories.footprints import Step, tread
from tests.factories.looks import look_at_many
from tests.factories.pdf import pdf_text

_numbers = iter(range(1, 1_000))


def new_site(office: Desk, *, east_m: float = 0.0, unit: str = "n1") -> str:
    """Return the number of a new site so far east of the post."""
    number = f"V{next(_numbers):03d}"
    facts = SiteFacts(
        number=number,
        name=f"customer {number}",
        unit_id=office.alpha.units[unit],
        position=(LON_DEG + east_m / 55_400.0, LAT_DEG),
        radius_m=100.0,
    )
    with office.transaction() as session:
        add_sites(session, office.clock, tenant_id=office.alpha.id, sites=[facts])
    return number


def form(office: Desk, sites: str, *names: str, **changes: Any) -> dict[str, Any]:
    return {
        "p": [str(office.alpha.people[name]) for name in names or ("employee",)],
        "sites": sites,
        "kind": "regular",
        "on": DAY.isoformat(),
        "starts": "09:00",
        "ends": "11:30",
        "note": "brings the samples",
    } | changes


def visits(office: Desk, number: str) -> list[UUID]:
    with office.transaction() as session:
        return list(
            session.scalars(
                text(
                    "SELECT v.id FROM planned_visits v JOIN sites s ON s.id = v.site_id"
                    " WHERE s.number = :number ORDER BY v.id"
                ),
                {"number": number},
            )
        )


def judge(office: Desk) -> None:
    engine = make_engine(office.urls.engine, pool_size=1)
    with unit_of_work(make_session_factory(engine), tenant_id=None) as session:
        while verify_due(session, office.clock):
            continue
    engine.dispose()


def morning(*, east_m: float = 0.0) -> list[Step]:
    """Two hours and a half at one place."""
    return [Step(minute, east_m=east_m, north_m=(minute % 5) * 3.0) for minute in range(150)]


@pytest.fixture(scope="module")
def seen(office: Desk) -> tuple[str, UUID]:
    """A verified visit of `employee`: the number of its site and its id."""
    office.roster("employee")
    tread(office, "employee", morning())
    number = new_site(office)
    assert office.browser("manager_n1").post("/visits", form(office, number)).status_code == 303
    judge(office)
    [visit_id] = visits(office, number)
    return number, visit_id


def test_a_leader_assigns_a_visit_and_its_verdict_comes_by_itself(
    office: Desk, seen: tuple[str, UUID]
) -> None:
    page = office.browser("manager_n1").text("/visits")
    assert f"customer {seen[0]}" in page
    assert "Visited" in page
    assert "employee ALPHA-NORTH" in page
    assert "Regular visit" in page


def test_the_card_says_why_and_what_would_have_changed_it(
    office: Desk, seen: tuple[str, UUID]
) -> None:
    page = office.browser("supervisor_north").text(f"/visits/{seen[1]}")
    for sentence in (
        "Fixes show a stay at the site that is long enough.",
        "A stay long enough with its middle at the site.",
        "A stay shorter than",
        "manager_n1",
        "brings the samples",
        "Digest of this evidence",
    ):
        assert sentence in page, sentence
    chinese = office.browser("supervisor_group")
    chinese.post("/preferences", {"locale": "zh", "next": "/"})
    try:
        assert "定位显示在网点停留的时间足够。" in chinese.text(f"/visits/{seen[1]}")
    finally:
        chinese.post("/preferences", {"locale": "en", "next": "/"})


def test_the_map_has_the_pin_and_the_fixes_of_the_stay_and_is_a_look(
    office: Desk, seen: tuple[str, UUID]
) -> None:
    answer = office.browser("supervisor_group").get(f"/api/visits/{seen[1]}/evidence").json
    assert answer is not None
    assert answer["pin"] == pytest.approx([LON_DEG, LAT_DEG])
    assert answer["fence"]["geometry"]["type"] == "Polygon"
    assert len(answer["fixes"]["at"]) == 150
    assert sum(answer["fixes"]["proof"]) > 100
    with office.transaction() as session:
        looks = session.execute(
            text(
                "SELECT purpose, about_on FROM access_log"
                " WHERE view = 'visit_evidence' AND subject_id = :p"
            ),
            {"p": office.alpha.people["employee"]},
        ).all()
    assert ("visit_review", DAY) in [tuple(look) for look in looks]


def test_the_visit_of_the_twenty_first_person_within_an_hour_is_refused(
    office: Desk, seen: tuple[str, UUID]
) -> None:
    """Visits would else show where everybody was, whom a day's page is refused of."""
    shown = (f"/api/visits/{seen[1]}/evidence", f"/visits/{seen[1]}/card.pdf")
    lead = office.browser("manager_n1")
    look_at_many(office, "manager_n1")
    assert [lead.get(path).status_code for path in shown] == [429, 429]
    office.clock.advance(timedelta(hours=1))
    try:
        later = office.browser("manager_n1")
        assert [later.get(path).status_code for path in shown] == [200, 200]
    finally:
        office.clock.advance(timedelta(hours=-1))


def test_the_card_is_printed(office: Desk, seen: tuple[str, UUID]) -> None:
    answer = office.browser("supervisor_north").get(f"/visits/{seen[1]}/card.pdf")
    assert answer.status_code == 200
    assert "customer" in pdf_text(answer.data)
    again = office.browser("supervisor_north").get(f"/visits/{seen[1]}/card.pdf")
    assert answer.data == again.data


def test_one_sees_ones_own_visits_and_verdicts(office: Desk, seen: tuple[str, UUID]) -> None:
    own = office.browser("employee")
    assert f"customer {seen[0]}" in own.text("/me")
    assert "Visited" in own.text("/me")
    assert own.get(f"/visits/{seen[1]}").status_code == 200
    assert f"customer {seen[0]}" in own.text("/visits")
    assert str(seen[1]) not in office.browser("manager_n2").text("/visits")
    with ZipFile(io.BytesIO(own.get("/me/export").data)) as archive:
        mine = json.loads(archive.read("visits.json"))
    assert [v["verdicts"][0]["verdict"] for v in mine if v["row"]["id"] == str(seen[1])] == [
        "verified"
    ]


def test_a_list_is_filtered_sorted_and_exported(office: Desk, seen: tuple[str, UUID]) -> None:
    browser, number = office.browser("manager_n1"), seen[0]
    for query, there in [
        (f"q={number}", True),
        ("verdict=verified", True),
        ("verdict=not_visited", False),
        ("verdict=cancelled", False),
        ("type=cold", False),
        ("from=2026-11-18&to=2026-11-18", True),
        ("from=2026-11-19", False),
        (f"unit={office.alpha.units['n1']}", True),
        (f"p={office.alpha.people['peer']}", False),
        ("sort=-dwell", True),
        ("sort=person", True),
    ]:
        found = f"/visits/{seen[1]}" in browser.text(f"/visits?{query}")
        assert found is there, query
    rows = list(
        csv.DictReader(io.StringIO(browser.get("/visits?format=csv").text.lstrip("\ufeff")))
    )
    mine = next(row for row in rows if row["site_number"] == number)
    assert mine["verdict"] == "verified"
    assert float(mine["dwell_s"]) > 8_000
    book = browser.get("/visits?format=csv&file=xlsx")
    assert book.data[:2] == b"PK"


def test_late_data_shows_as_another_version_with_its_difference(office: Desk) -> None:
    office.roster("peer")
    number, browser = new_site(office), office.browser("manager_n1")
    browser.post("/visits", form(office, number, "peer"))
    judge(office)
    [visit_id] = visits(office, number)
    assert "Nobody can tell" in browser.text(f"/visits/{visit_id}")
    tread(office, "peer", morning())
    with office.transaction() as session:
        session.execute(text("UPDATE planned_visits SET due_at = now() - interval '1 y'"))
    judge(office)
    page = browser.text(f"/visits/{visit_id}")
    assert "version 2" in page
    assert "version 1" in page
    assert "<del>Not observable</del>" in page
    assert "<ins>Visited</ins>" in page


def test_several_people_and_sites_in_one_go_and_declared_as_one_building(office: Desk) -> None:
    first, second = new_site(office), new_site(office, east_m=40)
    browser = office.browser("supervisor_north")
    sent = browser.post(
        "/visits", form(office, f"{first}, {second}", "peer", "other_team", together="1")
    )
    assert sent.status_code == 303
    assert "4 visits assigned." in browser.text("/visits")
    with office.transaction() as session:
        groups = session.execute(
            text(
                "SELECT v.employee_id, v.group_id FROM planned_visits v"
                " JOIN sites s ON s.id = v.site_id WHERE s.number IN (:a, :b)"
            ),
            {"a": first, "b": second},
        ).all()
    assert len({row.group_id for row in groups}) == 2
    assert None not in {row.group_id for row in groups}
    assert f"customer {second}" in browser.text(f"/visits/{visits(office, first)[0]}")


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"p": []}, "Choose people and sites"),
        ({"sites": " , "}, "Choose people and sites"),
        ({"sites": "V9999"}, "V9999: There is no such site"),
        ({"starts": "nine"}, "Choose people and sites"),
        ({"kind": "party"}, "Choose people and sites"),
        ({"on": "2026-10-01"}, "Positions of that day are gone"),
        ({"note": "x" * 301}, "A note has 300 characters at most."),
    ],
)
def test_what_cannot_be_assigned_is_said(
    office: Desk, changes: dict[str, Any], sentence: str
) -> None:
    browser = office.browser("manager_n1")
    sent = browser.post("/visits", form(office, new_site(office)) | changes)
    assert sent.status_code == 303
    assert sentence in browser.text("/visits")


def test_nobody_assigns_visits_to_themselves_or_to_other_branches(office: Desk) -> None:
    browser, number = office.browser("manager_n1"), new_site(office)
    browser.post("/visits", form(office, number, "manager_n1"))
    assert "Nobody assigns visits to themselves." in browser.text("/visits")
    assert browser.post("/visits", form(office, number, "other_branch")).status_code == 404
    south = new_site(office, unit="south")
    browser.post("/visits", form(office, south))
    assert "There is no such site, or it is not yours." in browser.text("/visits")
    assert visits(office, number) == []
    assert visits(office, south) == []


def test_a_cancelled_visit_stays_on_the_list_and_excuses_nothing(office: Desk) -> None:
    browser, number = office.browser("manager_n1"), new_site(office)
    browser.post("/visits", form(office, number, on="2026-11-25"))
    [visit_id] = visits(office, number)
    assert "Planned" in browser.text(f"/visits/{visit_id}")
    assert browser.get(f"/visits/{visit_id}/card.pdf").status_code == 404
    assert browser.post(f"/visits/{visit_id}/cancel").status_code == 303
    assert "Cancelled" in browser.text(f"/visits/{visit_id}")
    browser.post(f"/visits/{visit_id}/cancel")
    assert "Somebody else cancelled this visit already." in browser.text("/visits")
    with office.transaction() as session:
        left = text(
            "SELECT count(*) FROM excusals e JOIN planned_visits v ON v.excusal_id = e.id"
            " WHERE v.id = :id AND e.withdrawn_at IS NULL"
        )
        assert session.scalar(left, {"id": visit_id}) == 0


def one_elsewhere(office: Desk) -> tuple[str, UUID]:
    """Two stay at a new site's pin, `employee` 350 m off; returns its number and the visit."""
    number = new_site(office, east_m=-3_000)
    people = {"peer": -3_000.0, "other_team": -2_990.0, "employee": -2_650.0}
    for name, east_m in people.items():
        steps = [Step(k - 2_880, east_m=east_m, north_m=(k % 5) * 3.0) for k in range(150)]
        tread(office, name, steps)
    browser = office.browser("supervisor_north")
    browser.post("/visits", form(office, number, *people, on="2026-11-16"))
    with office.transaction() as session:
        session.execute(text("UPDATE planned_visits SET due_at = now() - interval '1 y'"))
    judge(office)
    with office.transaction() as session:
        person = {"person": office.alpha.people["employee"], "on": date(2026, 11, 16)}
        query = "SELECT id FROM planned_visits WHERE employee_id = :person AND on_date = :on"
        return number, session.execute(text(query), person).scalar_one()


def test_one_whose_stay_is_elsewhere_than_others_is_asked_and_numbers_stay_with_leaders(
    office: Desk,
) -> None:
    number, visit_id = one_elsewhere(office)
    leader = office.browser("supervisor_north")
    assert "The pin seems right: 2 of 3 people" in leader.text(f"/visits/{visit_id}")
    listed = leader.text(f"/visits?q={number}&from=2026-11-16")
    assert listed.count("Others were at the pin") == 1
    # Who leads only this team may not learn where the other team was.
    assert "at the pin" not in office.browser("manager_n1").text(f"/visits?q={number}")
    assert "The pin seems" not in office.browser("manager_n1").text(f"/visits/{visit_id}")
    own = office.browser("employee").text(f"/visits/{visit_id}")
    assert "others who were to visit this site stayed at it" in own
    assert "2 of 3" not in own


def beside_the_pin(office: Desk) -> tuple[Browser, str]:
    """Three people stay 300 m from a new site's pin; returns who may decide, and its page."""
    number = new_site(office, east_m=-2_000)
    browser = office.browser("supervisor_group")
    people = ("other_team", "other_branch", "mover")
    browser.post("/visits", form(office, number, *people, on="2026-11-17"))
    with office.transaction() as session:
        session.execute(text("UPDATE planned_visits SET due_at = now() - interval '1 y'"))
    judge(office)
    with office.transaction() as session:
        site_id = session.scalar(text("SELECT id FROM sites WHERE number = :n"), {"n": number})
    return browser, f"/sites/{site_id}"


def page_number(office: Desk, page: str) -> str:
    """Return the number of the site of a page."""
    site_id = UUID(page.rsplit("/", maxsplit=1)[-1])
    with office.transaction() as session:
        return sites_by_id(session, tenant_id=office.alpha.id, ids=[site_id])[site_id].number


def agreed(office: Desk, proposal: str, agreeing: int, people: int) -> None:
    """As if so many people had stayed there."""
    engine = make_engine(office.urls.engine, pool_size=1)
    with unit_of_work(make_session_factory(engine), tenant_id=None) as session:
        session.execute(
            text(
                "UPDATE pin_proposals SET evidence = jsonb_set(evidence, '{figures}',"
                " evidence -> 'figures' || jsonb_build_object("
                "'agreeing', CAST(:agreeing AS int), 'people', CAST(:people AS int)))"
                " WHERE id = :id"
            ),
            {"agreeing": agreeing, "people": people, "id": proposal},
        )
    engine.dispose()


def hidden_from_others(office: Desk, page: str, proposal: str) -> None:
    """Who may not look at all three sees nothing of it, and decides nothing, until five agree."""
    for login in ("hr", "supervisor_north"):
        outsider = office.browser(login)
        hidden = outsider.text(page)
        assert "Wrong pin?" not in hidden
        assert "data-proposed" not in hidden
        outsider.post(f"{page}/pin", {"do": "accept", "proposal": proposal})
        assert "somebody else decided it" in outsider.text(page)
    agreed(office, proposal, 7, 8)
    crowd = office.browser("hr").text(page)
    assert "At least 5 people" in crowd
    assert "7 of 8" not in crowd
    assert "data-proposed" in crowd
    agreed(office, proposal, 3, 3)


def test_a_wrong_pin_is_proposed_on_the_site_and_moved(office: Desk) -> None:
    for name in ("other_team", "other_branch", "mover"):
        tread(
            office,
            name,
            [
                Step(minute - 1_440, east_m=-1_700.0, north_m=(minute % 5) * 3.0)
                for minute in range(150)
            ],
        )
    browser, page = beside_the_pin(office)
    proposal = browser.text(page).split('name="proposal" value="')[1].split('"')[0]
    number = page_number(office, page)
    assert browser.text(f"/visits?q={number}&from=2026-11-17").count("Pin may be wrong") == 3
    browser.post(f"{page}/pin", {"do": "dismiss", "proposal": proposal})
    dismissed = browser.text(page)
    assert "The pin stays." in dismissed
    assert "Wrong pin?" not in dismissed
    assert "Pin may be wrong" not in browser.text(f"/visits?q={number}&from=2026-11-17")
    browser, page = beside_the_pin(office)
    shown = browser.text(page)
    assert "Wrong pin?" in shown
    assert "3 of 3 people" in shown
    assert "ALPHA-SOUTH-CANARY" not in shown.split("Wrong pin?")[1].split("</section>")[0]
    proposal = shown.split('name="proposal" value="')[1].split('"')[0]
    read = office.browser("other_branch").text("/me")
    assert "Proposal to move a pin" in read, "it says where they stayed"
    hidden_from_others(office, page, proposal)
    stale = browser.post(f"{page}/pin", {"do": "accept", "proposal": str(office.alpha.units["n1"])})
    assert stale.status_code == 303
    assert "somebody else decided it" in browser.text(page)
    browser.post(f"{page}/pin", {"do": "accept", "proposal": proposal})
    after = browser.text(page)
    assert "The pin was moved." in after
    assert "Wrong pin?" not in after
    judge(office)
    site_id = UUID(page.split("/")[-1])
    with office.transaction() as session:
        facts = sites_by_id(session, tenant_id=office.alpha.id, ids=[site_id])[site_id]
        newest = session.scalars(
            text(
                "SELECT d.verdict FROM planned_visits v JOIN visit_verdicts d"
                " ON d.visit_id = v.id AND d.version = v.version WHERE v.site_id = :id"
            ),
            {"id": site_id},
        ).all()
    assert facts.position is not None
    assert facts.position[0] == pytest.approx(LON_DEG - 1_700 / 55_400.0, abs=5e-4)
    assert set(newest) == {"verified"}


def test_a_list_costs_the_same_statements_whatever_its_length(
    office: Desk, statement_counter: Any
) -> None:
    browser = office.browser("manager_n1")
    counts = []
    for _ in range(2):
        for _again in range(3):
            browser.post("/visits", form(office, new_site(office), on="2026-11-24"))
        browser.text("/visits")
        with office.app.app_context():
            engine = db.engine
        with statement_counter(engine) as counted:
            browser.text("/visits?from=2026-11-24&to=2026-11-24")
        counts.append(counted.count)
    assert counts[0] == counts[1]
