"""The types in the published document are what the JSON routes really answer."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest
from sqlalchemy import text

from server.db.engine import make_engine, make_session_factory
from server.db.session import unit_of_work
from server.http.openapi import build, description_of
from server.tracking.services import rebuild_last_positions
from tests.factories.desk import DAY, LAT_DEG, LON_DEG, Browser, Desk
from tests.factories.footprints import absence, judge, tread
from web import answers
from web.tracks.answers import PersonDay

CIRCLE = {"type": "Point", "coordinates": [LON_DEG, LAT_DEG], "radius_m": 80}


@pytest.fixture(scope="module", autouse=True)
def _morning(office: Desk) -> None:
    """employee was away and came back, peer is away still."""
    for name, steps in (("employee", absence()), ("peer", absence(leaves=150, returns=400))):
        office.roster(name)
        tread(office, name, steps)
        judge(office, name)
    engine = make_engine(office.urls.engine, pool_size=1)
    with unit_of_work(make_session_factory(engine), tenant_id=None) as session:
        rebuild_last_positions(session, office.clock)
    engine.dispose()


def same(answer: Any, kind: Any) -> Any:
    """Read an answer as a type; nothing of it may be missing there or left over."""
    assert answer.status_code < 300, answer.text
    read = msgspec.convert(answer.json, kind)
    assert msgspec.json.decode(msgspec.json.encode(read)) == answer.json
    return read


@pytest.fixture
def browser(office: Desk) -> Browser:
    return office.browser("supervisor_north")


def finding(office: Desk) -> str:
    with office.transaction() as session:
        return str(
            session.scalar(
                text("SELECT id FROM findings WHERE employee_id = :id AND kind = 'off_post'"),
                {"id": office.alpha.people["peer"]},
            )
        )


def test_live_snapshot_and_trail(office: Desk, browser: Browser) -> None:
    live = same(browser.get("/api/live/snapshot"), answers.LiveSnapshot)
    assert any(lon is not None for lon in live.people.lon)
    assert live.alerts
    person = office.alpha.people["peer"]
    trail = same(browser.get(f"/api/live/trail/{person}"), answers.LiveTrail)
    assert timedelta(seconds=trail.span_s) == timedelta(minutes=30)


def test_evidence_and_review(office: Desk, browser: Browser) -> None:
    path = f"/api/alerts/{finding(office)}"
    assert same(browser.get(f"{path}/evidence"), answers.Evidence).fixes.at
    note = msgspec.to_builtins(answers.ReviewWanted("note", "called"))
    same(browser.post(f"{path}/reviews", json=note), answers.ReviewDone)


@pytest.mark.parametrize("name", ["employee", "peer"])
def test_a_day(office: Desk, name: str) -> None:
    person = office.alpha.people[name]
    day = same(office.browser(name).get(f"/api/tracks/{person}/{DAY}"), PersonDay)
    assert day.fixes.at
    assert len({type(segment) for segment in day.segments}) >= 2


def test_a_shape_that_fits_and_one_that_does_not(browser: Browser, office: Desk) -> None:
    wanted = msgspec.to_builtins(answers.ShapeWanted(CIRCLE))
    judged = same(office.browser("hr").post("/api/posts/check", json=wanted), answers.ShapeJudged)
    assert judged.ok
    assert judged.overlaps
    small = {"shape": {**CIRCLE, "radius_m": 1}}
    refused = same(browser.post("/api/posts/check", json=small), answers.ShapeJudged)
    assert not refused.ok


def test_every_json_route_of_the_screens_names_its_answer(office: Desk) -> None:
    bare = [
        rule.rule
        for rule in office.app.url_map.iter_rules()
        if rule.rule.startswith("/api/")
        and description_of(office.app.view_functions[rule.endpoint]) is None
    ]
    assert bare == []
    shown = build(office.app)
    schema = shown["components"]["schemas"]["LivePeople"]
    assert set(schema["properties"]) == set(answers.LivePeople.__struct_fields__)
