"""Which touched days need no new judgement yet: one more fix where everybody knows one is.

Most fixes confirm what holds: a person at the post is at the post. For them a whole day is
not judged again with every fix; a look at the new fixes suffices. This decides only when to
judge, never what is true: within two minutes, at the next timer and at the end of duty the
day is judged in full from all its fixes.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from geo.fix import NOT_EVIDENCE, Source
from server.clock import Clock
from server.findings.rules import DayKey
from server.posts.queries import FenceVersion, fence_histories

SETTLED_FOR: Final = timedelta(minutes=2)
"""A day is judged in full at least this often while fixes arrive."""

_Where = tuple[DayKey, UUID | None]
_FINE_M: Final = 100.0
_FINE_SOURCES: Final = frozenset({Source.GPS.value, Source.WIFI.value})

# Only what was judged lately, is not due, and was touched by nothing older than that.
_NEW_FIXES: Final = text(
    """
    SELECT w.no, p.post_id, ST_X(f.position) AS lon, ST_Y(f.position) AS lat, f.accuracy_m,
        f.source, f.flags
    FROM unnest(CAST(:numbers AS int[]), CAST(:tenants AS int[]), CAST(:people AS uuid[]),
            CAST(:dates AS date[]), CAST(:since AS timestamptz[]))
        AS w (no, tenant_id, employee_id, work_on, since_at)
    JOIN presence_now p ON p.tenant_id = w.tenant_id AND p.employee_id = w.employee_id
        AND p.work_on = w.work_on
    JOIN devices d ON d.tenant_id = w.tenant_id AND d.employee_id = w.employee_id
    JOIN fixes f ON f.tenant_id = d.tenant_id AND f.device_id = d.id
        AND f.fixed_at > p.as_of_at AND f.fixed_at <= :now AND f.fixed_at > :earliest
    WHERE w.since_at > p.as_of_at AND p.as_of_at > :earliest AND p.due_at > :now
      AND (p.state = 'inside' OR p.post_id IS NULL)
    """
)


@dataclass(frozen=True, slots=True)
class _NewFix:
    lon_deg: float
    lat_deg: float
    accuracy_m: float | None
    source: str
    flags: int


def leave_settled(
    session: Session, clock: Clock, *, since: Mapping[DayKey, datetime]
) -> list[DayKey]:
    """Return the days of a claim that have to be judged now.

    Parameters
    ----------
    since : days and the earliest instant each was touched for.

    Returns
    -------
    All but the days whose person was seen inside, or is expected nowhere, less than two
    minutes ago, and all of whose newer fixes say the same beyond doubt. Two statements.
    """
    now = clock.now()
    days = list(since)
    found: defaultdict[_Where, list[_NewFix]] = defaultdict(list)
    for no, post_id, *fix in session.execute(
        _NEW_FIXES,
        {
            "numbers": list(range(len(days))),
            "tenants": [day.tenant_id for day in days],
            "people": [day.employee_id for day in days],
            "dates": [day.work_on for day in days],
            "since": [since[day] for day in days],
            "now": now,
            "earliest": now - SETTLED_FOR,
        },
    ):
        found[days[no], post_id].append(_NewFix(*fix))
    fences = fence_histories(
        session,
        tenant_ids={day.tenant_id for day, _ in found},
        post_ids={post_id for _, post_id in found if post_id is not None},
    )
    settled = {
        day
        for (day, post_id), fixes in found.items()
        if all(_is_credible(fix) for fix in fixes)
        and (post_id is None or _all_inside(fixes, fences.get(post_id, ()), now))
    }
    return [day for day in days if day not in settled]


def _is_credible(fix: _NewFix) -> bool:
    return (
        not fix.flags & int(NOT_EVIDENCE)
        and fix.source in _FINE_SOURCES
        and fix.accuracy_m is not None
        and 0.0 < fix.accuracy_m <= _FINE_M
    )


def _all_inside(fixes: Sequence[_NewFix], versions: Sequence[FenceVersion], now: datetime) -> bool:
    holding = [v for v in versions if v.valid_from_at <= now]
    if not holding:
        return False
    edge_m = holding[-1].geofence.signed_distances_m(
        [fix.lon_deg for fix in fixes], [fix.lat_deg for fix in fixes]
    )
    return all(
        distance + (fix.accuracy_m or 0.0) <= 0.0
        for distance, fix in zip(edge_m.tolist(), fixes, strict=True)
    )
