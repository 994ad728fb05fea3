"""The single signs of `geo.forgery`: what one day's positions show by themselves.

Every function answers with a signal or None, and is a pure function of the set of fixes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import numpy as np

from geo.distance import FloatArray, consecutive_m
from geo.fix import BoolArray, FixArray, IntArray, QualityFlag, Source
from geo.forgery_policy import ForgeryPolicy
from geo.trackpoints import displaced

_FAST_MPS = 10.0
_SPELL_S = 900.0
_SURE = 2.0
_METRES_A_DEG = 111_195.0


class Sign(StrEnum):
    """What looks wrong."""

    MOCK = "mock"
    TELEPORT = "teleport"
    ACCELERATION = "acceleration"
    FROZEN = "frozen"
    CONSTANT = "constant"
    SMOOTH = "smooth"
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
    limits : what would have to be otherwise: name of a figure, and where the sign begins.
    span_s : epoch seconds of the first and the last fix that show it; None for the whole day.
    fix_keys : of these two.
    """

    sign: Sign
    score: float
    figures: Mapping[str, Any]
    limits: Mapping[str, float] = field(default_factory=dict)
    span_s: tuple[float, float] | None = None
    fix_keys: tuple[str, ...] = ()


def measured(fixes: FixArray, policy: ForgeryPolicy) -> FixArray:
    """Select fixes that claim to be exact, without those the phone itself calls repeated."""
    exact = ~(fixes.accuracy_m > policy.exact_m)
    return fixes.take(fixes.is_source(Source.GPS) & exact & ~fixes.has(QualityFlag.PING))


def signal(
    sign: Sign,
    score: float,
    shown_by: FixArray,
    figures: Mapping[str, Any],
    limits: Mapping[str, float],
) -> Signal:
    """Make a signal of the fixes that show it, in time order."""
    if not len(shown_by):
        return Signal(sign, score, figures, limits)
    return Signal(
        sign,
        score,
        figures,
        limits,
        (float(shown_by.epoch_s[0]), float(shown_by.epoch_s[-1])),
        (str(shown_by.keys[0]), str(shown_by.keys[-1])),
    )


def mock(fixes: FixArray, policy: ForgeryPolicy) -> Signal | None:
    """Positions that the phone itself says come from a mock provider."""
    flagged = fixes.has(QualityFlag.MOCK)
    if not flagged.any():
        return None
    figures = {"fixes": int(flagged.sum())}
    return signal(Sign.MOCK, policy.mock_share, fixes.take(flagged), figures, {"fixes": 1})


def teleport(fixes: FixArray, policy: ForgeryPolicy) -> Signal | None:
    """Whole stretches that only an impossible speed joins; stray fixes are errors, not that."""
    gps = measured(fixes, policy)
    if len(gps) < 2 * policy.stretch_fixes:
        return None
    kept, accuracy = _without_strays(gps, policy, policy.teleport_mps, policy.stray_s)
    length = consecutive_m(kept.lon_deg, kept.lat_deg)
    net = np.maximum(length - accuracy[:-1] - accuracy[1:], 0.0)
    speed = net / np.maximum(np.diff(kept.epoch_s), 1.0)
    cuts = np.flatnonzero((speed > policy.teleport_mps) & (net > policy.teleport_m))
    bounds = np.concatenate(([0], cuts + 1, [len(kept)]))
    long = np.diff(bounds) >= policy.stretch_fixes
    real = np.array([int(c) for k, c in enumerate(cuts) if long[k] and long[k + 1]], dtype=np.int64)
    if not len(real):
        return None
    return signal(
        Sign.TELEPORT,
        policy.teleport_share,
        kept.take(np.concatenate((real[:1], real[-1:] + 1))),
        {
            "jumps": len(real),
            "fastest_mps": round(float(speed[real].max()), 1),
            "farthest_m": round(float(length[real].max()), 1),
        },
        {"fastest_mps": policy.teleport_mps, "farthest_m": policy.teleport_m},
    )


def acceleration(fixes: FixArray, policy: ForgeryPolicy) -> Signal | None:
    """Find changes of speed between neighbouring fixes that no vehicle makes, twice or more."""
    gps = measured(fixes, policy)
    if len(gps) < policy.stretch_fixes:
        return None
    kept, accuracy = _without_strays(gps, policy, _FAST_MPS, _SPELL_S)
    if len(kept) < policy.stretch_fixes:
        return None
    step_s = np.maximum(np.diff(kept.epoch_s), 1.0)
    length = consecutive_m(kept.lon_deg, kept.lat_deg)
    speed = np.maximum(length - _SURE * (accuracy[:-1] + accuracy[1:]), 0.0) / step_s
    short = (step_s[:-1] <= policy.acceleration_step_s) & (step_s[1:] <= policy.acceleration_step_s)
    change = np.abs(np.diff(speed)) / (0.5 * (step_s[:-1] + step_s[1:]))
    hard = np.flatnonzero(short & (change > policy.acceleration_mps2))
    hard = hard[_lasts(kept, hard)]
    if len(hard) < 2:
        return None
    figures = {"pairs": len(hard), "hardest_mps2": round(float(change[hard].max()), 1)}
    limits = {"hardest_mps2": policy.acceleration_mps2}
    return signal(
        Sign.ACCELERATION, policy.acceleration_share, kept.take(hard + 1), figures, limits
    )


def _lasts(kept: FixArray, hard: IntArray) -> BoolArray:
    """Mark changes of speed that end elsewhere: out and back is an error, whatever it claims."""
    lasting = np.zeros(len(hard), dtype=np.bool_)
    for run in np.split(np.arange(len(hard)), np.flatnonzero(np.diff(hard) > 2) + 1):
        if not len(run):
            continue
        index = np.arange(max(hard[run[0]] - 2, 0), min(hard[run[-1]] + 5, len(kept)))
        lon, lat = kept.lon_deg[index], kept.lat_deg[index]
        net_m = consecutive_m(lon[[0, -1]], lat[[0, -1]])[0]
        lasting[run] = net_m > 0.5 * consecutive_m(lon, lat).sum()
    return lasting


def frozen(fixes: FixArray, policy: ForgeryPolicy) -> Signal | None:
    """One position to the last digit over many fixes that claim satellites, or over hours."""
    gps = measured(fixes, policy)
    gps = gps.take(gps.accuracy_m < policy.frozen_accuracy_m)
    starts, ends = _runs((np.diff(gps.lon_deg) == 0.0) & (np.diff(gps.lat_deg) == 0.0))
    count, lasted_s = ends - starts + 1, gps.epoch_s[ends] - gps.epoch_s[starts]
    lasting = lasted_s >= policy.frozen_lasting_s
    fewer = min(policy.frozen_lasting_fixes, policy.frozen_fixes)
    least = np.where(lasting, fewer, policy.frozen_fixes)
    shown = np.flatnonzero(count >= least)
    if not len(shown):
        return None
    longest = shown[np.argmax(count[shown])]
    where = np.arange(starts[longest], ends[longest] + 1)
    figures = {"fixes": len(where), "lasted_s": round(float(lasted_s[longest]), 1)}
    limits: dict[str, float] = {"fixes": int(least[longest])}
    return signal(Sign.FROZEN, policy.frozen_share, gps.take(where), figures, limits)


def constant(fixes: FixArray, policy: ForgeryPolicy) -> Signal | None:
    """Accuracy and speed that never change while the position does."""
    gps = measured(fixes, policy)
    moving = consecutive_m(gps.lon_deg, gps.lat_deg) > policy.moving_m
    same = (np.diff(gps.accuracy_m) == 0.0) & (np.diff(gps.speed_mps) == 0.0)
    run = _longest_run(moving & same & (gps.speed_mps[1:] > 0.0))
    if run is None or run[1] - run[0] + 1 < policy.constant_fixes:
        return None
    where = np.arange(run[0], run[1] + 1)
    limits = {"fixes": policy.constant_fixes}
    return signal(
        Sign.CONSTANT, policy.constant_share, gps.take(where), {"fixes": len(where)}, limits
    )


def smooth(fixes: FixArray, policy: ForgeryPolicy) -> Signal | None:
    """Find fixes that lie on a line to the decimetre over a long way: drawn, not measured."""
    gps = measured(fixes, policy)
    east = _METRES_A_DEG * np.cos(np.radians(gps.lat_deg))
    step = np.stack(
        (np.diff(gps.lon_deg) * east[:-1], np.diff(gps.lat_deg) * _METRES_A_DEG), axis=1
    )
    length = np.hypot(step[:, 0], step[:, 1])
    under_way = (length > policy.moving_m)[:-1] & (length > policy.moving_m)[1:]
    if not under_way.any():
        return None
    a, b = step[:-1], step[1:]
    chord = np.hypot(*(a + b).T)
    aside = np.abs(a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]) / np.maximum(chord, 1e-9)
    way_m = float(length[1:][under_way].sum())
    middle_m = float(np.median(aside[under_way]))
    if way_m < policy.smooth_way_m or middle_m >= policy.smooth_m:
        return None
    figures = {"aside_m": round(middle_m, 3), "way_m": round(way_m, 1)}
    where = np.flatnonzero(under_way) + 1
    limits = {"aside_m": policy.smooth_m}
    return signal(Sign.SMOOTH, policy.smooth_share, gps.take(where), figures, limits)


def _without_strays(
    gps: FixArray, policy: ForgeryPolicy, spike_mps: float, spike_max_s: float
) -> tuple[FixArray, FloatArray]:
    accuracy = np.nan_to_num(gps.accuracy_m, nan=policy.exact_m)
    stray = displaced(
        gps,
        accuracy,
        spike_mps=spike_mps,
        spike_max_s=spike_max_s,
        max_speed_mps=policy.teleport_mps,
    )
    return gps.take(~stray), accuracy[~stray]


def _longest_run(same: BoolArray) -> tuple[int, int] | None:
    """First and last fix of the longest run of steps that are the same."""
    starts, ends = _runs(same)
    if not len(starts):
        return None
    longest = int(np.argmax(ends - starts))
    return int(starts[longest]), int(ends[longest])


def _runs(same: BoolArray) -> tuple[IntArray, IntArray]:
    """First and last fix of each run of steps that are the same."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], same.astype(np.int8), [0]))))
    return edges[::2], edges[1::2]
