"""Compare positions with the cells heard beside them; the verdict is evidence on the fix.

A position is never changed or dropped for it. Runs in batches beside whatever else works on
reports; any number of workers may, since each takes what no other holds.
"""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from geo.cell_check import CellCheck, CellVerdict, judge_gps_against_cells
from geo.cells import CellSeen
from geo.fix import Source, from_epoch_s, to_epoch_s
from server.cells.queries import Known, cells_version, look_up
from server.cells.rules import seen_cells
from server.clock import Clock
from server.db.geometry import lat_sql, lon_sql
from server.tracking.signs_store import queue_signs_at

BATCH: Final = 500
AGAIN_FOR: Final = timedelta(days=7)
"""Reports whose cells nobody knew are worth another look for so long."""
_MEASURED: Final = frozenset({Source.GPS.value, Source.WIFI.value})
_CLAIM: Final = text(
    f"""
    SELECT r.tenant_id, r.device_id, r.employee_id, r.fixed_at, r.msg_key, r.cells,
        f.source, f.accuracy_m,
        {lon_sql("f.position")} AS lon_deg, {lat_sql("f.position")} AS lat_deg
    FROM radio_reports r LEFT JOIN fixes f ON f.tenant_id = r.tenant_id
        AND f.device_id = r.device_id AND f.fixed_at = r.fixed_at AND f.msg_key = r.msg_key
    WHERE r.checked_at IS NULL AND r.has_fix
    ORDER BY r.fixed_at DESC LIMIT :limit
    FOR UPDATE OF r SKIP LOCKED
    """  # noqa: S608  # constants
)
_SETTLE: Final = text(
    """
    UPDATE radio_reports r
    SET checked_at = :now, "check" = c.verdict, check_detail = c.detail
    FROM unnest(CAST(:tenants AS int[]), CAST(:devices AS uuid[]), CAST(:instants AS timestamptz[]),
            CAST(:keys AS bigint[]), CAST(:verdicts AS text[]), CAST(:details AS jsonb[]))
        AS c (tenant_id, device_id, fixed_at, msg_key, verdict, detail)
    WHERE (r.tenant_id, r.device_id, r.fixed_at, r.msg_key)
        = (c.tenant_id, c.device_id, c.fixed_at, c.msg_key)
    """
)
_AGAIN: Final = text(
    'UPDATE radio_reports SET checked_at = NULL WHERE has_fix AND "check" IS NULL '
    "AND fixed_at > :since AND checked_at < :known_at AND tenant_id = :tenant_id"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Report:
    """One report that waits, with its position when that is a measured one."""

    tenant_id: int
    device_id: UUID
    employee_id: UUID
    fixed_at: datetime
    msg_key: int
    cells: list[dict[str, Any]]
    source: str | None
    accuracy_m: float | None
    lon_deg: float | None
    lat_deg: float | None

    def heard(self) -> tuple[CellSeen, ...]:
        return seen_cells(self.cells) if self.source in _MEASURED else ()


def check_positions(session: Session, clock: Clock, *, limit: int = BATCH) -> int:
    """Judge positions whose reports nobody compared yet, newest first.

    Parameters
    ----------
    session : of the engine, all tenants; the caller commits.
    limit : reports a call.

    Returns
    -------
    How many reports were looked at; 0 when none waits. Two statements, one a tenant, and one
    more when anything is impossible.
    """
    rows = session.execute(_CLAIM, {"limit": limit}).mappings()
    reports = [_Report(**row) for row in rows]
    if not reports:
        return 0
    known: dict[int, Known] = {}
    for tenant_id in sorted({report.tenant_id for report in reports}):
        heard = [c for r in reports if r.tenant_id == tenant_id for c in r.heard()]
        known[tenant_id] = look_up(session, heard, tenant_id=tenant_id)
    checks = [_judged(report, known[report.tenant_id]) for report in reports]
    session.execute(
        _SETTLE,
        {
            "now": clock.now(),
            "tenants": [r.tenant_id for r in reports],
            "devices": [r.device_id for r in reports],
            "instants": [r.fixed_at for r in reports],
            "keys": [r.msg_key for r in reports],
            "verdicts": [_verdict(check) for check in checks],
            "details": [_detail(check) for check in checks],
        },
    )
    # A day that was judged before its cells were compared is judged again.
    queue_signs_at(
        session,
        [
            (r.tenant_id, r.employee_id, r.fixed_at)
            for r, check in zip(reports, checks, strict=True)
            if check is not None and check.verdict is CellVerdict.IMPOSSIBLE
        ],
    )
    return len(reports)


def look_again(session: Session, *, tenant_id: int, now: datetime) -> int:
    """Put back in line what could not be told before cells became known.

    Returns
    -------
    How many reports of the last days wait again.
    """
    known_at = from_epoch_s(cells_version(session, tenant_id=tenant_id) / 1000)
    done = session.execute(
        _AGAIN, {"since": now - AGAIN_FOR, "known_at": known_at, "tenant_id": tenant_id}
    )
    return int(getattr(done, "rowcount", 0))


def _judged(report: _Report, known: Known) -> CellCheck | None:
    if report.source not in _MEASURED or report.lon_deg is None or report.lat_deg is None:
        return None
    return judge_gps_against_cells(
        lon_deg=report.lon_deg,
        lat_deg=report.lat_deg,
        accuracy_m=report.accuracy_m,
        seen=report.heard(),
        records=known.records,
        now_s=to_epoch_s(report.fixed_at),
    )


def _verdict(check: CellCheck | None) -> str | None:
    return None if check is None or check.verdict is None else check.verdict.value


def _detail(check: CellCheck | None) -> str:
    if check is None:
        return json.dumps({"reason": "no_measured_position"})
    figures = {
        "distance_m": check.distance_m,
        "radius_m": check.radius_m,
        "margin_m": check.margin_m,
    }
    return json.dumps({**figures, **check.detail}, sort_keys=True)
