"""Loading and saving of signs and of the queue of days to look at; nothing here commits."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import orjson
from sqlalchemy import text
from sqlalchemy.orm import Session

from server.findings.rules import DayKey

_KEYS: Final = (
    "unnest(CAST(:tenants AS int[]), CAST(:people AS uuid[]), CAST(:dates AS date[]))"
    " AS d (tenant_id, employee_id, work_on)"
)
_QUEUE: Final = text(
    f"INSERT INTO signs_due (tenant_id, employee_id, work_on) SELECT d.* FROM {_KEYS}"  # noqa: S608
)
_QUEUE_AT: Final = text(
    """
    INSERT INTO signs_due (tenant_id, employee_id, work_on)
    SELECT DISTINCT s.tenant_id, s.employee_id, s.work_on
    FROM unnest(CAST(:tenants AS int[]), CAST(:people AS uuid[]), CAST(:instants AS timestamptz[]))
        AS d (tenant_id, employee_id, at)
    JOIN day_signs s ON s.tenant_id = d.tenant_id AND s.employee_id = d.employee_id
        AND s.starts_at <= d.at AND s.ends_at > d.at
    """
)
_ALONE: Final = text("SELECT pg_try_advisory_xact_lock(8, 1)")
_CLAIM: Final = text(
    """
    SELECT tenant_id, employee_id, work_on FROM (
        SELECT tenant_id, employee_id, work_on, min(id) AS first FROM (
            SELECT * FROM signs_due q WHERE NOT (q.tenant_id, q.employee_id, q.work_on) IN (
                SELECT * FROM unnest(CAST(:tenants AS int[]), CAST(:people AS uuid[]),
                    CAST(:dates AS date[])))
            ORDER BY id LIMIT 1000) due
        GROUP BY tenant_id, employee_id, work_on) days
    ORDER BY first LIMIT :limit
    """
)
_TAKE: Final = text(
    f"DELETE FROM signs_due q USING {_KEYS} WHERE (q.tenant_id, q.employee_id, q.work_on)"  # noqa: S608
    " = (d.tenant_id, d.employee_id, d.work_on)"
)
_STANDING: Final = text(
    f"SELECT s.tenant_id, s.employee_id, s.work_on, s.fingerprint FROM day_signs s JOIN {_KEYS}"  # noqa: S608
    " USING (tenant_id, employee_id, work_on)"
)
_FORGET: Final = text(
    f"DELETE FROM day_signs s USING {_KEYS} WHERE (s.tenant_id, s.employee_id, s.work_on)"  # noqa: S608
    " = (d.tenant_id, d.employee_id, d.work_on)"
)
_MARK: Final = text(
    """
    INSERT INTO day_signs AS s (tenant_id, employee_id, work_on, starts_at, ends_at, fingerprint,
        algorithm_version, score, judged_at)
    SELECT n.tenant_id, n.employee_id, n.work_on, n.starts_at, n.ends_at,
        CAST(n.fingerprint AS bigint[]), :version, 0, :now
    FROM unnest(CAST(:tenants AS int[]), CAST(:people AS uuid[]), CAST(:dates AS date[]),
            CAST(:starts AS timestamptz[]), CAST(:ends AS timestamptz[]),
            CAST(:fingerprints AS text[]))
        AS n (tenant_id, employee_id, work_on, starts_at, ends_at, fingerprint)
    ON CONFLICT (tenant_id, employee_id, work_on) DO UPDATE SET
        starts_at = excluded.starts_at, ends_at = excluded.ends_at,
        fingerprint = excluded.fingerprint
    WHERE (s.starts_at, s.ends_at, s.fingerprint)
        IS DISTINCT FROM (excluded.starts_at, excluded.ends_at, excluded.fingerprint)
    """
)
_JUDGE: Final = text(
    """
    UPDATE day_signs s SET algorithm_version = :version, score = n.score, evidence = n.evidence,
        judged_at = :now
    FROM unnest(CAST(:tenants AS int[]), CAST(:people AS uuid[]), CAST(:dates AS date[]),
            CAST(:scores AS float8[]), CAST(:evidence AS jsonb[]))
        AS n (tenant_id, employee_id, work_on, score, evidence)
    WHERE (s.tenant_id, s.employee_id, s.work_on) = (n.tenant_id, n.employee_id, n.work_on)
    """
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Marked:
    """A day with what is to be stored of it before it is compared."""

    day: DayKey
    span: tuple[datetime, datetime]
    fingerprint: Sequence[int]


def queue_signs(session: Session, days: Iterable[DayKey]) -> None:
    """Ask for the signs of person-days that are over. One statement, none without days."""
    wanted = sorted(set(days))
    if wanted:
        session.execute(_QUEUE, _columns(wanted))


def queue_signs_at(session: Session, moments: Sequence[tuple[int, UUID, datetime]]) -> None:
    """Ask again for the days already judged that hold moments of people (tenant, who, when)."""
    if moments:
        session.execute(
            _QUEUE_AT,
            {
                "tenants": [tenant for tenant, _, _ in moments],
                "people": [who for _, who, _ in moments],
                "instants": [at for _, _, at in moments],
            },
        )


def claim_signs(session: Session, *, limit: int, skip: Sequence[DayKey] = ()) -> list[DayKey]:
    """Take days off the queue, oldest first. Three statements.

    One transaction at a time, so that two days that are each other's evidence never miss
    each other; whoever comes second gets nothing.
    """
    if not session.scalar(_ALONE):
        return []
    days = [DayKey(*row) for row in session.execute(_CLAIM, {"limit": limit, **_columns(skip)})]
    if days:
        session.execute(_TAKE, _columns(days))
    return days


def fingerprints_of(session: Session, days: Sequence[DayKey]) -> dict[DayKey, list[int]]:
    """Return the stored fingerprints of days; those never judged are missing."""
    rows = session.execute(_STANDING, _columns(days))
    return {DayKey(*row[:3]): row[3] for row in rows}


def forget_signs(session: Session, days: Sequence[DayKey]) -> None:
    """Drop what is stored of days. One statement, none without days."""
    if days:
        session.execute(_FORGET, _columns(days))


def mark_days(session: Session, marked: Sequence[Marked], *, now: datetime, version: str) -> None:
    """Store span and fingerprint of days, so that others can be compared with them."""
    session.execute(
        _MARK,
        _columns([one.day for one in marked])
        | {
            "starts": [one.span[0] for one in marked],
            "ends": [one.span[1] for one in marked],
            "fingerprints": ["{" + ",".join(map(str, one.fingerprint)) + "}" for one in marked],
            "now": now,
            "version": version,
        },
    )


def store_signs(
    session: Session,
    signs: Mapping[DayKey, tuple[float, Mapping[str, Any] | None]],
    *,
    now: datetime,
    version: str,
) -> None:
    """Store score and evidence of marked days; no evidence without any sign."""
    session.execute(
        _JUDGE,
        _columns(list(signs))
        | {
            "scores": [score for score, _ in signs.values()],
            "evidence": [
                None if evidence is None else orjson.dumps(dict(evidence)).decode()
                for _, evidence in signs.values()
            ],
            "now": now,
            "version": version,
        },
    )


def _columns(days: Sequence[DayKey]) -> dict[str, Any]:
    return {
        "tenants": [day.tenant_id for day in days],
        "people": [day.employee_id for day in days],
        "dates": [day.work_on for day in days],
    }
