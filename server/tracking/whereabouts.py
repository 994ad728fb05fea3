"""Where one person was at each minute on duty: the engine's answer in runs, one row an hour.

A picture of a whole company at a minute in the past reads one row a person this way, instead
of looking for each person's newest fix among all fixes of the day.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import h3.api.basic_int as h3
import numpy as np
import numpy.typing as npt
from sqlalchemy import text
from sqlalchemy.orm import Session

from geo.fix import NOT_EVIDENCE, FixArray
from server.findings.rules import DayKey, FindingKind
from server.posts.queries import DutyWindow
from server.tracking.facts import DayFacts
from server.tracking.judgement import DayVerdict
from server.tracking.rules import LiveStatus, LiveThresholds, PresenceState

CELL_RESOLUTION: Final = 12
"""Cells of some 307 m²: the centre is within 11 m of any place inside."""
STATUS_CODES: Final = {
    LiveStatus.ON_POST: 1,
    LiveStatus.OFF_POST: 2,
    LiveStatus.TRAVELLING: 3,
    LiveStatus.STALE: 4,
    LiveStatus.NO_SIGNAL: 5,
}
"""How rows number statuses; 0 ends what is known."""
AHEAD: Final = timedelta(minutes=10)
"""While duty lasts, silence is written this far ahead; the engine looks every five minutes."""

_MINUTE_S: Final = 60
_HOUR_S: Final = 3600
_UNKNOWN, _INSIDE, _OUTSIDE = 0, 1, 2
_STATES: Final = {
    PresenceState.UNKNOWN: _UNKNOWN,
    PresenceState.INSIDE: _INSIDE,
    PresenceState.OUTSIDE: _OUTSIDE,
}
_Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class HourRuns:
    """One hour; see `server.tracking.distribution_models.WhereaboutsRow`."""

    hour_at: datetime
    minutes: list[int]
    cells: list[int]
    statuses: list[int]


def whereabouts_of(facts: DayFacts, verdict: DayVerdict) -> list[HourRuns]:
    """Return where a person was at each whole minute of duty, in hours.

    At minute `t` stands the newest credible fix of the duty up to and including `t`, with the
    status the live map would have shown with what is known now: late fixes count at the time
    they are of, an absence counts from its start and not from when it was noticed.

    Parameters
    ----------
    facts : the day's facts.
    verdict : what `judge_day` made of them.

    Returns
    -------
    Hours in order, none without duty. While duty lasts they reach `AHEAD` beyond the
    watermark, as if nothing more were heard. O(n); about 0.3 ms for a shift.
    """
    if verdict.as_of_at is None:
        return []
    known = facts.fixes.take((~facts.fixes.has(NOT_EVIDENCE)).nonzero()[0])
    until = None if verdict.final else verdict.as_of_at + AHEAD
    parts = [
        _of_window(window, known, verdict, facts.thresholds, until)
        for window in facts.windows
        if window.starts_at < (until or window.ends_at)
    ]
    if not parts:
        return []
    at_s, cells, statuses = (np.concatenate(column) for column in zip(*parts, strict=True))
    return _hours(at_s, cells, statuses)


def replace_whereabouts(
    session: Session, days: Sequence[tuple[DayKey, Sequence[HourRuns]]]
) -> None:
    """Replace the hours of person-days; what stays as it was is not written again.

    Two statements whatever the number of days.
    """
    rows = [(key, hour) for key, hours in days for hour in hours]
    parameters: dict[str, Any] = {
        "day_tenants": [key.tenant_id for key, _ in days],
        "day_people": [key.employee_id for key, _ in days],
        "day_dates": [key.work_on for key, _ in days],
        "tenants": [key.tenant_id for key, _ in rows],
        "people": [key.employee_id for key, _ in rows],
        "dates": [key.work_on for key, _ in rows],
        "hours": [hour.hour_at for _, hour in rows],
    }
    session.execute(_DELETE, parameters)
    if rows:
        session.execute(
            _WRITE,
            parameters
            | {
                "minutes": [_literal(hour.minutes) for _, hour in rows],
                "cells": [_literal(hour.cells) for _, hour in rows],
                "statuses": [_literal(hour.statuses) for _, hour in rows],
            },
        )


def _of_window(
    window: DutyWindow,
    known: FixArray,
    verdict: DayVerdict,
    thresholds: LiveThresholds,
    until: datetime | None,
) -> tuple[_Ints, _Ints, _Ints]:
    """Return minutes as epoch seconds, cells and status codes of one duty window."""
    end = window.ends_at if until is None else min(window.ends_at, until)
    first_s = -(-window.starts_at.timestamp() // _MINUTE_S) * _MINUTE_S
    at_s = np.arange(first_s, end.timestamp(), _MINUTE_S, dtype=np.float64)
    of_duty = known.between(window.opens_at, end)
    newest = np.searchsorted(of_duty.epoch_s, at_s, side="right") - 1
    seen = newest >= 0
    age_s = np.where(seen, at_s - of_duty.epoch_s[newest] if len(of_duty) else 0.0, np.inf)
    state = _states(window, verdict, at_s)
    status = np.full(len(at_s), STATUS_CODES[LiveStatus.TRAVELLING], dtype=np.int64)
    status[_in_finding(window, verdict, at_s)] = STATUS_CODES[LiveStatus.OFF_POST]
    status[state == _INSIDE] = STATUS_CODES[LiveStatus.ON_POST]
    status[age_s > thresholds.stale_s] = STATUS_CODES[LiveStatus.STALE]
    status[age_s > thresholds.no_signal_s] = STATUS_CODES[LiveStatus.NO_SIGNAL]
    return at_s.astype(np.int64), _cells(of_duty, newest), status


def _cells(fixes: FixArray, newest: npt.NDArray[np.intp]) -> _Ints:
    """Return the cell of the fix with each number; 0 for numbers below 0."""
    numbers, back = np.unique(newest, return_inverse=True)
    found = [
        h3.latlng_to_cell(float(fixes.lat_deg[n]), float(fixes.lon_deg[n]), CELL_RESOLUTION)
        if n >= 0
        else 0
        for n in numbers
    ]
    return np.array(found, dtype=np.int64)[back]


def _states(window: DutyWindow, verdict: DayVerdict, at_s: npt.NDArray[np.float64]) -> _Ints:
    """Return the presence at each minute; the last one lasts until something else is known."""
    tiles = [tile for tile in verdict.tiles if tile.roster_entry_id == window.roster_entry_id]
    if not tiles:
        return np.full(len(at_s), _UNKNOWN, dtype=np.int64)
    tiles.sort(key=lambda tile: tile.starts_at)
    starts = np.array([tile.starts_at.timestamp() for tile in tiles])
    codes = np.array([_UNKNOWN, *(_STATES[tile.state] for tile in tiles)], dtype=np.int64)
    return codes[np.searchsorted(starts, at_s, side="right")]


def _in_finding(
    window: DutyWindow, verdict: DayVerdict, at_s: npt.NDArray[np.float64]
) -> npt.NDArray[np.bool_]:
    inside = np.zeros(len(at_s), dtype=np.bool_)
    for draft in verdict.drafts:
        if draft.kind is FindingKind.OFF_POST and draft.roster_entry_id == window.roster_entry_id:
            ends_s = np.inf if draft.ends_at is None else draft.ends_at.timestamp()
            inside |= (at_s >= draft.starts_at.timestamp()) & (at_s < ends_s)
    return inside


def _hours(at_s: _Ints, cells: _Ints, statuses: _Ints) -> list[HourRuns]:
    """Cut minutes in time order into hours, and each hour into runs of equal answers."""
    if not len(at_s):
        return []
    hour = at_s // _HOUR_S
    follows = np.concatenate(([False], np.diff(at_s) == _MINUTE_S))
    same_hour = np.concatenate(([False], np.diff(hour) == 0))
    same = np.concatenate(([False], (np.diff(cells) == 0) & (np.diff(statuses) == 0)))
    begins = ~(follows & same_hour & same)
    ends = np.concatenate((~follows[1:], [True]))
    found: list[HourRuns] = []
    for i in (begins | ends).nonzero()[0]:
        number = int(hour[i])
        if not found or found[-1].hour_at.timestamp() != number * _HOUR_S:
            found.append(HourRuns(datetime.fromtimestamp(number * _HOUR_S, UTC), [], [], []))
        runs, minute = found[-1], int(at_s[i] % _HOUR_S) // _MINUTE_S
        if begins[i]:
            _append(runs, minute, int(cells[i]), int(statuses[i]))
        if ends[i] and minute < _HOUR_S // _MINUTE_S - 1:
            _append(runs, minute + 1, 0, 0)
    return found


def _append(runs: HourRuns, minute: int, cell: int, status: int) -> None:
    runs.minutes.append(minute)
    runs.cells.append(cell)
    runs.statuses.append(status)


def _literal(values: Sequence[int]) -> str:
    """Return an array as PostgreSQL reads it; arrays of unequal length cannot be unnested."""
    return "{" + ",".join(map(str, values)) + "}"


_DELETE: Final = text(
    """
    DELETE FROM whereabouts w
    USING unnest(CAST(:day_tenants AS int[]), CAST(:day_people AS uuid[]),
            CAST(:day_dates AS date[])) AS d (tenant_id, employee_id, work_on)
    WHERE w.tenant_id = d.tenant_id AND w.employee_id = d.employee_id AND w.work_on = d.work_on
      -- Hashed once; NOT EXISTS compares each row with each of those that stay.
      AND (w.tenant_id, w.employee_id, w.work_on, w.hour_at) NOT IN (
        SELECT * FROM unnest(CAST(:tenants AS int[]), CAST(:people AS uuid[]),
            CAST(:dates AS date[]), CAST(:hours AS timestamptz[])))
    """
)
_WRITE: Final = text(
    """
    INSERT INTO whereabouts AS w
        (tenant_id, employee_id, work_on, hour_at, minutes, cells, statuses)
    SELECT n.tenant_id, n.employee_id, n.work_on, n.hour_at, CAST(n.minutes AS smallint[]),
        CAST(n.cells AS bigint[]), CAST(n.statuses AS smallint[])
    FROM unnest(CAST(:tenants AS int[]), CAST(:people AS uuid[]), CAST(:dates AS date[]),
            CAST(:hours AS timestamptz[]), CAST(:minutes AS text[]), CAST(:cells AS text[]),
            CAST(:statuses AS text[]))
        AS n (tenant_id, employee_id, work_on, hour_at, minutes, cells, statuses)
    ON CONFLICT (tenant_id, hour_at, employee_id, work_on) DO UPDATE SET
        minutes = excluded.minutes, cells = excluded.cells, statuses = excluded.statuses
    WHERE (w.minutes, w.cells, w.statuses)
        IS DISTINCT FROM (excluded.minutes, excluded.cells, excluded.statuses)
    """
)
