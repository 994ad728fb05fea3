"""How many people are where, now and at any minute that is kept.

The past comes from `whereabouts` (one row a person and hour), the present from last
positions. Who counts as on duty is always asked of the roster and of leave as they stand, so
that nobody off duty appears, whatever was derived before.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import shapely
from shapely.geometry.base import BaseGeometry
from sqlalchemy import text
from sqlalchemy.orm import Session

from server.db.geometry import lat_sql, lon_sql
from server.posts.queries import duty_policies
from server.posts.rules import CLOSES_DUTY, MAX_GRACE_S
from server.tracking import hexagons
from server.tracking.hexagons import Box
from server.tracking.retention import RAW_RETENTION
from server.tracking.rules import LiveStatus
from server.tracking.whereabouts import STATUS_CODES

MAX_CELLS: Final = 3_000
"""More hexagons than this are counted in larger ones."""
_LONGEST_SHIFT: Final = timedelta(hours=26)
_HOUR: Final = timedelta(hours=1)
_STATUS_OF: Final = {code: status.value for status, code in STATUS_CODES.items()}
_SILENT: Final = STATUS_CODES[LiveStatus.NO_SIGNAL]

Tally = Counter[str]
"""People by status."""


@dataclass(frozen=True, slots=True)
class Moment:
    """The instant asked for: a minute of the past, or now.

    Attributes
    ----------
    at : aware; a whole minute unless it is now.
    on : local date of the tenant, on which membership counts.
    """

    at: datetime
    on: date
    is_now: bool


@dataclass(slots=True)
class Distribution:
    """Counts of people on duty.

    Attributes
    ----------
    resolution : of the hexagons in `cells`.
    units : people by the unit they belong to (not below it).
    cells : people by hexagon; those whose place is not known are in `units` only.
    """

    resolution: int
    units: dict[UUID, Tally] = field(default_factory=dict)
    cells: dict[int, Tally] = field(default_factory=dict)

    @property
    def people(self) -> int:
        """Everybody on duty."""
        return sum(tally.total() for tally in self.units.values())

    @property
    def placed(self) -> int:
        """Those of them in a hexagon of the answer."""
        return sum(tally.total() for tally in self.cells.values())


def is_kept(at: datetime, now: datetime) -> bool:
    """Tell whether a minute can be asked for: not to come, and within retention."""
    return now - RAW_RETENTION <= at <= now


def count_people(
    session: Session,
    moment: Moment,
    *,
    tenant_id: int,
    units: Sequence[UUID],
    resolution: int,
    box: Box | None = None,
    most: int = MAX_CELLS,
) -> Distribution:
    """Count the people of some units by unit and by hexagon. One statement for the past.

    Parameters
    ----------
    units : those whose members are counted; the caller has asked the policy function.
    resolution : wanted size of hexagons; larger ones are taken when there are more than `most`.
    box : only hexagons that reach into it, each with everybody in it; counts of units stay
        whole.
    """
    session.execute(_PLAN_EACH)
    if moment.is_now:
        found = _now(session, moment, tenant_id, units, resolution=resolution)
    else:
        found = _past(session, moment, tenant_id, units, resolution=resolution, box=box)
    if box is not None:
        found.cells = {cell: t for cell, t in found.cells.items() if box.touches(cell)}
    if len(found.cells) <= most or resolution <= hexagons.COARSEST:
        return found
    if box is None:
        while len(found.cells) > most and found.resolution > hexagons.COARSEST:
            found = _coarser(found)
        return found
    # Larger hexagons reach out of what was read for the smaller ones.
    return count_people(
        session,
        moment,
        tenant_id=tenant_id,
        units=units,
        resolution=resolution - 1,
        box=box,
        most=most,
    )


def count_in_areas(
    session: Session,
    moment: Moment,
    *,
    tenant_id: int,
    units: Sequence[UUID],
    areas: Sequence[BaseGeometry],
) -> list[Tally]:
    """Count the people of some units inside drawn areas, each by itself.

    Parameters
    ----------
    areas : polygons in WGS-84 degrees. In the past a person counts where the centre of a
        cell of 307 m² lies, so an edge is right to 11 m.

    Returns
    -------
    One tally an area; somebody in two areas counts in both. One statement an area.
    """
    session.execute(_PLAN_EACH)
    if moment.is_now:
        rows = _positions(session, moment, tenant_id, units)
        return [_tally_of_points(area, rows) for area in areas]
    tallies = []
    for area in areas:
        resolution, cells = hexagons.cover(area)
        keep, add = hexagons.parent_masks(resolution)
        found = session.execute(
            _PAST_CELLS, _past_values(moment, tenant_id, units, keep, add) | {"within": cells}
        ).all()
        tally: Tally = Counter()
        hits = hexagons.inside(area, [row.cell for row in found])
        for row, hit in zip(found, hits, strict=True):
            if hit:
                tally[_STATUS_OF[row.status]] += row.people
        tallies.append(tally)
    return tallies


def rolled_up(
    units: Mapping[UUID, Tally], parents: Mapping[UUID, UUID | None]
) -> dict[UUID, Tally]:
    """Return the people of each unit with everybody below it.

    Parameters
    ----------
    units : people by unit, as counted.
    parents : the unit above each unit that is shown; a unit above that is not shown ends it.
    """
    sums: dict[UUID, Tally] = {unit: Counter() for unit in parents}
    for unit, tally in units.items():
        above: UUID | None = unit
        while above is not None and above in sums:
            sums[above].update(tally)
            above = parents[above]
    return sums


def _past(
    session: Session,
    moment: Moment,
    tenant_id: int,
    units: Sequence[UUID],
    *,
    resolution: int,
    box: Box | None,
) -> Distribution:
    keep, add = hexagons.parent_masks(resolution)
    statement, values = _PAST, _past_values(moment, tenant_id, units, keep, add)
    if box is not None:
        coarse, within = hexagons.cover(box.shape())
        if coarse < resolution:
            statement = _PAST_IN_BOX
            box_keep, box_add = hexagons.parent_masks(coarse)
            values |= {"box_keep": box_keep, "box_add": box_add, "within": within}
    found = Distribution(resolution)
    for row in session.execute(statement, values):
        status = _STATUS_OF[row.status]
        if row.unit_no is not None:
            found.units.setdefault(units[row.unit_no - 1], Counter())[status] += row.people
        elif row.cell is not None:
            found.cells.setdefault(row.cell, Counter())[status] += row.people
    return found


def _now(
    session: Session,
    moment: Moment,
    tenant_id: int,
    units: Sequence[UUID],
    *,
    resolution: int,
) -> Distribution:
    by_unit: Counter[tuple[int, int]] = Counter()
    by_cell: Counter[tuple[int, int]] = Counter()
    for unit_no, status, lon, lat in _positions(session, moment, tenant_id, units):
        by_unit[unit_no, status] += 1
        if lon is not None and lat is not None:
            by_cell[hexagons.cell_of(lon_deg=lon, lat_deg=lat, resolution=resolution), status] += 1
    found = Distribution(resolution)
    for (unit_no, status), count in by_unit.items():
        found.units.setdefault(units[unit_no - 1], Counter())[_STATUS_OF[status]] += count
    for (cell, status), count in by_cell.items():
        found.cells.setdefault(cell, Counter())[_STATUS_OF[status]] += count
    return found


def _positions(
    session: Session, moment: Moment, tenant_id: int, units: Sequence[UUID]
) -> Sequence[tuple[int, int, float | None, float | None]]:
    """Return unit number, status code, lon and lat of everybody on duty now."""
    limits = duty_policies(session).at(tenant_id, moment.at)
    values = _values(moment, tenant_id, units) | {
        "stale": timedelta(seconds=limits.stale_s),
        "silent": timedelta(seconds=limits.no_signal_s),
        "grace": timedelta(seconds=MAX_GRACE_S),
    }
    return [tuple(row) for row in session.execute(_NOW, values)]


def _tally_of_points(
    area: BaseGeometry, rows: Iterable[tuple[int, int, float | None, float | None]]
) -> Tally:
    placed = [(status, lon, lat) for _, status, lon, lat in rows if lon is not None]
    if not placed:
        return Counter()
    statuses, lon, lat = zip(*placed, strict=True)
    hits = shapely.contains_xy(area, lon, lat)
    return Counter(_STATUS_OF[s] for s, hit in zip(statuses, hits, strict=True) if hit)


def _coarser(found: Distribution) -> Distribution:
    larger = Distribution(found.resolution - 1, found.units)
    for cell, tally in found.cells.items():
        above = hexagons.parent(cell, larger.resolution)
        larger.cells.setdefault(above, Counter()).update(tally)
    return larger


def _values(moment: Moment, tenant_id: int, units: Sequence[UUID]) -> dict[str, Any]:
    return {
        "tenant": tenant_id,
        "at": moment.at,
        "on": moment.on,
        "earliest": moment.at - _LONGEST_SHIFT,
        "units": list(units),
    }


def _past_values(
    moment: Moment, tenant_id: int, units: Sequence[UUID], keep: int, add: int
) -> dict[str, Any]:
    hour_at = moment.at.replace(minute=0, second=0, microsecond=0)
    return _values(moment, tenant_id, units) | {
        "hour": hour_at,
        "minute": int((moment.at - hour_at) / _HOUR * 60),
        "keep": keep,
        "add": add,
        "silent_code": _SILENT,
    }


# A plan made once for any units and minute is one for few people: ten times as slow for many.
_PLAN_EACH: Final = text("SET LOCAL plan_cache_mode = 'force_custom_plan'")
_CLOSING: Final = ", ".join(f"'{kind}'" for kind in sorted(kind.value for kind in CLOSES_DUTY))
# Everybody of the units who is on duty at an instant, by the roster and leave as they stand.
# CASE hides the range from the planner, which would expect one member in a hundred and walk
# through indexes person by person, three times as slow for a whole company.
_ON_DUTY: Final = f"""
    SELECT u.no AS unit_no, r.employee_id, r.on_date, r.id AS entry_id, r.post_id,
        r.starts_at AS duty_at
    FROM unnest(CAST(:units AS uuid[])) WITH ORDINALITY AS u (id, no)
    JOIN memberships m ON m.tenant_id = :tenant AND m.unit_id = u.id
        AND CASE WHEN m.during_on @> CAST(:on AS date) THEN true ELSE false END
    JOIN employees e ON e.tenant_id = m.tenant_id AND e.id = m.employee_id
    JOIN roster_entries r ON r.tenant_id = e.tenant_id AND r.employee_id = e.id
    WHERE r.cancelled_at IS NULL
      AND r.starts_at <= :at AND r.starts_at > :earliest AND r.ends_at > :at
      AND (e.left_on IS NULL OR e.left_on > r.on_date)
      AND NOT EXISTS (
        SELECT FROM excusals x
        WHERE x.tenant_id = r.tenant_id AND x.employee_id = r.employee_id
          AND x.withdrawn_at IS NULL AND x.kind IN ({_CLOSING})
          AND x.starts_at <= :at AND x.ends_at > :at)
"""  # noqa: S608  # constants
# The run that holds at the minute; before the first run and after an end nothing is known.
_THEN: Final = f"""
    SELECT d.unit_no, coalesce(nullif(run.status, 0), :silent_code) AS status,
        CASE WHEN run.status > 0 THEN nullif(run.cell, 0) END AS cell
    FROM ({_ON_DUTY}) d
    LEFT JOIN whereabouts w ON w.tenant_id = :tenant AND w.hour_at = :hour
        AND w.employee_id = d.employee_id AND w.work_on = d.on_date
    CROSS JOIN LATERAL (
        SELECT w.statuses[k.no] AS status, w.cells[k.no] AS cell
        FROM (SELECT nullif(width_bucket(CAST(:minute AS smallint), w.minutes), 0) AS no) k
    ) run
"""  # noqa: S608  # constants
_LARGER: Final = "(p.cell & CAST(:keep AS bigint)) | CAST(:add AS bigint)"
_PAST: Final = text(
    f"""
    SELECT p.unit_no, p.status, {_LARGER} AS cell, count(*) AS people FROM ({_THEN}) p
    GROUP BY GROUPING SETS ((p.unit_no, p.status), (p.status, {_LARGER}))
    """  # noqa: S608  # constants
)
_PAST_IN_BOX: Final = text(
    f"""
    WITH people AS MATERIALIZED ({_THEN})
    SELECT p.unit_no, p.status, CAST(NULL AS bigint) AS cell, count(*) AS people
    FROM people p GROUP BY 1, 2
    UNION ALL
    SELECT NULL, p.status, {_LARGER}, count(*) FROM people p
    WHERE (p.cell & CAST(:box_keep AS bigint)) | CAST(:box_add AS bigint)
        = ANY(CAST(:within AS bigint[]))
    GROUP BY 2, 3
    """  # noqa: S608  # constants
)
_PAST_CELLS: Final = text(
    f"""
    SELECT p.cell, p.status, count(*) AS people FROM ({_THEN}) p
    WHERE {_LARGER} = ANY(CAST(:within AS bigint[]))
    GROUP BY 1, 2
    """  # noqa: S608  # constants
)
# As `server.tracking.rules.live_status` says it, and with the same rows as the live map.
_NOW: Final = text(
    f"""
    SELECT d.unit_no,
        CASE WHEN lp.fixed_at IS NULL OR :at - lp.fixed_at > :silent THEN 5
             WHEN :at - lp.fixed_at > :stale THEN 4
             WHEN pn.state = 'inside' THEN 1
             WHEN pn.finding_id IS NOT NULL THEN 2
             ELSE 3 END AS status,
        {lon_sql("lp.position")} AS lon, {lat_sql("lp.position")} AS lat
    FROM ({_ON_DUTY}) d
    LEFT JOIN last_positions lp ON lp.tenant_id = :tenant AND lp.employee_id = d.employee_id
        AND lp.fixed_at > d.duty_at - CAST(:grace AS interval)
        AND (lp.roster_entry_id = d.entry_id OR lp.fixed_at >= d.duty_at)
    LEFT JOIN presence_now pn ON pn.tenant_id = :tenant AND pn.employee_id = d.employee_id
        AND pn.roster_entry_id = d.entry_id
    """  # noqa: S608  # constants
)
