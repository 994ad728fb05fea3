"""Inside, outside or unknown: what the fixes of one person show about one fence.

The filter is hysteresis in space and time, as ISA-18.2 (alarm management, section on deadband
and on- and off-delay) has it for a measured value near a limit: an edge as wide as its own
band (`PresencePolicy.buffer_*`, plus the accuracy of each fix) that decides nothing, and a
crossing that counts only when evidence from beyond the band holds for a time
(``exit_hold_s``), and then from its first fix on. It works the same way in both directions, so
that who walks along the edge neither leaves nor comes back, but in doubt for the person: a
single fix well inside is a return at once, undone only when something contradicts it before it
has held, and fixes inside the band are one when they last (``edge_hold_s``). A crossing that
falls into silence is unknown, never guessed. Errors of satellite positions hold together for
minutes, which is why no number of fixes replaces time, and why fixes are not multiplied like
independent measurements: ``probability`` is the mean over an interval of what each fix says of
its side, from its distance to the edge and its accuracy (a round normal error, of which the
claimed radius holds 68 %).

A fix costs the filter O(1): what it remembers is a state and three runs of fixes, each an
instant and a count. That memory is durable because it is never kept: it follows from the
stored fixes in whatever order they came, so that a restart loses nothing and late data
re-opens the day.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from itertools import pairwise
from typing import Final

import numpy as np

from geo.distance import FloatArray
from geo.fix import FixArray, from_epoch_s, to_epoch_s
from geo.gaps import Gap, GapCause, GapSign, Window, detect_gaps, gaps_between, known_fixes
from geo.geofence import Geofence
from geo.policy import PresencePolicy
from geo.sides import INSIDE, OUTSIDE, Sides, chance_outside, judge_sides

__all__ = [
    "Crossing",
    "CrossingKind",
    "Gap",
    "GapCause",
    "GapSign",
    "Presence",
    "PresenceInterval",
    "State",
    "Window",
    "crossings",
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
    """Span ``[start, end)`` of one state; ``inferred`` when it bridges a short silence.

    ``probability`` of the state by the fixes in it, 0 to 1; ``None`` where nobody looked.
    """

    state: State
    start: datetime
    end: datetime
    inferred: bool = False
    probability: float | None = None


class CrossingKind(StrEnum):
    """Which way somebody crossed the edge."""

    ENTER = "enter"
    LEAVE = "leave"


@dataclass(frozen=True, slots=True)
class Crossing:
    """A crossing of the edge that was seen, at the first fix beyond it."""

    kind: CrossingKind
    at: datetime


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
    first of them. Coming back takes one fix well inside that nothing contradicts before the
    return has held, or fixes just inside for ``policy.edge_hold_s``, and counts from the
    first. Near the edge the state stays as it was. Silence longer than ``policy.max_gap_s``
    is unknown from its last fix on, and from a return on that had not held yet, unless it is
    short and the person was inside before and after. Before the first evidence the state is
    unknown.

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


def crossings(presence: Presence) -> tuple[Crossing, ...]:
    """List when somebody was seen to cross the edge, in time order.

    Only where inside and outside touch. With unknown between them the crossing fell into the
    silence: it happened, nobody can say when, and it is none of these.
    """
    return tuple(
        Crossing(_KIND_OF[after.state], after.start)
        for before, after in pairwise(presence.intervals)
        if {before.state, after.state} == set(_KIND_OF) and before.end == after.start
    )


_KIND_OF: Final = {State.INSIDE: CrossingKind.ENTER, State.OUTSIDE: CrossingKind.LEAVE}


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
    chance = _Chance.of(sides)
    return [
        PresenceInterval(
            state,
            from_epoch_s(at),
            from_epoch_s(end),
            inferred,
            None if inferred or state is State.UNKNOWN else chance.of_state(state, at, end),
        )
        for (at, state, inferred), end in zip(kept, ends, strict=True)
        if end > at
    ]


@dataclass(frozen=True, slots=True)
class _Chance:
    """How surely each fix that is evidence lies outside."""

    epoch_s: FloatArray
    outside: FloatArray

    @classmethod
    def of(cls, sides: Sides) -> "_Chance":
        seen = sides.evidence
        outside = chance_outside(sides.distance_m[seen], sides.accuracy_m[seen])
        return cls(sides.fixes.epoch_s[seen], outside)

    def of_state(self, state: State, start_s: float, end_s: float) -> float:
        first, last = np.searchsorted(self.epoch_s, [start_s, end_s]).tolist()
        # A fix before the window may be all that speaks for its first state.
        outside = float(self.outside[min(first, last - 1) : last].mean())
        return round(outside if state is State.OUTSIDE else 1.0 - outside, 4)


def _changes(sides: Sides, end_s: float, policy: PresencePolicy) -> list[_Mark]:
    """Instants at which the state changes, in time order."""
    fixes = sides.evidence
    times, side_of = sides.fixes.epoch_s[fixes].tolist(), sides.side[fixes].tolist()
    watch = _Watch(policy)
    previous: float | None = None
    columns = (times, side_of, sides.deep[fixes].tolist(), sides.clear[fixes].tolist())
    for at, side, deep, clear in zip(*columns, strict=True):
        if previous is not None and at - previous > policy.max_gap_s:
            watch.wake(previous, at, side)
        if side == INSIDE:
            watch.see_inside(at, deep=deep, clear=clear)
        else:
            watch.see_beyond(at, surely=side == OUTSIDE)
        previous = at
    if previous is not None and end_s - previous > policy.max_gap_s:
        watch.lose(previous)
    return watch.marks


@dataclass(frozen=True, slots=True)
class _Run:
    """A crossing of the edge that has begun: so many fixes beyond it, the first of them then."""

    since: float = 0.0
    count: int = 0

    def and_at(self, at: float) -> "_Run":
        return _Run(self.since if self.count else at, self.count + 1)

    def held(self, at: float, hold_s: float, policy: PresencePolicy) -> bool:
        return self.count >= policy.exit_fixes and at - self.since >= hold_s


_NONE: Final = _Run()


@dataclass(slots=True)
class _Watch:
    """The state as fixes come, and the crossings that have begun but are not held yet.

    ``back`` counts all fixes inside since a return began, ``clear`` those beyond the inner
    edge; ``seen`` is the newest of them, and ``before`` the state they came from.
    """

    policy: PresencePolicy
    marks: list[_Mark] = field(default_factory=list)
    state: State = State.UNKNOWN
    out: _Run = _NONE
    back: _Run = _NONE
    clear: _Run = _NONE
    seen: float = 0.0
    before: State = State.UNKNOWN

    def see_inside(self, at: float, *, deep: bool, clear: bool) -> None:
        """Come back: at once with a fix well inside, for good when that holds.

        From unknown there is nothing that a clear fix would have to outweigh.
        """
        self.out = _NONE
        if self.state is State.INSIDE and not self.back.count:
            return
        self.back, self.seen = self.back.and_at(at), at
        if clear:
            self.clear = self.clear.and_at(at)
        held = self.clear.held(at, self.policy.exit_hold_s, self.policy)
        held = held or self.back.held(at, self.policy.edge_hold_s, self.policy)
        if self.state is not State.INSIDE:
            self.before = self.state
            if deep or held:
                self._mark(State.INSIDE, self.back.since)
        if held or (clear and self.before is State.UNKNOWN):
            self.back = self.clear = _NONE

    def see_beyond(self, at: float, *, surely: bool) -> None:
        """Leave; a fix at the edge confirms an exit that has begun, but cannot begin one."""
        if surely:
            self._contradict(at)
            self.out = self.out.and_at(at)
        held = self.out.held(at, self.policy.exit_hold_s, self.policy)
        if held and self.state is not State.OUTSIDE:
            self._mark(State.OUTSIDE, self.out.since)

    def wake(self, previous: float, at: float, side: int) -> None:
        """Hear something again after a silence."""
        short = at - previous <= self.policy.bridge_max_s
        there = self.state is State.INSIDE or self.back.count > 0
        if not (short and there and side == INSIDE and not self.out.count):
            self.lose(previous)
            return
        if self.state is not State.INSIDE:
            self._mark(State.INSIDE, self.back.since)
        self.back = self.clear = _NONE
        self.marks += [(previous, State.INSIDE, True), (at, State.INSIDE, False)]

    def lose(self, previous: float) -> None:
        """Know nothing any more: from the last fix on, or from a return on that did not hold."""
        since = self.back.since if self.back.count else previous
        self._unsay()
        self._mark(State.UNKNOWN, since)
        self.out = _NONE

    def _contradict(self, at: float) -> None:
        """See a return end that was not seen to hold: none, or unknown where nobody looked."""
        since, unseen = self.back.since, at - self.seen >= self.policy.exit_hold_s
        inside = self.state is State.INSIDE and self.back.count > 0
        self._unsay()
        if inside and unseen and self.state is State.OUTSIDE:
            self._mark(State.UNKNOWN, since)

    def _unsay(self) -> None:
        if self.back.count and self.state is State.INSIDE:
            self.marks.pop()
            self.state = self.before
        self.back = self.clear = _NONE

    def _mark(self, state: State, at: float) -> None:
        self.marks.append((at, state, False))
        self.state = state
