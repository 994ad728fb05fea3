"""A person-day as a few numbers, to find days that look like copies without reading them.

Numbers that two days share are no evidence, only a reason to compare their fixes
(`geo.likeness`). Each kind keeps the smallest of its hashes, so that two days with the same
content keep the same ones, and the more of their content is shared the more of these are
(Broder's bottom-k sketch, doi 10.1109/SEQUEN.1997.666900).
"""

from typing import Final

import numpy as np
import numpy.typing as npt

from geo.distance import FloatArray
from geo.fix import NOT_EVIDENCE, FixArray, IntArray, Source

PLACES: Final = 32
RHYTHMS: Final = 16
MOMENTS: Final = 32
_GRAM: Final = 12
_GRAM_BITS: Final = 40.0
_MARK_S: Final = 120.0
_MOVED_M: Final = 100.0
_CELL_DEG: Final = 0.001
_BRIDGE_S: Final = 600.0
_DAY_S: Final = 86_400
_METRES_A_DEG: Final = 111_195.0

_Hashes = npt.NDArray[np.uint64]


def fingerprint(fixes: FixArray, *, salt: int = 0) -> IntArray:
    """Return the fingerprint of one day.

    Three kinds of numbers: exact positions, which a copy repeats to the last digit; the rhythm
    of fixes, which it keeps when its positions are shaken; and where somebody was at even
    minutes of the UTC day while under way, which phones carried together have in common too.

    Parameters
    ----------
    fixes : of the day.
    salt : days of different salts share nothing.

    Returns
    -------
    At most 80 ascending distinct 64-bit numbers. O(n log n).
    """
    gps = fixes.take(fixes.is_source(Source.GPS) & ~fixes.has(NOT_EVIDENCE))
    kinds = (
        (_places(gps), PLACES),
        (rhythms(gps.epoch_s)[0], RHYTHMS),
        (_moments(gps), MOMENTS),
    )
    chosen = [
        np.unique(_mixed(hashes, salt * 4 + kind))[:most]
        for kind, (hashes, most) in enumerate(kinds)
    ]
    return np.unique(np.concatenate(chosen)).view(np.int64)


def rhythms(epoch_s: FloatArray) -> tuple[_Hashes, FloatArray]:
    """Return hashes of twelve successive intervals each, and the instant each begins at.

    Left out are those that say too little: a phone that reports every minute has no rhythm of
    its own.
    """
    steps = np.round(np.diff(epoch_s)).astype(np.int64)
    if len(steps) < _GRAM:
        return np.zeros(0, dtype=np.uint64), np.zeros(0)
    _, back, count = np.unique(steps, return_inverse=True, return_counts=True)
    bits = np.cumsum(np.concatenate(([0.0], -np.log2(count[back] / len(steps)))))
    told = bits[_GRAM:] - bits[:-_GRAM]
    hashes = np.zeros(len(told), dtype=np.uint64)
    for k in range(_GRAM):
        hashes = _mixed(hashes ^ steps[k : k + len(told)].astype(np.uint64), k)
    telling = told >= _GRAM_BITS
    return hashes[telling], epoch_s[: len(told)][telling]


def _places(gps: FixArray) -> _Hashes:
    lon, lat = (np.round(column * 1e6).astype(np.int64) for column in (gps.lon_deg, gps.lat_deg))
    return _joined(lon, lat)


def _moments(gps: FixArray) -> _Hashes:
    """Hash cell and time of day at even minutes, between fixes that lie apart."""
    if len(gps) < 2:
        return np.zeros(0, dtype=np.uint64)
    at = np.arange(
        np.ceil(gps.epoch_s[0] / _MARK_S) * _MARK_S, gps.epoch_s[-1], _MARK_S, dtype=np.float64
    )
    lon, lat = (
        np.interp(np.stack((at, at - _MARK_S / 2, at + _MARK_S / 2)), gps.epoch_s, column)
        for column in (gps.lon_deg, gps.lat_deg)
    )
    after = np.clip(np.searchsorted(gps.epoch_s, at), 1, len(gps) - 1)
    known = gps.epoch_s[after] - gps.epoch_s[after - 1] <= _BRIDGE_S
    moved_m = _METRES_A_DEG * np.hypot(
        (lon[2] - lon[1]) * np.cos(np.radians(lat[0])), lat[2] - lat[1]
    )
    moving = known & (moved_m > _MOVED_M)
    cells = _joined(*(np.floor(c[0][moving] / _CELL_DEG).astype(np.int64) for c in (lon, lat)))
    time_of_day = (at[moving] % _DAY_S).astype(np.uint64)
    return _mixed(cells ^ time_of_day, 0)


def _joined(a: IntArray, b: IntArray) -> _Hashes:
    return _mixed(_mixed(a.astype(np.uint64), 1) ^ b.astype(np.uint64), 2)


def _mixed(values: _Hashes, salt: int) -> _Hashes:
    """Scatter 64-bit numbers (the finaliser of SplitMix64)."""
    z = values + np.uint64((salt + 1) * 0x9E3779B97F4A7C15 % 2**64)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))
