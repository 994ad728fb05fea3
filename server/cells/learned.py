"""Cells a tenant's own phones taught: written, refreshed, forgotten."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import delete, text
from sqlalchemy.orm import Session

from geo.cell_identity import CellId
from geo.cell_survey import NotSurveyed, SurveyedCell
from server.cells.models import CellWait
from server.clock import Clock

# A cell that stays where it was, give or take fifty metres, is no news to anybody who waits.
_LEARN: Final = text(
    """
    INSERT INTO learned_cells AS l (tenant_id, network, cell, area, lon_deg, lat_deg, range_m,
        samples, devices, days, first_seen_at, last_seen_at, learned_at)
    SELECT :tenant_id, n.*, :now
    FROM unnest(CAST(:networks AS int[]), CAST(:cells AS bigint[]), CAST(:areas AS int[]),
        CAST(:lons AS float8[]), CAST(:lats AS float8[]), CAST(:ranges AS float8[]),
        CAST(:samples AS int[]), CAST(:devices AS int[]), CAST(:days AS int[]),
        CAST(:firsts AS timestamptz[]), CAST(:lasts AS timestamptz[])) AS n
    ON CONFLICT (tenant_id, network, cell, area) DO UPDATE SET
        lon_deg = excluded.lon_deg, lat_deg = excluded.lat_deg, range_m = excluded.range_m,
        samples = excluded.samples, devices = excluded.devices, days = excluded.days,
        first_seen_at = least(l.first_seen_at, excluded.first_seen_at),
        last_seen_at = excluded.last_seen_at,
        learned_at = CASE
            WHEN abs(l.lon_deg - excluded.lon_deg) < 0.0005
                AND abs(l.lat_deg - excluded.lat_deg) < 0.0005 THEN l.learned_at
            ELSE excluded.learned_at END
    """
)
_FORGET: Final = text(
    """
    DELETE FROM learned_cells l
    USING unnest(CAST(:networks AS int[]), CAST(:cells AS bigint[]), CAST(:areas AS int[]))
        AS n (network, cell, area)
    WHERE l.tenant_id = :tenant_id AND l.network = n.network AND l.cell = n.cell
      AND l.area = n.area
    """
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesson:
    """What phones taught of one cell; `name` has an area and a cell."""

    name: CellId
    outcome: SurveyedCell | NotSurveyed
    first_seen_at: datetime
    last_seen_at: datetime


def learn_cells(
    session: Session, clock: Clock, *, tenant_id: int, lessons: Sequence[Lesson]
) -> int:
    """Write what phones of a tenant taught, in the caller's transaction; returns how many cells.

    Cells that were known stay under their key. One statement.
    """
    taught = [(one, one.outcome) for one in lessons if isinstance(one.outcome, SurveyedCell)]
    if not taught:
        return 0
    session.execute(
        _LEARN,
        {
            "tenant_id": tenant_id,
            "now": clock.now(),
            "networks": [one.name.network for one, _ in taught],
            "cells": [one.name.cell for one, _ in taught],
            "areas": [one.name.area for one, _ in taught],
            "lons": [cell.lon_deg for _, cell in taught],
            "lats": [cell.lat_deg for _, cell in taught],
            "ranges": [cell.range_m for _, cell in taught],
            "samples": [cell.samples for _, cell in taught],
            "devices": [cell.devices for _, cell in taught],
            "days": [cell.days for _, cell in taught],
            "firsts": [one.first_seen_at for one, _ in taught],
            "lasts": [one.last_seen_at for one, _ in taught],
        },
    )
    return len(taught)


def note_waits(
    session: Session, clock: Clock, *, tenant_id: int, waits: Mapping[tuple[int, str], int]
) -> None:
    """Note how many cells could not be taught, by network and reason; replaces what stood."""
    session.execute(delete(CellWait).where(CellWait.tenant_id == tenant_id))
    session.add_all(
        CellWait(
            tenant_id=tenant_id,
            network=network,
            reason=reason,
            cells=cells,
            counted_at=clock.now(),
        )
        for (network, reason), cells in sorted(waits.items())
    )
    session.flush()


def forget_cells(session: Session, *, tenant_id: int, names: Sequence[CellId]) -> int:
    """Forget learned cells that phones now disagree about; returns how many were known."""
    if not names:
        return 0
    done = session.execute(
        _FORGET,
        {
            "tenant_id": tenant_id,
            "networks": [name.network for name in names],
            "cells": [name.cell for name in names],
            "areas": [name.area for name in names],
        },
    )
    return int(getattr(done, "rowcount", 0))
