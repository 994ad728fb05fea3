from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from geo.fingerprint import MOMENTS, PLACES, RHYTHMS, fingerprint, rhythms
from geo.fix import FixArray, QualityFlag

DAY_S = 86_400.0


def day(seed: int, *, count: int = 200) -> FixArray:
    dice = np.random.default_rng(seed)
    at_s = 1_763_424_000.0 + np.cumsum(dice.integers(30, 120, count))
    way = (at_s - 1_763_424_000.0) * (4.0 + seed % 7) / 111_195.0
    return FixArray.from_arrays(
        epoch_s=at_s,
        lon_deg=114.0 + dice.normal(0.0, 5e-5, count),
        lat_deg=22.5 + way + dice.normal(0.0, 5e-5, count),
        accuracy_m=np.full(count, 8.0),
    )


def shared(a: FixArray, b: FixArray) -> int:
    return len(np.intersect1d(fingerprint(a), fingerprint(b)))


def test_a_copy_of_another_date_has_the_same_fingerprint() -> None:
    one = day(1)
    assert shared(one, replace(one, epoch_s=one.epoch_s + 3 * DAY_S)) == len(fingerprint(one))


def test_a_shaken_copy_shares_rhythm_and_moments() -> None:
    one = day(1)
    dice = np.random.default_rng(9)
    shaken = replace(
        one,
        epoch_s=one.epoch_s + DAY_S,
        lon_deg=one.lon_deg + dice.normal(0.0, 5e-5, len(one)),
        lat_deg=one.lat_deg + dice.normal(0.0, 5e-5, len(one)),
    )
    assert RHYTHMS + 0.5 * MOMENTS < shared(one, shaken) <= RHYTHMS + MOMENTS


def test_half_a_day_is_found_in_the_whole() -> None:
    one = day(1)
    assert shared(one.take(np.arange(100)), one) >= 16


def test_different_days_and_tenants_share_nothing() -> None:
    assert shared(day(1), day(2)) == 0
    assert not set(fingerprint(day(1), salt=1)) & set(fingerprint(day(1), salt=2))


def test_a_phone_that_reports_every_minute_has_no_rhythm() -> None:
    assert len(rhythms(np.arange(0.0, 28_800.0, 60.0))[0]) == 0


def test_mock_fixes_are_no_part_of_it() -> None:
    one = day(1)
    mock = replace(one, flags=np.full(len(one), int(QualityFlag.MOCK)))
    assert len(fingerprint(mock)) == 0


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 300), st.integers(0, 1_000), st.integers(0, 2**31 - 1))
def test_it_is_short_sorted_and_the_same_for_any_order(count: int, seed: int, salt: int) -> None:
    fixes = day(seed, count=count)
    found = fingerprint(fixes, salt=salt)
    assert len(found) <= PLACES + RHYTHMS + MOMENTS
    assert found.dtype == np.int64
    assert len(np.unique(found)) == len(found)
    order = np.random.default_rng(seed).permutation(len(fixes))
    again = FixArray.from_arrays(
        epoch_s=fixes.epoch_s[order],
        lon_deg=fixes.lon_deg[order],
        lat_deg=fixes.lat_deg[order],
        accuracy_m=fixes.accuracy_m[order],
    )
    assert fingerprint(again, salt=salt).tolist() == found.tolist()
