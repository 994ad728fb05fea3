"""Where is one person now: states, purposes and limits of the question; pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final


class LocateState(StrEnum):
    """How far a question has come."""

    ASKED = "asked"
    """Written down; no phone has the command yet."""
    SENT = "sent"
    """The broker has the command for at least one phone."""
    CARRIER = "carrier"
    """The phone's time is over and a carrier is being asked."""
    ANSWERED = "answered"
    UNANSWERED = "unanswered"
    """Nobody knew anything, not even an old position of this shift."""
    REFUSED = "refused"
    """Not asked at all, or given up because the duty ended."""


OPEN_STATES: Final = frozenset({LocateState.ASKED, LocateState.SENT, LocateState.CARRIER})
"""Questions somebody still waits for."""


class AnsweredBy(StrEnum):
    """Where an answer came from, best first."""

    PHONE = "phone"
    CARRIER = "carrier"
    CELL = "cell"
    LAST_KNOWN = "last_known"


class LocatePurpose(StrEnum):
    """Why somebody may be asked where they are; the person reads it."""

    DISPATCH = "dispatch"
    """Nearest to a task."""
    SAFETY = "safety"
    """Worry about their safety."""
    POST_CHECK = "post_check"
    """An alert or a gap is being looked into."""
    CUSTOMER = "customer"
    """A customer asks when they come."""
    OTHER = "other"
    """Needs a reason in words."""


class PhoneAction(StrEnum):
    """A command that the app on a phone understands."""

    REPORT_LOCATION = "reportLocation"


class Refusal(StrEnum):
    """Why a question is not asked, or ends without an answer."""

    OFF_DUTY = "off_duty"
    DUTY_ENDED = "duty_ended"
    NOTHING_KNOWN = "nothing_known"


class StepOutcome(StrEnum):
    """What came of one thing that was tried."""

    WAITING = "waiting"
    PUBLISHED = "published"
    ANSWERED = "answered"
    NO_ANSWER = "no_answer"
    NO_PHONE = "no_phone"
    """No phone of the person takes commands."""
    NOT_SET_UP = "not_set_up"
    """No carrier is configured."""
    REFUSED = "refused"
    """A carrier said no; the detail says why."""
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class LocateLimits:
    """How long is waited, and how often may be asked.

    Attributes
    ----------
    phone_s : seconds the phone is waited for before others are asked.
    again_s : seconds before the same account may ask about the same person again.
    asker_per_hour, person_per_hour : questions of one account, and about one person by all.
    """

    phone_s: float = 60.0
    again_s: float = 60.0
    asker_per_hour: int = 30
    person_per_hour: int = 10


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked within the last hour, as instants, newest first.

    Attributes
    ----------
    by_asker : questions of the account about anybody.
    about_person : questions of anybody about the person.
    by_asker_about_person : questions of the account about the person.
    """

    by_asker: tuple[datetime, ...] = ()
    about_person: tuple[datetime, ...] = ()
    by_asker_about_person: tuple[datetime, ...] = ()


_HOUR: Final = timedelta(hours=1)


def wait_before_asking(asked: Asked, limits: LocateLimits, *, now: datetime) -> timedelta:
    """Return how long an account has to wait before it may ask about a person.

    Parameters
    ----------
    asked : questions of the last hour; older ones are ignored.
    limits : see `LocateLimits`.
    now : aware instant.

    Returns
    -------
    Zero when it may ask now. It never grows while nobody asks.
    """
    waits = [timedelta(0)]
    for instants, count in (
        (asked.by_asker, limits.asker_per_hour),
        (asked.about_person, limits.person_per_hour),
    ):
        recent = sorted((at for at in instants if at > now - _HOUR), reverse=True)
        if count < 1:
            waits.append(_HOUR)  # switched off
        elif len(recent) >= count:
            waits.append(recent[count - 1] + _HOUR - now)
    waits.extend(
        at + timedelta(seconds=limits.again_s) - now for at in asked.by_asker_about_person[:1]
    )
    return max(waits)


def needs_reason(purpose: LocatePurpose) -> bool:
    """Tell whether a purpose says too little by itself."""
    return purpose is LocatePurpose.OTHER
