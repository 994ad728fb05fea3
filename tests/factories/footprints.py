"""Fixes of a day put straight into the database, and the engine run over them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import count

from sqlalchemy import text

from server.db.engine import make_engine, make_session_factory
from server.db.session import unit_of_work
from server.tracking.services import detect_presence_of_day
from tests.factories.desk import DAY, LAT_DEG, LON_DEG, Desk

_keys = count(1)
_INSERT = text(
    """
    INSERT INTO fixes (tenant_id, device_id, fixed_at, msg_key, employee_id, received_at,
        position, accuracy_m, speed_mps, battery_pct, source, flags, via, raw)
    VALUES (:tenant, :device, :at, :key, :employee, :at,
        ST_SetSRID(ST_MakePoint(:lon, :lat), 4326), :accuracy, :speed, :battery, 'gps', 0,
        'mqtt', '')
    """
)

_COMPARED = text(
    """
    INSERT INTO radio_reports (tenant_id, device_id, fixed_at, msg_key, employee_id, received_at,
        cells, wifi, has_fix, via, checked_at, "check", check_detail)
    SELECT f.tenant_id, f.device_id, f.fixed_at, f.msg_key, f.employee_id, f.received_at,
        '[]', '[]', true, 'mqtt', f.received_at, v.verdict,
        '{"distance_m": 9500.0, "radius_m": 500.0, "margin_m": 9000.0}'
    FROM (SELECT *, row_number() OVER (ORDER BY fixed_at) AS no FROM fixes
        WHERE tenant_id = :tenant AND employee_id = :employee) f
    JOIN unnest(CAST(:verdicts AS text[])) WITH ORDINALITY AS v (verdict, no) USING (no)
    """
)


@dataclass(frozen=True, slots=True)
class Step:
    """One fix: minutes after nine o'clock, metres east and north of the post."""

    minute: float
    east_m: float = 0.0
    north_m: float = 0.0
    accuracy_m: float | None = 8.0
    speed_mps: float | None = 0.0


def nine(on: date = DAY) -> datetime:
    """Start of the shift: 09:00 in Shanghai."""
    return datetime.fromisoformat(f"{on}T09:00+08:00")


def tread(desk: Desk, name: str, steps: Iterable[Step]) -> None:
    """Store fixes of somebody's phone, as ingest would have."""
    tenant = desk.alpha
    rows = [
        {
            "tenant": tenant.id,
            "device": tenant.devices[name].device_id,
            "employee": tenant.people[name],
            "at": nine() + timedelta(minutes=step.minute),
            "key": next(_keys),
            "lon": LON_DEG + step.east_m / 55_400.0,
            "lat": LAT_DEG + step.north_m / 111_400.0,
            "accuracy": step.accuracy_m,
            "speed": step.speed_mps,
            "battery": max(5, 90 - int(step.minute / 6)),
        }
        for step in steps
    ]
    engine = make_engine(desk.urls.ingest, pool_size=1)
    try:
        with unit_of_work(make_session_factory(engine), tenant_id=None) as session:
            session.execute(_INSERT, rows)
    finally:
        engine.dispose()


def compared(desk: Desk, name: str, verdicts: Sequence[str]) -> None:
    """Say what cells heard beside somebody's first fixes said of them, one verdict each."""
    engine = make_engine(desk.urls.ingest, pool_size=1)
    try:
        with unit_of_work(make_session_factory(engine), tenant_id=None) as session:
            session.execute(
                _COMPARED,
                {
                    "tenant": desk.alpha.id,
                    "employee": desk.alpha.people[name],
                    "verdicts": list(verdicts),
                },
            )
    finally:
        engine.dispose()


def judge(desk: Desk, name: str, on: date = DAY) -> None:
    """Let the engine derive a person-day."""
    engine = make_engine(desk.urls.engine, pool_size=1)
    try:
        with unit_of_work(make_session_factory(engine), tenant_id=None) as session:
            detect_presence_of_day(
                session,
                desk.clock,
                tenant_id=desk.alpha.id,
                employee_id=desk.alpha.people[name],
                work_on=on,
            )
    finally:
        engine.dispose()


def absence(*, leaves: float = 60, returns: float = 85, until: float = 180) -> list[Step]:
    """A morning at the post with one absence 400 m away, a fix a minute.

    Between minute 120 and 140 the phone is silent.
    """
    steps = []
    for minute in range(-4, int(until)):
        if 120 < minute < 140:
            continue
        away = 0.0
        if leaves <= minute < returns:
            away = min(minute - leaves + 1, returns - minute, 4) * 120.0
        steps.append(
            Step(
                minute,
                east_m=away,
                north_m=(minute % 5) * 3.0 + away / 3,
                speed_mps=2.0 if 0 < away < 480 else 0.1,
            )
        )
    return steps
