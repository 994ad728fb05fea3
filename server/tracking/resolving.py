"""Turn scans without a position into fixes, once tables or a service can tell where they were.

A scan is recorded as it comes, whether anybody knows its cells or not. This takes those not
yet resolved, newest first, asks the tables of cells, then the tenant's geolocate services,
and records a fix under the scan's own device, instant and key by the same path as any other:
last position, touched person-days, live feed. What nobody can place stays as it is, counted,
and is tried again when tables or services change.
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import datetime

from sqlalchemy.orm import Session

from geo.cells import CellPlace, CellSeen, locate_cells
from geo.fix import Source, to_epoch_s
from server.carriers.services import Desk, Disc, PlaceCells, SeenCell
from server.cells.queries import Known, cells_version, locate, look_up
from server.cells.rules import seen_cells
from server.db.session import unit_of_work
from server.tracking.placing import Placed
from server.tracking.scans import Scan


def place_by_tables(
    session: Session, scans: Sequence[Scan], *, now: datetime
) -> list[Placed | None]:
    """Ask the tables of cells for many scans. One statement a tenant."""
    known: dict[int, Known] = {}
    heard = [scan.heard() for scan in scans]
    for tenant_id in {scan.tenant_id for scan in scans}:
        of_tenant = (h for scan, h in zip(scans, heard, strict=True) if scan.tenant_id == tenant_id)
        known[tenant_id] = look_up(session, [c for h in of_tenant for c in h], tenant_id=tenant_id)
    return [
        _place(cells, known[scan.tenant_id], now=now)
        for scan, cells in zip(scans, heard, strict=True)
    ]


def _place(heard: Sequence[CellSeen], known: Known, *, now: datetime) -> Placed | None:
    found = locate_cells(heard, records=known.records, areas=known.areas, now_s=to_epoch_s(now))
    if not isinstance(found, CellPlace):
        return None
    used = {(name.network, name.cell) for name in found.used}
    sources = {r.source for r in known.records if (r.network, r.cell) in used}
    return Placed(
        lon_deg=found.lon_deg,
        lat_deg=found.lat_deg,
        accuracy_m=found.accuracy_m,
        source=Source.CELL,
        by="learned" if sources == {"learned"} else "cells",
    )


def cell_placer(desk: Desk, tenant_id: int) -> PlaceCells:
    """Return what finds the cells that a carrier names instead of a place, in our tables."""

    def place(cells: Sequence[SeenCell]) -> Disc | None:
        heard = seen_cells([asdict(cell) for cell in cells])
        with unit_of_work(desk.sessions, tenant_id=tenant_id) as session:
            found = locate(session, heard, tenant_id=tenant_id, now=desk.clock.now())
        if not isinstance(found, CellPlace):
            return None
        return Disc(found.lon_deg, found.lat_deg, found.accuracy_m)

    return place


def versions_of(session: Session, tenant_ids: Iterable[int]) -> dict[int, int]:
    """Return the version of what is known of cells, by tenant."""
    return {each: cells_version(session, tenant_id=each) for each in sorted(set(tenant_ids))}
