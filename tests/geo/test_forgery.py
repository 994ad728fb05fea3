from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geo.fix import Fix, FixArray
from geo.forgery import Beside, Sign, Suspicion, find_forgery
from geo.forgery_policy import ForgeryPolicy
from tests.geo.scenes import fix, stay


def going(start_min: int, end_min: int, east_m: float) -> list[Fix]:
    """Go east so many metres as a receiver sees it: a little beside the line."""
    count = end_min - start_min
    return [
        fix(float(start_min + k), east_m * k / count, 3.0 * ((7 * k) % 5 - 2)) for k in range(count)
    ]


DAY = [*stay(0, 60), *going(60, 90, 9_000), *stay(90, 180, east_m=9_000)]


def look(
    fixes: list[Fix],
    *,
    earlier: list[Fix] | None = None,
    other: list[Fix] | None = None,
    beside: Beside | None = None,
) -> Suspicion:
    return find_forgery(
        FixArray.from_fixes(fixes),
        earlier={} if earlier is None else {"2026-11-17": FixArray.from_fixes(earlier)},
        others={} if other is None else {"somebody": FixArray.from_fixes(other)},
        beside=beside,
        policy=ForgeryPolicy(),
    )


def signs(suspicion: Suspicion) -> list[Sign]:
    return [signal.sign for signal in suspicion.signals]


def later(fixes: list[Fix], days: int) -> list[Fix]:
    return [
        replace(f, fixed_at=f.fixed_at + timedelta(days=days), key=f"{f.key}+{days}") for f in fixes
    ]


def test_an_honest_day_has_no_sign() -> None:
    found = look(DAY)
    assert (found.score, found.for_review, found.signals) == (0.0, False, ())


def test_what_the_phone_calls_mock_is_shown() -> None:
    found = look([*DAY[:50], *(replace(f, mock=True) for f in DAY[50:60]), *DAY[60:]])
    assert signs(found) == [Sign.MOCK]
    assert found.for_review
    assert found.signals[0].figures == {"fixes": 10}


def test_one_stray_fix_is_an_error_and_a_stretch_elsewhere_is_not() -> None:
    stray = [*DAY, fix(30.4, 90_000.0, accuracy_m=5.0)]
    assert signs(look(stray)) == []
    away = [f if not 20 <= k < 40 else fix(float(k), 90_000.0 + k) for k, f in enumerate(DAY)]
    found = look(away)
    assert signs(found) == [Sign.TELEPORT]
    assert found.signals[0].figures["jumps"] == 2


def test_a_fast_train_is_no_teleport() -> None:
    train = going(0, 60, 80.0 * 3_600)
    assert signs(look([*train, *stay(60, 90, east_m=80.0 * 3_600)])) == []


def test_one_position_to_the_last_digit_is_no_measurement() -> None:
    frozen = [fix(float(k), 100.0) for k in range(40)]
    assert signs(look([*frozen, *stay(40, 90)])) == [Sign.FROZEN]
    pings = [replace(f, trigger="p") for f in frozen]
    assert signs(look([*pings, *stay(40, 90)])) == []


@given(st.integers(2, 60), st.floats(0.1, 12.0))
def test_so_many_identical_positions_or_fewer_over_hours_are_none(
    count: int, every_min: float
) -> None:
    rule = ForgeryPolicy()
    frozen = [fix(round(every_min * k, 2), 100.0) for k in range(count)]
    lasted_s = 60.0 * round(every_min * (count - 1), 2)
    enough = count >= rule.frozen_fixes or (
        count >= rule.frozen_lasting_fixes and lasted_s >= rule.frozen_lasting_s
    )
    assert (Sign.FROZEN in signs(look(frozen))) is enough


def test_an_older_day_again_is_a_replay() -> None:
    found = look(later(DAY, 1), earlier=DAY)
    assert signs(found) == [Sign.REPLAY]
    assert found.signals[0].figures["same_share"] == 1.0
    assert found.signals[0].figures["day"] == "2026-11-17"
    assert found.signals[0].figures["shift_s"] == 86_400.0
    fresh = [*stay(0, 60, seed=2), *stay(90, 180, east_m=9_000, seed=2)]
    assert signs(look(fresh, earlier=DAY)) == []


def drifting(seed: int, *, own_m: float = 0.0, own_seed: int = 0) -> list[Fix]:
    """Stand at one place for four hours, with errors that forget within some minutes."""
    errors, own = np.random.default_rng(seed), np.random.default_rng(own_seed)
    east = north = 0.0
    fixes = []
    for k in range(480):
        east, north = (0.9 * v + 4.0 * errors.standard_normal() for v in (east, north))
        e, n = own.normal(0.0, own_m, 2) if own_m else (0.0, 0.0)
        fixes.append(fix(0.5 * k, east + e, north + n, accuracy_m=9.0))
    return fixes


def test_a_shaken_copy_of_hours_at_one_place_is_a_replay_and_another_day_there_is_none() -> None:
    copy = later(drifting(1, own_m=2.0), 1)
    [found] = look(copy, earlier=drifting(1)).signals
    assert found.sign is Sign.REPLAY
    assert found.figures["same_share"] < 0.1
    assert found.figures["error_rho"] > ForgeryPolicy().replay_error_share
    assert signs(look(later(drifting(2), 1), earlier=drifting(1))) == []


def test_the_same_way_some_minutes_later_is_no_replay_though_some_positions_are_the_same() -> None:
    def on_the_way(seed: int, later_min: float) -> list[Fix]:
        errors = np.random.default_rng(seed).normal(0.0, 4.0, (360, 2))
        return [
            fix(0.25 * k + later_min, 150.0 * k + e, n, accuracy_m=6.0)
            for k, (e, n) in enumerate(errors)
        ]

    older = on_the_way(1, 0.0)
    today = later(on_the_way(2, 5.0), 1)
    for k in (100, 200):
        today[k] = replace(today[k], lon_deg=older[k].lon_deg, lat_deg=older[k].lat_deg)
    assert signs(look(today, earlier=older)) == []


def test_a_shaken_copy_keeps_the_rhythm_of_its_fixes() -> None:
    dice = np.random.default_rng(5)
    at_min = np.cumsum(dice.uniform(0.5, 2.0, 120))
    older = [fix(float(at), 30.0 * k, 9.0 * (k % 3)) for k, at in enumerate(at_min)]
    shaken = [
        replace(f, lon_deg=f.lon_deg + 0.01 * dice.standard_normal()) for f in later(older, 3)
    ]
    [found] = look(shaken, earlier=older).signals
    assert (found.sign, found.figures["rhythm_share"]) == (Sign.REPLAY, 1.0)


def test_two_phones_in_one_pocket_err_together_and_colleagues_do_not() -> None:
    found = look(drifting(1, own_m=1.0, own_seed=1), other=drifting(1, own_m=1.0, own_seed=2))
    assert signs(found) == [Sign.TWIN]
    assert found.for_review
    assert signs(look(drifting(1), other=drifting(2))) == []
    assert signs(look(DAY, other=stay(0, 180))) == []


def test_a_jump_that_lasts_is_an_acceleration_and_a_reflection_is_none() -> None:
    def walk_to(*places: float) -> list[Fix]:
        return [fix(k / 12, east, accuracy_m=4.0) for k, east in enumerate(places)]

    calm = [float(k) for k in range(40)]
    lasting = walk_to(*calm, *(400.0 + k for k in range(40)))
    assert signs(look(lasting)) == [Sign.ACCELERATION]
    assert not look(lasting).for_review
    assert signs(look(walk_to(*calm, 420.0, 90.0, *(40.0 + k for k in range(40))))) == []


def test_a_line_without_any_noise_was_drawn() -> None:
    drawn = [fix(k / 6, 25.0 * k, accuracy_m=5.0) for k in range(60)]
    assert signs(look(drawn)) == [Sign.SMOOTH]
    assert not look(drawn).for_review
    dice = np.random.default_rng(3)
    real = [fix(k / 6, 25.0 * k, dice.normal(0.0, 0.5), accuracy_m=5.0) for k in range(60)]
    assert signs(look(real)) == []


def test_cells_that_contradict_are_counted() -> None:
    found = look(
        DAY, beside=Beside(checked_cells=9, impossible_cells=5, strained_cells=1, farthest_m=8e4)
    )
    assert signs(found) == [Sign.CELL_MISMATCH]
    assert found.for_review
    assert found.signals[0].figures == {
        "impossible": 5,
        "strained": 1,
        "checked": 9,
        "farthest_m": 80_000.0,
    }
    assert signs(look(DAY, beside=Beside(impossible_cells=1))) == []


def test_a_clock_is_wrong_when_everything_is_late_alike_or_too_early() -> None:
    assert signs(look(DAY, beside=Beside(delays_s=(7_200.0, 7_203.0)))) == [Sign.CLOCK]
    assert signs(look(DAY, beside=Beside(refused_ahead=12))) == [Sign.CLOCK]
    backlog = Beside(delays_s=(600.0, 7_200.0), refused_ahead=1)
    assert signs(look(DAY, beside=backlog)) == []
    assert signs(look(DAY, beside=Beside(delays_s=(0.4, 3.0)))) == []


def test_evidence_says_what_would_have_changed_it() -> None:
    found = look([*DAY[:50], *(replace(f, mock=True) for f in DAY[50:60]), *DAY[60:]])
    [one] = found.evidence.would_change
    assert one == {"if": "sign_below", "sign": "mock", "figure": "fixes", "limit": 1, "actual": 10}
    assert found.evidence.figures["signs"]["mock"]["from"] < "2026-11-19"


@pytest.mark.parametrize("count", [0, 1, 3])
def test_few_fixes_say_nothing(count: int) -> None:
    assert look(DAY[:count]).signals == ()


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 179), st.integers(-40_000, 40_000)), max_size=60),
    st.randoms(),
)
def test_order_changes_nothing_and_scores_are_chances(
    places: list[tuple[int, int]], dice: object
) -> None:
    fixes = [fix(float(at), float(east), accuracy_m=5.0) for at, east in places]
    found = look(fixes)
    dice.shuffle(fixes)  # type: ignore[attr-defined]
    assert look(fixes).evidence.to_bytes() == found.evidence.to_bytes()
    assert 0.0 <= found.score <= 1.0
    assert found.for_review == (found.score >= ForgeryPolicy().review_confidence)
