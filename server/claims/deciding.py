"""The decision on a claim; public through `server.claims.services`."""

from decimal import Decimal
from typing import Final
from uuid import UUID

from sqlalchemy import and_, select, update
from sqlalchemy.orm import Session, aliased

from server.audit.services import record_security_event
from server.claims.models import ClaimCheck, TravelClaim
from server.claims.rules import ClaimState, ClaimVerdict, reason_of
from server.clock import Clock
from server.errors import Conflict, InvalidInput, NotFound
from server.people.rules import Principal

LOCK_ORDER: Final = (TravelClaim.tenant_id, TravelClaim.id)
"""In which all lock claims who lock several, so that none waits for another in a circle."""


def decide_claim(
    session: Session,
    clock: Clock,
    principal: Principal,
    *,
    claim_id: UUID,
    decision: ClaimState,
    reason: str,
    seen_version: int,
    seen_check: int,
) -> Decimal:
    """Decide a claim for good: approve it, reduce it to what is suggested, or return it.

    One guarded statement: it holds only while claim and check are those that the person who
    decides saw. Recorded as a security event.

    Parameters
    ----------
    reason : required unless a claim that is supported (or claims too little) is approved.
    seen_version, seen_check : of the claim and of its newest check, as the page showed them.

    Returns
    -------
    The amount approved.

    Raises
    ------
    NotFound : no such claim.
    InvalidInput : `reason_missing`, `reason_too_long`, `unknown_decision`.
    Conflict : `own_claim`, `brought_claim`; `not_checked_yet`; `claim_moved_on` when somebody
        was faster, the claimant explained or late data came.
    """
    if decision is ClaimState.RETURNED:
        _lock_beside(session, principal.tenant_id, claim_id)
    found = session.execute(
        select(TravelClaim, ClaimCheck)
        .outerjoin(
            ClaimCheck,
            and_(
                ClaimCheck.tenant_id == TravelClaim.tenant_id,
                ClaimCheck.claim_id == TravelClaim.id,
                ClaimCheck.version == seen_check,
            ),
        )
        .where(TravelClaim.tenant_id == principal.tenant_id, TravelClaim.id == claim_id)
    ).one_or_none()
    if found is None:
        raise NotFound("claim_not_found")
    claim, check = found
    if claim.employee_id == principal.employee_id:
        raise Conflict("own_claim")
    if claim.created_by == principal.account_id:
        raise Conflict("brought_claim")
    if check is None:
        raise Conflict("not_checked_yet" if claim.check_version == 0 else "claim_moved_on")
    amount = _amount(decision, claim, check)
    said = reason_of(reason, needed=decision is not ClaimState.APPROVED or not _clean(check))
    done = session.execute(
        update(TravelClaim)
        .where(
            TravelClaim.tenant_id == principal.tenant_id,
            TravelClaim.id == claim_id,
            TravelClaim.state == ClaimState.SUBMITTED,
            TravelClaim.version == seen_version,
            TravelClaim.check_version == seen_check,
        )
        .values(
            state=decision,
            version=TravelClaim.version + 1,
            decided_at=clock.now(),
            decided_by=principal.account_id,
            decider_id=principal.employee_id,
            decider_name=principal.name,
            decision_reason=said,
            decided_check=seen_check,
            approved_amount=amount,
        )
        .returning(TravelClaim.id)
        .execution_options(synchronize_session=False)
    ).scalar_one_or_none()
    if done is None:
        raise Conflict("claim_moved_on")
    if decision is ClaimState.RETURNED:
        _check_again_beside(session, clock, claim)
    record_security_event(
        session,
        tenant_id=principal.tenant_id,
        kind="claim_decided",
        subject=str(claim_id),
        actor_id=principal.account_id,
        detail={"decision": decision.value, "amount": f"{amount} {claim.currency}"},
    )
    return amount


def _lock_beside(session: Session, tenant_id: int, claim_id: UUID) -> None:
    """Lock a claim with the person's claims of the same dates, before any of them is written."""
    one = aliased(TravelClaim)
    session.execute(
        select(TravelClaim.id)
        .join(
            one,
            and_(
                one.tenant_id == TravelClaim.tenant_id,
                one.employee_id == TravelClaim.employee_id,
                one.first_on <= TravelClaim.last_on,
                one.last_on >= TravelClaim.first_on,
            ),
        )
        .where(one.tenant_id == tenant_id, one.id == claim_id)
        .order_by(*LOCK_ORDER)
        .with_for_update(of=TravelClaim)
    )


def _check_again_beside(session: Session, clock: Clock, returned: TravelClaim) -> None:
    """Have claims checked again that may have been found claimed twice because of this one."""
    session.execute(
        update(TravelClaim)
        .where(
            TravelClaim.tenant_id == returned.tenant_id,
            TravelClaim.employee_id == returned.employee_id,
            TravelClaim.id != returned.id,
            TravelClaim.state == ClaimState.SUBMITTED,
            TravelClaim.first_on <= returned.last_on,
            TravelClaim.last_on >= returned.first_on,
        )
        .values(due_at=clock.now())
        .execution_options(synchronize_session=False)
    )


def _amount(decision: ClaimState, claim: TravelClaim, check: ClaimCheck) -> Decimal:
    match decision:
        case ClaimState.APPROVED:
            return claim.claimed_amount
        case ClaimState.REDUCED:
            return check.suggested_amount
        case ClaimState.RETURNED:
            return Decimal("0.00")
        case _:
            raise InvalidInput("unknown_decision")


def _clean(check: ClaimCheck) -> bool:
    return check.verdict in {ClaimVerdict.SUPPORTED, ClaimVerdict.UNDER}
