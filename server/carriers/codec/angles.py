"""Coordinates and times as MLP writes them; what is not clearly one of its forms is refused."""

import re
from datetime import UTC, datetime, timedelta, timezone

_DMS = re.compile(
    r"(\d{1,3})[ \u00b0]\s*(\d{1,2})[ ']\s*(\d{1,2}(?:\.\d+)?)\s*[\" ]?\s*([NSEW])",
    re.IGNORECASE | re.ASCII,
)
_PACKED = re.compile(r"(\d{2,3})(\d{2})(\d{2}(?:\.\d+)?)([NSEW]?)", re.IGNORECASE | re.ASCII)
_DECIMAL = re.compile(r"([+-]?)(\d{1,3}(?:\.\d+)?)\s*([NSEW]?)", re.IGNORECASE | re.ASCII)
_OFFSET = re.compile(r"([+-]?)(\d{2}):?(\d{2})", re.ASCII)
_SIGNS = {"N": 1.0, "E": 1.0, "S": -1.0, "W": -1.0, "": 1.0}


def latitude_deg(text: str) -> float | None:
    """Read an `X`: `27 28 25.00S`, packed `272825.00S` or decimal degrees; None if neither."""
    return _angle(text, letters="NS", most_deg=90.0)


def longitude_deg(text: str) -> float | None:
    """Read a `Y`: `153 01 43.00E`, packed `1530143.00E` or decimal degrees; None if neither."""
    return _angle(text, letters="EW", most_deg=180.0)


def _angle(text: str, *, letters: str, most_deg: float) -> float | None:
    text = text.strip()
    if (match := _DMS.fullmatch(text)) or (match := _PACKED.fullmatch(text)):
        value = _sum(match[1], match[2], match[3])
        letter = match[4].upper()
    elif match := _DECIMAL.fullmatch(text):
        letter = match[3].upper()
        if match[1] and letter:
            return None
        value = float(match[2]) * (-1.0 if match[1] == "-" else 1.0)
    else:
        return None
    if value is None or abs(value) > most_deg or (letter and letter not in letters):
        return None
    return value * _SIGNS[letter]


def _sum(degrees: str, minutes: str, seconds: str) -> float | None:
    if int(minutes) >= 60 or float(seconds) >= 60.0:
        return None
    return int(degrees) + int(minutes) / 60.0 + float(seconds) / 3600.0


def instant(local: str, utc_off: str | None) -> datetime | None:
    """Read `yyyyMMddHHmmss` in the zone `utc_off` (`+0800`, `0000`, absent for UTC).

    Returns
    -------
    An aware UTC instant, None when one of them is not of its form.
    """
    local = local.strip()
    offset = _OFFSET.fullmatch((utc_off or "0000").strip() or "0000")
    if offset is None or not re.fullmatch(r"\d{14}", local, re.ASCII):
        return None
    ahead = timedelta(hours=int(offset[2]), minutes=int(offset[3]))
    if ahead > timedelta(hours=14) or int(offset[3]) >= 60:
        return None
    try:
        clock = datetime.strptime(local, "%Y%m%d%H%M%S").replace(
            tzinfo=timezone(-ahead if offset[1] == "-" else ahead)
        )
        return clock.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
