"""Loading and saving of findings; nothing here commits."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import cast
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Select,
    Table,
    and_,
    bindparam,
    case,
    func,
    insert,
    select,
    tuple_,
    update,
)
from sqlalchemy.orm import Session

from server.findings.models import Finding, FindingRevision
from server.findings.rules import Change, ChangeKind, DayKey, FindingKind, FindingState, Standing
from server.findings.versions import Said

Scope = Select[UUID] | ColumnElement[bool]
"""Whose findings: ids of employees, or a condition on the rows of findings."""


def within(scope: Scope) -> ColumnElement[bool]:
    """Return the SQL condition that a finding is in scope."""
    return scope if isinstance(scope, ColumnElement) else Finding.employee_id.in_(scope)


def load_standing(
    session: Session, days: Sequence[DayKey], kinds: Collection[FindingKind]
) -> list[Standing]:
    """Return every finding of person-days of some kinds, retracted ones included. One statement."""
    if not days:
        return []
    keys = tuple_(Finding.tenant_id, Finding.employee_id, Finding.work_on)
    rows = session.scalars(
        select(Finding).where(keys.in_([tuple(day) for day in days]), Finding.kind.in_(kinds))
    )
    return [
        Standing(
            id=row.id,
            day=DayKey(row.tenant_id, row.employee_id, row.work_on),
            kind=row.kind,
            state=row.state,
            roster_entry_id=row.roster_entry_id,
            post_id=row.post_id,
            starts_at=row.starts_at,
            ends_at=row.ends_at,
            decided_at=row.decided_at,
            revision=row.revision,
            evidence=row.evidence,
        )
        for row in rows
    ]


def load_replaced(session: Session, of: ColumnElement[bool]) -> Mapping[UUID, list[Said]]:
    """Return what findings said before, by finding and revision. One statement.

    Parameters
    ----------
    of : condition on findings.
    """
    said: dict[UUID, list[Said]] = defaultdict(list)
    key = and_(
        Finding.tenant_id == FindingRevision.tenant_id, Finding.id == FindingRevision.finding_id
    )
    for row in session.scalars(
        select(FindingRevision).join(Finding, key).where(of).order_by(FindingRevision.revision)
    ):
        said[row.finding_id].append(
            Said(
                revision=row.revision,
                state=row.state,
                starts_at=row.starts_at,
                ends_at=row.ends_at,
                evidence=row.evidence,
                change=row.change,
                replaced_at=row.replaced_at,
            )
        )
    return said


def write_changes(session: Session, changes: Sequence[Change], *, at: datetime) -> None:
    """Write planned changes, and keep what they replace; three statements at most."""
    fresh = [_new_row(c, at) for c in changes if c.standing is None]
    if fresh:
        session.execute(insert(_FINDINGS), fresh)
    old = [_changed_row(c, at) for c in changes if c.standing is not None]
    replaced = [_replaced_row(c, at) for c in changes if c.standing is not None and c.kind]
    if replaced:
        session.execute(insert(_REVISIONS), replaced)
    if old:
        table_ = _FINDINGS
        new = {name: bindparam(f"new_{name}", type_=table_.c[name].type) for name in _CHANGEABLE}
        session.execute(
            update(table_)
            .where(table_.c.tenant_id == bindparam("key_tenant"), table_.c.id == bindparam("key"))
            .values(
                new
                | {
                    "raised_at": func.coalesce(new["raised_at"], table_.c.raised_at),
                    "closed_at": case(
                        (new["closed_at"].is_(None), None),
                        else_=func.coalesce(table_.c.closed_at, new["closed_at"]),
                    ),
                }
            ),
            old,
        )


_FINDINGS = cast("Table", Finding.__table__)
_REVISIONS = cast("Table", FindingRevision.__table__)
_CHANGEABLE = (
    "state",
    "post_id",
    "starts_at",
    "ends_at",
    "decided_at",
    "raised_at",
    "closed_at",
    "retracted_at",
    "revision",
    "evidence",
)


def _new_row(change: Change, at: datetime) -> dict[str, object]:
    draft = change.draft
    assert draft is not None
    return {
        "tenant_id": draft.day.tenant_id,
        "id": change.id,
        "kind": draft.kind,
        "state": draft.state,
        "employee_id": draft.day.employee_id,
        "roster_entry_id": draft.roster_entry_id,
        "post_id": draft.post_id,
        "work_on": draft.day.work_on,
        "starts_at": draft.starts_at,
        "ends_at": draft.ends_at,
        "decided_at": draft.decided_at,
        "raised_at": at,
        "closed_at": at if draft.state is FindingState.CLOSED else None,
        "retracted_at": None,
        "revision": 1,
        "evidence": dict(draft.evidence),
    }


def _changed_row(change: Change, at: datetime) -> dict[str, object]:
    found, draft = change.standing, change.draft
    assert found is not None
    values: dict[str, object]
    if draft is None:
        values = {
            "state": FindingState.RETRACTED,
            "post_id": found.post_id,
            "starts_at": found.starts_at,
            "ends_at": found.ends_at,
            "decided_at": found.decided_at,
            "retracted_at": at,
            "evidence": dict(found.evidence),
        }
    else:
        values = {
            "state": draft.state,
            "post_id": draft.post_id,
            "starts_at": draft.starts_at,
            "ends_at": draft.ends_at,
            "decided_at": draft.decided_at,
            "retracted_at": None,
            "evidence": dict(draft.evidence),
        }
    values |= {
        "raised_at": at if change.kind is ChangeKind.RAISED else None,
        "closed_at": at if values["state"] is FindingState.CLOSED else None,
        "revision": found.revision + (change.kind is not None),
    }
    return {f"new_{name}": value for name, value in values.items()} | {
        "key_tenant": found.day.tenant_id,
        "key": change.id,
    }


def _replaced_row(change: Change, at: datetime) -> dict[str, object]:
    found = change.standing
    assert found is not None
    return {
        "tenant_id": found.day.tenant_id,
        "finding_id": found.id,
        "revision": found.revision,
        "change": change.kind,
        "state": found.state,
        "starts_at": found.starts_at,
        "ends_at": found.ends_at,
        "decided_at": found.decided_at,
        "evidence": dict(found.evidence),
        "replaced_at": at,
    }
