"""Whether somebody was at a customer's site: from fixes, with the reasons."""

from dataclasses import asdict, dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Final

import numpy as np

from geo.distance import FloatArray, LocalPlane
from geo.fix import NOT_EVIDENCE, FixArray, QualityFlag, from_epoch_s, to_epoch_s
from geo.gaps import Window
from geo.policy import Policy
from geo.staypoints import Staypoint, detect_staypoints
from geo.trackpoints import Trackpoints, select_trackpoints
from geo.verdict import Evidence

RULE: Final = "visit"
_MARGIN_S: Final = 3_600.0
"""Fixes this long before and after the window show how somebody came and went."""


class VisitType(StrEnum):
    """What kind of call it is; each has its own minimum stay."""

    REGULAR = "regular"
    COLD = "cold"
    FOLLOW_UP = "follow_up"


class VisitVerdict(StrEnum):
    """What fixes say about a visit."""

    VERIFIED = "verified"
    PASSED_BY = "passed_by"
    NOT_OBSERVABLE = "not_observable"
    NOT_VISITED = "not_visited"
    CONTRADICTED = "contradicted"


@dataclass(frozen=True, slots=True)
class Site:
    """A customer's place: a pin and how far from it still counts as there."""

    lon_deg: float
    lat_deg: float
    radius_m: float


@dataclass(frozen=True, slots=True)
class Visit:
    """Verdict on one visit.

    Attributes
    ----------
    arrived_at, left_at : of the stay or of the passing; None when there was neither.
    dwell_s : inside the window, 0 when nobody stayed.
    nearest_m : of the credible fixes from the pin; None without any.
    accuracy_m : of the nearest fix.
    reasons : codes, most important first.
    evidence : rule, thresholds and figures.
    """

    verdict: VisitVerdict
    arrived_at: datetime | None
    left_at: datetime | None
    dwell_s: float
    nearest_m: float | None
    accuracy_m: float | None
    reasons: tuple[str, ...]
    evidence: Evidence


def verify_visit(
    fixes: FixArray,
    site: Site,
    window: Window,
    *,
    kind: VisitType = VisitType.REGULAR,
    policy: Policy,
) -> Visit:
    """Judge whether one person visited one site in a window of time.

    A stay of the type's minimum whose middle lies at the site is *verified*; being there more
    briefly, or on a way that crosses the site, is *passed by*. When a silence would have been
    long enough to go there, stay and come back, nobody can tell: *not observable*. Only when
    no such silence is left is it *not visited*. A stay that rests on fixes of a mock provider
    alone is *contradicted*: it goes to a person, it is no verdict on them.

    Parameters
    ----------
    fixes : of one person; those from an hour before to an hour after the window are used.
    site : pin (WGS-84) and radius in metres.
    window : ``[start, end)``, usually the planned day.
    kind : decides the minimum stay.
    policy : thresholds.

    Returns
    -------
    Visit, a pure function of the set of fixes. O(n log n).
    """
    rules = policy.visit
    near = fixes.between(
        from_epoch_s(to_epoch_s(window.start) - _MARGIN_S),
        from_epoch_s(to_epoch_s(window.end) + _MARGIN_S),
    )
    need_s = rules.dwell_s(kind.value)
    seen = _Seen.of(near, site, window, policy, need_s)
    stay = seen.stay()
    if stay is not None and seen.overlap_s(stay) >= need_s:
        return seen.answer(VisitVerdict.VERIFIED, stay=stay, reasons=seen.remarks(stay))
    if seen.mocked_s() >= need_s:
        return seen.answer(VisitVerdict.CONTRADICTED, reasons=("only_mock_fixes_at_site",))
    if seen.room_s() >= need_s:
        return seen.answer(
            VisitVerdict.NOT_OBSERVABLE, stay=stay, reasons=("silence_long_enough_for_a_visit",)
        )
    passing = seen.passing()
    if stay is not None or passing is not None:
        reason = "stay_too_short" if stay is not None else "way_crosses_site"
        return seen.answer(VisitVerdict.PASSED_BY, stay=stay, passing=passing, reasons=(reason,))
    return seen.answer(VisitVerdict.NOT_VISITED, reasons=("elsewhere_all_the_time",))


@dataclass(frozen=True, slots=True, eq=False)
class _Seen:
    """What the fixes show round one site and window."""

    fixes: FixArray
    site: Site
    window: Window
    policy: Policy
    need_s: float
    track: Trackpoints
    stays: tuple[Staypoint, ...]
    xy_m: FloatArray
    """``(n, 2)`` of the trackpoints, metres east and north of the pin."""

    @classmethod
    def of(
        cls, fixes: FixArray, site: Site, window: Window, policy: Policy, need_s: float
    ) -> "_Seen":
        brief = replace(
            policy.track,
            stop_min_s=min(policy.track.stop_min_s, need_s),
            stop_radius_m=min(policy.track.stop_radius_m, max(site.radius_m, 60.0)),
        )
        track = select_trackpoints(fixes, policy=brief)
        plane = LocalPlane(site.lon_deg, site.lat_deg)
        xy = np.column_stack(plane.forward(track.fixes.lon_deg, track.fixes.lat_deg))
        return cls(
            fixes, site, window, policy, need_s, track, detect_staypoints(track, policy=brief), xy
        )

    @property
    def reach_m(self) -> float:
        """How far from the pin somebody who is there may be measured."""
        return self.site.radius_m + self.policy.visit.buffer_m

    @property
    def away_m(self) -> FloatArray:
        """Metres of each trackpoint from the pin."""
        return np.hypot(self.xy_m[:, 0], self.xy_m[:, 1])

    def overlap_s(self, stay: Staypoint) -> float:
        """Seconds of a stay inside the window."""
        start, end = to_epoch_s(self.window.start), to_epoch_s(self.window.end)
        return max(min(stay.left_s, end) - max(stay.arrived_s, start), 0.0)

    def stay(self) -> Staypoint | None:
        """Return the longest stay at the site that fixes show; two at least lie there."""
        away = self.away_m
        at_site = []
        for stay in self.stays:
            middle = LocalPlane(self.site.lon_deg, self.site.lat_deg).forward(
                stay.lon_deg, stay.lat_deg
            )
            part = slice(stay.first, stay.last + 1)
            there = away[part] <= self.reach_m + np.minimum(
                self.track.accuracy_m[part], self.policy.visit.accuracy_cap_m
            )
            if (
                float(np.hypot(*middle)[0]) <= self.reach_m
                and int(np.count_nonzero(there)) >= self.policy.visit.min_fixes
                and self.overlap_s(stay) > 0.0
            ):
                at_site.append(stay)
        return max(at_site, key=self.overlap_s, default=None)

    def passing(self) -> tuple[float, float] | None:
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

    def remarks(self, stay: Staypoint) -> tuple[str, ...]:
        """Codes that qualify a verified stay."""
        every = self.track.fixes.epoch_s
        seen_s = float(every[stay.last] - every[stay.first])
        partly = seen_s < self.policy.visit.seen_share * self.overlap_s(stay)
        return ("stay_at_site", "partly_inferred") if partly else ("stay_at_site",)

    def answer(
        self,
        verdict: VisitVerdict,
        *,
        reasons: tuple[str, ...],
        stay: Staypoint | None = None,
        passing: tuple[float, float] | None = None,
    ) -> Visit:
        """Put the verdict together with its evidence."""
        away, time = self.away_m, self.track.fixes.epoch_s
        inside = np.flatnonzero(
            (time >= to_epoch_s(self.window.start)) & (time < to_epoch_s(self.window.end))
        )
        nearest = int(inside[np.argmin(away[inside])]) if len(inside) else None
        span = (stay.arrived_s, stay.left_s) if stay is not None else passing
        dwell_s = 0.0 if stay is None else self.overlap_s(stay)
        figures = {
            "dwell_s": round(dwell_s, 3),
            "need_s": self.need_s,
            "nearest_m": None if nearest is None else round(float(away[nearest]), 1),
            "accuracy_m": None
            if nearest is None
            else round(float(self.track.accuracy_m[nearest]), 1),
            "room_s": round(max(self.room_s(), 0.0), 3),
            "margin_s": round(dwell_s - self.need_s, 3),
            "fixes": len(inside),
            "unusable": int(np.count_nonzero(self.fixes.has(NOT_EVIDENCE))),
        }
        keys = self.track.fixes.keys[stay.first : stay.last + 1] if stay is not None else ()
        return Visit(
            verdict=verdict,
            arrived_at=None if span is None else from_epoch_s(span[0]),
            left_at=None if span is None else from_epoch_s(span[1]),
            dwell_s=round(dwell_s, 3),
            nearest_m=figures["nearest_m"],
            accuracy_m=figures["accuracy_m"],
            reasons=reasons,
            evidence=Evidence(
                rule=RULE,
                policy_version=self.policy.version,
                thresholds={"visit": asdict(self.policy.visit), "track": asdict(self.policy.track)},
                inputs={"site": asdict(self.site), "fixes": [str(key) for key in keys]},
                figures=figures,
                reasons=reasons,
            ),
        )
