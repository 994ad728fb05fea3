from collections import Counter
from datetime import datetime, timedelta
from uuid import UUID

import h3.api.basic_int as h3
import pytest
import shapely
from redis import Redis
from sqlalchemy import text

from geo.distance import destination
from server.people.models import UnitKind
from server.people.services import add_unit
from server.posts.rules import ExcusalKind
from server.posts.services import cancel_assignment, excuse
from server.tracking.distribution import (
    Distribution,
    Moment,
    count_in_areas,
    count_people,
    is_kept,
    rolled_up,
)
from server.tracking.hexagons import Box
from tests.factories.company import DAY, LAT_DEG, LON_DEG, Company
from tests.factories.phones import NINE, Phone, at_post, away, minutes, phone, until, worker

NOON = NINE + minutes(180)


@pytest.fixture
def crew(acme: Company, redis_client: Redis) -> dict[str, Phone]:
    """Two at the post, one 5 km away, one silent since an hour; noon."""
    engine = worker(acme, redis_client)
    found = {name: phone(acme, name=name) for name in ("here", "near", "far", "silent")}
    found["here"].send(at_post(found["here"], NINE, NOON))
    found["near"].send(at_post(found["near"], NINE, NOON))
    found["far"].send(away(found["far"], NINE, NOON, east_m=5_000))
    found["silent"].send(at_post(found["silent"], NINE, NOON - minutes(60)))
    acme.hire("no shift")
    until(acme, engine, NOON, step=minutes(20))
    return found


def count(acme: Company, at: datetime, *, when: str = "past", **options: object) -> Distribution:
    wanted = {"resolution": 9, "units": [acme.branch_id], **options}
    with acme.transaction() as session:
        return count_people(
            session,
            Moment(at, DAY, is_now=when == "now"),
            tenant_id=acme.tenant_id,
            **wanted,  # type: ignore[arg-type]
        )


def everybody(found: Distribution) -> Counter[str]:
    return sum(found.units.values(), Counter())


@pytest.mark.usefixtures("crew")
@pytest.mark.parametrize("when", ["now", "past"])
def test_now_and_the_past_count_the_same_people(acme: Company, when: str) -> None:
    found = count(acme, NOON - minutes(1), when=when)
    assert everybody(found) == {"on_post": 2, "off_post": 1, "no_signal": 1}
    assert found.placed == 4
    post = h3.latlng_to_cell(LAT_DEG, LON_DEG, 9)
    assert found.cells[post] == {"on_post": 2, "no_signal": 1}
    assert len(found.cells) == 2


@pytest.mark.usefixtures("crew")
def test_an_earlier_minute_is_as_it_was(acme: Company) -> None:
    assert everybody(count(acme, NINE + minutes(60)))["on_post"] == 3
    assert count(acme, NINE - minutes(1)).people == 0
    with acme.engine_transaction() as session:
        assert session.scalar(text("SELECT count(*) FROM whereabouts")) >= 12


def test_a_late_fix_moves_people_in_the_past(
    acme: Company, crew: dict[str, Phone], redis_client: Redis
) -> None:
    before = count(acme, NOON - minutes(30))
    assert everybody(before)["no_signal"] == 1
    crew["silent"].send(away(crew["silent"], NOON - minutes(60), NOON, east_m=5_000))
    worker(acme, redis_client).run_until_idle()
    after = count(acme, NOON - minutes(30))
    assert everybody(after) == {"on_post": 2, "off_post": 2}
    assert max(tally.total() for tally in after.cells.values()) == 2


@pytest.mark.parametrize("when", ["now", "past"])
def test_nobody_off_duty_appears_even_before_the_engine_knows(
    acme: Company, crew: dict[str, Phone], when: str
) -> None:
    at = NOON - minutes(5)
    with acme.transaction() as session:
        excuse(
            session,
            acme.clock,
            tenant_id=acme.tenant_id,
            employee_id=crew["here"].employee_id,
            kind=ExcusalKind.LEAVE,
            starts_at=NOON - minutes(60),
            ends_at=NOON + minutes(60),
        )
        cancel_assignment(
            session, acme.clock, tenant_id=acme.tenant_id, entry_id=crew["far"].entry_id
        )
    assert everybody(count(acme, at, when=when)) == {"on_post": 1, "no_signal": 1}


@pytest.mark.usefixtures("crew")
def test_a_box_narrows_hexagons_and_leaves_units_whole(acme: Company) -> None:
    near = Box(LON_DEG - 0.01, LAT_DEG - 0.01, LON_DEG + 0.01, LAT_DEG + 0.01)
    for when in ("now", "past"):
        found = count(acme, NOON - minutes(1), when=when, box=near)
        assert (found.people, found.placed) == (4, 3)


@pytest.mark.usefixtures("crew")
def test_too_many_hexagons_become_larger_ones(acme: Company) -> None:
    fine = count(acme, NOON - minutes(1), resolution=11)
    assert (fine.resolution, len(fine.cells)) == (11, 2)
    coarse = count(acme, NOON - minutes(1), resolution=11, most=1)
    assert coarse.resolution < 8
    assert [tally.total() for tally in coarse.cells.values()] == [4]
    assert coarse.people == fine.people


@pytest.mark.usefixtures("crew")
@pytest.mark.parametrize("when", ["now", "past"])
def test_areas_count_by_themselves(acme: Company, when: str) -> None:
    lon, lat = destination(lon_deg=LON_DEG, lat_deg=LAT_DEG, azimuth_deg=90.0, distance_m=5_000)
    post, away_from, nowhere = (
        shapely.box(x - 0.003, y - 0.003, x + 0.003, y + 0.003)
        for x, y in ((LON_DEG, LAT_DEG), (lon, lat), (0.0, 0.0))
    )
    both = shapely.union_all([post, away_from])
    with acme.transaction() as session:
        tallies = count_in_areas(
            session,
            Moment(NOON - minutes(1), DAY, is_now=when == "now"),
            tenant_id=acme.tenant_id,
            units=[acme.branch_id],
            areas=[post, away_from, nowhere, both],
        )
    assert [tally.total() for tally in tallies] == [3, 1, 0, 4]
    assert tallies[1] == {"off_post": 1}


@pytest.mark.usefixtures("crew")
def test_units_count_their_own_people_and_sums_go_up(acme: Company) -> None:
    with acme.transaction() as session:
        team = add_unit(
            session,
            acme.clock,
            tenant_id=acme.tenant_id,
            parent_id=acme.branch_id,
            kind=UnitKind.TEAM,
            name="team",
        ).id
    found = count(acme, NOON - minutes(1), units=[acme.branch_id, team])
    assert set(found.units) == {acme.branch_id}
    top = UUID(int=1)
    parents = {top: None, acme.branch_id: top, team: acme.branch_id}
    sums = rolled_up({acme.branch_id: Counter(a=2), team: Counter(a=1, b=1)}, parents)
    assert sums == {top: {"a": 3, "b": 1}, acme.branch_id: {"a": 3, "b": 1}, team: {"a": 1, "b": 1}}
    assert count(acme, NOON - minutes(1), units=[team]).people == 0
    assert count(acme, NOON - minutes(1), units=[]).people == 0


def test_what_can_be_asked_for() -> None:
    assert is_kept(NOON - timedelta(days=29), NOON)
    assert not is_kept(NOON - timedelta(days=31), NOON)
    assert not is_kept(NOON + minutes(1), NOON)
