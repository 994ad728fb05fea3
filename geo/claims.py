"""Travel claims against fixes: what each line can have been, and what nobody can tell."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime, time, timedelta
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum
from typing import Any, Final, TypeAlias
from zoneinfo import ZoneInfo

from geo.claim_lines import (
    Claim,
    Clash,
    Line,
    MileageLine,
    NightLine,
    PerDiemLine,
    TransportLine,
    find_clashes,
)
from geo.fix import FixArray
from geo.gaps import Window
from geo.mileage import measure_mileage
from geo.policy import ClaimPolicy, Policy
from geo.roads import Profile, Roads
from geo.verdict import Evidence
from geo.whereabouts import Pace, Place, Whereabouts

__all__ = [
    "Claim",
    "ClaimVerdict",
    "Line",
    "LineCheck",
    "MileageLine",
    "NightLine",
    "PerDiemLine",
    "TransportLine",
    "audit_claim",
]

RULE: Final = "claim"
Condition: TypeAlias = Mapping[str, Any]
_KM: Final = Decimal("0.1")
_CENT: Final = Decimal("0.01")


class ClaimVerdict(StrEnum):
    """What fixes say about a line of a claim; `CANNOT_TELL` goes to a person."""

    SUPPORTED = "supported"
    OVER = "over"
    UNDER = "under"
    CANNOT_TELL = "cannot_tell"


@dataclass(frozen=True, slots=True)
class LineCheck:
    """Verdict on one line. Amounts are decimals: kilometres, nights or days as the line has them.

    ``suggested_amount`` is money, for mileage only, in favour of the claimant.
    """

    id: str
    verdict: ClaimVerdict
    claimed: Decimal | None
    low: Decimal | None
    high: Decimal | None
    observed: Decimal | None
    over_by: Decimal | None
    suggested_amount: Decimal | None
    coverage: float
    reasons: tuple[str, ...]
    evidence: Evidence


def audit_claim(
    claim: Claim, fixes: FixArray, *, policy: Policy, roads: Roads | None = None
) -> tuple[ClaimVerdict, tuple[LineCheck, ...]]:
    """Check every line of a claim against one person's fixes.

    Parameters
    ----------
    claim : lines in any order.
    fixes : of the claimant; those around each line are used.
    policy : thresholds.
    roads : network for the shortest ways; the trace alone when left out.

    Returns
    -------
    The gravest verdict (over, cannot tell, under, supported), and the checks in the order of
    the lines. A pure function of claim and set of fixes.
    """
    clashes = find_clashes(claim.lines, rules=policy.claim)
    checks = tuple(
        _with_clash(_check(line, claim, fixes, policy, roads), clashes[line.id], claim.rate_per_km)
        for line in claim.lines
    )
    gravest = (
        ClaimVerdict.OVER,
        ClaimVerdict.CANNOT_TELL,
        ClaimVerdict.UNDER,
        ClaimVerdict.SUPPORTED,
    )
    told = {check.verdict for check in checks}
    return next((v for v in gravest if v in told), ClaimVerdict.SUPPORTED), checks


def _check(
    line: Line, claim: Claim, fixes: FixArray, policy: Policy, roads: Roads | None
) -> LineCheck:
    if isinstance(line, MileageLine):
        return _check_mileage(line, claim, fixes, policy, roads)
    if isinstance(line, NightLine):
        return _check_days(line, [_night(line, policy.claim)], line.place, fixes, policy)
    if isinstance(line, PerDiemLine):
        count = (line.last_on - line.first_on).days + 1
        days = [_day(line.first_on + timedelta(days=k), line.zone) for k in range(count)]
        return _check_days(line, days, line.place, fixes, policy)
    return _check_transport(line, fixes, policy)


def _check_mileage(
    line: MileageLine, claim: Claim, fixes: FixArray, policy: Policy, roads: Roads | None
) -> LineCheck:
    rules = policy.claim
    driven = measure_mileage(
        fixes, line.span, line.stops, policy=policy, roads=roads, profile=Profile.AUTO
    )
    low, high, mid = (_km(m) for m in (driven.low_m, driven.high_m, driven.mid_m))
    fair = min(_km(driven.fair_m), high)
    least = low * Decimal(str(rules.under_share))
    seen = _if("coverage_at_least", rules.min_coverage_share, round(driven.coverage, 4))
    not_seen = _if("coverage_below", rules.min_coverage_share, round(driven.coverage, 4))
    reasons: tuple[str, ...]
    would_change: tuple[Condition, ...]
    if driven.coverage < rules.min_coverage_share:
        verdict, reasons = ClaimVerdict.CANNOT_TELL, ("coverage_too_low",)
        would_change = (seen,)
    elif line.km > high:
        verdict, reasons = ClaimVerdict.OVER, ("more_than_feasible",)
        fairly = () if fair == high else (_claimed("at_most", fair, line),)
        would_change = (_claimed("at_most", high, line), *fairly, not_seen)
    elif line.km > fair:
        verdict, reasons = ClaimVerdict.CANNOT_TELL, ("too_little_seen_to_dispute",)
        would_change = (_claimed("at_most", fair, line), _claimed("above", high, line))
    elif line.km < least:
        verdict, reasons = ClaimVerdict.UNDER, ("less_than_feasible",)
        would_change = (_claimed("at_least", least, line), not_seen)
    else:
        verdict, reasons = ClaimVerdict.SUPPORTED, ("within_feasible",)
        would_change = (_claimed("above", fair, line), _claimed("below", least, line), not_seen)
    if driven.missed:
        reasons = (*reasons, "claimed_stop_not_seen")
    over = verdict is ClaimVerdict.OVER
    return LineCheck(
        id=line.id,
        verdict=verdict,
        claimed=line.km,
        low=low,
        high=high,
        observed=mid,
        over_by=line.km - high if over else Decimal(0),
        suggested_amount=_money((high if over else line.km) * claim.rate_per_km),
        coverage=round(driven.coverage, 4),
        reasons=reasons,
        evidence=_evidence(
            policy,
            {"line": line.id, "stops": [asdict(stop) for stop in line.stops]}
            | ({} if roads is None else {"roads": asdict(roads.version)}),
            {
                "low_m": round(driven.low_m, 1),
                "mid_m": round(driven.mid_m, 1),
                "fair_m": round(driven.fair_m, 1),
                "high_m": round(driven.high_m, 1),
                "doubt_m": round(driven.doubt_m, 1),
                "margin_m": round(driven.high_m - float(line.km) * 1_000.0, 1),
                "coverage": round(driven.coverage, 4),
                "stops_not_seen": list(driven.missed),
                "matched_to_roads": roads is not None,
                "profile": driven.profile,
            },
            reasons,
            would_change,
        ),
    )


def _check_days(
    line: NightLine | PerDiemLine,
    spans: Sequence[Window],
    place: Place,
    fixes: FixArray,
    policy: Policy,
) -> LineCheck:
    """Count the spans seen at the place, and those of which nobody can tell."""
    night = isinstance(line, NightLine)
    needed_s = policy.claim.night_s if night else 0.0
    seen = [Whereabouts.of(fixes, place, span, policy) for span in spans]
    there = sum(w.there_s >= needed_s and w.was_there for w in seen)
    elsewhere = sum(
        not w.was_there and w.known_s >= policy.claim.min_coverage_share * w.length_s for w in seen
    )
    claimed, high = Decimal(len(spans)), Decimal(len(spans) - elsewhere)
    known = sum(w.known_s for w in seen) / sum(w.length_s for w in seen)
    would_change: tuple[Condition, ...]
    if claimed > high:
        verdict, reasons = ClaimVerdict.OVER, ("seen_elsewhere",)
        would_change = (
            _if("claimed_at_most", int(high), len(spans)),
            _if("coverage_below", policy.claim.min_coverage_share, round(known, 4)),
        )
    elif there == len(spans):
        verdict, reasons = ClaimVerdict.SUPPORTED, ("seen_at_place",)
        would_change = (_if("seen_there_below", len(spans), there),)
    else:
        verdict, reasons = ClaimVerdict.CANNOT_TELL, ("not_seen_enough",)
        would_change = (_if("seen_there_at_least", len(spans), there),)
        if night:
            would_change += (_if("there_at_least_s", needed_s, round(seen[0].there_s, 3)),)
    return LineCheck(
        id=line.id,
        verdict=verdict,
        claimed=claimed,
        low=Decimal(there),
        high=high,
        observed=Decimal(there),
        over_by=claimed - high,
        suggested_amount=None,
        coverage=round(known, 4),
        reasons=reasons,
        evidence=_evidence(
            policy,
            {"line": line.id, "place": asdict(place)},
            {"spans": [w.figures() for w in seen]},
            reasons,
            would_change,
        ),
    )


def _check_transport(line: TransportLine, fixes: FixArray, policy: Policy) -> LineCheck:
    """Support a leg by its two ends; whoever is seen staying behind did not take it."""
    rules = policy.claim
    slack = timedelta(seconds=rules.leg_slack_s)
    before = Window(line.span.start - slack, line.span.start + slack / 2)
    after = Window(line.span.end - slack / 2, line.span.end + slack)
    left = Whereabouts.of(fixes, line.origin, before, policy)
    came = Whereabouts.of(fixes, line.destination, after, policy)
    stayed = Whereabouts.of(fixes, line.origin, after, policy)
    span_s = (line.span.end - line.span.start).total_seconds()
    way_m = line.origin.distance_m(line.destination)
    mps = way_m / span_s
    limit = rules.mode_mps(line.mode)
    under_way = Pace.of(fixes, line.span, policy)
    if stayed.was_there and not came.was_there:
        verdict, reasons = ClaimVerdict.OVER, ("still_at_origin",)
    elif came.seen_far and not came.was_there:
        verdict, reasons = ClaimVerdict.OVER, ("elsewhere_on_arrival",)
    elif not (left.was_there and came.was_there):
        verdict, reasons = ClaimVerdict.CANNOT_TELL, ("ends_not_seen",)
    elif limit is not None and mps > limit:
        verdict, reasons = ClaimVerdict.CANNOT_TELL, ("faster_than_mode",)
    elif _too_slow(line.mode, under_way, rules):
        verdict, reasons = ClaimVerdict.CANNOT_TELL, ("slower_than_mode",)
    else:
        verdict, reasons = ClaimVerdict.SUPPORTED, ("seen_at_both_ends",)
    would_change = _otherwise(line, reasons[0], (came, under_way), mps, rules)
    return LineCheck(
        id=line.id,
        verdict=verdict,
        claimed=None,
        low=None,
        high=None,
        observed=None,
        over_by=None,
        suggested_amount=None,
        coverage=round(min(left.known_s / left.length_s, came.known_s / came.length_s), 4),
        reasons=reasons,
        evidence=_evidence(
            policy,
            {"line": line.id, "mode": line.mode},
            {
                "straight_m": round(way_m, 1),
                "mps": round(mps, 2),
                "fastest_mps": round(under_way.fastest_mps, 2),
                "seen_share": round(under_way.seen_share, 4),
                "origin": left.figures(),
                "destination": came.figures(),
            },
            reasons,
            would_change,
        ),
    )


def _otherwise(
    line: TransportLine,
    reason: str,
    seen: tuple[Whereabouts, Pace],
    mps: float,
    rules: ClaimPolicy,
) -> tuple[Condition, ...]:
    """Return what would have led to another verdict on a ride."""
    came, under_way = seen
    limit = rules.mode_mps(line.mode)
    if reason == "seen_at_both_ends":
        return () if limit is None else (_if("mps_above", limit, round(mps, 2)),)
    if reason == "faster_than_mode":
        return (_if("mps_at_most", limit, round(mps, 2)),)
    if reason == "slower_than_mode":
        fastest_mps = round(under_way.fastest_mps, 2)
        return (_if("fastest_at_least_mps", rules.slowest_flight_mps, fastest_mps),)
    nearest_m = None if came.nearest_m is None else round(came.nearest_m, 1)
    return (_if("arrival_within_m", line.destination.radius_m, nearest_m),)


def _night(line: NightLine, rules: ClaimPolicy) -> Window:
    return Window(
        datetime.combine(line.on, time(rules.night_from_hour), line.zone),
        datetime.combine(line.on + timedelta(days=1), time(rules.night_to_hour), line.zone),
    )


def _day(on: date, zone: ZoneInfo) -> Window:
    return Window(
        datetime.combine(on, time(), zone), datetime.combine(on + timedelta(days=1), time(), zone)
    )


def _km(metres: float) -> Decimal:
    return (Decimal(str(round(metres, 3))) / 1000).quantize(_KM, ROUND_HALF_UP)


def _money(amount: Decimal) -> Decimal:
    return amount.quantize(_CENT, ROUND_HALF_UP)


def _with_clash(check: LineCheck, clash: Clash, rate_per_km: Decimal) -> LineCheck:
    """Add what other lines of the claim say; what is claimed twice is claimed once too often."""
    if not clash.reasons:
        return check
    verdict, over_by, amount = check.verdict, check.over_by, check.suggested_amount
    if clash.twice:
        verdict = ClaimVerdict.OVER
        if check.claimed is not None:
            over_by = max(over_by or Decimal(0), clash.twice.quantize(_KM, ROUND_HALF_UP))
            over_by = min(over_by, check.claimed)
            amount = amount and _money((check.claimed - over_by) * rate_per_km)
    reasons = (*clash.reasons, *check.reasons)
    repeated = ({"if": "without_lines", "lines": list(clash.others)},) if clash.twice else ()
    evidence = replace(
        check.evidence,
        inputs={**check.evidence.inputs, "other_lines": list(clash.others)},
        reasons=reasons,
        would_change=(*repeated, *check.evidence.would_change),
    )
    return replace(
        check,
        verdict=verdict,
        over_by=over_by,
        suggested_amount=amount,
        reasons=reasons,
        evidence=evidence,
    )


def _too_slow(mode: str, under_way: Pace, rules: ClaimPolicy) -> bool:
    """Whether somebody was seen all the way, and never as fast as a plane is."""
    flown = mode in ("flight", "plane")
    seen = under_way.seen_share >= rules.min_coverage_share
    return flown and seen and under_way.fastest_mps < rules.slowest_flight_mps


def _if(code: str, limit: float | None, actual: float | None) -> Condition:
    return {"if": code, "limit": limit, "actual": actual}


def _claimed(side: str, limit: Decimal, line: MileageLine) -> Condition:
    """Return the condition that the claim is on one side of so many kilometres."""
    return _if(f"claimed_{side}_m", float(limit * 1_000), float(line.km * 1_000))


def _evidence(
    policy: Policy,
    inputs: dict[str, Any],
    figures: dict[str, Any],
    reasons: tuple[str, ...],
    would_change: tuple[Condition, ...],
) -> Evidence:
    return Evidence(
        rule=RULE,
        policy_version=policy.version,
        thresholds=asdict(policy.claim),
        inputs=inputs,
        figures=figures,
        reasons=reasons,
        would_change=would_change,
    )
