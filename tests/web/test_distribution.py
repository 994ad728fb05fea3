"""The distribution's page and API: scope, what is told of others, exports, looks."""

import csv
import io
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest
from sqlalchemy import text

from server.db.engine import make_engine, make_session_factory
from server.db.session import unit_of_work
from server.people.services import hire_employee
from server.tracking.services import rebuild_last_positions
from tests.factories.desk import DAY, LAT_DEG, LON_DEG, Browser, Desk
from tests.factories.footprints import Step, judge, nine, tread
from tests.factories.world import HIRED_ON
from web import answers

COUNTS = "/api/distribution/counts"
TEN = "2026-11-18T10:00+08:00"
CREW = ("employee", "peer", "other_team", "other_branch")
AROUND = {
    "type": "Polygon",
    "coordinates": [
        [
            [LON_DEG - 0.01, LAT_DEG - 0.01],
            [LON_DEG + 0.01, LAT_DEG - 0.01],
            [LON_DEG + 0.01, LAT_DEG + 0.01],
            [LON_DEG - 0.01, LAT_DEG + 0.01],
            [LON_DEG - 0.01, LAT_DEG - 0.01],
        ]
    ],
}


@pytest.fixture(scope="module", autouse=True)
def _morning(office: Desk) -> None:
    """Three of north and one of south are at work since nine, ten more of south since ten."""
    for name in CREW:
        office.roster(name)
        tread(office, name, [Step(minute, east_m=5.0) for minute in range(-4, 179)])
        judge(office, name)
    _more_of_south(office, 9)
    engine = make_engine(office.urls.engine, pool_size=1)
    with unit_of_work(make_session_factory(engine), tenant_id=None) as session:
        rebuild_last_positions(session, office.clock)
    engine.dispose()


def _more_of_south(office: Desk, count: int) -> None:
    """People of team s1 beside the one of the cast: whereabouts as the engine writes them."""
    tenant, whose = office.alpha, office.alpha.people["other_branch"]
    for number in range(count):
        with office.transaction() as session:
            made = hire_employee(
                session,
                office.clock,
                tenant_id=tenant.id,
                number=f"S{number}",
                name=f"south {number} {tenant.canary('south')}",
                unit_id=tenant.units["s1"],
                hired_on=HIRED_ON,
            ).id
        tenant.people[f"south {number}"] = made
        office.roster(f"south {number}")
        engine = make_engine(office.urls.engine, pool_size=1)
        with unit_of_work(make_session_factory(engine), tenant_id=None) as session:
            session.execute(
                text(
                    "INSERT INTO whereabouts SELECT tenant_id, hour_at, :made, work_on, minutes,"
                    " cells, statuses FROM whereabouts WHERE employee_id = :whose"
                ),
                {"made": made, "whose": whose},
            )
        engine.dispose()


@pytest.fixture
def north(office: Desk) -> Browser:
    return office.browser("supervisor_north")


def looks(office: Desk) -> list[Any]:
    with office.transaction() as session:
        return list(
            session.execute(
                text(
                    "SELECT actor_name, view, purpose, about_on, reach, people"
                    " FROM aggregate_looks ORDER BY at, id"
                )
            )
        )


@pytest.mark.parametrize("at", [None, TEN])
def test_one_counts_the_people_of_ones_units(office: Desk, north: Browser, at: str | None) -> None:
    query = {"at": at} if at else {}
    answer = north.get(COUNTS, query_string=query)
    found = msgspec.convert(answer.json, answers.Distribution)
    assert found.people == 3
    assert found.statuses["on_post"] == 3
    assert sum(found.cells.people) == found.placed == 3
    assert found.units.people[0] == 3
    assert found.others is None
    assert "SOUTH" not in answer.text
    team = office.browser("manager_n1").get(COUNTS, query_string=query).json
    assert team is not None
    assert team["people"] == 2
    assert answer.headers["Cache-Control"] == "no-store"


def test_a_unit_narrows_and_a_foreign_one_is_not_there(office: Desk, north: Browser) -> None:
    units = office.alpha.units
    assert north.get(COUNTS, query_string={"unit": units["n2"], "at": TEN}).json["people"] == 1  # type: ignore[index]
    for unit in (units["south"], office.world.beta.units["n1"], UUID(int=5), "x"):
        assert north.get(COUNTS, query_string={"unit": unit}).status_code == 404


def test_of_others_only_rounded_numbers_leave(office: Desk, north: Browser) -> None:
    """Ten of south are at one place; each single filter leaves their number as it is."""
    asked = {"reach": "company", "at": "2026-11-18T10:07+08:00"}
    answer = north.get(COUNTS, query_string=asked)
    told = msgspec.convert(answer.json, answers.Distribution).others
    assert told is not None
    assert datetime.fromtimestamp(told.at, UTC) == nine() + timedelta(hours=1)
    assert (told.people, told.cells.people) == (10, [10])
    assert set(answer.json["others"]["cells"]) == {"id", "ring", "people"}  # type: ignore[index]
    assert "SOUTH" not in answer.text
    for more in ({"unit": str(office.alpha.units["n2"])}, {"res": "11"}, {"box": "0,0,1,1"}):
        again = north.get(COUNTS, query_string=asked | more).json
        assert again is not None
        assert again["others"] == answer.json["others"]  # type: ignore[index]
    # South sees three of north, which is fewer than five: nothing of them is told.
    south = office.browser("supervisor_south").get(COUNTS, query_string=asked).json
    assert south is not None
    assert south["people"] == 10
    assert (south["others"]["people"], south["others"]["cells"]["id"]) == (0, [])


def test_drawn_areas_hold_ones_own_people_only(north: Browser) -> None:
    body = {"areas": [AROUND], "at": TEN}
    answer = north.post("/api/distribution/areas", json=body)
    found = msgspec.convert(answer.json, answers.AreaCounts)
    assert (found.areas.people, found.areas.on_post) == ([3], [3])
    assert north.post("/api/distribution/areas", json={"areas": [AROUND]}).json["areas"][  # type: ignore[index]
        "people"
    ] == [3]


@pytest.mark.parametrize(
    "areas",
    [
        None,
        [],
        [{"type": "Point", "coordinates": [0, 0]}],
        [{"type": "Polygon", "coordinates": [[[0, 0], [2, 2], [2, 0], [0, 2], [0, 0]]]}],
        [{"type": "Polygon", "coordinates": [[[0, 0], [200, 0], [2, 2], [0, 0]]]}],
        [{"type": "Polygon", "coordinates": []}],
        ["x"],
        [AROUND] * 11,
    ],
)
def test_what_is_no_area_is_refused(north: Browser, areas: object) -> None:
    assert north.post("/api/distribution/areas", json={"areas": areas}).status_code in {400, 422}


@pytest.mark.parametrize(
    "query",
    [
        {"at": "yesterday"},
        {"at": "2026-11-18T10:00"},
        {"at": "2026-11-19T10:00Z"},
        {"at": "2026-09-01T10:00Z"},
        {"res": "1"},
        {"res": "12"},
        {"res": "٣"},
        {"box": "1,2,3"},
        {"box": "nan,0,1,1"},
        {"reach": "world"},
    ],
)
def test_what_cannot_be_asked_is_refused(north: Browser, query: dict[str, str]) -> None:
    assert north.get(COUNTS, query_string=query).status_code in {400, 422}


def test_exports_say_the_same_as_the_page(north: Browser) -> None:
    query = {"at": TEN, "res": "9"}
    counts = msgspec.convert(north.get(COUNTS, query_string=query).json, answers.Distribution)
    lines = list(csv.DictReader(io.StringIO(_text(north, query | {"what": "hexagons"}))))
    assert [(line["h3"], int(line["people"])) for line in lines] == list(
        zip(counts.cells.id, counts.cells.people, strict=True)
    )
    units = list(csv.DictReader(io.StringIO(_text(north, query | {"what": "units"}))))
    assert [int(line["people"]) for line in units] == counts.units.people
    geojson = north.get("/distribution/export", query_string=query | {"format": "geojson"}).json
    assert geojson is not None
    assert [f["properties"]["people"] for f in geojson["features"]] == counts.cells.people
    assert north.get("/distribution/export?what=names").status_code in {400, 422}


def _text(browser: Browser, query: dict[str, str]) -> str:
    return browser.get("/distribution/export", query_string=query).text.lstrip("\ufeff")


def test_looks_at_counts_are_written_once_an_hour(office: Desk) -> None:
    before = len(looks(office))
    manager = office.browser("manager_n2")
    for minute in range(20, 30):
        manager.get(COUNTS, query_string={"at": f"2026-11-18T10:{minute}+08:00"})
    manager.get(COUNTS, query_string={"at": TEN, "reach": "company"})
    manager.get("/distribution/export", query_string={"at": TEN})
    fresh = looks(office)[before:]
    assert [(look.view, look.purpose, look.reach, look.people) for look in fresh] == [
        ("distribution", "live_supervision", "own", 1),
        ("distribution", "live_supervision", "company", 0),
        ("distribution_export", "export", "own", 1),
    ]
    assert {look.about_on for look in fresh} == {DAY}


def test_the_page_names_ones_units_and_no_others(office: Desk, north: Browser) -> None:
    page = north.get("/distribution").text
    assert office.alpha.canary("north") in page
    assert office.alpha.canary("south") not in page
    assert office.browser("admin").get("/distribution").status_code == 403
    assert office.browser("employee").get("/distribution").status_code == 403
