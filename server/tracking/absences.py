"""From proven stretches outside to absences: silence is no return; pure.

A stretch that ends because the phone fell silent tells that nothing more is known, not
that the person came back. The absence goes on until somebody is seen inside, is excused,
or duty ends, and what is proven outside before that belongs to the same absence.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from geo.fix import FixArray, from_epoch_s
from geo.gaps import Window, known_fixes
from geo.geofence import Geofence
from geo.offpost import OffPostInterval
from geo.presence import Presence, State
from geo.sides import INSIDE, judge_sides

_SILENCE: Final = "silence"
_CELL_ONLY: Final = "cell_only"


@dataclass(frozen=True, slots=True)
class Absence:
    """One absence, from when it is proven until the return, an excuse or the end of duty.

    Attributes
    ----------
    found : verdict on the whole; `duration_s` counts only what was observed outside, and
        `end` is None until something ends it.
    outside : observed stretches outside, half-open, in time order.
    silent_s : seconds of the absence in which nothing was observed.
    """

    found: OffPostInterval
    outside: tuple[tuple[datetime, datetime], ...]
    silent_s: float


def join_absences(
    off_posts: Sequence[OffPostInterval],
    presence: Presence,
    fixes: FixArray,
    fence: Geofence,
    *,
    span: Window,
    excused: Iterable[Window],
    as_of: datetime,
) -> tuple[Absence, ...]:
    """Make one absence of everything between an exit and its confirmed end.

    Parameters
    ----------
    off_posts : of one span of duty under one fence, in time order.
    presence, fixes, fence : what they came from.
    span : that span of duty.
    excused : spans in which nobody is expected at the post; any order.
    as_of : the judgement knows nothing later than this instant.

    Returns
    -------
    Disjoint absences in time order, a pure function of the same facts. O(n log n).
    """
    ends = [(window.start, "excused") for window in excused]
    if any(found.reasons[0] == _SILENCE for found in off_posts):
        ends += [(at, "returned") for at in _seen_inside(presence, fixes, fence, span, as_of)]
    ends = [*sorted(e for e in ends if e[0] < span.end), (span.end, "duty_end")]
    joined: list[Absence] = []
    rest = list(off_posts)
    while rest:
        parts = [rest.pop(0)]
        end, ended = parts[0].end, parts[0].reasons[0]
        if ended == _SILENCE and end is not None:
            seen_at = end
            end, ended = next((at, how) for at, how in ends if at >= seen_at)
            if end > as_of:
                end, ended = None, "open"
            while rest and (end is None or rest[0].start < end):
                parts.append(rest.pop(0))
        joined.append(_joined(parts, end, ended, presence, as_of))
    return tuple(joined)


def _seen_inside(
    presence: Presence, fixes: FixArray, fence: Geofence, span: Window, as_of: datetime
) -> list[datetime]:
    """When there is evidence of being inside; a single fix between silences is no interval."""
    seen = known_fixes(fixes, span, policy=presence.policy, as_of=as_of)
    sides = judge_sides(seen, fence, policy=presence.policy)
    inside = sides.evidence & (sides.side == INSIDE)
    return [from_epoch_s(at) for at in sides.fixes.epoch_s[inside].tolist()]


def _joined(
    parts: Sequence[OffPostInterval],
    end: datetime | None,
    ended: str,
    presence: Presence,
    as_of: datetime,
) -> Absence:
    first = parts[0]
    until = as_of if end is None else end
    outside = tuple(
        (max(i.start, first.start), min(i.end, until))
        for i in presence.intervals
        if i.state is State.OUTSIDE and i.start < until and i.end > first.start
    )
    observed_s = sum((high - low).total_seconds() for low, high in outside)
    silent_s = round((until - first.start).total_seconds() - observed_s, 3)
    reasons = [ended]
    if not outside or outside[-1][1] < until:
        # While it lasts, the silence is what there is to say.
        reasons = [_SILENCE] if end is None else [ended, _SILENCE]
    if all(_CELL_ONLY in part.reasons for part in parts):
        reasons.append(_CELL_ONLY)
    keys = tuple(key for part in parts for key in part.fix_keys)
    whole = replace(
        first,
        end=end,
        duration_s=round(observed_s, 3),
        max_distance_m=max(part.max_distance_m for part in parts),
        margin_m=min(part.margin_m for part in parts),
        confidence=min(part.confidence for part in parts),
        fix_keys=keys,
        reasons=tuple(reasons),
    )
    count = sum(int(part.evidence.inputs["fix_count"]) for part in parts)
    evidence = replace(
        first.evidence,
        inputs={
            **first.evidence.inputs,
            "fixes": keys,
            "fix_count": count,
            "outside": [{"start": low, "end": high} for low, high in outside],
        },
        figures={
            **first.evidence.figures,
            "duration_s": whole.duration_s,
            "max_distance_m": whole.max_distance_m,
            "margin_m": whole.margin_m,
            "confidence": whole.confidence,
            "silent_s": silent_s,
        },
        reasons=whole.reasons,
    )
    return Absence(replace(whole, evidence=evidence), outside, silent_s)
