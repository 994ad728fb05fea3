"""Use cases on travel claims; the caller's door has asked for the right and commits."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import and_, func, or_, select, tuple_, update
from sqlalchemy.orm import Session

from server.audit.services import Opening, Purpose, record_opening
from server.claims.auditing import audit_due
from server.claims.deciding import LOCK_ORDER, decide_claim
from server.claims.models import TravelClaim
from server.claims.rules import MAX_TEXT, ClaimState, read_facts, reason_of
from server.clock import Clock
from server.errors import Conflict, InvalidInput, NotFound
from server.findings.rules import DayKey
from server.people.rules import Principal
from server.tracking.retention import RAW_RETENTION

__all__ = [
    "audit_due",
    "bring_claim",
    "copy_returned",
    "decide_claim",
    "discard_draft",
    "explain_claim",
    "queue_audits",
    "save_draft",
    "submit_claim",
]

_SETTLE: Final = timedelta(seconds=20)
"""Late data comes in bursts: so long after the last of it a claim is checked again."""


def save_draft(
    session: Session,
    *,
    tenant_id: int,
    zone: str,
    employee_id: UUID,
    document: Mapping[str, Any],
    account_id: UUID | None,
    claim_id: UUID | None = None,
    reference: str | None = None,
) -> UUID:
    """Write a draft, or write it anew.

    Parameters
    ----------
    document : as CLAIM.json; see `rules.read_facts`.
    account_id : who writes it; None for a command.
    claim_id : a draft of the same person to replace; a new one when left out.
    reference : number of the claim in other books.

    Raises
    ------
    InvalidInput : as `rules.read_facts`, `reference_too_long`.
    NotFound : no such draft of this person.
    """
    facts = read_facts(document, zone=zone)
    if reference is not None and len(reference) > 60:
        raise InvalidInput("reference_too_long")
    draft = TravelClaim(tenant_id=tenant_id, employee_id=employee_id, state=ClaimState.DRAFT)
    if claim_id is not None:
        draft = _draft(session, tenant_id=tenant_id, employee_id=employee_id, claim_id=claim_id)
    draft.reference = reference or None
    draft.document = dict(document)
    draft.first_on, draft.last_on = facts.first_on, facts.last_on
    draft.currency = facts.claim.currency.upper()
    draft.claimed_amount = facts.claimed
    draft.created_by = account_id
    session.add(draft)
    session.flush()
    return draft.id


def copy_returned(
    session: Session,
    *,
    tenant_id: int,
    zone: str,
    employee_id: UUID,
    claim_id: UUID,
    account_id: UUID,
) -> UUID:
    """Write a draft like a returned claim, for its claimant to correct; that one stays as it is.

    Raises
    ------
    NotFound : no such claim of this person.
    Conflict : `not_returned`: it waits for a decision, or was paid.
    """
    found = session.scalars(
        select(TravelClaim).where(
            TravelClaim.tenant_id == tenant_id,
            TravelClaim.id == claim_id,
            TravelClaim.employee_id == employee_id,
        )
    ).one_or_none()
    if found is None:
        raise NotFound("claim_not_found")
    if found.state is not ClaimState.RETURNED:
        raise Conflict("not_returned")
    return save_draft(
        session,
        tenant_id=tenant_id,
        zone=zone,
        employee_id=employee_id,
        document=found.document,
        account_id=account_id,
        reference=found.reference,
    )


def discard_draft(session: Session, *, tenant_id: int, employee_id: UUID, claim_id: UUID) -> None:
    """Take a draft away; NotFound as `save_draft`."""
    found = _draft(session, tenant_id=tenant_id, employee_id=employee_id, claim_id=claim_id)
    session.delete(found)
    session.flush()


def submit_claim(
    session: Session, clock: Clock, *, tenant_id: int, employee_id: UUID, claim_id: UUID, zone: str
) -> None:
    """Hand a draft in; from then on its document stays as it is, and it is checked at once.

    Raises
    ------
    NotFound : no such draft of this person.
    Conflict : `not_over_yet`: what it claims is not over.
    """
    draft = _draft(session, tenant_id=tenant_id, employee_id=employee_id, claim_id=claim_id)
    now = clock.now()
    if read_facts(draft.document, zone=zone).span.start > now:
        raise Conflict("not_over_yet")
    if draft.last_on > now.date() + timedelta(days=1):
        raise Conflict("not_over_yet")
    draft.state, draft.submitted_at, draft.due_at = ClaimState.SUBMITTED, now, now
    draft.version += 1
    session.flush()


def bring_claim(
    session: Session,
    clock: Clock,
    principal: Principal,
    *,
    employee_id: UUID,
    document: Mapping[str, Any],
    reason: str,
    reference: str | None = None,
) -> UUID:
    """Hand in somebody's claim at once.

    Its check tells where the person was. So whoever brings a claim for another says why, the
    person reads it in their access log, it counts as a look, somebody else decides, and what
    was concluded stays hidden from whoever brought it until a payment is decided
    (`queries.ClaimScope`).

    Parameters
    ----------
    reason : required unless the claim is one's own.

    Raises
    ------
    InvalidInput : as `save_draft`; `reason_missing`, `reason_too_long`.
    Conflict : as `submit_claim`.
    TooManyRequests : the 21st person within an hour.
    """
    tenant_id, own = principal.tenant_id, employee_id == principal.employee_id
    said = None if own else reason_of(reason, needed=True)
    claim_id = save_draft(
        session,
        tenant_id=tenant_id,
        zone=principal.zone,
        employee_id=employee_id,
        document=document,
        account_id=principal.account_id,
        reference=reference,
    )
    draft = _draft(session, tenant_id=tenant_id, employee_id=employee_id, claim_id=claim_id)
    draft.brought_reason = said
    record_opening(
        session,
        principal,
        employee_id,
        Purpose.CLAIM_REVIEW,
        Opening.BROUGHT,
        now=clock.now(),
        about_on=draft.first_on,
        reason=said,
    )
    submit_claim(
        session,
        clock,
        tenant_id=tenant_id,
        employee_id=employee_id,
        claim_id=claim_id,
        zone=principal.zone,
    )
    return claim_id


def explain_claim(
    session: Session, *, tenant_id: int, employee_id: UUID, claim_id: UUID, explanation: str
) -> None:
    """Let the claimant say what whoever decides should know.

    Raises
    ------
    InvalidInput : `explanation_missing`, `explanation_too_long`.
    Conflict : `already_decided`: it is too late.
    """
    said = explanation.strip()
    if not said:
        raise InvalidInput("explanation_missing")
    if len(said) > MAX_TEXT:
        raise InvalidInput("explanation_too_long")
    done = session.execute(
        update(TravelClaim)
        .where(
            TravelClaim.tenant_id == tenant_id,
            TravelClaim.id == claim_id,
            TravelClaim.employee_id == employee_id,
            TravelClaim.state == ClaimState.SUBMITTED,
        )
        .values(explanation=said, version=TravelClaim.version + 1)
        .returning(TravelClaim.id)
    ).scalar_one_or_none()
    if done is None:
        raise Conflict("already_decided")


def queue_audits(session: Session, clock: Clock, days: Mapping[DayKey, datetime]) -> None:
    """Have claims checked again whose days were derived anew; runs with the engine's rights.

    Drafts, returned claims and those past the retention of positions stay as they are. One
    statement.
    """
    if not days:
        return
    now = clock.now()
    keys = [(day.tenant_id, day.employee_id) for day in days]
    touched = or_(
        *(
            and_(
                TravelClaim.tenant_id == day.tenant_id,
                TravelClaim.employee_id == day.employee_id,
                TravelClaim.first_on <= day.work_on + timedelta(days=1),
                TravelClaim.last_on >= day.work_on - timedelta(days=1),
            )
            for day in days
        )
    )
    # Locked in the order of all who lock several, so that none waits for another in a circle.
    concerned = (
        select(TravelClaim.tenant_id, TravelClaim.id)
        .where(
            tuple_(TravelClaim.tenant_id, TravelClaim.employee_id).in_(keys),
            touched,
            TravelClaim.state.not_in([ClaimState.DRAFT, ClaimState.RETURNED]),
            TravelClaim.first_on > (now - RAW_RETENTION).date(),
        )
        .order_by(*LOCK_ORDER)
        .with_for_update()
        .cte("concerned")
    )
    session.execute(
        update(TravelClaim)
        .where(TravelClaim.tenant_id == concerned.c.tenant_id, TravelClaim.id == concerned.c.id)
        .values(due_at=func.least(TravelClaim.due_at, now + _SETTLE))
        .execution_options(synchronize_session=False)
    )


def _draft(session: Session, *, tenant_id: int, employee_id: UUID, claim_id: UUID) -> TravelClaim:
    found = session.scalars(
        select(TravelClaim)
        .where(
            TravelClaim.tenant_id == tenant_id,
            TravelClaim.id == claim_id,
            TravelClaim.employee_id == employee_id,
            TravelClaim.state == ClaimState.DRAFT,
        )
        .with_for_update()
    ).one_or_none()
    if found is None:
        raise NotFound("claim_not_found")
    return found
