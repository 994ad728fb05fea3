"""A person's day as stops, trips and gaps that tile it."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

import numpy as np

from geo.distance import FloatArray
from geo.fix import FixArray, from_epoch_s, to_epoch_s
from geo.gaps import Gap, blame
from geo.legs import Legs
from geo.policy import TrackPolicy
from geo.roads import Profile, Roads
from geo.staypoints import Staypoint, detect_staypoints
from geo.trackpoints import Trackpoints, select_trackpoints
from geo.trips import DistanceInterval
from geo.verdict import format_utc


@dataclass(frozen=True, slots=True)
class Stop:
    """Stay over ``[start, end)``; ``inferred_s`` of it is silence between fixes at the place."""

    start: datetime
    end: datetime
    lon_deg: float
    lat_deg: float
    radius_m: float
    observed_s: float
    inferred_s: float
    fixes: int


@dataclass(frozen=True, slots=True)
class Trip:
    """Movement over ``[start, end)`` along the trackpoints ``first`` to ``last``, both included.

    ``path`` is the way along roads, ``(lon, lat)`` vertices, where one was matched.
    """

    start: datetime
    end: datetime
    distance: DistanceInterval
    first: int
    last: int
    path: tuple[tuple[float, float], ...] = ()

    @property
    def fixes(self) -> int:
        """How many trackpoints the trip has, with those it shares with its neighbours."""
        return self.last - self.first + 1


Segment: TypeAlias = Stop | Trip | Gap


@dataclass(frozen=True, slots=True, eq=False)
class Trajectory:
    """What one series of fixes says about a span of time.

    Attributes
    ----------
    start, end : the span, or ``None`` when there is neither a fix nor a given span.
    segments : tile ``[start, end)`` in time order.
    track : the accepted fixes and how many were left out.
    distance : sum over trips and gaps; what happens inside a stop is no distance.
    coverage : observed share of the span, 0 to 1.
    flags : how many fixes carry which doubt; ``displaced`` are rejected errors of measurement.
    """

    start: datetime | None
    end: datetime | None
    segments: tuple[Segment, ...]
    track: Trackpoints
    distance: DistanceInterval
    coverage: float
    flags: dict[str, int]


def reconstruct_day(
    fixes: FixArray,
    *,
    policy: TrackPolicy,
    start: datetime | None = None,
    end: datetime | None = None,
    roads: Roads | None = None,
    profile: Profile = Profile.AUTO,
) -> Trajectory:
    """Reconstruct where one person was over a span of time.

    Parameters
    ----------
    fixes : of one person, any length of time.
    policy : metres and seconds.
    start, end : span ``[start, end)``; from the first to the last fix when left out.
    roads : network to match trips to and to fill gaps with; the trace alone when left out.
    profile : how the person moves along the roads.

    Returns
    -------
    Trajectory, a pure function of the set of fixes: order and duplicates change nothing.

    Notes
    -----
    Each step between neighbouring trackpoints belongs to a stop, is silence, or is
    movement; runs of one kind are the segments, so they cannot overlap or leave holes.
    O(n k) for k fixes in a stop's minimum.
    """
    if len(fixes) and (start is not None or end is not None):
        fixes = fixes.between(
            start or fixes.fixed_at(0), end or from_epoch_s(float(fixes.epoch_s[-1]) + 1.0)
        )
    track = select_trackpoints(fixes, policy=policy)
    flags = fixes.flag_counts() | ({"displaced": track.displaced} if track.displaced else {})
    if len(fixes):
        start = start or fixes.fixed_at(0)
        end = end or fixes.fixed_at(len(fixes) - 1)
    if start is None or end is None or end <= start:
        return Trajectory(start, end, (), track, DistanceInterval(), 0.0, flags)
    legs = Legs(track, policy, roads, profile)
    segments, distance = _segments(fixes, track, (start, end), legs, policy)
    unseen = sum(_unseen_s(s) for s in segments)
    coverage = 1.0 - unseen / (end - start).total_seconds()
    return Trajectory(start, end, tuple(segments), track, distance, max(coverage, 0.0), flags)


def segment_to_json(segment: Segment) -> dict[str, Any]:
    """Return a stop, trip or gap as plain JSON: instants in UTC, metres, seconds, degrees."""
    span = {"start": format_utc(segment.start), "end": format_utc(segment.end)}
    if isinstance(segment, Stop):
        return {
            "kind": "stop",
            **span,
            "lon": round(segment.lon_deg, 6),
            "lat": round(segment.lat_deg, 6),
            "radius_m": round(segment.radius_m, 1),
            "observed_s": round(segment.observed_s, 3),
            "inferred_s": round(segment.inferred_s, 3),
            "fixes": segment.fixes,
        }
    if isinstance(segment, Trip):
        return {
            "kind": "trip",
            **span,
            "distance_m": segment.distance.to_json(),
            "fixes": segment.fixes,
        }
    return {"kind": "gap", **span, "cause": segment.cause.value}


def _unseen_s(segment: Segment) -> float:
    if isinstance(segment, Gap):
        return (segment.end - segment.start).total_seconds()
    return segment.inferred_s if isinstance(segment, Stop) else 0.0


def _segments(
    fixes: FixArray,
    track: Trackpoints,
    span: tuple[datetime, datetime],
    legs: Legs,
    policy: TrackPolicy,
) -> tuple[list[Segment], DistanceInterval]:
    start, end = span
    times = track.fixes.epoch_s
    segments: list[Segment] = []
    total = DistanceInterval()

    def gap(low_s: float, high_s: float) -> None:
        if high_s > low_s:
            span = (low_s, high_s)
            cause = blame(fixes, track.accepted, span, low_battery_pct=policy.low_battery_pct)
            segments.append(Gap(from_epoch_s(low_s), from_epoch_s(high_s), cause))

    if not len(times):
        gap(to_epoch_s(start), to_epoch_s(end))
        return segments, total
    gap(to_epoch_s(start), float(times[0]))
    stays = detect_staypoints(track, policy=policy)
    leaves = {stay.last: stay for stay in stays}
    enters = {stay.first: stay for stay in stays}
    runs = _runs(times.tolist(), stays, policy)
    legs.lay([(a, b) for a, b, stay in runs if stay is None], stays)
    for first, last, stay in runs:
        if stay is not None:
            segments.append(_stop(track, stay, policy))
            continue
        before, after = leaves.get(first), enters.get(last)
        since_s = before.left_s if before else float(times[first])
        until_s = after.arrived_s if after else float(times[last])
        if times[last] - times[first] > policy.max_gap_s and last == first + 1:
            gap(since_s, until_s)
            total += legs.across(first, last)
        else:
            way, path = legs.along(first, last)
            total += way
            if until_s > since_s:
                segments.append(
                    Trip(from_epoch_s(since_s), from_epoch_s(until_s), way, first, last, path)
                )
    gap(float(times[-1]), to_epoch_s(end))
    return segments, total


def _runs(
    times: FloatArray, stays: Sequence[Staypoint], policy: TrackPolicy
) -> list[tuple[int, int, Staypoint | None]]:
    """Cut the trackpoints into stays, silent steps and stretches of movement."""
    runs: list[tuple[int, int, Staypoint | None]] = []
    silences = np.flatnonzero(np.diff(times) > policy.max_gap_s).tolist()
    at = 0
    for stay in [*stays, None]:
        until = len(times) - 1 if stay is None else stay.first
        begin = at
        for k in silences[bisect_left(silences, at) : bisect_left(silences, until)]:
            if k > begin:
                runs.append((begin, k, None))
            runs.append((k, k + 1, None))
            begin = k + 1
        if until > begin:
            runs.append((begin, until, None))
        if stay is not None:
            runs.append((stay.first, stay.last, stay))
            at = stay.last
    return runs


def _stop(track: Trackpoints, stay: Staypoint, policy: TrackPolicy) -> Stop:
    every = track.fixes.epoch_s
    times = every[stay.first : stay.last + 1]
    steps = np.diff(times)
    inferred = float(steps[steps > policy.max_gap_s].sum())
    inferred -= max(float(times[-1]) - stay.left_s, 0.0)
    # What the edges add beyond the fixes was seen, or inferred across a silence.
    if stay.first > 0 and times[0] - every[stay.first - 1] > policy.max_gap_s:
        inferred += float(times[0]) - stay.arrived_s
    if stay.last + 1 < len(every) and every[stay.last + 1] - times[-1] > policy.max_gap_s:
        inferred += max(stay.left_s - float(times[-1]), 0.0)
    return Stop(
        start=from_epoch_s(stay.arrived_s),
        end=from_epoch_s(stay.left_s),
        lon_deg=stay.lon_deg,
        lat_deg=stay.lat_deg,
        radius_m=stay.radius_m,
        observed_s=stay.left_s - stay.arrived_s - inferred,
        inferred_s=inferred,
        fixes=len(times),
    )
