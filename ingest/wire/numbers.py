"""Reading numbers and times that firmwares write in more than one way."""

import math
from datetime import datetime
from typing import Any

from geo.fix import to_epoch_s

MILLISECONDS_FROM = 1e11
"""An epoch this large is not in seconds: as seconds it would be after the year 5000."""
OLDEST_S = 946_684_800.0
"""2000-01-01: older than any phone that could have measured it."""


class NotANumberError(ValueError):
    """The value is of a kind that cannot be read as a number."""


def number(value: Any) -> float | None:
    """Return a finite number, None for null.

    Numbers in text are read, because some firmwares write them so; truth values and
    lists are not, although Python would.

    Raises
    ------
    NotANumberError : any other kind of value, or not finite.
    """
    kind = type(value)
    if kind is float or kind is int:
        return float(value)
    if value is None:
        return None
    if kind is str:
        try:
            found = float(value)
        except ValueError:
            raise NotANumberError("text that is not a number") from None
        if math.isfinite(found) and "_" not in value and value.isascii():
            return found
        raise NotANumberError("not a finite number")
    raise NotANumberError(f"{kind.__name__} where a number belongs")


def epoch(value: Any) -> float | None:
    """Return epoch seconds of a number, of a number in text, or of ISO 8601 with a zone.

    Raises
    ------
    NotANumberError : anything else, ISO text without a zone included.
    """
    if type(value) is str and not value.lstrip("-").replace(".", "", 1).isdigit():
        try:
            at = datetime.fromisoformat(value)
        except ValueError:
            raise NotANumberError("text that is not a time") from None
        if at.tzinfo is None:
            raise NotANumberError("a time without a zone")
        return to_epoch_s(at)
    return number(value)


def within(
    value: Any, low: float, high: float, *, unknown: float | None = None
) -> tuple[float | None, bool]:
    """Return an optional field of a message, and whether it had to be thrown away.

    Parameters
    ----------
    value : as it came; None for absent.
    low, high : inclusive limits of what can be true.
    unknown : number by which the client says "unknown", which is no fault.
    """
    if value is None:
        return None, False
    try:
        found = number(value)
    except NotANumberError:
        return None, True
    if found is None or found == unknown:
        return None, False
    if low <= found <= high:
        return found, False
    return None, True
