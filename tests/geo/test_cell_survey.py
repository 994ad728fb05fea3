from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geo.cell_footprint import CellPolicy
from geo.cell_identity import Radio
from geo.cell_survey import NotSurveyed, Observations, SurveyedCell, survey_cell
from geo.distance import LocalPlane, geodesic_m

HOME = (114.05, 22.54)
PLANE = LocalPlane(*HOME)


def met(
    device: int,
    *,
    east_m: float = 0.0,
    north_m: float = 0.0,
    spread_m: float = 200.0,
    days: tuple[int, ...] = (1, 2, 3),
    count: int = 20,
    accuracy_m: float = 10.0,
    age_s: float = 0.0,
    speed_mps: float = 1.0,
) -> Observations:
    """Measurements of one phone round a place, so many each day."""
    rng = np.random.default_rng(device)
    n = count * len(days)
    lon, lat = PLANE.inverse(rng.normal(east_m, spread_m, n), rng.normal(north_m, spread_m, n))
    return Observations(
        lon_deg=lon,
        lat_deg=lat,
        accuracy_m=np.full(n, accuracy_m),
        speed_mps=np.full(n, speed_mps),
        age_s=np.full(n, age_s),
        signal_dbm=np.full(n, np.nan),
        device=np.full(n, device),
        day=np.repeat(np.array(days), count),
    )


def joined(*parts: Observations) -> Observations:
    return Observations(
        *(np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(Observations))
    )


def survey(*parts: Observations) -> SurveyedCell | NotSurveyed:
    return survey_cell(joined(*parts), radio=Radio.LTE)


def surveyed(*parts: Observations) -> SurveyedCell:
    found = survey(*parts)
    assert isinstance(found, SurveyedCell), found
    return found


def away_m(found: SurveyedCell, east_m: float = 0.0) -> float:
    lon, lat = PLANE.inverse(east_m, 0.0)
    return geodesic_m(
        lon1_deg=found.lon_deg, lat1_deg=found.lat_deg,
        lon2_deg=float(lon[0]), lat2_deg=float(lat[0]),
    )  # fmt: skip


def test_a_cell_is_learned_where_phones_met_it() -> None:
    found = surveyed(*(met(d) for d in range(5)))
    assert away_m(found) < 100
    assert 300 < found.range_m < 700
    assert (found.devices, found.days, found.samples) == (5, 3, 15)
    assert (found.outvoted, found.moved) == (0, False)


def test_two_phones_or_one_day_teach_nothing() -> None:
    assert survey(met(1), met(2)) == NotSurveyed("few_devices")
    assert survey(*(met(d, days=(7,)) for d in range(9))) == NotSurveyed("few_days")


@pytest.mark.parametrize(
    "worthless",
    [{"accuracy_m": 400.0}, {"accuracy_m": np.nan}, {"age_s": 60.0}, {"speed_mps": 80.0}],
)
def test_vague_stale_and_flying_measurements_do_not_count(worthless: dict[str, float]) -> None:
    honest = [met(1), met(2)]
    assert survey(*honest, met(3, **worthless)) == NotSurveyed("few_devices")  # type: ignore[arg-type]


def test_who_reports_most_has_no_more_say() -> None:
    quiet = [met(d, spread_m=50) for d in range(4)]
    loud = met(9, east_m=800.0, spread_m=50, count=3_000)
    assert away_m(surveyed(*quiet, loud)) < 150


@settings(max_examples=40, deadline=None)
@given(
    east_m=st.floats(-2_000_000, 2_000_000),
    north_m=st.floats(-1_000_000, 1_000_000),
    count=st.integers(1, 400),
    days=st.sets(st.integers(1, 28), min_size=1, max_size=10),
)
def test_one_poisoner_cannot_move_a_cell(
    east_m: float, north_m: float, count: int, days: set[int]
) -> None:
    honest = [met(d) for d in range(5)]
    clean = surveyed(*honest)
    poison = met(77, east_m=east_m, north_m=north_m, spread_m=1.0, count=count,
                 days=tuple(sorted(days)))  # fmt: skip
    found = surveyed(*honest, poison)
    moved_m = geodesic_m(
        lon1_deg=clean.lon_deg, lat1_deg=clean.lat_deg,
        lon2_deg=found.lon_deg, lat2_deg=found.lat_deg,
    )  # fmt: skip
    assert moved_m < clean.range_m / 2
    assert found.range_m < 2 * CellPolicy().reach_m[Radio.LTE] + clean.range_m


def test_a_lone_liar_among_the_fewest_makes_a_dispute_not_a_place() -> None:
    liar = met(9, east_m=50_000)
    assert survey(met(1), met(2), liar) == NotSurveyed("disputed")
    found = surveyed(met(1), met(2), met(3), liar)
    assert found.outvoted == 1
    assert found.devices == 3


def test_half_against_half_is_a_dispute() -> None:
    here = [met(d) for d in range(3)]
    there = [met(10 + d, east_m=40_000) for d in range(3)]
    assert survey(*here, *there) == NotSurveyed("disputed")


def test_a_cell_that_moved_is_learned_where_it_is_now() -> None:
    before = [met(d, days=(1, 2, 3)) for d in range(4)]
    after = [met(d, days=(4, 5, 6), east_m=30_000) for d in range(4)]
    found = surveyed(*before, *after)
    assert found.moved
    assert away_m(found, east_m=30_000) < 200


def test_a_cell_on_a_train_is_none() -> None:
    rides = [met(d, spread_m=150_000.0, count=60) for d in range(6)]
    assert isinstance(survey(*rides), NotSurveyed)


def test_the_order_of_measurements_never_matters() -> None:
    all_of_them = joined(*(met(d) for d in range(4)), met(9, east_m=30_000))
    shuffled = all_of_them.take(np.random.default_rng(1).permutation(len(all_of_them)))
    expected = survey_cell(all_of_them, radio=Radio.LTE)
    assert survey_cell(shuffled, radio=Radio.LTE) == expected
