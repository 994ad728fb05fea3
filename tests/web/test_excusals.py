"""Leave and outings: excusing people one leads, taking it back, and never oneself."""

from datetime import date

import pytest
from sqlalchemy import text

from tests.factories.desk import Desk
from tests.factories.footprints import absence, judge, tread


def form(office: Desk, name: str = "employee", **changes: str) -> dict[str, str]:
    return {
        "p": str(office.alpha.people[name]),
        "kind": "outing",
        "starts": "2026-11-18T10:00",
        "ends": "2026-11-18T11:00",
        "note": "fetches the keys",
    } | changes


def excusals(office: Desk, name: str = "employee") -> list[tuple[str, str]]:
    with office.transaction() as session:
        rows = session.execute(
            text(
                "SELECT id::text, kind FROM excusals WHERE employee_id = :id"
                " AND withdrawn_at IS NULL ORDER BY created_at"
            ),
            {"id": office.alpha.people[name]},
        )
        return [(row.id, row.kind) for row in rows]


def test_a_leader_excuses_an_absence_and_the_alert_goes(office: Desk) -> None:
    office.roster("employee")
    tread(office, "employee", absence())
    judge(office, "employee")
    browser = office.browser("manager_n1")
    assert "employee ALPHA" in browser.text("/alerts?tab=closed")
    assert "Nobody is excused" in browser.text("/excusals")
    assert browser.post("/excusals", form(office)).status_code == 303
    page = browser.text("/excusals")
    assert "employee ALPHA-NORTH-CANARY is excused." in page
    assert "2026-11-18 10:00" in page
    assert "fetches the keys" in page
    assert "manager_n1" in page
    judge(office, "employee")
    assert "employee ALPHA" not in browser.text("/alerts?tab=closed")
    taken = browser.post(f"/excusals/{excusals(office)[0][0]}/withdraw")
    assert taken.status_code == 303
    assert "It was taken back." in browser.text("/excusals")
    judge(office, "employee")
    assert "employee ALPHA" in browser.text("/alerts?tab=closed")


def test_what_was_taken_back_stays_on_the_list_and_is_not_taken_twice(office: Desk) -> None:
    browser = office.browser("hr")
    browser.post("/excusals", form(office, "other_team", kind="leave"))
    ((id_, kind),) = excusals(office, "other_team")
    assert kind == "leave"
    browser.post(f"/excusals/{id_}/withdraw")
    browser.post(f"/excusals/{id_}/withdraw")
    page = browser.text("/excusals")
    assert "Somebody else took this back already." in page
    assert "Taken back" in page
    assert "other_team ALPHA" in browser.text("/excusals?format=csv")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"p": ""}, "Choose a person and a kind"),
        ({"kind": "holiday"}, "Choose a person and a kind"),
        ({"note": "  "}, "Choose a person and a kind"),
        ({"starts": "now"}, "Choose a person and a kind"),
        ({"starts": "0001-01-01T00:00"}, "Choose a person and a kind"),
        ({"ends": "2026-11-18T09:00"}, "The end must be after the start."),
        ({"ends": "2036-11-18T09:00"}, "This is longer than an excusal may be."),
    ],
)
def test_nonsense_is_refused_in_words(office: Desk, changes: dict[str, str], words: str) -> None:
    browser = office.browser("supervisor_north")
    browser.post("/excusals", form(office, "peer") | changes)
    assert words in browser.text("/excusals")
    assert excusals(office, "peer") == []


def test_nobody_excuses_themselves_or_people_of_others(office: Desk) -> None:
    browser = office.browser("manager_n1")
    assert "manager_n1 ALPHA" not in browser.text("/excusals").partition('name="p"')[2]
    browser.post("/excusals", form(office, "manager_n1"))
    assert "Nobody excuses themselves." in browser.text("/excusals")
    assert browser.post("/excusals", form(office, "other_branch")).status_code == 404
    assert excusals(office, "manager_n1") == excusals(office, "other_branch") == []
    office.browser("supervisor_south").post("/excusals", form(office, "other_branch"))
    ((foreign, _kind),) = excusals(office, "other_branch")
    assert browser.post(f"/excusals/{foreign}/withdraw").status_code == 404
    for path in ("/excusals", "/excusals?format=csv", "/excusals?from=2020-01-01&to=2030-01-01"):
        assert "SOUTH" not in browser.text(path)
    office.browser("supervisor_group").post("/excusals", form(office, "manager_n1"))
    ((own, _kind),) = excusals(office, "manager_n1")
    browser.post(f"/excusals/{own}/withdraw")
    assert excusals(office, "manager_n1") == [(own, "outing")]


def test_who_leads_nobody_has_no_such_page(office: Desk) -> None:
    for login in ("employee", "finance", "admin", "auditor"):
        assert office.browser(login).get("/excusals").status_code == 403


def test_days_and_people_narrow_the_list(office: Desk) -> None:
    browser = office.browser("supervisor_group")
    browser.post(
        "/excusals", form(office, "peer", starts="2026-12-24T08:00", ends="2026-12-24T12:00")
    )
    person = office.alpha.people["peer"]
    assert "Planned" in browser.text(f"/excusals?p={person}")
    assert "Nothing matches" in browser.text(f"/excusals?p={person}&to={date(2026, 12, 23)}")
    assert "Nothing matches" in browser.text("/excusals?q=nobody-of-that-name")
