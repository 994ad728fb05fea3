"""Places where one person stayed put."""

import math
from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from statistics import median
from typing import Final, Self

import numpy as np

from geo.distance import GEOD, FloatArray, consecutive_m, geodesic_m
from geo.fix import FixArray, IntArray
from geo.policy import TrackPolicy
from geo.trackpoints import Trackpoints

_REFRESH: Final = 1.5
"""The centre of a growing stay is recomputed each time it has grown by this factor."""
_BEAD_S: Final = 10.0
"""Fixes of the same so many seconds are looked at as one."""
_STRIDE: Final = 0.05
"""Where no stay begins, the search goes on this part of the minimum stay later."""
_RADIUS_QUANTILE: Final = 0.9
_NEAR: Final = 5.0
"""A single fix out is no departure within this many radii: two say so."""
_MINUTE_S: Final = 60.0
_PACE_BIN_S: Final = 60.0
_STANDING_MPS: Final = 0.5


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
    beads = _Beads.of(track.fixes)
    starts, ends = beads.starts_s, beads.ends_s
    stays: list[tuple[int, int]] = []
    at = 0
    while at < len(starts):
        members = _grow(beads, at, policy)
        if ends[members[-1]] - starts[at] >= policy.stop_seen_s:
            first, last = _trimmed(track.fixes, beads.fixes_of(members), policy)
            seen_s = track.fixes.epoch_s[last] - track.fixes.epoch_s[first]
            if seen_s >= policy.stop_seen_s and not _goes_on(track.fixes, first, last, policy):
                stays.append((first, last))
                at = max(bisect_right(beads.first, last), at + 1)
                continue
        at = bisect_left(starts, starts[at] + _STRIDE * policy.stop_min_s, at + 1)
    spans = _merged(track, stays, policy)
    return tuple(
        _staypoint(track.fixes, span, edges, policy)
        for span, edges in zip(spans, _edges(track, spans, policy), strict=True)
        if edges[1] - edges[0] >= policy.stop_min_s
    )


@dataclass(frozen=True, slots=True)
class _Beads:
    """Fixes of the same few seconds as one, in lists: the search reads single numbers.

    Seconds are counted on the clock, so that the beads do not depend on where a series
    begins. ``first`` is the first fix of each bead, with the number of all fixes at the end.
    """

    first: list[int]
    starts_s: list[float]
    ends_s: list[float]
    lon_deg: list[float]
    lat_deg: list[float]

    @classmethod
    def of(cls, fixes: FixArray) -> Self:
        if not len(fixes):
            return cls([0], [], [], [], [])
        begins = np.flatnonzero(np.diff(np.floor(fixes.epoch_s / _BEAD_S), prepend=-1.0))
        bounds = np.append(begins, len(fixes))
        size = np.diff(bounds)
        # Relative to the bead's first fix, for the antimeridian.
        off = fixes.lon_deg - np.repeat(fixes.lon_deg[begins], size)
        off = (off + 180.0) % 360.0 - 180.0
        lon = fixes.lon_deg[begins] + np.add.reduceat(off, begins) / size
        lat = np.add.reduceat(fixes.lat_deg, begins) / size
        return cls(
            bounds.tolist(),
            fixes.epoch_s[begins].tolist(),
            fixes.epoch_s[bounds[1:] - 1].tolist(),
            lon.tolist(),
            lat.tolist(),
        )

    def fixes_of(self, members: list[int]) -> IntArray:
        """Index of every fix in these beads, ascending."""
        return np.concatenate([np.arange(self.first[m], self.first[m + 1]) for m in members])


def _grow(beads: _Beads, start: int, policy: TrackPolicy) -> list[int]:
    """Members of the stay that begins at one bead; the last is where it ends."""
    starts, ends, lon, lat = beads.starts_s, beads.ends_s, beads.lon_deg, beads.lat_deg
    centre_lon, centre_lat = lon[start], lat[start]
    east_m, north_m = _metres_per_degree(centre_lat)
    members = [start]
    refresh_at = 2.0
    strays = 0
    for j in range(start + 1, len(starts)):
        off_lon = (lon[j] - centre_lon + 180.0) % 360.0 - 180.0
        off_m = math.hypot(off_lon * east_m, (lat[j] - centre_lat) * north_m)
        silent_s = starts[j] - ends[members[-1]]
        woke = silent_s > policy.max_gap_s
        reach_m = policy.stop_reacquire_m if woke else policy.stop_radius_m
        if off_m <= reach_m and silent_s <= policy.bridge_max_s:
            members.append(j)
            strays = 0
            if len(members) >= refresh_at:
                refresh_at = len(members) * _REFRESH
                # Few numbers most of the time, which lists sort faster than arrays.
                offs = [(lon[m] - centre_lon + 180.0) % 360.0 - 180.0 for m in members]
                centre_lon += median(offs)
                centre_lat = median([lat[m] for m in members])
        elif silent_s > policy.stop_outlier_s and (strays or off_m > _NEAR * reach_m):
            break
        else:
            strays += 1
    return members


def _metres_per_degree(lat_deg: float) -> tuple[float, float]:
    """Length of a degree east and north on the ellipsoid, good for some kilometres."""
    phi = np.radians(lat_deg)
    w = 1.0 - GEOD.es * np.sin(phi) ** 2
    north = np.radians(GEOD.a * (1.0 - GEOD.es) / w**1.5)
    return float(np.radians(GEOD.a / np.sqrt(w) * np.cos(phi))), float(north)


def _median(lon_deg: FloatArray, lat_deg: FloatArray) -> tuple[float, float]:
    """Median position; longitudes are taken relative to the first, for the antimeridian."""
    off = (lon_deg - lon_deg[0] + 180.0) % 360.0 - 180.0
    lon = (float(lon_deg[0] + np.median(off)) + 180.0) % 360.0 - 180.0
    return lon, float(np.median(lat_deg))


def _distances(fixes: FixArray, index: IntArray, centre: tuple[float, float]) -> FloatArray:
    """Metres from a centre, for a place: flat."""
    east_m, north_m = _metres_per_degree(centre[1])
    off = (fixes.lon_deg[index] - centre[0] + 180.0) % 360.0 - 180.0
    return np.hypot(off * east_m, (fixes.lat_deg[index] - centre[1]) * north_m)


def _trimmed(fixes: FixArray, members: IntArray, policy: TrackPolicy) -> tuple[int, int]:
    """Move the ends inwards past fixes of arriving and leaving, far from the centre."""
    off = _distances(fixes, members, _median(fixes.lon_deg[members], fixes.lat_deg[members]))
    woke = np.diff(fixes.epoch_s[members], prepend=np.inf) > policy.max_gap_s
    # Half the fixes are nearer than the median, so three times it is well outside the jitter.
    edge_m = min(max(3.0 * float(np.median(off)), policy.stop_edge_m), policy.stop_radius_m)
    near = np.flatnonzero((off <= edge_m) | woke)
    if not len(near):
        return int(members[0]), int(members[0])
    return int(members[near[0]]), int(members[near[-1]])


def _goes_on(fixes: FixArray, first: int, last: int, policy: TrackPolicy) -> bool:
    """Whether somebody went slowly on instead of staying: from minute to minute elsewhere."""
    time = fixes.epoch_s[first : last + 1]
    if not policy.stop_min_s <= time[-1] - time[0] <= policy.stop_long_s:
        return False
    minute = ((time - time[0]) // _MINUTE_S).astype(np.int64)
    count = np.bincount(minute)
    if (count == 0).any():
        return False
    lon, lat = (
        np.bincount(minute, column[first : last + 1]) / count
        for column in (fixes.lon_deg, fixes.lat_deg)
    )
    going = consecutive_m(lon, lat) > policy.stop_going_mps * _MINUTE_S
    return bool(going.mean() > policy.stop_going_share)


def _merged(
    track: Trackpoints, stays: list[tuple[int, int]], policy: TrackPolicy
) -> list[tuple[int, int]]:
    """Join neighbours at one place with little time between them."""
    fixes, times = track.fixes, track.fixes.epoch_s
    merged: list[tuple[int, int]] = []
    for first, last in stays:
        if merged and times[first] - times[merged[-1][1]] <= policy.stop_merge_s:
            before, here = _centre(fixes, *merged[-1]), _centre(fixes, first, last)
            apart_m = geodesic_m(
                lon1_deg=before[0], lat1_deg=before[1], lon2_deg=here[0], lat2_deg=here[1]
            )
            if apart_m <= policy.stop_radius_m:
                merged[-1] = (merged[-1][0], last)
                continue
        merged.append((first, last))
    return merged


def _edges(
    track: Trackpoints, spans: list[tuple[int, int]], policy: TrackPolicy
) -> list[tuple[float, float]]:
    """When each stay began and ended, epoch seconds.

    Between the last fix on the way and the first at the place lie the way and a part of the
    stay. The way takes what its length takes at the person's own pace that day; what is left
    belongs to the stay, half of it where both ends are stays.
    """
    fixes, times = track.fixes, track.fixes.epoch_s
    if not spans:
        return []
    pace_mps = _pace(track, spans, policy)
    step_m = consecutive_m(fixes.lon_deg, fixes.lat_deg)

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
        edges.append((arrived, left))
    return edges


def _pace(track: Trackpoints, spans: list[tuple[int, int]], policy: TrackPolicy) -> float:
    """Metres a second along the way while on the way, seen over a minute or more."""
    fixes = track.fixes
    moving = np.ones(max(len(fixes) - 1, 0), dtype=np.bool_)
    for first, last in spans:
        moving[max(first - 1, 0) : last + 1] = False
    step_m = consecutive_m(fixes.lon_deg, fixes.lat_deg)
    step_s = np.diff(fixes.epoch_s)
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
    return policy.detour_mid * float(np.quantile(fast, 0.5))


def _centre(fixes: FixArray, first: int, last: int) -> tuple[float, float]:
    index = slice(first, last + 1)
    return _median(fixes.lon_deg[index], fixes.lat_deg[index])


def _staypoint(
    fixes: FixArray, span: tuple[int, int], edges: tuple[float, float], policy: TrackPolicy
) -> Staypoint:
    first, last = span
    lon, lat = _centre(fixes, first, last)
    off = _distances(fixes, np.arange(first, last + 1), (lon, lat))
    near = off[off <= policy.stop_radius_m]
    radius = float(np.quantile(near, _RADIUS_QUANTILE)) if len(near) else policy.stop_radius_m
    return Staypoint(first, last, lon, lat, radius, *edges)
