"""How far it was between stops: by the trace, and by the way along roads where there are any."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

import numpy as np

from geo.distance import geodesic_m
from geo.policy import TrackPolicy
from geo.roads import Profile, Roads
from geo.staypoints import Staypoint
from geo.trackpoints import Trackpoints
from geo.trips import DistanceInterval, along_roads, gap_distance, trip_distance
from geo.ways import Path, Trace, Way, find_way

Run: TypeAlias = tuple[int, int]
"""First and last trackpoint of a stretch of movement, or of a silent step."""
_ROUNDABOUT: Final = 1.3
"""Nobody who goes somewhere unseen is taken to go farther than this times the shortest way."""
_DENSE_S: Final = 60.0
"""Fixes this often leave no room for a way much longer than their line."""


@dataclass(frozen=True, slots=True, eq=False)
class Legs:
    """Lengths of the runs between stops.

    A leg goes from the middle of one stop to the middle of the next and may be broken by
    silences. Its way along roads is sought as a whole, because what is seen before and after
    a silence says which way was taken meanwhile; each run has its part of it.
    """

    track: Trackpoints
    policy: TrackPolicy
    roads: Roads | None
    profile: Profile
    _ends: dict[int, tuple[float, float]] = field(default_factory=dict)
    _ways: dict[Run, tuple[Way, int]] = field(default_factory=dict)

    def lay(self, runs: Sequence[Run], stays: Sequence[Staypoint]) -> None:
        """Take up the runs of a day, in time order, and find the ways of its legs."""
        for stay in stays:
            self._ends[stay.first] = self._ends[stay.last] = (stay.lon_deg, stay.lat_deg)
        leg: list[Run] = []
        for run in runs:
            if leg and (leg[-1][1] != run[0] or run[0] in self._ends):
                self._find(leg)
                leg = []
            leg.append(run)
        self._find(leg)

    def along(self, first: int, last: int) -> tuple[DistanceInterval, Path]:
        """Measure a run that was seen; the path where roads tell it.

        A way is believed only where the trace could have gone it: somebody may walk through
        a park, and a map may lack a road.
        """
        traced = self._traced(first, last)
        if (first, last) not in self._ways:
            return traced, ()
        way, start = self._ways[first, last]
        length_m = float(way.at_m[last - start] - way.at_m[first - start])
        high_m = (1.0 + self.policy.match_beyond_share) * traced.high_m
        if length_m > high_m and self._longest_s(first, last) <= _DENSE_S:
            return traced, ()
        path = way.between(first - start, last - start)
        found = along_roads(length_m, traced, policy=self.policy)
        # Where the way is longer than the line supports, the line stays the lower bound.
        low_m = found.low_m if length_m <= traced.high_m else min(found.low_m, traced.low_m)
        return DistanceInterval(low_m, found.mid_m, found.high_m), path

    def across(self, first: int, last: int) -> DistanceInterval:
        """Measure the way across a silence, that nobody saw."""
        straight = self._straight_m(first, last)
        slack = float(self.track.accuracy_m[first] + self.track.accuracy_m[last])
        guessed = gap_distance(straight, slack, policy=self.policy)
        if (first, last) not in self._ways:
            return guessed
        way, start = self._ways[first, last]
        length_m = float(way.at_m[last - start] - way.at_m[first - start])
        if length_m < guessed.low_m:
            return guessed
        return DistanceInterval(
            guessed.low_m, length_m, max(guessed.high_m, length_m * _ROUNDABOUT)
        )

    def _find(self, leg: list[Run]) -> None:
        """Find the way of a leg, or else of each of its runs."""
        if self.roads is None or not leg:
            return
        first, last = leg[0][0], leg[-1][1]
        worth = any(self._straight_m(a, b) >= self.policy.match_min_m for a, b in leg)
        marks = sorted({k - first for run in leg for k in run})
        trace = self._trace(first, last)
        way = None
        if worth:
            way = find_way(
                trace,
                roads=self.roads,
                profile=self.profile,
                marks=marks,
                line_m=sum(self._line_m(a, b) for a, b in leg),
            )
        if way is not None:
            self._ways.update(dict.fromkeys(leg, (way, first)))
        elif len(leg) > 1:
            for run in leg:
                self._find([run])

    def _line_m(self, first: int, last: int) -> float:
        """Length of a run without roads."""
        if last == first + 1 and self._longest_s(first, last) > self.policy.max_gap_s:
            return self.policy.detour_mid * self._straight_m(first, last)
        return self._traced(first, last).mid_m

    def _longest_s(self, first: int, last: int) -> float:
        return float(np.diff(self.track.fixes.epoch_s[first : last + 1]).max())

    def _traced(self, first: int, last: int) -> DistanceInterval:
        trace = self._trace(first, last)
        return trip_distance(
            trace.epoch_s, trace.lon_deg, trace.lat_deg, trace.accuracy_m, policy=self.policy
        )

    def _trace(self, first: int, last: int) -> Trace:
        """Return the fixes of a run, from the middle of a stop and to one where there is one."""
        fixes, part = self.track.fixes, slice(first, last + 1)
        lon, lat = fixes.lon_deg[part].copy(), fixes.lat_deg[part].copy()
        lon[0], lat[0] = self._place(first)
        lon[-1], lat[-1] = self._place(last)
        return Trace(
            lon_deg=lon,
            lat_deg=lat,
            epoch_s=fixes.epoch_s[part],
            accuracy_m=self.track.accuracy_m[part],
        )

    def _place(self, k: int) -> tuple[float, float]:
        fixes = self.track.fixes
        return self._ends.get(k, (float(fixes.lon_deg[k]), float(fixes.lat_deg[k])))

    def _straight_m(self, first: int, last: int) -> float:
        (lon1, lat1), (lon2, lat2) = self._place(first), self._place(last)
        return geodesic_m(lon1_deg=lon1, lat1_deg=lat1, lon2_deg=lon2, lat2_deg=lat2)
