"""Everything the engine has to know of some person-days, loaded in a handful of statements."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from typing import Any, Final, cast
from uuid import UUID

import numpy as np
from sqlalchemy import text
from sqlalchemy.orm import Session

from geo.fix import SOURCES, FixArray, QualityFlag
from geo.gaps import GapCause, GapSign
from geo.policy import Policy as GeoPolicy
from server.db.geometry import lat_sql, lon_sql
from server.findings.rules import DayKey
from server.posts.queries import (
    DutyWindow,
    ExcusalView,
    FenceVersion,
    duty_policies,
    duty_windows,
    excusals_of_people,
    fence_histories,
    geo_policies,
)
from server.tracking.rules import LiveThresholds

_Span = tuple[datetime, datetime]


@dataclass(frozen=True, slots=True, eq=False)
class DayFacts:
    """What is known of one person's work date.

    Attributes
    ----------
    windows : duty windows in time order; empty when leave covers all, or nothing is rostered.
    fences : versions of the posts in them, oldest first, by post.
    excusals : those in force that meet a window.
    fixes : of all the person's devices, from shortly before the first window to the end of
        the last; keys are 16 hexadecimal digits.
    signs : what else explains a silence.
    policy, thresholds : in force when the first shift started.
    """

    key: DayKey
    windows: Sequence[DutyWindow]
    fences: Mapping[UUID, Sequence[FenceVersion]]
    excusals: Sequence[ExcusalView]
    fixes: FixArray
    signs: Sequence[GapSign]
    policy: GeoPolicy
    thresholds: LiveThresholds


def load_facts(session: Session, days: Sequence[DayKey]) -> list[DayFacts]:
    """Return the facts of person-days, in the order given.

    Nine statements for any number of days.
    """
    windows = _windows(session, days)
    tenants = sorted({day.tenant_id for day in days})
    policies = geo_policies(session, tenant_ids=tenants)
    duty = duty_policies(session)
    every = [window for found in windows.values() for window in found]
    fences = fence_histories(
        session,
        tenant_ids=tenants,
        post_ids={window.post_id for window in every if window.post_id is not None},
    )
    excusals = _excusals(session, every)
    spans = {day: (found[0].opens_at, found[-1].ends_at) for day, found in windows.items() if found}
    chosen = {
        day: policies.at(day.tenant_id, found[0].starts_at if found else _midnight(day))
        for day, found in windows.items()
    }
    reach = {
        day: (start - timedelta(seconds=chosen[day].presence.max_gap_s), end)
        for day, (start, end) in spans.items()
    }
    fixes = load_fixes(session, reach)
    signs = _signs(session, reach)
    facts = []
    for day in days:
        found = windows[day]
        limits = duty.at(day.tenant_id, found[0].starts_at if found else _midnight(day))
        facts.append(
            DayFacts(
                key=day,
                windows=found,
                fences=fences,
                excusals=[
                    e
                    for e in excusals[day.tenant_id, day.employee_id]
                    if any(e.starts_at < w.ends_at and e.ends_at > w.starts_at for w in found)
                ],
                fixes=for_judgement(fixes[day]) if day in fixes else _no_fixes(),
                signs=signs[day],
                policy=chosen[day],
                thresholds=LiveThresholds(limits.stale_s, limits.no_signal_s),
            )
        )
    return facts


def load_fixes(session: Session, spans: Mapping[DayKey, _Span]) -> dict[DayKey, FixArray]:
    """Return the fixes of people over half-open spans, from all their devices, as columns.

    One statement; a thousand fixes take about two milliseconds.
    """
    if not spans:
        return {}
    days = list(spans)
    rows = session.execute(
        _FIXES,
        {
            "numbers": list(range(len(days))),
            "tenants": [day.tenant_id for day in days],
            "people": [day.employee_id for day in days],
            "starts": [spans[day][0] for day in days],
            "ends": [spans[day][1] for day in days],
            "first": min(start for start, _ in spans.values()),
            "last": max(end for _, end in spans.values()),
            "sources": [source.value for source in SOURCES],
        },
    )
    packed = {days[no]: bytes(payload) for no, payload in rows}
    return {day: _columns(np.frombuffer(packed.get(day, b""), dtype=_ROW)) for day in days}


# Doubts that depend on when and beside what a fix arrived: for people, not for verdicts,
# which are the same in whatever order facts come.
_OF_ARRIVAL: Final = (
    QualityFlag.LATE
    | QualityFlag.JUMP
    | QualityFlag.FROZEN
    | QualityFlag.CLOCK
    | QualityFlag.DUPLICATE
)
# What the query packs, in network byte order.
_ROW: Final = np.dtype(
    [
        ("fixed_s", ">f8"),
        ("lon", ">f8"),
        ("lat", ">f8"),
        ("accuracy_m", ">f8"),
        ("speed_mps", ">f8"),
        ("battery_pct", ">f8"),
        ("source", ">i4"),
        ("flags", ">i4"),
        ("key", ">i8"),
    ]
)
# One row a person with all fixes packed: fetching them one by one costs ten times as much.
_FIXES: Final = text(
    f"""
    SELECT w.no, string_agg(
        float8send(extract(epoch FROM f.fixed_at)::float8)
        || float8send({lon_sql("f.position")}) || float8send({lat_sql("f.position")})
        || float8send(coalesce(f.accuracy_m, 'NaN')) || float8send(coalesce(f.speed_mps, 'NaN'))
        || float8send(coalesce(f.battery_pct::float8, 'NaN'))
        || int4send(coalesce(array_position(CAST(:sources AS text[]), f.source::text), 5) - 1)
        || int4send(f.flags) || int8send(f.msg_key), ''::bytea)
    FROM unnest(CAST(:numbers AS int[]), CAST(:tenants AS int[]), CAST(:people AS uuid[]),
            CAST(:starts AS timestamptz[]), CAST(:ends AS timestamptz[]))
        AS w (no, tenant_id, employee_id, starts_at, ends_at)
    JOIN devices d ON d.tenant_id = w.tenant_id AND d.employee_id = w.employee_id
    JOIN fixes f ON f.tenant_id = d.tenant_id AND f.device_id = d.id
        AND f.fixed_at >= w.starts_at AND f.fixed_at < w.ends_at
        AND f.fixed_at >= :first AND f.fixed_at < :last
    GROUP BY w.no
    """  # noqa: S608  # constants
)


def _columns(rows: np.ndarray[Any, np.dtype[Any]]) -> FixArray:
    keys = rows["key"].astype(">i8").tobytes().hex().encode()
    return FixArray.from_arrays(
        epoch_s=rows["fixed_s"].astype(np.float64),
        lon_deg=rows["lon"].astype(np.float64),
        lat_deg=rows["lat"].astype(np.float64),
        accuracy_m=rows["accuracy_m"].astype(np.float64),
        speed_mps=rows["speed_mps"].astype(np.float64),
        battery_pct=rows["battery_pct"].astype(np.float64),
        source=rows["source"].astype(np.int64),
        flags=rows["flags"].astype(np.int64),
        keys=np.frombuffer(keys, dtype="S16").astype("U16"),
    )


def for_judgement(fixes: FixArray) -> FixArray:
    """Return fixes without the doubts that depend on how they arrived."""
    return replace(fixes, flags=fixes.flags & ~int(_OF_ARRIVAL))


def _no_fixes() -> FixArray:
    return _columns(np.zeros(0, dtype=_ROW))


def _midnight(day: DayKey) -> datetime:
    return datetime.combine(day.work_on, time(), tzinfo=UTC)


def _windows(session: Session, days: Sequence[DayKey]) -> dict[DayKey, list[DutyWindow]]:
    """Duty windows by day; dates in between are read too, which costs less than a query each."""
    found: dict[DayKey, list[DutyWindow]] = {day: [] for day in days}
    if not days:
        return found
    dates = [day.work_on for day in days]
    first, last = (datetime.combine(on, time(), tzinfo=UTC) for on in (min(dates), max(dates)))
    # Every zone's date, and the start of its shifts, lies within these instants.
    for window in duty_windows(
        session,
        start_at=first - timedelta(hours=14),
        end_at=last + timedelta(hours=38),
        employee_ids={day.employee_id for day in days},
        tenant_ids={day.tenant_id for day in days},
    ):
        key = DayKey(window.tenant_id, window.employee_id, window.work_on)
        if key in found:
            found[key].append(window)
    return found


def _excusals(
    session: Session, windows: Sequence[DutyWindow]
) -> Mapping[tuple[int, UUID], list[ExcusalView]]:
    found: dict[tuple[int, UUID], list[ExcusalView]] = defaultdict(list)
    if windows:
        for excusal in excusals_of_people(
            session,
            tenant_ids={w.tenant_id for w in windows},
            employee_ids={w.employee_id for w in windows},
            start_at=min(w.starts_at for w in windows),
            end_at=max(w.ends_at for w in windows),
        ):
            found[excusal.tenant_id, excusal.employee_id].append(excusal)
    return found


def _signs(session: Session, spans: Mapping[DayKey, _Span]) -> Mapping[DayKey, list[GapSign]]:
    """Last wills: the broker's word that a phone is gone, at the time the broker gave it."""
    found: dict[DayKey, list[GapSign]] = defaultdict(list)
    if not spans:
        return found
    days = list(spans)
    rows = session.execute(
        text(
            """
            SELECT w.no, e.received_at
            FROM unnest(CAST(:numbers AS int[]), CAST(:tenants AS int[]), CAST(:people AS uuid[]),
                    CAST(:starts AS timestamptz[]), CAST(:ends AS timestamptz[]))
                AS w (no, tenant_id, employee_id, starts_at, ends_at)
            JOIN devices d ON d.tenant_id = w.tenant_id AND d.employee_id = w.employee_id
            JOIN device_events e ON e.tenant_id = d.tenant_id AND e.device_id = d.id
                AND e.kind = 'lwt'
                AND e.received_at >= w.starts_at AND e.received_at < w.ends_at
                AND e.at >= w.starts_at - interval '3 days' AND e.at < w.ends_at
            ORDER BY w.no, e.received_at
            """
        ),
        {
            "numbers": list(range(len(days))),
            "tenants": [day.tenant_id for day in days],
            "people": [day.employee_id for day in days],
            "starts": [spans[day][0] for day in days],
            "ends": [spans[day][1] for day in days],
        },
    )
    for no, at in cast("Iterable[tuple[int, datetime]]", rows):
        found[days[no]].append(GapSign(at, GapCause.OFFLINE))
    return found
