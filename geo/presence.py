"""Inside, outside or unknown: what the fixes of one person show about one fence."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from geo.fix import FixArray, from_epoch_s, to_epoch_s
from geo.gaps import Gap, GapCause, GapSign, Window, detect_gaps, gaps_between, known_fixes
from geo.geofence import Geofence
from geo.policy import PresencePolicy
from geo.sides import INSIDE, OUTSIDE, Sides, judge_sides

__all__ = [
    "Gap",
    "GapCause",
    "GapSign",
    "Presence",
    "PresenceInterval",
    "State",
    "Window",
    "detect_gaps",
    "detect_presence",
]


class State(StrEnum):
    """Where a person is relative to a fence."""

    INSIDE = "inside"
    OUTSIDE = "outside"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class PresenceInterval:
    """Span ``[start, end)`` of one state; ``inferred`` when it bridges a short silence."""

    state: State
    start: datetime
    end: datetime
    inferred: bool = False


@dataclass(frozen=True, slots=True)
class Presence:
    """What is known about one person and one fence in some windows.

    Attributes
    ----------
    intervals : tile the windows up to the earlier of their end and ``as_of``.
    gaps : silences, in time order.
    coverage : share of that time with an observed state, 0 to 1; inferred time is not observed.
    policy : the thresholds used.
    """

    intervals: tuple[PresenceInterval, ...]
    gaps: tuple[Gap, ...]
    coverage: float
    policy: PresencePolicy


def detect_presence(
    fixes: FixArray,
    fence: Geofence,
    windows: Sequence[Window],
    *,
    policy: PresencePolicy,
    as_of: datetime,
    signs: Iterable[GapSign] = (),
) -> Presence:
    """Decide where a person was during duty windows.

    Entering takes one fix inside; leaving takes several in a row that are credibly outside,
    and then counts from the first of them. Near the edge the state stays as it was. Silence
    longer than ``policy.max_gap_s`` is unknown from its last fix on, unless it is short and
    the person was inside before and after. Before the first evidence the state is unknown.

    Parameters
    ----------
    fixes : of one person; any fixes, only those that may speak about a window are used.
    fence : the place.
    windows : disjoint, in time order.
    policy : thresholds in metres and seconds.
    as_of : the judgement knows nothing later than this instant. Once it is past the end of a
        window, the answer for that window no longer changes with it.
    signs : explanations of silence from other messages.

    Returns
    -------
    Presence, a pure function of the set of fixes. O(n log n).
    """
    signs = tuple(signs)
    intervals: list[PresenceInterval] = []
    gaps: list[Gap] = []
    for window in windows:
        seen = known_fixes(fixes, window, policy=policy, as_of=as_of)
        sides = judge_sides(seen, fence, policy=policy)
        tiles = _tiles(sides, window, policy=policy, as_of=as_of)
        intervals += tiles
        bridges = {tile.start for tile in tiles if tile.inferred}
        found = gaps_between(seen, sides.evidence, window, policy=policy, as_of=as_of, signs=signs)
        gaps += [replace(gap, bridged=gap.start in bridges) for gap in found]
    return Presence(tuple(intervals), tuple(gaps), _coverage(intervals), policy)


def _coverage(intervals: Sequence[PresenceInterval]) -> float:
    total = sum((i.end - i.start).total_seconds() for i in intervals)
    observed = sum(
        (i.end - i.start).total_seconds()
        for i in intervals
        if i.state is not State.UNKNOWN and not i.inferred
    )
    return observed / total if total else 0.0


_Mark = tuple[float, State, bool]


def _tiles(
    sides: Sides, window: Window, *, policy: PresencePolicy, as_of: datetime
) -> list[PresenceInterval]:
    start_s = to_epoch_s(window.start)
    end_s = min(to_epoch_s(window.end), to_epoch_s(as_of))
    if end_s <= start_s:
        return []
    marks: list[_Mark] = [(start_s, State.UNKNOWN, False)]
    for at, state, inferred in _changes(sides, end_s, policy):
        mark = (max(at, start_s), state, inferred)
        if marks[-1][0] == mark[0]:
            marks[-1] = mark
        elif marks[-1][1:] != mark[1:]:
            marks.append(mark)
    # Two marks at one instant may have left equal neighbours.
    kept = [m for i, m in enumerate(marks) if i == 0 or m[1:] != marks[i - 1][1:]]
    ends = [*(m[0] for m in kept[1:]), end_s]
    return [
        PresenceInterval(state, from_epoch_s(at), from_epoch_s(end), inferred)
        for (at, state, inferred), end in zip(kept, ends, strict=True)
        if end > at
    ]


def _changes(sides: Sides, end_s: float, policy: PresencePolicy) -> list[_Mark]:
    """Instants at which the state changes, in time order."""
    times = sides.fixes.epoch_s[sides.evidence].tolist()
    marks: list[_Mark] = []
    state = State.UNKNOWN
    out_count, out_since, previous = 0, 0.0, None
    for at, side in zip(times, sides.side[sides.evidence].tolist(), strict=True):
        if previous is not None and at - previous > policy.max_gap_s:
            short = at - previous <= policy.bridge_max_s
            if short and state is State.INSIDE and out_count == 0 and side == INSIDE:
                marks += [(previous, State.INSIDE, True), (at, State.INSIDE, False)]
            else:
                marks.append((previous, State.UNKNOWN, False))
                state, out_count = State.UNKNOWN, 0
        if side == INSIDE:
            out_count = 0
            if state is not State.INSIDE:
                marks.append((at, State.INSIDE, False))
                state = State.INSIDE
        elif side == OUTSIDE or out_count:
            # A fix at the edge confirms an exit that has begun, but cannot begin one.
            if out_count == 0:
                out_since = at
            out_count += side == OUTSIDE
            held = out_count >= policy.exit_fixes and at - out_since >= policy.exit_hold_s
            if held and state is not State.OUTSIDE:
                marks.append((out_since, State.OUTSIDE, False))
                state = State.OUTSIDE
        previous = at
    if previous is not None and end_s - previous > policy.max_gap_s:
        marks.append((previous, State.UNKNOWN, False))
    return marks
