"""Datums: WGS-84 inside, GCJ-02 and BD-09 at the edge.

Everything stored and judged here is WGS-84. Chinese map providers publish positions
shifted by 60 to 670 m (GCJ-02), and Baidu shifts once more (BD-09). A source says which
datum it speaks, and its positions are converted once, on the way in.
"""

from collections.abc import Callable
from enum import StrEnum
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from geo.distance import FloatArray
from geo.mainland import is_offset_area

# The ellipsoid the formula was published with (Krasovsky 1940).
_SEMI_MAJOR_M: Final = 6_378_245.0
_ECCENTRICITY_SQUARED: Final = 0.00669342162296594323
_BD_TURN: Final = np.pi * 3000.0 / 180.0
_TOLERANCE_DEG: Final = 1e-11
_MAX_ROUNDS: Final = 30

_Pair: TypeAlias = tuple[FloatArray, FloatArray]


class Datum(StrEnum):
    """What a pair of degrees refers to."""

    WGS84 = "wgs84"
    GCJ02 = "gcj02"
    BD09 = "bd09"


def convert(
    lon_deg: npt.ArrayLike, lat_deg: npt.ArrayLike, *, source: Datum, target: Datum
) -> _Pair:
    """Convert positions between datums.

    Outside China all three are the same, and positions come back as they are.

    Parameters
    ----------
    lon_deg, lat_deg : ``(n,)`` degrees in the source datum.
    source, target : the datums.

    Returns
    -------
    ``(lon_deg, lat_deg)``, each ``(n,)``. A round trip is right to 1e-9 degrees (0.1 mm),
    except within a shift's width of the border, where it is not defined on which side
    a shifted position began.

    Notes
    -----
    The inverse is a fixed-point iteration on the forward formula: it contracts a
    thousandfold each round, so five or six rounds do.
    """
    lon = np.atleast_1d(np.asarray(lon_deg, dtype=np.float64)).copy()
    lat = np.atleast_1d(np.asarray(lat_deg, dtype=np.float64)).copy()
    if source is target or lon.size == 0:
        return lon, lat
    wgs = (lon, lat) if source is Datum.WGS84 else _unshifted(lon, lat, _FORWARD[source])
    if target is Datum.WGS84:
        return wgs
    return _where_offset(wgs, _FORWARD[target](*wgs), otherwise=wgs)


def convert_point(
    *, lon_deg: float, lat_deg: float, source: Datum, target: Datum
) -> tuple[float, float]:
    """Convert one position; see `convert`."""
    lon, lat = convert([lon_deg], [lat_deg], source=source, target=target)
    return float(lon[0]), float(lat[0])


def _unshifted(lon: FloatArray, lat: FloatArray, forward: Callable[..., _Pair]) -> _Pair:
    """Find the WGS-84 positions that the forward formula takes to the given ones."""
    guess_lon, guess_lat = lon.copy(), lat.copy()
    for _ in range(_MAX_ROUNDS):
        shifted_lon, shifted_lat = forward(guess_lon, guess_lat)
        step_lon, step_lat = lon - shifted_lon, lat - shifted_lat
        guess_lon += step_lon
        guess_lat += step_lat
        if max(np.abs(step_lon).max(), np.abs(step_lat).max()) < _TOLERANCE_DEG:
            break
    return _where_offset((guess_lon, guess_lat), (guess_lon, guess_lat), otherwise=(lon, lat))


def _where_offset(wgs: _Pair, shifted: _Pair, *, otherwise: _Pair) -> _Pair:
    offset = is_offset_area(*wgs)
    return np.where(offset, shifted[0], otherwise[0]), np.where(offset, shifted[1], otherwise[1])


def _gcj_from_wgs(lon: FloatArray, lat: FloatArray) -> _Pair:
    x, y = lon - 105.0, lat - 35.0
    root = np.sqrt(np.abs(x))
    ripple = 20.0 * np.sin(6.0 * x * np.pi) + 20.0 * np.sin(2.0 * x * np.pi)
    north = -100.0 + 2.0 * x + 3.0 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * root
    north += 2.0 / 3.0 * (ripple + 20.0 * np.sin(y * np.pi) + 40.0 * np.sin(y / 3.0 * np.pi))
    north += 2.0 / 3.0 * (160.0 * np.sin(y / 12.0 * np.pi) + 320.0 * np.sin(y / 30.0 * np.pi))
    east = 300.0 + x + 2.0 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * root
    east += 2.0 / 3.0 * (ripple + 20.0 * np.sin(x * np.pi) + 40.0 * np.sin(x / 3.0 * np.pi))
    east += 2.0 / 3.0 * (150.0 * np.sin(x / 12.0 * np.pi) + 300.0 * np.sin(x / 30.0 * np.pi))

    phi = np.radians(lat)
    w = 1.0 - _ECCENTRICITY_SQUARED * np.sin(phi) ** 2
    meridian_m = _SEMI_MAJOR_M * (1.0 - _ECCENTRICITY_SQUARED) / (w * np.sqrt(w))
    parallel_m = _SEMI_MAJOR_M / np.sqrt(w) * np.cos(phi)
    return lon + np.degrees(east / parallel_m), lat + np.degrees(north / meridian_m)


def _bd_from_wgs(lon: FloatArray, lat: FloatArray) -> _Pair:
    x, y = _gcj_from_wgs(lon, lat)
    radius = np.hypot(x, y) + 0.00002 * np.sin(y * _BD_TURN)
    angle = np.arctan2(y, x) + 0.000003 * np.cos(x * _BD_TURN)
    return radius * np.cos(angle) + 0.0065, radius * np.sin(angle) + 0.006


_FORWARD: Final = {Datum.GCJ02: _gcj_from_wgs, Datum.BD09: _bd_from_wgs}
