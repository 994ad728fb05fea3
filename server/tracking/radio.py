"""Recording of what phones heard around them: one row a scan, whatever number of messages."""

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

from geo.fix import from_epoch_s
from server.tracking import store
from server.tracking.ledger import Ledger
from server.tracking.records import DeviceRef, RadioRecord

MAX_CELLS = 64
"""A scan grows no further, whoever sends what under its key."""

_INSERT = """
WITH given AS (
    SELECT * FROM unnest(%(tenant_id)s::int[], %(device_id)s::uuid[], %(employee_id)s::uuid[],
        %(fixed_at)s::timestamptz[], %(msg_key)s::int8[], %(received_at)s::timestamptz[],
        %(sent_at)s::timestamptz[], %(cells)s::jsonb[], %(wifi)s::jsonb[], %(dropped)s::jsonb[],
        %(has_fix)s::bool[], %(battery_pct)s::int2[], %(flags)s::int4[], %(via)s::text[],
        %(raw)s::bytea[], %(untimed)s::bool[], %(no)s::int4[])
        AS g (tenant_id, device_id, employee_id, fixed_at, msg_key, received_at, sent_at, cells,
            wifi, dropped, has_fix, battery_pct, flags, via, raw, untimed, no)
), known AS (
    SELECT g.no, r.cells, r.wifi
    FROM given g JOIN radio_reports r USING (tenant_id, device_id, fixed_at, msg_key)
), kept AS (
    INSERT INTO radio_reports AS r (tenant_id, device_id, employee_id, fixed_at, msg_key,
        received_at, sent_at, cells, wifi, dropped, has_fix, battery_pct, flags, via, raw)
    SELECT tenant_id, device_id, employee_id, fixed_at, msg_key, received_at, sent_at, cells,
        wifi, dropped, has_fix, battery_pct, flags, via, raw
    FROM given g
    -- What has no time is filed under its receipt, which differs when it comes again.
    WHERE NOT untimed OR NOT EXISTS (
        SELECT FROM radio_reports o
        WHERE o.tenant_id = g.tenant_id AND o.device_id = g.device_id AND o.msg_key = g.msg_key
          AND o.fixed_at BETWEEN g.fixed_at - interval '3 days' AND g.fixed_at)
    ON CONFLICT (tenant_id, device_id, fixed_at, msg_key) DO UPDATE SET
        cells = (SELECT coalesce(jsonb_agg(cell ORDER BY cell), '[]') FROM (
            SELECT jsonb_array_elements(r.cells) UNION
            SELECT jsonb_array_elements(excluded.cells)) AS u (cell)),
        wifi = (SELECT coalesce(jsonb_agg(point ORDER BY point), '[]') FROM (
            SELECT jsonb_array_elements(r.wifi) UNION
            SELECT jsonb_array_elements(excluded.wifi)) AS u (point)),
        battery_pct = coalesce(r.battery_pct, excluded.battery_pct),
        -- Whoever compared the position with its cells did not know all of them.
        checked_at = NULL, "check" = NULL, check_detail = NULL
    WHERE NOT (r.cells @> excluded.cells AND r.wifi @> excluded.wifi)
      AND jsonb_array_length(r.cells) < %(max_cells)s
    RETURNING r.tenant_id, r.device_id, r.fixed_at, r.msg_key)
SELECT g.no, known.cells, known.wifi
FROM given g JOIN kept USING (tenant_id, device_id, fixed_at, msg_key) LEFT JOIN known USING (no)
"""


def record_radio_reports(
    cursor: store.Cursor,
    reports: Sequence[RadioRecord],
    devices: Sequence[DeviceRef],
    ledger: Ledger,
) -> None:
    """Store what was heard, in the caller's transaction; put the records of one scan together.

    Parameters
    ----------
    reports : any order. Those of one device, instant and key are one scan.
    devices : owners, by `device_no`.
    ledger : of the batch, with its fixes counted. A report is stored when it adds something,
        also when its fix is known already; otherwise it is a duplicate.

    Idempotent. One statement.
    """
    scans: dict[tuple[int, float, int], list[RadioRecord]] = {}
    for report in reports:
        instant = 0.0 if report.untimed else report.fixed_s
        scans.setdefault((report.device_no, instant, report.key), []).append(report)
    # Two writers that meet in the same scans take them in the same order.
    ordered = sorted(
        scans.values(),
        key=lambda scan: (
            devices[scan[0].device_no].tenant_id,
            devices[scan[0].device_no].order,
            scan[0].fixed_s,
            scan[0].key,
        ),
    )
    cursor.execute(_INSERT.encode(), _columns(ordered, devices))
    kept = {no: (cells, wifi) for no, cells, wifi in cursor}
    for no, scan in enumerate(ordered):
        before = kept.get(no)
        for report, is_new in zip(scan, _new(scan, before), strict=True):
            if not report.with_fix:
                outcome = "stored" if is_new else "duplicate"
                ledger.count(report.device_no, report.received_s, outcome)
            elif is_new and before is not None and before[0] is not None:
                ledger.promote(report.device_no, report.received_s)


def _new(scan: Sequence[RadioRecord], before: tuple[Any, Any] | None) -> list[bool]:
    """Return which reports of a scan added anything.

    Parameters
    ----------
    before : cells and access points of the row as it was, nulls when there was none; None when
        nothing was written.
    """
    if before is None:
        return [False] * len(scan)
    cells, wifi = before
    seen = {_text(member) for member in [*(cells or ()), *(wifi or ())]}
    found = []
    is_first = cells is None
    for report in scan:
        members = {_text(member) for member in [*report.cells, *report.wifi]}
        found.append(is_first or not members <= seen)
        is_first = False
        seen |= members
    return found


def _text(member: dict[str, Any]) -> str:
    return json.dumps(member, sort_keys=True)


def _columns(
    scans: Sequence[Sequence[RadioRecord]], devices: Sequence[DeviceRef]
) -> dict[str, Any]:
    first = [scan[0] for scan in scans]
    owners = [devices[report.device_no] for report in first]
    return {
        "no": list(range(len(first))),
        "max_cells": MAX_CELLS,
        "tenant_id": [owner.tenant_id for owner in owners],
        "device_id": [owner.device_id for owner in owners],
        "employee_id": [owner.employee_id for owner in owners],
        "fixed_at": [from_epoch_s(report.fixed_s) for report in first],
        "msg_key": [report.key for report in first],
        "received_at": [from_epoch_s(report.received_s) for report in first],
        "sent_at": [None if r.sent_s is None else from_epoch_s(r.sent_s) for r in first],
        "cells": [_together([report.cells for report in scan]) for scan in scans],
        "wifi": [_together([report.wifi for report in scan]) for scan in scans],
        "dropped": [_counted(scan) for scan in scans],
        "has_fix": [report.has_fix for report in first],
        "battery_pct": [report.battery_pct for report in first],
        "flags": [report.flags for report in first],
        "via": [report.via.value for report in first],
        "raw": [report.raw for report in first],
        "untimed": [report.untimed for report in first],
    }


def _together(lists: Sequence[Sequence[dict[str, Any]]]) -> str:
    """Return the distinct members of all lists as JSON, in an order of their own."""
    members = {_text(member) for listed in lists for member in listed}
    return f"[{','.join(sorted(members)[:MAX_CELLS])}]"


def _counted(scan: Sequence[RadioRecord]) -> str | None:
    reasons = Counter(reason for report in scan for reason in report.dropped)
    return json.dumps(reasons, sort_keys=True) if reasons else None
