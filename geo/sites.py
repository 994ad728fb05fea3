"""A customer's place, and what fixes show round it: stays, passing, silences with room."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from geo.distance import FloatArray, LocalPlane
from geo.fix import FixArray, QualityFlag, to_epoch_s
from geo.gaps import Window
from geo.policy import Policy
from geo.staypoints import Staypoint, detect_staypoints
from geo.trackpoints import Trackpoints, select_trackpoints

Seconds = tuple[float, float]
"""Half-open span of epoch seconds."""


@dataclass(frozen=True, slots=True)
class Site:
    """A customer's place: a pin and how far from it still counts as there."""

    lon_deg: float
    lat_deg: float
    radius_m: float


@dataclass(frozen=True, slots=True, eq=False)
class Surroundings:
    """What the fixes show round one site and window.

    Attributes
    ----------
    need_s : the stay that makes a visit.
    xy_m : ``(n, 2)`` of the trackpoints, metres east and north of the pin.
    taken : spans of stays that count for other visits.
    """

    fixes: FixArray
    site: Site
    window: Window
    policy: Policy
    need_s: float
    track: Trackpoints
    stays: tuple[Staypoint, ...]
    xy_m: FloatArray
    taken: Sequence[Seconds] = ()

    @classmethod
    def of(
        cls,
        fixes: FixArray,
        site: Site,
        window: Window,
        *,
        policy: Policy,
        need_s: float,
    ) -> Self:
        """Look at the fixes of one person. O(n log n)."""
        brief = replace(
            policy.track,
            stop_min_s=min(policy.track.stop_min_s, need_s),
            stop_radius_m=min(policy.track.stop_radius_m, max(site.radius_m, 60.0)),
        )
        track = select_trackpoints(fixes, policy=brief)
        plane = LocalPlane(site.lon_deg, site.lat_deg)
        xy = np.column_stack(plane.forward(track.fixes.lon_deg, track.fixes.lat_deg))
        stays = detect_staypoints(track, policy=brief)
        return cls(fixes, site, window, policy, need_s, track, stays, xy)

    @property
    def reach_m(self) -> float:
        """How far from the pin somebody who is there may be measured."""
        return self.site.radius_m + self.policy.visit.buffer_m

    @property
    def away_m(self) -> FloatArray:
        """Metres of each trackpoint from the pin."""
        return np.hypot(self.xy_m[:, 0], self.xy_m[:, 1])

    def off_m(self, stay: Staypoint) -> float:
        """Metres of a stay's middle from the pin."""
        plane = LocalPlane(self.site.lon_deg, self.site.lat_deg)
        return float(np.hypot(*plane.forward(stay.lon_deg, stay.lat_deg))[0])

    def overlap_s(self, stay: Staypoint) -> float:
        """Seconds of a stay inside the window."""
        start, end = to_epoch_s(self.window.start), to_epoch_s(self.window.end)
        return max(min(stay.left_s, end) - max(stay.arrived_s, start), 0.0)

    def is_taken(self, stay: Staypoint) -> bool:
        """Whether a stay counts for another visit."""
        return any(start < stay.left_s and stay.arrived_s < end for start, end in self.taken)

    def stay(self) -> Staypoint | None:
        """Return the longest stay at the site that is free and that two fixes at least show."""
        at_site = [stay for stay in self._at_site() if not self.is_taken(stay)]
        return max(at_site, key=self.overlap_s, default=None)

    def given_away(self) -> Staypoint | None:
        """Return the longest stay at the site that counts for another visit."""
        at_site = [stay for stay in self._at_site() if self.is_taken(stay)]
        return max(at_site, key=self.overlap_s, default=None)

    def beside(self) -> Staypoint | None:
        """Return the free stay nearest to the pin that is long enough to be the visit.

        It speaks of where the site may be; one beyond `VisitPolicy.pin_near_m` does not.
        """
        long_enough = [
            stay
            for stay in self.stays
            if self.overlap_s(stay) >= self.need_s
            and self.off_m(stay) <= self.policy.visit.pin_near_m
            and not self.is_taken(stay)
        ]
        return min(long_enough, key=self.off_m, default=None)

    def way(self, stay: Staypoint) -> Seconds:
        """Epoch seconds between which somebody was on the way to a stay, there, and on the way.

        From the end of the stay before to the beginning of the next, or to the outermost fix
        where there is none, and on each side no longer than `VisitPolicy.way_max_s`.
        """
        time, longest_s = self.track.fixes.epoch_s, self.policy.visit.way_max_s
        before = [each.left_s for each in self.stays if each.left_s <= stay.arrived_s]
        after = [each.arrived_s for each in self.stays if each.arrived_s >= stay.left_s]
        start = before[-1] if before else min(float(time[0]), stay.arrived_s)
        end = after[0] if after else max(float(time[-1]), stay.left_s)
        return max(start, stay.arrived_s - longest_s), min(end, stay.left_s + longest_s)

    def passing(self) -> Seconds | None:
        """Epoch seconds between which a way inside the window touched the site."""
        time, xy = self.track.fixes.epoch_s, self.xy_m
        inside = (time >= to_epoch_s(self.window.start)) & (time < to_epoch_s(self.window.end))
        touched: list[float] = time[inside & (self.away_m <= self.site.radius_m)].tolist()
        if len(time) > 1:
            step = np.diff(xy, axis=0)
            length = np.maximum((step**2).sum(axis=1), 1e-9)
            share = np.clip(-(xy[:-1] * step).sum(axis=1) / length, 0.0, 1.0)
            nearest = np.linalg.norm(xy[:-1] + share[:, None] * step, axis=1)
            brief = np.diff(time) <= self.policy.track.max_gap_s
            crossing = brief & (nearest <= self.site.radius_m) & inside[:-1] & inside[1:]
            touched += (time[:-1] + share * np.diff(time))[crossing].tolist()
        return (min(touched), max(touched)) if touched else None

    def mocked_s(self) -> float:
        """Seconds over which fixes of a mock provider claim the site, inside the window."""
        mock = self.fixes.take(self.fixes.has(QualityFlag.MOCK)).between(
            self.window.start, self.window.end
        )
        east, north = LocalPlane(self.site.lon_deg, self.site.lat_deg).forward(
            mock.lon_deg, mock.lat_deg
        )
        times = mock.epoch_s[np.hypot(east, north) <= self.reach_m]
        return float(times[-1] - times[0]) if len(times) else 0.0

    def room_s(self) -> float:
        """Longest stay at the site that a silence inside the window has room for.

        Between two fixes somebody may have gone there and back at `VisitPolicy.fastest_mps`;
        what is left of the time is the stay. Before the first and after the last fix only one
        way has to be gone.
        """
        start, end = to_epoch_s(self.window.start), to_epoch_s(self.window.end)
        time = self.track.fixes.epoch_s
        if not len(time):
            return end - start
        way_s = np.maximum(self.away_m - self.reach_m, 0.0) / self.policy.visit.fastest_mps
        leaves = np.concatenate(([start], time + way_s))
        back = np.concatenate((time - way_s, [end]))
        room = np.minimum(back, end) - np.maximum(leaves, start)
        silent = np.concatenate(([time[0] - start], np.diff(time), [end - time[-1]]))
        # Between fixes that keep coming nobody disappears for a visit, nor in a short silence
        # before and after which they are at one and the same place.
        room[silent <= self.policy.track.max_gap_s] = 0.0
        for stay in self.stays:
            inside = slice(stay.first + 1, stay.last + 1)
            room[inside][silent[inside] <= self.policy.presence.bridge_max_s] = 0.0
        return float(room.max())

    def _at_site(self) -> list[Staypoint]:
        away = self.away_m
        at_site = []
        for stay in self.stays:
            part = slice(stay.first, stay.last + 1)
            there = away[part] <= self.reach_m + np.minimum(
                self.track.accuracy_m[part], self.policy.visit.accuracy_cap_m
            )
            if (
                self.off_m(stay) <= self.reach_m
                and int(np.count_nonzero(there)) >= self.policy.visit.min_fixes
                and self.overlap_s(stay) > 0.0
            ):
                at_site.append(stay)
        return at_site
