"""Whether two phones were in one pocket, or with two people who were together.

People who share a car and a room are at the same places at the same times, and their phones err
each in its own way; two phones in one pocket err together. While somebody stands still, errors
are all there is. They are taken for Gauss-Markov processes, and asked is how much likelier the
fixes of both are with one process than with two. A ratio of 10,000 comes about in one pair of
10,000 at most when there were two (Markov's inequality, for each process that is tried, and as far
as errors are like that), however many or few fixes there are; so the limit bounds the share of
honest pairs that are asked about. Place and scale of the errors of each stay are integrated out
(as in restricted likelihood, Patterson and Thompson 1971, doi 10.1093/biomet/58.3.545).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Final

import numpy as np

from geo.distance import FloatArray
from geo.fix import FixArray, IntArray
from geo.forgery_policy import ForgeryPolicy

_EVERY_S: Final = 60.0
"""Fixes of one minute repeat each other's error."""
_SILENCE_S: Final = 3_600.0
_WAY: Final = 1.5
"""A way is so much longer than straight."""
_MOST: Final = 48
"""A long stay is judged in parts of so many fixes: matrices stay small."""
_LEAST: Final = 4
_MEMORIES_S: Final = (100.0, 300.0)
_OWN: Final = (0.01, 0.1)
"""What each phone errs by itself from fix to fix, as a share of the variance."""
_RATIOS: Final = (0.5, 1.0, 2.0)
"""The other's phone may err more, or less."""
_TOLD: Final = 100_000.0
_METRES_A_DEG: Final = 111_195.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Pocket:
    """What the fixes of two phones say about having been carried as one.

    Attributes
    ----------
    together_share : of the other's fixes, how many lie where this phone may have been meanwhile.
    stood : fixes of both while they stood at one place; 0 when nothing can be said.
    odds : how many times likelier one receiver's errors are than two, up to a hundred thousand.
    """

    together_share: float
    stood: int
    odds: float


def one_pocket(fixes: FixArray, other: FixArray, *, policy: ForgeryPolicy) -> Pocket:
    """Hold the fixes of two phones of the same day against each other.

    Parameters
    ----------
    fixes, other : measured fixes in canonical order.

    Returns
    -------
    How likely it is that they were in one pocket, the same whichever phone comes first but for
    `together_share`. O(n) for n minutes; little for two people, of whom a few stays tell enough.
    """
    phones = [_fresh(one) for one in (fixes, other)]
    if min(len(one) for one in phones) < 2:
        return Pocket(together_share=0.0, stood=0, odds=1.0)
    at_s = [one.epoch_s for one in phones]
    about = [(one.lon_deg[0], one.lat_deg[0]) for one in phones]
    tracks = [_metres(one, min(about)) for one in phones]
    stood, same, apart = 0, np.zeros(1), np.zeros(1)
    enough = np.log(policy.twin_odds)
    for instants, who, places in _stays(at_s, tracks, policy):
        stood += len(instants)
        one, two = _likelihoods(instants, who, places, policy)
        same, apart = same + one, apart + two
        if apart.max() - same.max() > enough:
            break
    odds = min(float(np.exp(min(same.max() - apart.max(), 100.0))), _TOLD)
    return Pocket(together_share=_together_share(at_s, tracks, policy), stood=stood, odds=odds)


def _fresh(fixes: FixArray) -> FixArray:
    """Keep the first fix of every minute that does not repeat the position before it."""
    _, first = np.unique(np.floor(fixes.epoch_s / _EVERY_S), return_index=True)
    kept = fixes.take(first)
    moved = (np.diff(kept.lon_deg) != 0.0) | (np.diff(kept.lat_deg) != 0.0)
    return kept.take(np.concatenate((np.ones(min(len(kept), 1), dtype=np.bool_), moved)))


def _metres(fixes: FixArray, about: tuple[float, float]) -> FloatArray:
    """Positions ``(n, 2)`` in metres about one place."""
    east = _METRES_A_DEG * np.cos(np.radians(about[1]))
    return np.stack(
        ((fixes.lon_deg - about[0]) * east, (fixes.lat_deg - about[1]) * _METRES_A_DEG), axis=1
    )


def _together_share(
    at_s: Sequence[FloatArray], tracks: Sequence[FloatArray], policy: ForgeryPolicy
) -> float:
    """Share of the other's fixes on the way between this phone's fixes before and after."""
    (mine_s, theirs_s), (here, there) = at_s, tracks
    after = np.searchsorted(mine_s, theirs_s)
    known = np.flatnonzero((after > 0) & (after < len(mine_s)))
    known = known[mine_s[after[known]] - mine_s[after[known] - 1] <= _SILENCE_S]
    if not len(known):
        return 0.0
    start, end, past = here[after[known] - 1], here[after[known]], there[known]
    room_m = _WAY * _length(end - start) + 2.0 * policy.twin_near_m
    return float((_length(past - start) + _length(end - past) <= room_m).mean())


def _stays(
    at_s: Sequence[FloatArray], tracks: Sequence[FloatArray], policy: ForgeryPolicy
) -> Iterator[tuple[FloatArray, IntArray, FloatArray]]:
    """Instants, whose phone, and places ``(n, 2)`` of both while they stood at one place."""
    still = []
    for track in tracks:
        near = _length(np.diff(track, axis=0)) <= policy.twin_near_m
        still.append(np.append(near, False) | np.append(False, near))
    times, places, stands = (np.concatenate(columns) for columns in (at_s, tracks, still))
    who = np.repeat([0, 1], [len(track) for track in tracks])
    order = np.lexsort((places[:, 1], places[:, 0], times))
    order = order[stands[order]]
    steps_m = _length(np.diff(places[order], axis=0))
    cuts = (steps_m > policy.twin_near_m) | (np.diff(times[order]) > _SILENCE_S)
    for run in np.split(order, np.flatnonzero(cuts) + 1):
        for part in np.array_split(run, max(-(-len(run) // _MOST), 1)):
            theirs = int(who[part].sum())
            if len(part) < _LEAST or min(theirs, len(part) - theirs) < 2:
                continue
            if np.sqrt(places[part].var(axis=0).sum()) <= policy.still_spread_m:
                yield times[part], who[part], places[part]


def _likelihoods(
    at_s: FloatArray, who: IntArray, places: FloatArray, policy: ForgeryPolicy
) -> tuple[FloatArray, FloatArray]:
    """Log-likelihoods of one stay with the errors of one receiver, and with those of two."""
    lag_s = np.abs(at_s[:, None] - at_s)
    mixed, own_error = who[:, None] != who, np.eye(len(at_s))
    one, two = [], []
    most = policy.twin_error_share
    for memory_s, own in product(_MEMORIES_S, _OWN):
        kept = (1.0 - own) * np.exp(-lag_s / memory_s)
        one.append(kept + own * own_error)
        for shared, ratio in product((0.0, 0.5 * most, most), _RATIOS):
            scale = np.where(who == 1, ratio, 1.0)
            errors = np.where(mixed, shared, 1.0) * kept + own * own_error
            two.append(errors * scale[:, None] * scale)
    return _marginal(np.array(one), places), _marginal(np.array(two), places)


def _marginal(covariances: FloatArray, places: FloatArray) -> FloatArray:
    """Log-likelihood of places ``(n, 2)`` under each covariance ``(m, n, n)``, but a constant."""
    n = len(places)
    root = np.linalg.cholesky(covariances)
    columns = np.column_stack((np.ones(n), places))
    white = np.linalg.solve(root, np.broadcast_to(columns, (len(root), n, 3)))
    ones, errors = white[:, :, :1], white[:, :, 1:]
    power = (ones**2).sum(axis=(1, 2))
    errors = errors - ones * ((ones * errors).sum(axis=1) / power[:, None])[:, None, :]
    log_det = 2.0 * np.log(np.diagonal(root, axis1=1, axis2=2)).sum(axis=1)
    return np.asarray(
        -log_det - np.log(power) - (n - 1) * np.log((errors**2).sum(axis=(1, 2))),
        dtype=np.float64,
    )


def _length(steps: FloatArray) -> FloatArray:
    return np.asarray(np.hypot(steps[:, 0], steps[:, 1]), dtype=np.float64)
