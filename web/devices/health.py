"""What a device's silence most likely means; a hint for people, never a verdict."""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from server.tracking.queries import DeviceHealthView

SILENT_AFTER: Final = timedelta(minutes=15)
KILLED_AFTER: Final = timedelta(minutes=30)
_LOW_BATTERY_PCT: Final = 10


class Condition(StrEnum):
    """How a device does."""

    OK = "ok"
    IDLE = "idle"
    """Its owner is off duty: silence is as it should be."""
    NEVER = "never"
    SILENT = "silent"
    BATTERY = "battery"
    KILLED = "killed"
    """The phone most likely stopped the app to save power."""
    QUIET = "quiet"
    """Somebody switched reporting off in the app."""
    REVOKED = "revoked"


def condition_of(device: DeviceHealthView, *, on_duty: bool, now: datetime) -> Condition:
    """Return the likeliest condition of a device.

    Parameters
    ----------
    device : what is known of it.
    on_duty : whether its owner is on duty now; silence means nothing otherwise.
    now : aware instant.
    """
    if device.revoked_at is not None:
        return Condition.REVOKED
    if device.seen_at is None:
        return Condition.NEVER
    if device.mode in {"quiet", "manual"}:
        return Condition.QUIET
    if not on_duty:
        return Condition.IDLE
    # A phone that connects but has no position is as good as silent.
    age = now - (device.fixed_at or device.enrolled_at)
    if age < SILENT_AFTER:
        return Condition.OK
    if device.battery_pct is not None and device.battery_pct <= _LOW_BATTERY_PCT:
        return Condition.BATTERY
    return Condition.KILLED if age >= KILLED_AFTER else Condition.SILENT
