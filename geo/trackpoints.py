"""Which fixes of a person may join a track, and which are errors of measurement."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from geo.distance import FloatArray, consecutive_m, geodesics_m
from geo.fix import NOT_EVIDENCE, BoolArray, FixArray, IntArray, Source
from geo.policy import TrackPolicy

_RETURN_SHARE: Final = 0.3
_MAX_ROUNDS: Final = 5
_SMALL_PIECE: Final = 2
_DEGREE_M: Final = 111_195.0
_HARDEST_MPS2: Final = 5.0
"""Nobody speeds up, brakes or turns harder on a road."""
_DASH: Final = 3.0
_DASH_MPS: Final = 3.0
"""Out and back at this many times the usual pace, and this fast, is no errand."""
_AROUND: Final = 8
"""The usual pace is that of so many steps before and after, without those ..."""
_RESTING_MPS: Final = 0.3
"""... that are as slow as this; too few of them say nothing."""


@dataclass(frozen=True, slots=True, eq=False)
class Trackpoints:
    """Accepted fixes, and the reasons why the others stay aside.

    Attributes
    ----------
    fixes : the accepted ones, in canonical order; distinct instants.
    accepted : mask over all the fixes that were offered.
    accuracy_m : ``(n,)`` their accuracy, assumed where none was claimed.
    displaced : how many were rejected because nobody can have been there.
    coarse : how many were too coarse, or located by cell.
    unusable : how many carry a flag that disqualifies (mock, ping, ...).
    """

    fixes: FixArray
    accepted: BoolArray
    accuracy_m: FloatArray
    displaced: int
    coarse: int
    unusable: int


def select_trackpoints(fixes: FixArray, *, policy: TrackPolicy) -> Trackpoints:
    """Accept the fixes that can be points of one track.

    Cell positions never join the line, whatever accuracy they claim; neither do fixes
    flagged as placeholders, mocks or pings. Of several fixes at one instant the most
    accurate is taken. O(n log n).
    """
    usable = ~fixes.has(NOT_EVIDENCE)
    accuracy = np.where(np.isnan(fixes.accuracy_m), policy.assumed_accuracy_m, fixes.accuracy_m)
    fine = ~fixes.is_source(Source.CELL, Source.LBS) & (accuracy <= policy.max_accuracy_m)
    index = _best_per_instant(fixes.epoch_s, accuracy, np.flatnonzero(usable & fine))
    offered = fixes.take(index)
    wrong = displaced(
        offered,
        accuracy[index],
        spike_mps=policy.spike_mps,
        spike_max_s=policy.spike_max_s,
        max_speed_mps=policy.max_speed_mps,
    )
    line = np.flatnonzero(~wrong)
    left = offered.take(line) if wrong.any() else offered
    wrong[line[_outpaced(left, accuracy[index[line]])]] = True
    kept = index[~wrong]
    accepted = np.zeros(len(fixes), dtype=np.bool_)
    accepted[kept] = True
    return Trackpoints(
        fixes=fixes.take(kept),
        accepted=accepted,
        accuracy_m=accuracy[kept],
        displaced=int(np.count_nonzero(wrong)),
        coarse=int(np.count_nonzero(usable & ~fine)),
        unusable=int(np.count_nonzero(~usable)),
    )


def displaced(
    fixes: FixArray,
    accuracy_m: FloatArray,
    *,
    spike_mps: float,
    spike_max_s: float,
    max_speed_mps: float,
) -> BoolArray:
    """Find fixes where the person cannot have been, whatever accuracy they claim.

    Two patterns: a short run that is reached and left at unreachable speed and returns to
    where it began (reflections indoors), and a fix or two that only an impossible speed
    connects with the rest. Speeds are net of both accuracies.

    Parameters
    ----------
    fixes : ``(n,)`` in canonical order.
    accuracy_m : ``(n,)`` metres, without NaN.

    Returns
    -------
    Mask ``(n,)``. O(n log n).
    """
    wrong = np.zeros(len(fixes), dtype=np.bool_)
    index = np.arange(len(fixes))
    steps = _net_speeds(fixes, accuracy_m, index)
    for _ in range(_MAX_ROUNDS):
        runs = _spikes(fixes, steps, index, spike_mps, spike_max_s)
        if not runs:
            break
        for first, last in runs:
            wrong[index[first : last + 1]] = True
        index = np.flatnonzero(~wrong)
        steps = _net_speeds(fixes, accuracy_m, index)
    wrong[index[_stray(steps[1], max_speed_mps)]] = True
    return wrong


def _outpaced(fixes: FixArray, accuracy_m: FloatArray) -> BoolArray:
    """Find lone fixes that somebody would have had to dash to and back from, ``(n,)``.

    Either no vehicle speeds up and brakes so hard, or both steps are several times as fast
    as the person goes before and after; net of accuracies. Of neighbours that are both in
    doubt the one farther off is wrong. O(n).
    """
    wrong = np.zeros(len(fixes), dtype=np.bool_)
    if len(fixes) < 3:  # between two others
        return wrong
    step_s = np.maximum(np.diff(fixes.epoch_s), 1.0)
    east, north = _steps_m(fixes)
    net = np.maximum(np.hypot(east, north) - accuracy_m[:-1] - accuracy_m[1:], 0.0) / step_s
    fast = net > _DASH_MPS
    k = np.flatnonzero(fast[:-1] | fast[1:])  # the step to each fix in doubt; most are at rest
    if not len(k):
        return wrong
    out_s, back_s = step_s[k], step_s[k + 1]
    across_e, across_n = east[k] + east[k + 1], north[k] + north[k + 1]
    # An even pace between the neighbours would pass so far beside the fix.
    share = out_s / (out_s + back_s)
    off_m = np.hypot(east[k] - share * across_e, north[k] - share * across_n)
    off_m -= accuracy_m[k + 1] + np.maximum(accuracy_m[k], accuracy_m[k + 2])
    doubtful = off_m > 0.5 * _HARDEST_MPS2 * out_s * back_s
    slower = np.minimum(net[k], net[k + 1])
    across_mps = np.hypot(across_e, across_n) / (out_s + back_s)
    back = (slower > _DASH_MPS) & (across_mps < slower)  # others only went on
    maybe = np.flatnonzero((off_m > 0.0) & back & ~doubtful)
    limit = np.maximum(_DASH * _usual(net, k[maybe]), _DASH_MPS)
    dashed = (slower[maybe] > limit) & (across_mps[maybe] <= limit)
    doubtful[maybe[dashed]] = True
    doubt_m = np.zeros(len(fixes))
    doubt_m[k[doubtful] + 1] = off_m[doubtful]
    here, before, after = doubt_m[1:-1], doubt_m[:-2], doubt_m[2:]
    wrong[1:-1] = (here > 0.0) & (here >= before) & (here > after)
    return wrong


def _steps_m(fixes: FixArray) -> tuple[FloatArray, FloatArray]:
    """Metres east and north from each fix to the next, on a sphere: good to half a per cent."""
    east_deg = (np.diff(fixes.lon_deg) + 180.0) % 360.0 - 180.0
    narrow = np.cos(np.radians(fixes.lat_deg[1:]))
    return _DEGREE_M * narrow * east_deg, _DEGREE_M * np.diff(fixes.lat_deg)


def _usual(net_mps: FloatArray, index: IntArray) -> FloatArray:
    """Median pace of the steps about some pairs of steps, without these; endless if unknown."""
    usual = np.full(len(index), np.inf)
    for row, k in enumerate(index.tolist()):
        around = np.concatenate(
            (net_mps[max(k - _AROUND, 0) : k], net_mps[k + 2 : k + 2 + _AROUND])
        )
        going = around[around >= _RESTING_MPS]
        if len(going) >= _AROUND // 2:
            usual[row] = np.median(going)
    return usual


def _best_per_instant(epoch_s: FloatArray, accuracy_m: FloatArray, index: IntArray) -> IntArray:
    if (np.diff(epoch_s[index]) > 0.0).all():  # the usual case, and cheap
        return index
    order = index[np.lexsort((index, accuracy_m[index], epoch_s[index]))]
    first = np.concatenate(([True], np.diff(epoch_s[order]) > 0.0))[: len(order)]
    return np.asarray(order[first], dtype=np.int64)


def _net_speeds(
    fixes: FixArray, accuracy_m: FloatArray, index: IntArray
) -> tuple[FloatArray, FloatArray]:
    length = consecutive_m(fixes.lon_deg[index], fixes.lat_deg[index])
    slack = accuracy_m[index[:-1]] + accuracy_m[index[1:]]
    elapsed = np.maximum(np.diff(fixes.epoch_s[index]), 1.0)
    return length, np.maximum(length - slack, 0.0) / elapsed


def _spikes(
    fixes: FixArray,
    steps: tuple[FloatArray, FloatArray],
    index: IntArray,
    spike_mps: float,
    spike_max_s: float,
) -> list[tuple[int, int]]:
    """Find runs ``[first, last]`` of positions in ``index``, out and back, shortest first."""
    length, speed = steps
    fast = np.flatnonzero(speed > spike_mps)
    if len(fast) < 2:  # out and back
        return []
    out, back = fast[:-1], fast[1:]
    before, after = index[out], index[back + 1]
    baseline = geodesics_m(
        lon1_deg=fixes.lon_deg[before],
        lat1_deg=fixes.lat_deg[before],
        lon2_deg=fixes.lon_deg[after],
        lat2_deg=fixes.lat_deg[after],
    )
    returns = baseline <= _RETURN_SHARE * np.minimum(length[out], length[back])
    brief = fixes.epoch_s[after] - fixes.epoch_s[before] <= spike_max_s
    found = np.flatnonzero(returns & brief)
    # Of two runs that share an edge the shorter is the error: most fixes are right.
    shortest = found[np.lexsort((found, (back - out)[found]))]
    taken: set[int] = set()
    runs = []
    for k in shortest.tolist():
        if k in taken or k + 1 in taken:
            continue
        taken.update((k, k + 1))
        runs.append((int(out[k]) + 1, int(back[k])))
    return runs


def _stray(speed_mps: FloatArray, max_speed_mps: float) -> IntArray:
    """Positions of pieces of one or two fixes that only impossible speed joins with the rest."""
    breaks = speed_mps > max_speed_mps
    if not breaks.any():
        return np.zeros(0, dtype=np.int64)
    piece = np.concatenate(([0], np.cumsum(breaks)))
    size = np.bincount(piece)
    if size.max() <= _SMALL_PIECE:
        return np.zeros(0, dtype=np.int64)
    return np.flatnonzero(size[piece] <= _SMALL_PIECE)
