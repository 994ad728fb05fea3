"""Two sources of one phone that lie apart by the same way everywhere: a datum nobody stated.

Errors of measurement point anywhere and change from place to place. A map datum taken for
another does not: it moves every position the same way, by some hundred metres. Wherever a
phone was, the offset between its sources is then the same, and it is that of the datum.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from geo.crs import Datum, convert
from geo.distance import FloatArray, LocalPlane
from geo.fix import NOT_EVIDENCE, SOURCES, FixArray, IntArray, Source


@dataclass(frozen=True, slots=True, kw_only=True)
class OffsetPolicy:
    """When an offset is no error of measurement."""

    pair_s: float = 60.0
    """Fixes of two sources no farther apart in time are of the same place."""
    max_accuracy_m: float = 150.0
    """Coarser fixes would hide the offset, or make one up."""
    max_speed_mps: float = 3.0
    """Faster, seconds between two fixes are metres between them."""
    min_pairs: int = 12
    min_places: int = 3
    """At one place any source may be off by anything, always the same way."""
    place_m: float = 500.0
    """So far apart are two places."""
    smallest_m: float = 200.0
    largest_m: float = 1_500.0
    """GCJ-02 shifts by 250 to 670 m where most people live, BD-09 by up to 1,300 m."""
    agree_share: float = 0.8
    agree_m: float = 100.0
    """So many of the pairs lie this close to the common offset."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DatumOffset:
    """A constant offset between two sources of one phone.

    Attributes
    ----------
    source : positions of this source are moved; the likelier one when no datum fits.
    against : positions of this one are not.
    datum : what the moved ones fit, None when the offset is that of no known datum.
    offset_m, bearing_deg : from the unmoved to the moved positions; the median of all pairs.
    pairs, places : how many say so.
    agreeing : share of the pairs that do.
    """

    source: Source
    against: Source
    datum: Datum | None
    offset_m: float
    bearing_deg: float
    pairs: int
    places: int
    agreeing: float


_COMPARED: Final = (Source.GPS, Source.WIFI, Source.LBS, Source.UNKNOWN)


def find_datum_offset(fixes: FixArray, *, policy: OffsetPolicy | None = None) -> DatumOffset | None:
    """Look for a constant offset between the sources of one phone.

    Parameters
    ----------
    fixes : of one device, some days of them, WGS-84 as far as anybody knows.

    Returns
    -------
    The offset with most pairs behind it; None when sources agree, differ by chance, or met at
    too few places to tell. The same for any order of fixes. O(n log n).
    """
    policy = policy or OffsetPolicy()
    with np.errstate(invalid="ignore"):
        usable = (fixes.accuracy_m <= policy.max_accuracy_m) & ~fixes.has(NOT_EVIDENCE)
        usable &= ~(fixes.speed_mps > policy.max_speed_mps)
    fixes = fixes.take(usable)
    found = []
    for i, one in enumerate(_COMPARED):
        for other in _COMPARED[i + 1 :]:
            offset = _between(fixes, one, other, policy)
            found += [] if offset is None else [offset]
    return max(found, key=lambda o: (o.pairs, o.source), default=None)


def _between(
    fixes: FixArray, one: Source, other: Source, policy: OffsetPolicy
) -> DatumOffset | None:
    a, b = (fixes.take(fixes.is_source(source)) for source in (one, other))
    left, right = _pairs(a.epoch_s, b.epoch_s, policy.pair_s)
    if len(left) < policy.min_pairs:
        return None
    a, b = a.take(left), b.take(right)
    plane = LocalPlane(float(np.median(a.lon_deg)), float(np.median(a.lat_deg)))
    ax, ay = plane.forward(a.lon_deg, a.lat_deg)
    bx, by = plane.forward(b.lon_deg, b.lat_deg)
    places = _count_places(ax, ay, policy.place_m)
    east, north = float(np.median(bx - ax)), float(np.median(by - ay))
    length_m = float(np.hypot(east, north))
    close = np.hypot(bx - ax - east, by - ay - north) <= policy.agree_m
    agreeing = float(close.mean())
    if (
        places < policy.min_places
        or not policy.smallest_m <= length_m <= policy.largest_m
        or agreeing < policy.agree_share
    ):
        return None
    moved, datum = _explained(a, b, plane, policy)
    source, against = (one, other) if moved == 0 else (other, one)
    sign = -1.0 if moved == 0 else 1.0
    return DatumOffset(
        source=source,
        against=against,
        datum=datum,
        offset_m=round(length_m, 1),
        bearing_deg=round(float(np.degrees(np.arctan2(sign * east, sign * north))) % 360.0, 1),
        pairs=len(left),
        places=places,
        agreeing=round(agreeing, 3),
    )


def _pairs(left_s: FloatArray, right_s: FloatArray, within_s: float) -> tuple[IntArray, IntArray]:
    """For each fix of the right its nearest of the left, each of the left at most once."""
    if not len(left_s) or not len(right_s):
        return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
    after = np.clip(np.searchsorted(left_s, right_s), 0, len(left_s) - 1)
    before = np.maximum(after - 1, 0)
    nearer = np.abs(left_s[before] - right_s) <= np.abs(left_s[after] - right_s)
    nearest = np.where(nearer, before, after)
    near = np.flatnonzero(np.abs(left_s[nearest] - right_s) <= within_s)
    _, first = np.unique(nearest[near], return_index=True)
    chosen = near[first]
    return nearest[chosen].astype(np.int64), chosen.astype(np.int64)


def _count_places(x: FloatArray, y: FloatArray, apart_m: float) -> int:
    """How many positions can be taken, from the first on, none of them near another."""
    count = 0
    while len(x):
        far = np.hypot(x - x[0], y - y[0]) > apart_m
        x, y = x[far], y[far]
        count += 1
    return count


def _explained(
    a: FixArray, b: FixArray, plane: LocalPlane, policy: OffsetPolicy
) -> tuple[int, Datum | None]:
    """Which side is moved (0 or 1) and by what datum: the one that makes both agree."""
    # Satellites know no map; without a better reason whatever is compared with them is moved.
    gps = SOURCES.index(Source.GPS)
    best: tuple[float, int, Datum | None] = (policy.agree_m, 0 if b.source[0] == gps else 1, None)
    for side in (0, 1):
        moved, still = (a, b) if side == 0 else (b, a)
        for datum in (Datum.GCJ02, Datum.BD09):
            lon, lat = convert(moved.lon_deg, moved.lat_deg, source=datum, target=Datum.WGS84)
            x, y = plane.forward(lon, lat)
            sx, sy = plane.forward(still.lon_deg, still.lat_deg)
            left_m = float(np.median(np.hypot(x - sx, y - sy)))
            if left_m < best[0]:
                best = (left_m, side, datum)
    return best[1], best[2]
