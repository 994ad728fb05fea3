"""Claims against the stored fixes of whoever claims; runs with the engine's rights."""

import json
import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from hashlib import sha256
from typing import Any, Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.exc import DataError, DBAPIError
from sqlalchemy.orm import Session

from geo.claims import Line, LineCheck, audit_claim
from geo.fix import FixArray
from geo.gaps import Window
from geo.verdict import Evidence, canonical_json, format_utc
from server.claims.models import ClaimCheck, TravelClaim
from server.claims.rules import (
    ClaimFacts,
    ClaimState,
    ClaimVerdict,
    Remark,
    gravest,
    read_facts,
    remarks,
    suggested,
)
from server.clock import Clock
from server.db import tables
from server.findings.rules import DayKey
from server.posts.queries import ExcusalKind, excusals_between, geo_policy
from server.tracking.facts import for_judgement, load_fixes
from server.tracking.retention import is_sealed

_log = logging.getLogger(__name__)

AROUND: Final = timedelta(hours=12)
"""Fixes this long before and after a claim's span show how somebody came and went."""


def audit_due(session: Session, clock: Clock, *, limit: int = 20) -> int:
    """Check the claims that are due, in the caller's transaction.

    A check that says the same as the newest one writes nothing: the same facts give the same
    bytes. What changed becomes the next version; no version is ever edited. A claim whose
    positions are past retention keeps the check it has. Each claim taken is locked and
    passed over by others; a dozen statements a claim and what `geo.claims` needs.

    Returns
    -------
    How many claims were looked at.
    """
    now = clock.now()
    rows = session.execute(
        select(TravelClaim, tables.tenants.c.zone)
        .join(tables.tenants, tables.tenants.c.id == TravelClaim.tenant_id)
        .where(TravelClaim.due_at <= now)
        .order_by(TravelClaim.due_at, TravelClaim.id)
        .limit(limit)
        .with_for_update(of=TravelClaim, skip_locked=True)
    ).all()
    for claim, zone in rows:
        claim.due_at = None
        if claim.check_version and is_sealed(claim.first_on, now):
            continue
        try:
            with session.begin_nested():
                _audit(session, claim, zone, now)
        except Exception as error:
            if isinstance(error, DBAPIError) and not isinstance(error, DataError):
                raise
            # One claim that cannot be judged keeps no other waiting; a person sees it unchecked.
            _log.exception("claim %s could not be checked", claim.id)
    session.flush()
    return len(rows)


def _audit(session: Session, claim: TravelClaim, zone: str, now: datetime) -> None:
    facts = read_facts(claim.document, zone=zone)
    lines = _documents(session, claim, facts, zone)
    digest = sha256(canonical_json(lines, sort_keys=True)).hexdigest()
    newest = session.scalar(
        select(ClaimCheck.digest).where(
            ClaimCheck.tenant_id == claim.tenant_id,
            ClaimCheck.claim_id == claim.id,
            ClaimCheck.version == claim.check_version,
        )
    )
    if newest == digest:
        return
    claim.check_version += 1
    session.add(
        ClaimCheck(
            tenant_id=claim.tenant_id,
            claim_id=claim.id,
            version=claim.check_version,
            verdict=gravest(ClaimVerdict(line["verdict"]) for line in lines),
            lines={"lines": lines},
            digest=digest,
            suggested_amount=_sum(lines, "suggested_amount"),
            at_stake=_sum(lines, "at_stake"),
            checked_at=now,
        )
    )


def _documents(
    session: Session, claim: TravelClaim, facts: ClaimFacts, zone: str
) -> list[dict[str, Any]]:
    """Return one document a line, in the order of the claim."""
    span = facts.span
    policy = geo_policy(session, tenant_id=claim.tenant_id, at=span.start)
    day = DayKey(claim.tenant_id, claim.employee_id, claim.first_on)
    fixes = load_fixes(session, {day: (span.start - AROUND, span.end + AROUND)})[day]
    leave = _leave(session, claim, span)
    earlier = _earlier(session, claim, zone)
    _verdict, checks = audit_claim(facts.claim, for_judgement(fixes), policy=policy)
    return [
        _document(
            line,
            check,
            remarks(line, leave=leave, earlier=earlier),
            amount=facts.amounts[line.id],
            seen=_seen(fixes, span),
        )
        for line, check in zip(facts.claim.lines, checks, strict=True)
    ]


def _document(
    line: Line,
    check: LineCheck,
    found: Sequence[Remark],
    *,
    amount: Decimal,
    seen: dict[str, Any],
) -> dict[str, Any]:
    over = check.verdict is ClaimVerdict.OVER
    verdict = check.verdict if over or not found else ClaimVerdict.CANNOT_TELL
    worth = suggested(line, amount, high=check.high, over=over)
    reasons = [*(remark.reason for remark in found), *check.reasons]
    evidence = _plain(check.evidence)
    evidence["inputs"] |= {"fixes": seen, **{r.reason: list(r.ids) for r in found}}
    evidence["reasons"] = reasons
    evidence["verdict"] = verdict.value
    return {
        "id": line.id,
        "verdict": verdict.value,
        "claimed": _text(check.claimed),
        "low": _text(check.low),
        "high": _text(check.high),
        "observed": _text(check.observed),
        "over_by": _text(check.over_by),
        "claimed_amount": str(amount),
        "suggested_amount": str(worth),
        "at_stake": str(amount if found else amount - worth),
        "coverage": check.coverage,
        "reasons": reasons,
        "evidence": evidence,
    }


def _earlier(
    session: Session, claim: TravelClaim, zone: str
) -> list[tuple[UUID, tuple[Line, ...]]]:
    """Lines of the person's claims of the same dates that were handed in before this one."""
    others = session.scalars(
        select(TravelClaim)
        .where(
            TravelClaim.tenant_id == claim.tenant_id,
            TravelClaim.employee_id == claim.employee_id,
            TravelClaim.id != claim.id,
            TravelClaim.state.not_in([ClaimState.DRAFT, ClaimState.RETURNED]),
            TravelClaim.submitted_at <= claim.submitted_at,
            TravelClaim.first_on <= claim.last_on,
            TravelClaim.last_on >= claim.first_on,
        )
        .order_by(TravelClaim.submitted_at, TravelClaim.id)
    )
    return [
        (other.id, read_facts(other.document, zone=zone).claim.lines)
        for other in others
        if (other.submitted_at, other.id) < (claim.submitted_at, claim.id)
    ]


def _leave(session: Session, claim: TravelClaim, span: Window) -> list[tuple[UUID, Window]]:
    found = excusals_between(
        session,
        tenant_id=claim.tenant_id,
        employee_id=claim.employee_id,
        start_at=span.start,
        end_at=span.end,
    )
    return [(e.id, Window(e.starts_at, e.ends_at)) for e in found if e.kind is ExcusalKind.LEAVE]


def _seen(fixes: FixArray, span: Window) -> dict[str, Any]:
    """Name the fixes looked at: how many, the first and last, and a digest of all keys."""
    keys = sorted(fixes.keys.tolist())
    return {
        "start": format_utc(span.start - AROUND),
        "end": format_utc(span.end + AROUND),
        "count": len(keys),
        "digest": sha256("".join(keys).encode()).hexdigest(),
    }


def _plain(evidence: Evidence) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(evidence.to_bytes())
    return document


def _text(value: Decimal | None) -> str | None:
    return None if value is None else str(value)


def _sum(lines: Sequence[dict[str, Any]], name: str) -> Decimal:
    return sum((Decimal(line[name]) for line in lines), Decimal("0.00"))
