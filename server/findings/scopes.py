"""Whose findings somebody may read or judge; public through `queries`."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, and_, true

from server.findings.models import Finding
from server.findings.rules import FindingKind
from server.findings.store import Scope
from server.people.policy import was_in_scope
from server.people.rules import Action, Principal


def findings_in_scope(principal: Principal, action: Action, *, now: datetime) -> Scope:
    """Return which findings `action` is open to: membership counts on each one's work date.

    Nobody reviews their own. Signs are never among them, see `signs_in_scope`.
    """
    return and_(
        _in_reach(principal, action, now),
        Finding.kind != FindingKind.SIGNS,
        _of_others(principal) if action is Action.REVIEW_FINDING else true(),
    )


def signs_in_scope(principal: Principal, *, now: datetime) -> Scope:
    """Return the signs a principal may look at and judge: of other people, never their own."""
    return and_(
        _in_reach(principal, Action.REVIEW_FINDING, now),
        Finding.kind == FindingKind.SIGNS,
        _of_others(principal),
    )


def own_signs(employee_id: UUID) -> Scope:
    """Return the signs of one person, for that person."""
    return and_(Finding.employee_id == employee_id, Finding.kind == FindingKind.SIGNS)


def _of_others(principal: Principal) -> ColumnElement[bool]:
    return Finding.employee_id != principal.employee_id if principal.employee_id else true()


def _in_reach(principal: Principal, action: Action, now: datetime) -> ColumnElement[bool]:
    return was_in_scope(
        principal,
        action,
        employee_id=Finding.employee_id.expression,
        on=Finding.work_on.expression,
        now=now,
    )
