"""Use cases on findings: keep them in step with the facts, and take people's word on them."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from server.clock import Clock
from server.db.types import new_id
from server.errors import Conflict, InvalidInput, NotFound
from server.findings import store
from server.findings.models import Finding, Review
from server.findings.rules import (
    PLAIN_KINDS,
    REMARKS,
    Change,
    ChangeKind,
    DayKey,
    FindingDraft,
    FindingKind,
    FindingState,
    ReviewAction,
    can_be_said,
    identify,
    plan_changes,
)

MAX_REASON = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingChange:
    """What happened to a finding, for the live feed.

    `replaces` names the finding that a new one stands in for: the same time of the same day
    is judged under another assignment.
    """

    change: ChangeKind
    id: UUID
    day: DayKey
    kind: FindingKind
    state: FindingState
    post_id: UUID | None
    starts_at: datetime
    ends_at: datetime | None
    decided_at: datetime
    distance_m: float | None
    revision: int
    replaces: UUID | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncedFindings:
    """Outcome of a synchronisation.

    Attributes
    ----------
    changes : worth telling people, in time order; growing evidence alone is none.
    ids : id of the finding that says it, by id of the draft.
    """

    changes: list[FindingChange]
    ids: Mapping[UUID, UUID]


def sync_findings(
    session: Session,
    clock: Clock,
    *,
    days: Sequence[DayKey],
    drafts: Sequence[FindingDraft],
    kinds: Collection[FindingKind] = PLAIN_KINDS,
) -> SyncedFindings:
    """Make the findings of some person-days say exactly what the facts say.

    Only findings of `kinds` are compared: signs are judged by another worker, at another time.

    Raises new ones, closes what ended, revises what changed and retracts what the facts no
    longer support. A finding whose span moved stays itself, with its reviews, and one that
    the facts support again comes back under its id. Runs with the engine's rights inside
    its transaction, which holds the lock of each day.

    Returns
    -------
    Changes, and which finding each draft is. Four statements at most, whatever the number
    of days. What a change replaces is kept (`finding_revisions`).
    """
    standing = store.load_standing(session, days, kinds)
    changes = plan_changes(standing, drafts)
    store.write_changes(session, changes, at=clock.now())
    gone = [c for c in changes if c.kind is ChangeKind.RETRACTED]
    return SyncedFindings(
        changes=[_told(c, c.kind, gone) for c in changes if c.kind is not None],
        ids=identify(standing, drafts),
    )


def review_finding(
    session: Session,
    clock: Clock,
    *,
    tenant_id: int,
    finding_id: UUID,
    action: ReviewAction,
    reason: str,
    account_id: UUID,
    account_name: str,
    scope: store.Scope | None = None,
) -> UUID:
    """Note a person's word on a finding; nothing that was said is ever edited.

    Parameters
    ----------
    reason : for other people and for the one concerned; required, up to 1,000 characters.
    scope : findings this principal may review, see `queries.findings_in_scope`.

    Returns
    -------
    The review's id.

    Raises
    ------
    NotFound : no such finding, or outside the scope: the same answer.
    InvalidInput : `reason_missing`, `reason_too_long`, `bad_action` for a word that makes no
        sense of this kind of finding.
    Conflict : `already_reviewed` when the newest verdict is the same, `finding_retracted`
        when there is nothing left to judge.
    """
    text = reason.strip()
    if not text:
        raise InvalidInput("reason_missing", fields={"reason": "reason_missing"})
    if len(text) > MAX_REASON:
        raise InvalidInput("reason_too_long", fields={"reason": "reason_too_long"})
    # Two people who press at once are two reviews of the same kind: the second is refused.
    session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(str(finding_id), 0))))
    query = select(Finding.state, Finding.kind).where(
        Finding.tenant_id == tenant_id, Finding.id == finding_id
    )
    if scope is not None:
        query = query.where(store.within(scope))
    found = session.execute(query).one_or_none()
    if found is None:
        raise NotFound("finding_not_found")
    if not can_be_said(action, found.kind):
        raise InvalidInput("bad_action", fields={"action": "bad_action"})
    if action not in REMARKS:
        if found.state is FindingState.RETRACTED:
            raise Conflict("finding_retracted")
        if _verdict(session, tenant_id=tenant_id, finding_id=finding_id) is action:
            raise Conflict("already_reviewed")
    review = Review(
        tenant_id=tenant_id,
        id=new_id(),
        finding_id=finding_id,
        action=action,
        reason=text,
        account_id=account_id,
        account_name=account_name,
        at=clock.now(),
    )
    session.add(review)
    session.flush()
    return review.id


def _verdict(session: Session, *, tenant_id: int, finding_id: UUID) -> ReviewAction | None:
    return session.scalar(
        select(Review.action)
        .where(
            Review.tenant_id == tenant_id,
            Review.finding_id == finding_id,
            Review.action.not_in(REMARKS),
        )
        .order_by(Review.at.desc(), Review.id.desc())
        .limit(1)
    )


def _told(change: Change, kind: ChangeKind, gone: Sequence[Change]) -> FindingChange:
    what = change.draft or change.standing
    assert what is not None
    figures = what.evidence.get("figures", {})
    before = change.standing
    return FindingChange(
        change=kind,
        id=change.id,
        day=what.day,
        kind=what.kind,
        state=FindingState.RETRACTED if change.draft is None else change.draft.state,
        post_id=what.post_id,
        starts_at=what.starts_at,
        ends_at=what.ends_at,
        decided_at=what.decided_at,
        distance_m=figures.get("max_distance_m"),
        revision=1 if before is None else before.revision + 1,
        replaces=_replaced(change, gone) if kind is ChangeKind.RAISED else None,
    )


def _replaced(change: Change, gone: Sequence[Change]) -> UUID | None:
    draft = change.draft
    assert draft is not None
    for other in gone:
        old = other.standing
        if (
            old is not None
            and (old.day, old.kind) == (draft.day, draft.kind)
            and (draft.ends_at is None or old.starts_at < draft.ends_at)
            and (old.ends_at is None or draft.starts_at < old.ends_at)
        ):
            return old.id
    return None
