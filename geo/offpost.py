"""Off-post intervals: on duty, outside the post, not excused, and proven by fixes."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Final

import numpy as np

from geo.breaks import Span, charge_breaks, expected_spans, used_s
from geo.distance import FloatArray, consecutive_m
from geo.fix import BoolArray, FixArray, IntArray, from_epoch_s, to_epoch_s
from geo.gaps import Window, known_fixes
from geo.geofence import Geofence
from geo.policy import OffPostPolicy
from geo.presence import Presence, PresenceInterval, State
from geo.sides import INSIDE, OUTSIDE, UNDECIDED, Sides, chance_outside, judge_sides
from geo.verdict import Evidence

RULE: Final = "off_post"


@dataclass(frozen=True, slots=True)
class OffPostInterval:
    """One absence from a post that fixes prove.

    Attributes
    ----------
    start, end : ``[start, end)``; ``end`` is ``None`` while the person is still out.
    decided_at : time of the fix that made it long enough; an alert is as old as this.
    duration_s : to the end, or to ``as_of`` while it is open.
    max_distance_m : farthest from the edge.
    margin_m : metres by which the weakest fix still clears the limit.
    confidence : 0 to 1, that the person was outside, from accuracies and contradicting fixes.
    fix_keys : keys of proving fixes, thinned in the middle when there are many.
    reasons : codes: how it ended (returned, silence, excused, duty_end, open), cell_only.
    evidence : rule, thresholds and figures, for the card that explains the verdict.
    """

    start: datetime
    end: datetime | None
    decided_at: datetime
    duration_s: float
    max_distance_m: float
    margin_m: float
    confidence: float
    fix_keys: tuple[str, ...]
    reasons: tuple[str, ...]
    evidence: Evidence


def detect_off_post(
    presence: Presence,
    fixes: FixArray,
    fence: Geofence,
    *,
    duty: Sequence[Window],
    excused: Iterable[Window] = (),
    policy: OffPostPolicy,
    as_of: datetime,
    policy_version: str = "",
    breaks: Sequence[Window] | None = None,
) -> tuple[OffPostInterval, ...]:
    """Find absences that last and are not excused.

    An absence runs from the first credible fix outside, not earlier than ``settle_s`` after
    the duty start, nor before the break budget is used up (`geo.breaks`), nor before a fix
    inside, even one too brief for a return, and needs ``min_outside_s`` between its start and
    a later fix outside. Silence proves nothing: an absence ends with its last fix outside when
    no fix follows.

    Parameters
    ----------
    presence : of the same fixes, fence, windows and ``as_of``.
    fixes : of one person.
    fence : the post.
    duty : duty windows, disjoint, in time order.
    excused : leave, outings, visits, breaks; any order, may overlap.
    policy : thresholds in metres and seconds.
    as_of : as for `geo.presence.detect_presence`.
    policy_version : copied into the evidence.
    breaks : what the budget of the shift bears, from `geo.breaks.charge_breaks`; left out,
        each duty window is a shift with a budget of its own.

    Returns
    -------
    Disjoint intervals in time order, a pure function of the set of fixes. O(n log n).
    """
    allowed = tuple(excused)
    found: list[OffPostInterval] = []
    for window in duty:
        borne = (
            charge_breaks(presence, window, excused=allowed, policy=policy)
            if breaks is None
            else breaks
        )
        expected = expected_spans(window, [*allowed, *borne], policy=policy)
        seen = known_fixes(fixes, window, policy=presence.policy, as_of=as_of)
        sides = judge_sides(seen, fence, policy=presence.policy)
        for interval in presence.intervals:
            if interval.state is not State.OUTSIDE:
                continue
            for span in expected:
                absence = _Absence.within(
                    interval, span, window, sides=sides, size_m=fence.size_m, as_of=as_of
                )
                if absence is not None:
                    verdict = absence.judge(policy, presence, policy_version, borne)
                    found += [verdict] if verdict is not None else []
    return tuple(found)


@dataclass(frozen=True, slots=True, eq=False)
class _Absence:
    """One stretch outside within one expected span, with the fixes that speak about it.

    ``size_m`` is the radius of the post, of a polygon that of a circle of its area.
    """

    span: Span
    ended: str
    sides: Sides
    size_m: float
    proof: IntArray
    doubtful: FloatArray

    @classmethod
    def within(
        cls,
        interval: PresenceInterval,
        span: Span,
        window: Window,
        *,
        sides: Sides,
        size_m: float,
        as_of: datetime,
    ) -> "_Absence | None":
        since, until = to_epoch_s(interval.start), to_epoch_s(interval.end)
        start, end = max(since, span[0]), min(until, span[1])
        if start >= end:
            return None
        times = sides.fixes.epoch_s
        # A silence makes the interval end at its last fix: that fix belongs to it.
        inside_span = sides.evidence & (times >= since) & (times <= end)
        proof = np.flatnonzero(inside_span & (sides.side == OUTSIDE))
        if end >= to_epoch_s(window.end):
            ended = "duty_end"
        elif end >= to_epoch_s(as_of):
            ended = "open"
        elif until > span[1]:
            ended = "excused"
        else:
            back = sides.evidence & (times == until) & (sides.side < UNDECIDED)
            ended = "returned" if back.any() else "silence"
        return cls(
            (start, end), ended, sides, size_m, proof, times[inside_span & (sides.side == 0)]
        )

    def judge(
        self,
        policy: OffPostPolicy,
        presence: Presence,
        policy_version: str,
        breaks: Sequence[Window],
    ) -> OffPostInterval | None:
        """Verdict on this stretch, or ``None`` when it is too short or too weakly proven."""
        times = self.sides.fixes.epoch_s[self.proof]
        if not len(times):
            return None
        since = self._since(times)
        confidence = self._confidence(times, policy)
        decides = np.flatnonzero(
            (times - since >= policy.min_outside_s)
            & self._corroborated(policy)
            & (confidence >= policy.min_confidence)
        )
        if not len(decides):
            return None
        start, end = float(since[decides[0]]), self.span[1]
        keys = self.sides.fixes.keys[_thinned(self.proof, policy.max_evidence_fixes)]
        # Doubtful fixes after the last proof weaken the figure, not the decision taken before.
        proven = len(times) + int(np.count_nonzero(self.doubtful <= times[-1]))
        answered = proven / (len(times) + len(self.doubtful))
        cell_only = bool(self.sides.coarse[self.proof].all())
        reasons = (self.ended, "cell_only") if cell_only else (self.ended,)
        figures = {
            "duration_s": round(end - start, 3),
            "max_distance_m": round(float(self.sides.distance_m[self.proof].max()), 1),
            "margin_m": round(float(self.sides.margin_m[self.proof].min()), 1),
            "confidence": round(float(confidence[-1]) * answered, 3),
        }
        fix_keys = tuple(str(key) for key in keys)
        return OffPostInterval(
            start=from_epoch_s(start),
            end=None if self.ended == "open" else from_epoch_s(end),
            decided_at=from_epoch_s(times[decides[0]]),
            fix_keys=fix_keys,
            reasons=reasons,
            evidence=Evidence(
                rule=RULE,
                policy_version=policy_version,
                thresholds={"presence": asdict(presence.policy), "off_post": asdict(policy)},
                inputs={"fixes": fix_keys, "fix_count": len(self.proof)}
                | ({"breaks": tuple(breaks)} if breaks else {}),
                figures={**figures, "coverage": round(presence.coverage, 4)}
                | ({"break_used_s": used_s(breaks)} if breaks else {}),
                reasons=reasons,
            ),
            **figures,
        )

    def _since(self, times: FloatArray) -> FloatArray:
        """Since when each proof has been outside: a fix just inside starts the absence again."""
        sides, (start, end) = self.sides, self.span
        every = sides.fixes.epoch_s
        inside = every[sides.evidence & (sides.side == INSIDE) & (every > start) & (every < end)]
        last = np.searchsorted(inside, times) - 1
        return np.where(last >= 0, inside[np.maximum(last, 0)] if len(inside) else start, start)

    def _corroborated(self, policy: OffPostPolicy) -> BoolArray:
        """Whether the fixes up to each one are enough: few suffice when they agree on a place.

        Errors of measurement throw single fixes in any direction; somebody who is elsewhere
        is mostly at one place there, or is seen more often.
        """
        count = np.arange(1, len(self.proof) + 1)
        lon, lat = (
            column[self.proof] for column in (self.sides.fixes.lon_deg, self.sides.fixes.lat_deg)
        )
        near = consecutive_m(lon, lat) <= policy.agree_m + (
            self.sides.accuracy_m[self.proof[1:]] + self.sides.accuracy_m[self.proof[:-1]]
        )
        # Cells alone accuse nobody of having left a post smaller than their own error.
        sharp = ~self.sides.coarse[self.proof] | (self.sides.accuracy_m[self.proof] <= self.size_m)
        agreed = np.concatenate(([False], np.logical_or.accumulate(near)))[: len(count)]
        enough = (count >= policy.min_fixes) & (agreed | (count >= policy.lone_fixes))
        return np.asarray(enough & (np.cumsum(sharp) > 0))

    def _confidence(self, times: FloatArray, policy: OffPostPolicy) -> FloatArray:
        """Confidence after each proving fix: mean probability, less the share of doubtful fixes."""
        chance = chance_outside(
            self.sides.distance_m[self.proof], self.sides.accuracy_m[self.proof]
        )
        count = np.arange(1, len(times) + 1)
        doubts = np.searchsorted(self.doubtful, times, side="right")
        confidence = np.cumsum(chance) / (count + doubts)
        ceiling = np.where(
            np.cumsum(~self.sides.coarse[self.proof]) > 0, 1.0, policy.cell_only_confidence
        )
        return np.asarray(np.minimum(confidence, ceiling), dtype=np.float64)


def _thinned(index: IntArray, limit: int) -> IntArray:
    """At most ``limit`` of the entries, evenly spread, first and last always among them."""
    if len(index) <= max(limit, 2):
        return index
    picked = np.linspace(0, len(index) - 1, max(limit, 2)).round().astype(np.int64)
    return np.asarray(index[picked], dtype=np.int64)
