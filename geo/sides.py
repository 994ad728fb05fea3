"""On which side of a fence each fix shows the person, if it shows anything."""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from geo.distance import FloatArray
from geo.fix import NOT_EVIDENCE, BoolArray, FixArray, IntArray, Source
from geo.geofence import Geofence
from geo.policy import PresencePolicy
from geo.trackpoints import displaced

INSIDE: Final = -1
UNDECIDED: Final = 0
OUTSIDE: Final = 1
_SIGMAS_PER_68_PERCENT: Final = 1.5096
"""Radius that holds 68 % of a round normal error, in standard deviations of one axis."""
_EDGE_SHARE: Final = 0.25
"""On the inner side the edge of a small place is no wider than this part of its radius."""


@dataclass(frozen=True, slots=True, eq=False)
class Sides:
    """Fixes of one person against one fence, as columns.

    Attributes
    ----------
    fixes : the fixes judged.
    distance_m : ``(n,)`` signed distance to the edge, negative inside.
    accuracy_m : ``(n,)`` accuracy used; infinite when nothing is known about a cell position.
    margin_m : ``(n,)`` metres by which the fix clears the limit for outside; above 0 is outside.
    side : ``(n,)`` `INSIDE`, `UNDECIDED` or `OUTSIDE`.
    deep : ``(n,)`` farther inside than the edge is wide.
    clear : ``(n,)`` deep, and by more than the accuracy credited: the mirror of `OUTSIDE`.
    coarse : ``(n,)`` the fix decides only when its whole circle lies on one side.
    evidence : ``(n,)`` the fix keeps or changes the state. The others are as good as silence.
    """

    fixes: FixArray
    distance_m: FloatArray
    accuracy_m: FloatArray
    margin_m: FloatArray
    side: IntArray
    deep: BoolArray
    clear: BoolArray
    coarse: BoolArray
    evidence: BoolArray


def judge_sides(fixes: FixArray, fence: Geofence, *, policy: PresencePolicy) -> Sides:
    """Judge every fix on its own, and displaced ones among their neighbours.

    Outside means farther out than the edge buffer plus the accuracy of the fix, of which no
    more than a cap is credited. Cell positions and other coarse fixes get full credit: they
    decide only when the whole uncertainty circle lies on one side. Between inside and
    outside a fine fix confirms whatever was true before. O(n log n).
    """
    accuracy = _accuracy(fixes, policy)
    coarse = (accuracy > policy.coarse_m) | ~fixes.is_source(Source.GPS, Source.WIFI)
    distance = fence.signed_distances_m(fixes.lon_deg, fixes.lat_deg)
    credit = np.where(coarse, accuracy, np.minimum(accuracy, policy.accuracy_cap_m))
    margin = distance - credit - edge_buffer_m(fence, policy=policy)

    side = np.full(len(fixes), UNDECIDED, dtype=np.int64)
    side[margin > 0.0] = OUTSIDE
    side[np.where(coarse, distance + accuracy, distance) <= 0.0] = INSIDE

    usable = ~fixes.has(NOT_EVIDENCE) & ((side != UNDECIDED) | ~coarse)
    fine = np.flatnonzero(usable & ~coarse)
    usable[
        fine[
            displaced(
                fixes.take(fine),
                accuracy[fine],
                spike_mps=policy.spike_mps,
                spike_max_s=policy.spike_max_s,
                max_speed_mps=policy.max_speed_mps,
            )
        ]
    ] = False
    edge_m = min(edge_buffer_m(fence, policy=policy), _EDGE_SHARE * fence.size_m)
    deep = (side == INSIDE) & (distance <= -edge_m)
    clear = (side == INSIDE) & (distance + credit <= -edge_m)
    return Sides(fixes, distance, accuracy, margin, side, deep, clear, coarse, usable)


def chance_outside(distance_m: FloatArray, accuracy_m: FloatArray) -> FloatArray:
    """Probability that a person was outside a long straight edge, of each fix on its own.

    Parameters
    ----------
    distance_m : ``(n,)`` signed distance to the edge, negative inside.
    accuracy_m : ``(n,)`` radius of 68 % of a round normal error.

    Returns
    -------
    ``(n,)``, 0 to 1; a half on the edge. O(n).
    """
    outward = distance_m / np.maximum(accuracy_m / _SIGMAS_PER_68_PERCENT, 0.1)
    return np.array([0.5 * (1.0 + math.erf(z / math.sqrt(2.0))) for z in outward.tolist()])


def credible(fixes: FixArray, *, policy: PresencePolicy) -> BoolArray:
    """Find fixes that leave no doubt about where somebody is, each on its own.

    Measured by satellite or Wi-Fi, without a disqualifying flag, and with a claimed accuracy
    of which all is credited (`accuracy_cap_m`). Others may still be evidence in a series.

    Returns
    -------
    Mask ``(n,)``. O(n).
    """
    # NaN, an accuracy that is not claimed, compares false.
    sharp = fixes.accuracy_m <= policy.accuracy_cap_m
    return np.asarray(sharp & fixes.is_source(Source.GPS, Source.WIFI) & ~fixes.has(NOT_EVIDENCE))


def surely_inside(fixes: FixArray, fence: Geofence, *, policy: PresencePolicy) -> BoolArray:
    """Find fixes that show somebody inside whatever the neighbouring fixes say.

    Credible, and the whole uncertainty circle lies within the fence. Each of them is `INSIDE`
    by `judge_sides` as well, so for somebody known to be inside such a fix changes nothing;
    that makes it safe to put off the full judgement, and says nothing about the others.

    Returns
    -------
    Mask ``(n,)``. O(n) times the edges of the fence.
    """
    reach = fence.signed_distances_m(fixes.lon_deg, fixes.lat_deg) + _accuracy(fixes, policy)
    return np.asarray(credible(fixes, policy=policy) & (reach <= 0.0))


def edge_buffer_m(fence: Geofence, *, policy: PresencePolicy) -> float:
    """Metres beyond the edge that still count as the edge: a share of a circle's radius."""
    return max(policy.buffer_share * (fence.radius_m or 0.0), policy.buffer_min_m)


def _accuracy(fixes: FixArray, policy: PresencePolicy) -> FloatArray:
    fine = fixes.is_source(Source.GPS, Source.WIFI)
    assumed = np.where(fine, policy.assumed_accuracy_m, np.inf)
    known = np.where(np.isnan(fixes.accuracy_m), assumed, fixes.accuracy_m)
    return np.asarray(np.maximum(known, policy.accuracy_floor_m), dtype=np.float64)
