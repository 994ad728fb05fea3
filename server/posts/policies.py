"""Versions of thresholds: setting a new one, and what there has been."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import and_, func, select
from sqlalchemy.orm import Session

from server.clock import Clock
from server.db import tables
from server.db.types import new_id
from server.errors import Conflict, InvalidInput
from server.posts import store
from server.posts.models import Policy
from server.posts.rules import PolicyKind
from server.posts.thresholds import check_thresholds

MAX_NOTE = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyVersion:
    """One version of a family's thresholds.

    Attributes
    ----------
    params : only what differs from the defaults.
    by : name of the account that set it; None for a command.
    note : why, in that person's words.
    trial : what a what-if had shown before; None when nobody tried it.
    """

    kind: PolicyKind
    version: int
    params: Mapping[str, Any]
    effective_from_at: datetime
    created_at: datetime
    by: str | None
    note: str | None
    trial: Mapping[str, Any] | None


def set_policy(
    session: Session,
    clock: Clock,
    *,
    tenant_id: int,
    kind: PolicyKind,
    params: Mapping[str, Any],
    effective_from_at: datetime | None = None,
    based_on: int | None = None,
    note: str | None = None,
    trial: Mapping[str, Any] | None = None,
    actor_id: UUID | None = None,
) -> int:
    """Set the thresholds of one family for shifts that start from an instant on.

    Shifts that have started keep the thresholds they started under, so nothing is judged
    again. Only what differs from the defaults needs to be named.

    Parameters
    ----------
    based_on : number of the newest version that the author saw, 0 for none; any when left out.
    note : why.
    trial : what a what-if showed, to stand beside the version for good.

    Returns
    -------
    The version's number.

    Raises
    ------
    InvalidInput : `unknown_threshold`, `bad_threshold`, `bad_value`, `out_of_range`,
        `policy_in_the_past`, `note_too_long`.
    Conflict : `policy_changed` when somebody set another version meanwhile.
    """
    now = clock.now()
    from_at = effective_from_at or now
    if from_at < now:
        raise InvalidInput("policy_in_the_past", fields={"effective_from_at": "in_the_past"})
    if note is not None and len(note) > MAX_NOTE:
        raise InvalidInput("note_too_long", fields={"note": "note_too_long"})
    check_thresholds(kind, params)
    # Raised first: its row makes two authors of one tenant take turns.
    store.note_duty_change(session, tenant_id=tenant_id, days=[])
    newest = session.scalar(
        select(func.max(Policy.version)).where(Policy.tenant_id == tenant_id, Policy.kind == kind)
    )
    if based_on is not None and based_on != (newest or 0):
        raise Conflict("policy_changed", f"the newest version is {newest or 0}")
    number = (newest or 0) + 1
    session.add(
        Policy(
            tenant_id=tenant_id,
            id=new_id(),
            kind=kind,
            version=number,
            params=dict(params),
            effective_from_at=from_at,
            note=note or None,
            trial=None if trial is None else dict(trial),
            created_by=actor_id,
        )
    )
    session.flush()
    return number


def policy_versions(
    session: Session, *, tenant_id: int, kinds: Collection[PolicyKind] = tuple(PolicyKind)
) -> list[PolicyVersion]:
    """Return every version of some families, newest first. One statement."""
    who = tables.accounts
    rows = session.execute(
        select(Policy, who.c.name)
        .outerjoin(who, and_(who.c.tenant_id == Policy.tenant_id, who.c.id == Policy.created_by))
        .where(Policy.tenant_id == tenant_id, Policy.kind.in_([kind.value for kind in kinds]))
        .order_by(Policy.version.desc())
    )
    return [
        PolicyVersion(
            kind=row.kind,
            version=row.version,
            params=row.params,
            effective_from_at=row.effective_from_at,
            created_at=row.created_at,
            by=name,
            note=row.note,
            trial=row.trial,
        )
        for row, name in rows
    ]


def in_force(versions: Collection[PolicyVersion], *, at: datetime) -> PolicyVersion | None:
    """Return which version of one family holds at an instant, None for the defaults."""
    begun = [version for version in versions if version.effective_from_at <= at]
    return max(begun, key=lambda v: (v.effective_from_at, v.version), default=None)
