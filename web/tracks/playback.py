"""A day in the form the player reads: everything on one axis of epoch seconds."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from geo.geofence import Geofence
from server.posts.queries import fence_at
from server.tracking.queries import (
    CellChecks,
    CellCheckView,
    Day,
    FixColumns,
    cell_checks,
    checked_fixes,
    fixes_of_day,
)
from web.posts.shapes import feature


def playback(session: Session, day: Day, *, tenant_id: int, zone: str) -> dict[str, Any]:
    """Return one day for the player.

    Parameters
    ----------
    session : transaction inside the tenant's wall.
    day : of a person the reader may see; the look is noted.
    zone : IANA name, used when nothing was rostered.

    Returns
    -------
    `start`, `end` (epoch seconds; the axis), `zone`, `fixes` as columns, `presence`,
    `segments` (stops, trips, gaps that tile the day so far), `findings`, `duty`, `posts`
    as GeoJSON, `distance_m` {low, mid, high} or None, `coverage`, `final`, `cells` (what the
    cells heard said of the fixes: counts and the worst case, None when nothing was compared).
    """
    fixes = fixes_of_day(session, day.employee_id, day.work_on)
    fences = _fences(session, day)
    trajectory = day.summary.get("trajectory", {})
    start, end = _axis(day, fixes)
    span: dict[str, Any] = {}
    if day.windows:
        span = {
            "tenant_id": tenant_id,
            "employee_id": day.employee_id,
            "start_at": day.windows[0].opens_at,
            "end_at": day.windows[-1].closes_at,
        }
    checks = cell_checks(session, **span) if span else None
    return {
        "person": {"id": str(day.employee_id), "name": day.employee_name},
        "day": day.work_on.isoformat(),
        "zone": day.assignments[0].zone if day.assignments else zone,
        "start": start,
        "end": end,
        "as_of": day.as_of_at.timestamp() if day.as_of_at else None,
        "final": day.final,
        "duty": [[w.starts_at.timestamp(), w.ends_at.timestamp()] for w in day.windows],
        "presence": [
            {
                "state": p.state.value,
                "start": p.starts_at.timestamp(),
                "end": p.ends_at.timestamp(),
                "inferred": p.inferred,
                "cause": p.cause,
                "probability": p.probability,
            }
            for p in day.presence
        ],
        "segments": [_segment(s, fences) for s in trajectory.get("segments", [])],
        "findings": [
            {
                "id": str(f.id),
                "kind": f.kind.value,
                "state": f.state.value,
                "start": f.starts_at.timestamp(),
                "end": f.ends_at.timestamp() if f.ends_at else None,
                "distance_m": f.distance_m,
            }
            for f in day.findings
        ],
        "posts": {
            "type": "FeatureCollection",
            "features": [feature(f, id_=str(i), name=n) for i, n, f in fences],
        },
        "distance_m": trajectory.get("distance_m"),
        "coverage": day.summary.get("coverage"),
        "cells": _summed(checks),
        "fixes": _columns(fixes, checked_fixes(session, **span) if checks else {}),
    }


def _summed(checks: CellChecks | None) -> dict[str, Any] | None:
    if checks is None:
        return None
    worst = checks.worst
    return {
        "plausible": checks.plausible,
        "strained": checks.strained,
        "impossible": checks.impossible,
        "worst": None
        if worst is None
        else {
            "at": worst.fixed_at.timestamp(),
            "verdict": worst.verdict.value,
            "distance_m": worst.distance_m,
            "radius_m": worst.radius_m,
            "margin_m": worst.margin_m,
        },
    }


def _axis(day: Day, fixes: FixColumns) -> tuple[float, float]:
    starts = [w.starts_at.timestamp() for w in day.windows] + fixes.fixed_at[:1]
    ends = fixes.fixed_at[-1:]
    if day.as_of_at and day.windows:
        ends.append(min(day.as_of_at, day.windows[-1].ends_at).timestamp())
    if not starts or not ends:
        return 0.0, 0.0
    return min(starts), max(ends)


def _fences(session: Session, day: Day) -> list[tuple[UUID, str, Geofence]]:
    found: dict[UUID, tuple[UUID, str, Geofence]] = {}
    for assignment in day.assignments:
        if assignment.post_id is None or assignment.post_id in found:
            continue
        held = fence_at(session, assignment.post_id, assignment.ends_at)
        if held is not None:
            name = assignment.post_name or ""
            found[assignment.post_id] = (assignment.post_id, name, held.geofence)
    return list(found.values())


def _segment(
    segment: dict[str, Any], fences: Iterable[tuple[UUID, str, Geofence]]
) -> dict[str, Any]:
    shown = {**segment, "start": _epoch(segment["start"]), "end": _epoch(segment["end"])}
    if segment["kind"] == "stop":
        shown["post"] = next(
            (n for _, n, f in fences if f.covers(lon_deg=segment["lon"], lat_deg=segment["lat"])),
            None,
        )
    return shown


def _epoch(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def _columns(fixes: FixColumns, checks: Mapping[str, CellCheckView]) -> dict[str, Any]:
    checked = [checks.get(key) for key in fixes.key]
    return {
        "at": fixes.fixed_at,
        "lon": [round(v, 6) for v in fixes.lon],
        "lat": [round(v, 6) for v in fixes.lat],
        "accuracy_m": fixes.accuracy_m,
        "speed_mps": fixes.speed_mps,
        "battery_pct": fixes.battery_pct,
        "source": fixes.source,
        "flags": [list(f) for f in fixes.flags],
        "cells": [None if c is None else c.verdict.value for c in checked],
        "beyond_cells_m": [None if c is None else c.margin_m for c in checked],
        "total": fixes.total,
    }
