"""Ask where one person is now: with a purpose, on duty only, not too often."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from server.audit.services import Actor, Purpose, record_looks, record_security_event
from server.clock import Clock
from server.db.tables import devices
from server.db.types import new_id
from server.errors import InvalidInput, TooManyRequests
from server.people.owntracks import TAKES_COMMANDS
from server.posts.queries import duty_policies
from server.tracking.live_map import duty_now
from server.tracking.locate_models import LocateRequest, PhoneCommand
from server.tracking.locate_rules import (
    Asked,
    LocateLimits,
    LocatePurpose,
    LocateState,
    PhoneAction,
    Refusal,
    StepOutcome,
    needs_reason,
    wait_before_asking,
)

COMMANDS_CHANNEL: Final = "phone_commands"
LOCATE_QUOTA: Final = "locate_quota"
MAX_REASON: Final = 200
_HOUR: Final = timedelta(hours=1)
_LOCK = text("SELECT pg_advisory_xact_lock(hashtextextended(:person, 0))")
_NOTIFY = text("SELECT pg_notify(:channel, :device)")


@dataclass(frozen=True, slots=True)
class Question:
    """What became of asking: the request, and why it was not asked when it was not."""

    request_id: UUID
    refusal: Refusal | None


def ask_where(
    session: Session,
    clock: Clock,
    *,
    asker: Actor,
    employee_id: UUID,
    purpose: LocatePurpose,
    reason: str = "",
    limits: LocateLimits | None = None,
) -> Question:
    """Ask one person's phone where it is.

    The caller has checked that the asker may locate this person. Writes the request, which
    the person reads on their own page whatever becomes of it, the entry of the access log,
    and a command for each phone that takes commands; the word to the sender of commands
    leaves at commit. Outside duty nothing is asked: the refused attempt is kept, without
    any position.

    Parameters
    ----------
    session, clock : as everywhere; one transaction.
    asker : who asks.
    employee_id : whom it is about.
    purpose, reason : why; a reason in words belongs to `other`, at most 200 characters.
    limits : how long is waited and how often may be asked; those of the tenant's policy of
        duty when left out.

    Returns
    -------
    The request, refused or not.

    Raises
    ------
    InvalidInput : the purpose needs a reason in words.
    TooManyRequests : the account asked too often, or this person was asked about too often.
    """
    now, tenant_id = clock.now(), asker.tenant_id
    limits = limits or limits_at(session, tenant_id=tenant_id, at=now)
    words = " ".join(reason.split())[:MAX_REASON] or None
    if needs_reason(purpose) and words is None:
        raise InvalidInput("reason_missing", fields={"reason": "reason_missing"})
    # Two clicks at once are two questions; the second has to see the first.
    session.execute(_LOCK, {"person": f"locate:{tenant_id}:{asker.account_id}"})
    session.execute(_LOCK, {"person": f"locate:{tenant_id}:{employee_id}"})
    asked = asked_lately(session, asker=asker, employee_id=employee_id, now=now)
    wait = wait_before_asking(asked, limits, now=now)
    if wait > timedelta(0):
        raise TooManyRequests(LOCATE_QUOTA, retry_after_s=int(wait.total_seconds()) + 1)
    on_duty = duty_now(session, tenant_id=tenant_id, employee_id=employee_id, now=now) is not None
    request = LocateRequest(
        tenant_id=tenant_id,
        id=new_id(),
        employee_id=employee_id,
        asker_id=asker.account_id,
        asker_name=asker.name,
        purpose=purpose,
        reason=words,
        asked_at=now,
        due_at=now + timedelta(seconds=limits.phone_s),
        state=LocateState.ASKED,
    )
    session.add(request)
    if not on_duty:
        request.due_at = now
        _refuse(session, request, asker)
        return Question(request.id, Refusal.OFF_DUTY)
    record_looks(
        session,
        asker,
        [employee_id],
        Purpose.LOCATE_NOW,
        "locate",
        now=now,
        reason=f"{purpose.value}: {words}" if words else purpose.value,
        coalesce=timedelta(0),
    )
    phones = _phones(session, tenant_id=tenant_id, employee_id=employee_id)
    outcome = StepOutcome.WAITING if phones else StepOutcome.NO_PHONE
    request.steps = [step(now, "phone", outcome)]
    if not phones:
        request.due_at = now
    session.flush()
    for device_id in phones:
        session.add(
            PhoneCommand(
                tenant_id=tenant_id,
                request_id=request.id,
                device_id=device_id,
                action=PhoneAction.REPORT_LOCATION,
                created_at=now,
                expires_at=request.due_at,
            )
        )
        session.execute(_NOTIFY, {"channel": COMMANDS_CHANNEL, "device": str(device_id)})
    session.flush()
    return Question(request.id, None)


def limits_at(session: Session, *, tenant_id: int, at: datetime) -> LocateLimits:
    """Return a tenant's limits in force at an instant, from its policy of duty."""
    policy = duty_policies(session).at(tenant_id, at)
    return LocateLimits(
        phone_s=policy.ask_phone_s,
        again_s=policy.ask_again_s,
        asker_per_hour=int(policy.asks_per_hour),
        person_per_hour=int(policy.asked_per_hour),
    )


def asked_lately(session: Session, *, asker: Actor, employee_id: UUID, now: datetime) -> Asked:
    """Return what an account asked, and what was asked about a person, in the last hour."""
    rows = session.execute(
        select(LocateRequest.asker_id, LocateRequest.employee_id, LocateRequest.asked_at)
        .where(
            LocateRequest.tenant_id == asker.tenant_id,
            LocateRequest.asked_at > now - _HOUR,
            (LocateRequest.asker_id == asker.account_id)
            | (LocateRequest.employee_id == employee_id),
        )
        .order_by(LocateRequest.asked_at.desc())
    ).all()
    return Asked(
        by_asker=tuple(at for who, _, at in rows if who == asker.account_id),
        about_person=tuple(at for _, whom, at in rows if whom == employee_id),
        by_asker_about_person=tuple(
            at for who, whom, at in rows if who == asker.account_id and whom == employee_id
        ),
    )


def step(at: datetime, what: str, outcome: StepOutcome, detail: str = "") -> dict[str, str]:
    """Return one line of what was tried, as it is stored."""
    made = {"at": at.isoformat(), "what": what, "outcome": outcome.value}
    return made | ({"detail": detail} if detail else {})


def _refuse(session: Session, request: LocateRequest, asker: Actor) -> None:
    request.state = LocateState.REFUSED
    request.refusal = Refusal.OFF_DUTY.value
    request.closed_at = request.asked_at
    request.steps = []
    session.flush()
    record_security_event(
        session,
        tenant_id=request.tenant_id,
        actor_id=asker.account_id,
        kind="locate_refused",
        subject=str(request.employee_id),
        detail={"why": Refusal.OFF_DUTY.value},
    )


def _phones(session: Session, *, tenant_id: int, employee_id: UUID) -> Sequence[UUID]:
    return session.scalars(
        select(devices.c.id)
        .where(
            devices.c.tenant_id == tenant_id,
            devices.c.employee_id == employee_id,
            devices.c.revoked_at.is_(None),
            devices.c.kind.in_(sorted(kind.value for kind in TAKES_COMMANDS)),
        )
        .order_by(devices.c.enrolled_at, devices.c.id)
    ).all()
