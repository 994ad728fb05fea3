"""Record placed scans: fixes, newest positions, touched days; all in one transaction.

Scans are few and come one by one, so this is plain SQL of the engine's role beside the
binary copies by which ingest stores thousands; the rule of the newest position is theirs.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from geo.fix import NOT_EVIDENCE, QualityFlag, Source, from_epoch_s, to_epoch_s
from geo.policy import QualityPolicy
from server.db.geometry import point_sql
from server.posts.queries import DutyWindow, duty_windows
from server.tracking.records import DutySlot
from server.tracking.scans import KEYS, Scan, key_columns
from server.tracking.store import INTO_LAST_POSITIONS, NEWER_ONLY

BETTER_FOR: Final = timedelta(minutes=15)
"""So long a finer position is not replaced on the map by a coarser, newer one."""

_GIVEN: Final = """
    unnest(CAST(:tenants AS int[]), CAST(:devices AS uuid[]), CAST(:people AS uuid[]),
        CAST(:instants AS timestamptz[]), CAST(:keys AS bigint[]),
        CAST(:received AS timestamptz[]), CAST(:sent AS timestamptz[]),
        CAST(:lons AS float8[]), CAST(:lats AS float8[]), CAST(:accuracies AS float8[]),
        CAST(:batteries AS int2[]), CAST(:sources AS text[]), CAST(:flags AS int[]),
        CAST(:vias AS text[]), CAST(:raws AS bytea[]), CAST(:entries AS uuid[]))
"""
_NAMES: Final = """(tenant_id, device_id, employee_id, fixed_at, msg_key, received_at, sent_at,
    lon, lat, accuracy_m, battery_pct, source, flags, via, raw,
    entry_id)"""
_INSERT: Final = text(
    f"""
    INSERT INTO fixes (tenant_id, device_id, employee_id, fixed_at, msg_key, received_at, sent_at,
        position, accuracy_m, battery_pct, source, flags, via, raw)
    SELECT tenant_id, device_id, employee_id, fixed_at, msg_key, received_at, sent_at,
        {point_sql("lon", "lat")}, accuracy_m, battery_pct, source, flags, via, raw
    FROM {_GIVEN} AS g {_NAMES}
    ON CONFLICT DO NOTHING
    RETURNING tenant_id, device_id, fixed_at, msg_key
    """  # noqa: S608  # constants
)
_UPSERT: Final = text(
    f"""
    {INTO_LAST_POSITIONS}
    SELECT g.tenant_id, g.employee_id, g.device_id, g.fixed_at, g.received_at, g.msg_key,
        {point_sql("g.lon", "g.lat")}, g.accuracy_m, NULL, NULL, g.battery_pct, g.source, g.flags,
        g.entry_id
    FROM {_GIVEN} AS g {_NAMES}
    {NEWER_ONLY}
    RETURNING p.tenant_id, p.employee_id
    """  # noqa: S608  # constants
)
_TOUCH: Final = text(
    """
    INSERT INTO touched_days (tenant_id, employee_id, work_on, since_at)
    SELECT * FROM unnest(CAST(:tenants AS int[]), CAST(:people AS uuid[]),
        CAST(:dates AS date[]), CAST(:since AS timestamptz[]))
    """
)
_WAKE: Final = text("SELECT pg_notify('touched', '')")
_FINER: Final = text(
    """
    SELECT p.tenant_id, p.employee_id, p.fixed_at, coalesce(p.accuracy_m, 'Infinity') AS accuracy_m
    FROM last_positions p
    JOIN unnest(CAST(:tenants AS int[]), CAST(:people AS uuid[])) AS k (tenant_id, employee_id)
        ON p.tenant_id = k.tenant_id AND p.employee_id = k.employee_id
    """
)
_RESOLVED: Final = text(
    f"UPDATE radio_reports r SET resolved_at = :now, resolved_by = k.said FROM {KEYS}"  # noqa: S608
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """Where a scan was, as somebody said: WGS-84, radius of 95 %; `by` as in `resolved_by`."""

    lon_deg: float
    lat_deg: float
    accuracy_m: float | None
    source: Source
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A position that became somebody's newest; `until_at` is the end of that duty."""

    scan: Scan
    placed: Placed
    duty_from_at: datetime
    until_at: datetime


_Dated = tuple[Scan, Placed, DutySlot]


def record_placed(
    session: Session, found: Sequence[tuple[Scan, Placed]], *, now: datetime
) -> list[Shown]:
    """Record placed scans as fixes and mark them resolved, in the caller's transaction.

    Fixes, newest positions and touched person-days follow as they do from a message of a
    phone. The scan was counted in the ledger when it came, so nothing is counted here. A
    scan whose duty was taken back since (leave granted afterwards) is marked by nobody and
    gives no fix. A finer position not older than 15 minutes stays the one that is shown.

    Returns
    -------
    Those that became somebody's last position; publish them after the commit. Idempotent: a
    fix that is there already is not written again, and touches nothing.
    """
    if not found:
        return []
    slots = _slots(session, [scan for scan, _ in found])
    on_duty = [
        (scan, placed, slot)
        for (scan, placed), slot in zip(found, slots, strict=True)
        if slot is not None
    ]
    new = _insert(session, on_duty)
    shown = _show(session, _finest(session, new))
    _touch(session, new)
    said = [
        placed.by if slot is not None else None
        for (_, placed), slot in zip(found, slots, strict=True)
    ]
    session.execute(_RESOLVED, {"now": now, **key_columns([scan for scan, _ in found], said)})
    return shown


def _insert(session: Session, found: Sequence[_Dated]) -> list[_Dated]:
    """Insert fixes that are not there yet; returns those."""
    if not found:
        return []
    rows = session.execute(_INSERT, _fix_columns(found))
    new = {tuple(row) for row in rows}
    return [each for each in found if _key(each[0]) in new]


def _show(session: Session, found: Sequence[_Dated]) -> list[Shown]:
    """Make fixes the newest of their people, never going back in time; returns those."""
    best: dict[tuple[int, UUID], _Dated] = {}
    for each in found:
        person = (each[0].tenant_id, each[0].employee_id)
        if person not in best or _order(each) > _order(best[person]):
            best[person] = each
    if not best:
        return []
    # Two writers that meet in the same people take them in the same order.
    ordered = [best[person] for person in sorted(best, key=lambda p: (p[0], p[1].int))]
    rows = session.execute(_UPSERT, _fix_columns(ordered))
    moved = {tuple(row) for row in rows}
    return [
        Shown(
            scan=scan,
            placed=placed,
            duty_from_at=from_epoch_s(slot.starts_s),
            until_at=from_epoch_s(slot.ends_s),
        )
        for scan, placed, slot in ordered
        if (scan.tenant_id, scan.employee_id) in moved
    ]


def _touch(session: Session, found: Sequence[_Dated]) -> None:
    """Queue the person-days of new fixes for the engine and wake it at commit."""
    since: dict[tuple[int, UUID, date], datetime] = {}
    for scan, _, slot in found:
        for work_on in slot.work_on:
            day = (scan.tenant_id, scan.employee_id, work_on)
            since[day] = min(scan.fixed_at, since.get(day, scan.fixed_at))
    if since:
        columns = {
            "tenants": [tenant_id for tenant_id, _, _ in since],
            "people": [employee_id for _, employee_id, _ in since],
            "dates": [work_on for _, _, work_on in since],
            "since": list(since.values()),
        }
        session.execute(_TOUCH, columns)
        session.execute(_WAKE)


def _fix_columns(found: Sequence[_Dated]) -> dict[str, list[Any]]:
    return {
        "tenants": [scan.tenant_id for scan, _, _ in found],
        "devices": [scan.device_id for scan, _, _ in found],
        "people": [scan.employee_id for scan, _, _ in found],
        "instants": [scan.fixed_at for scan, _, _ in found],
        "keys": [scan.msg_key for scan, _, _ in found],
        "received": [scan.received_at for scan, _, _ in found],
        "sent": [scan.sent_at for scan, _, _ in found],
        "lons": [placed.lon_deg for _, placed, _ in found],
        "lats": [placed.lat_deg for _, placed, _ in found],
        "accuracies": [placed.accuracy_m for _, placed, _ in found],
        "batteries": [scan.battery_pct for scan, _, _ in found],
        "sources": [placed.source.value for _, placed, _ in found],
        "flags": [int(_flags(scan, placed)) for scan, placed, _ in found],
        "vias": [scan.via for scan, _, _ in found],
        "raws": [scan.raw or b"" for scan, _, _ in found],
        "entries": [slot.roster_entry_id for _, _, slot in found],
    }


def _flags(scan: Scan, placed: Placed) -> QualityFlag:
    flags = QualityFlag(scan.flags)
    if placed.accuracy_m is None:
        return flags | QualityFlag.NO_ACCURACY
    return flags | QualityFlag.COARSE if placed.accuracy_m > QualityPolicy().coarse_m else flags


def _order(each: _Dated) -> tuple[datetime, int]:
    return each[0].fixed_at, each[0].msg_key


def _key(scan: Scan) -> tuple[int, UUID, datetime, int]:
    return scan.tenant_id, scan.device_id, scan.fixed_at, scan.msg_key


def _finest(session: Session, found: Sequence[_Dated]) -> list[_Dated]:
    """Return the fixes that may replace what is shown of their people."""
    credible = [each for each in found if not _flags(each[0], each[1]) & NOT_EVIDENCE]
    people = sorted({(s.tenant_id, s.employee_id) for s, _, _ in credible}, key=str)
    rows = session.execute(
        _FINER, {"tenants": [t for t, _ in people], "people": [p for _, p in people]}
    )
    shown = {(row.tenant_id, row.employee_id): row for row in rows}
    finest = []
    for scan, placed, slot in credible:
        now_shown = shown.get((scan.tenant_id, scan.employee_id))
        if (
            now_shown is None
            or (placed.accuracy_m is not None and placed.accuracy_m <= now_shown.accuracy_m)
            or scan.fixed_at - now_shown.fixed_at > BETTER_FOR
        ):
            finest.append((scan, placed, slot))
    return finest


def _slots(session: Session, scans: Sequence[Scan]) -> list[DutySlot | None]:
    if not scans:
        return []
    windows: dict[tuple[int, UUID], list[DutyWindow]] = defaultdict(list)
    for window in duty_windows(
        session,
        start_at=min(scan.fixed_at for scan in scans),
        end_at=max(scan.fixed_at for scan in scans) + timedelta(microseconds=1),
        employee_ids={scan.employee_id for scan in scans},
        tenant_ids={scan.tenant_id for scan in scans},
    ):
        windows[window.tenant_id, window.employee_id].append(window)
    return [
        _slot([w for w in windows[s.tenant_id, s.employee_id] if w.holds(s.fixed_at)], s.fixed_at)
        for s in scans
    ]


def _slot(windows: Sequence[DutyWindow], at: datetime) -> DutySlot | None:
    if not windows:
        return None
    own = next((w for w in windows if w.starts_at <= at < w.ends_at), windows[0])
    return DutySlot(
        own.roster_entry_id,
        tuple(dict.fromkeys(window.work_on for window in windows)),
        to_epoch_s(own.starts_at),
        to_epoch_s(own.ends_at),
    )
