"""Writing of looks and of security events, in the transaction of what they record."""

from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any, Protocol
from uuid import UUID

from sqlalchemy import func, insert, or_, select
from sqlalchemy.orm import Session

from server.audit.models import AccessEntry, Purpose, SecurityEvent
from server.errors import TooManyRequests

__all__ = [
    "COALESCE",
    "LOOKS_PER_HOUR",
    "Actor",
    "Looker",
    "Opening",
    "Purpose",
    "check_look_quota",
    "record_looks",
    "record_opening",
    "record_security_event",
    "record_security_events",
]

LOOK_QUOTA = "look_quota"
"""Detail of the refusal and kind of the security event when an account looks at too many."""
COALESCE = timedelta(hours=1)
LOOKS_PER_HOUR = 20
"""People whose tracks one account may open within an hour before it must explain itself."""


class Opening(StrEnum):
    """Views besides days that show where one person went; the quota counts them too."""

    VISIT = "visit_evidence"
    SIGN = "sign_evidence"
    CLAIM = "claim_way"
    BROUGHT = "claim_brought"
    """A claim brought for somebody: its check tells where they were."""


class Looker(Protocol):
    """Who looks: a signed-in account, or a command of the server, which is none."""

    @property
    def tenant_id(self) -> int:
        """Tenant of the account."""
        ...

    @property
    def account_id(self) -> UUID | None:
        """The account."""
        ...

    @property
    def employee_id(self) -> UUID | None:
        """The account's own employee record."""
        ...

    @property
    def name(self) -> str:
        """Name to show to the person looked at."""
        ...


class Actor(Looker, Protocol):
    """Who looks: a signed-in account."""

    @property
    def account_id(self) -> UUID:
        """The account."""
        ...


def record_looks(
    session: Session,
    principal: Looker,
    subjects: Iterable[UUID],
    purpose: Purpose,
    view: str,
    *,
    now: datetime,
    about_on: date | None = None,
    reason: str | None = None,
    coalesce: timedelta = COALESCE,
) -> int:
    """Record that an account looked at where people are or were.

    One entry per subject. Looks of one account at one subject through one view (and day
    looked at) within an hour are one entry, so that a live map does not write thousands. A look at
    oneself is not recorded.

    Parameters
    ----------
    session : the transaction that reads the data; the look is recorded or nothing is read.
    principal : who looks.
    subjects : employee ids actually returned.
    purpose : why, declared by the read path.
    view : name of the page, API or export.
    now : aware instant.
    about_on : local date looked at, for days and exports.
    reason : what the account gave as its reason.
    coalesce : looks within this time are one entry; zero where each counts by itself.

    Returns
    -------
    How many entries were written. Cost: two statements however many subjects.
    """
    wanted = {subject for subject in subjects if subject != principal.employee_id}
    if not wanted:
        return 0
    about = AccessEntry.about_on.is_(None) if about_on is None else AccessEntry.about_on == about_on
    known = set(
        session.scalars(
            select(AccessEntry.subject_id).where(
                AccessEntry.tenant_id == principal.tenant_id,
                AccessEntry.actor_id == principal.account_id,
                AccessEntry.view == view,
                AccessEntry.purpose == purpose,
                AccessEntry.at > now - coalesce,
                about,
            )
        )
    )
    fresh = sorted(wanted - known)
    session.add_all(
        AccessEntry(
            tenant_id=principal.tenant_id,
            at=now,
            actor_id=principal.account_id,
            actor_name=principal.name,
            subject_id=subject,
            purpose=purpose,
            view=view,
            about_on=about_on,
            reason=reason,
        )
        for subject in fresh
    )
    session.flush()
    return len(fresh)


def check_look_quota(session: Session, principal: Actor, subject: UUID, *, now: datetime) -> None:
    """Refuse to open the track of yet another person when an account opened many already.

    Parameters
    ----------
    session : transaction of the read.
    principal : who looks.
    subject : the employee whose track is asked for; people seen in the last hour stay open.
    now : aware instant.

    Raises
    ------
    TooManyRequests : this would be the 21st person within an hour.
    """
    if subject == principal.employee_id:
        return
    seen = (
        select(AccessEntry.subject_id)
        .where(
            AccessEntry.tenant_id == principal.tenant_id,
            AccessEntry.actor_id == principal.account_id,
            or_(
                AccessEntry.purpose.in_([Purpose.DAY_REVIEW, Purpose.EXPORT]),
                AccessEntry.view.in_(list(Opening)),
            ),
            AccessEntry.at > now - COALESCE,
            AccessEntry.subject_id != subject,
        )
        .distinct()
    )
    count = session.scalar(select(func.count()).select_from(seen.subquery())) or 0
    if count >= LOOKS_PER_HOUR:
        raise TooManyRequests(LOOK_QUOTA, retry_after_s=int(COALESCE.total_seconds()))


def record_opening(
    session: Session,
    principal: Actor,
    subject: UUID,
    purpose: Purpose,
    view: Opening,
    *,
    now: datetime,
    about_on: date,
    reason: str | None = None,
) -> None:
    """Record that an account sees where one person went, or refuse it; as `record_looks`.

    Raises
    ------
    TooManyRequests : as `check_look_quota`.
    """
    check_look_quota(session, principal, subject, now=now)
    record_looks(
        session, principal, [subject], purpose, view, now=now, about_on=about_on, reason=reason
    )


def record_security_event(
    session: Session,
    *,
    tenant_id: int,
    kind: str,
    actor_id: UUID | None = None,
    subject: str | None = None,
    detail: Mapping[str, Any] | None = None,
) -> None:
    """Record a sign-in, refusal, enrolment, revocation or change of rights.

    Parameters
    ----------
    session : the transaction of what happened.
    tenant_id : whose event it is.
    kind : snake_case verb phrase, e.g. `sign_in_refused`.
    actor_id : the account that did it, None for a command or an unknown visitor.
    subject : id of what it was done to.
    detail : further facts; never a secret, a position or a phone number.
    """
    session.add(
        SecurityEvent(
            tenant_id=tenant_id,
            actor_id=actor_id,
            kind=kind,
            subject=subject,
            detail=dict(detail or {}),
        )
    )
    session.flush()


def record_security_events(
    session: Session,
    *,
    tenant_id: int,
    kind: str,
    subjects: Iterable[str],
    actor_id: UUID | None = None,
    detail: Mapping[str, Any] | None = None,
) -> None:
    """Record the same event of many subjects; as `record_security_event`, in one statement."""
    rows = [
        {
            "tenant_id": tenant_id,
            "actor_id": actor_id,
            "kind": kind,
            "subject": subject,
            "detail": dict(detail or {}),
        }
        for subject in subjects
    ]
    if rows:
        session.execute(insert(SecurityEvent), rows)
