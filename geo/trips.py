"""How far a trip was: an interval, because a trace never says it exactly."""

from dataclasses import dataclass
from typing import Final, Self

import numpy as np
import shapely

from geo.distance import FloatArray, LocalPlane, consecutive_m
from geo.policy import TrackPolicy

_GATE_MAX_M: Final = 50.0
_SMOOTH_MAX_S: Final = 15.0


@dataclass(frozen=True, slots=True)
class DistanceInterval:
    """Metres travelled: surely at least, most likely, and at most what the trace supports."""

    low_m: float = 0.0
    mid_m: float = 0.0
    high_m: float = 0.0

    def to_json(self) -> dict[str, float]:
        """Return ``low``, ``mid`` and ``high`` to a tenth of a metre."""
        return {
            "low": round(self.low_m, 1),
            "mid": round(self.mid_m, 1),
            "high": round(self.high_m, 1),
        }

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

    The middle counts displacements of the smoothed line that are larger than the noise, so
    that jitter at a red light adds nothing; the low end simplifies that line; the high end
    takes the fixes as they stand, with room for corners cut between steps that are far apart
    in time. All three are at least the straight line between the ends. Nothing here knows
    roads.

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
    gate = np.clip(accuracy_m, policy.gate_m, _GATE_MAX_M)
    rough = np.column_stack(plane.forward(lon_deg, lat_deg))
    smooth = _smoothed(epoch_s, rough, float(np.median(gate)))
    smooth_lon, smooth_lat = plane.inverse(smooth[:, 0], smooth[:, 1])

    mid = _path_m(smooth_lon, smooth_lat, _displacements(smooth, gate))
    steps = consecutive_m(lon_deg, lat_deg)
    sparse = float(steps[np.diff(epoch_s) > policy.sparse_s].sum())
    high = _path_m(lon_deg, lat_deg, _displacements(rough, gate)) + policy.sparse_share * sparse
    simple = shapely.simplify(shapely.LineString(smooth), float(np.median(gate)))
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


def _path_m(lon_deg: FloatArray, lat_deg: FloatArray, index: list[int]) -> float:
    return float(consecutive_m(lon_deg[index], lat_deg[index]).sum())


def _smoothed(epoch_s: FloatArray, xy: FloatArray, gate_m: float) -> FloatArray:
    """Average each position with its neighbours over about the way of one gate, ends kept.

    Windows are symmetric, so steady movement stays where it is; where fixes are sparse they
    hold one fix, and nothing changes.
    """
    line = shapely.simplify(shapely.LineString(xy), gate_m)
    speed = max(line.length / max(float(epoch_s[-1] - epoch_s[0]), 1.0), 0.1)
    half_s = min(gate_m / speed, _SMOOTH_MAX_S)
    at = np.arange(len(epoch_s))
    before = at - np.searchsorted(epoch_s, epoch_s - half_s, side="left")
    after = np.searchsorted(epoch_s, epoch_s + half_s, side="right") - 1 - at
    reach = np.minimum(before, after)
    sums = np.vstack([np.zeros(2), np.cumsum(xy, axis=0)])
    window = sums[at + reach + 1] - sums[at - reach]
    return np.asarray(window / (2 * reach + 1)[:, None], dtype=np.float64)


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
