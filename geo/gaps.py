"""Spans without evidence, and what they are blamed on. Silence is a fact of its own."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import numpy as np

from geo.errors import GeoError
from geo.fix import NOT_EVIDENCE, BoolArray, FixArray, QualityFlag, from_epoch_s, to_epoch_s
from geo.policy import PresencePolicy


class GapCause(StrEnum):
    """Best known reason why there is no evidence."""

    SILENT = "silent"
    BATTERY = "battery"
    OFF = "off"
    OFFLINE = "offline"
    COARSE = "coarse"
    NO_POSITION = "no_position"
    UNTRUSTED = "untrusted"


@dataclass(frozen=True, slots=True)
class Window:
    """Half-open span of time ``[start, end)`` between aware instants."""

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        if to_epoch_s(self.end) <= to_epoch_s(self.start):
            raise GeoError("empty_window", "a window has to end after it starts")


@dataclass(frozen=True, slots=True)
class GapSign:
    """Something other than a fix that explains silence: a last will, a status report."""

    at: datetime
    cause: GapCause


@dataclass(frozen=True, slots=True)
class Gap:
    """Span ``[start, end)`` without evidence longer than the policy tolerates.

    ``bridged`` says that the person was inside before and after and the span is short, so
    that presence is inferred; the gap is reported all the same.
    """

    start: datetime
    end: datetime
    cause: GapCause
    bridged: bool = False


def detect_gaps(
    fixes: FixArray,
    windows: Sequence[Window],
    *,
    policy: PresencePolicy,
    as_of: datetime,
    signs: Iterable[GapSign] = (),
) -> tuple[Gap, ...]:
    """Find silences inside duty windows, wherever the person was.

    Parameters
    ----------
    fixes : of one person.
    windows : duty windows; a silence is cut to them.
    as_of : the judgement knows nothing later than this instant.
    signs : explanations; the last one in a gap names its cause.

    Returns
    -------
    Gaps in time order, disjoint. O(n) a window.
    """
    gaps: list[Gap] = []
    for window in windows:
        seen = known_fixes(fixes, window, policy=policy, as_of=as_of)
        evidence = ~seen.has(NOT_EVIDENCE)
        gaps += gaps_between(seen, evidence, window, policy=policy, as_of=as_of, signs=signs)
    return tuple(gaps)


def known_fixes(
    fixes: FixArray, window: Window, *, policy: PresencePolicy, as_of: datetime
) -> FixArray:
    """Select fixes that may speak about a window: from shortly before it, up to ``as_of``.

    A fix at or after the end of the window never counts, so that nothing about a closed
    window changes when time goes on.
    """
    start_s, end_s = to_epoch_s(window.start), to_epoch_s(window.end)
    low = np.searchsorted(fixes.epoch_s, start_s - policy.max_gap_s, side="left")
    high = min(
        np.searchsorted(fixes.epoch_s, end_s, side="left"),
        np.searchsorted(fixes.epoch_s, to_epoch_s(as_of), side="right"),
    )
    return fixes.take(np.arange(low, max(low, high)))


def gaps_between(
    fixes: FixArray,
    evidence: BoolArray,
    window: Window,
    *,
    policy: PresencePolicy,
    as_of: datetime,
    signs: Iterable[GapSign] = (),
) -> list[Gap]:
    """Find silences between the fixes that count as evidence, cut to one window."""
    start_s = to_epoch_s(window.start)
    end_s = min(to_epoch_s(window.end), to_epoch_s(as_of))
    if end_s <= start_s:
        return []
    times = fixes.epoch_s[evidence]
    first = [] if len(times) and times[0] <= start_s else [start_s]
    bounds = np.concatenate((first, times, [end_s]))
    reasons = [(to_epoch_s(sign.at), sign.cause) for sign in signs]
    gaps = []
    for k in np.flatnonzero(np.diff(bounds) > policy.max_gap_s).tolist():
        low, high = float(bounds[k]), float(bounds[k + 1])
        cause = blame(fixes, evidence, (low, high), reasons, low_battery_pct=policy.low_battery_pct)
        if high > start_s:
            gaps.append(Gap(from_epoch_s(max(low, start_s)), from_epoch_s(high), cause))
    return gaps


def blame(
    fixes: FixArray,
    evidence: BoolArray,
    span_s: tuple[float, float],
    reasons: Sequence[tuple[float, GapCause]] = (),
    *,
    low_battery_pct: float,
) -> GapCause:
    """Name the likeliest cause of a span without evidence.

    What the device or broker told comes first, then what the fixes that were no evidence
    say, then the battery of the last one that was.
    """
    low_s, high_s = span_s
    told = [(at, cause) for at, cause in reasons if low_s <= at < high_s]
    if told:
        return max(told)[1]
    within = ~evidence & (fixes.epoch_s >= low_s) & (fixes.epoch_s < high_s)
    untrusted = QualityFlag.MOCK | QualityFlag.FUTURE
    if (within & fixes.has(untrusted)).any():
        return GapCause.UNTRUSTED
    if (within & ~fixes.has(NOT_EVIDENCE)).any():
        return GapCause.COARSE
    if within.any():
        return GapCause.NO_POSITION
    last = np.flatnonzero(evidence & (fixes.epoch_s <= low_s))
    if len(last) and fixes.battery_pct[last[-1]] <= low_battery_pct:
        return GapCause.BATTERY
    return GapCause.SILENT
