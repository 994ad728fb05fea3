"""The viewer's word on a finding."""

from collections.abc import Collection
from uuid import UUID

from sqlalchemy.orm import Session

from server.errors import InvalidInput
from server.findings.queries import ReviewAction, Scope, get_finding
from server.findings.services import review_finding
from server.http.context import principal, runtime


def say(
    session: Session, scope: Scope, finding_id: UUID, said: ReviewAction | None, reason: str
) -> UUID:
    """Note a word on one finding in scope and return the entry's id; None is a word unknown.

    Raises
    ------
    NotFound : no such finding, or not in scope.
    InvalidInput : `bad_action`, and as `review_finding`.
    Conflict : as `review_finding`.
    """
    if said is None:
        get_finding(session, scope, finding_id)
        raise InvalidInput("bad_action", fields={"action": "bad_action"})
    viewer = principal()
    return review_finding(
        session,
        runtime().clock,
        tenant_id=viewer.tenant_id,
        finding_id=finding_id,
        action=said,
        reason=reason,
        account_id=viewer.account_id,
        account_name=viewer.name,
        scope=scope,
    )


def word_of(
    text: str | None, *, among: Collection[ReviewAction] = tuple(ReviewAction)
) -> ReviewAction | None:
    """Return the word that a form or a body names, None for anything else."""
    return next((action for action in among if action.value == text), None)
