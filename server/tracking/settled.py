"""Which touched days need no new judgement yet: one more fix where everybody knows one is.

Most fixes confirm what holds: a person at the post is at the post. For them a whole day is
not judged again with every fix; a look at the new fixes suffices. This decides only when to
judge, never what is true: within two minutes, at the next timer and at the end of duty the
day is judged in full from all its fixes.
"""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from geo.fix import SOURCES, FixArray, Source
from geo.policy import PresencePolicy
from geo.sides import credible, surely_inside
from server.clock import Clock
from server.db.geometry import lat_sql, lon_sql
from server.findings.rules import DayKey
from server.posts.queries import FenceVersion, fence_histories, geo_policies

SETTLED_FOR: Final = timedelta(minutes=2)
"""A day is judged in full at least this often while fixes arrive."""

_Where = tuple[DayKey, UUID | None]
_CODES: Final = {source.value: code for code, source in enumerate(SOURCES)}

# Only what was judged lately, is not due, and was touched by nothing older than that.
_NEW_FIXES: Final = text(
    f"""
    SELECT w.no, p.post_id, {lon_sql("f.position")} AS lon, {lat_sql("f.position")} AS lat,
        f.accuracy_m, f.source, f.flags, extract(epoch FROM f.fixed_at)::float8 AS fixed_s
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
    """  # noqa: S608  # constants
)


@dataclass(frozen=True, slots=True)
class _NewFix:
    lon_deg: float
    lat_deg: float
    accuracy_m: float | None
    source: str
    flags: int
    fixed_s: float


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
    minutes ago, and all of whose newer fixes say the same beyond doubt (`geo.sides`).
    Three statements.
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
    policies = geo_policies(session, tenant_ids={day.tenant_id for day, _ in found})
    settled = {
        day
        for (day, post_id), fixes in found.items()
        if _confirms(
            _columns(fixes),
            None if post_id is None else _holding(fences.get(post_id, ()), now),
            expected=post_id is not None,
            policy=policies.at(day.tenant_id, now).presence,
        )
    }
    return [day for day in days if day not in settled]


def _columns(fixes: Sequence[_NewFix]) -> FixArray:
    unknown = SOURCES.index(Source.UNKNOWN)
    return FixArray.from_arrays(
        epoch_s=[fix.fixed_s for fix in fixes],
        lon_deg=[fix.lon_deg for fix in fixes],
        lat_deg=[fix.lat_deg for fix in fixes],
        accuracy_m=[math.nan if fix.accuracy_m is None else fix.accuracy_m for fix in fixes],
        source=[_CODES.get(fix.source, unknown) for fix in fixes],
        flags=[fix.flags for fix in fixes],
        # None is a copy of another: each has to confirm by itself.
        keys=[str(number) for number in range(len(fixes))],
    )


def _holding(versions: Sequence[FenceVersion], now: datetime) -> FenceVersion | None:
    return next((v for v in reversed(versions) if v.valid_from_at <= now), None)


def _confirms(
    fixes: FixArray, fence: FenceVersion | None, *, expected: bool, policy: PresencePolicy
) -> bool:
    """Whether every fix says that somebody is where they are known to be."""
    if not expected:
        return bool(credible(fixes, policy=policy).all())
    if fence is None:
        return False
    return bool(surely_inside(fixes, fence.geofence, policy=policy).all())
