"""How a person is shown right now; pure."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

from server.tracking.models import PresenceState

__all__ = ["LiveStatus", "LiveThresholds", "PresenceState", "live_status"]


class LiveStatus(StrEnum):
    """The six things a marker can say."""

    ON_POST = "on_post"
    OFF_POST = "off_post"
    TRAVELLING = "travelling"
    STALE = "stale"
    NO_SIGNAL = "no_signal"
    OFF_DUTY = "off_duty"


@dataclass(frozen=True, slots=True)
class LiveThresholds:
    """Ages of the newest fix, seconds."""

    stale_s: float = 300.0
    no_signal_s: float = 900.0


DEFAULT_THRESHOLDS: Final = LiveThresholds()


def live_status(
    *,
    on_duty: bool,
    presence: PresenceState | None,
    finding_id: UUID | None,
    fixed_at: datetime | None,
    now: datetime,
    thresholds: LiveThresholds = DEFAULT_THRESHOLDS,
) -> LiveStatus:
    """Return what a person's marker says.

    Age comes first: what was true when the phone fell silent is not shown as true now. Off
    post is said only when a finding says it; away and excused, or away and not for long
    enough, is travelling.

    Parameters
    ----------
    on_duty : inside a duty window at `now`.
    presence : the engine's state; None for somebody expected nowhere, or not judged yet.
    finding_id : the open off-post finding.
    fixed_at : newest credible fix of this duty; None for none.
    now : instant of the answer.

    Returns
    -------
    One status; a fix from the future counts as fresh.
    """
    if not on_duty:
        return LiveStatus.OFF_DUTY
    age_s = float("inf") if fixed_at is None else (now - fixed_at).total_seconds()
    if age_s > thresholds.no_signal_s:
        return LiveStatus.NO_SIGNAL
    if age_s > thresholds.stale_s:
        return LiveStatus.STALE
    if presence is PresenceState.INSIDE:
        return LiveStatus.ON_POST
    # An open absence outlasts silence: until a return is seen, no fresh fix is a journey.
    if finding_id is not None:
        return LiveStatus.OFF_POST
    return LiveStatus.TRAVELLING
