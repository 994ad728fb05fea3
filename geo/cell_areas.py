"""Location areas: the middle and the extent of the cells known in each."""

from dataclasses import dataclass

import numpy as np

from geo.cell_footprint import AreaRecord, CellPolicy, area_radius_m
from geo.cell_table import CellColumns
from geo.distance import FloatArray, LocalPlane, geodesics_m
from geo.fix import IntArray

_OUTLIER = 5.0
_STEP_DEG = 0.001


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
        _, first, group, counts = np.unique(
            _keys(cells), return_index=True, return_inverse=True, return_counts=True
        )
        group = group.reshape(-1)

        def mean(values: FloatArray) -> FloatArray:
            return np.bincount(group, weights=values, minlength=len(first)) / counts

        lon, lat = mean(cells.lon_deg), mean(cells.lat_deg)
        known = ~np.isnan(cells.range_m)
        ranged = np.bincount(group[known], minlength=len(first))
        reach = np.bincount(group[known], weights=cells.range_m[known], minlength=len(first))
        return cls(
            cells.network[first],
            cells.area[first],
            lon,
            lat,
            np.sqrt(mean((cells.lon_deg - lon[group]) ** 2)),
            np.sqrt(mean((cells.lat_deg - lat[group]) ** 2)),
            reach / np.maximum(ranged, 1),
            counts,
        )

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
    return np.asarray((cells.network << 24) | cells.area, dtype=np.int64)


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
