import random
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import h3.api.basic_int as h3
from hypothesis import given, settings
from hypothesis import strategies as st
from redis import Redis
from sqlalchemy import text

from geo.distance import destination
from geo.fix import NOT_EVIDENCE, Fix, FixArray, QualityFlag, Source
from geo.geofence import Geofence
from geo.policy import Policy
from server.db.types import new_id
from server.findings.rules import DayKey, FindingKind
from server.posts.queries import DutyWindow, FenceVersion
from server.posts.rules import ExcusalKind
from server.posts.services import excuse
from server.tracking.facts import DayFacts
from server.tracking.judgement import DayVerdict, judge_day
from server.tracking.rules import LiveStatus, LiveThresholds, live_status
from server.tracking.whereabouts import (
    AHEAD,
    CELL_RESOLUTION,
    STATUS_CODES,
    HourRuns,
    whereabouts_of,
)
from tests.factories.company import DAY, LAT_DEG, LON_DEG, Company
from tests.factories.phones import NINE, SIX, Phone, at_post, away, minutes, phone, until, worker

POST = new_id()
KEY = DayKey(1, new_id(), DAY)
NAMES = {code: status for status, code in STATUS_CODES.items()}


def window(start: datetime, end: datetime) -> DutyWindow:
    return DutyWindow(
        tenant_id=1,
        employee_id=KEY.employee_id,
        roster_entry_id=new_id(),
        work_on=DAY,
        starts_at=start,
        ends_at=end,
        opens_at=start - minutes(10),
        closes_at=end + minutes(10),
        post_id=POST,
    )


def fix(at: datetime, east_m: float) -> Fix:
    lon, lat = destination(lon_deg=LON_DEG, lat_deg=LAT_DEG, azimuth_deg=90.0, distance_m=east_m)
    return Fix(
        fixed_at=at,
        lon_deg=lon,
        lat_deg=lat,
        accuracy_m=8.0,
        source=Source.GPS,
        key=f"{at.timestamp():.3f}",
    )


def facts(windows: list[DutyWindow], fixes: list[Fix]) -> DayFacts:
    fence = FenceVersion(
        post_id=POST,
        version_id=new_id(),
        version=1,
        valid_from_at=NINE - timedelta(days=1),
        valid_until_at=None,
        geofence=Geofence.circle(lon_deg=LON_DEG, lat_deg=LAT_DEG, radius_m=100.0),
        grace_s=600,
        buffer_m=None,
    )
    return DayFacts(
        key=KEY,
        windows=windows,
        fences={POST: [fence]},
        excusals=[],
        fixes=FixArray.from_fixes(fixes),
        signs=[],
        policy=Policy(),
        thresholds=LiveThresholds(),
    )


def read(hours: list[HourRuns], at: datetime) -> tuple[int, int] | None:
    """The run that holds at a minute, as the query finds it."""
    for hour in hours:
        minute = (at - hour.hour_at).total_seconds() // 60
        if 0 <= minute < 60:
            number = sum(begin <= minute for begin in hour.minutes) - 1
            if number >= 0 and hour.statuses[number]:
                return hour.cells[number], hour.statuses[number]
    return None


def plainly(of: DayFacts, verdict: DayVerdict, at: datetime) -> tuple[int, int] | None:
    """The same, said slowly, one minute and one rule at a time."""
    assert verdict.as_of_at is not None
    held = [w for w in of.windows if w.starts_at <= at < w.ends_at]
    if not held or (not verdict.final and at >= verdict.as_of_at + AHEAD):
        return None
    duty = held[0]
    credible = [
        n
        for n in range(len(of.fixes))
        if duty.opens_at <= of.fixes.fixed_at(n) <= at and not int(of.fixes.flags[n]) & NOT_EVIDENCE
    ]
    newest = credible[-1] if credible else None
    tiles = [
        tile
        for tile in verdict.tiles
        if tile.roster_entry_id == duty.roster_entry_id and tile.starts_at <= at
    ]
    absences = [
        draft.id
        for draft in verdict.drafts
        if draft.kind is FindingKind.OFF_POST
        and draft.roster_entry_id == duty.roster_entry_id
        and draft.starts_at <= at
        and (draft.ends_at is None or at < draft.ends_at)
    ]
    status = live_status(
        on_duty=True,
        presence=tiles[-1].state if tiles else None,
        finding_id=absences[-1] if absences else None,
        fixed_at=None if newest is None else of.fixes.fixed_at(newest),
        now=at,
    )
    cell = 0
    if newest is not None:
        lon, lat = float(of.fixes.lon_deg[newest]), float(of.fixes.lat_deg[newest])
        cell = h3.latlng_to_cell(lat, lon, CELL_RESOLUTION)
    return cell, STATUS_CODES[status]


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32), as_of_min=st.integers(1, 700))
def test_every_minute_says_what_the_live_map_would_have_said(seed: int, as_of_min: int) -> None:
    rng = random.Random(seed)
    # A break within an hour, ends off the minute, silence, an absence, doubtful fixes.
    noon = NINE + timedelta(minutes=rng.uniform(100, 200))
    windows = [
        window(NINE + timedelta(seconds=rng.choice([0, 17])), noon),
        window(noon + timedelta(minutes=rng.choice([3.5, 20, 75])), SIX),
    ]
    fixes, minute = [], -8.0
    while minute < 545:
        east_m = rng.choice([5.0, 15.0, 15.0, 15.0, 300.0, 800.0])
        for _ in range(rng.randint(1, 25)):
            fixes.append(fix(NINE + timedelta(minutes=minute), east_m))
            minute += rng.choice([0.5, 1.0, 2.0])
        minute += rng.choice([0.0, 0.0, 7.0, 40.0])
    of = facts(windows, fixes)
    doubt = int(QualityFlag.MOCK)
    flags = [doubt if rng.random() < 0.05 else 0 for _ in fixes]
    of = replace(of, fixes=replace(of.fixes, flags=of.fixes.flags | flags))
    verdict = judge_day(of, as_of=NINE + timedelta(minutes=as_of_min), with_trajectory=False)
    hours = whereabouts_of(of, verdict)
    if verdict.as_of_at is None:
        assert hours == []
        return
    asked = [NINE + timedelta(minutes=m) for m in range(-30, 600)]
    assert [read(hours, at) for at in asked] == [plainly(of, verdict, at) for at in asked]
    for hour in hours:
        runs = list(zip(hour.cells, hour.statuses, strict=True))
        assert hour.minutes == sorted(set(hour.minutes))
        assert all(a != b for a, b in pairwise(runs))


def test_a_shift_shorter_than_a_minute_has_no_minute() -> None:
    of = facts([window(NINE + timedelta(seconds=5), NINE + timedelta(seconds=50))], [])
    assert whereabouts_of(of, judge_day(of, as_of=SIX)) == []


def rows(acme: Company) -> list[Any]:
    with acme.engine_transaction() as session:
        return list(
            session.execute(
                text(
                    "SELECT employee_id, hour_at, minutes, cells, statuses, xmin::text"
                    " FROM whereabouts ORDER BY employee_id, hour_at"
                )
            )
        )


def status_at(acme: Company, who: Phone, at: datetime) -> LiveStatus | None:
    mine = [HourRuns(*row[1:5]) for row in rows(acme) if row.employee_id == who.employee_id]
    found = read(mine, at)
    return None if found is None else NAMES[found[1]]


def test_the_engine_writes_the_past_and_late_fixes_correct_it(
    acme: Company, redis_client: Redis
) -> None:
    engine, who = worker(acme, redis_client), phone(acme)
    who.send(at_post(who, NINE, NINE + minutes(60)))
    until(acme, engine, NINE + minutes(200), step=minutes(20))
    assert status_at(acme, who, NINE + minutes(30)) is LiveStatus.ON_POST
    assert status_at(acme, who, NINE + minutes(66)) is LiveStatus.STALE
    assert status_at(acme, who, NINE + minutes(120)) is LiveStatus.NO_SIGNAL
    assert status_at(acme, who, SIX - minutes(1)) is None
    # The phone had been out of coverage, away from the post; it sends hours later.
    who.send(away(who, NINE + minutes(60), NINE + minutes(150)))
    engine.run_until_idle()
    assert status_at(acme, who, NINE + minutes(120)) is LiveStatus.OFF_POST
    assert status_at(acme, who, NINE + minutes(30)) is LiveStatus.ON_POST


def test_hours_that_stay_as_they_are_are_not_written_again(
    acme: Company, redis_client: Redis
) -> None:
    engine, who = worker(acme, redis_client), phone(acme)
    who.send(at_post(who, NINE, NINE + minutes(170)))
    until(acme, engine, NINE + minutes(170), step=minutes(20))
    before = {row.hour_at: row.xmin for row in rows(acme)}
    who.send(at_post(who, NINE + minutes(170), NINE + minutes(175)))
    until(acme, engine, NINE + minutes(176))
    after = {row.hour_at: row.xmin for row in rows(acme)}
    assert {hour for hour in before if before[hour] == after[hour]} == {NINE, NINE + minutes(60)}


def test_leave_that_is_approved_afterwards_takes_the_past_away(
    acme: Company, redis_client: Redis
) -> None:
    engine, who = worker(acme, redis_client), phone(acme)
    who.send(at_post(who, NINE, SIX))
    until(acme, engine, SIX + minutes(5), step=minutes(60))
    assert status_at(acme, who, NINE + minutes(90)) is LiveStatus.ON_POST
    with acme.transaction() as session:
        excuse(
            session,
            acme.clock,
            tenant_id=acme.tenant_id,
            employee_id=who.employee_id,
            kind=ExcusalKind.LEAVE,
            starts_at=NINE + minutes(60),
            ends_at=NINE + minutes(120),
        )
    engine.run_until_idle()
    assert status_at(acme, who, NINE + minutes(90)) is None
    assert status_at(acme, who, NINE + minutes(30)) is LiveStatus.ON_POST
    assert status_at(acme, who, NINE + minutes(130)) is LiveStatus.ON_POST


def test_nothing_is_written_of_somebody_who_is_not_on_duty(
    acme: Company, redis_client: Redis
) -> None:
    engine, who = worker(acme, redis_client), phone(acme)
    who.send(at_post(who, NINE - minutes(10), NINE))
    acme.hire("no shift")
    until(acme, engine, NINE - minutes(1), step=minutes(20))
    assert rows(acme) == []
