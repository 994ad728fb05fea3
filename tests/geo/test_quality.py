from dataclasses import replace
from datetime import timedelta

from geo.fix import FixArray, QualityFlag, Source
from geo.policy import QualityPolicy
from geo.quality import flag_batch, flag_series
from tests.geo.scenes import fix, stay

POLICY = QualityPolicy()


def flags_of(*fixes: object, **more: object) -> list[tuple[str, ...]]:
    return [f.names() for f in flag_batch(fixes, policy=POLICY, **more)]  # type: ignore[arg-type]


def received(after_s: float) -> object:
    one = fix(0)
    return replace(one, received_at=one.fixed_at + timedelta(seconds=after_s))


def test_plain_fix_has_no_flag() -> None:
    assert flags_of(received(2)) == [()]


def test_clock_ahead_and_future() -> None:
    assert flags_of(received(-11)) == [("clock",)]
    assert flags_of(received(-120)) == [("clock",)]
    assert flags_of(received(-121)) == [("future", "clock")]


def test_late() -> None:
    assert flags_of(received(300)) == [()]
    assert flags_of(received(301)) == [("late",)]


def test_claims_of_the_message() -> None:
    marked = fix(0, mock=True, trigger="p", accuracy_m=None)
    assert flags_of(marked) == [("mock", "no_accuracy", "ping")]
    assert flags_of(fix(0, accuracy_m=1_001)) == [("coarse",)]


def test_flags_of_the_decoder_stay() -> None:
    assert flags_of(fix(0, flags=QualityFlag.FIELD_NULLED)) == [("field_nulled",)]


def test_placeholders() -> None:
    nowhere = [
        replace(fix(i), lon_deg=lon, lat_deg=lat)
        for i, (lon, lat) in enumerate([(0.0005, -0.0005), (116.0, 39.0), (33.3, 33.3)])
    ]
    found = flag_batch(nowhere, policy=POLICY, devices=["a", "b", "c"])
    assert all(QualityFlag.NULL_ISLAND in f for f in found)
    assert flags_of(replace(fix(0), lon_deg=116.0, lat_deg=39.5)) == [()]


def test_jump_within_a_batch_in_any_order() -> None:
    here, there = fix(0), fix(1, 30_000.0)
    assert flags_of(here, there) == [(), ("jump",)]
    assert flags_of(there, here) == [("jump",), ()]


def test_jump_from_the_previous_fix_of_the_same_device_only() -> None:
    there, before = fix(1, 30_000.0), fix(0)
    assert flags_of(there, devices=["a"], previous={"a": before}) == [("jump",)]
    assert flags_of(there, devices=["a"], previous={"b": before}) == [()]
    assert flags_of(before, there, devices=["a", "b"]) == [(), ()]


def test_coarse_neighbours_do_not_jump() -> None:
    coarse = fix(1, 6_800.0, accuracy_m=900)
    assert flags_of(fix(0), coarse) == [(), ()]


def test_fast_train_is_no_jump() -> None:
    assert flags_of(fix(0), fix(1, 5_500.0)) == [(), ()]


def test_across_the_antimeridian_is_no_jump() -> None:
    west = replace(fix(0), lon_deg=179.9995)
    east = replace(fix(1), lon_deg=-179.9995)
    assert flags_of(west, east) == [(), ()]


def test_frozen_needs_thirty_identical_satellite_fixes() -> None:
    still = [fix(i, accuracy_m=5) for i in range(30)]
    assert set(flags_of(*still)) == {("frozen",)}
    assert set(flags_of(*still[:29])) == {()}
    wifi = [fix(i, accuracy_m=5, source=Source.WIFI) for i in range(30)]
    assert set(flags_of(*wifi)) == {()}
    assert set(flags_of(*stay(0, 40, accuracy_m=5))) == {()}


def test_duplicate_of_the_previous_one() -> None:
    one = fix(0)
    assert flags_of(one, devices=["a"], previous={"a": one}) == [("duplicate",)]


def test_empty_batch() -> None:
    assert flag_batch([], policy=POLICY) == []


def test_series_gets_the_flags_that_columns_can_show() -> None:
    far = fix(5, 90_000.0)
    columns = FixArray.from_fixes([*stay(0, 5), far, fix(6, accuracy_m=2_000)])
    counts = flag_series(columns, policy=POLICY).flag_counts()
    assert counts == {"jump": 2, "coarse": 1}
    assert len(flag_series(FixArray.from_fixes([]), policy=POLICY)) == 0
