"""Two phones in one pocket err together; those of two people never do, however much they share."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geo.distance import FloatArray
from geo.fix import FixArray
from geo.forgery_policy import ForgeryPolicy
from geo.pocket import one_pocket

POLICY = ForgeryPolicy()
SHIFT_S = 8 * 3_600.0
EAST_DEG, NORTH_DEG = 1.0 / 85_180.0, 1.0 / 111_195.0
Errors = tuple[FloatArray, FloatArray]


def forgetful(at_s: FloatArray, memory_s: float, dice: np.random.Generator) -> FloatArray:
    """Unit errors east and north ``(n, 2)`` that forget within `memory_s`."""
    fresh = dice.standard_normal((len(at_s), 2))
    kept = np.exp(-np.diff(at_s, prepend=-1e9) / memory_s)
    errors = np.zeros((len(at_s) + 1, 2))
    for k in range(len(at_s)):
        errors[k + 1] = errors[k] * kept[k] + fresh[k] * math.sqrt(1.0 - kept[k] ** 2)
    return errors[1:]


def pair(
    seed: int,
    *,
    shared: float,
    every_s: tuple[float, float],
    sigma_m: tuple[float, float] = (12.0, 12.0),
    memory_s: float = 240.0,
    stay_s: float = 3_600.0,
) -> tuple[FixArray, FixArray]:
    """Two phones that stay here and there, each in its own rhythm.

    `shared` of the variance of their errors is the same; each adds half a metre of its own.
    """
    dice = np.random.default_rng(seed)
    own_s = [np.cumsum(dice.uniform(*every_s, int(SHIFT_S / every_s[0]))) for _ in sigma_m]
    own_s = [at_s[at_s < SHIFT_S] for at_s in own_s]
    times, who = np.concatenate(own_s), np.repeat([0, 1], [len(at_s) for at_s in own_s])
    order = np.argsort(times, kind="stable")
    times, who = times[order], who[order]
    common = forgetful(times, memory_s, dice)
    phones = []
    for number, sigma in enumerate(sigma_m):
        alone = forgetful(times, memory_s, dice)
        mine = who == number
        errors = sigma * (math.sqrt(shared) * common + math.sqrt(1.0 - shared) * alone)[mine]
        errors += dice.normal(0.0, 0.5, errors.shape)
        place_m = 3_000.0 * (times[mine] // stay_s)
        phones.append(
            FixArray.from_arrays(
                epoch_s=np.round(1.764e9 + times[mine]),
                lon_deg=np.round(116.3 + (place_m + errors[:, 0]) * EAST_DEG, 7),
                lat_deg=np.round(40.0 + errors[:, 1] * NORTH_DEG, 7),
                accuracy_m=np.full(int(mine.sum()), 12.0),
            )
        )
    return phones[0], phones[1]


RARE, OFTEN, DENSE = (60.0, 600.0), (30.0, 120.0), (5.0, 5.5)


@pytest.mark.parametrize("every_s", [OFTEN, DENSE])
def test_one_pocket_is_told_from_one_room(every_s: tuple[float, float]) -> None:
    twins = one_pocket(*pair(1, shared=1.0, every_s=every_s), policy=POLICY)
    assert twins.together_share > 0.95
    assert twins.stood > 300
    assert twins.odds == 100_000.0
    mates = one_pocket(*pair(1, shared=0.0, every_s=every_s), policy=POLICY)
    assert mates.together_share > 0.95
    assert mates.odds < 1e-4


def test_rare_fixes_tell_most_pockets() -> None:
    found = [
        one_pocket(*pair(seed, shared=1.0, every_s=RARE), policy=POLICY).odds for seed in range(40)
    ]
    assert sum(odds >= POLICY.twin_odds for odds in found) >= 30


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 2**32),
    st.floats(0.0, POLICY.twin_error_share),
    st.sampled_from([RARE, OFTEN]),
    st.tuples(st.floats(2.0, 20.0), st.floats(2.0, 20.0)),
    st.floats(30.0, 1_800.0),
    st.sampled_from([1_200.0, 3_600.0, SHIFT_S]),
)
def test_people_who_share_most_of_their_errors_are_two(
    seed: int,
    shared: float,
    every_s: tuple[float, float],
    sigma_m: tuple[float, float],
    memory_s: float,
    stay_s: float,
) -> None:
    phones = pair(
        seed, shared=shared, every_s=every_s, sigma_m=sigma_m, memory_s=memory_s, stay_s=stay_s
    )
    assert one_pocket(*phones, policy=POLICY).odds < POLICY.twin_odds


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from([0.0, 0.5, 1.0]), st.floats(0.3, 3.0))
def test_odds_know_neither_order_nor_scale(seed: int, shared: float, scale: float) -> None:
    one, other = pair(seed, shared=shared, every_s=RARE, sigma_m=(6.0, 6.0), stay_s=SHIFT_S)
    odds = one_pocket(one, other, policy=POLICY).odds
    assert one_pocket(other, one, policy=POLICY).odds == pytest.approx(odds, rel=1e-3)
    # Steps of a stay are bounded in metres, so the scale may grow only while it fits.
    wide = replace(POLICY, twin_near_m=500.0, still_spread_m=500.0)
    larger = [
        replace(
            phone,
            lon_deg=116.3 + (phone.lon_deg - 116.3) * scale,
            lat_deg=40.0 + (phone.lat_deg - 40.0) * scale,
        )
        for phone in (one, other)
    ]
    before = one_pocket(one, other, policy=wide).odds
    assert one_pocket(*larger, policy=wide).odds == pytest.approx(before, rel=1e-2)


def test_phones_apart_are_not_together() -> None:
    one, other = pair(3, shared=1.0, every_s=OFTEN)
    away = replace(other, lat_deg=other.lat_deg + 500.0 * NORTH_DEG)
    found = one_pocket(one, away, policy=POLICY)
    assert found.together_share < 0.05
    assert (found.stood, found.odds) == (0, 1.0)
    late = replace(other, epoch_s=other.epoch_s + 2 * SHIFT_S)
    assert one_pocket(one, late, policy=POLICY).together_share == 0.0


def test_repeated_positions_are_no_errors() -> None:
    one, other = pair(4, shared=0.0, every_s=OFTEN, stay_s=SHIFT_S)
    stuck = [
        replace(p, lon_deg=np.full(len(p), 116.3), lat_deg=np.full(len(p), 40.0))
        for p in (one, other)
    ]
    assert one_pocket(*stuck, policy=POLICY).stood == 0


def test_nothing_is_said_of_nothing() -> None:
    nobody, one = FixArray.from_fixes([]), pair(5, shared=0.0, every_s=RARE)[0]
    for a, b in ((nobody, nobody), (nobody, one), (one, nobody), (one.take(np.array([0])), one)):
        found = one_pocket(a, b, policy=POLICY)
        assert (found.stood, found.odds) == (0, 1.0)
