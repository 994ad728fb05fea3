"""Snapshot, trail, posts and table of the live map: right, in scope, audited, cheap."""

import csv
import io
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from redis import Redis

from fixtures.stack import DatabaseUrls, Stack
from ingest.wire import WireFix
from server.audit.queries import looks_at
from server.db.engine import make_engine, make_session_factory
from server.db.session import unit_of_work
from server.http.extensions import db
from server.tracking.engine import Engine
from server.tracking.live import LivePublisher, resumes
from server.tracking.recording import record_fixes
from server.tracking.records import Batch, DeviceRef, DutySlot, FixRecord, Via
from tests.factories.desk import DAY, LAT_DEG, LON_DEG, Desk

LEFT_AGO_S = 1500


@pytest.fixture(scope="module")
def office(office: Desk, module_database: DatabaseUrls, stack: Stack) -> Iterator[Desk]:
    """`employee` left the post 25 minutes ago, `peer` is there, `other_branch` in the south."""
    ingest, derive = make_engine(module_database.ingest), make_engine(module_database.engine)
    for name, post in (("employee", "north"), ("peer", "north"), ("other_branch", "south")):
        entry = office.roster(name, post=post)
        lon = LON_DEG + (0.01 if post == "south" else 0.0)
        batch = Batch(
            [DeviceRef(office.alpha.id, _device(office, name), office.alpha.people[name])]
        )
        for number, age_s in enumerate(range(5400, 30, -60)):
            away = 0.006 if name == "employee" and age_s < LEFT_AGO_S else 0.0002
            fix = WireFix(
                fixed_s=office.clock.now().timestamp() - age_s,
                lon_deg=lon + away,
                lat_deg=LAT_DEG,
                key=number,
                raw=b"{}",
                accuracy_m=10.0,
                battery_pct=55,
            )
            slot = DutySlot(entry, (DAY,))
            batch.fixes.append(FixRecord(0, fix, office.clock.now().timestamp(), 0, slot, Via.MQTT))
        with unit_of_work(make_session_factory(ingest), tenant_id=None) as session:
            record_fixes(session, batch)
    with Redis.from_url(stack.redis.url) as redis:
        publisher = LivePublisher(redis)
        Engine(make_session_factory(derive), office.clock, publisher).run_until_idle()
        yield office
        redis.flushall()
    ingest.dispose()
    derive.dispose()


def _device(office: Desk, name: str) -> Any:
    return office.alpha.devices[name].device_id


def snapshot(office: Desk, login: str) -> dict[str, Any]:
    answer = office.browser(login).get("/api/live/snapshot")
    assert answer.status_code == 200
    body: dict[str, Any] = answer.get_json()
    return body


def people_of(body: dict[str, Any]) -> dict[str, dict[str, Any]]:
    columns = body["people"]
    assert len({len(column) for column in columns.values()}) == 1, "columns have one length"
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    return {row["name"].split()[0]: row for row in rows}


def test_a_snapshot_says_where_people_are_and_what_that_means(office: Desk) -> None:
    body = snapshot(office, "supervisor_north")
    people = people_of(body)
    assert people["employee"]["status"] == "off_post"
    assert people["peer"]["status"] == "on_post"
    assert people["peer"]["lon"] == pytest.approx(LON_DEG + 0.0002)
    assert people["other_team"]["status"] == "off_duty"
    assert people["other_team"]["lon"] is None
    assert body["thresholds"] == {"stale_s": 300, "no_signal_s": 900}
    assert body["rostered"] == 2
    assert body["as_of"] == office.clock.now().timestamp()
    assert sum(body["counts"].values()) == len(people)


def test_open_alerts_come_with_post_distance_and_start(office: Desk) -> None:
    (alert,) = snapshot(office, "supervisor_north")["alerts"]
    assert alert["employee_id"] == str(office.alpha.people["employee"])
    assert alert["post"].startswith("hall")
    assert 200 < alert["distance_m"] < 300
    started_ago = office.clock.now().timestamp() - alert["starts_at"]
    assert started_ago == pytest.approx(LEFT_AGO_S, abs=120)


def test_the_cursor_is_a_place_that_can_be_resumed(office: Desk, stack: Stack) -> None:
    cursor = snapshot(office, "supervisor_north")["cursor"]
    with Redis.from_url(stack.redis.url) as redis:
        assert resumes(redis, office.alpha.id, cursor)


@pytest.mark.parametrize("path", ["/api/live/snapshot", "/api/live/posts", "/live/table"])
def test_one_branch_sees_nothing_of_the_other(office: Desk, path: str) -> None:
    text = office.browser("supervisor_north").text(path)
    assert office.alpha.canary("north") in text
    assert office.alpha.canary("south") not in text
    assert office.world.beta.canary("north") not in text


def test_an_employee_sees_themselves_only(office: Desk) -> None:
    body = snapshot(office, "peer")
    assert set(people_of(body)) == {"peer"}
    assert body["alerts"] == []


@pytest.mark.parametrize("name", ["other_branch", "nobody"])
def test_the_trail_of_somebody_else_is_not_found(office: Desk, name: str) -> None:
    person = office.alpha.people.get(name, "01900000-0000-7000-8000-000000000000")
    answer = office.browser("supervisor_north").get(f"/api/live/trail/{person}")
    assert answer.status_code == 404


def test_a_trail_is_the_last_half_hour_in_order(office: Desk) -> None:
    person = office.alpha.people["employee"]
    body = office.browser("supervisor_north").get(f"/api/live/trail/{person}").get_json()
    times = [at for _lon, _lat, at in body["points"]]
    now = office.clock.now().timestamp()
    assert times == sorted(times)
    assert now - 1800 <= times[0] <= now - 1700
    assert len(times) == 30


def test_looks_are_recorded_once_an_hour_and_only_for_positions_shown(office: Desk) -> None:
    office.clock.advance(timedelta(hours=2))
    try:
        before = _looks(office, "peer")
        for _ in range(3):
            snapshot(office, "supervisor_group")
        # Two hours without a fix: still on duty, the position is shown with its age.
        assert _looks(office, "peer") - before == 1
        assert _looks(office, "other_team") == 0
    finally:
        office.clock.advance(timedelta(hours=-2))


def _looks(office: Desk, name: str) -> int:
    with office.transaction() as session:
        found = looks_at(
            session,
            tenant_id=office.alpha.id,
            employee_id=office.alpha.people[name],
        )
    return len([look for look in found if look.view == "live_map"])


def test_the_number_of_statements_does_not_grow_with_people(
    office: Desk, statement_counter: Any
) -> None:
    group = _statements(office, "supervisor_group", statement_counter)
    team = _statements(office, "manager_n2", statement_counter)
    assert group <= team + 2, "one for the phone numbers of alerts, one for the looks"
    assert group <= 16


def _statements(office: Desk, login: str, statement_counter: Any) -> int:
    browser = office.browser(login)
    browser.get("/api/live/snapshot")
    with office.app.app_context():
        engine = db.engine
    with statement_counter(engine) as seen:
        assert browser.get("/api/live/snapshot").status_code == 200
    return int(seen.count)


def test_posts_are_closed_areas_with_a_place_for_the_name(office: Desk) -> None:
    body = office.browser("supervisor_north").get("/api/live/posts").get_json()
    (feature,) = body["features"]
    (ring,) = feature["geometry"]["coordinates"]
    assert ring[0] == pytest.approx(ring[-1])
    lon, lat = feature["properties"]["label"]
    assert (lon, lat) == (pytest.approx(LON_DEG), pytest.approx(LAT_DEG + 0.0009, abs=1e-4))


def test_the_table_sorts_filters_and_exports_without_coordinates(office: Desk) -> None:
    browser = office.browser("supervisor_north")
    text = browser.text("/live/table?status=off_post")
    assert "Satellites" in text, "what measured it stands beside its age and accuracy"
    assert "employee" in text
    assert "peer ALPHA" not in text
    exported = browser.text("/live/table?format=csv&sort=-name").removeprefix("\ufeff")
    rows = list(csv.DictReader(io.StringIO(exported, newline="")))
    names = [row["name"] for row in rows]
    assert names == sorted(names, reverse=True)
    assert {row["status"] for row in rows if row["name"].startswith("employee")} == {"off_post"}
    assert str(LAT_DEG) not in exported


def test_the_page_tells_scripts_where_everything_is(office: Desk) -> None:
    text = office.browser("supervisor_north").text("/live")
    for address in ("/api/live/snapshot", "/api/live/posts", "/stream/live", "/api/alerts/"):
        assert address in text
    assert 'data-may-review="1"' in text
    assert 'data-may-review="0"' in office.browser("peer").text("/live")


@pytest.mark.parametrize("login", ["finance", "hr", "admin", "auditor"])
def test_roles_without_location_see_only_their_own(office: Desk, login: str) -> None:
    assert set(people_of(snapshot(office, login))) == {login}


def test_the_picture_stands_without_the_feed(office: Desk, stack: Stack) -> None:
    stack.redis.stop()
    try:
        body = snapshot(office, "supervisor_north")
    finally:
        stack.redis.start()
    assert body["cursor"] is None
    assert people_of(body)["peer"]["status"] == "on_post"
