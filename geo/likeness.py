"""How alike two days of positions are: a copy, or the same routine again.

People who do the same at the same time of two days are near each other; their phones err anew.
Only a copy has the same errors.
"""

from dataclasses import dataclass

import numpy as np

from geo.distance import FloatArray, geodesics_m
from geo.fingerprint import rhythms
from geo.fix import BoolArray, FixArray
from geo.forgery_policy import ForgeryPolicy

_DAY_S = 86_400.0
_METRES_A_DEG = 111_195.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Likeness:
    """One day held against another that is moved in time.

    Attributes
    ----------
    shift_s : how much later this day is than the other.
    same_share : share of this day's distinct positions that the other has to the last digit.
    rhythms : how often this day's intervals are its own for a dozen fixes;
        `rhythm_share` of these the other has too.
    compared_share : share of this day's fixes at whose moment the other has a position too.
    near_share : of those compared, how many lie beside it.
    moving : compared fixes under way; `moving_near_share` of them lie beside the other.
    still_s : time compared while both stood still; `error_rho` is how much their errors go
        together then, -1 to 1, 0 when there is too little of it.
    """

    shift_s: float
    same_share: float
    rhythms: int
    rhythm_share: float
    compared_share: float
    near_share: float
    moving: int
    moving_near_share: float
    still_s: float
    error_rho: float


def compare(fixes: FixArray, other: FixArray, *, shift_s: float, policy: ForgeryPolicy) -> Likeness:
    """Hold one day against another.

    Parameters
    ----------
    fixes, other : measured fixes in canonical order.
    shift_s : seconds to add to the other's instants.

    Returns
    -------
    Their likeness. O(n log n).
    """
    at, there = fixes.epoch_s, other.epoch_s + shift_s
    same, mine = _same_share(fixes, other), _by_rhythm(fixes).keys()
    rhythm = len(mine & _by_rhythm(other).keys()) / len(mine) if mine else 0.0
    if len(fixes) < 2 or len(other) < 2:
        return Likeness(
            shift_s=shift_s,
            same_share=same,
            rhythms=len(mine),
            rhythm_share=rhythm,
            compared_share=0.0,
            near_share=0.0,
            moving=0,
            moving_near_share=0.0,
            still_s=0.0,
            error_rho=0.0,
        )
    paired = _paired(at, there, policy.pair_s)
    lon, lat = (np.interp(at, there, column) for column in (other.lon_deg, other.lat_deg))
    apart = geodesics_m(lon1_deg=fixes.lon_deg, lat1_deg=fixes.lat_deg, lon2_deg=lon, lat2_deg=lat)
    near = apart <= policy.replay_near_m
    here = _metres(fixes.lon_deg, fixes.lat_deg, fixes)
    moving = paired & _moving(at, here, policy)
    still_s, rho = _errors(fixes, other, there, _paired(at, there, policy.still_pair_s), policy)
    return Likeness(
        shift_s=shift_s,
        same_share=same,
        rhythms=len(mine),
        rhythm_share=rhythm,
        compared_share=float(paired.mean()),
        near_share=float(near[paired].mean()) if paired.any() else 0.0,
        moving=int(moving.sum()),
        moving_near_share=float(near[moving].mean()) if moving.any() else 0.0,
        still_s=still_s,
        error_rho=rho,
    )


def shifts(fixes: FixArray, older: FixArray, *, policy: ForgeryPolicy) -> list[float]:
    """Return by how many seconds a copy of an older day may have been moved, likeliest first.

    By positions that both have, by the rhythm of both, and by whole days. One routine meets
    itself in a position or two by chance, which tell how much later it was that day.
    """
    found = []
    for here, there, least in (
        (_by_place(fixes), _by_place(older), policy.replay_fixes),
        (_by_rhythm(fixes), _by_rhythm(older), 1),
    ):
        apart = [here[key] - there[key] for key in here.keys() & there.keys()]
        if len(apart) >= least:
            found.append(float(np.median(apart)))
    if len(fixes) and len(older):
        days = round((fixes.epoch_s[0] - older.epoch_s[0]) / _DAY_S)
        found.append(days * _DAY_S)
    return list(dict.fromkeys(found))


def _by_place(fixes: FixArray) -> dict[object, float]:
    """First instant at each exact position."""
    places = zip(fixes.lon_deg.round(6).tolist(), fixes.lat_deg.round(6).tolist(), strict=True)
    found: dict[object, float] = {}
    for place, at in zip(places, fixes.epoch_s.tolist(), strict=True):
        found.setdefault(place, at)
    return found


def _by_rhythm(fixes: FixArray) -> dict[object, float]:
    hashes, at = rhythms(fixes.epoch_s)
    return dict(zip(hashes.tolist(), at.tolist(), strict=True))


def _same_share(fixes: FixArray, other: FixArray) -> float:
    mine, theirs = _by_place(fixes).keys(), _by_place(other).keys()
    return len(mine & theirs) / len(mine) if mine else 0.0


def _paired(at: FloatArray, there: FloatArray, pair_s: float) -> BoolArray:
    """Mark instants at which the other has a fix within `pair_s`."""
    after = np.clip(np.searchsorted(there, at), 1, len(there) - 1)
    apart = np.minimum(np.abs(there[after] - at), np.abs(at - there[after - 1]))
    return np.asarray(apart <= pair_s)


def _metres(lon: FloatArray, lat: FloatArray, about: FixArray) -> FloatArray:
    """Positions ``(n, 2)`` in metres about the middle of a day; jitter needs no more."""
    east = _METRES_A_DEG * np.cos(np.radians(np.median(about.lat_deg)))
    return np.stack(
        (
            (lon - np.median(about.lon_deg)) * east,
            (lat - np.median(about.lat_deg)) * _METRES_A_DEG,
        ),
        axis=1,
    )


def _moving(at: FloatArray, here: FloatArray, policy: ForgeryPolicy) -> BoolArray:
    """Mark fixes both of whose neighbours within some minutes lie a real step away."""
    around = np.clip(
        np.searchsorted(at, np.stack((at - policy.way_s, at + policy.way_s))), 0, len(at) - 1
    )
    steps = np.hypot(*(here[around[1]] - here[around[0]]).T)
    return np.asarray(steps > policy.way_m)


def _errors(
    fixes: FixArray, other: FixArray, there: FloatArray, paired: BoolArray, policy: ForgeryPolicy
) -> tuple[float, float]:
    """Return how long both stood still, and how much their errors go together then.

    An error is what a fix lies off the mean of its own phone's fixes around that moment.
    """
    index = np.flatnonzero(paired)
    if len(index) < policy.still_fixes:
        return 0.0, 0.0
    at = fixes.epoch_s[index]
    after = np.clip(np.searchsorted(there, at), 1, len(there) - 1)
    nearest = after - (at - there[after - 1] <= there[after] - at)
    step_s = max(float(np.median(np.diff(epoch_s))) for epoch_s in (fixes.epoch_s, there))
    reach_s = min(max(policy.still_window_s, 5.0 * step_s), 3.0 * policy.still_window_s)
    residuals, calm = [], np.ones(len(index), dtype=np.bool_)
    for epoch_s, track, own in (
        (fixes.epoch_s, _metres(fixes.lon_deg, fixes.lat_deg, fixes), index),
        (there, _metres(other.lon_deg, other.lat_deg, fixes), nearest),
    ):
        low = np.searchsorted(epoch_s, at - reach_s)
        high = np.searchsorted(epoch_s, at + reach_s, side="right")
        mean, spread = _window_mean(track, low, high)
        calm &= (spread <= policy.still_spread_m) & (high - low > 2)
        residuals.append(np.clip(track[own] - mean, -policy.error_max_m, policy.error_max_m))
    if np.count_nonzero(calm) < policy.still_fixes:
        return 0.0, 0.0
    a, b = (r[calm] for r in residuals)
    power = float(np.sqrt((a**2).sum() * (b**2).sum()))
    steps = np.minimum(np.diff(at, prepend=at[0]), reach_s)
    return float(steps[calm].sum()), float((a * b).sum() / power) if power > 0.0 else 0.0


def _window_mean(
    track: FloatArray, low: np.ndarray, high: np.ndarray
) -> tuple[FloatArray, FloatArray]:
    """Mean ``(m, 2)`` and spread ``(m,)`` of the fixes from `low` to `high`."""
    total = np.concatenate((np.zeros((1, 2)), np.cumsum(track, axis=0)))
    square = np.concatenate(([0.0], np.cumsum((track**2).sum(axis=1))))
    count = np.maximum(high - low, 1)[:, None]
    mean = (total[high] - total[low]) / count
    spread = (square[high] - square[low]) / count[:, 0] - (mean**2).sum(axis=1)
    return mean, np.sqrt(np.maximum(spread, 0.0))
