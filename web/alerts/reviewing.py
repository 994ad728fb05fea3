"""People's word on alerts: one, or several with one reason; open maps hear of it at once."""

from collections.abc import Iterable
from uuid import UUID

from sqlalchemy.orm import Session

from server.errors import Conflict, InvalidInput
from server.findings.queries import (
    FindingDetail,
    ReviewAction,
    ReviewState,
    findings_in_scope,
    get_finding,
)
from server.http.context import now, principal, runtime, transaction
from server.people.rules import Action
from server.tracking.live import LiveEvent, LiveType
from web.findings.reviewing import say, word_of

MOST = 200
"""Alerts that one word may be about."""


def review_one(finding_id: UUID, action: str, reason: str) -> UUID:
    """Note the viewer's word on one alert and return the entry's id.

    Raises
    ------
    NotFound : no such alert, or not for this viewer.
    InvalidInput, Conflict : as `say`.
    """
    with transaction() as session:
        review_id, found = _note(session, finding_id, word_of(action), reason)
    _tell([found])
    return review_id


def acknowledge(finding_ids: Iterable[UUID], reason: str) -> int:
    """Acknowledge several alerts with one reason, all or none.

    Those that somebody else dealt with meanwhile are passed over.

    Returns
    -------
    How many were acknowledged now.

    Raises
    ------
    NotFound : one of them is not there for this viewer; then none is acknowledged.
    InvalidInput : `none_chosen`, `too_many`, and as `say`.
    """
    # In one order, so that two people with the same alerts do not wait for each other.
    chosen = sorted(set(finding_ids))
    if not chosen:
        raise InvalidInput("none_chosen")
    if len(chosen) > MOST:
        raise InvalidInput("too_many")
    done = []
    with transaction() as session:
        for finding_id in chosen:
            try:
                done.append(_note(session, finding_id, ReviewAction.ACKNOWLEDGE, reason)[1])
            except Conflict:
                continue
    _tell(done)
    return len(done)


def _note(
    session: Session, finding_id: UUID, said: ReviewAction | None, reason: str
) -> tuple[UUID, FindingDetail]:
    scope = findings_in_scope(principal(), Action.REVIEW_FINDING, now=now())
    review_id = say(session, scope, finding_id, said, reason)
    return review_id, get_finding(session, scope, finding_id)


def _tell(found: Iterable[FindingDetail]) -> None:
    """Let open live maps drop what somebody has dealt with; after the commit."""
    events = [
        LiveEvent(
            tenant_id=principal().tenant_id,
            type=LiveType.ALERT,
            employee_id=row.employee_id,
            data={
                "id": str(row.id),
                "kind": row.kind.value,
                "state": row.state.value,
                "employee_id": str(row.employee_id),
                "post_id": str(row.post_id) if row.post_id else None,
                "starts_at": row.starts_at.timestamp(),
                "decided_at": row.decided_at.timestamp(),
                "distance_m": row.distance_m,
                "revision": row.revision,
                "acknowledged": row.review is not ReviewState.PENDING,
            },
        )
        for row in (detail.row for detail in found)
    ]
    if events:
        runtime().live.publish(events)
