"""How instants, spans and distances are written on a page, in the reader's language."""

from datetime import date, datetime
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_datetime, format_time, get_timezone_gmt
from babel.numbers import format_decimal
from flask_babel import get_locale

from web.texts import _, ngettext


def clock_time(at: datetime, zone: str, *, seconds: bool = False) -> str:
    """Return the wall-clock time of an instant in a zone: ``14:32`` or ``14:32:07``."""
    return format_time(
        at, "HH:mm:ss" if seconds else "HH:mm", tzinfo=ZoneInfo(zone), locale=_locale()
    )


def instant(at: datetime, zone: str, *, seconds: bool = False) -> str:
    """Return date and time of an instant in a zone: ``2026-11-18 14:32``."""
    pattern = "yyyy-MM-dd HH:mm:ss" if seconds else "yyyy-MM-dd HH:mm"
    return format_datetime(at, pattern, tzinfo=ZoneInfo(zone), locale=_locale())


def day(on: date) -> str:
    """Return a local date with its weekday: ``2026-11-18 Wed``."""
    return format_date(on, "yyyy-MM-dd EEE", locale=_locale())


def gmt_offset(at: datetime, zone: str) -> str:
    """Return how a zone is ahead of UTC at an instant: ``GMT+08:00``."""
    return get_timezone_gmt(at.astimezone(ZoneInfo(zone)), locale="en")


def duration(seconds: float) -> str:
    """Return a span in words, rounded down to minutes: ``18 min``, ``3 h 12 min``."""
    minutes = int(seconds // 60)
    if minutes < 1:
        whole = int(seconds)
        return ngettext("%(num)d s", "%(num)d s", whole)
    if minutes < 60:
        return ngettext("%(num)d min", "%(num)d min", minutes)
    hours, rest = divmod(minutes, 60)
    return _("%(hours)d h %(minutes)d min", hours=hours, minutes=rest)


def exact_duration(seconds: float) -> str:
    """Return a span with its seconds while it is below an hour: ``10 min 28 s``."""
    minutes, rest = divmod(int(seconds), 60)
    if 0 < minutes < 60 and rest:
        return _("%(minutes)d min %(seconds)d s", minutes=minutes, seconds=rest)
    return duration(seconds)


def distance(metres: float) -> str:
    """Return a length: whole metres below 1 km, then kilometres with one decimal."""
    if metres < 1000:
        return _("%(metres)d m", metres=round(metres))
    return _("%(kilometres)s km", kilometres=f"{metres / 1000:.1f}")


def amount(number: int) -> str:
    """Return a whole number with its digits in groups: ``5,000,000``."""
    return format_decimal(number, locale=_locale())


def initial(name: str) -> str:
    """Return the one character that stands for a person: the surname in Chinese."""
    return name.strip()[:1].upper()


def _locale() -> str:
    return str(get_locale() or "en")
