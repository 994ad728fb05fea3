"""Places where one person stayed put."""

import math
from bisect import bisect_left
from dataclasses import dataclass
from typing import Final, Self

import numpy as np

from geo.distance import GEOD, FloatArray, geodesic_m, geodesics_m
from geo.fix import FixArray
from geo.policy import TrackPolicy
from geo.trackpoints import Trackpoints

_REFRESH: Final = 1.5
"""The centre of a growing stay is recomputed each time it has grown by this factor."""
_STRIDE: Final = 0.05
"""Where no stay begins, the search goes on this part of the minimum stay later."""
_RADIUS_QUANTILE: Final = 0.9


@dataclass(frozen=True, slots=True)
class Staypoint:
    """Trackpoints ``first`` to ``last`` (both belong to it) round one place.

    The stay lasts from the time of the first to the time of the last: presence that nobody
    saw is not claimed. ``radius_m`` holds nine tenths of the fixes.
    """

    first: int
    last: int
    lon_deg: float
    lat_deg: float
    radius_m: float


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
    series = _Series.of(track.fixes)
    times = series.epoch_s
    stays: list[tuple[int, int]] = []
    at = 0
    while at < len(times) - 1:
        members = _grow(series, at, policy)
        if times[members[-1]] - times[at] >= policy.stop_min_s:
            first, last = _trimmed(track.fixes, members, policy)
            if times[last] - times[first] >= policy.stop_min_s:
                stays.append((first, last))
                at = last + 1
                continue
        at = bisect_left(times, times[at] + _STRIDE * policy.stop_min_s, at + 1)
    return tuple(_staypoint(track.fixes, a, b, policy) for a, b in _merged(track, stays, policy))


@dataclass(frozen=True, slots=True)
class _Series:
    """Columns as lists: the search below reads single numbers, where arrays are slow."""

    epoch_s: list[float]
    lon_deg: list[float]
    lat_deg: list[float]

    @classmethod
    def of(cls, fixes: FixArray) -> Self:
        return cls(fixes.epoch_s.tolist(), fixes.lon_deg.tolist(), fixes.lat_deg.tolist())


def _grow(series: _Series, start: int, policy: TrackPolicy) -> list[int]:
    """Members of the stay that begins at one fix; the last is where it ends."""
    times, lon, lat = series.epoch_s, series.lon_deg, series.lat_deg
    centre_lon, centre_lat = lon[start], lat[start]
    east_m, north_m = _metres_per_degree(centre_lat)
    members = [start]
    refresh_at = 2.0
    for j in range(start + 1, len(times)):
        off_lon = (lon[j] - centre_lon + 180.0) % 360.0 - 180.0
        off_m = math.hypot(off_lon * east_m, (lat[j] - centre_lat) * north_m)
        silent_s = times[j] - times[members[-1]]
        woke = silent_s > policy.max_gap_s
        reach_m = policy.stop_reacquire_m if woke else policy.stop_radius_m
        if off_m <= reach_m and silent_s <= policy.bridge_max_s:
            members.append(j)
            if len(members) >= refresh_at:
                refresh_at = len(members) * _REFRESH
                centre_lon, centre_lat = _median(
                    np.array([lon[m] for m in members]), np.array([lat[m] for m in members])
                )
        elif silent_s > policy.stop_outlier_s:
            break
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


def _distances(fixes: FixArray, index: list[int], centre: tuple[float, float]) -> FloatArray:
    return geodesics_m(
        lon1_deg=fixes.lon_deg[index],
        lat1_deg=fixes.lat_deg[index],
        lon2_deg=centre[0],
        lat2_deg=centre[1],
    )


def _trimmed(fixes: FixArray, members: list[int], policy: TrackPolicy) -> tuple[int, int]:
    """Move the ends inwards past fixes of arriving and leaving, far from the centre."""
    off = _distances(fixes, members, _median(fixes.lon_deg[members], fixes.lat_deg[members]))
    woke = np.diff(fixes.epoch_s[members], prepend=np.inf) > policy.max_gap_s
    # Half the fixes are nearer than the median, so three times it is well outside the jitter.
    edge_m = min(max(3.0 * float(np.median(off)), policy.stop_edge_m), policy.stop_radius_m)
    near = np.flatnonzero((off <= edge_m) | woke)
    if not len(near):
        return members[0], members[0]
    return members[int(near[0])], members[int(near[-1])]


def _merged(
    track: Trackpoints, stays: list[tuple[int, int]], policy: TrackPolicy
) -> list[tuple[int, int]]:
    """Join neighbours at one place with little time between them."""
    times = track.fixes.epoch_s
    merged: list[tuple[int, int]] = []
    for first, last in stays:
        if merged and times[first] - times[merged[-1][1]] <= policy.stop_merge_s:
            before = _staypoint(track.fixes, *merged[-1], policy)
            here = _staypoint(track.fixes, first, last, policy)
            apart_m = geodesic_m(
                lon1_deg=before.lon_deg,
                lat1_deg=before.lat_deg,
                lon2_deg=here.lon_deg,
                lat2_deg=here.lat_deg,
            )
            if apart_m <= policy.stop_radius_m:
                merged[-1] = (merged[-1][0], last)
                continue
        merged.append((first, last))
    return merged


def _staypoint(fixes: FixArray, first: int, last: int, policy: TrackPolicy) -> Staypoint:
    index = list(range(first, last + 1))
    lon, lat = _median(fixes.lon_deg[index], fixes.lat_deg[index])
    off = _distances(fixes, index, (lon, lat))
    near = off[off <= policy.stop_radius_m]
    radius = float(np.quantile(near, _RADIUS_QUANTILE)) if len(near) else policy.stop_radius_m
    return Staypoint(first, last, lon, lat, radius)
