import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geo.cell_check import CellCheck, CellVerdict, judge_gps_against_cells
from geo.cell_footprint import CellRecord
from geo.cell_identity import Radio, network_code
from geo.cells import CellSeen
from geo.distance import destination

HOME = (114.05, 22.54)
NOW_S = 1_790_000_000.0


def record(cell: int = 1, *, radio: Radio = Radio.LTE, samples: int = 500) -> CellRecord:
    return CellRecord(
        network=network_code(radio, mcc=460, mnc=0), area=9, cell=cell, lon_deg=HOME[0],
        lat_deg=HOME[1], range_m=800.0, samples=samples, updated_s=NOW_S,
    )  # fmt: skip


def seen(cell: int = 1, *, radio: Radio = Radio.LTE, age_s: float | None = None) -> CellSeen:
    return CellSeen(radio=radio, mcc=460, mnc=0, area=9, cell=cell, age_s=age_s)


def judged(
    away_m: float,
    cells: list[CellSeen] | None = None,
    records: list[CellRecord] | None = None,
    *,
    accuracy_m: float | None = 10.0,
) -> CellCheck:
    lon, lat = destination(lon_deg=HOME[0], lat_deg=HOME[1], azimuth_deg=30, distance_m=away_m)
    return judge_gps_against_cells(
        lon_deg=lon,
        lat_deg=lat,
        accuracy_m=accuracy_m,
        seen=[seen()] if cells is None else cells,
        records=[record()] if records is None else records,
        now_s=NOW_S,
    )


@pytest.mark.parametrize(
    ("away_m", "verdict"),
    [
        (0.0, CellVerdict.PLAUSIBLE),
        (700.0, CellVerdict.PLAUSIBLE),
        (3_000.0, CellVerdict.STRAINED),
        (15_000.0, CellVerdict.STRAINED),
        (40_000.0, CellVerdict.IMPOSSIBLE),
        (500_000.0, CellVerdict.IMPOSSIBLE),
    ],
)
def test_the_farther_from_its_cell_the_less_a_position_is_believed(
    away_m: float, verdict: CellVerdict
) -> None:
    found = judged(away_m)
    assert found.verdict is verdict
    assert found.distance_m == pytest.approx(away_m, abs=0.1)
    assert found.radius_m is not None
    assert found.margin_m == pytest.approx(away_m - found.radius_m - 20.0, abs=0.2)


def test_a_cell_hardly_surveyed_only_strains_until_its_timing_forbids() -> None:
    few = [record(samples=3)]
    assert judged(40_000, records=few).verdict is CellVerdict.STRAINED
    assert judged(120_000, records=few).verdict is CellVerdict.IMPOSSIBLE
    gsm = [record(radio=Radio.GSM, samples=3)]
    heard = [seen(radio=Radio.GSM)]
    assert judged(33_000, heard, gsm).verdict is CellVerdict.STRAINED
    assert judged(41_000, heard, gsm).verdict is CellVerdict.IMPOSSIBLE


def test_a_vague_position_is_given_its_own_circle() -> None:
    assert judged(3_000, accuracy_m=1_500).verdict is CellVerdict.PLAUSIBLE
    assert judged(3_000, accuracy_m=None).verdict is CellVerdict.STRAINED


def test_one_cell_that_fits_is_enough() -> None:
    there = CellRecord(
        network=record().network, area=9, cell=2, lon_deg=120.0, lat_deg=30.0, range_m=800.0,
        samples=500, updated_s=NOW_S,
    )  # fmt: skip
    found = judged(100.0, [seen(1), seen(2)], [record(1), there])
    assert found.verdict is CellVerdict.PLAUSIBLE
    assert [c["verdict"] for c in found.detail["cells"]] == ["plausible", "impossible"]


def test_a_contradictory_cell_accuses_nobody() -> None:
    other = CellRecord(
        network=record().network, area=9, cell=1, lon_deg=120.0, lat_deg=30.0, range_m=800.0,
        samples=500, updated_s=NOW_S, source="other",
    )  # fmt: skip
    assert judged(50_000, records=[record(), other]).verdict is CellVerdict.PLAUSIBLE


def test_unknown_stale_and_impossible_cells_say_nothing() -> None:
    assert judged(0, records=[]).verdict is None
    assert judged(0, records=[]).detail["unknown_cells"] == 1
    assert judged(90_000, [seen(age_s=120)]).verdict is None
    assert judged(0, [seen(268_435_455)]).detail["dropped"] == {"cell_reserved": 1}
    assert judged(0, []).verdict is None


@settings(deadline=None)
@given(away_m=st.floats(0, 300_000), seed=st.integers(0, 5))
def test_order_never_matters_and_distance_never_helps(away_m: float, seed: int) -> None:
    cells = [seen(1), seen(2), seen(3)]
    records = [record(1), record(2, samples=4), record(3)]
    expected = judged(away_m, cells, records)
    random.Random(seed).shuffle(cells)
    random.Random(seed + 1).shuffle(records)
    assert judged(away_m, cells, records) == expected
    order = list(CellVerdict)
    nearer = judged(away_m / 2, cells, records)
    assert nearer.verdict is not None
    assert expected.verdict is not None
    assert order.index(nearer.verdict) <= order.index(expected.verdict)
