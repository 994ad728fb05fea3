"""People one leads: the list of statuses and the page of one person."""

import re
from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest
from sqlalchemy import Engine

from server.http.extensions import db
from tests.conftest import StatementCount
from tests.factories.desk import Desk
from tests.factories.footprints import absence, judge, tread


@pytest.fixture(scope="module", autouse=True)
def _morning(office: Desk) -> None:
    office.roster("employee")
    office.roster("peer")
    tread(office, "employee", absence())
    judge(office, "employee")


def test_the_list_has_a_status_in_words_and_only_people_in_scope(office: Desk) -> None:
    page = office.browser("manager_n1").text("/people")
    assert "employee ALPHA" in page
    assert "peer ALPHA" in page
    assert "other_team" not in page
    assert "No signal" in page
    filtered = office.browser("manager_n1").text("/people?status=off_duty")
    assert "employee ALPHA" not in filtered
    assert "manager_n1 ALPHA" in filtered


def test_the_list_costs_the_same_for_more_people(
    office: Desk, statement_counter: Callable[[Engine], AbstractContextManager[StatementCount]]
) -> None:
    with office.app.app_context():
        engine = db.engine
    counts = []
    for login in ("manager_n1", "supervisor_group"):
        browser = office.browser(login)
        browser.text("/people")
        with statement_counter(engine) as seen:
            browser.text("/people")
        counts.append(seen.count)
    assert counts[0] == counts[1] <= 15


def test_no_page_of_people_holds_a_coordinate(office: Desk) -> None:
    browser = office.browser("supervisor_north")
    for path in ("/people", f"/people/{office.alpha.people['employee']}", "/people?format=csv"):
        body = browser.text(path)
        assert "24.94" not in body
        assert "60.17" not in body


def test_the_day_of_a_person_reads_in_order(office: Desk) -> None:
    page = office.browser("supervisor_north").text(f"/people/{office.alpha.people['employee']}")
    words = ["<strong>Stop</strong>", "<strong>Trip</strong>", "Off post"]
    places = [page.index(word) for word in words]
    assert places == sorted(places)
    assert "2 h 36 min" in page
    stops = re.findall(r"<strong>Stop</strong><p>[^<]* · ([^<]*)</p>", page)
    assert stops == ["hall ALPHA-NORTH-CANARY"] * 2, "a stop says at which post"
    assert "09:00–18:00" in page
    assert "phone of employee" in page


def test_presence_says_how_probable_it_is_and_what_that_means(office: Desk) -> None:
    person = office.alpha.people["employee"]
    for login, path in (("supervisor_north", f"/people/{person}"), ("employee", "/me")):
        page = office.browser(login).text(path)
        table = page[page.index("How sure the presence is") :]
        rows = re.findall(r"<td>(At the post|Away from the post)</td><td[^>]*>([^<]*)</td>", table)
        assert {title for title, _ in rows} == {"At the post", "Away from the post"}
        assert all(50 < int(share.removesuffix("%")) <= 100 for _, share in rows)
        assert "by their distance to it and their accuracy" in table


def test_looks_are_noted_and_leaders_see_only_their_own(office: Desk) -> None:
    person = office.alpha.people["peer"]
    office.browser("supervisor_group").text(f"/people/{person}")
    office.browser("manager_n1").text(f"/people/{person}")
    page = office.browser("manager_n1").text(f"/people/{person}")
    assert "Your looks" in page
    assert "supervisor_group" not in page
    own = office.browser("peer").text("/me")
    assert "supervisor_group" in own
    assert "manager_n1" in own


def test_people_out_of_scope_do_not_exist(office: Desk) -> None:
    browser = office.browser("manager_n1")
    bodies = set()
    for person in (
        office.alpha.people["other_team"],
        office.alpha.people["other_branch"],
        office.world.beta.people["employee"],
        "00000000-0000-4000-8000-000000000000",
    ):
        answer = browser.get(f"/people/{person}")
        assert answer.status_code == 404
        bodies.add(answer.text.split("<main")[1].split("</main>")[0])
    assert len(bodies) == 1


def test_roles_without_location_see_nobody_but_themselves(office: Desk) -> None:
    page = office.browser("hr").text("/people")
    assert "employee ALPHA" not in page
    assert office.browser("hr").get(f"/people/{office.alpha.people['peer']}").status_code == 404
