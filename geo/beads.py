"""Fixes of the same few seconds as one, and how far a stay that begins at one of them goes."""

import math
from dataclasses import dataclass
from typing import Final, Self

import numpy as np

from geo.distance import FloatArray, degree_m
from geo.fix import BoolArray, FixArray, IntArray
from geo.policy import TrackPolicy

_REFRESH: Final = 1.5
"""The centre of a growing stay is recomputed each time it has grown by this factor."""
_BEAD_S: Final = 10.0
"""Fixes of the same so many seconds are looked at as one."""
_STRIDE: Final = 0.05
"""Where no stay begins, the search goes on this part of the minimum stay later."""
_NEAR: Final = 5.0
"""A single fix out is no departure within this many radii: two say so."""
_GONE: Final = 3.0
"""Who is twice farther off than so many radii, when a stay would have been seen, is on the way."""
_DEGREE_M: Final = 111_195.0
_MANY: Final = 48
"""From so many beads on a stay grows by arrays; below, single numbers are faster."""


@dataclass(frozen=True, slots=True, eq=False)
class Beads:
    """Means of fixes, in time order.

    Seconds are counted on the clock, so that the beads do not depend on where a series
    begins. ``first`` is the first fix of each bead, with the number of all fixes at the end.
    Longitudes go on across the antimeridian.
    """

    first: IntArray
    starts_s: FloatArray
    ends_s: FloatArray
    lon_deg: FloatArray
    lat_deg: FloatArray

    @classmethod
    def of(cls, fixes: FixArray) -> Self:
        """Thread the fixes of one person. O(n)."""
        bead = np.floor(fixes.epoch_s / _BEAD_S)
        begins = np.flatnonzero(np.diff(bead, prepend=-1.0))
        bounds = np.append(begins, len(fixes))
        lon = np.unwrap(fixes.lon_deg, period=360.0)
        if len(begins) == len(fixes):
            return cls(bounds, fixes.epoch_s, fixes.epoch_s, lon, fixes.lat_deg)
        size = np.diff(bounds)
        return cls(
            bounds,
            fixes.epoch_s[begins],
            fixes.epoch_s[bounds[1:] - 1],
            np.add.reduceat(lon, begins) / size,
            np.add.reduceat(fixes.lat_deg, begins) / size,
        )

    def __len__(self) -> int:
        return len(self.starts_s)

    def fixes_of(self, members: list[int]) -> IntArray:
        """Index of every fix in these beads, ascending."""
        index = np.array(members)
        begins, size = self.first[index], self.first[index + 1] - self.first[index]
        skipped = begins - np.concatenate(([0], np.cumsum(size)[:-1]))
        return np.repeat(skipped, size) + np.arange(int(size.sum()))


class Growth:
    """Grows stays from beads; holds the columns as lists too, which give single numbers faster.

    Attributes
    ----------
    later : for each bead, where to look next when no stay begins there.
    """

    def __init__(self, beads: Beads, policy: TrackPolicy) -> None:
        self._beads, self._policy = beads, policy
        self._starts, self._ends = beads.starts_s.tolist(), beads.ends_s.tolist()
        self._lon, self._lat = beads.lon_deg.tolist(), beads.lat_deg.tolist()
        self._silent_s = np.append(0.0, beads.starts_s[1:] - beads.ends_s[:-1])
        next_s = beads.starts_s + _STRIDE * policy.stop_min_s
        after = np.searchsorted(beads.starts_s, next_s, side="left")
        self.later: list[int] = np.maximum(after, np.arange(1, len(beads) + 1)).tolist()
        self.passing: list[bool] = self._passing().tolist()

    def _passing(self) -> BoolArray:
        """Beads that somebody passes by: far away by the time that makes a stay, and after."""
        beads, policy = self._beads, self._policy
        n = len(beads)
        seen = np.searchsorted(beads.ends_s, beads.starts_s + policy.stop_seen_s, side="left")
        passing = seen + 1 < n
        seen = np.minimum(seen, max(n - 2, 0))
        narrow = np.cos(np.radians(beads.lat_deg))
        gone_deg = _GONE * policy.stop_radius_m / _DEGREE_M
        for bead in (seen, seen + 1) if n > 1 else ():
            east = (beads.lon_deg[bead] - beads.lon_deg) * narrow
            north = beads.lat_deg[bead] - beads.lat_deg
            passing &= east * east + north * north > gone_deg * gone_deg
            passing &= beads.starts_s[bead] - beads.starts_s <= policy.max_gap_s
        return passing

    def grow(self, start: int) -> list[int]:
        """Members of the stay that begins at one bead; the last is where it ends."""
        policy, beads, n = self._policy, self._beads, len(self._starts)
        starts, ends, lon, lat = self._starts, self._ends, self._lon, self._lat
        centre_lon, centre_lat = lon[start], lat[start]
        east_m, north_m = degree_m(lat[start])
        members = [start]
        refresh_at = 2.0
        strays = 0
        j = start + 1
        while j < n:
            if strays == 0 and len(members) >= _MANY:
                until = min(j + math.ceil(refresh_at) - len(members), n)
                off = np.hypot(
                    (beads.lon_deg[j:until] - centre_lon) * east_m,
                    (beads.lat_deg[j:until] - centre_lat) * north_m,
                )
                inside = (off <= policy.stop_radius_m) & (
                    self._silent_s[j:until] <= policy.max_gap_s
                )
                count = until - j if inside.all() else int(inside.argmin())
                members.extend(range(j, j + count))
                j += count
                if len(members) >= refresh_at:
                    refresh_at = len(members) * _REFRESH
                    centre_lon, centre_lat = self._middle(members)
                    continue
                if j == n:
                    break
            silent_s = starts[j] - ends[members[-1]]
            off_m = math.hypot((lon[j] - centre_lon) * east_m, (lat[j] - centre_lat) * north_m)
            reach_m = policy.stop_radius_m
            if silent_s > policy.max_gap_s:
                rested_m = min(policy.stop_rest_mps * silent_s, policy.stop_rest_max_m)
                reach_m = max(policy.stop_reacquire_m, rested_m)
            if off_m <= reach_m and silent_s <= policy.bridge_max_s:
                members.append(j)
                strays = 0
                if len(members) >= refresh_at:
                    refresh_at = len(members) * _REFRESH
                    centre_lon, centre_lat = self._middle(members)
            elif silent_s > policy.stop_outlier_s and (strays or off_m > _NEAR * reach_m):
                break
            else:
                strays += 1
            j += 1
        return members

    def _middle(self, members: list[int]) -> tuple[float, float]:
        """Median of some beads, each coordinate by itself."""
        k = len(members) // 2
        if len(members) < _MANY:
            lon = sorted([self._lon[m] for m in members])
            lat = sorted([self._lat[m] for m in members])
            if len(members) % 2:
                return lon[k], lat[k]
            return (lon[k - 1] + lon[k]) / 2.0, (lat[k - 1] + lat[k]) / 2.0
        first, last = members[0], members[-1]
        whole = last - first == len(members) - 1
        part = slice(first, last + 1) if whole else np.array(members)
        return middle(self._beads.lon_deg[part]), middle(self._beads.lat_deg[part])


def middle(values: FloatArray) -> float:
    """Median of one value or more, without NaN; several times as fast as numpy's for few."""
    k = len(values) // 2
    if len(values) % 2:
        return float(np.partition(values, k)[k])
    parted = np.partition(values, (k - 1, k))
    return float(parted[k - 1] + parted[k]) / 2.0
