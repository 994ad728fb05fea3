"""Writing of arriving facts: staged binary COPY, and upserts that never go back in time.

All of it works on psycopg's connection inside the caller's transaction, because COPY has no
place in SQLAlchemy and a batch of a thousand rows should cost one statement a table.
"""

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any, Final

import numpy as np
import psycopg
from sqlalchemy.orm import Session

from geo.fix import SOURCES, QualityFlag
from server.db.binary import pack
from server.db.geometry import point_sql
from server.tracking.columns import VIAS, FixTable, Owners
from server.tracking.ledger import Counts
from server.tracking.phone_rules import LATE

Cursor = psycopg.Cursor[tuple[Any, ...]]

_NO_TST: Final = int(QualityFlag.NO_TST)
# One staged row in PostgreSQL's binary COPY format: a count of fields, then each behind its
# length. Unknown numbers are NaN, unknown codes negative or 0, and become NULL in the SELECT.
_STAGED: Final = (
    ("device_no", ">i4"), ("fixed_s", ">f8"), ("key", ">i8"), ("received_s", ">f8"),
    ("sent_s", ">f8"), ("lon_deg", ">f8"), ("lat_deg", ">f8"), ("accuracy_m", ">f8"),
    ("altitude_m", ">f8"), ("speed_mps", ">f8"), ("course_deg", ">f8"), ("battery_pct", ">i2"),
    ("source", ">i2"), ("trigger", ">i2"), ("mock", ">i2"), ("flags", ">i4"), ("via", ">i2"),
)  # fmt: skip
_COPY_ROW: Final = np.dtype(
    [
        ("fields", ">i2"),
        *[pair for name, kind in _STAGED for pair in ((f"{name}:size", ">i4"), (name, kind))],
        ("raw:size", ">i4"),
    ]
)
_HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_TRAILER = b"\xff\xff"

_CREATE_STAGE = """
CREATE TEMPORARY TABLE IF NOT EXISTS staged_fixes (
    device_no int, fixed_s float8, msg_key int8, received_s float8, sent_s float8,
    lon float8, lat float8, accuracy_m float8, altitude_m float8, speed_mps float8,
    course_deg float8, battery_pct int2, source int2, trigger int2, mock int2, flags int4,
    via int2, raw bytea
) ON COMMIT DELETE ROWS
"""
_INSERT_FIXES = f"""
INSERT INTO fixes (
    tenant_id, device_id, employee_id, fixed_at, msg_key, received_at, sent_at, position,
    accuracy_m, altitude_m, speed_mps, course_deg, battery_pct, source, trigger, mock,
    flags, via, raw)
SELECT d.tenant_id, d.device_id, d.employee_id,
    to_timestamp(s.fixed_s), s.msg_key, to_timestamp(s.received_s),
    to_timestamp(nullif(s.sent_s, 'NaN')), {point_sql("s.lon", "s.lat")},
    nullif(s.accuracy_m, 'NaN'), nullif(s.altitude_m, 'NaN'), nullif(s.speed_mps, 'NaN'),
    nullif(s.course_deg, 'NaN'), nullif(s.battery_pct, -1), (%(sources)s::text[])[s.source],
    CASE WHEN s.trigger > 0 THEN chr(s.trigger) END,
    CASE WHEN s.mock >= 0 THEN s.mock = 1 END,
    s.flags, (%(vias)s::text[])[s.via], s.raw
FROM staged_fixes s
JOIN unnest(%(numbers)s::int[], %(tenants)s::int[], %(devices)s::uuid[], %(people)s::uuid[])
    AS d (no, tenant_id, device_id, employee_id) ON d.no = s.device_no
"""  # noqa: S608  # constants
_INSERT_WHAT_IS_NEW = f"""
WITH fresh AS (
    {_INSERT_FIXES}
    {{known}}
    ON CONFLICT DO NOTHING
    RETURNING tenant_id, device_id, received_at)
SELECT tenant_id, device_id, (received_at AT TIME ZONE 'UTC')::date, count(*)
FROM fresh GROUP BY 1, 2, 3
"""  # noqa: S608  # constants
# A message without a time is filed under its time of receipt, which differs when it comes
# again: it is a duplicate when its key was seen in the days a broker may take to redeliver.
_UNKNOWN_TIME = f"""
WHERE s.flags & {_NO_TST} = 0 OR NOT EXISTS (
    SELECT FROM fixes f
    WHERE f.tenant_id = d.tenant_id AND f.device_id = d.device_id AND f.msg_key = s.msg_key
      AND f.fixed_at BETWEEN to_timestamp(s.fixed_s) - interval '3 days'
                         AND to_timestamp(s.fixed_s))
"""
# The columns and the rule by which a person's newest position replaces an older one, for
# everything that writes the table: `{INTO_LAST_POSITIONS} SELECT … {NEWER_ONLY}`.
INTO_LAST_POSITIONS: Final = """
INSERT INTO last_positions AS p (tenant_id, employee_id, device_id, fixed_at, received_at,
    msg_key, position, accuracy_m, speed_mps, course_deg, battery_pct, source, flags,
    roster_entry_id)
"""
NEWER_ONLY: Final = """
ON CONFLICT (tenant_id, employee_id) DO UPDATE SET
    device_id = excluded.device_id, fixed_at = excluded.fixed_at,
    received_at = excluded.received_at, msg_key = excluded.msg_key,
    position = excluded.position, accuracy_m = excluded.accuracy_m,
    speed_mps = excluded.speed_mps, course_deg = excluded.course_deg,
    battery_pct = excluded.battery_pct, source = excluded.source,
    flags = excluded.flags, roster_entry_id = excluded.roster_entry_id
WHERE (excluded.fixed_at, excluded.msg_key) > (p.fixed_at, p.msg_key)
"""
_UPSERT_POSITIONS: Final = f"""
WITH given AS (
    SELECT * FROM unnest(%(tenant_id)s::int[], %(employee_id)s::uuid[], %(device_id)s::uuid[],
        %(fixed_s)s::float8[], %(received_s)s::float8[], %(msg_key)s::int8[], %(lon)s::float8[],
        %(lat)s::float8[], %(accuracy_m)s::float8[], %(speed_mps)s::float8[],
        %(course_deg)s::float8[], %(battery_pct)s::int2[], %(source)s::int2[],
        %(flags)s::int[], %(roster_entry_id)s::uuid[])
    WITH ORDINALITY AS n (tenant_id, employee_id, device_id, fixed_s, received_s, msg_key, lon,
        lat, accuracy_m, speed_mps, course_deg, battery_pct, source, flags, roster_entry_id, no)
), moved AS (
    {INTO_LAST_POSITIONS}
    SELECT tenant_id, employee_id, device_id, to_timestamp(fixed_s), to_timestamp(received_s),
        msg_key, {point_sql("lon", "lat")}, accuracy_m, speed_mps, course_deg,
        battery_pct, (%(sources)s::text[])[source], flags, roster_entry_id
    FROM given
    {NEWER_ONLY}
    RETURNING p.tenant_id, p.employee_id)
SELECT given.no - 1 FROM given JOIN moved USING (tenant_id, employee_id) ORDER BY given.no
"""  # noqa: S608  # constants


def cursor_of(session: Session) -> Cursor:
    """Return a cursor of psycopg inside the session's transaction."""
    raw = session.connection().connection.driver_connection
    if not isinstance(raw, psycopg.Connection):
        raise TypeError("recording needs psycopg")
    return raw.cursor()


def insert_fixes(
    cursor: Cursor, fixes: FixTable, owners: Owners, *, is_first: bool = False
) -> Counts | None:
    """Insert fixes that are not there yet.

    Parameters
    ----------
    fixes : any order, at least one.
    owners : devices of the batch.
    is_first : whether none of them is probably there; asking costs a third of storing.

    Returns
    -------
    New rows by tenant, device and UTC day of receipt; None when every single one was new.
    About 9 µs a row, database included.
    """
    cursor.execute(_CREATE_STAGE)
    with cursor.copy("COPY staged_fixes FROM STDIN (FORMAT binary)") as copy:
        copy.write(copy_bytes(fixes))
    values = {
        "sources": [source.value for source in SOURCES],
        "vias": [via.value for via in VIAS],
        "numbers": pack("int4", np.arange(len(owners.rows))),
        "tenants": pack("int4", owners.rows["tenant_id"]),
        "devices": pack("uuid", owners.rows["device_id"]),
        "people": pack("uuid", owners.rows["employee_id"]),
    }
    untimed = bool((fixes.rows["flags"] & _NO_TST).any())
    if is_first and not untimed and _insert_all(cursor, values):
        return None
    statement = _INSERT_WHAT_IS_NEW.format(known=_UNKNOWN_TIME if untimed else "")
    cursor.execute(statement.encode(), values)
    return {(tenant, device, on): count for tenant, device, on, count in cursor}


def _insert_all(cursor: Cursor, values: Mapping[str, Any]) -> bool:
    """Insert what is staged; False, and nothing is inserted, when any of it is there already."""
    cursor.execute("SAVEPOINT all_new")
    try:
        cursor.execute(_INSERT_FIXES.encode(), values)
    except psycopg.errors.UniqueViolation:
        cursor.execute("ROLLBACK TO SAVEPOINT all_new")
        return False
    cursor.execute("RELEASE SAVEPOINT all_new")
    return True


def copy_bytes(fixes: FixTable) -> bytes:
    """Return fixes as one binary COPY stream for the staging table. About 0.5 µs a row."""
    rows = np.empty(len(fixes), dtype=_COPY_ROW)
    rows["fields"] = len(_STAGED) + 1
    for name, kind in _STAGED:
        rows[f"{name}:size"] = np.dtype(kind).itemsize
        rows[name] = fixes.rows[name]
    raw = fixes.raw.tolist()
    rows["raw:size"] = [len(message) for message in raw]
    fixed, width = rows.tobytes(), _COPY_ROW.itemsize
    starts = [fixed[at : at + width] for at in range(0, len(fixed), width)]
    return b"".join((_HEADER, *chain.from_iterable(zip(starts, raw, strict=True)), _TRAILER))


def insert_events(cursor: Cursor, columns: Mapping[str, Sequence[Any]]) -> Counts:
    """Insert device events that are not there yet; return new rows by device and day."""
    cursor.execute(
        """
        WITH fresh AS (
            INSERT INTO device_events
                (tenant_id, device_id, employee_id, at, msg_key, kind, received_at, body, via)
            SELECT * FROM unnest(%(tenant_id)s::int[], %(device_id)s::uuid[],
                %(employee_id)s::uuid[], %(at)s::timestamptz[], %(msg_key)s::int8[],
                %(kind)s::text[], %(received_at)s::timestamptz[], %(body)s::jsonb[],
                %(via)s::text[])
            ON CONFLICT DO NOTHING
            RETURNING tenant_id, device_id, received_at)
        SELECT tenant_id, device_id, (received_at AT TIME ZONE 'UTC')::date, count(*)
        FROM fresh GROUP BY 1, 2, 3
        """,
        columns,
    )
    return {(tenant, device, on): count for tenant, device, on, count in cursor}


def upsert_quarantine(cursor: Cursor, columns: Mapping[str, Sequence[Any]]) -> list[bool]:
    """Insert quarantined messages, counting attempts of known ones.

    Returns
    -------
    For each row, in order of the (tenant, username, msg_key, reason) given: True when new.
    """
    cursor.execute(
        """
        WITH kept AS (
            INSERT INTO quarantine AS q (tenant_id, id, device_id, username, topic, received_at,
                reason, detail, msg_key, size, payload, via, attempts)
            SELECT * FROM unnest(%(tenant_id)s::int[], %(id)s::uuid[], %(device_id)s::uuid[],
                %(username)s::text[], %(topic)s::text[], %(received_at)s::timestamptz[],
                %(reason)s::text[], %(detail)s::text[], %(msg_key)s::int8[], %(size)s::int[],
                %(payload)s::bytea[], %(via)s::text[], %(attempts)s::int[])
            ON CONFLICT (tenant_id, username, msg_key, reason)
            DO UPDATE SET attempts = q.attempts + excluded.attempts
            RETURNING id)
        SELECT given.id IN (SELECT id FROM kept)
        FROM unnest(%(id)s::uuid[]) WITH ORDINALITY AS given (id, no) ORDER BY no
        """,
        columns,
    )
    return [bool(row[0]) for row in cursor]


def upsert_positions(cursor: Cursor, columns: Mapping[str, Any]) -> list[int]:
    """Replace the last position of people by newer ones; at most one row a person.

    Parameters
    ----------
    columns : array parameters, ordered by tenant and person, so that writers never deadlock.

    Returns
    -------
    Numbers of the rows that are somebody's last position now, ascending.
    """
    cursor.execute(_UPSERT_POSITIONS.encode(), columns)
    return [int(row[0]) for row in cursor]


def upsert_health(cursor: Cursor, columns: Mapping[str, Any]) -> None:
    """Note what devices said of themselves; old news never replaces newer ones."""
    cursor.execute(
        """
        INSERT INTO device_health AS h (tenant_id, device_id, seen_at, fixed_at, battery_pct,
            charging, connection, mode, lost_at, status, arrived_at, late_at)
        SELECT tenant_id, device_id, to_timestamp(seen_s), to_timestamp(fixed_s), battery_pct,
            charging = 1, connection, mode, to_timestamp(lost_s), status,
            CASE WHEN fixed_s IS NOT NULL THEN to_timestamp(seen_s) END,
            CASE WHEN seen_s - fixed_s > %(late_s)s THEN to_timestamp(seen_s) END
        FROM unnest(%(tenant_id)s::int[], %(device_id)s::uuid[], %(seen_s)s::float8[],
            %(fixed_s)s::float8[], %(battery_pct)s::int2[], %(charging)s::int2[],
            %(connection)s::text[], %(mode)s::text[], %(lost_s)s::float8[], %(status)s::jsonb[])
            AS n (tenant_id, device_id, seen_s, fixed_s, battery_pct, charging, connection, mode,
                lost_s, status)
        ON CONFLICT (tenant_id, device_id) DO UPDATE SET
            seen_at = greatest(h.seen_at, excluded.seen_at),
            fixed_at = greatest(h.fixed_at, excluded.fixed_at),
            battery_pct = CASE WHEN excluded.fixed_at < h.fixed_at THEN h.battery_pct
                ELSE coalesce(excluded.battery_pct, h.battery_pct) END,
            charging = CASE WHEN excluded.fixed_at < h.fixed_at THEN h.charging
                ELSE coalesce(excluded.charging, h.charging) END,
            connection = coalesce(excluded.connection, h.connection),
            mode = CASE WHEN excluded.fixed_at < h.fixed_at THEN h.mode
                ELSE coalesce(excluded.mode, h.mode) END,
            lost_at = CASE WHEN excluded.seen_at >= h.seen_at THEN excluded.lost_at
                ELSE h.lost_at END,
            status = coalesce(excluded.status, h.status),
            arrived_at = CASE WHEN excluded.fixed_at < h.fixed_at THEN h.arrived_at
                ELSE coalesce(excluded.arrived_at, h.arrived_at) END,
            late_at = greatest(h.late_at, excluded.late_at)
        """,
        {**columns, "late_s": LATE.total_seconds()},
    )


def insert_touched(cursor: Cursor, columns: Mapping[str, Any]) -> None:
    """Queue person-days for the engine and wake it at commit."""
    cursor.execute(
        """
        WITH queued AS (
            INSERT INTO touched_days (tenant_id, employee_id, work_on, since_at)
            SELECT t.tenant_id, t.employee_id, t.work_on, to_timestamp(t.since_s)
            FROM unnest(%(tenant_id)s::int[], %(employee_id)s::uuid[], %(work_on)s::date[],
                %(since_s)s::float8[]) AS t (tenant_id, employee_id, work_on, since_s))
        SELECT pg_notify('touched', '')
        """,
        columns,
    )


def add_to_ledger(cursor: Cursor, columns: Mapping[str, Any]) -> None:
    """Add counts of outcomes; rows ordered by key, so that two writers never deadlock."""
    cursor.execute(
        """
        INSERT INTO ingest_ledger AS l (tenant_id, device_id, received_on, received, stored,
            duplicate, quarantined, off_duty, ignored)
        SELECT * FROM unnest(%(tenant_id)s::int[], %(device_id)s::uuid[], %(received_on)s::date[],
            %(received)s::int8[], %(stored)s::int8[], %(duplicate)s::int8[],
            %(quarantined)s::int8[], %(off_duty)s::int8[], %(ignored)s::int8[])
        ON CONFLICT (tenant_id, device_id, received_on) DO UPDATE SET
            received = l.received + excluded.received,
            stored = l.stored + excluded.stored,
            duplicate = l.duplicate + excluded.duplicate,
            quarantined = l.quarantined + excluded.quarantined,
            off_duty = l.off_duty + excluded.off_duty,
            ignored = l.ignored + excluded.ignored
        """,
        columns,
    )
