from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geo.fix import Fix, FixArray
from geo.forgery import Sign, Suspicion, find_forgery
from geo.policy import ForgeryPolicy
from tests.geo.scenes import fix, stay, walk

DAY = [*stay(0, 60), *walk(60, 90, 0, 9_000), *stay(90, 180, east_m=9_000)]


def look(
    fixes: list[Fix],
    *,
    earlier: list[Fix] | None = None,
    other: list[Fix] | None = None,
    cells: int = 0,
) -> Suspicion:
    return find_forgery(
        FixArray.from_fixes(fixes),
        earlier={} if earlier is None else {"2026-11-17": FixArray.from_fixes(earlier)},
        others={} if other is None else {"somebody": FixArray.from_fixes(other)},
        impossible_cells=cells,
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
    train = walk(0, 60, 0, 80.0 * 3_600)
    assert signs(look([*train, *stay(60, 90, east_m=80.0 * 3_600)])) == []


def test_one_position_to_the_last_digit_is_no_measurement() -> None:
    frozen = [fix(float(k), 100.0) for k in range(40)]
    assert signs(look([*frozen, *stay(40, 90)])) == [Sign.FROZEN]
    pings = [replace(f, trigger="p") for f in frozen]
    assert signs(look([*pings, *stay(40, 90)])) == []


def test_an_older_day_again_is_a_replay() -> None:
    found = look(later(DAY, 1), earlier=DAY)
    assert signs(found) == [Sign.REPLAY]
    assert found.signals[0].figures == {"same_share": 1.0, "day": "2026-11-17"}
    fresh = [*stay(0, 60, seed=2), *stay(90, 180, east_m=9_000, seed=2)]
    assert signs(look(fresh, earlier=DAY)) == []


def test_two_phones_that_go_together_are_noted_but_ask_for_nobody() -> None:
    beside = [replace(f, key=f"{f.key}b") for f in DAY]
    found = look(DAY, other=beside)
    assert signs(found) == [Sign.TWIN]
    assert not found.for_review
    assert signs(look(DAY, other=stay(0, 180))) == []


def test_cells_that_contradict_are_counted() -> None:
    assert signs(look(DAY, cells=5)) == [Sign.CELL_MISMATCH]
    assert signs(look(DAY, cells=1)) == []


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
