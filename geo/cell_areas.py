"""Location areas: the middle and the extent of the cells known in each."""

from collections.abc import Iterator
from dataclasses import dataclass, fields

import numpy as np

from geo.cell_footprint import AreaRecord, CellPolicy, area_radius_m
from geo.cell_table import CellColumns
from geo.distance import FloatArray, LocalPlane, geodesics_m
from geo.fix import IntArray

_OUTLIER = 5.0
_STEP_DEG = 0.001
_AREA_BITS = 24
_SUMS = 7
"""Of each area: cells, offsets east and north, their squares, cells with a range, ranges."""


@dataclass(frozen=True, slots=True, eq=False)
class AreaMoments:
    """Sums over the cells of areas, one row an area; what a database can count in one pass.

    Attributes
    ----------
    network, area : ``(n,)`` keys.
    lon_deg, lat_deg : ``(n,)`` means.
    lon_deviation_deg, lat_deviation_deg : ``(n,)`` standard deviations (of all, not of a sample).
    reach_m : ``(n,)`` mean range of the cells that have one, 0 for none.
    cells : ``(n,)`` counts.
    """

    network: IntArray
    area: IntArray
    lon_deg: FloatArray
    lat_deg: FloatArray
    lon_deviation_deg: FloatArray
    lat_deviation_deg: FloatArray
    reach_m: FloatArray
    cells: IntArray

    @classmethod
    def of(cls, cells: CellColumns) -> "AreaMoments":
        """Moments of cells in memory. O(n log n)."""
        sums = AreaSums()
        sums.add(cells)
        return sums.moments()

    def parts(self, size: int) -> Iterator["AreaMoments"]:
        """Yield the same areas some at a time."""
        for first in range(0, len(self.cells), size):
            yield AreaMoments(*(getattr(self, f.name)[first : first + size] for f in fields(self)))

    def spread_m(self) -> FloatArray:
        """Root mean square distance of the cells of each area from their mean, metres."""
        east = geodesics_m(
            lon1_deg=self.lon_deg, lat1_deg=self.lat_deg,
            lon2_deg=self.lon_deg + _STEP_DEG, lat2_deg=self.lat_deg,
        )  # fmt: skip
        towards = np.where(self.lat_deg > 0.0, -_STEP_DEG, _STEP_DEG)
        north = geodesics_m(
            lon1_deg=self.lon_deg, lat1_deg=self.lat_deg,
            lon2_deg=self.lon_deg, lat2_deg=self.lat_deg + towards,
        )  # fmt: skip
        return np.hypot(
            self.lon_deviation_deg * east / _STEP_DEG, self.lat_deviation_deg * north / _STEP_DEG
        )

    def radius_m(self, *, policy: CellPolicy) -> FloatArray:
        """95 % radius of each area, metres; see `geo.cell_footprint.area_radius_m`."""
        return area_radius_m(self.spread_m(), self.reach_m, self.cells, policy=policy)

    def too_wide(self, *, policy: CellPolicy) -> IntArray:
        """Find areas too wide to believe, as indices: a row that is far off may be to blame."""
        return np.flatnonzero(self.spread_m() > policy.area_reach_m)


class AreaSums:
    """Adds cells up that come piece by piece; memory grows with the areas, not with the cells.

    Parameters
    ----------
    batch : so many cells are added at once; each time costs a look at all areas.
    """

    def __init__(self, batch: int = 200_000) -> None:
        self._batch = batch
        self._waiting: list[CellColumns] = []
        self._keys = np.zeros(0, dtype=np.int64)
        # Sums are of offsets from some cell of the area: squares of degrees would lose metres.
        self._origin = np.zeros((2, 0))
        self._sums = np.zeros((_SUMS, 0))

    def add(self, cells: CellColumns) -> None:
        """Take cells in. Amortised O(n log n) of a batch, beside O(areas) a batch."""
        self._waiting.append(cells)
        if sum(len(part) for part in self._waiting) >= self._batch:
            self._add_up()

    def moments(self) -> AreaMoments:
        """Moments of all cells so far, by key."""
        self._add_up()
        cells, x, y, xx, yy, ranged, reach = self._sums
        n = np.maximum(cells, 1.0)
        mean_x, mean_y = x / n, y / n
        return AreaMoments(
            self._keys >> _AREA_BITS,
            self._keys & ((1 << _AREA_BITS) - 1),
            self._origin[0] + mean_x,
            self._origin[1] + mean_y,
            np.sqrt(np.maximum(xx / n - mean_x**2, 0.0)),
            np.sqrt(np.maximum(yy / n - mean_y**2, 0.0)),
            reach / np.maximum(ranged, 1.0),
            cells.astype(np.int64),
        )

    def _add_up(self) -> None:
        if not self._waiting:
            return
        cells = CellColumns.joined(self._waiting)
        self._waiting.clear()
        keys, first, group = np.unique(_keys(cells), return_index=True, return_inverse=True)
        self._admit(keys, np.stack([cells.lon_deg[first], cells.lat_deg[first]]))
        place = np.searchsorted(self._keys, keys)[group.reshape(-1)]
        x = cells.lon_deg - self._origin[0][place]
        y = cells.lat_deg - self._origin[1][place]
        known = ~np.isnan(cells.range_m)
        reach = np.where(known, cells.range_m, 0.0)
        summands = (None, x, y, x * x, y * y, known, reach)
        self._sums += [
            np.bincount(place, weights=one, minlength=len(self._keys)) for one in summands
        ]

    def _admit(self, keys: IntArray, origin: FloatArray) -> None:
        """Make room for areas not met before; what was added up moves to its new place."""
        new = np.flatnonzero(~np.isin(keys, self._keys, assume_unique=True))
        if not len(new):
            return
        at = np.searchsorted(self._keys, keys[new])
        self._keys = np.insert(self._keys, at, keys[new])
        self._origin = np.insert(self._origin, at, origin[:, new], axis=1)
        self._sums = np.insert(self._sums, at, 0.0, axis=1)


def robust_area(
    network: int, area: int, cells: CellColumns, *, policy: CellPolicy
) -> AreaRecord | None:
    """Middle and extent of one area from its cells, rows far off left out.

    The middle is the one of the middle cells, so that less than half of the rows can be wrong
    without moving it; cells farther off than five times the usual distance are not counted.

    Returns
    -------
    None when even so the area is wider than any is.
    """
    start = LocalPlane(float(np.median(cells.lon_deg)), float(np.median(cells.lat_deg)))
    east, north = start.forward(cells.lon_deg, cells.lat_deg)
    away = np.hypot(east - np.median(east), north - np.median(north))
    kept = away <= _OUTLIER * max(float(np.median(away)), policy.area_reach_m / 4.0)
    lon, lat = start.inverse(east[kept].mean(), north[kept].mean())
    spread = float(np.hypot(east[kept].std(), north[kept].std()))
    known = kept & ~np.isnan(cells.range_m)
    reach = float(cells.range_m[known].mean()) if known.any() else 0.0
    radius = float(area_radius_m(spread, reach, int(kept.sum()), policy=policy))
    if radius > policy.area_limit_m:
        return None
    return AreaRecord(network, area, float(lon[0]), float(lat[0]), radius, int(kept.sum()))


def _keys(cells: CellColumns) -> IntArray:
    """One number an area; areas have 24 bits at most."""
    return np.asarray((cells.network << _AREA_BITS) | cells.area, dtype=np.int64)


def areas_of(cells: CellColumns, *, policy: CellPolicy | None = None) -> list[AreaRecord]:
    """Areas of all cells of a file, by key. O(n log n)."""
    policy = policy or CellPolicy()
    if not len(cells):
        return []
    moments = AreaMoments.of(cells)
    radius = moments.radius_m(policy=policy)
    wide = set(moments.too_wide(policy=policy).tolist())
    rows = np.argsort(_keys(cells), kind="stable")
    ends = np.cumsum(moments.cells)
    found = []
    for i in range(len(radius)):
        network, area = int(moments.network[i]), int(moments.area[i])
        if i in wide:
            mine = cells.take(rows[ends[i] - moments.cells[i] : ends[i]])
            robust = robust_area(network, area, mine, policy=policy)
            found += [] if robust is None else [robust]
        else:
            place = float(moments.lon_deg[i]), float(moments.lat_deg[i])
            found.append(AreaRecord(network, area, *place, float(radius[i]), int(moments.cells[i])))
    return found
