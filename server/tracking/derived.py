"""Rows the engine derives: replaced as a set per person-day; nothing here commits."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import select, text, tuple_
from sqlalchemy.orm import Session

from geo.fix import NOT_EVIDENCE
from server.findings.rules import DayKey
from server.tracking import store
from server.tracking.judgement import Current, DayVerdict
from server.tracking.models import DayRow, PresenceNow
from server.tracking.rules import PresenceState


@dataclass(frozen=True, slots=True)
class Shown:
    """What the live picture showed of a person before."""

    roster_entry_id: UUID | None
    post_id: UUID | None
    state: PresenceState
    since_at: datetime
    finding_id: UUID | None
    day: DayKey


def trajectories_as_of(session: Session, days: Sequence[DayKey]) -> dict[DayKey, datetime]:
    """Return up to when the stored trajectory of each day goes; days without one are missing."""
    keys = tuple_(DayRow.tenant_id, DayRow.employee_id, DayRow.work_on)
    rows = session.execute(
        select(
            DayRow.tenant_id,
            DayRow.employee_id,
            DayRow.work_on,
            DayRow.summary["trajectory"]["as_of"].as_string(),
        ).where(keys.in_([tuple(day) for day in days]))
    )
    return {
        DayKey(tenant, employee, on): datetime.fromisoformat(as_of)
        for tenant, employee, on, as_of in rows
        if as_of is not None
    }


def replace_presence(session: Session, verdicts: Sequence[DayVerdict]) -> None:
    """Replace the intervals of days by those of the verdicts. Two statements."""
    session.execute(
        text(
            """
            DELETE FROM presence_intervals p
            USING unnest(CAST(:tenants AS int[]), CAST(:people AS uuid[]), CAST(:dates AS date[]))
                AS d (tenant_id, employee_id, work_on)
            WHERE p.tenant_id = d.tenant_id AND p.employee_id = d.employee_id
              AND p.work_on = d.work_on
            """
        ),
        _keys([v.key for v in verdicts]),
    )
    rows = [(v.key, tile) for v in verdicts for tile in v.tiles]
    if not rows:
        return
    session.execute(
        text(
            """
            INSERT INTO presence_intervals (tenant_id, employee_id, work_on, roster_entry_id,
                starts_at, ends_at, state, inferred, cause, probability)
            SELECT * FROM unnest(CAST(:tenants AS int[]), CAST(:people AS uuid[]),
                CAST(:dates AS date[]), CAST(:entries AS uuid[]), CAST(:starts AS timestamptz[]),
                CAST(:ends AS timestamptz[]), CAST(:states AS text[]), CAST(:inferred AS bool[]),
                CAST(:causes AS text[]), CAST(:probabilities AS float8[]))
            """
        ),
        _keys([key for key, _ in rows])
        | {
            "entries": [tile.roster_entry_id for _, tile in rows],
            "starts": [tile.starts_at for _, tile in rows],
            "ends": [tile.ends_at for _, tile in rows],
            "states": [tile.state.value for _, tile in rows],
            "inferred": [tile.inferred for _, tile in rows],
            "causes": [tile.cause for _, tile in rows],
            "probabilities": [tile.probability for _, tile in rows],
        },
    )


def replace_days(
    session: Session, verdicts: Sequence[DayVerdict], *, at: datetime, version: str
) -> None:
    """Write the outline of days, and drop those of which nothing is left.

    A summary without a trajectory keeps the one that is stored.
    """
    gone = [v.key for v in verdicts if v.as_of_at is None]
    if gone:
        session.execute(
            text(
                """
                DELETE FROM person_days p
                USING unnest(CAST(:tenants AS int[]), CAST(:people AS uuid[]),
                    CAST(:dates AS date[])) AS d (tenant_id, employee_id, work_on)
                WHERE p.tenant_id = d.tenant_id AND p.employee_id = d.employee_id
                  AND p.work_on = d.work_on
                """
            ),
            _keys(gone),
        )
    kept = [v for v in verdicts if v.as_of_at is not None]
    if not kept:
        return
    session.execute(
        text(
            """
            INSERT INTO person_days AS p (tenant_id, employee_id, work_on, as_of_at,
                algorithm_version, policy, summary, computed_at)
            SELECT n.tenant_id, n.employee_id, n.work_on, n.as_of_at, :version, n.policy,
                n.summary, :at
            FROM unnest(CAST(:tenants AS int[]), CAST(:people AS uuid[]), CAST(:dates AS date[]),
                CAST(:as_of AS timestamptz[]), CAST(:policies AS jsonb[]),
                CAST(:summaries AS jsonb[]))
                AS n (tenant_id, employee_id, work_on, as_of_at, policy, summary)
            ON CONFLICT (tenant_id, employee_id, work_on) DO UPDATE SET
                as_of_at = excluded.as_of_at,
                algorithm_version = excluded.algorithm_version,
                policy = excluded.policy,
                summary = CASE
                    WHEN excluded.summary ? 'trajectory' OR NOT p.summary ? 'trajectory'
                    THEN excluded.summary
                    ELSE excluded.summary
                        || jsonb_build_object('trajectory', p.summary -> 'trajectory') END,
                computed_at = excluded.computed_at
            """
        ),
        _keys([v.key for v in kept])
        | {
            "version": version,
            "at": at,
            "as_of": [v.as_of_at for v in kept],
            "policies": [_json(v.policy) for v in kept],
            "summaries": [_json(v.summary) for v in kept],
        },
    )


def load_shown(session: Session, days: Sequence[DayKey]) -> dict[tuple[int, UUID], Shown]:
    """Return what the live picture shows of the people of these days."""
    keys = tuple_(PresenceNow.tenant_id, PresenceNow.employee_id)
    people = {(day.tenant_id, day.employee_id) for day in days}
    rows = session.scalars(select(PresenceNow).where(keys.in_(sorted(people))))
    return {
        (row.tenant_id, row.employee_id): Shown(
            row.roster_entry_id,
            row.post_id,
            row.state,
            row.since_at,
            row.finding_id,
            DayKey(row.tenant_id, row.employee_id, row.work_on),
        )
        for row in rows
    }


def show_current(session: Session, current: Mapping[DayKey, Current], *, as_of: datetime) -> None:
    """Write what holds now of people on duty. One statement."""
    if not current:
        return
    rows = list(current.items())
    session.execute(
        text(
            """
            INSERT INTO presence_now (tenant_id, employee_id, work_on, roster_entry_id, post_id,
                state, since_at, distance_m, finding_id, due_at, as_of_at)
            SELECT n.*, :as_of
            FROM unnest(CAST(:tenants AS int[]), CAST(:people AS uuid[]), CAST(:dates AS date[]),
                CAST(:entries AS uuid[]), CAST(:posts AS uuid[]), CAST(:states AS text[]),
                CAST(:since AS timestamptz[]), CAST(:distances AS float8[]),
                CAST(:findings AS uuid[]), CAST(:due AS timestamptz[])) AS n
            ON CONFLICT (tenant_id, employee_id) DO UPDATE SET
                work_on = excluded.work_on, roster_entry_id = excluded.roster_entry_id,
                post_id = excluded.post_id, state = excluded.state, since_at = excluded.since_at,
                distance_m = excluded.distance_m, finding_id = excluded.finding_id,
                as_of_at = excluded.as_of_at, due_at = excluded.due_at
            """
        ),
        _keys([day for day, _ in rows])
        | {
            "entries": [c.roster_entry_id for _, c in rows],
            "posts": [c.post_id for _, c in rows],
            "states": [c.state.value for _, c in rows],
            "since": [c.since_at for _, c in rows],
            "distances": [c.distance_m for _, c in rows],
            "findings": [c.finding_id for _, c in rows],
            "due": [c.due_at for _, c in rows],
            "as_of": as_of,
        },
    )


def hide_days(session: Session, days: Sequence[DayKey]) -> None:
    """Take people off the live picture whose duty of these days is over. One statement."""
    if not days:
        return
    session.execute(
        text(
            """
            DELETE FROM presence_now p
            USING unnest(CAST(:tenants AS int[]), CAST(:people AS uuid[]), CAST(:dates AS date[]))
                AS d (tenant_id, employee_id, work_on)
            WHERE p.tenant_id = d.tenant_id AND p.employee_id = d.employee_id
              AND p.work_on = d.work_on
            """
        ),
        _keys(days),
    )


def rebuild_last_positions(session: Session, *, since_at: datetime) -> int:
    """Write each person's newest credible fix since an instant; returns the table's length."""
    session.execute(
        text(
            f"""
            {store.INTO_LAST_POSITIONS}
            SELECT DISTINCT ON (f.tenant_id, d.employee_id)
                f.tenant_id, d.employee_id, f.device_id, f.fixed_at, f.received_at, f.msg_key,
                f.position, f.accuracy_m, f.speed_mps, f.course_deg, f.battery_pct, f.source,
                f.flags, (
                    SELECT r.id FROM roster_entries r
                    WHERE r.tenant_id = d.tenant_id AND r.employee_id = d.employee_id
                      AND r.cancelled_at IS NULL AND r.starts_at <= f.fixed_at
                    ORDER BY r.starts_at DESC LIMIT 1)
            FROM devices d
            JOIN fixes f ON f.tenant_id = d.tenant_id AND f.device_id = d.id
            WHERE f.fixed_at >= :since_at AND f.flags & :not_evidence = 0
            ORDER BY f.tenant_id, d.employee_id, f.fixed_at DESC, f.msg_key DESC
            {store.NEWER_ONLY}
            """  # noqa: S608  # constants
        ),
        {"since_at": since_at, "not_evidence": int(NOT_EVIDENCE)},
    )
    return int(session.execute(text("SELECT count(*) FROM last_positions")).scalar_one())


def _keys(days: Sequence[DayKey]) -> dict[str, Any]:
    return {
        "tenants": [day.tenant_id for day in days],
        "people": [day.employee_id for day in days],
        "dates": [day.work_on for day in days],
    }


def _json(value: Mapping[str, Any]) -> str:
    return orjson.dumps(dict(value)).decode()
