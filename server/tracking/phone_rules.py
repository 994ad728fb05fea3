"""What a device's silence most likely means; a hint for people, never a verdict; pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final, Protocol

SILENT_AFTER: Final = timedelta(minutes=15)
KILLED_AFTER: Final = timedelta(minutes=30)
LATE: Final = timedelta(minutes=5)
"""A position that takes longer than this from the phone to us had to wait on the phone."""
LOW_BATTERY_PCT: Final = 10
_BLIND_APPS: Final = frozenset({"network_survey", "tower_collector"})
"""Apps that may report for hours without a position of their own."""
_ALWAYS: Final = 3
_IN_USE: Final = 4
_BACKGROUND_COARSE: Final = -1
_LOCATION_OFF: Final = -4


class Condition(StrEnum):
    """How a device does, the best first."""

    OK = "ok"
    ARRIVING = "arriving"
    """It sends what it kept while it had no connection; newer positions are to follow."""
    IDLE = "idle"
    """Its owner is off duty: silence is as it should be."""
    NEVER = "never"
    SILENT = "silent"
    BATTERY = "battery"
    NO_FIX = "no_fix"
    """It reports, and knows no position."""
    KILLED = "killed"
    """The phone most likely stopped the app to save power."""
    QUIET = "quiet"
    """Somebody switched reporting off in the app."""
    REVOKED = "revoked"


class Trouble(StrEnum):
    """What the phone itself says stands in the way of tracking."""

    LOCATION_OFF = "location_off"
    NOT_ALWAYS = "not_always"
    """Allowed while the app is open only."""
    COARSE = "coarse"
    POWER_SAVE = "power_save"
    OPTIMISED = "optimised"
    """The system may stop the app in the background."""
    HIBERNATES = "hibernates"
    """The system pauses the app when nobody opens it for months."""
    NO_REFRESH = "no_refresh"
    """Background refresh is off."""


class Told(Protocol):
    """What is known of one device; None where it never said."""

    @property
    def kind(self) -> str: ...  # noqa: D102
    @property
    def enrolled_at(self) -> datetime: ...  # noqa: D102
    @property
    def revoked_at(self) -> datetime | None: ...  # noqa: D102
    @property
    def seen_at(self) -> datetime | None: ...  # noqa: D102
    @property
    def fixed_at(self) -> datetime | None: ...  # noqa: D102
    @property
    def battery_pct(self) -> int | None: ...  # noqa: D102
    @property
    def charging(self) -> bool | None: ...  # noqa: D102
    @property
    def mode(self) -> str | None: ...  # noqa: D102
    @property
    def lost_at(self) -> datetime | None: ...  # noqa: D102
    @property
    def late_at(self) -> datetime | None: ...  # noqa: D102
    @property
    def status(self) -> Mapping[str, Any] | None: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class Health:
    """How a device does, what speaks for it, and what the phone says is wrong.

    Attributes
    ----------
    silent_s : seconds on duty without the contact that counts; None off duty or never seen.
    troubles : in the order of weight; also of a device that reports well so far.
    """

    condition: Condition
    silent_s: float | None
    troubles: tuple[Trouble, ...]


def health_of(device: Told, *, duty_since: datetime | None, now: datetime) -> Health:
    """Return the likeliest condition of a device.

    A phone that was stopped in the background falls silent on duty, at once and altogether,
    while its battery was fine and nobody switched it off. A phone that is alive without a
    position still speaks; one whose battery ran out said so before. One that sends its
    oldest positions first is behind, not blind.

    Parameters
    ----------
    device : what is known of it.
    duty_since : start of the duty its owner is on now; None off duty, where silence means
        nothing. Silence from before does not count.
    now : aware instant.
    """
    troubles = troubles_of(device.status)
    if device.revoked_at is not None:
        return Health(Condition.REVOKED, None, ())
    if device.seen_at is None:
        return Health(Condition.NEVER, None, troubles)
    if device.mode in {"quiet", "manual"}:
        return Health(Condition.QUIET, None, troubles)
    if duty_since is None:
        return Health(Condition.IDLE, None, troubles)
    spoke = max(device.seen_at, duty_since)
    blind = device.kind in _BLIND_APPS
    counts = spoke if blind else max(device.fixed_at or device.enrolled_at, duty_since)
    silence = max(now - counts, timedelta(0))
    is_behind = device.late_at is not None and now - device.late_at < SILENT_AFTER
    if is_behind and not blind and silence >= SILENT_AFTER:
        return Health(Condition.ARRIVING, silence.total_seconds(), troubles)
    return Health(
        _silence(device, silence, speechless=now - spoke), silence.total_seconds(), troubles
    )


def _silence(device: Told, silence: timedelta, *, speechless: timedelta) -> Condition:
    if silence < SILENT_AFTER:
        return Condition.OK
    if speechless < SILENT_AFTER:
        return Condition.NO_FIX if silence >= KILLED_AFTER else Condition.SILENT
    low = device.battery_pct is not None and device.battery_pct <= LOW_BATTERY_PCT
    if low and not device.charging:
        return Condition.BATTERY
    return Condition.KILLED if speechless >= KILLED_AFTER else Condition.SILENT


def troubles_of(status: Mapping[str, Any] | None) -> tuple[Trouble, ...]:
    """Return what a status message of OwnTracks says stands in the way.

    Parameters
    ----------
    status : as kept by ingest: `platform` and the app's own codes; None when it sent none.
        A code that is missing or of another kind says nothing.
    """
    if not status:
        return ()
    if status.get("platform") == "ios":
        return _of_ios(status)
    found = []
    permission = _number(status.get("loc"))
    if permission is not None and permission <= _LOCATION_OFF:
        found.append(Trouble.LOCATION_OFF)
    elif permission is not None and permission < _BACKGROUND_COARSE:
        found.append(Trouble.NOT_ALWAYS)
    if permission in {-1, -3}:
        found.append(Trouble.COARSE)
    for name, trouble in (
        ("ps", Trouble.POWER_SAVE),
        ("bo", Trouble.OPTIMISED),
        ("hib", Trouble.HIBERNATES),
    ):
        if _number(status.get(name)) == 1:
            found.append(trouble)
    return tuple(found)


def _of_ios(status: Mapping[str, Any]) -> tuple[Trouble, ...]:
    found = []
    permission = _number(status.get("locationManagerAuthorizationStatus"))
    if permission == _IN_USE:
        found.append(Trouble.NOT_ALWAYS)
    elif permission is not None and permission != _ALWAYS:
        found.append(Trouble.LOCATION_OFF)
    refresh = _number(status.get("backgroundRefreshStatus"))
    if refresh is not None and refresh in {0, 1}:
        found.append(Trouble.NO_REFRESH)
    return tuple(found)


def _number(value: object) -> int | None:
    if isinstance(value, bool):
        return int(value)
    return value if isinstance(value, int) else None
