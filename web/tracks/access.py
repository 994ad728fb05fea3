"""Looking at where a named person was needs a reason, and the person sees it."""

from datetime import date, datetime, timedelta
from typing import Final
from uuid import UUID

from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import Session

from server.audit.queries import looks_at
from server.audit.services import COALESCE, Purpose, check_look_quota, record_looks
from server.errors import Forbidden, InvalidInput
from server.people.policy import local_date
from server.people.rules import Principal

VIEW: Final = "track"
OLDEST: Final = timedelta(days=90)
MIN_REASON, MAX_REASON = 4, 300

OCCASIONS = {
    "shift": _l("Review of the shift"),
    "alert": _l("An alert or an absence"),
    "person": _l("The person asked for it"),
    "safety": _l("Safety: the person cannot be reached"),
    "device": _l("The phone does not report as it should"),
}
"""Occasions one may choose from; the words go into the log as they are."""


def reason_given(
    session: Session, viewer: Principal, employee_id: UUID, *, now: datetime
) -> str | None:
    """Return the reason the viewer gave for this person within the last hour, if any."""
    looks = looks_at(session, employee_id, tenant_id=viewer.tenant_id, since_at=now - COALESCE)
    return next(
        (
            look.reason
            for look in looks
            if look.actor_id == viewer.account_id and look.view == VIEW and look.reason
        ),
        None,
    )


def give_reason(
    session: Session,
    viewer: Principal,
    employee_id: UUID,
    *,
    occasion: str,
    text: str,
    on: date,
    now: datetime,
) -> None:
    """Note why the viewer is about to look, in words the person will read.

    Raises
    ------
    InvalidInput : `occasion_missing`, `reason_short`.
    TooManyRequests : the 21st person within an hour.
    """
    if occasion not in OCCASIONS:
        raise InvalidInput("occasion_missing", fields={"occasion": "occasion_missing"})
    words = " ".join(text.split())[:MAX_REASON]
    if len(words) < MIN_REASON:
        raise InvalidInput("reason_short", fields={"reason": "reason_short"})
    check_look_quota(session, viewer, employee_id, now=now)
    record_looks(
        session,
        viewer,
        [employee_id],
        Purpose.DAY_REVIEW,
        VIEW,
        now=now,
        about_on=on,
        reason=f"{OCCASIONS[occasion]}: {words}",
    )


def note_look(
    session: Session,
    viewer: Principal,
    employee_id: UUID,
    *,
    on: date,
    now: datetime,
    export: str | None = None,
) -> None:
    """Record a look at one day of a person; nothing is read without it.

    Looking at oneself is not recorded.

    Parameters
    ----------
    export : name of the format when the day leaves the system.

    Raises
    ------
    Forbidden : `reason_missing` when none was given within the hour; `too_old` beyond 90 days.
    TooManyRequests : the 21st person within an hour.
    """
    if employee_id == viewer.employee_id:
        return
    if on < local_date(now, viewer.zone) - OLDEST:
        raise Forbidden("too_old", "days older than 90 days are not shown")
    reason = reason_given(session, viewer, employee_id, now=now)
    if reason is None:
        raise Forbidden("reason_missing", "say first why you need to see this")
    check_look_quota(session, viewer, employee_id, now=now)
    record_looks(
        session,
        viewer,
        [employee_id],
        Purpose.EXPORT if export else Purpose.DAY_REVIEW,
        f"{VIEW}.{export}" if export else VIEW,
        now=now,
        about_on=on,
        reason=reason,
    )
