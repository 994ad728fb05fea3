"""When a message was written: reading instants, and whether an instant can be true."""

import re
from dataclasses import dataclass
from datetime import datetime

from geo.fix import to_epoch_s
from ingest.wire import Reason, Rejection
from ingest.wire.numbers import MILLISECONDS_FROM, NotANumberError

FUTURE_S = 120.0
ENROLMENT_SLACK_S = 86_400.0
"""A phone set up today may still hold this much of a queue."""
GPS_ROLLOVER_S = 1024 * 604_800.0
EARLIEST_S = 631_152_000.0
"""1990-01-01: what files hold without a device can be as old as mobile phones."""
ROLLOVER_WINDOW_S = 7 * 86_400.0
_MAX_ZONE_H = 14
_ISO = re.compile(
    r"\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?(?:[Zz]|[+-]\d{2}:?\d{2})", re.ASCII
)


@dataclass(frozen=True, slots=True)
class Envelope:
    """What is known of a message besides its bytes.

    Attributes
    ----------
    received_s : epoch seconds of receipt; None when replaying files, then times are not
        compared with the server's clock.
    username : of the credential; only compared with what the payload claims.
    secret : of payload encryption, None when the device uses none.
    enrolled_s : epoch seconds since which the device exists.
    """

    received_s: float | None = None
    username: str | None = None
    secret: str | None = None
    enrolled_s: float | None = None


def iso_seconds(text: str) -> float:
    """Return epoch seconds of RFC 3339 text; the colon of the offset may be missing.

    Raises
    ------
    NotANumberError : anything else, a time without a zone included.
    """
    if not _ISO.fullmatch(text):
        raise NotANumberError("text that is not a time with a zone")
    try:
        return to_epoch_s(datetime.fromisoformat(text.upper()))
    except (ValueError, OverflowError):
        raise NotANumberError("a time that does not exist") from None


def judged(at_s: float, envelope: Envelope, *, name: str = "tst") -> Rejection | None:
    """Return why an instant cannot be when a position was measured, None when it can.

    Parameters
    ----------
    at_s : epoch seconds as the client tells it.
    name : what the client calls it, for people.
    """
    received_s = envelope.received_s
    if at_s >= MILLISECONDS_FROM:
        in_s = at_s / (1e3 if at_s < 1e14 else 1e6)
        return Rejection(
            Reason.TST_UNIT, f"{name} is not in seconds", in_s if in_s < 1e11 else None
        )
    if received_s is not None:
        if abs(at_s + GPS_ROLLOVER_S - received_s) <= ROLLOVER_WINDOW_S:
            return Rejection(
                Reason.GPS_ROLLOVER,
                f"{name} is 1024 weeks behind; 619315200 s added would fit",
                at_s + GPS_ROLLOVER_S,
            )
        if at_s > received_s + FUTURE_S:
            ahead = at_s - received_s
            return Rejection(Reason.TST_FUTURE, f"{name} is {ahead:.0f} s ahead{_zone_hint(ahead)}")
    oldest = EARLIEST_S
    if envelope.enrolled_s is not None:
        oldest = envelope.enrolled_s - ENROLMENT_SLACK_S
    if at_s < oldest:
        return Rejection(Reason.TST_PAST, f"{name} is before the device was enrolled", float(at_s))
    return None


def _zone_hint(ahead_s: float) -> str:
    """Return what whole hours ahead look like; only a person can know, so nothing is moved."""
    hours = round(ahead_s / 3600)
    if not 1 <= hours <= _MAX_ZONE_H or abs(ahead_s - hours * 3600) > FUTURE_S:
        return ""
    return f"; local time of UTC+{hours} sent as UTC?"
