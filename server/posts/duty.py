"""Who is on duty when, and under which thresholds; public through `server.posts.queries`."""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from geo.policy import Policy as GeoPolicy
from server.posts import store
from server.posts.models import DutyVersion, Excusal, Policy, RosterEntry
from server.posts.rules import (
    GEO_GROUP,
    MAX_GRACE_S,
    DutyPolicy,
    DutyWindow,
    PolicyKind,
    Span,
    windows_of,
)

_MARGIN = timedelta(seconds=MAX_GRACE_S)


def duty_windows(
    session: Session,
    *,
    start_at: datetime,
    end_at: datetime,
    employee_ids: Collection[UUID] | None = None,
    tenant_ids: Collection[int] | None = None,
) -> list[DutyWindow]:
    """Return who is on duty when: the roster, minus leave and pause, minus leavers.

    Parameters
    ----------
    start_at, end_at : half-open; windows whose grace meets it are returned whole.
    employee_ids : only these people; everybody the role may see when left out.
    tenant_ids : their tenants; spares a role that sees all tenants the search through them.

    Returns
    -------
    Ordered by (tenant, person, start). A person's windows never overlap; their graces may.
    Three statements whatever the number of people.
    """
    entries = store.entries_between(start_at - _MARGIN, end_at + _MARGIN)
    closing = store.closing_between(
        start_at - _MARGIN - store.LONGEST_SHIFT, end_at + _MARGIN + store.LONGEST_SHIFT
    )
    if employee_ids is not None:
        entries = entries.where(RosterEntry.employee_id.in_(employee_ids))
        closing = closing.where(Excusal.employee_id.in_(employee_ids))
    if tenant_ids is not None:
        entries = entries.where(RosterEntry.tenant_id.in_(tenant_ids))
        closing = closing.where(Excusal.tenant_id.in_(tenant_ids))
    shifts = [store.to_rostered(row) for row in session.scalars(entries)]
    closed: dict[tuple[int, UUID], list[Span]] = defaultdict(list)
    for row in session.scalars(closing):
        closed[row.tenant_id, row.employee_id].append((row.starts_at, row.ends_at))
    policies = duty_policies(session)
    windows = [
        window
        for shift in shifts
        for window in windows_of(
            shift,
            closed[shift.tenant_id, shift.employee_id],
            policy=policies.at(shift.tenant_id, shift.starts_at),
        )
        if window.opens_at < end_at and window.closes_at > start_at
    ]
    return sorted(windows, key=lambda w: (w.tenant_id, w.employee_id, w.starts_at))


def windows_of_day(
    session: Session, *, tenant_id: int, employee_id: UUID, work_on: date
) -> list[DutyWindow]:
    """Return one person's duty windows of one work date, in time order."""
    # Every zone's date lies within these instants, and so does the start of its shifts.
    midnight = datetime.combine(work_on, time(), tzinfo=UTC)
    windows = duty_windows(
        session,
        start_at=midnight - timedelta(hours=14),
        end_at=midnight + timedelta(hours=38),
        employee_ids=[employee_id],
    )
    return [w for w in windows if w.work_on == work_on and w.tenant_id == tenant_id]


def duty_version(session: Session) -> dict[int, int]:
    """Return per tenant how often duty changed; a cache is fresh while its number is the same."""
    rows = session.execute(select(DutyVersion.tenant_id, DutyVersion.version))
    return {row.tenant_id: row.version for row in rows}


@dataclass(frozen=True, slots=True)
class DutyPolicies:
    """Duty policies of all tenants the role may see, each in force from an instant."""

    rows: dict[int, list[tuple[datetime, DutyPolicy]]]

    def at(self, tenant_id: int, at: datetime) -> DutyPolicy:
        """Return the policy in force at an instant, the default before the first."""
        policy = DutyPolicy()
        for from_at, candidate in self.rows.get(tenant_id, []):
            if from_at <= at:
                policy = candidate
        return policy


def duty_policies(session: Session) -> DutyPolicies:
    """Return every duty policy, so that each shift can take the one in force at its start."""
    rows: dict[int, list[tuple[datetime, DutyPolicy]]] = defaultdict(list)
    query = (
        select(Policy)
        .where(Policy.kind == PolicyKind.DUTY)
        .order_by(Policy.tenant_id, Policy.effective_from_at, Policy.version)
    )
    for row in session.scalars(query):
        policy = DutyPolicy.from_params(row.params, version=row.version)
        rows[row.tenant_id].append((row.effective_from_at, policy))
    return DutyPolicies(dict(rows))


@dataclass(frozen=True, slots=True)
class GeoPolicies:
    """Rows of the core's thresholds of all tenants asked for, oldest first."""

    rows: list[tuple[int, PolicyKind, int, datetime, dict[str, Any]]]

    def at(self, tenant_id: int, at: datetime) -> GeoPolicy:
        """Return the thresholds in force at an instant, defaults where no row speaks."""
        newest = {
            kind: (number, params)
            for tenant, kind, number, from_at, params in self.rows
            if tenant == tenant_id and from_at <= at
        }
        if not newest:
            return GeoPolicy()
        chosen = sorted(newest.items())
        version = ",".join(f"{kind.value}:{number}" for kind, (number, _) in chosen)
        return GeoPolicy.from_json(
            {"version": version, **{GEO_GROUP[kind]: params for kind, (_, params) in chosen}}
        )


def geo_policies(session: Session, *, tenant_ids: Collection[int]) -> GeoPolicies:
    """Return the thresholds of the core of tenants: every family but that of duty.

    A version made of them names each family's row (`off_post:1,presence:3`), so that
    evidence can be traced to it.
    """
    query = (
        select(Policy)
        .where(
            Policy.tenant_id.in_(tenant_ids),
            Policy.kind.in_([kind.value for kind in GEO_GROUP]),
        )
        .order_by(Policy.effective_from_at, Policy.version)
    )
    return GeoPolicies(
        [
            (row.tenant_id, row.kind, row.version, row.effective_from_at, row.params)
            for row in session.scalars(query)
        ]
    )


def geo_policy(session: Session, *, tenant_id: int, at: datetime) -> GeoPolicy:
    """Return one tenant's thresholds in force at an instant; see `geo_policies`."""
    return geo_policies(session, tenant_ids=[tenant_id]).at(tenant_id, at)
