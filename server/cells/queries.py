"""Looking cells up: one statement, whatever the number of cells, with areas to fall back on."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import numpy as np
from sqlalchemy import Row, func, select, text
from sqlalchemy.orm import Session

from geo.cell_areas import AreaMoments
from geo.cell_footprint import AreaRecord, CellPolicy, CellRecord
from geo.cell_identity import CellId, CellRefusal, network_parts
from geo.cells import CellPlace, CellSeen, CellUnknown, locate_cells
from geo.fix import to_epoch_s
from server.cells.models import CellSource, CellWait, LearnedCell

__all__ = ["CellPlace", "CellSeen", "CellUnknown", "Known", "SourceView", "locate", "look_up"]

MAX_RECORDS: Final = 16
"""So many rows of one source about one cell are enough to see that it contradicts itself."""

# An area is asked for with every cell, known or not: it is one row of an index. Where no table
# from outside knows it, the cells that the tenant learned in it make one.
_LOOK_UP: Final = text(
    f"""
    WITH wanted AS (
        SELECT * FROM unnest(CAST(:networks AS int[]), CAST(:cells AS bigint[]),
            CAST(:areas AS int[]), CAST(:anywhere AS bool[]))
            AS w (network, cell, area, anywhere))
    SELECT 'table' AS kind, c.network, c.area, c.cell, c.lon_deg, c.lat_deg,
        c.range_m::float8 AS range_m, c.samples, c.is_exact,
        extract(epoch FROM c.updated_at)::float8 AS updated_s, c.source_id,
        NULL::float8 AS lon_deviation_deg, NULL::float8 AS lat_deviation_deg
    FROM wanted w CROSS JOIN LATERAL (
        SELECT * FROM cells c
        WHERE c.network = w.network AND c.cell = w.cell AND (c.area = w.area OR w.anywhere)
        ORDER BY c.updated_at DESC NULLS LAST, c.samples DESC, c.lon_deg, c.lat_deg
        LIMIT {MAX_RECORDS}) c
    UNION ALL
    SELECT 'learned', l.network, l.area, l.cell, l.lon_deg, l.lat_deg, l.range_m, l.samples,
        false, extract(epoch FROM l.last_seen_at)::float8, 0, NULL, NULL
    FROM wanted w JOIN learned_cells l ON l.tenant_id = :tenant_id AND l.network = w.network
        AND l.cell = w.cell AND (l.area = w.area OR w.anywhere)
    UNION ALL
    SELECT 'area', a.network, a.area, 0, a.lon_deg, a.lat_deg, a.radius_m, a.cells, false,
        NULL, a.source_id, NULL, NULL
    FROM (SELECT DISTINCT network, area FROM wanted) w
    JOIN cell_areas a ON a.network = w.network AND a.area = w.area
    UNION ALL
    SELECT 'learned_area', l.network, l.area, 0, avg(l.lon_deg), avg(l.lat_deg),
        avg(l.range_m), count(*)::int, false, NULL, 0, stddev_pop(l.lon_deg),
        stddev_pop(l.lat_deg)
    FROM (SELECT DISTINCT network, area FROM wanted) w
    JOIN learned_cells l ON l.tenant_id = :tenant_id AND l.network = w.network
        AND l.area = w.area
    WHERE NOT EXISTS (
        SELECT FROM cell_areas a WHERE a.network = w.network AND a.area = w.area)
    GROUP BY l.network, l.area
    """  # noqa: S608  # a constant
)
_VERSION: Final = text(
    "SELECT greatest((SELECT max(imported_at) FROM cell_sources), "
    "(SELECT max(learned_at) FROM learned_cells WHERE tenant_id = :tenant_id))"
)


@dataclass(frozen=True, slots=True)
class Known:
    """What the tables say about some cells; for `geo.cells.locate_cells`."""

    records: tuple[CellRecord, ...]
    areas: tuple[AreaRecord, ...]


@dataclass(frozen=True, slots=True, order=True)
class NetworkName:
    """Radio and operator; of CDMA `mnc` is the SID and there is no MCC."""

    radio: str
    mcc: int | None
    mnc: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkCells:
    """How much one table knows of one network."""

    network: NetworkName
    cells: int
    areas: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceView:
    """One imported table in a list."""

    name: str
    file: str
    datum: str
    imported_at: datetime
    cells: int
    areas: int
    rejected: dict[str, int]
    imported_by: str | None
    networks: tuple[NetworkCells, ...] | None
    """Cells by network; None when the import was too long ago to have counted them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LearnedNetwork:
    """Cells of one network as the fleet met them.

    Attributes
    ----------
    cells : how many it taught.
    waits : how many it could not teach yet, by reason (`geo.cell_survey.NotSurveyed`).
    newest_at : when one of them was last met; None when there is none.
    """

    network: NetworkName
    cells: int
    waits: dict[str, int]
    newest_at: datetime | None


def locate(
    session: Session,
    seen: Sequence[CellSeen],
    *,
    tenant_id: int,
    now: datetime,
    policy: CellPolicy | None = None,
) -> CellPlace | CellUnknown:
    """Place a phone by the cells it heard, from imported tables and those of the tenant.

    Parameters
    ----------
    session : of any role that reads cells; inside the tenant for `outpost_app`.
    seen : cells of one report, any order, unchecked.
    tenant_id : whose learned cells count as well.
    now : old surveys weigh less.

    Returns
    -------
    See `geo.cells.locate_cells`. One statement; none when no cell can exist.
    """
    known = look_up(session, seen, tenant_id=tenant_id)
    return locate_cells(
        seen, records=known.records, areas=known.areas, now_s=to_epoch_s(now), policy=policy
    )


def look_up(session: Session, seen: Iterable[CellSeen], *, tenant_id: int) -> Known:
    """Return all that tables say of these cells and their areas; cells may be of many reports.

    One statement; none when no cell can exist.
    """
    names = _names(seen)
    if not names:
        return Known((), ())
    rows = session.execute(
        _LOOK_UP,
        {
            "tenant_id": tenant_id,
            "networks": [name.network for name in names],
            "cells": [name.cell for name in names],
            "areas": [name.area for name in names],
            "anywhere": [name.is_unique_in_network for name in names],
        },
    ).all()
    records, areas = [], []
    for row in rows:
        if row.kind == "learned_area":
            areas.append(_learned_area(row))
            continue
        if row.kind == "area":
            areas.append(
                AreaRecord(
                    row.network, row.area, row.lon_deg, row.lat_deg, row.range_m, row.samples
                )
            )
            continue
        records.append(
            CellRecord(
                network=row.network,
                area=row.area,
                cell=row.cell,
                lon_deg=row.lon_deg,
                lat_deg=row.lat_deg,
                range_m=row.range_m,
                samples=row.samples,
                is_exact=row.is_exact,
                updated_s=row.updated_s,
                source="learned" if row.kind == "learned" else f"table:{row.source_id}",
            )
        )
    return Known(tuple(records), tuple(areas))


def _learned_area(row: Row[Any]) -> AreaRecord:
    moments = AreaMoments(
        network=np.array([row.network]),
        area=np.array([row.area]),
        lon_deg=np.array([row.lon_deg]),
        lat_deg=np.array([row.lat_deg]),
        lon_deviation_deg=np.array([row.lon_deviation_deg]),
        lat_deviation_deg=np.array([row.lat_deviation_deg]),
        reach_m=np.array([row.range_m]),
        cells=np.array([row.samples]),
    )
    radius_m = float(moments.radius_m(policy=CellPolicy())[0])
    return AreaRecord(row.network, row.area, row.lon_deg, row.lat_deg, radius_m, row.samples)


def _names(seen: Iterable[CellSeen]) -> list[CellId]:
    found: set[CellId] = set()
    for one in seen:
        names = one.identities()
        found |= set() if isinstance(names, CellRefusal) else set(names)
    return sorted(found, key=lambda n: (n.network, n.cell or 0, -1 if n.area is None else n.area))


def cells_version(session: Session, *, tenant_id: int) -> int:
    """Return a number that grows whenever cells become known.

    Reports tried under a smaller one are worth another try. Milliseconds of the last import
    or lesson, 0 before any.
    """
    at: datetime | None = session.scalar(_VERSION, {"tenant_id": tenant_id})
    return 0 if at is None else int(to_epoch_s(at) * 1000)


def list_sources(session: Session) -> list[SourceView]:
    """Return the imported tables by name."""
    rows = session.scalars(select(CellSource).order_by(CellSource.name))
    return [
        SourceView(
            name=row.name,
            file=row.file,
            datum=row.datum.value,
            imported_at=row.imported_at,
            cells=row.cells,
            areas=row.areas,
            rejected=row.rejected,
            imported_by=row.imported_by,
            networks=None if row.networks is None else _networks(row.networks),
        )
        for row in rows
    ]


def _networks(counts: dict[str, list[int]]) -> tuple[NetworkCells, ...]:
    found = (
        NetworkCells(network=_name(int(code)), cells=cells, areas=areas)
        for code, (cells, areas) in counts.items()
    )
    return tuple(sorted(found, key=lambda one: -one.cells))


def _name(code: int) -> NetworkName:
    radio, mcc, mnc = network_parts(code)
    return NetworkName(radio.value, mcc, mnc)


def learned_networks(
    session: Session, *, tenant_id: int
) -> tuple[list[LearnedNetwork], datetime | None]:
    """Return what a tenant's fleet taught by network, most first, and when it was last counted.

    Two statements.
    """
    taught = {
        code: (cells, newest_at)
        for code, cells, newest_at in session.execute(
            select(LearnedCell.network, func.count(), func.max(LearnedCell.last_seen_at))
            .where(LearnedCell.tenant_id == tenant_id)
            .group_by(LearnedCell.network)
        )
    }
    waits: dict[int, dict[str, int]] = {}
    counted_at: datetime | None = None
    for row in session.scalars(select(CellWait).where(CellWait.tenant_id == tenant_id)):
        waits.setdefault(row.network, {})[row.reason] = row.cells
        counted_at = row.counted_at
    found = [
        LearnedNetwork(
            network=_name(code),
            cells=taught.get(code, (0, None))[0],
            newest_at=taught.get(code, (0, None))[1],
            waits=waits.get(code, {}),
        )
        for code in taught.keys() | waits.keys()
    ]
    found.sort(key=lambda one: (-one.cells, one.network.radio, one.network.mnc))
    return found, counted_at
