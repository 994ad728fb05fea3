"""Signs that positions were not measured where they say: scored evidence, never a verdict.

Each sign has an innocent reading too, so nothing follows from a score but that a person looks.
Signals and weights after the published practice of location-forgery detection; see
ARCHITECTURE.md for sources.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Final

import numpy as np

from geo.distance import FloatArray, consecutive_m, geodesics_m
from geo.fix import BoolArray, FixArray, IntArray, QualityFlag, Source
from geo.policy import ForgeryPolicy
from geo.trackpoints import displaced
from geo.verdict import Evidence

RULE: Final = "forgery"


class Sign(StrEnum):
    """What looks wrong."""

    MOCK = "mock"
    TELEPORT = "teleport"
    FROZEN = "frozen"
    CONSTANT = "constant"
    REPLAY = "replay"
    TWIN = "twin"
    CLOCK = "clock"
    CELL_MISMATCH = "cell_mismatch"


@dataclass(frozen=True, slots=True)
class Signal:
    """One sign with its strength.

    Attributes
    ----------
    score : 0 to 1.
    figures : what was measured, units in the names.
    fix_keys : first and last fixes that show it.
    """

    sign: Sign
    score: float
    figures: Mapping[str, Any]
    fix_keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Suspicion:
    """All signs of one person-day.

    Attributes
    ----------
    score : chance that at least one sign is not innocent, were they independent.
    for_review : whether a person should look.
    """

    score: float
    for_review: bool
    signals: tuple[Signal, ...]
    evidence: Evidence


def find_forgery(
    fixes: FixArray,
    *,
    earlier: Mapping[str, FixArray] | None = None,
    others: Mapping[str, FixArray] | None = None,
    impossible_cells: int = 0,
    policy: ForgeryPolicy,
    policy_version: str = "",
) -> Suspicion:
    """Look for signs of forgery in one person's day.

    Parameters
    ----------
    fixes : of the day, flags set by `geo.quality`.
    earlier : the same person's older days by name, to find a replay.
    others : other people's fixes of the same day by name, to find two phones in one pocket.
    impossible_cells : fixes that the cells heard at the same moment contradict.
    policy : thresholds and weights.

    Returns
    -------
    Suspicion, a pure function of the sets. O(n log n) for each day compared with.
    """
    found = [
        _mock(fixes, policy),
        _teleport(fixes, policy),
        _frozen(fixes, policy),
        _constant(fixes, policy),
        _replay(fixes, earlier or {}, policy),
        _twin(fixes, others or {}, policy),
        _clock(fixes, policy),
        _cells(impossible_cells, policy),
    ]
    signals = tuple(signal for signal in found if signal is not None)
    score = 1.0 - float(np.prod([1.0 - signal.score for signal in signals]))
    return Suspicion(
        score=round(score, 4),
        for_review=score >= policy.review_confidence,
        signals=signals,
        evidence=Evidence(
            rule=RULE,
            policy_version=policy_version,
            thresholds=asdict(policy),
            inputs={"fixes": len(fixes)},
            figures={s.sign.value: {"score": s.score, **s.figures} for s in signals},
            reasons=tuple(s.sign.value for s in signals),
        ),
    )


def _signal(
    sign: Sign,
    score: float,
    fixes: FixArray,
    where: BoolArray | IntArray,
    figures: Mapping[str, float | str],
) -> Signal:
    index = np.flatnonzero(where) if where.dtype == np.bool_ else where
    ends = [index[0], index[-1]] if len(index) else []
    return Signal(sign, score, figures, tuple(str(fixes.keys[k]) for k in ends))


def _mock(fixes: FixArray, policy: ForgeryPolicy) -> Signal | None:
    mock = fixes.has(QualityFlag.MOCK)
    if not mock.any():
        return None
    return _signal(Sign.MOCK, policy.mock_share, fixes, mock, {"fixes": int(mock.sum())})


def _teleport(fixes: FixArray, policy: ForgeryPolicy) -> Signal | None:
    """Whole stretches that only an impossible speed joins; stray fixes are errors, not that."""
    gps = _measured(fixes, policy)
    if len(gps) < 2 * policy.stretch_fixes:
        return None
    accuracy = np.nan_to_num(gps.accuracy_m, nan=policy.exact_m)
    stray = displaced(
        gps,
        accuracy,
        spike_mps=policy.teleport_mps,
        spike_max_s=policy.stray_s,
        max_speed_mps=policy.teleport_mps,
    )
    kept = gps.take(~stray)
    accuracy = accuracy[~stray]
    length = consecutive_m(kept.lon_deg, kept.lat_deg)
    net = np.maximum(length - accuracy[:-1] - accuracy[1:], 0.0)
    speed = net / np.maximum(np.diff(kept.epoch_s), 1.0)
    cuts = np.flatnonzero((speed > policy.teleport_mps) & (net > policy.teleport_m))
    bounds = np.concatenate(([0], cuts + 1, [len(kept)]))
    long = np.diff(bounds) >= policy.stretch_fixes
    real = [int(c) for k, c in enumerate(cuts) if long[k] and long[k + 1]]
    if not real:
        return None
    return _signal(
        Sign.TELEPORT,
        policy.teleport_share,
        kept,
        np.array(real),
        {
            "jumps": len(real),
            "fastest_mps": round(float(speed[real].max()), 1),
            "farthest_m": round(float(length[real].max()), 1),
        },
    )


def _frozen(fixes: FixArray, policy: ForgeryPolicy) -> Signal | None:
    """One position to the last digit over many fixes that claim satellites."""
    gps = _measured(fixes, policy)
    run = _longest_run((np.diff(gps.lon_deg) == 0.0) & (np.diff(gps.lat_deg) == 0.0))
    if run is None or run[1] - run[0] + 1 < policy.frozen_fixes:
        return None
    where = np.arange(run[0], run[1] + 1)
    return _signal(Sign.FROZEN, policy.frozen_share, gps, where, {"fixes": len(where)})


def _constant(fixes: FixArray, policy: ForgeryPolicy) -> Signal | None:
    """Accuracy and speed that never change while the position does."""
    gps = _measured(fixes, policy)
    moving = consecutive_m(gps.lon_deg, gps.lat_deg) > policy.moving_m
    same = (np.diff(gps.accuracy_m) == 0.0) & (np.diff(gps.speed_mps) == 0.0)
    run = _longest_run(moving & same & (gps.speed_mps[1:] > 0.0))
    if run is None or run[1] - run[0] + 1 < policy.constant_fixes:
        return None
    where = np.arange(run[0], run[1] + 1)
    return _signal(Sign.CONSTANT, policy.constant_share, gps, where, {"fixes": len(where)})


def _replay(
    fixes: FixArray, earlier: Mapping[str, FixArray], policy: ForgeryPolicy
) -> Signal | None:
    """Find the positions of an older day again: no honest days agree to a decimetre."""
    today = _places(fixes)
    if len(today) < policy.replay_fixes:
        return None
    worst: tuple[float, str] | None = None
    for name in sorted(earlier):
        share = len(today & _places(earlier[name])) / len(today)
        if share >= policy.replay_same_share and (worst is None or share > worst[0]):
            worst = (share, name)
    if worst is None:
        return None
    everywhere = np.arange(len(fixes))
    return _signal(
        Sign.REPLAY,
        policy.replay_share,
        fixes,
        everywhere,
        {"same_share": round(worst[0], 4), "day": worst[1]},
    )


def _twin(fixes: FixArray, others: Mapping[str, FixArray], policy: ForgeryPolicy) -> Signal | None:
    """Two phones that go together, metre by metre, for a long way: perhaps one pocket."""
    worst: tuple[float, str] | None = None
    for name in sorted(others):
        together_m = _together_m(fixes, others[name], policy)
        if together_m >= policy.twin_m and (worst is None or together_m > worst[0]):
            worst = (together_m, name)
    if worst is None:
        return None
    everywhere = np.arange(len(fixes))
    return _signal(
        Sign.TWIN,
        policy.twin_share,
        fixes,
        everywhere,
        {"together_m": round(worst[0], 1), "other": worst[1]},
    )


def _clock(fixes: FixArray, policy: ForgeryPolicy) -> Signal | None:
    ahead = fixes.has(QualityFlag.FUTURE)
    if np.count_nonzero(ahead) < policy.stretch_fixes:
        return None
    return _signal(Sign.CLOCK, policy.clock_share, fixes, ahead, {"fixes": int(ahead.sum())})


def _cells(impossible: int, policy: ForgeryPolicy) -> Signal | None:
    if impossible < policy.stretch_fixes:
        return None
    return Signal(Sign.CELL_MISMATCH, policy.cell_share, {"fixes": impossible}, ())


def _measured(fixes: FixArray, policy: ForgeryPolicy) -> FixArray:
    """Select fixes that claim to be exact, without those the phone itself calls repeated."""
    exact = ~(fixes.accuracy_m > policy.exact_m)
    return fixes.take(fixes.is_source(Source.GPS) & exact & ~fixes.has(QualityFlag.PING))


def _longest_run(same: BoolArray) -> tuple[int, int] | None:
    """First and last fix of the longest run of steps that are the same."""
    if not same.any():
        return None
    edges = np.flatnonzero(np.diff(np.concatenate(([0], same.astype(np.int8), [0]))))
    starts, ends = edges[::2], edges[1::2]
    longest = int(np.argmax(ends - starts))
    return int(starts[longest]), int(ends[longest])


def _places(fixes: FixArray) -> set[tuple[int, int]]:
    """Distinct positions to a decimetre."""
    gps = fixes.take(fixes.is_source(Source.GPS))
    lon, lat = (np.round(column * 1e6).astype(np.int64) for column in (gps.lon_deg, gps.lat_deg))
    return set(zip(lon.tolist(), lat.tolist(), strict=True))


def _together_m(fixes: FixArray, other: FixArray, policy: ForgeryPolicy) -> float:
    """Metres of way over which another phone was beside this one at the same moments."""
    here, there = (_measured(f, policy) for f in (fixes, other))
    if len(here) < 2 or len(there) < 2:
        return 0.0
    at: FloatArray = here.epoch_s
    after = np.clip(np.searchsorted(there.epoch_s, at), 1, len(there) - 1)
    near_in_time = there.epoch_s[after] - there.epoch_s[after - 1] <= policy.twin_step_s
    covered = (at >= there.epoch_s[0]) & (at <= there.epoch_s[-1]) & near_in_time
    lon = np.interp(at, there.epoch_s, there.lon_deg)
    lat = np.interp(at, there.epoch_s, there.lat_deg)
    apart = geodesics_m(lon1_deg=here.lon_deg, lat1_deg=here.lat_deg, lon2_deg=lon, lat2_deg=lat)
    beside = covered & (apart <= policy.twin_apart_m)
    steps = consecutive_m(here.lon_deg, here.lat_deg)
    walked = steps[beside[:-1] & beside[1:] & (steps > policy.moving_m)]
    return float(walked.sum())
