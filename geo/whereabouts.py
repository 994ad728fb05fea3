"""Whether somebody was at a place within a span: there, elsewhere, or nobody knows."""

from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np

from geo.distance import LocalPlane, consecutive_m, geodesic_m
from geo.fix import FixArray, from_epoch_s, to_epoch_s
from geo.gaps import Window
from geo.policy import Policy
from geo.trackpoints import select_trackpoints


@dataclass(frozen=True, slots=True)
class Place:
    """A town, a hotel, a customer: a middle and how far it reaches."""

    lon_deg: float
    lat_deg: float
    radius_m: float = 1_000.0
    name: str = ""

    def distance_m(self, other: Self) -> float:
        """Metres between the middles."""
        return geodesic_m(
            lon1_deg=self.lon_deg,
            lat1_deg=self.lat_deg,
            lon2_deg=other.lon_deg,
            lat2_deg=other.lat_deg,
        )


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """What fixes say about a place and a span.

    Attributes
    ----------
    length_s : of the span.
    there_s : at the place; a silence between two fixes there counts up to the bridge.
    known_s : at the place or elsewhere; the rest is unknown.
    was_there : a credible fix lies at the place.
    seen_far : a credible fix lies elsewhere, none at the place.
    nearest_m : of the credible fixes from the middle.
    """

    length_s: float
    there_s: float
    known_s: float
    was_there: bool
    seen_far: bool
    nearest_m: float | None

    @classmethod
    def of(cls, fixes: FixArray, place: Place, span: Window, policy: Policy) -> Self:
        """Look at the fixes of a span and at one before and after it.

        A step between two fixes of one side counts for that side when it is no longer than
        `TrackPolicy.bridge_max_s`; phones sleep while people do. Steps from side to side
        count for neither beyond `TrackPolicy.max_gap_s`.
        """
        start, end = to_epoch_s(span.start), to_epoch_s(span.end)
        margin = policy.claim.leg_slack_s
        near = fixes.between(from_epoch_s(start - margin), from_epoch_s(end + margin))
        track = select_trackpoints(near, policy=policy.track)
        times = track.fixes.epoch_s
        away = np.hypot(
            *LocalPlane(place.lon_deg, place.lat_deg).forward(
                track.fixes.lon_deg, track.fixes.lat_deg
            )
        )
        there = away <= place.radius_m + track.accuracy_m
        inside = (times >= start) & (times < end)
        lasts = np.clip(np.minimum(times[1:], end) - np.maximum(times[:-1], start), 0.0, None)
        same = there[1:] == there[:-1]
        steps = np.diff(times)
        counts = np.where(same, steps <= policy.track.bridge_max_s, steps <= policy.track.max_gap_s)
        return cls(
            length_s=end - start,
            there_s=float(lasts[counts & same & there[1:]].sum()),
            known_s=float(lasts[counts].sum()),
            was_there=bool((there & inside).any() or lasts[counts & same & there[1:]].any()),
            seen_far=bool(inside.any() and not (there & inside).any()),
            nearest_m=float(away[inside].min()) if inside.any() else None,
        )

    def figures(self) -> dict[str, Any]:
        """Plain numbers for evidence."""
        return {
            "length_s": round(self.length_s, 3),
            "there_s": round(self.there_s, 3),
            "known_s": round(self.known_s, 3),
            "nearest_m": None if self.nearest_m is None else round(self.nearest_m, 1),
        }


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast somebody went over a span, as far as fixes say.

    Attributes
    ----------
    fastest_mps : straight from fix to fix, net of both accuracies.
    seen_share : share of the span in steps of no more than `TrackPolicy.max_gap_s`.
    """

    fastest_mps: float
    seen_share: float

    @classmethod
    def of(cls, fixes: FixArray, span: Window, policy: Policy) -> Self:
        """Look at the fixes of a span; a plane is no error of measurement here."""
        track = replace(policy.track, max_speed_mps=policy.claim.flight_mps)
        seen = select_trackpoints(fixes.between(span.start, span.end), policy=track)
        times = seen.fixes.epoch_s
        if len(times) < 2:  # a step has two ends
            return cls(0.0, 0.0)
        step_s = np.diff(times)
        step_m = consecutive_m(seen.fixes.lon_deg, seen.fixes.lat_deg)
        net_m = np.maximum(step_m - seen.accuracy_m[1:] - seen.accuracy_m[:-1], 0.0)
        known_s = float(step_s[step_s <= policy.track.max_gap_s].sum())
        return cls(
            float((net_m / step_s).max()), known_s / (to_epoch_s(span.end) - to_epoch_s(span.start))
        )
