"""Playback: a reason before a named person's day, what the player is given, and exports."""

import json
from datetime import date, timedelta
from itertools import pairwise
from xml.etree import ElementTree as ET

import pytest
from sqlalchemy import text

from server.people.services import hire_employee
from tests.factories.desk import DAY, Browser, Desk
from tests.factories.footprints import absence, compared, judge, nine, tread

GPX = {"g": "http://www.topografix.com/GPX/1/1"}


@pytest.fixture(scope="module", autouse=True)
def _morning(office: Desk) -> None:
    office.roster("employee")
    office.roster("peer")
    tread(office, "employee", absence())
    judge(office, "employee")


def path_of(office: Desk, name: str, on: date = DAY) -> str:
    return f"/api/tracks/{office.alpha.people[name]}/{on}"


def explain(office: Desk, browser: Browser, name: str, **changes: str) -> int:
    form = {
        "p": str(office.alpha.people[name]),
        "d": str(DAY),
        "occasion": "shift",
        "reason": "customer asked when somebody came",
    }
    return browser.post("/tracks/reason", form | changes).status_code


def test_nobody_sees_a_named_day_without_saying_why(office: Desk) -> None:
    browser = office.browser("manager_n1")
    page = browser.text(f"/tracks?p={office.alpha.people['employee']}&d={DAY}")
    assert "Why do you need to see it?" in page
    assert "data-day" not in page
    answer = browser.get(path_of(office, "employee"))
    assert answer.status_code == 403
    assert answer.json is not None
    assert answer.json["code"] == "reason_missing"
    export = f"/tracks/{office.alpha.people['employee']}/{DAY}.gpx"
    assert browser.get(export).status_code == 403


@pytest.mark.parametrize("wrong", [{"occasion": ""}, {"occasion": "fun"}, {"reason": " x "}])
def test_a_reason_is_an_occasion_and_a_few_words(office: Desk, wrong: dict[str, str]) -> None:
    browser = office.browser("manager_n1")
    assert explain(office, browser, "employee", **wrong) == 400
    assert browser.get(path_of(office, "employee")).status_code == 403


def test_the_person_reads_the_reason(office: Desk) -> None:
    browser = office.browser("supervisor_north")
    assert explain(office, browser, "employee", t=str(int(nine().timestamp()))) == 303
    assert browser.get(path_of(office, "employee")).status_code == 200
    page = office.browser("employee").text("/me")
    assert "supervisor_north" in page
    assert "customer asked when somebody came" in page


def test_the_reason_holds_for_another_day_and_the_person_sees_that_day_too(office: Desk) -> None:
    browser = office.browser("supervisor_group")
    assert explain(office, browser, "employee") == 303
    before = DAY - timedelta(days=1)
    assert browser.get(path_of(office, "employee", before)).status_code == 200
    page = office.browser("employee").text(f"/me?d={before}")
    assert "about 2026-11-17" in page
    assert browser.get(path_of(office, "peer")).status_code == 403, "for this person only"


def test_one_sees_oneself_without_a_reason_and_without_an_entry(office: Desk) -> None:
    browser = office.browser("employee")
    assert browser.get(path_of(office, "employee")).status_code == 200
    with office.transaction() as session:
        looks = session.execute(
            text("SELECT count(*) FROM access_log WHERE actor_id = :id"),
            {"id": office.alpha.logins["employee"].account_id},
        ).scalar_one()
    assert looks == 0


def test_what_is_older_than_ninety_days_stays_closed(office: Desk) -> None:
    browser = office.browser("supervisor_north")
    explain(office, browser, "employee")
    old = DAY - timedelta(days=91)
    assert browser.get(path_of(office, "employee", old)).status_code == 403
    assert office.browser("employee").get(path_of(office, "employee", old)).status_code == 200


def test_the_twenty_first_person_within_an_hour_is_refused(office: Desk) -> None:
    with office.transaction() as session:
        for number in range(21):
            office.alpha.people[f"extra{number}"] = hire_employee(
                session,
                office.clock,
                tenant_id=office.alpha.id,
                number=f"X{number:03d}",
                name=f"extra {number} {office.alpha.canary('south')}",
                unit_id=office.alpha.units["s1"],
                hired_on=date(2026, 1, 5),
            ).id
    browser = office.browser("supervisor_south")
    assert [explain(office, browser, f"extra{n}") for n in range(20)] == [303] * 20
    assert explain(office, browser, "extra20") == 429
    with office.transaction() as session:
        noted = session.execute(
            text("SELECT actor_id FROM security_events WHERE kind = 'look_quota_reached'")
        ).scalars()
        assert list(noted) == [office.alpha.logins["supervisor_south"].account_id]
    assert explain(office, browser, "extra3") == 303, "whoever was opened stays open"
    office.clock.advance(timedelta(minutes=61))
    try:
        assert explain(office, office.browser("supervisor_south"), "extra20") == 303
    finally:
        office.clock.advance(timedelta(minutes=-61))


def test_foreign_and_absent_people_give_the_same_answer(office: Desk) -> None:
    browser = office.browser("supervisor_north")
    for person in (office.alpha.people["other_branch"], office.world.beta.people["employee"]):
        assert browser.get(f"/tracks?p={person}").status_code == 404
        assert browser.get(f"/api/tracks/{person}/{DAY}").status_code == 404
    assert browser.get(path_of(office, "employee").replace(str(DAY), "31-12")).status_code == 404


def test_the_player_gets_one_axis_of_time(office: Desk) -> None:
    day = office.browser("employee").get(path_of(office, "employee")).json
    assert day is not None
    fixes = day["fixes"]
    assert len({len(v) for k, v in fixes.items() if k != "total"}) == 1
    assert fixes["at"] == sorted(fixes["at"])
    assert day["start"] <= fixes["at"][0]
    assert day["end"] >= fixes["at"][-1]
    edges = [(p["start"], p["end"]) for p in day["presence"]]
    assert all(a[1] == b[0] for a, b in pairwise(edges)), "presence tiles"
    for tile in day["presence"]:
        looked = tile["state"] != "unknown" and not tile["inferred"]
        assert (tile["probability"] is not None) == looked
    ways = [(s["start"], s["end"]) for s in day["segments"]]
    assert all(a[1] == b[0] for a, b in pairwise(ways)), "segments tile"
    kinds = [s["kind"] for s in day["segments"]]
    assert kinds[:4] == ["stop", "trip", "stop", "trip"]
    stops = [s for s in day["segments"] if s["kind"] == "stop"]
    hall = "hall ALPHA-NORTH-CANARY"
    assert [s["post"] for s in stops] == [hall, None, hall]
    assert day["distance_m"]["low"] <= day["distance_m"]["mid"] <= day["distance_m"]["high"]
    assert day["distance_m"]["low"] < day["distance_m"]["high"]
    assert [f["kind"] for f in day["findings"]].count("off_post") == 1
    assert day["zone"] == "Asia/Shanghai"


def test_a_day_without_positions_is_empty_not_broken(office: Desk) -> None:
    day = office.browser("peer").get(path_of(office, "peer")).json
    assert day is not None
    assert day["fixes"]["at"] == []
    free = office.browser("peer").get(path_of(office, "peer", DAY - timedelta(days=3))).json
    assert free is not None
    assert (free["start"], free["end"], free["duty"]) == (0.0, 0.0, [])


def test_exports_carry_every_fix_break_at_silence_and_are_noted(office: Desk) -> None:
    browser = office.browser("supervisor_north")
    explain(office, browser, "employee")
    person = office.alpha.people["employee"]
    total = browser.get(path_of(office, "employee")).json["fixes"]["total"]  # type: ignore[index]
    gpx = ET.fromstring(browser.get(f"/tracks/{person}/{DAY}.gpx").data)  # noqa: S314 - our own
    assert len(gpx.findall(".//g:trkpt", GPX)) == total
    assert len(gpx.findall(".//g:trkseg", GPX)) == 2, "twenty silent minutes break the track"
    geojson = json.loads(browser.get(f"/tracks/{person}/{DAY}.geojson").data)
    kinds = [f["geometry"]["type"] for f in geojson["features"]]
    assert (kinds.count("Point"), kinds.count("LineString")) == (total, 2)
    answer = browser.get(f"/tracks/{person}/{DAY}.csv")
    assert answer.data.startswith(b"\xef\xbb\xbf")
    assert len(answer.text.splitlines()) == total + 1
    assert answer.headers["Cache-Control"] == "no-store"
    assert browser.get(f"/tracks/{person}/{DAY}.exe").status_code == 404
    page = office.browser("employee").text("/me")
    for name in ("GPX", "GeoJSON", "CSV"):
        assert f"Export of the track as {name}" in page


def test_choosing_lists_only_people_in_scope(office: Desk) -> None:
    page = office.browser("manager_n1").text("/tracks")
    assert "employee ALPHA" in page
    assert "other_team" not in page
    assert "SOUTH" not in page


def test_what_cells_say_of_the_fixes_stands_beside_them(office: Desk) -> None:
    browser = office.browser("employee")
    before = browser.get(path_of(office, "employee")).json
    assert before is not None
    assert before["cells"] is None
    assert set(before["fixes"]["cells"]) == {None}
    compared(office, "employee", ["plausible"] * 5 + ["strained", "impossible"])
    after = browser.get(path_of(office, "employee")).json
    assert after is not None
    cells = after["cells"]
    assert (cells["plausible"], cells["strained"], cells["impossible"]) == (5, 1, 1)
    assert cells["worst"]["verdict"] == "impossible"
    assert (cells["worst"]["distance_m"], cells["worst"]["radius_m"]) == (9_500.0, 500.0)
    at = after["fixes"]["at"].index(cells["worst"]["at"])
    assert after["fixes"]["cells"][at] == "impossible"
    assert after["fixes"]["beyond_cells_m"][at] == 9_000.0
    said = "5 agree, 1 hardly allow it, 1 rule it out."
    assert said in browser.text("/me")
    page = office.browser("manager_n1").text(f"/people/{office.alpha.people['employee']}")
    assert said in page
    assert "9.5 km from a cell that is heard up to 500 m." in page
