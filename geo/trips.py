"""How far a trip was: an interval, because a trace never says it exactly."""

from dataclasses import dataclass
from typing import Final, Self

import numpy as np
import shapely

from geo.distance import FloatArray, LocalPlane, consecutive_m
from geo.policy import TrackPolicy

_GATE_MAX_M: Final = 50.0


@dataclass(frozen=True, slots=True)
class DistanceInterval:
    """Metres travelled: surely at least, most likely, and at most what the trace supports."""

    low_m: float = 0.0
    mid_m: float = 0.0
    high_m: float = 0.0

    def __add__(self, other: Self) -> "DistanceInterval":
        return DistanceInterval(
            self.low_m + other.low_m, self.mid_m + other.mid_m, self.high_m + other.high_m
        )


def trip_distance(
    epoch_s: FloatArray,
    lon_deg: FloatArray,
    lat_deg: FloatArray,
    accuracy_m: FloatArray,
    *,
    policy: TrackPolicy,
) -> DistanceInterval:
    """Length of a trip from its trace alone.

    The middle counts displacements larger than the noise, so that jitter at a red light adds
    nothing; the low end follows the simplified line; the high end adds every step as it
    stands, and room for corners cut between steps that are far apart in time. All three are
    at least the straight line between the ends. Nothing here knows roads.

    Parameters
    ----------
    epoch_s, lon_deg, lat_deg, accuracy_m : ``(n,)`` in time order, without NaN.
    policy : metres and seconds.

    Returns
    -------
    Interval with ``low_m <= mid_m <= high_m``. O(n log n).
    """
    if len(epoch_s) < 2:  # a step has two ends
        return DistanceInterval()
    plane = LocalPlane(float(lon_deg[len(lon_deg) // 2]), float(lat_deg[len(lat_deg) // 2]))
    xy = np.column_stack(plane.forward(lon_deg, lat_deg))
    gate = np.clip(accuracy_m, policy.gate_m, _GATE_MAX_M)

    anchors = _displacements(xy, gate)
    mid = float(consecutive_m(lon_deg[anchors], lat_deg[anchors]).sum())

    steps = consecutive_m(lon_deg, lat_deg)
    sparse = float(steps[np.diff(epoch_s) > policy.sparse_s].sum())
    high = float(steps.sum()) + policy.sparse_share * sparse

    simple = shapely.simplify(shapely.LineString(xy), float(np.median(gate)))
    low = float(consecutive_m(*plane.inverse(*shapely.get_coordinates(simple).T)).sum())
    return DistanceInterval(min(low, mid), mid, max(mid, high))


def gap_distance(straight_m: float, accuracy_m: float, *, policy: TrackPolicy) -> DistanceInterval:
    """Way that nobody saw, between two places a straight line apart.

    ``accuracy_m`` is the sum at both ends; it takes from the low end only.
    """
    return DistanceInterval(
        policy.detour_low * max(straight_m - accuracy_m, 0.0),
        policy.detour_mid * straight_m,
        policy.detour_high * straight_m + accuracy_m,
    )


def _displacements(xy: FloatArray, gate_m: FloatArray) -> list[int]:
    """First and last point, and between them each that left the gate of the one before."""
    points, gates = xy.tolist(), gate_m.tolist()
    anchors = [0]
    x, y = points[0]
    for i, (px, py) in enumerate(points):
        if (px - x) ** 2 + (py - y) ** 2 >= gates[i] ** 2:
            anchors.append(i)
            x, y = px, py
    return anchors if anchors[-1] == len(points) - 1 else [*anchors, len(points) - 1]
