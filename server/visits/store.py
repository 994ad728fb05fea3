"""Claiming, loading and saving of visits; nothing here decides or commits."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

from sqlalchemy import insert, select, text, tuple_
from sqlalchemy.orm import Session

from server.db.geometry import lat_sql, lon_sql, point, point_sql
from server.errors import NotFound
from server.visits.models import PlannedVisit, VerdictVersion
from server.visits.rules import VisitType, VisitVerdict


class RoundKey(NamedTuple):
    """The visits of one person that start on one local date; they are judged together."""

    tenant_id: int
    employee_id: UUID
    on_date: date


@dataclass(frozen=True, slots=True, kw_only=True)
class VisitFacts:
    """A visit with what its judgement needs.

    Attributes
    ----------
    lon_deg, lat_deg, radius_m : the pin it is judged by.
    version, digest : of the newest verdict; 0 and None before the first.
    """

    key: RoundKey
    id: UUID
    site_id: UUID
    site_name: str
    kind: VisitType
    starts_at: datetime
    ends_at: datetime
    group_id: UUID | None
    lon_deg: float
    lat_deg: float
    radius_m: float
    way_excusal_id: UUID | None
    version: int
    digest: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewVerdict:
    """A version of a verdict to be kept."""

    visit: VisitFacts
    verdict: VisitVerdict
    arrived_at: datetime | None
    left_at: datetime | None
    dwell_s: float
    nearest_m: float | None
    evidence: dict[str, Any]
    digest: str
    place: tuple[float, float] | None
    way_excusal_id: UUID | None


_CLAIM: Final = text(
    """
    SELECT v.tenant_id, v.employee_id, v.on_date, v.id
    FROM planned_visits v
    JOIN sites s ON s.tenant_id = v.tenant_id AND s.id = v.site_id
    WHERE v.due_at <= :now AND v.cancelled_at IS NULL
      AND coalesce(v.pin, s.position) IS NOT NULL
      AND NOT (v.tenant_id, v.employee_id, v.on_date) IN (
        SELECT * FROM unnest(CAST(:tenants AS int[]), CAST(:people AS uuid[]),
            CAST(:dates AS date[])))
    ORDER BY v.due_at, v.id LIMIT :limit FOR UPDATE OF v SKIP LOCKED
    """
)
_LOCK_ROUNDS: Final = text(
    """
    SELECT pg_try_advisory_xact_lock(hashtextextended(
        r.tenant_id || '/' || r.employee_id || '/' || r.on_date, 14))
    FROM unnest(CAST(:tenants AS int[]), CAST(:people AS uuid[]), CAST(:dates AS date[]))
        WITH ORDINALITY AS r (tenant_id, employee_id, on_date, no) ORDER BY r.no
    """
)
# A judge holds some visits of a round already. Were it to wait for the others, somebody who holds
# those and waits for these would wait for ever.
_LOCK_WHOLE: Final = text(
    """
    WITH rounds AS (
        SELECT * FROM unnest(CAST(:tenants AS int[]), CAST(:people AS uuid[]),
            CAST(:dates AS date[])) AS r (tenant_id, employee_id, on_date)
    ), held AS (
        SELECT v.tenant_id, v.employee_id, v.on_date
        FROM rounds JOIN planned_visits v USING (tenant_id, employee_id, on_date)
        FOR UPDATE OF v SKIP LOCKED
    )
    SELECT r.tenant_id, r.employee_id, r.on_date FROM rounds r
    WHERE (SELECT count(*) FROM planned_visits v WHERE v.tenant_id = r.tenant_id
            AND v.employee_id = r.employee_id AND v.on_date = r.on_date)
        = (SELECT count(*) FROM held h WHERE h.tenant_id = r.tenant_id
            AND h.employee_id = r.employee_id AND h.on_date = r.on_date)
    """
)
_ENDED: Final = text(
    f"""
    SELECT v.tenant_id, v.employee_id, v.on_date, v.id, v.site_id, s.name, v.kind, v.starts_at,
        v.ends_at, v.group_id, {lon_sql("coalesce(v.pin, s.position)")},
        {lat_sql("coalesce(v.pin, s.position)")}, coalesce(v.pin_radius_m, s.radius_m),
        v.way_excusal_id, v.version, d.digest
    FROM unnest(CAST(:tenants AS int[]), CAST(:people AS uuid[]), CAST(:dates AS date[]))
        AS r (tenant_id, employee_id, on_date)
    JOIN planned_visits v USING (tenant_id, employee_id, on_date)
    JOIN sites s ON s.tenant_id = v.tenant_id AND s.id = v.site_id
    LEFT JOIN visit_verdicts d ON d.tenant_id = v.tenant_id AND d.visit_id = v.id
        AND d.version = v.version
    WHERE v.cancelled_at IS NULL AND v.ends_at <= :now
      AND coalesce(v.pin, s.position) IS NOT NULL
    ORDER BY v.tenant_id, v.employee_id, v.on_date, v.id
    """  # noqa: S608  # constants
)
# Whoever moved the pin meanwhile was right: the visit is due again.
_SAVE: Final = text(
    f"""
    UPDATE planned_visits v
    SET version = n.version, way_excusal_id = n.way_excusal_id,
        pin = coalesce(v.pin, {point_sql("n.lon", "n.lat")}),
        pin_radius_m = coalesce(v.pin_radius_m, n.radius_m)
    FROM unnest(CAST(:tenants AS int[]), CAST(:ids AS uuid[]), CAST(:versions AS int[]),
            CAST(:ways AS uuid[]), CAST(:lons AS float8[]), CAST(:lats AS float8[]),
            CAST(:radii AS float8[]))
        AS n (tenant_id, id, version, way_excusal_id, lon, lat, radius_m)
    WHERE v.tenant_id = n.tenant_id AND v.id = n.id
    """  # noqa: S608  # constants
)
_DONE: Final = text(
    """
    UPDATE planned_visits v SET due_at = NULL
    FROM unnest(CAST(:tenants AS int[]), CAST(:ids AS uuid[])) AS d (tenant_id, id)
    WHERE v.tenant_id = d.tenant_id AND v.id = d.id
    """
)
_QUEUE: Final = text(
    """
    WITH known AS (
        SELECT v.tenant_id, v.id
        FROM unnest(CAST(:tenants AS int[]), CAST(:people AS uuid[]), CAST(:dates AS date[]),
                CAST(:since AS timestamptz[]))
            AS t (tenant_id, employee_id, work_on, since_at)
        JOIN planned_visits v ON v.tenant_id = t.tenant_id AND v.employee_id = t.employee_id
            AND v.on_date BETWEEN t.work_on - 1 AND t.work_on + 1
        WHERE v.cancelled_at IS NULL AND v.ends_at <= :now
          AND v.ends_at > t.since_at - make_interval(secs => :margin_s)
          AND (v.due_at IS NULL OR v.due_at <= :now)
        ORDER BY v.tenant_id, v.employee_id, v.on_date, v.id FOR UPDATE OF v
    )
    UPDATE planned_visits v SET due_at = CAST(:due_at AS timestamptz)
    FROM known k WHERE v.tenant_id = k.tenant_id AND v.id = k.id
    """
)
LOCK_ORDER: Final = (
    PlannedVisit.tenant_id,
    PlannedVisit.employee_id,
    PlannedVisit.on_date,
    PlannedVisit.id,
)
"""In which all lock visits who wait for locks, so that none waits for another in a circle."""


def claim_due(
    session: Session, *, now: datetime, limit: int, skip: Sequence[RoundKey] = ()
) -> tuple[list[RoundKey], list[tuple[int, UUID]]]:
    """Lock visits that are due with all of their rounds for this transaction; waits for nobody.

    Returns
    -------
    The rounds that no other worker judges and nobody changes now, none of `skip`, and
    (tenant, id) of the due visits in them. Three statements.
    """
    rows = session.execute(_CLAIM, {"now": now, "limit": limit, **_columns(skip)}).all()
    wanted = sorted({RoundKey(*row[:3]) for row in rows})
    if not wanted:
        return [], []
    locked = session.scalars(_LOCK_ROUNDS, _columns(wanted)).all()
    alone = [key for key, got in zip(wanted, locked, strict=True) if got]
    mine = {RoundKey(*row) for row in session.execute(_LOCK_WHOLE, _columns(alone))}
    claimed = [(row.tenant_id, row.id) for row in rows if RoundKey(*row[:3]) in mine]
    return sorted(mine), claimed


def ended_visits(
    session: Session, rounds: Sequence[RoundKey], *, now: datetime
) -> list[VisitFacts]:
    """Return the visits of claimed rounds whose window is over, by round and id. One statement.

    They are locked: nobody cancels a visit while it is judged, so that none excuses anything
    after it.
    """
    rows = session.execute(_ENDED, {"now": now, **_columns(rounds)})
    return [
        VisitFacts(
            key=RoundKey(*row[:3]),
            id=row[3],
            site_id=row[4],
            site_name=row[5],
            kind=VisitType(row[6]),
            starts_at=row[7],
            ends_at=row[8],
            group_id=row[9],
            lon_deg=row[10],
            lat_deg=row[11],
            radius_m=row[12],
            way_excusal_id=row[13],
            version=row[14],
            digest=row[15],
        )
        for row in rows
    ]


def save_verdicts(session: Session, verdicts: Sequence[NewVerdict], *, at: datetime) -> None:
    """Keep new versions and point their visits at them. Two statements."""
    if not verdicts:
        return
    session.execute(
        insert(VerdictVersion),
        [
            {
                "tenant_id": new.visit.key.tenant_id,
                "visit_id": new.visit.id,
                "version": new.visit.version + 1,
                "verdict": new.verdict,
                "arrived_at": new.arrived_at,
                "left_at": new.left_at,
                "dwell_s": new.dwell_s,
                "nearest_m": new.nearest_m,
                "evidence": new.evidence,
                "digest": new.digest,
                "place": new.place and point(lon_deg=new.place[0], lat_deg=new.place[1]),
                "decided_at": at,
            }
            for new in verdicts
        ],
    )
    session.execute(
        _SAVE,
        {
            "tenants": [new.visit.key.tenant_id for new in verdicts],
            "ids": [new.visit.id for new in verdicts],
            "versions": [new.visit.version + 1 for new in verdicts],
            "ways": [new.way_excusal_id for new in verdicts],
            "lons": [new.visit.lon_deg for new in verdicts],
            "lats": [new.visit.lat_deg for new in verdicts],
            "radii": [new.visit.radius_m for new in verdicts],
        },
    )


def mark_done(session: Session, claimed: Sequence[tuple[int, UUID]]) -> None:
    """Take claimed visits off the queue."""
    session.execute(
        _DONE, {"tenants": [tenant for tenant, _ in claimed], "ids": [id_ for _, id_ in claimed]}
    )


def queue_days(
    session: Session,
    days: Sequence[tuple[int, UUID, date, datetime]],
    *,
    now: datetime,
    due_at: datetime,
    margin_s: float,
) -> None:
    """Queue the judged visits that facts of person-days since an instant may change.

    A visit under judgement is waited for and queued again: its judge may have looked before.
    """
    session.execute(
        _QUEUE,
        {
            "tenants": [day[0] for day in days],
            "people": [day[1] for day in days],
            "dates": [day[2] for day in days],
            "since": [day[3] for day in days],
            "now": now,
            "due_at": due_at,
            "margin_s": margin_s,
        },
    )


def load_visit(session: Session, *, tenant_id: int, visit_id: UUID) -> PlannedVisit:
    """Return a visit, locked with its round.

    Raises
    ------
    NotFound : `visit_not_found`.
    """
    visit = session.get(PlannedVisit, (tenant_id, visit_id))
    if visit is None:
        raise NotFound("visit_not_found")
    _lock(session, [RoundKey(tenant_id, visit.employee_id, visit.on_date)])
    return visit


def rounds_due(session: Session, rounds: Collection[RoundKey], *, at: datetime) -> None:
    """Queue all ended or coming visits of rounds that were judged already."""
    for visit in _lock(session, rounds):
        if visit.cancelled_at is None and visit.due_at is None:
            visit.due_at = at
    session.flush()


def _lock(session: Session, rounds: Collection[RoundKey]) -> Sequence[PlannedVisit]:
    """Return all visits of rounds, locked and as they are now."""
    keys = tuple_(PlannedVisit.tenant_id, PlannedVisit.employee_id, PlannedVisit.on_date)
    return session.scalars(
        select(PlannedVisit)
        .where(keys.in_([tuple(key) for key in rounds]))
        .order_by(*LOCK_ORDER)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).all()


def _columns(rounds: Sequence[RoundKey]) -> dict[str, list[Any]]:
    return {
        "tenants": [key.tenant_id for key in rounds],
        "people": [key.employee_id for key in rounds],
        "dates": [key.on_date for key in rounds],
    }
