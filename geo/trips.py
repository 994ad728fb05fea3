"""How far a trip was: an interval, because a trace never says it exactly."""

import math
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
import shapely

from geo.beads import middle
from geo.distance import FloatArray, consecutive_m, degree_m
from geo.fix import IntArray
from geo.policy import TrackPolicy

_GATE_MAX_M: Final = 50.0
_TURN_MAX_RAD: Final = 1.6
_TURN_MIN_RAD: Final = 1e-9
_CORNER_MAX_RAD: Final = 1.1
"""A line that turns more sharply says nothing about where its corner is."""
_CORNER_SHARE: Final = (-0.2, 1.2)
_BENDS: Final = 3.0
"""Standard errors of the bends of all steps together: each bends by itself."""
_COARSER: Final = 5.0
_PACE_STEP_S: Final = 60.0
_PACE_MIN_MPS: Final = 0.5


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

    Dense fixes are averaged over the time in which the trip goes ``bead_noise_share`` times
    as far as its noise, and displacements smaller than the noise are left out, so that jitter
    at a red light adds nothing. The chords that remain are shorter than the way: each is
    lengthened by what streets are known to add (`detour`). The low end takes the chords of
    the simplified line as they are; the high end adds as much above the middle as the middle
    adds to the low end, but no more than bends that are independent of each other leave open.
    Nothing here knows roads.

    Parameters
    ----------
    epoch_s, lon_deg, lat_deg, accuracy_m : ``(n,)`` in time order, without NaN.
    policy : metres and seconds.

    Returns
    -------
    Interval with ``low_m <= mid_m <= high_m``. O(n).
    """
    if len(epoch_s) < 2:  # a step has two ends
        return DistanceInterval()
    kept = _finest(epoch_s, accuracy_m, policy)
    if len(kept) < len(epoch_s):
        epoch_s, lon_deg, lat_deg, accuracy_m = (
            column[kept] for column in (epoch_s, lon_deg, lat_deg, accuracy_m)
        )
    bead_s = _bead_s(epoch_s, lon_deg, lat_deg, accuracy_m, policy)
    time, lon, lat, slack = _beads(epoch_s, lon_deg, lat_deg, accuracy_m, bead_s)
    # Only gates, turns and the tolerance are judged in the plane; lengths are geodesics.
    degree = np.array(degree_m(float(lat[len(lat) // 2])))
    east = (lon - lon[0] + 180.0) % 360.0 - 180.0
    xy = np.column_stack((east, lat)) * degree
    gate = np.clip(slack, policy.gate_m, _GATE_MAX_M)
    anchors = _displacements(xy, gate)
    chord = consecutive_m(lon[anchors], lat[anchors])
    longer = detour(chord, np.diff(time[anchors]), _turns(xy[anchors]), policy)
    mid = float((chord * longer).sum())
    simple = shapely.simplify(shapely.linestrings(xy), middle(gate))
    corners = shapely.get_coordinates(simple) / degree
    low = float(consecutive_m(corners[:, 0], corners[:, 1]).sum())
    low = min(low, mid)
    room = min(mid - low, _BENDS * math.sqrt(float(((chord * (longer - 1.0)) ** 2).sum())))
    return DistanceInterval(low, mid, mid + room + policy.spread_share * mid)


def along_roads(
    matched_m: float, traced: DistanceInterval, *, policy: TrackPolicy
) -> DistanceInterval:
    """Length of a trip that was matched to roads, with the room that the matching leaves."""
    room = policy.match_spread_share * matched_m + policy.match_end_m
    low = max(matched_m - room, min(traced.low_m, matched_m) * (1.0 - policy.match_spread_share))
    return DistanceInterval(min(low, matched_m), matched_m, matched_m + room)


def detour(
    chord_m: FloatArray, step_s: FloatArray, turn_rad: FloatArray, policy: TrackPolicy
) -> FloatArray:
    """Length of a way over the straight step between two fixes on it, ``(n,)``.

    Ways bend between fixes, and the line through the fixes tells how much in three ways. The
    longer and the farther nobody looked, the more bends there were (`detour_share`), but for
    motorways, which hardly bend. The more
    the line turns about a step, the more it bends within (`turn_share`). And where the line
    turns the same way at both ends of a step and goes straight on before and after, there is
    one corner between: where the lines before and after meet (`corner_share`); turns to both
    sides are jitter as often as not, and take away what jitter adds. All saturate; the
    thresholds fit walks, rides and drives in Beijing, Shenzhen and Hof at steps of 5 to 600 s,
    real and simulated (`fixtures.accuracy` tells how well).

    Parameters
    ----------
    chord_m : metres of the straight step.
    step_s : seconds between the two fixes.
    turn_rad : ``(n + 1,)`` turn of the line at each fix, left positive, zero at both ends.
    """
    before, after = turn_rad[:-1], turn_rad[1:]
    size = np.abs(turn_rad)
    about = size[:-1] + size[1:]
    bend = policy.detour_share * np.expm1(-chord_m / policy.detour_m)
    bend *= np.expm1(-step_s / policy.detour_s)
    bend *= np.exp(-np.square(chord_m / (np.maximum(step_s, 1.0) * policy.detour_mps)))
    turn = policy.turn_share * np.expm1(-chord_m / policy.turn_m)
    turn *= np.expm1(-step_s / policy.turn_s) * np.minimum(about / 2.0, _TURN_MAX_RAD)
    beyond = np.append(0.0, size[:-2]) + np.append(size[2:], 0.0)
    lone = np.maximum(1.0 - beyond / np.maximum(about, _TURN_MIN_RAD), 0.0)
    # The cosine knows no sides.
    half = np.minimum(np.abs(before + after) / 2.0, _CORNER_MAX_RAD)
    slant = np.minimum(np.abs(before - after) / 2.0, _CORNER_MAX_RAD)
    least, most = _CORNER_SHARE
    corner = np.minimum(np.maximum(np.cos(slant) / np.cos(half) - 1.0, least), most)
    corner *= policy.corner_share * lone * np.exp(-step_s / policy.corner_s)
    return np.asarray(1.0 + bend + turn + corner)


def gap_distance(straight_m: float, accuracy_m: float, *, policy: TrackPolicy) -> DistanceInterval:
    """Way that nobody saw, between two places a straight line apart.

    ``accuracy_m`` is the sum at both ends; it takes from the low end only.
    """
    return DistanceInterval(
        policy.detour_low * max(straight_m - accuracy_m, 0.0),
        policy.detour_mid * straight_m,
        policy.detour_high * straight_m + accuracy_m,
    )


def _finest(epoch_s: FloatArray, accuracy_m: FloatArray, policy: TrackPolicy) -> IntArray:
    """Index of the fixes that none much finer of the same half minute makes needless.

    Phones mix satellite fixes with network ones that are seconds and tens of metres off them.
    """
    if accuracy_m.max() <= _COARSER * accuracy_m.min():
        return np.arange(len(epoch_s))
    finer = np.zeros(len(epoch_s), dtype=np.bool_)
    for step in (1, 2):
        near = epoch_s[step:] - epoch_s[:-step] <= policy.bead_max_s
        finer[step:] |= near & (accuracy_m[step:] > _COARSER * accuracy_m[:-step])
        finer[:-step] |= near & (accuracy_m[:-step] > _COARSER * accuracy_m[step:])
    finer[[0, -1]] = False  # the ends are where the stops are
    return np.flatnonzero(~finer)


def _bead_s(
    epoch_s: FloatArray,
    lon_deg: FloatArray,
    lat_deg: FloatArray,
    accuracy_m: FloatArray,
    policy: TrackPolicy,
) -> float:
    """Time in which this trip goes some times as far as its noise; averaging hides no more."""
    every = max(1, int(_PACE_STEP_S / max(middle(np.diff(epoch_s)), 1.0)))
    way_m = float(consecutive_m(lon_deg[::every], lat_deg[::every]).sum())
    pace_mps = max(way_m / float(epoch_s[-1] - epoch_s[0]), _PACE_MIN_MPS)
    noise_m = max(middle(accuracy_m), policy.gate_m / 2.0)
    return min(policy.bead_noise_share * noise_m / pace_mps, policy.bead_max_s)


def _beads(
    epoch_s: FloatArray,
    lon_deg: FloatArray,
    lat_deg: FloatArray,
    accuracy_m: FloatArray,
    bead_s: float,
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Average fixes over spans of ``bead_s``; the first and the last stay as they are."""
    if np.diff(epoch_s).min() > bead_s:  # nothing to average, as with most phones
        return epoch_s, lon_deg, lat_deg, accuracy_m
    inner = np.floor((epoch_s[1:-1] - epoch_s[0]) / bead_s)
    starts = np.concatenate(([0, 1], np.flatnonzero(np.diff(inner)) + 2, [len(epoch_s) - 1]))
    starts = np.unique(starts)
    size = np.diff(np.append(starts, len(epoch_s)))
    off = (lon_deg - lon_deg[0] + 180.0) % 360.0 - 180.0  # safe across the antimeridian
    time, east, lat, slack = (
        np.add.reduceat(column, starts) / size for column in (epoch_s, off, lat_deg, accuracy_m)
    )
    return time, (lon_deg[0] + east + 180.0) % 360.0 - 180.0, lat, slack


def _turns(xy: FloatArray) -> FloatArray:
    """Turn of the line at each point, radians, left positive; zero at both ends."""
    heading = np.arctan2(np.diff(xy[:, 1]), np.diff(xy[:, 0]))
    turn = (np.diff(heading) + np.pi) % (2.0 * np.pi) - np.pi
    return np.concatenate(([0.0], turn, [0.0]))


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
