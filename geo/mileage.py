"""Kilometres of a span: at least, most likely, at most, and what silence may hide."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from geo.distance import consecutive_m, geodesics_m
from geo.fix import FixArray, to_epoch_s
from geo.gaps import Gap, Window
from geo.policy import ClaimPolicy, Policy
from geo.roads import Profile, Roads
from geo.trajectory import Stop, Trajectory, Trip, reconstruct_day
from geo.whereabouts import Place

_PACE_STEP_S = 30.0
"""Steps shorter than this are jitter as much as pace."""
_PACE_QUANTILE = 0.95
_INSTANT_S = 1e-3
"""Times of segments are rounded to microseconds."""
_OFTEN_S = 150.0
"""Fixes rarer than this cut corners, and do not tell a cyclist from a driver."""


@dataclass(frozen=True, slots=True)
class Mileage:
    """Metres that one person can have gone over a span.

    Attributes
    ----------
    low_m, mid_m : at least, and the likeliest length.
    fair_m : not disputed up to here: the tolerance of `ClaimPolicy.tolerance_share` and
        `tolerance_m` above the middle, or what the measurement leaves open when that is more;
        never above ``high_m``.
    high_m : at most feasible: the tolerance, or `doubt_share` times what the measurement and
        rare fixes leave open together with ``doubt_m``.
    doubt_m : what long silences have room for at the pace of the day.
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
    lower bound; the trace is another. The high end is widened by what was not seen: each trip
    and each rare step errs on its own, so their squares add, and many err less than one; a
    long silence has room for a way of its own beyond the one across it, because somebody may
    have gone and come back.

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
    doubt = _room_m(day, policy)
    open_m = rules.doubt_share * _open_m(day, rules, by_roads=roads is not None)
    high = max(tolerated, mid + open_m + doubt)
    return Mileage(
        low_m=low,
        mid_m=mid,
        fair_m=min(max(day.distance.high_m, tolerated), high),
        high_m=high,
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
    going_m = max(rules.gap_going_share * pace * long_s - across_m, 0.0)
    return max(going_m, _between_m(day, pace, policy))


def _between_m(day: Trajectory, pace_mps: float, policy: Policy) -> float:
    """Way that silences between two places leave room for, however much was taken for a stay.

    A stop is inferred to last into a silence that ends elsewhere; the way may have been longer.
    And no phone that only sleeps is silent for `stay_gap_s`: somebody may have gone and come back.
    """
    rules = policy.claim
    fixes = day.track.fixes
    silent_s = np.diff(fixes.epoch_s)
    going_m = rules.gap_going_share * pace_mps * silent_s
    gone, ended = silent_s > rules.long_gap_s, silent_s > rules.stay_gap_s
    for stop in day.segments:
        if isinstance(stop, Stop):
            edges = (to_epoch_s(stop.start) - _INSTANT_S, to_epoch_s(stop.end) + _INSTANT_S)
            first, after = np.searchsorted(fixes.epoch_s, edges)
            gone[first : max(after - 1, first)] = False
    straight_m = consecutive_m(fixes.lon_deg, fixes.lat_deg)
    beyond_m = np.maximum(going_m - policy.track.detour_mid * straight_m, 0.0)
    between_m = np.minimum(beyond_m, rules.gap_detour_share * straight_m)[gone & ~ended]
    return float(between_m.sum() + beyond_m[ended].sum())


def _open_m(day: Trajectory, rules: ClaimPolicy, *, by_roads: bool) -> float:
    """Add up what is open above the middle: errors of trips, of silences and of rare steps.

    Between rare fixes there is room for a turn off and back that nobody saw.
    """
    track = day.track.fixes
    share = rules.rare_roads_share if by_roads else rules.rare_share
    across_m = day.distance.high_m - day.distance.mid_m
    squares = 0.0
    for trip in day.segments:
        if not isinstance(trip, Trip):
            continue
        spread_m = trip.distance.high_m - trip.distance.mid_m
        across_m -= spread_m
        part = slice(trip.first, trip.last + 1)
        step_m = consecutive_m(track.lon_deg[part], track.lat_deg[part])
        rare_m = step_m[np.diff(track.epoch_s[part]) > rules.rare_s]
        longer = trip.distance.mid_m / max(float(step_m.sum()), 1.0)
        squares += spread_m**2 + float(((share * longer * rare_m) ** 2).sum())
    return math.sqrt(squares + max(across_m, 0.0) ** 2)
