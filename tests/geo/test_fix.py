from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geo.errors import GeoError
from geo.fix import EPOCH, Fix, FixArray, QualityFlag, Source, from_epoch_s, to_epoch_s
from tests.geo.scenes import NINE, fix, minute, stay


def columns_of(fixes: FixArray) -> list[object]:
    return [
        np.nan_to_num(c, nan=-1.0).tolist() if c.dtype.kind == "f" else c.tolist()
        for c in fixes._columns()
    ]


def test_flag_values_are_stored_and_must_not_move() -> None:
    assert {flag.names()[0]: int(flag) for flag in QualityFlag if flag} == {
        "future": 1, "late": 2, "jump": 4, "mock": 8, "frozen": 16, "coarse": 32,
        "null_island": 64, "no_accuracy": 128, "no_tst": 256, "field_nulled": 512,
        "ping": 1024, "clock": 2048, "duplicate": 4096, "claim_mismatch": 8192,
    }  # fmt: skip
    assert (QualityFlag.LATE | QualityFlag.FUTURE).names() == ("future", "late")
    assert QualityFlag.NONE.names() == ()


def test_source_values_are_stored() -> None:
    assert [s.value for s in Source] == ["gps", "wifi", "cell", "lbs", "unknown"]


@pytest.mark.parametrize(("lon", "lat"), [(181, 0), (0, 91), (float("nan"), 0), (0, float("inf"))])
def test_positions_off_the_globe_are_refused(lon: float, lat: float) -> None:
    with pytest.raises(GeoError) as refusal:
        Fix(fixed_at=NINE, lon_deg=lon, lat_deg=lat)
    assert refusal.value.code == "range"


def test_naive_times_are_refused() -> None:
    naive = datetime(2026, 11, 18, 9)  # noqa: DTZ001  # the point of the test
    with pytest.raises(GeoError):
        Fix(fixed_at=naive, lon_deg=0, lat_deg=0)
    with pytest.raises(GeoError):
        Fix(fixed_at=NINE, lon_deg=0, lat_deg=0, received_at=naive)
    with pytest.raises(GeoError):
        to_epoch_s(naive)


@given(st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001
def test_instants_survive_the_columns_to_the_microsecond(at: datetime) -> None:
    assert from_epoch_s(to_epoch_s(at)) == at


def test_instants_of_other_zones_are_the_same_instant() -> None:
    shanghai = timezone(timedelta(hours=8))
    assert to_epoch_s(NINE.astimezone(shanghai)) == to_epoch_s(NINE)
    assert to_epoch_s(EPOCH) == 0.0


def test_unknown_accuracy_is_nan_and_zero_is_unknown() -> None:
    columns = FixArray.from_arrays(
        epoch_s=[0, 1, 2], lon_deg=[1, 2, 3], lat_deg=[1, 2, 3], accuracy_m=[0, -5, 7]
    )
    assert np.isnan(columns.accuracy_m).tolist() == [True, True, False]
    assert FixArray.from_fixes([fix(0, accuracy_m=None)]).flag_counts() == {"no_accuracy": 1}


def test_what_the_message_says_becomes_a_flag() -> None:
    columns = FixArray.from_fixes([fix(0, mock=True), fix(1, trigger="p"), fix(2)])
    assert columns.flag_counts() == {"mock": 1, "ping": 1}
    assert columns.has(QualityFlag.MOCK | QualityFlag.PING).tolist() == [True, True, False]


def test_same_instant_different_messages_are_both_kept() -> None:
    assert len(FixArray.from_fixes([fix(0, 0), fix(0, 50)])) == 2


def test_without_keys_time_and_place_tell_fixes_apart() -> None:
    columns = FixArray.from_arrays(
        epoch_s=[5, 5, 5], lon_deg=[1.0, 1.0, 1.1], lat_deg=[2.0, 2.0, 2.0]
    )
    assert len(columns) == 2


def test_between_is_half_open() -> None:
    columns = FixArray.from_fixes([fix(i) for i in range(10)])
    part = columns.between(minute(2), minute(5))
    assert [part.fixed_at(i) for i in range(len(part))] == [minute(2), minute(3), minute(4)]


def test_ragged_or_infinite_columns_are_refused() -> None:
    with pytest.raises(GeoError) as ragged:
        FixArray.from_arrays(epoch_s=[1, 2], lon_deg=[1], lat_deg=[1, 2])
    assert ragged.value.code == "ragged_columns"
    with pytest.raises(GeoError) as infinite:
        FixArray.from_arrays(epoch_s=[np.nan], lon_deg=[1], lat_deg=[1])
    assert infinite.value.code == "not_finite"


def test_no_fixes_are_fine() -> None:
    nothing = FixArray.from_fixes([])
    assert len(nothing) == 0
    assert nothing.flag_counts() == {}


@settings(max_examples=60)
@given(
    st.lists(
        st.builds(
            fix,
            st.integers(0, 20),
            st.sampled_from([0.0, 50.0]),
            accuracy_m=st.sampled_from([None, 5.0, 9.0]),
            battery_pct=st.sampled_from([None, 4, 80]),
        ),
        max_size=40,
    ),
    st.randoms(),
)
def test_columns_do_not_depend_on_order_or_copies(fixes: list[Fix], dice: object) -> None:
    shuffled = [*fixes, *fixes]
    dice.shuffle(shuffled)  # type: ignore[attr-defined]
    once, again = FixArray.from_fixes(fixes), FixArray.from_fixes(shuffled)
    assert columns_of(once) == columns_of(again)
    assert (np.diff(once.epoch_s) >= 0).all()
    pairs = list(zip(once.epoch_s.tolist(), once.keys.tolist(), strict=True))
    assert len(set(pairs)) == len(pairs)


def test_sources_are_codes() -> None:
    columns = FixArray.from_fixes([fix(0), fix(1, source=Source.CELL), *stay(2, 5)])
    assert columns.is_source(Source.CELL, Source.LBS).tolist() == [False, True, False, False, False]
