"""The live map of very many people: with the bound at nothing, the world of the tests is many."""

from collections import Counter

import msgspec
import pytest
from sqlalchemy import text

from server.audit.queries import looks_at
from server.db.engine import make_engine, make_session_factory
from server.db.session import unit_of_work
from server.people.services import hire_employee
from server.tracking.services import rebuild_last_positions
from tests.factories.desk import LAT_DEG, LON_DEG, Browser, Desk
from tests.factories.footprints import Step, absence, judge, tread
from tests.factories.world import HIRED_ON
from web import answers
from web.live import views

WORLD = "-180,-85,180,85"
NEAR = f"{LON_DEG - 0.002},{LAT_DEG - 0.002},{LON_DEG + 0.002},{LAT_DEG + 0.002}"
STATUSES = ("on_post", "off_post", "travelling", "stale", "no_signal", "off_duty")


@pytest.fixture(scope="module", autouse=True)
def _morning(office: Desk) -> None:
    """employee is away, peer and other_team at the post, somebody silent, the rest off duty."""
    for name, steps in (
        ("employee", absence(leaves=150, returns=400)),
        ("peer", [Step(m, east_m=5.0) for m in range(-4, 179)]),
        ("other_team", [Step(m, east_m=9.0) for m in range(-4, 100)]),
        ("other_branch", [Step(m, east_m=5.0) for m in range(-4, 179)]),
    ):
        office.roster(name)
        tread(office, name, steps)
        judge(office, name)
    for number in range(60):
        with office.transaction() as session:
            hire_employee(
                session,
                office.clock,
                tenant_id=office.alpha.id,
                number=f"M{number}",
                name=f"many {number:02d}",
                unit_id=office.alpha.units["n2"],
                hired_on=HIRED_ON,
            )
    engine = make_engine(office.urls.engine, pool_size=1)
    with unit_of_work(make_session_factory(engine), tenant_id=None) as session:
        rebuild_last_positions(session, office.clock)
    engine.dispose()


@pytest.fixture
def north(office: Desk) -> Browser:
    return office.browser("supervisor_north")


def few(browser: Browser) -> answers.LiveSnapshot:
    """The whole picture, as a browser of a small company gets it."""
    found = msgspec.convert(browser.get("/api/live/snapshot").json, answers.LiveSnapshot)
    assert found.people is not None
    assert not found.many
    return found


def test_counts_are_those_of_the_whole_picture(
    north: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = few(north)
    assert {"off_post", "on_post", "no_signal", "off_duty"} <= {
        status for status, count in whole.counts.items() if count
    }
    monkeypatch.setattr(views, "MANY", 0)
    answer = north.get("/api/live/snapshot")
    many = msgspec.convert(answer.json, answers.LiveSnapshot)
    assert many.many
    assert many.people is None
    assert (many.counts, many.rostered, many.covered) == (
        whole.counts,
        whole.rostered,
        whole.covered,
    )
    assert many.alerts == whole.alerts


@pytest.mark.parametrize("zoom", [0, 4, 15, 22])
def test_squares_hold_everybody_who_has_a_place(north: Browser, zoom: int) -> None:
    whole = few(north)
    assert whole.people is not None
    placed: Counter[str] = Counter(
        status
        for status, lon in zip(whole.people.status, whole.people.lon, strict=True)
        if lon is not None
    )
    answer = north.get("/api/live/cells", query_string={"box": WORLD, "zoom": zoom})
    cells = msgspec.convert(answer.json, answers.LiveCells).cells
    assert sum(cells.people) == placed.total()
    for status in STATUSES:
        assert sum(getattr(cells, status)) == placed[status]
    assert (len(cells.people) == 1) == (zoom < 12)
    some = {"box": WORLD, "zoom": zoom, "s": "off_post"}
    assert north.get("/api/live/cells", query_string=some).json["cells"]["people"] == [1]  # type: ignore[index]


def test_a_window_holds_the_people_in_it_as_the_whole_picture_does(north: Browser) -> None:
    whole = few(north).people
    assert whole is not None
    view = msgspec.convert(
        north.get("/api/live/view", query_string={"box": NEAR}).json, answers.LiveView
    )
    assert view.people is not None
    assert len(view.people.id) == 2
    for number, who in enumerate(view.people.id):
        at = whole.id.index(who)
        for name in whole.__struct_fields__:
            assert getattr(view.people, name)[number] == getattr(whole, name)[at]


def test_too_many_for_a_window_is_said(north: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("server.tracking.live_many.MAX_IN_VIEW", 1)
    answer = north.get("/api/live/view", query_string={"box": NEAR}).json
    assert answer is not None
    assert (answer["too_many"], answer["people"]) == (True, None)


def test_pages_hold_everybody_once_the_most_urgent_first(north: Browser) -> None:
    whole = few(north).people
    assert whole is not None
    seen: list[str] = []
    first: list[str] = []
    while True:
        page = north.get("/api/live/list", query_string={"from": len(seen)}).json
        assert page is not None
        if not page["people"]["id"]:
            break
        assert page["total"] == len(whole.id)
        first = first or page["people"]["status"][:2]
        seen += page["people"]["id"]
    assert sorted(seen) == sorted(whole.id)
    assert first == ["off_post", "no_signal"]
    found = north.get("/api/live/list", query_string={"q": "many 0", "s": "off_duty"}).json
    assert found is not None
    # Each word counts by itself: 00 to 09, and 10, 20 … 50.
    assert found["total"] == 15
    odd = north.get("/api/live/list", query_string={"q": "100% _"}).json
    assert odd is not None
    assert odd["total"] == 0


@pytest.mark.parametrize(
    "path",
    [
        "/api/live/cells",
        "/api/live/cells?box=1,2,3&zoom=3",
        f"/api/live/cells?box={WORLD}&zoom=23",
        f"/api/live/cells?box={WORLD}&zoom=-1",
        "/api/live/view?box=nan,0,1,1",
        "/api/live/view?box=2,0,1,1",
        "/api/live/list?from=x",
    ],
)
def test_what_cannot_be_asked_is_refused(north: Browser, path: str) -> None:
    assert north.get(path).status_code in {400, 422}


def test_who_was_shown_by_name_finds_the_look(office: Desk) -> None:
    person = office.alpha.people["peer"]
    with office.transaction() as session:
        before = len(looks_at(session, person, tenant_id=office.alpha.id))
    group = office.browser("supervisor_group")
    group.get("/api/live/cells", query_string={"box": WORLD, "zoom": 3})
    with office.transaction() as session:
        assert len(looks_at(session, person, tenant_id=office.alpha.id)) == before
        counted = session.execute(
            text("SELECT reach, people FROM aggregate_looks WHERE view = 'live_cells'")
        ).all()
    assert ("own", 4) in [tuple(row) for row in counted]
    group.get("/api/live/view", query_string={"box": NEAR})
    with office.transaction() as session:
        assert len(looks_at(session, person, tenant_id=office.alpha.id)) == before + 1


def test_nobody_of_another_branch_is_counted_or_named(office: Desk) -> None:
    south = office.browser("supervisor_south")
    for path in (
        f"/api/live/cells?box={WORLD}&zoom=3",
        f"/api/live/view?box={WORLD}",
        "/api/live/list",
    ):
        answer = south.get(path)
        assert answer.status_code == 200
        for name in ("employee", "peer", "other_team"):
            assert str(office.alpha.people[name]) not in answer.text
    cells = south.get(f"/api/live/cells?box={WORLD}&zoom=3").json
    assert cells is not None
    assert sum(cells["cells"]["people"]) == 1


def test_the_table_of_very_many_is_read_by_pages(
    north: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(views, "MANY", 0)
    first = north.get("/live/table")
    assert first.status_code == 200
    assert "many 00" in first.text
    found = north.get("/live/table?q=many+00&status=off_duty&format=csv")
    assert "many 00" in found.text
    assert len(found.text.splitlines()) == 2
    assert "of-1" in found.headers["Content-Disposition"]
