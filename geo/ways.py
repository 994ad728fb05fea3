"""The way somebody took between two places, among the ways that roads allow."""

import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Self, TypeAlias

import numpy as np

from geo.distance import FloatArray, LocalPlane, consecutive_m, geodesic_m
from geo.fix import IntArray
from geo.roads import Matched, Profile, Roads

Path: TypeAlias = tuple[tuple[float, float], ...]

_SPACING_M: Final = 50.0
"""Denser fixes are laid along the way of the others instead of steering it."""
_MAX_POINTS: Final = 5_000
_VAGUE: Final = 1.5
"""Fixes this many times vaguer than the usual one do not steer the way either ..."""
_PATIENCE_S: Final = 60.0
"""... unless nothing better came for so long."""
_STEP_M: Final = 15.0
"""A way is looked at in steps of this length ..."""
_CELLS: Final = 4_000_000
"""... and fixes are thinned so that about so many pairs of fix and step are looked at (from 55 km
on): a drive of a thousand kilometres takes no more memory than this."""
_ABSURD: Final = 4.0
"""A way is none when it would need so many times as many."""
_KERB_M: Final = 10.0
"""Lanes and kerbs: standard error of the middle of a road, added to that of a fix ..."""
_VAGUE_M: Final = 60.0
"""... which is credited up to this."""
_DISBELIEF: Final = 8.0
"""A fix that a way misses counts no more than this (four standard errors): it may be wrong."""
_MISSED: Final = 2.0
"""From here on a fix asks for another way."""
_LONGER_M: Final = 200.0
"""A way this much longer needs so much more reason: one unit of the cost ..."""
_SPARE: Final = 0.1
"""... and less when there was time for more: so much of the way that the time would do for."""
_USUAL_MPS: Final = {Profile.AUTO: 8.0, Profile.BICYCLE: 4.0, Profile.PEDESTRIAN: 1.3}
_FASTEST_MPS: Final = {Profile.AUTO: 50.0, Profile.BICYCLE: 15.0, Profile.PEDESTRIAN: 5.0}
_LEEWAY_M: Final = 100.0
"""Nobody goes farther than this beyond what the fastest go between two fixes."""
_HURRY: Final = 0.5
"""Standard error of the logarithm of the pace of a step, over the usual pace of the way."""
_PACED: Final = 5
"""So many steps have a usual pace."""
_DOOR_M: Final = 100.0
"""No place is farther than this from the road that it is reached by."""
_TRIES: Final = 12
_REACHES_M: Final = (0.0, 20.0, 40.0)
"""The ends lie on the nearest road, or on any within such a distance: doors face many roads."""
_DOOR_SIGMA_M: Final = 15.0
"""Standard error of an end, beside the road."""
_PAST_M: Final = (30.0, 60.0)
"""A way passes a fix on any road within twice its accuracy, between these."""
_UNMAPPED: Final = (25.0, 2.0)
"""Cost of a way that no map has: once, and for each fix."""
_UNEXPLAINED: Final = 0.34
"""A way that misses more than this share of the fixes is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """Fixes of somebody under way, in time order: ``(n,)`` degrees, seconds, metres."""

    lon_deg: FloatArray
    lat_deg: FloatArray
    epoch_s: FloatArray
    accuracy_m: FloatArray

    def take(self, index: Sequence[int]) -> Self:
        """Return some of the fixes."""
        at = list(index)
        return type(self)(
            lon_deg=self.lon_deg[at],
            lat_deg=self.lat_deg[at],
            epoch_s=self.epoch_s[at],
            accuracy_m=self.accuracy_m[at],
        )

    def near_m(self, index: Sequence[int], end_m: float) -> list[float]:
        """Distance within which any road may be the one of each fix; both ends have their own."""
        low, high = _PAST_M
        near = np.clip(2.0 * self.accuracy_m[list(index)], low, high)
        near[[0, -1]] = end_m
        return [float(m) for m in near]

    def place(self, k: int) -> tuple[float, float]:
        """Return ``(lon, lat)`` of a fix."""
        return float(self.lon_deg[k]), float(self.lat_deg[k])


@dataclass(frozen=True, slots=True, eq=False)
class Way:
    """A way along roads, and where on it each fix of its trace lies.

    Attributes
    ----------
    at_m : ``(n,)`` metres from the start, never decreasing; the ends count from door to door.
    path : ``(lon, lat)`` vertices along the roads.
    along_m : metres from the start at each vertex.
    """

    at_m: FloatArray
    path: Path
    along_m: FloatArray

    def between(self, first: int, last: int) -> Path:
        """Return the part of the path between two fixes."""
        low, high = self.at_m[first], self.at_m[last]
        return tuple(
            vertex
            for vertex, at in zip(self.path, self.along_m.tolist(), strict=True)
            if low <= at <= high
        )


def find_way(
    trace: Trace,
    *,
    roads: Roads,
    profile: Profile,
    marks: Sequence[int] = (),
    line_m: float = math.inf,
) -> Way | None:
    """Find the likeliest way along roads from the first fix of a trace to the last.

    People mostly go the shortest way, so that is what is asked for first. Where it misses a
    fix, the shortest way past that fix is tried, and so on; the match of the whole trace to
    the roads stands beside them. The likeliest is the one with the least sum of squared
    misses, each in standard errors and a lone one none beyond `_DISBELIEF`, plus its length in
    units of `_LONGER_M`, plus what it takes to believe its pace: the most probable way when
    errors are normal with heavy tails and detours are exponential (as Newson and Krumm 2009
    weigh steps).

    Parameters
    ----------
    trace : two fixes or more; the first and the last are where the way begins and ends.
    roads, profile : the network, and how the person moves.
    marks : fixes that have to be placed on the way whatever they are worth.
    line_m : length of the trace without roads; a way much less likely than a line of this
        length, on a road that the map lacks, is none.

    Returns
    -------
    The way, or None: no road near, no way, or a trace that roads do not explain.

    Notes
    -----
    A few questions to the network; laying n fixes along a way of m steps is O(n m), in numpy.
    """
    if len(trace.epoch_s) < 2:  # a way has two ends
        return None
    steering = steers(trace)
    index = sorted({*steering, *marks})
    known, exact = trace.take(index), trace.take(steering)
    best: _Laid | None = None
    for found in _candidates(known, exact, roads, profile):
        if best is None or found.cost < best.cost:
            best = found
    if best is None or float((best.miss >= _DISBELIEF).mean()) > _UNEXPLAINED:
        return None
    if best.cost > _unmapped(known, line_m, profile):
        return None
    at_m = np.interp(np.arange(len(trace.epoch_s)), index, best.at_m)
    return Way(at_m, best.way.path, best.along_m)


def steers(trace: Trace) -> list[int]:
    """Index of the fixes that a way is sought through: exact ones, well apart, and both ends.

    Among tall buildings a fix may lie behind the one before it; on a one-way street that
    asks for a way round the block that nobody drove.
    """
    limit_m = _VAGUE * max(float(np.median(trace.accuracy_m)), 10.0)
    steps = consecutive_m(trace.lon_deg, trace.lat_deg)
    along = np.concatenate(([0.0], np.cumsum(steps))).tolist()
    step_m = max(_SPACING_M, along[-1] / _MAX_POINTS, along[-1] ** 2 / (_STEP_M * _CELLS))
    times, vague = trace.epoch_s.tolist(), (trace.accuracy_m > limit_m).tolist()
    kept = [0]
    for k in range(1, len(times) - 1):
        if along[k] - along[kept[-1]] < step_m:
            continue
        if not vague[k] or times[k] - times[kept[-1]] >= _PATIENCE_S:
            kept.append(k)
    return [*kept, len(times) - 1]


def _candidates(trace: Trace, exact: Trace, roads: Roads, profile: Profile) -> Iterator["_Laid"]:
    """Ways worth weighing; none after one that explains every fix."""
    direct: list[tuple[_Laid, float]] = []
    for end_m in _REACHES_M:
        laid = _through(trace, (), end_m, roads, profile)
        if laid is None and end_m == 0.0:
            # People go also where the map has no way for their vehicle.
            laid = _through(trace, (), end_m, roads, Profile.PEDESTRIAN)
        if laid is not None:
            direct.append((laid, end_m))
            yield laid
    if direct:
        best, end_m = min(direct, key=lambda one: one[0].cost)
        if not best.missed:
            return
        yield from _past(trace, best, end_m, roads, profile)
    matched = roads.match(
        exact.lon_deg, exact.lat_deg, exact.epoch_s, exact.accuracy_m, profile=profile
    )
    laid = _lay(trace, matched, profile)
    if laid is not None:
        yield laid


def _past(
    trace: Trace, direct: "_Laid", end_m: float, roads: Roads, profile: Profile
) -> Iterator["_Laid"]:
    """Shortest ways past one more fix each time, as long as that pays."""
    best, past, doubted = direct, set[int](), set[int]()
    for _ in range(_TRIES):
        open_ = [k for k in best.missed if k not in doubted and k not in past]
        if not open_:
            return
        worst = max(open_, key=lambda k: (float(best.off_m[k]), -k))
        laid = _through(trace, {*past, worst}, end_m, roads, profile)
        if laid is None or laid.cost >= best.cost:
            doubted.add(worst)
            continue
        best = laid
        past.add(worst)
        yield best


def _through(
    trace: Trace, past: Collection[int], end_m: float, roads: Roads, profile: Profile
) -> "_Laid | None":
    """Shortest way from end to end past some fixes, with the trace laid along it."""
    index = sorted({0, *past, len(trace.epoch_s) - 1})
    way = roads.shortest(
        [trace.place(k) for k in index], profile=profile, near_m=trace.near_m(index, end_m)
    )
    return _lay(trace, way, profile)


def _lay(trace: Trace, way: Matched | None, profile: Profile) -> "_Laid | None":
    """Lay a trace along a way; None without one, or for one absurdly longer than the trace."""
    if way is None or len(trace.epoch_s) * way.length_m > _ABSURD * _CELLS * _STEP_M:
        return None
    return _Laid.of(trace, way, profile)


@dataclass(frozen=True, slots=True, eq=False)
class _Laid:
    """A trace laid along a way.

    ``cost`` is the negative logarithm of how likely the way is, but for a constant.
    """

    way: Matched
    at_m: FloatArray
    off_m: FloatArray
    miss: FloatArray
    along_m: FloatArray
    cost: float

    @classmethod
    def of(cls, trace: Trace, way: Matched, profile: Profile) -> Self:
        """Lay fixes along a way in their order, so that the sum of what is missed is least."""
        plane = LocalPlane(*way.path[0])
        lon, lat = np.array(way.path).T
        vertices = np.column_stack(plane.forward(lon, lat))
        edges = np.hypot(*np.diff(vertices, axis=0).T)
        total = float(edges.sum())
        scale = way.length_m / total if total else 1.0
        along = np.concatenate(([0.0], np.cumsum(edges)))
        steps = np.unique(np.append(np.arange(0.0, total, _STEP_M), [along, [total] * len(along)]))
        x, y = (np.interp(steps, along, axis) for axis in vertices.T)
        east, north = plane.forward(trace.lon_deg, trace.lat_deg)
        off = np.hypot(east[:, None] - x, north[:, None] - y)
        sigma = np.hypot(np.minimum(trace.accuracy_m, _VAGUE_M), _KERB_M)[:, None]
        miss = np.minimum(0.5 * (off / sigma) ** 2, _DISBELIEF)
        at = _in_order(miss)
        rows = np.arange(len(at))
        # The ends are places beside the road: the way counts from door to door.
        doors = off[0, 0] + off[-1, -1]
        at_m = off[0, 0] + steps[at] * scale
        at_m = np.minimum(at_m, way.length_m + doors)
        at_m[0], at_m[-1] = 0.0, way.length_m + doors
        cost = (
            _missed(miss[rows, at][1:-1])
            + _DISBELIEF * float((off[rows, at][[0, -1]] > _DOOR_M).sum())
            + 0.5 * float(((off[rows, at][[0, -1]] / _DOOR_SIGMA_M) ** 2).sum())
            + _rushed(np.diff(at_m), np.diff(trace.epoch_s), _FASTEST_MPS[profile])
            + at_m[-1] / _longer_m(trace, profile)
        )
        return cls(way, at_m, off[rows, at], miss[rows, at], off[0, 0] + along * scale, float(cost))

    @property
    def missed(self) -> list[int]:
        """Index of the fixes between the ends that the way does not explain."""
        return [
            k for k in np.flatnonzero(self.miss > _MISSED).tolist() if 0 < k < len(self.miss) - 1
        ]


def _longer_m(trace: Trace, profile: Profile) -> float:
    """Metres that make a way less likely by one unit of the cost."""
    (lon1, lat1), (lon2, lat2) = trace.place(0), trace.place(-1)
    straight = geodesic_m(lon1_deg=lon1, lat1_deg=lat1, lon2_deg=lon2, lat2_deg=lat2)
    could_m = _USUAL_MPS[profile] * float(trace.epoch_s[-1] - trace.epoch_s[0])
    return _LONGER_M + _SPARE * max(could_m - 2.0 * straight, 0.0)


def _unmapped(trace: Trace, line_m: float, profile: Profile) -> float:
    """Return what it costs to believe that the trace went where the map has no way."""
    if not math.isfinite(line_m):
        return math.inf
    step_m = consecutive_m(trace.lon_deg, trace.lat_deg)
    step_m *= line_m / max(float(step_m.sum()), 1.0)
    once, each = _UNMAPPED
    return (
        once
        + each * len(trace.epoch_s)
        + _rushed(step_m, np.diff(trace.epoch_s), _FASTEST_MPS[profile])
        + line_m / _longer_m(trace, profile)
    )


def _missed(miss: FloatArray) -> float:
    """Return what missing fixes costs: errors are lone, so each next one in a row costs more."""
    far = miss >= _DISBELIEF
    number = np.arange(len(miss))
    row = number - np.maximum.accumulate(np.where(far, -1, number)) if len(miss) else number
    return float((miss * np.maximum(row, 1)).sum())


def _rushed(step_m: FloatArray, step_s: FloatArray, fastest_mps: float) -> float:
    """Return what it costs to believe the hurry between the fixes."""
    cost = np.where(step_m > fastest_mps * step_s + _LEEWAY_M, _DISBELIEF, 0.0)
    going = step_m > _SPACING_M
    if np.count_nonzero(going) >= _PACED:
        pace = np.log(np.maximum(step_m, 1.0) / np.maximum(step_s, 1.0))
        hurry = np.where(going, np.maximum(pace - np.median(pace[going]), 0.0) / _HURRY, 0.0)
        cost = np.maximum(cost, np.minimum(0.5 * hurry**2, _DISBELIEF))
    return float(cost.sum())


def _in_order(miss: FloatArray) -> IntArray:
    """Column for each row, never decreasing, from the first to the last, with the least sum."""
    count, width = miss.shape
    best = np.full(width, np.inf)
    best[0] = 0.0
    came = np.empty((count, width), dtype=np.int64)
    for row in range(1, count):
        least = np.minimum.accumulate(best)
        came[row] = np.maximum.accumulate(np.where(best == least, np.arange(width), 0))
        best = least + miss[row]
    at = np.empty(count, dtype=np.int64)
    at[-1] = width - 1
    for row in range(count - 1, 0, -1):
        at[row - 1] = came[row][at[row]]
    return at
