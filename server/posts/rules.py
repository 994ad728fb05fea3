"""When somebody is expected where: wall clocks to instants, leave cut out, no I/O.

A duty window is the span in which a person is on duty and may be located. It is a
roster entry without the spans that close it; around it lies a grace in which fixes are
kept, and the grace never reaches into a closed span.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from math import isfinite
from typing import Any, Self
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from server.errors import InvalidInput


class ExcusalKind(StrEnum):
    """Why somebody on the roster need not be at the post."""

    LEAVE = "leave"
    OUTING = "outing"
    VISIT = "visit"
    DISPATCH = "dispatch"
    BREAK = "break"
    PAUSE = "pause"


class PolicyKind(StrEnum):
    """Families of thresholds; each family is one parameter class."""

    PRESENCE = "presence"
    OFF_POST = "off_post"
    TRAJECTORY = "trajectory"
    DUTY = "duty"
    VISIT = "visit"
    CLAIM = "claim"
    FORGERY = "forgery"


_MAX_NAME = 120

GEO_GROUP = {
    PolicyKind.PRESENCE: "presence",
    PolicyKind.OFF_POST: "off_post",
    PolicyKind.TRAJECTORY: "track",
    PolicyKind.VISIT: "visit",
    PolicyKind.CLAIM: "claim",
    PolicyKind.FORGERY: "forgery",
}
"""Group of `geo.policy.Policy` that a family of thresholds fills."""

CLOSES_DUTY = frozenset({ExcusalKind.LEAVE, ExcusalKind.PAUSE})
"""Excusals in which nobody is located at all; the others only excuse from the post."""

MAX_GRACE_S = 14_400.0
"""A grace beyond four hours would be another shift."""

Span = tuple[datetime, datetime]
"""Half-open `[start, end)` of aware instants."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DutyPolicy:
    """Thresholds of duty, of the live picture and of questions where somebody is; seconds."""

    version: int = 0
    grace_s: float = 600.0
    """Fixes this long before and after duty are kept."""
    stale_s: float = 300.0
    """A newest fix older than this is shown as old."""
    no_signal_s: float = 900.0
    """A newest fix older than this is no signal."""
    ask_phone_s: float = 60.0
    """A phone that is asked is waited for this long before its carrier is asked."""
    ask_again_s: float = 60.0
    """An account that asked about a person waits this long before it asks again."""
    asks_per_hour: float = 30.0
    """Questions of one account within an hour, a number."""
    asked_per_hour: float = 10.0
    """Questions of all about one person within an hour, a number."""

    @classmethod
    def from_params(cls, params: Mapping[str, Any], *, version: int) -> Self:
        """Defaults overridden by a policy row.

        Raises
        ------
        InvalidInput : `unknown_threshold` or `bad_threshold`, naming the field.
        """
        known = {f.name for f in fields(cls)} - {"version"}
        for name, value in params.items():
            if name not in known:
                raise InvalidInput("unknown_threshold", f"duty has no {name!r}", fields={name: ""})
            if isinstance(value, bool) or not isinstance(value, (int, float)):
                raise InvalidInput("bad_threshold", f"{name} is not a number", fields={name: ""})
            if not isfinite(value) or value < 0:
                raise InvalidInput("bad_threshold", f"{name} is below 0", fields={name: ""})
        if params.get("grace_s", 0) > MAX_GRACE_S:
            raise InvalidInput(
                "bad_threshold", f"grace_s is above {MAX_GRACE_S:.0f}", fields={"grace_s": ""}
            )
        policy = cls(version=version, **{name: float(value) for name, value in params.items()})
        if policy.no_signal_s < policy.stale_s:
            raise InvalidInput(
                "bad_threshold", "no_signal_s is below stale_s", fields={"no_signal_s": ""}
            )
        return policy


@dataclass(frozen=True, slots=True, kw_only=True)
class RosteredShift:
    """A roster entry as rules see it; `starts_at < ends_at`, `work_on` the local date it starts."""

    tenant_id: int
    employee_id: UUID
    roster_entry_id: UUID
    work_on: date
    starts_at: datetime
    ends_at: datetime
    post_id: UUID | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DutyWindow:
    """One unbroken span of one roster entry in which a person is on duty.

    Attributes
    ----------
    starts_at, ends_at : the duty itself, half-open.
    opens_at, closes_at : with grace; a fix in `[opens_at, closes_at)` may be stored.
    post_id : where the person is expected; None for nowhere in particular.
    """

    tenant_id: int
    employee_id: UUID
    roster_entry_id: UUID
    work_on: date
    starts_at: datetime
    ends_at: datetime
    opens_at: datetime
    closes_at: datetime
    post_id: UUID | None

    def holds(self, at: datetime) -> bool:
        """Whether a fix of this instant may be stored for this window."""
        return self.opens_at <= at < self.closes_at


def zone_of(name: str) -> ZoneInfo:
    """Return an IANA zone.

    Raises
    ------
    InvalidInput : `unknown_zone`.
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise InvalidInput(
            "unknown_zone", f"{name!r} is no time zone", fields={"zone": name}
        ) from error


def first_instant(wall: datetime, zone: ZoneInfo) -> datetime:
    """Return the first instant at which clocks of a zone have reached a wall time.

    A time that clocks skip is reached when they jump past it; a time they show twice is
    reached the first time. So the answer never decreases as the wall time grows, and
    shifts that touch on the clock touch in time.

    Parameters
    ----------
    wall : naive local date and time.
    zone : IANA zone.

    Returns
    -------
    Aware UTC, to the second where the clock was changed.
    """
    early = wall.replace(tzinfo=zone, fold=0).astimezone(UTC)
    if early.astimezone(zone).replace(tzinfo=None) == wall:
        return early
    # Skipped: the change lies between the readings with the offset after and before it.
    low = wall.replace(tzinfo=zone, fold=1).astimezone(UTC)
    low, high = min(low, early), max(low, early)
    while high - low > timedelta(seconds=1):
        middle = low + timedelta(seconds=(high - low) // timedelta(seconds=1) // 2)
        if middle.astimezone(zone).replace(tzinfo=None) < wall:
            low = middle
        else:
            high = middle
    return high


def shift_instants(on_date: date, starts: time, ends: time, zone: str) -> Span:
    """Return the instants a shift stands for on one work date.

    Parameters
    ----------
    on_date : local date on which the shift starts; the work date.
    starts, ends : wall clock; an end not after the start is on the next day.
    zone : IANA name of the site's zone.

    Returns
    -------
    `[start, end)` in UTC. Where clocks change inside, the shift is longer or shorter
    than its wall-clock length.

    Raises
    ------
    InvalidInput : `unknown_zone`; `aware_time` when a time carries a zone;
        `shift_skipped` when clocks jump over the whole shift.
    """
    if starts.tzinfo is not None or ends.tzinfo is not None:
        raise InvalidInput("aware_time", "shift times are wall-clock times without a zone")
    place = zone_of(zone)
    last_on = on_date if ends > starts else on_date + timedelta(days=1)
    start = first_instant(datetime.combine(on_date, starts), place)
    end = first_instant(datetime.combine(last_on, ends), place)
    if start >= end:
        raise InvalidInput(
            "shift_skipped", f"clocks in {zone} jump over this shift on {on_date.isoformat()}"
        )
    return start, end


def day_bounds(on_date: date, zone: str) -> Span:
    """Return the instants of a local date; 23 or 25 hours where clocks change.

    Raises
    ------
    InvalidInput : `unknown_zone`.
    """
    place = zone_of(zone)
    midnight = datetime.combine(on_date, time())
    return first_instant(midnight, place), first_instant(midnight + timedelta(days=1), place)


def local_date(at: datetime, zone: str) -> date:
    """Return the date that calendars in a zone show at an instant."""
    return at.astimezone(zone_of(zone)).date()


def subtract(span: Span, closed: Iterable[Span]) -> list[Span]:
    """Return what is left of a span without others, in time order, none of it empty.

    The others may overlap each other and reach beyond the span. O(n log n).
    """
    start, end = span
    rest: list[Span] = []
    for shut_from, shut_until in sorted(closed):
        if shut_until <= start or shut_from >= end:
            continue
        if shut_from > start:
            rest.append((start, shut_from))
        start = max(start, shut_until)
        if start >= end:
            return rest
    if start < end:
        rest.append((start, end))
    return rest


def windows_of(
    shift: RosteredShift, closed: Sequence[Span], *, policy: DutyPolicy
) -> list[DutyWindow]:
    """Return the duty windows of one roster entry.

    Parameters
    ----------
    shift : the entry.
    closed : spans of leave and pause of the same person, in any order.
    policy : how much grace lies around.

    Returns
    -------
    In time order; empty when leave covers the whole shift. A window that ends where a
    closed span begins has no grace there.
    """
    grace = timedelta(seconds=policy.grace_s)
    open_spans = subtract((shift.starts_at - grace, shift.ends_at + grace), closed)
    windows = []
    for opens_at, closes_at in open_spans:
        starts_at, ends_at = max(opens_at, shift.starts_at), min(closes_at, shift.ends_at)
        if starts_at < ends_at:
            windows.append(
                DutyWindow(
                    tenant_id=shift.tenant_id,
                    employee_id=shift.employee_id,
                    roster_entry_id=shift.roster_entry_id,
                    work_on=shift.work_on,
                    starts_at=starts_at,
                    ends_at=ends_at,
                    opens_at=opens_at,
                    closes_at=closes_at,
                    post_id=shift.post_id,
                )
            )
    return windows


def clean_name(name: str) -> str:
    """Return a name without space around it.

    Raises
    ------
    InvalidInput : `name_missing`, `name_too_long` (over 120 characters).
    """
    cleaned = name.strip()
    if not cleaned:
        raise InvalidInput("name_missing", fields={"name": "name_missing"})
    if len(cleaned) > _MAX_NAME:
        raise InvalidInput("name_too_long", fields={"name": "name_too_long"})
    return cleaned
