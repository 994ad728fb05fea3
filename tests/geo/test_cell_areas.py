import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geo.cell_areas import AreaSums, areas_of, robust_area
from geo.cell_footprint import CellPolicy
from geo.cell_table import CellColumns
from geo.distance import FloatArray, geodesic_m

POLICY = CellPolicy()


def cells(lon: FloatArray, lat: FloatArray, *, area: int = 7) -> CellColumns:
    n = len(lon)
    whole = np.arange(n, dtype=np.int64)
    return CellColumns(
        network=whole * 0 + 2_460_000, area=whole * 0 + area, cell=whole + 1,
        lon_deg=lon, lat_deg=lat, range_m=np.full(n, 300.0), samples=whole * 0 + 10,
        is_exact=whole < 0, updated_s=np.full(n, np.nan),
    )  # fmt: skip


def town(n: int, *, seed: int = 1, spread_deg: float = 0.05) -> CellColumns:
    rng = np.random.default_rng(seed)
    return cells(rng.normal(114.0, spread_deg, n), rng.normal(22.5, spread_deg, n))


def test_an_area_holds_nearly_all_cells_like_its_own() -> None:
    area = areas_of(town(200))[0]
    others = town(500, seed=2)
    away = [
        geodesic_m(lon1_deg=area.lon_deg, lat1_deg=area.lat_deg, lon2_deg=x, lat2_deg=y)
        for x, y in zip(others.lon_deg, others.lat_deg, strict=True)
    ]
    assert np.mean(np.array(away) <= area.radius_m) >= 0.95
    assert area.radius_m < 40_000
    assert area.cells == 200


def test_few_cells_make_an_area_of_the_usual_size() -> None:
    area = areas_of(town(1))[0]
    assert area.radius_m == pytest.approx(POLICY.area_reach_m, rel=0.1)


def test_one_row_far_off_does_not_move_an_area() -> None:
    honest = town(60)
    far = cells(np.append(honest.lon_deg, 87.0), np.append(honest.lat_deg, 43.8))
    clean, robust = areas_of(honest)[0], areas_of(far)[0]
    moved_m = geodesic_m(
        lon1_deg=clean.lon_deg, lat1_deg=clean.lat_deg,
        lon2_deg=robust.lon_deg, lat2_deg=robust.lat_deg,
    )  # fmt: skip
    assert moved_m < 1.0
    assert robust.radius_m == pytest.approx(clean.radius_m, rel=0.01)
    assert robust.cells == 60


def test_an_area_all_over_the_country_is_none() -> None:
    rng = np.random.default_rng(3)
    wild = cells(rng.uniform(75, 130, 50), rng.uniform(20, 50, 50))
    assert robust_area(2_460_000, 7, wild, policy=POLICY) is None
    assert areas_of(wild) == []


@given(
    seed=st.integers(0, 1_000),
    cuts=st.lists(st.integers(0, 400), max_size=6),
    batch=st.sampled_from([1, 50, 10_000]),
)
@settings(max_examples=60, deadline=None)
def test_sums_of_pieces_are_the_moments_of_the_whole(
    seed: int, cuts: list[int], batch: int
) -> None:
    rng = np.random.default_rng(seed)
    n = 400
    whole = np.arange(n, dtype=np.int64)
    number = rng.integers(1, 9, n)
    found = CellColumns(
        network=2_460_000 + number % 2, area=number << 20, cell=whole,
        lon_deg=rng.normal(113.9, 0.05, n), lat_deg=rng.normal(22.5, 0.05, n),
        range_m=np.where(rng.random(n) < 0.3, np.nan, 300.0 + number), samples=whole,
        is_exact=whole < 0, updated_s=np.full(n, np.nan),
    )  # fmt: skip
    sums = AreaSums(batch)
    edges = [0, *sorted(cuts), n]
    for first, last in itertools.pairwise(edges):
        sums.add(found.take(whole[first:last]))
    moments = sums.moments()
    keys = list(zip(moments.network.tolist(), moments.area.tolist(), strict=True))
    assert keys == sorted(set(zip(found.network.tolist(), found.area.tolist(), strict=True)))
    for no, (network, area) in enumerate(keys):
        mine = found.take((found.network == network) & (found.area == area))
        assert moments.cells[no] == len(mine)
        assert moments.lon_deg[no] == pytest.approx(mine.lon_deg.mean(), abs=1e-12)
        assert moments.lat_deviation_deg[no] == pytest.approx(mine.lat_deg.std(), abs=1e-9)
        assert moments.lon_deviation_deg[no] == pytest.approx(mine.lon_deg.std(), abs=1e-9)
        known = mine.range_m[~np.isnan(mine.range_m)]
        assert moments.reach_m[no] == pytest.approx(known.mean() if len(known) else 0.0)
    assert [part.cells.tolist() for part in moments.parts(3)] == [
        moments.cells[at : at + 3].tolist() for at in range(0, len(keys), 3)
    ]


def test_areas_are_kept_apart_by_network_and_number() -> None:
    joined = CellColumns.joined([town(5), cells(np.array([116.4]), np.array([39.9]), area=8)])
    assert [(a.area, a.cells) for a in areas_of(joined)] == [(7, 5), (8, 1)]
    assert areas_of(joined.take(np.array([], dtype=np.int64))) == []
