"""Kilometres of a span: at least, most likely, at most, and what silence may hide."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from geo.distance import consecutive_m, geodesics_m
from geo.fix import FixArray
from geo.gaps import Gap, Window
from geo.policy import ClaimPolicy, Policy
from geo.roads import Profile, Roads
from geo.trajectory import Trajectory, Trip, reconstruct_day
from geo.whereabouts import Place

_PACE_STEP_S = 30.0
"""Steps shorter than this are jitter as much as pace."""
_PACE_QUANTILE = 0.95
_OFTEN_S = 150.0
"""Fixes rarer than this cut corners, and do not tell a cyclist from a driver."""


@dataclass(frozen=True, slots=True)
class Mileage:
    """Metres that one person can have gone over a span.

    Attributes
    ----------
    low_m, mid_m : at least, and the likeliest length.
    fair_m : not disputed up to here: the tolerance of `ClaimPolicy.tolerance_share` and
        `tolerance_m` above the middle, or what the measurement leaves open when that is more.
    high_m : at most feasible: the tolerance, or `doubt_share` times what the measurement
        leaves open together with ``doubt_m``.
    doubt_m : what long silences have room for at the pace of the day, and rare fixes between
        them.
    coverage : share of the span in trips and stops; an inferred stay counts, a gap does not.
    missed : names (or numbers) of claimed stops that nobody was seen at.
    profile : how the person went, as far as roads were asked.
    """

    low_m: float
    mid_m: float
    fair_m: float
    high_m: float
    doubt_m: float
    coverage: float
    missed: tuple[str, ...]
    profile: Profile


def measure_mileage(
    fixes: FixArray,
    span: Window,
    stops: Sequence[Place] = (),
    *,
    policy: Policy,
    roads: Roads | None,
    profile: Profile,
) -> Mileage:
    """Measure a span.

    The shortest way through the claimed stops that were seen, where roads know one, is a
    lower bound; the trace is another. The high end is widened by what was not seen: rare
    fixes make the interval of each trip wide, and a long silence has room for a way of its
    own beyond the one across it, because somebody may have gone and come back.

    Parameters
    ----------
    fixes : of one person.
    span : ``[start, end)`` of the claim.
    stops : claimed places in order.
    roads, profile : as for `geo.trajectory.reconstruct_day`; who is said to drive and was
        never faster than somebody on foot or on a bicycle is taken to be one.
    """
    rules = policy.claim
    if roads is not None and profile is Profile.AUTO:
        profile = _profile(_day(fixes, span, policy, None, profile), rules)
    day = _day(fixes, span, policy, roads, profile)
    seen = [stop for stop in stops if _seen(day, stop)]
    missed = tuple(s.name or str(k) for k, s in enumerate(stops, 1) if s not in seen)
    low, mid = day.distance.low_m, day.distance.mid_m
    if roads is not None and len(seen) > 1:
        way = roads.shortest([(s.lon_deg, s.lat_deg) for s in seen], profile=profile)
        low = min(max(low, way.length_m if way else 0.0), mid)
    tolerated = mid + max(rules.tolerance_share * mid, rules.tolerance_m)
    doubt = _room_m(day, policy) + _rare_m(day, rules, by_roads=roads is not None)
    open_m = max(rules.doubt_share, 1.0) * (day.distance.high_m - mid)
    return Mileage(
        low_m=low,
        mid_m=mid,
        fair_m=max(day.distance.high_m, tolerated),
        high_m=max(tolerated, mid + open_m + doubt),
        doubt_m=doubt,
        coverage=_coverage(day, span),
        missed=missed,
        profile=profile,
    )


def _day(
    fixes: FixArray, span: Window, policy: Policy, roads: Roads | None, profile: Profile
) -> Trajectory:
    return reconstruct_day(
        fixes, policy=policy.track, start=span.start, end=span.end, roads=roads, profile=profile
    )


def _profile(day: Trajectory, rules: ClaimPolicy) -> Profile:
    """How somebody went who says that they drove, by the pace that nearly all steps keep below."""
    paces: list[float] = []
    steps: list[float] = []
    track = day.track.fixes
    for trip in day.segments:
        if not isinstance(trip, Trip):
            continue
        part = slice(trip.first, trip.last + 1)
        times = track.epoch_s[part]
        kept = np.flatnonzero(np.diff(np.floor(times / _PACE_STEP_S), prepend=-1.0))
        step_m = consecutive_m(track.lon_deg[part][kept], track.lat_deg[part][kept])
        step_s = np.diff(times[kept])
        long = step_s >= 0.5 * _PACE_STEP_S
        paces += (step_m / step_s)[long].tolist()
        steps += step_s[long].tolist()
    if not paces:
        return Profile.AUTO
    fastest_mps = float(np.quantile(paces, _PACE_QUANTILE))
    if fastest_mps <= rules.afoot_mps:
        return Profile.PEDESTRIAN
    often = float(np.median(steps)) <= _OFTEN_S
    return Profile.BICYCLE if often and fastest_mps <= rules.cycling_mps else Profile.AUTO


def _seen(day: Trajectory, stop: Place) -> bool:
    fixes = day.track.fixes
    if not len(fixes):
        return False
    away = geodesics_m(
        lon1_deg=stop.lon_deg, lat1_deg=stop.lat_deg, lon2_deg=fixes.lon_deg, lat2_deg=fixes.lat_deg
    )
    return bool((away <= stop.radius_m + day.track.accuracy_m).any())


def _coverage(day: Trajectory, span: Window) -> float:
    if not day.segments:
        return 0.0
    silent = sum((s.end - s.start).total_seconds() for s in day.segments if isinstance(s, Gap))
    length = (span.end - span.start).total_seconds()
    return max(1.0 - silent / length, 0.0)


def _room_m(day: Trajectory, policy: Policy) -> float:
    """Way that long silences leave time for, beyond the ways across silences as counted."""
    rules = policy.claim
    trips = [s for s in day.segments if isinstance(s, Trip)]
    ridden_s = sum((t.end - t.start).total_seconds() for t in trips)
    ridden_m = sum(t.distance.mid_m for t in trips)
    pace = ridden_m / ridden_s if ridden_s else policy.track.assumed_pace_mps
    gaps = [(s.end - s.start).total_seconds() for s in day.segments if isinstance(s, Gap)]
    long_s = sum(gap for gap in gaps if gap > rules.long_gap_s)
    across_m = day.distance.mid_m - ridden_m
    return max(rules.gap_going_share * pace * long_s - across_m, 0.0)


def _rare_m(day: Trajectory, rules: ClaimPolicy, *, by_roads: bool) -> float:
    """Way that trips have room for between rare fixes: a turn off and back that nobody saw."""
    times = day.track.fixes.epoch_s
    rare_m = 0.0
    for trip in day.segments:
        if isinstance(trip, Trip):
            steps = np.diff(times[trip.first : trip.last + 1])
            rare_m += trip.distance.mid_m * float(steps[steps > rules.rare_s].sum() / steps.sum())
    return rare_m * (rules.rare_roads_share if by_roads else rules.rare_share)
