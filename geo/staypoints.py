"""Places where one person stayed put."""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from geo.beads import Beads, Growth, middle
from geo.distance import FloatArray, consecutive_m, degree_m, geodesic_m
from geo.fix import FixArray, IntArray
from geo.policy import TrackPolicy
from geo.trackpoints import Trackpoints

_RADIUS_QUANTILE: Final = 0.9
_STRAY: Final = 2.0
"""Fixes this many radii off say nothing about where the middle is."""
_MINUTE_S: Final = 60.0
_PACE_BIN_S: Final = 60.0
_STANDING_MPS: Final = 0.5
_WAY_FIXES: Final = 3
_FAR: Final = 1.5
"""So many fixes in a row outside, one of them so many radii off, are a way."""


@dataclass(frozen=True, slots=True)
class Staypoint:
    """Trackpoints ``first`` to ``last`` (both belong to it) round one place.

    The stay was seen from the time of the first to the time of the last. ``arrived_s`` and
    ``left_s`` (epoch seconds) reach beyond that as far as the way to and from the neighbouring
    trackpoints leaves time over. ``radius_m`` holds nine tenths of the fixes.
    """

    first: int
    last: int
    lon_deg: float
    lat_deg: float
    radius_m: float
    arrived_s: float
    left_s: float


def detect_staypoints(track: Trackpoints, *, policy: TrackPolicy) -> tuple[Staypoint, ...]:
    """Find the places where one person stayed put.

    A stay grows as long as fixes keep within ``stop_radius_m`` of its centre (the median of
    its fixes, so that stray ones do not move it) and ends at the last of them. Excursions
    shorter than ``stop_outlier_s`` do not end it. Silence inside a stay is tolerated up to
    ``bridge_max_s`` when the next fix is at the same place.

    Parameters
    ----------
    track : accepted fixes of one person, in time order.
    policy : metres and seconds.

    Returns
    -------
    Disjoint stays in time order, each of ``stop_min_s`` or more.

    Notes
    -----
    After Li et al. 2008 (ACM SIGSPATIAL); differs in the centre and in where a stay ends.
    O(n k) for k fixes in ``stop_min_s``.
    """
    beads = Beads.of(track.fixes)
    growth = Growth(beads, policy)
    stays: list[tuple[int, int]] = []
    at, count = 0, len(beads)
    while at < count:
        if not growth.passing[at]:
            members = growth.grow(at)
            if beads.ends_s[members[-1]] - beads.starts_s[at] >= policy.stop_seen_s:
                first, last = _trimmed(track.fixes, beads.fixes_of(members), policy)
                seen_s = track.fixes.epoch_s[last] - track.fixes.epoch_s[first]
                if seen_s >= policy.stop_seen_s and not _goes_on(track.fixes, first, last, policy):
                    stays.append((first, last))
                    at = max(int(np.searchsorted(beads.first, last, side="right")), at + 1)
                    continue
        at = growth.later[at]
    spans = [_settled(track, span, policy) for span in _merged(track, stays, policy)]
    return tuple(
        _staypoint(track.fixes, span, edges, policy)
        for span, edges in zip(spans, _edges(track, spans, policy), strict=True)
        if edges[1] - edges[0] >= policy.stop_min_s and not _goes_on(track.fixes, *span, policy)
    )


def _median(fixes: FixArray, index: IntArray, policy: TrackPolicy) -> tuple[float, float]:
    """Median position, where somebody was for most of the time.

    Fixes weigh the same, but for one before a silence: whoever was seen no more stayed where
    they were seen last, however many fixes there are from elsewhere.
    """
    east_deg, lat_deg = _east(fixes, index), fixes.lat_deg[index]
    time = fixes.epoch_s[index]
    east, lat = middle(east_deg), middle(lat_deg)
    if len(index) > 1 and np.diff(time).max() > policy.max_gap_s:
        off = _metres(east_deg - east, lat_deg - lat, lat)
        here = off <= max(_STRAY * policy.stop_radius_m, _STRAY * middle(off))
        weight = np.diff(time[here], append=time[-1])
        east, lat = _weighted(east_deg[here], weight), _weighted(lat_deg[here], weight)
    return (float(fixes.lon_deg[index[0]]) + east + 180.0) % 360.0 - 180.0, lat


def _east(fixes: FixArray, index: IntArray) -> FloatArray:
    """Degrees east of the first of some fixes, for the antimeridian."""
    off = fixes.lon_deg[index] - fixes.lon_deg[index[0]]
    return np.asarray((off + 180.0) % 360.0 - 180.0)


def _weighted(values: FloatArray, weight: FloatArray) -> float:
    order = np.argsort(values, kind="stable")
    below = np.cumsum(weight[order])
    return float(values[order[np.searchsorted(below, below[-1] / 2.0)]])


def _metres(east_deg: FloatArray, north_deg: FloatArray, lat_deg: float) -> FloatArray:
    """Length of short differences in degrees, for a place: flat."""
    east_m, north_m = degree_m(lat_deg)
    return np.hypot(east_deg * east_m, north_deg * north_m)


def _distances(fixes: FixArray, index: IntArray, centre: tuple[float, float]) -> FloatArray:
    """Metres from a centre."""
    off = (fixes.lon_deg[index] - centre[0] + 180.0) % 360.0 - 180.0
    return _metres(off, fixes.lat_deg[index] - centre[1], centre[1])


def _trimmed(fixes: FixArray, members: IntArray, policy: TrackPolicy) -> tuple[int, int]:
    """Move the ends inwards past fixes of arriving and leaving, far from the centre."""
    off = _distances(fixes, members, _median(fixes, members, policy))
    woke = np.diff(fixes.epoch_s[members], prepend=np.inf) > policy.max_gap_s
    # Half the fixes are nearer than the median, so three times it is well outside the jitter.
    edge_m = min(max(3.0 * middle(off), policy.stop_edge_m), policy.stop_radius_m)
    near = np.flatnonzero((off <= edge_m) | woke)
    if not len(near):
        return int(members[0]), int(members[0])
    return int(members[near[0]]), int(members[near[-1]])


def _goes_on(fixes: FixArray, first: int, last: int, policy: TrackPolicy) -> bool:
    """Whether somebody went slowly on instead of staying: from minute to minute elsewhere."""
    time = fixes.epoch_s[first : last + 1]
    if time[-1] - time[0] > policy.stop_long_s:
        return False
    minute = np.floor((time - time[0]) / _MINUTE_S).astype(np.int64)
    count = np.bincount(minute)
    seen = np.flatnonzero(count)
    if len(seen) < 2:  # a step has two ends
        return False
    at_s, lon, lat = (
        np.bincount(minute, column[first : last + 1])[seen] / count[seen]
        for column in (fixes.epoch_s - time[0], fixes.lon_deg, fixes.lat_deg)
    )
    step_s = np.diff(at_s)
    going = consecutive_m(lon, lat) > policy.stop_going_mps * step_s
    return bool(step_s[going].sum() > policy.stop_going_share * step_s.sum())


def _merged(
    track: Trackpoints, stays: list[tuple[int, int]], policy: TrackPolicy
) -> list[tuple[int, int]]:
    """Join neighbours at one place with little time between them."""
    fixes, times = track.fixes, track.fixes.epoch_s
    merged: list[tuple[int, int]] = []
    for first, last in stays:
        if merged and times[first] - times[merged[-1][1]] <= policy.stop_merge_s:
            before, here = (
                _median(fixes, np.arange(a, b + 1), policy) for a, b in (merged[-1], (first, last))
            )
            apart_m = geodesic_m(
                lon1_deg=before[0], lat1_deg=before[1], lon2_deg=here[0], lat2_deg=here[1]
            )
            if apart_m <= policy.stop_radius_m:
                merged[-1] = (merged[-1][0], last)
                continue
        merged.append((first, last))
    return merged


def _extent_m(fixes: FixArray, first: int, last: int) -> float:
    """Diagonal of the box round some fixes; no two are farther apart."""
    lon, lat = fixes.lon_deg[first : last + 1], fixes.lat_deg[first : last + 1]
    east_m, north_m = degree_m(float(lat[0]))
    return math.hypot((lon.max() - lon.min()) * east_m, (lat.max() - lat.min()) * north_m)


def _settled(track: Trackpoints, span: tuple[int, int], policy: TrackPolicy) -> tuple[int, int]:
    """Leave out a beginning or an end that is no stay by itself, with a way between.

    Who passes the place on a loop before arriving, or after leaving, was seen far off meanwhile.
    """
    first, last = span
    if _extent_m(track.fixes, first, last) < _FAR * policy.stop_radius_m:  # most stays, and cheap
        return span
    members, time = np.arange(first, last + 1), track.fixes.epoch_s
    off_m = _distances(track.fixes, members, _median(track.fixes, members, policy))
    away = off_m - track.accuracy_m[members] > policy.stop_radius_m
    edges = np.flatnonzero(np.diff(np.concatenate(([False], away, [False])).astype(np.int8)))
    for begin, end in (edges + first).reshape(-1, 2).tolist():
        farthest_m = off_m[begin - span[0] : end - span[0]].max()
        if end - begin < _WAY_FIXES or farthest_m < _FAR * policy.stop_radius_m:
            continue
        if time[begin] - time[first] < policy.stop_min_s:
            first = min(end, last)
        elif time[last] - time[end - 1] < policy.stop_min_s:
            last = begin - 1
            break
    if (first, last) == span or last <= first:
        return span
    return _trimmed(track.fixes, np.arange(first, last + 1), policy)


def _edges(
    track: Trackpoints, spans: list[tuple[int, int]], policy: TrackPolicy
) -> list[tuple[float, float]]:
    """When each stay began and ended, epoch seconds.

    Between the last fix on the way and the first at the place lie the way and a part of the
    stay. The way takes what its length takes at the person's own pace that day; what is left
    belongs to the stay, half of it where both ends are stays. Who woke the phone on the way
    left before.
    """
    fixes, times = track.fixes, track.fixes.epoch_s
    if not spans:
        return []
    step_m = consecutive_m(fixes.lon_deg, fixes.lat_deg)
    pace_mps = _pace(times, step_m, spans, policy)

    def spare_s(step: int) -> float:
        silent = float(times[step + 1] - times[step])
        spare = silent - policy.detour_mid * float(step_m[step]) / pace_mps
        return max(spare, 0.0) if silent <= policy.edge_max_s else 0.0

    firsts, lasts = {a for a, _ in spans}, {b for _, b in spans}
    edges = []
    for first, last in spans:
        arrived, left = float(times[first]), float(times[last])
        if first > 0:
            arrived -= spare_s(first - 1) * (0.5 if first - 1 in lasts else 1.0)
        if last < len(times) - 1:
            left += spare_s(last) * (0.5 if last + 1 in firsts else 1.0)
            left -= _under_way_s(fixes, (first, last), pace_mps, policy)
        edges.append((arrived, left))
    return edges


def _under_way_s(
    fixes: FixArray, span: tuple[int, int], pace_mps: float, policy: TrackPolicy
) -> float:
    """Time that somebody needs to where a fix after silence, the last of a stay, saw them."""
    first, last = span
    silent_s = float(fixes.epoch_s[last] - fixes.epoch_s[last - 1])
    if silent_s <= policy.max_gap_s:
        return 0.0
    centre = _median(fixes, np.arange(first, last + 1), policy)
    off_m = float(_distances(fixes, np.array([last]), centre)[0])
    return (
        min(policy.detour_mid * off_m / pace_mps, silent_s) if off_m > policy.stop_radius_m else 0.0
    )


def _pace(
    epoch_s: FloatArray, step_m: FloatArray, spans: list[tuple[int, int]], policy: TrackPolicy
) -> float:
    """Metres a second along the way while on the way, seen over a minute or more."""
    moving = np.ones(len(step_m), dtype=np.bool_)
    for first, last in spans:
        moving[max(first - 1, 0) : last + 1] = False
    step_s = np.diff(epoch_s)
    moving &= step_s <= policy.max_gap_s
    if not moving.any():
        return policy.assumed_pace_mps
    bin_of = np.cumsum(moving * step_s)[moving] // _PACE_BIN_S
    way = np.bincount(bin_of.astype(np.int64), step_m[moving])
    time = np.bincount(bin_of.astype(np.int64), step_s[moving])
    speeds = way[time > 0] / time[time > 0]
    fast = speeds[speeds > _STANDING_MPS]
    if not len(fast):
        return policy.assumed_pace_mps
    return policy.detour_mid * middle(fast)


def _staypoint(
    fixes: FixArray, span: tuple[int, int], edges: tuple[float, float], policy: TrackPolicy
) -> Staypoint:
    first, last = span
    index = np.arange(first, last + 1)
    centre = _median(fixes, index, policy)
    off = _distances(fixes, index, centre)
    near = off[off <= policy.stop_radius_m]
    rank = int(_RADIUS_QUANTILE * (len(near) - 1))
    radius = float(np.partition(near, rank)[rank]) if len(near) else policy.stop_radius_m
    return Staypoint(first, last, *centre, radius, *edges)
