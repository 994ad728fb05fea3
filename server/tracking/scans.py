"""Scans without a position: rows of `radio_reports`, claimed by those who try to place them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import TextClause, text
from sqlalchemy.orm import Session

from geo.cell_identity import Radio, check_identity
from geo.cells import CellSeen
from server.carriers.services import SeenCell, SeenNetwork
from server.cells.rules import seen_cells
from server.tracking.retention import RAW_RETENTION

TRIED_IN_VAIN: Final = -1
"""`tried_version` of a scan whose question is out, or failed for now."""
AGAIN_AFTER: Final = timedelta(minutes=10)

_SCAN = """
    SELECT r.tenant_id, r.device_id, r.fixed_at, r.msg_key, r.employee_id, r.received_at,
        r.sent_at, r.cells, r.wifi, r.battery_pct, r.flags, r.via, r.raw
    FROM radio_reports r
"""
_UNTRIED: Final = text(
    f"{_SCAN} WHERE r.tried_at IS NULL AND r.resolved_at IS NULL AND NOT r.has_fix "
    "ORDER BY r.fixed_at DESC LIMIT :limit FOR UPDATE SKIP LOCKED"
)
_AGAIN: Final = text(
    f"""
    {_SCAN}
    JOIN unnest(CAST(:tenants AS int[]), CAST(:versions AS bigint[]),
        CAST(:changes AS timestamptz[])) AS t (tenant_id, version, changed_at)
        ON t.tenant_id = r.tenant_id
    WHERE r.resolved_at IS NULL AND NOT r.has_fix AND r.fixed_at > :since_at
      AND r.tried_at IS NOT NULL AND (
        (r.tried_version >= 0 AND r.tried_version < t.version)
        OR (r.tried_version = {TRIED_IN_VAIN} AND r.tried_at < :early_at)
        OR r.tried_at < t.changed_at)
    ORDER BY r.fixed_at DESC LIMIT :limit FOR UPDATE OF r SKIP LOCKED
    """
)
_ONE: Final = text(
    f"{_SCAN} WHERE r.tenant_id = :tenant_id AND r.device_id = :device_id "
    "AND r.fixed_at = :fixed_at AND r.msg_key = :msg_key AND r.resolved_at IS NULL "
    "FOR UPDATE SKIP LOCKED"
)
KEYS = (
    "unnest(CAST(:tenants AS int[]), CAST(:devices AS uuid[]), CAST(:instants AS timestamptz[]), "
    "CAST(:keys AS bigint[]), CAST(:said AS text[])) "
    "AS k (tenant_id, device_id, fixed_at, msg_key, said) "
    "WHERE r.tenant_id = k.tenant_id AND r.device_id = k.device_id "
    "AND r.fixed_at = k.fixed_at AND r.msg_key = k.msg_key"
)
_TRIED: Final = text(
    "UPDATE radio_reports r SET tried_at = :now, tried_version = CAST(k.said AS bigint) "  # noqa: S608
    f"FROM {KEYS}"
)


_RELEASED: Final = text(
    "UPDATE radio_reports r SET tried_at = NULL, tried_version = NULL "  # noqa: S608
    f"FROM {KEYS} AND r.resolved_at IS NULL"
)
_COUNTS: Final = text(
    f"""
    SELECT CASE WHEN r.resolved_by IS NOT NULL THEN 'placed'
            WHEN r.resolved_at IS NOT NULL THEN 'off_duty'
            WHEN r.tried_at IS NULL OR r.tried_version = {TRIED_IN_VAIN} THEN 'waiting'
            ELSE 'unplaced' END AS state,
        r.resolved_by AS by, count(*) AS n
    FROM radio_reports r WHERE NOT r.has_fix AND r.fixed_at >= :since_at
    GROUP BY 1, 2
    """  # noqa: S608  # a constant
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """One row of `radio_reports` without a fix, locked by the transaction that read it."""

    tenant_id: int
    device_id: UUID
    fixed_at: datetime
    msg_key: int
    employee_id: UUID
    received_at: datetime
    sent_at: datetime | None
    cells: list[dict[str, Any]]
    wifi: list[dict[str, Any]]
    battery_pct: int | None
    flags: int
    via: str
    raw: bytes | None

    def heard(self) -> tuple[CellSeen, ...]:
        """Return its cells as the core knows them."""
        return seen_cells(self.cells)

    def question(self) -> tuple[list[SeenCell], list[SeenNetwork]]:
        """Return what a geolocate service is asked; the serving cell first.

        A client that names no radio means any in which the numbers can be; services know the
        one that exists.
        """
        listed = sorted(self.cells, key=lambda cell: not cell.get("serving"))
        cells = [
            SeenCell(
                radio=radio.value,
                mcc=cell.get("mcc"),
                mnc=cell.get("mnc"),
                area=cell.get("area"),
                cell=cell["cell"],
                signal_dbm=cell.get("signal_dbm"),
                timing_advance=cell.get("timing_advance"),
                age_s=cell.get("age_s"),
            )
            for cell in listed
            if cell.get("cell") is not None
            for radio in _radios(cell)
        ]
        points = [SeenNetwork(mac=p["mac"], signal_dbm=p.get("signal_dbm")) for p in self.wifi]
        # One network alone follows its owner about; services refuse it too.
        return cells, points if len(points) > 1 else []


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanCounts:
    """What became of scans without a position.

    Attributes
    ----------
    placed : by what (`cells`, `learned`, `carrier:<name>`).
    waiting : nobody looked at them yet, or the question is out.
    unplaced : neither tables nor services know; tried again when those change.
    off_duty : duty was taken back since, so they stay unplaced for good.
    """

    placed: dict[str, int]
    waiting: int
    unplaced: int
    off_duty: int


def count_scans(session: Session, *, since_at: datetime) -> ScanCounts:
    """Count the scans in sight from an instant on. One statement."""
    rows = session.execute(_COUNTS, {"since_at": since_at}).all()
    placed = {row.by: row.n for row in rows if row.state == "placed"}
    others = {row.state: row.n for row in rows if row.state != "placed"}
    return ScanCounts(
        placed=dict(sorted(placed.items())),
        waiting=others.get("waiting", 0),
        unplaced=others.get("unplaced", 0),
        off_duty=others.get("off_duty", 0),
    )


def _radios(cell: Mapping[str, Any]) -> list[Radio]:
    """Return the radios a cell can be of: its own, or those with room for its numbers."""
    named = [radio for radio in Radio if radio.value == cell.get("radio")]
    if named or cell.get("radio"):
        return named
    name = {key: cell.get(key) for key in ("mcc", "mnc", "area", "cell")}
    possible = (Radio.GSM, Radio.UMTS, Radio.LTE)
    return [r for r in possible if isinstance(check_identity(radio=r, **name), tuple)]


def claim_untried(session: Session, *, limit: int) -> list[Scan]:
    """Lock scans that nobody looked at yet, newest first; those of other workers are passed."""
    return _scans(session, _UNTRIED, {"limit": limit})


def claim_again(
    session: Session, *, tenants: Mapping[int, tuple[int, datetime]], now: datetime, limit: int
) -> list[Scan]:
    """Lock scans tried in vain that are worth another try, newest first.

    Parameters
    ----------
    tenants : version of the cell tables, and last change of a geolocate service, by tenant.
    """
    values = {
        "tenants": list(tenants),
        "versions": [version for version, _ in tenants.values()],
        "changes": [changed_at for _, changed_at in tenants.values()],
        "since_at": now - RAW_RETENTION,
        "early_at": now - AGAIN_AFTER,
        "limit": limit,
    }
    return _scans(session, _AGAIN, values)


def claim_one(session: Session, scan: Scan) -> Scan | None:
    """Lock a scan again that was read before; None when somebody else resolved or holds it."""
    keys = {
        "tenant_id": scan.tenant_id,
        "device_id": scan.device_id,
        "fixed_at": scan.fixed_at,
        "msg_key": scan.msg_key,
    }
    found = _scans(session, _ONE, keys)
    return found[0] if found else None


def note_tries(
    session: Session, scans: Sequence[Scan], versions: Mapping[int, int] | None, *, now: datetime
) -> None:
    """Note that scans could not be placed by what is known now; None for "ask again soon"."""
    said = [str(TRIED_IN_VAIN if versions is None else versions[s.tenant_id]) for s in scans]
    if scans:
        session.execute(_TRIED, {"now": now, **key_columns(scans, said)})


def release(session: Session, scans: Sequence[Scan]) -> None:
    """Put scans back that were marked as being asked about and were not."""
    if scans:
        columns = key_columns(scans, [None] * len(scans))
        session.execute(_RELEASED, columns)


def _scans(session: Session, query: TextClause, values: Mapping[str, Any]) -> list[Scan]:
    return [Scan(**row) for row in session.execute(query, values).mappings()]


def key_columns(scans: Sequence[Scan], said: Sequence[str | None]) -> dict[str, list[Any]]:
    """Return the parameters of `KEYS`: which rows, and a word for each."""
    return {
        "tenants": [scan.tenant_id for scan in scans],
        "devices": [scan.device_id for scan in scans],
        "instants": [scan.fixed_at for scan in scans],
        "keys": [scan.msg_key for scan in scans],
        "said": list(said),
    }
