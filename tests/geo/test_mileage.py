from datetime import timedelta

import pytest

from geo.fix import Fix, FixArray
from geo.gaps import Window
from geo.mileage import Mileage, measure_mileage
from geo.policy import Policy
from geo.roads import Profile
from tests.geo.scenes import NINE, stay, walk

RULES = Policy().claim


def measured(fixes: list[Fix], hours: float) -> Mileage:
    span = Window(NINE, NINE + timedelta(hours=hours))
    fixed = FixArray.from_fixes(fixes)
    return measure_mileage(fixed, span, policy=Policy(), roads=None, profile=Profile.AUTO)


def after_silence(minutes: float, *, east_m: float = 1_000.0) -> Mileage:
    woken = 60 + minutes
    return measured([*stay(0, 60), *stay(woken, woken + 60, east_m=east_m)], woken / 60 + 1)


def test_a_stay_that_silence_was_taken_for_leaves_room_for_a_way() -> None:
    away = after_silence(20)
    assert away.coverage > 0.9
    assert away.doubt_m == pytest.approx(RULES.gap_detour_share * 1_000.0, rel=0.05)
    assert away.high_m > away.mid_m + away.doubt_m


@pytest.mark.parametrize(("minutes", "east_m"), [(9, 1_000.0), (20, 0.0)])
def test_a_short_silence_or_one_that_ends_where_it_began_hides_nothing(
    minutes: float, east_m: float
) -> None:
    assert after_silence(minutes, east_m=east_m).doubt_m == 0.0


def test_hours_of_silence_hide_a_way_there_and_back() -> None:
    rides = [*walk(0, 30, -9_000, 0), *stay(30, 60)]
    slept = measured([*rides, *stay(150, 180)], 3)
    gone = measured([*rides, *stay(240, 270)], 4.5)
    assert slept.doubt_m == 0.0
    pace_mps = 9_000 / 1_800
    assert gone.doubt_m == pytest.approx(RULES.gap_going_share * pace_mps * 10_800, rel=0.1)
    assert slept.high_m < gone.high_m


def test_errors_of_rare_fixes_are_independent() -> None:
    def open_share(hours: int) -> float:
        way = walk(30, 30 + 60 * hours, 0, 30_000 * hours)[::15]
        end = 30 + 60 * hours
        day = measured([*stay(0, 30), *way, *stay(end, end + 30, east_m=30_000 * hours)], hours + 1)
        assert day.low_m <= day.mid_m <= day.fair_m <= day.high_m
        return (day.high_m - day.mid_m) / day.mid_m

    short, long = open_share(1), open_share(4)
    assert 0.1 < long < 0.7 * short
