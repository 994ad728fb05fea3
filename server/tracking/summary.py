"""The outline of a person-day that screens and reports read: sums, and segments of the way."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from geo.fix import FixArray
from geo.gaps import Gap
from geo.policy import TrackPolicy
from geo.presence import Presence, State
from geo.trajectory import reconstruct_day, segment_to_json
from geo.trips import DistanceInterval
from geo.verdict import format_utc
from server.tracking.facts import DayFacts


def outline(
    facts: DayFacts,
    *,
    presences: Sequence[Presence],
    gaps: Sequence[Gap],
    off_posts: int,
    as_of: datetime,
    with_trajectory: bool,
) -> dict[str, Any]:
    """Return the summary of a day as plain JSON.

    Parameters
    ----------
    facts : the day's facts.
    presences : per stretch with a post.
    gaps : silences of the whole day.
    off_posts : how many absences were found.
    as_of : watermark, no later than the end of duty.
    with_trajectory : add the key `trajectory`.

    Returns
    -------
    `duty_s` so far, seconds `inside_s`, `outside_s`, `unknown_s`, `inferred_s` (part of
    inside), `gap_s`, `coverage` (share of duty without a gap, 0 to 1), counts, and the
    trajectory: `as_of`, `distance_m` {low, mid, high}, `coverage`, `segments`.
    """
    duty = [(w.starts_at, min(w.ends_at, as_of)) for w in facts.windows if w.starts_at < as_of]
    duty_s = sum((end - start).total_seconds() for start, end in duty)
    gap_s = sum((gap.end - gap.start).total_seconds() for gap in gaps)
    fixes = facts.fixes.between(duty[0][0], duty[-1][1])
    document: dict[str, Any] = {
        "duty_s": round(duty_s, 3),
        "gap_s": round(gap_s, 3),
        "coverage": round(1.0 - gap_s / duty_s, 4) if duty_s else 0.0,
        "inside_s": _seconds(presences, State.INSIDE),
        "outside_s": _seconds(presences, State.OUTSIDE),
        "unknown_s": _seconds(presences, State.UNKNOWN),
        "inferred_s": round(
            sum(
                (i.end - i.start).total_seconds()
                for p in presences
                for i in p.intervals
                if i.inferred
            ),
            3,
        ),
        "fixes": len(fixes),
        "flags": fixes.flag_counts(),
        "gaps": len(gaps),
        "off_posts": off_posts,
    }
    if with_trajectory:
        document["trajectory"] = trajectory_of(
            facts.fixes, duty, policy=facts.policy.track, as_of=as_of
        )
    return document


def trajectory_of(
    fixes: FixArray,
    spans: Sequence[tuple[datetime, datetime]],
    *,
    policy: TrackPolicy,
    as_of: datetime,
) -> dict[str, Any]:
    """Return stops, trips and gaps of spans of duty as plain JSON, in time order."""
    days = [reconstruct_day(fixes, policy=policy, start=start, end=end) for start, end in spans]
    total = DistanceInterval()
    for day in days:
        total += day.distance
    lengths = [(end - start).total_seconds() for start, end in spans]
    seen_s = sum(day.coverage * length for day, length in zip(days, lengths, strict=True))
    return {
        "as_of": format_utc(as_of),
        "distance_m": total.to_json(),
        "coverage": round(seen_s / sum(lengths), 4) if sum(lengths) else 0.0,
        "segments": [segment_to_json(segment) for day in days for segment in day.segments],
    }


def _seconds(presences: Sequence[Presence], state: State) -> float:
    return round(
        sum(
            (i.end - i.start).total_seconds()
            for p in presences
            for i in p.intervals
            if i.state is state
        ),
        3,
    )
