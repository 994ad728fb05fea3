"""Kilometres of a span: at least, most likely, at most, and what silence may hide."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from geo.distance import geodesics_m
from geo.fix import FixArray
from geo.gaps import Gap, Window
from geo.policy import Policy
from geo.roads import Profile, Roads
from geo.trajectory import Trajectory, Trip, reconstruct_day
from geo.whereabouts import Place


@dataclass(frozen=True, slots=True)
class Mileage:
    """Metres that one person can have gone over a span.

    Attributes
    ----------
    low_m, mid_m, high_m : feasible interval and the likeliest length. The high end leaves the
        room of `ClaimPolicy.tolerance_share` and `tolerance_m` above the middle.
    doubt_m : how much more it may have been beyond that: what long silences have room for at
        the pace of the day, and what rare fixes leave open.
    coverage : share of the span in trips and stops; an inferred stay counts, a gap does not.
    missed : names (or numbers) of claimed stops that nobody was seen at.
    """

    low_m: float
    mid_m: float
    high_m: float
    doubt_m: float
    coverage: float
    missed: tuple[str, ...]


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
    lower bound; the trace is another. The high end is the trace's, or the likeliest length
    with the tolerance, whichever is more.

    Parameters
    ----------
    fixes : of one person.
    span : ``[start, end)`` of the claim.
    stops : claimed places in order.
    roads, profile : as for `geo.trajectory.reconstruct_day`.
    """
    rules = policy.claim
    day = reconstruct_day(
        fixes, policy=policy.track, start=span.start, end=span.end, roads=roads, profile=profile
    )
    seen = [stop for stop in stops if _seen(day, stop)]
    missed = tuple(s.name or str(k) for k, s in enumerate(stops, 1) if s not in seen)
    low = day.distance.low_m
    if roads is not None and len(seen) > 1:
        way = roads.shortest([(s.lon_deg, s.lat_deg) for s in seen], profile=profile)
        low = min(max(low, way.length_m if way else 0.0), day.distance.mid_m)
    mid = day.distance.mid_m
    tolerance = max(rules.tolerance_share * mid, rules.tolerance_m)
    return Mileage(
        low_m=low,
        mid_m=mid,
        high_m=max(day.distance.high_m, mid + tolerance),
        doubt_m=_room_m(day, policy) + day.distance.high_m - mid,
        coverage=_coverage(day, span),
        missed=missed,
    )


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
    """Way that long silences leave time for, at the pace of the trips that were seen."""
    trips = [s for s in day.segments if isinstance(s, Trip)]
    ridden_s = sum((t.end - t.start).total_seconds() for t in trips)
    ridden_m = sum(t.distance.mid_m for t in trips)
    pace = ridden_m / ridden_s if ridden_s else policy.track.assumed_pace_mps
    silent = np.array(
        [(s.end - s.start).total_seconds() for s in day.segments if isinstance(s, Gap)]
    )
    return float(pace * silent[silent > policy.claim.long_gap_s].sum()) if len(silent) else 0.0
