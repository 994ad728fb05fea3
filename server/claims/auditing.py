"""Claims against the stored fixes of whoever claims; runs with the engine's rights.

A claim is taken under a lease, judged with no transaction open, because roads may be asked
over the network, and settled in another transaction.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from hashlib import sha256
from typing import Any, Final
from uuid import UUID

from sqlalchemy import and_, or_, select
from sqlalchemy.exc import DataError, DBAPIError
from sqlalchemy.orm import Session, sessionmaker

from geo.claims import Line
from geo.gaps import Window
from geo.roads import RoadsUnavailable
from geo.verdict import canonical_json
from server.claims.checking import AROUND, Case, check_lines
from server.claims.models import ClaimCheck, TravelClaim
from server.claims.roads import RoadSource
from server.claims.rules import ClaimState, ClaimVerdict, gravest, read_facts
from server.clock import Clock
from server.db import tables
from server.db.session import unit_of_work
from server.findings.rules import DayKey
from server.posts.queries import ExcusalKind, excusals_between, geo_policy
from server.tracking.facts import load_fixes
from server.tracking.retention import is_sealed

_log = logging.getLogger(__name__)

_LEASE: Final = timedelta(minutes=10)
"""What is not settled by then was lost with its process, and is taken by another."""
_PATIENCE: Final = timedelta(minutes=10)
"""So long a claim waits for roads that do not answer ..."""
_ASK_AGAIN: Final = timedelta(minutes=1)
_ASK_LATER: Final = timedelta(hours=1)
"""... and so often it tries, before and after it was checked without."""


@dataclass(frozen=True, slots=True)
class _Taken:
    """A claim in hand; `case` is None when there is nothing to judge."""

    tenant_id: int
    claim_id: UUID
    until: datetime
    missed_at: datetime | None
    case: Case | None


@dataclass(frozen=True, slots=True)
class _Judged:
    """Documents of the lines, None to keep what there is; since when roads do not answer."""

    lines: list[dict[str, Any]] | None
    missed_at: datetime | None = None


def audit_due(
    sessions: sessionmaker[Session],
    clock: Clock,
    *,
    roads: RoadSource | None = None,
    limit: int = 20,
) -> int:
    """Check the claims that are due, each in two short transactions of its own.

    A check that says the same as the newest one writes nothing: the same facts and the same
    roads give the same bytes. What changed becomes the next version; no version is ever
    edited. A claim whose positions are past retention keeps the check it has. A dozen
    statements a claim; the time is that of `geo.claims`, and of asking for ways.

    Roads that do not answer never make a silent difference: for ten minutes the claim waits,
    then it is checked by the positions alone, its evidence says so, and it is tried again
    every hour; with roads it gets its next version.

    Parameters
    ----------
    sessions : of the role `outpost_engine`, all tenants.
    clock : tells what is due.
    roads : where to ask for ways; the positions alone when there are none.
    limit : claims at most.

    Returns
    -------
    How many claims were looked at.
    """
    for done in range(limit):
        with unit_of_work(sessions, tenant_id=None) as session:
            taken = _take(session, clock.now())
        if taken is None:
            return done
        judged = _judge(taken, roads, clock.now())
        with unit_of_work(sessions, tenant_id=None) as session:
            _settle(session, taken, judged, clock.now())
    return limit


def _take(session: Session, now: datetime) -> _Taken | None:
    """Take the next claim that is due and in nobody's hand, with what it is judged by."""
    row = session.execute(
        select(TravelClaim, tables.tenants.c.zone)
        .join(tables.tenants, tables.tenants.c.id == TravelClaim.tenant_id)
        .where(
            or_(
                TravelClaim.taken_until <= now,
                and_(TravelClaim.due_at <= now, TravelClaim.taken_until.is_(None)),
            )
        )
        .order_by(TravelClaim.due_at, TravelClaim.id)
        .limit(1)
        .with_for_update(of=TravelClaim, skip_locked=True)
    ).one_or_none()
    if row is None:
        return None
    claim, zone = row
    claim.due_at, claim.taken_until = None, now + _LEASE
    session.flush()
    case = None
    if not claim.check_version or not is_sealed(claim.first_on, now):
        try:
            with session.begin_nested():
                case = _case(session, claim, zone)
        except Exception as error:
            if isinstance(error, DBAPIError) and not isinstance(error, DataError):
                raise
            # One claim that cannot be judged keeps no other waiting; a person sees it unchecked.
            _log.exception("claim %s could not be read", claim.id)
    return _Taken(claim.tenant_id, claim.id, now + _LEASE, claim.roads_missed_at, case)


def _judge(taken: _Taken, source: RoadSource | None, now: datetime) -> _Judged:
    case = taken.case
    try:
        if case is None:
            return _Judged(None)
        if source is None or not case.asks_roads:
            return _Judged(check_lines(case, None))
        try:
            with source.roads() as roads:
                lines = check_lines(case, roads)
        except RoadsUnavailable as error:
            _log.warning("roads do not answer: %s, %s", error.code, error)
        else:
            return _Judged(lines)
        missed_at = taken.missed_at or now
        if now - missed_at < _PATIENCE:
            return _Judged(None, missed_at)
        return _Judged(check_lines(case, None, away=True), missed_at)
    except Exception:  # noqa: BLE001  # as in `_take`: it keeps no other waiting
        _log.exception("claim %s could not be checked", taken.claim_id)
        return _Judged(None)


def _settle(session: Session, taken: _Taken, judged: _Judged, now: datetime) -> None:
    claim = session.scalars(
        select(TravelClaim)
        .where(
            TravelClaim.tenant_id == taken.tenant_id,
            TravelClaim.id == taken.claim_id,
            TravelClaim.taken_until == taken.until,
        )
        .with_for_update()
    ).one_or_none()
    if claim is None:  # it took longer than the lease, and somebody else has it
        return
    claim.taken_until, claim.roads_missed_at = None, judged.missed_at
    if judged.missed_at is not None and claim.state is not ClaimState.RETURNED:
        again_at = now + (_ASK_AGAIN if judged.lines is None else _ASK_LATER)
        # Late data may have come meanwhile, and is looked at sooner.
        claim.due_at = min(claim.due_at or again_at, again_at)
    if judged.lines is not None:
        try:
            with session.begin_nested():
                _write(session, claim, judged.lines, now)
        except DataError:
            _log.exception("the check of claim %s cannot be stored", taken.claim_id)


def _write(
    session: Session, claim: TravelClaim, lines: Sequence[dict[str, Any]], now: datetime
) -> None:
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


def _case(session: Session, claim: TravelClaim, zone: str) -> Case:
    facts = read_facts(claim.document, zone=zone)
    span = facts.span
    day = DayKey(claim.tenant_id, claim.employee_id, claim.first_on)
    return Case(
        facts=facts,
        policy=geo_policy(session, tenant_id=claim.tenant_id, at=span.start),
        fixes=load_fixes(session, {day: (span.start - AROUND, span.end + AROUND)})[day],
        leave=_leave(session, claim, span),
        earlier=_earlier(session, claim, zone),
    )


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


def _sum(lines: Sequence[dict[str, Any]], name: str) -> Decimal:
    return sum((Decimal(line[name]) for line in lines), Decimal("0.00"))
