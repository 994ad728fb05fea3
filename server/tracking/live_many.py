"""The live picture of more people than a browser can hold: counts, cells, a window, a page.

Every answer comes from the same rows as `live_map`, and says the same of each person; it only
differs in how much of them leaves the database.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Float,
    Integer,
    Select,
    Subquery,
    case,
    cast,
    func,
    literal,
    or_,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import TIMESTAMP
from sqlalchemy.orm import Session

from server.db.geometry import in_box
from server.posts.queries import duty_policies
from server.tracking.hexagons import Box
from server.tracking.live_map import columns_of, live_query
from server.tracking.models import LastPosition, PresenceState
from server.tracking.rules import LiveStatus, LiveThresholds

MANY: Final = 20_000
"""From more people than this on, a browser gets counts and windows instead of everybody."""
MAX_IN_VIEW: Final = 2_000
"""People of one window; where there are more, it is shown as cells."""
_CELLS_ACROSS_TILE: Final = 4
"""Zoom levels between a tile and a cell: 16 by 16 cells on a tile."""
_SEVERITY: Final = (
    LiveStatus.OFF_POST,
    LiveStatus.NO_SIGNAL,
    LiveStatus.STALE,
    LiveStatus.TRAVELLING,
    LiveStatus.ON_POST,
    LiveStatus.OFF_DUTY,
)
# A whole company is joined by hashing; estimates made for a few would walk through indexes.
_WHOLE: Final = text("SET LOCAL enable_nestloop = off")
_PLAN_EACH: Final = text("SET LOCAL plan_cache_mode = 'force_custom_plan'")


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveCounts:
    """People by status, and how many are expected at a post."""

    counts: dict[str, int]
    rostered: int
    covered: int
    thresholds: LiveThresholds


def people_in_scope(session: Session, scope: Select[UUID]) -> int:
    """Return how many people a scope holds."""
    return int(session.scalar(select(func.count()).select_from(scope.subquery())) or 0)


def live_counts(session: Session, scope: Select[UUID], *, now: datetime) -> LiveCounts:
    """Return exact counts of everybody in scope. One statement beside the policies."""
    thresholds = _thresholds(session, now)
    people = _with_status(scope, now, thresholds)
    _as_a_whole(session)
    counts = {status.value: 0 for status in LiveStatus}
    rostered = 0
    for status, count, posted in session.execute(
        select(people.c.status, func.count(), func.count(people.c.post_id)).group_by(
            people.c.status
        )
    ):
        counts[status] = count
        rostered += posted
    return LiveCounts(
        counts=counts,
        rostered=rostered,
        covered=counts[LiveStatus.ON_POST.value],
        thresholds=thresholds,
    )


def live_cells(
    session: Session,
    scope: Select[UUID],
    *,
    now: datetime,
    zoom: int,
    box: Box,
    statuses: Collection[str],
) -> dict[str, list[Any]]:
    """Count the people in a window by squares of the map, with the middle of those inside.

    Parameters
    ----------
    zoom : of the map, 0 to 22; a square is a sixteenth of a tile wide.
    statuses : people to count; of people off duty no place is known.

    Returns
    -------
    Columns `lon`, `lat` (degrees), `people` and one of people by status.
    """
    people = _with_status(scope, now, _thresholds(session, now))
    _as_a_whole(session)
    scale = literal(float(2 ** (zoom + _CELLS_ACROSS_TILE)), Float)
    across = cast(func.floor((people.c.lon + 180.0) / 360.0 * scale), Integer)
    sine = func.sin(func.radians(people.c.lat))
    mercator = 0.5 - func.ln((1.0 + sine) / (1.0 - sine)) / (4.0 * func.pi())
    down = cast(func.floor(mercator * scale), Integer)
    shown = [status for status in LiveStatus if status.value in statuses]
    query = (
        select(
            func.avg(people.c.lon),
            func.avg(people.c.lat),
            func.count(),
            *(func.count().filter(people.c.status == status.value) for status in LiveStatus),
        )
        .where(
            people.c.lon.between(box.west, box.east),
            people.c.lat.between(max(box.south, -85.0), min(box.north, 85.0)),
            people.c.status.in_([status.value for status in shown]),
        )
        .group_by(across, down)
    )
    columns: dict[str, list[Any]] = {"lon": [], "lat": [], "people": []}
    columns |= {status.value: [] for status in LiveStatus}
    for row in session.execute(query):
        for name, value in zip(columns, row, strict=True):
            columns[name].append(round(value, 5) if isinstance(value, float) else value)
    return columns


def live_view(
    session: Session, scope: Select[UUID], *, now: datetime, box: Box
) -> dict[str, list[Any]] | None:
    """Return the people in a window as columns; None when there are too many to draw."""
    thresholds = _thresholds(session, now)
    session.execute(_PLAN_EACH)
    rows = session.execute(live_query(scope, now).where(_in(box)).limit(MAX_IN_VIEW + 1)).all()
    return None if len(rows) > MAX_IN_VIEW else columns_of(rows, now=now, thresholds=thresholds)


def people_within(session: Session, scope: Select[UUID], *, box: Box, limit: int) -> set[UUID]:
    """Return the people of a scope whose last position lies in a window, at most `limit`."""
    (employee_id,) = scope.selected_columns
    lp = LastPosition.__table__
    near = select(lp.c.employee_id).where(_in(box))
    return set(session.scalars(scope.where(employee_id.in_(near)).limit(limit)))


def live_page(
    session: Session,
    scope: Select[UUID],
    *,
    now: datetime,
    statuses: Collection[str],
    words: str,
    offset: int,
    limit: int,
) -> tuple[int, dict[str, list[Any]]]:
    """Return how many people match, and some of them as columns, the most urgent first.

    Parameters
    ----------
    statuses : of people who match.
    words : each must be in name, unit or post; empty for all.
    """
    thresholds = _thresholds(session, now)
    people = _with_status(scope, now, thresholds)
    _as_a_whole(session)
    matching: list[ColumnElement[bool]] = [people.c.status.in_(sorted(statuses))]
    whole = func.concat_ws(" ", people.c.name, people.c.unit, people.c.post)
    matching += [whole.icontains(word, autoescape=True) for word in words.split()]
    rank = case(
        {status.value: number for number, status in enumerate(_SEVERITY)}, value=people.c.status
    )
    rows = session.execute(
        select(people, func.count().over().label("matching"))
        .where(*matching)
        .order_by(rank, people.c.name, people.c.id)
        .offset(offset)
        .limit(limit)
    ).all()
    total = rows[0].matching if rows else 0
    return total, columns_of(rows, now=now, thresholds=thresholds)


def _in(box: Box) -> ColumnElement[bool]:
    lp = LastPosition.__table__
    return in_box(lp.c.position, west=box.west, south=box.south, east=box.east, north=box.north)


def _as_a_whole(session: Session) -> None:
    session.execute(_WHOLE)
    session.execute(_PLAN_EACH)


def _thresholds(session: Session, now: datetime) -> LiveThresholds:
    policies = duty_policies(session)
    limits = policies.at(next(iter(policies.rows), 0), now)
    return LiveThresholds(limits.stale_s, limits.no_signal_s)


def _with_status(scope: Select[UUID], now: datetime, thresholds: LiveThresholds) -> Subquery:
    """Return the live rows with `server.tracking.rules.live_status` as a column."""
    people = live_query(scope, now).order_by(None).subquery()
    age = cast(now, TIMESTAMP(timezone=True)) - people.c.fixed_at
    status = case(
        (people.c.entry_id.is_(None), LiveStatus.OFF_DUTY.value),
        (
            or_(people.c.fixed_at.is_(None), age > timedelta(seconds=thresholds.no_signal_s)),
            LiveStatus.NO_SIGNAL.value,
        ),
        (age > timedelta(seconds=thresholds.stale_s), LiveStatus.STALE.value),
        (people.c.state == PresenceState.INSIDE, LiveStatus.ON_POST.value),
        (people.c.finding_id.is_not(None), LiveStatus.OFF_POST.value),
        else_=LiveStatus.TRAVELLING.value,
    )
    return select(people, status.label("status")).subquery()
