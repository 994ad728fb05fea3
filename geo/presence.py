"""Inside, outside or unknown: what the fixes of one person show about one fence."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Final

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

    Leaving takes several fixes in a row that are credibly outside, and then counts from the
    first of them. Coming back takes one fix well inside, or as many just inside, and counts
    from the first. Near the edge the state stays as it was. Silence
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
    fixes = sides.evidence
    times, side_of = sides.fixes.epoch_s[fixes].tolist(), sides.side[fixes].tolist()
    watch = _Watch(policy)
    previous: float | None = None
    for at, side, deep in zip(times, side_of, sides.deep[fixes].tolist(), strict=True):
        if previous is not None and at - previous > policy.max_gap_s:
            watch.wake(previous, at, side)
        if side == INSIDE:
            watch.see_inside(at, deep=deep)
        else:
            watch.see_beyond(at, surely=side == OUTSIDE)
        previous = at
    if previous is not None and end_s - previous > policy.max_gap_s:
        watch.lose(previous)
    return watch.marks


@dataclass(frozen=True, slots=True)
class _Crossing:
    """A crossing of the edge that has begun: so many fixes beyond it, the first of them then."""

    since: float = 0.0
    count: int = 0

    def and_at(self, at: float) -> "_Crossing":
        return _Crossing(self.since if self.count else at, self.count + 1)

    def held(self, at: float, policy: PresencePolicy) -> bool:
        return self.count >= policy.exit_fixes and at - self.since >= policy.exit_hold_s


_NONE: Final = _Crossing()


@dataclass(slots=True)
class _Watch:
    """The state as fixes come, and the crossings that have begun but are not held yet."""

    policy: PresencePolicy
    marks: list[_Mark] = field(default_factory=list)
    state: State = State.UNKNOWN
    out: _Crossing = _NONE
    back: _Crossing = _NONE

    def see_inside(self, at: float, *, deep: bool) -> None:
        """Come back with one fix well inside, or with several; from nowhere with any."""
        self.out = _NONE
        if self.state is State.UNKNOWN:
            self._turn(State.INSIDE, at)
        elif self.state is State.OUTSIDE:
            self.back = self.back.and_at(at)
            if deep or self.back.held(at, self.policy):
                self._turn(State.INSIDE, self.back.since)

    def see_beyond(self, at: float, *, surely: bool) -> None:
        """Leave; a fix at the edge confirms an exit that has begun, but cannot begin one."""
        if surely:
            self.out, self.back = self.out.and_at(at), _NONE
        if self.out.held(at, self.policy) and self.state is not State.OUTSIDE:
            self._turn(State.OUTSIDE, self.out.since)

    def wake(self, previous: float, at: float, side: int) -> None:
        """Hear something again after a silence."""
        short = at - previous <= self.policy.bridge_max_s
        if short and self.state is State.INSIDE and not self.out.count and side == INSIDE:
            self.marks += [(previous, State.INSIDE, True), (at, State.INSIDE, False)]
        else:
            self.lose(previous)

    def lose(self, previous: float) -> None:
        """Know nothing any more from the last fix on."""
        if self.back.count:  # nothing spoke against the return before the silence
            self._turn(State.INSIDE, self.back.since)
        self._turn(State.UNKNOWN, previous)
        self.out = _NONE

    def _turn(self, state: State, at: float) -> None:
        self.marks.append((at, state, False))
        self.state, self.back = state, _NONE
