"""Signs that positions were not measured where they say: scored evidence, never a verdict.

Each sign has an innocent reading too, so nothing follows from a score but that a person looks.
Signals and weights after the published practice of location-forgery detection; see
ARCHITECTURE.md for sources.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np

from geo import forgery_signs
from geo.fix import FixArray, from_epoch_s
from geo.forgery_policy import ForgeryPolicy
from geo.forgery_signs import Sign, Signal, measured
from geo.likeness import Likeness, compare, shifts
from geo.pocket import Pocket, one_pocket
from geo.verdict import Evidence, format_utc

__all__ = ["RULE", "Beside", "Sign", "Signal", "Suspicion", "find_forgery", "measured"]

RULE: Final = "forgery"


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """What was noted beside the fixes of a day.

    Attributes
    ----------
    checked_cells : fixes with which the cells heard at the same moment were compared.
    impossible_cells, strained_cells : how many of them these contradict, or hardly allow.
    farthest_m : from a contradicted fix to the nearest place where its cell can be heard.
    refused_ahead : messages refused because their time had not come yet.
    delays_s : the tenth and the nine tenths of how long fixes took to arrive, None when
        there are too few.
    """

    checked_cells: int = 0
    impossible_cells: int = 0
    strained_cells: int = 0
    farthest_m: float | None = None
    refused_ahead: int = 0
    delays_s: tuple[float, float] | None = None


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
    beside: Beside | None = None,
    policy: ForgeryPolicy,
    policy_version: str = "",
) -> Suspicion:
    """Look for signs of forgery in one person's day.

    Parameters
    ----------
    fixes : of the day, flags set by `geo.quality`.
    earlier : older days by name, this person's or others', to find a replay.
    others : other people's fixes of the same day by name, to find two phones in one pocket.
    beside : what was noted beside the fixes.
    policy : thresholds and weights.

    Returns
    -------
    Suspicion, a pure function of the sets. O(n log n) for each day compared with.
    """
    known = beside or Beside()
    found = [
        forgery_signs.mock(fixes, policy),
        forgery_signs.teleport(fixes, policy),
        forgery_signs.acceleration(fixes, policy),
        forgery_signs.frozen(fixes, policy),
        forgery_signs.constant(fixes, policy),
        forgery_signs.smooth(fixes, policy),
        _replay(fixes, earlier or {}, policy),
        _twin(fixes, others or {}, policy),
        _clock(known, policy),
        _cells(known, policy),
    ]
    signals = tuple(signal for signal in found if signal is not None)
    score = round(1.0 - float(np.prod([1.0 - signal.score for signal in signals])), 4)
    return Suspicion(
        score=score,
        for_review=score >= policy.review_confidence,
        signals=signals,
        evidence=Evidence(
            rule=RULE,
            policy_version=policy_version,
            thresholds=asdict(policy),
            inputs={
                "looked_at": len(fixes),
                "fixes": sorted({key for s in signals for key in s.fix_keys if key}),
                "compared": sorted([*(earlier or {}), *(others or {})]),
            },
            figures={"score": score, "signs": {s.sign.value: _told(s) for s in signals}},
            reasons=tuple(s.sign.value for s in signals),
            would_change=tuple(
                {
                    "if": "sign_below",
                    "sign": s.sign.value,
                    "figure": figure,
                    "limit": limit,
                    "actual": s.figures[figure],
                }
                for s in signals
                for figure, limit in s.limits.items()
                if s.figures.get(figure, limit - 1.0) >= limit
            ),
        ),
    )


def _told(signal: Signal) -> dict[str, Any]:
    span = signal.span_s
    return {
        "weight": signal.score,
        "from": None if span is None else format_utc(from_epoch_s(span[0])),
        "until": None if span is None else format_utc(from_epoch_s(span[1])),
        **signal.figures,
    }


def _replay(
    fixes: FixArray, earlier: Mapping[str, FixArray], policy: ForgeryPolicy
) -> Signal | None:
    """Find the positions of an older day again, to the last digit or shaken."""
    today = measured(fixes, policy)
    worst: tuple[float, str, Likeness] | None = None
    for name in sorted(earlier) if len(today) >= policy.replay_fixes else ():
        older = measured(earlier[name], policy)
        for shift_s in shifts(today, older, policy=policy):
            alike = compare(today, older, shift_s=shift_s, policy=policy)
            strength = _copied(alike, today, policy)
            if strength is not None and (worst is None or strength > worst[0]):
                worst = (strength, name, alike)
    if worst is None:
        return None
    _, name, alike = worst
    return forgery_signs.signal(
        Sign.REPLAY,
        policy.replay_share,
        today,
        {"day": name, **_figures(alike)},
        {
            "same_share": policy.replay_same_share,
            "rhythm_share": policy.replay_rhythm_share,
            "moving_near_share": policy.replay_moving_share,
            "error_rho": policy.replay_error_share,
        },
    )


def _copied(alike: Likeness, today: FixArray, policy: ForgeryPolicy) -> float | None:
    """How surely one day is a copy of the other, None for not at all."""
    places = alike.same_share * len(today)
    # People of one routine may be under way together with themselves; they never err alike.
    others_errors = (
        alike.still_s >= policy.replay_still_s and alike.error_rho < policy.replay_error_share
    )
    found = [
        (places >= policy.replay_fixes, alike.same_share, policy.replay_same_share),
        (
            alike.rhythms >= policy.replay_rhythm_fixes,
            alike.rhythm_share,
            policy.replay_rhythm_share,
        ),
        (
            alike.moving >= policy.replay_moving_fixes and not others_errors,
            alike.moving_near_share,
            policy.replay_moving_share,
        ),
        (alike.still_s >= policy.still_s, alike.error_rho, policy.replay_error_share),
    ]
    strong = [share for enough, share, limit in found if enough and share >= limit]
    return max(strong) if strong else None


def _twin(fixes: FixArray, others: Mapping[str, FixArray], policy: ForgeryPolicy) -> Signal | None:
    """Find another phone beside this one all day with the same errors: perhaps one pocket."""
    today = measured(fixes, policy)
    worst: tuple[float, str, Pocket] | None = None
    for name in sorted(others):
        pocket = one_pocket(today, measured(others[name], policy), policy=policy)
        together = (
            pocket.together_share >= policy.twin_near_share and pocket.odds >= policy.twin_odds
        )
        if together and (worst is None or pocket.odds > worst[0]):
            worst = (pocket.odds, name, pocket)
    if worst is None:
        return None
    _, name, pocket = worst
    return forgery_signs.signal(
        Sign.TWIN,
        policy.twin_share,
        today,
        {"other": name, **_figures(pocket)},
        {"together_share": policy.twin_near_share, "odds": policy.twin_odds},
    )


def _figures(alike: Likeness | Pocket) -> dict[str, Any]:
    return {
        name: round(value, 4) if isinstance(value, float) else value
        for name, value in asdict(alike).items()
    }


def _clock(beside: Beside, policy: ForgeryPolicy) -> Signal | None:
    """Find times that had not come yet, or fixes that are all equally late: a clock set wrong."""
    figures: dict[str, Any] = {}
    if beside.refused_ahead >= policy.stretch_fixes:
        figures["refused_ahead"] = beside.refused_ahead
    if beside.delays_s is not None:
        low_s, high_s = beside.delays_s
        if low_s >= policy.delay_s and high_s - low_s <= policy.delay_spread_s:
            figures["late_s"] = round(low_s, 1)
    if not figures:
        return None
    limits = {"refused_ahead": float(policy.stretch_fixes), "late_s": policy.delay_s}
    return Signal(Sign.CLOCK, policy.clock_share, figures, limits)


def _cells(beside: Beside, policy: ForgeryPolicy) -> Signal | None:
    """Cells heard at the same moment that cannot be heard there."""
    if beside.impossible_cells < policy.stretch_fixes:
        return None
    figures: dict[str, Any] = {
        "impossible": beside.impossible_cells,
        "strained": beside.strained_cells,
        "checked": beside.checked_cells,
    }
    if beside.farthest_m is not None:
        figures["farthest_m"] = round(beside.farthest_m, 1)
    limits = {"impossible": float(policy.stretch_fixes)}
    return Signal(Sign.CELL_MISMATCH, policy.cell_share, figures, limits)
