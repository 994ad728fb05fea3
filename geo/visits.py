"""Whether somebody was at a customer's site: from fixes, with the reasons."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

import numpy as np

from geo.fix import NOT_EVIDENCE, FixArray, from_epoch_s, to_epoch_s
from geo.gaps import Window
from geo.policy import Policy
from geo.sites import Seconds, Site, Surroundings
from geo.staypoints import Staypoint
from geo.verdict import Evidence

__all__ = [
    "MARGIN_S",
    "RULE",
    "Site",
    "Visit",
    "VisitType",
    "VisitVerdict",
    "conclude",
    "look_around",
    "verify_visit",
]

RULE: Final = "visit"
MARGIN_S: Final = 3_600.0
"""Fixes this long before and after the window show how somebody came and went."""


class VisitType(StrEnum):
    """What kind of call it is; each has its own minimum stay."""

    REGULAR = "regular"
    COLD = "cold"
    FOLLOW_UP = "follow_up"


class VisitVerdict(StrEnum):
    """What fixes say about a visit."""

    VERIFIED = "verified"
    PASSED_BY = "passed_by"
    NOT_OBSERVABLE = "not_observable"
    NOT_VISITED = "not_visited"
    CONTRADICTED = "contradicted"


@dataclass(frozen=True, slots=True)
class Visit:
    """Verdict on one visit.

    Attributes
    ----------
    arrived_at, left_at : of the stay or of the passing; None when there was neither.
    way : from when to when somebody was on the way there, at the site and on the way from it;
        None unless the visit is verified.
    place : `(lon, lat)` of the stay that made the visit, else of the one beside the pin that
        would have; None without one. It speaks of the pin, see `geo.pins`.
    dwell_s : inside the window, 0 when nobody stayed.
    nearest_m : of the credible fixes from the pin; None without any.
    accuracy_m : of the nearest fix.
    reasons : codes, most important first.
    evidence : rule, thresholds, figures and what would have changed the verdict.
    """

    verdict: VisitVerdict
    arrived_at: datetime | None
    left_at: datetime | None
    way: Window | None
    place: tuple[float, float] | None
    dwell_s: float
    nearest_m: float | None
    accuracy_m: float | None
    reasons: tuple[str, ...]
    evidence: Evidence


def verify_visit(
    fixes: FixArray,
    site: Site,
    window: Window,
    *,
    kind: VisitType = VisitType.REGULAR,
    policy: Policy,
) -> Visit:
    """Judge whether one person visited one site in a window of time.

    A stay of the type's minimum whose middle lies at the site is *verified*; being there more
    briefly, or on a way that crosses the site, is *passed by*. When a silence would have been
    long enough to go there, stay and come back, nobody can tell: *not observable*. Only when
    no such silence is left is it *not visited*. A stay that rests on fixes of a mock provider
    alone is *contradicted*: it goes to a person, it is no verdict on them.

    Parameters
    ----------
    fixes : of one person; those from an hour before to an hour after the window are used.
    site : pin (WGS-84) and radius in metres.
    window : ``[start, end)``, usually the planned day.
    kind : decides the minimum stay.
    policy : thresholds.

    Returns
    -------
    Visit, a pure function of the set of fixes. O(n log n).
    """
    return conclude(look_around(fixes, site, window, kind=kind, policy=policy))


def look_around(
    fixes: FixArray, site: Site, window: Window, *, kind: VisitType, policy: Policy
) -> Surroundings:
    """Find the stays that a visit is judged by, for `conclude`; parameters as `verify_visit`."""
    near = fixes.between(
        from_epoch_s(to_epoch_s(window.start) - MARGIN_S),
        from_epoch_s(to_epoch_s(window.end) + MARGIN_S),
    )
    need_s = policy.visit.dwell_s(kind.value)
    return Surroundings.of(near, site, window, policy=policy, need_s=need_s)


def conclude(seen: Surroundings, *, taken: Sequence[Seconds] = ()) -> Visit:
    """Judge a visit by what was seen round its site.

    Parameters
    ----------
    taken : spans, epoch seconds, of stays that count for other visits of this person; see
        `geo.rounds`.
    """
    seen = replace(seen, taken=taken)
    stay, elsewhere = seen.stay(), seen.given_away()
    if stay is not None and seen.overlap_s(stay) >= seen.need_s:
        return _answer(seen, VisitVerdict.VERIFIED, stay=stay, reasons=_remarks(seen, stay))
    if seen.mocked_s() >= seen.need_s:
        return _answer(seen, VisitVerdict.CONTRADICTED, reasons=("only_mock_fixes_at_site",))
    if elsewhere is not None and seen.overlap_s(elsewhere) >= seen.need_s:
        return _answer(
            seen, VisitVerdict.PASSED_BY, stay=elsewhere, reasons=("stay_counts_for_another",)
        )
    if seen.room_s() >= seen.need_s:
        return _answer(
            seen,
            VisitVerdict.NOT_OBSERVABLE,
            stay=stay,
            reasons=("silence_long_enough_for_a_visit",),
        )
    passing = seen.passing()
    if stay is not None or passing is not None:
        reason = "stay_too_short" if stay is not None else "way_crosses_site"
        return _answer(seen, VisitVerdict.PASSED_BY, stay=stay, passing=passing, reasons=(reason,))
    return _answer(seen, VisitVerdict.NOT_VISITED, reasons=("elsewhere_all_the_time",))


def _remarks(seen: Surroundings, stay: Staypoint) -> tuple[str, ...]:
    """Codes that qualify a verified stay."""
    every = seen.track.fixes.epoch_s
    seen_s = float(every[stay.last] - every[stay.first])
    partly = seen_s < seen.policy.visit.seen_share * seen.overlap_s(stay)
    return ("stay_at_site", "partly_inferred") if partly else ("stay_at_site",)


def _answer(
    seen: Surroundings,
    verdict: VisitVerdict,
    *,
    reasons: tuple[str, ...],
    stay: Staypoint | None = None,
    passing: Seconds | None = None,
) -> Visit:
    """Put the verdict together with its evidence."""
    away, time = seen.away_m, seen.track.fixes.epoch_s
    inside = np.flatnonzero(
        (time >= to_epoch_s(seen.window.start)) & (time < to_epoch_s(seen.window.end))
    )
    nearest = int(inside[np.argmin(away[inside])]) if len(inside) else None
    span = (stay.arrived_s, stay.left_s) if stay is not None else passing
    dwell_s = 0.0 if stay is None else seen.overlap_s(stay)
    verified = stay if verdict is VisitVerdict.VERIFIED else None
    beside = verified or seen.beside()
    way = None if verified is None else seen.way(verified)
    nearest_m = None if nearest is None else round(float(away[nearest]), 1)
    accuracy_m = None if nearest is None else round(float(seen.track.accuracy_m[nearest]), 1)
    figures = {
        "dwell_s": round(dwell_s, 3),
        "need_s": seen.need_s,
        "nearest_m": nearest_m,
        "accuracy_m": accuracy_m,
        "room_s": round(max(seen.room_s(), 0.0), 3),
        "margin_s": round(dwell_s - seen.need_s, 3),
        "fixes": len(inside),
        "unusable": int(np.count_nonzero(seen.fixes.has(NOT_EVIDENCE))),
        "stay_off_m": None if stay is None else round(seen.off_m(stay), 1),
        "beside_off_m": None if beside is None else round(seen.off_m(beside), 1),
        "way_from": None if way is None else from_epoch_s(way[0]),
        "way_until": None if way is None else from_epoch_s(way[1]),
    }
    keys = seen.track.fixes.keys[stay.first : stay.last + 1] if stay is not None else ()
    return Visit(
        verdict=verdict,
        arrived_at=None if span is None else from_epoch_s(span[0]),
        left_at=None if span is None else from_epoch_s(span[1]),
        way=None if way is None else Window(from_epoch_s(way[0]), from_epoch_s(way[1])),
        place=None if beside is None else (round(beside.lon_deg, 6), round(beside.lat_deg, 6)),
        dwell_s=round(dwell_s, 3),
        nearest_m=nearest_m,
        accuracy_m=accuracy_m,
        reasons=reasons,
        evidence=Evidence(
            rule=RULE,
            policy_version=seen.policy.version,
            thresholds={"visit": asdict(seen.policy.visit), "track": asdict(seen.policy.track)},
            inputs={"site": asdict(seen.site), "fixes": [str(key) for key in keys]},
            figures=figures,
            reasons=reasons,
            would_change=_would_change(seen, verdict, reasons, figures),
        ),
    )


def _would_change(
    seen: Surroundings,
    verdict: VisitVerdict,
    reasons: tuple[str, ...],
    figures: Mapping[str, Any],
) -> tuple[dict[str, Any], ...]:
    """Return what would have led to another verdict, the likeliest first."""
    need_s, reach_m = seen.need_s, seen.reach_m
    dwell = {"limit": need_s, "actual": figures["dwell_s"]}
    if verdict is VisitVerdict.VERIFIED:
        return (
            {"if": "stay_below_s", **dwell},
            {"if": "reach_below_m", "limit": reach_m, "actual": figures["stay_off_m"]},
        )
    if verdict is VisitVerdict.CONTRADICTED:
        return ({"if": "not_mock_s", "limit": need_s, "actual": round(seen.mocked_s(), 3)},)
    found: list[dict[str, Any]] = []
    if "stay_counts_for_another" in reasons:
        found.append({"if": "declared_together"})
    elif figures["room_s"] >= need_s:
        found.append({"if": "silence_below_s", "limit": need_s, "actual": figures["room_s"]})
    if figures["beside_off_m"] is not None and figures["beside_off_m"] > reach_m:
        beside = {"limit": reach_m, "actual": figures["beside_off_m"]}
        found.append({"if": "stay_within_m", **beside})
    elif figures["nearest_m"] is not None and figures["nearest_m"] > reach_m:
        found.append({"if": "nearest_within_m", "limit": reach_m, "actual": figures["nearest_m"]})
    if figures["dwell_s"] < need_s:
        found.append({"if": "stay_at_least_s", **dwell})
    return tuple(found)
