"""Travel claims against fixes: what each line can have been, and what nobody can tell."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime, time, timedelta
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum
from typing import Any, Final, TypeAlias
from zoneinfo import ZoneInfo

from geo.fix import FixArray
from geo.gaps import Window
from geo.mileage import measure_mileage
from geo.policy import ClaimPolicy, Policy
from geo.roads import Profile, Roads
from geo.verdict import Evidence
from geo.whereabouts import Place, Whereabouts

RULE: Final = "claim"
_KM: Final = Decimal("0.1")
_CENT: Final = Decimal("0.01")


class ClaimVerdict(StrEnum):
    """What fixes say about a line of a claim; `CANNOT_TELL` goes to a person."""

    SUPPORTED = "supported"
    OVER = "over"
    UNDER = "under"
    CANNOT_TELL = "cannot_tell"


@dataclass(frozen=True, slots=True)
class MileageLine:
    """Kilometres driven over ``[start, end)``, through named stops in order."""

    id: str
    span: Window
    km: Decimal
    stops: tuple[Place, ...] = ()


@dataclass(frozen=True, slots=True)
class NightLine:
    """A night that begins on a local date, at a place."""

    id: str
    on: date
    zone: ZoneInfo
    place: Place


@dataclass(frozen=True, slots=True)
class PerDiemLine:
    """Natural days at a place, first and last included."""

    id: str
    first_on: date
    last_on: date
    zone: ZoneInfo
    place: Place


@dataclass(frozen=True, slots=True)
class TransportLine:
    """A ride or flight between two places over ``[start, end)``."""

    id: str
    mode: str
    origin: Place
    destination: Place
    span: Window


Line: TypeAlias = MileageLine | NightLine | PerDiemLine | TransportLine


@dataclass(frozen=True, slots=True)
class Claim:
    """A claim: its lines, and what a kilometre is worth."""

    lines: tuple[Line, ...]
    currency: str
    rate_per_km: Decimal


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
    checks = tuple(_check(line, claim, fixes, policy, roads) for line in claim.lines)
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
    over_by = max(line.km - high, Decimal(0))
    reasons: tuple[str, ...]
    if driven.coverage < rules.min_coverage_share:
        verdict, reasons = ClaimVerdict.CANNOT_TELL, ("coverage_too_low",)
    elif line.km > high and line.km <= _km(driven.high_m + driven.doubt_m):
        verdict, reasons = ClaimVerdict.CANNOT_TELL, ("too_little_seen_to_dispute",)
    elif line.km > high:
        verdict, reasons = ClaimVerdict.OVER, ("more_than_feasible",)
    elif line.km < low * Decimal(str(rules.under_share)):
        verdict, reasons = ClaimVerdict.UNDER, ("less_than_feasible",)
    else:
        verdict, reasons = ClaimVerdict.SUPPORTED, ("within_feasible",)
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
        over_by=over_by if over else Decimal(0),
        suggested_amount=_money((high if over else line.km) * claim.rate_per_km),
        coverage=round(driven.coverage, 4),
        reasons=reasons,
        evidence=_evidence(
            policy,
            asdict(policy.claim),
            {"line": line.id, "stops": [asdict(stop) for stop in line.stops]},
            {
                "low_m": round(driven.low_m, 1),
                "mid_m": round(driven.mid_m, 1),
                "high_m": round(driven.high_m, 1),
                "doubt_m": round(driven.doubt_m, 1),
                "margin_m": round(driven.high_m - float(line.km) * 1_000.0, 1),
                "coverage": round(driven.coverage, 4),
                "stops_not_seen": list(driven.missed),
                "matched_to_roads": roads is not None,
            },
            reasons,
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
    if claimed > high:
        verdict, reasons = ClaimVerdict.OVER, ("seen_elsewhere",)
    elif there == len(spans):
        verdict, reasons = ClaimVerdict.SUPPORTED, ("seen_at_place",)
    else:
        verdict, reasons = ClaimVerdict.CANNOT_TELL, ("not_seen_enough",)
    known = sum(w.known_s for w in seen) / sum(w.length_s for w in seen)
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
            asdict(policy.claim),
            {"line": line.id, "place": asdict(place)},
            {"spans": [w.figures() for w in seen]},
            reasons,
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
    if left.was_there and came.was_there:
        verdict, reasons = ClaimVerdict.SUPPORTED, ("seen_at_both_ends",)
    elif stayed.was_there and not came.was_there:
        verdict, reasons = ClaimVerdict.OVER, ("still_at_origin",)
    elif came.seen_far and not came.was_there:
        verdict, reasons = ClaimVerdict.OVER, ("elsewhere_on_arrival",)
    else:
        verdict, reasons = ClaimVerdict.CANNOT_TELL, ("ends_not_seen",)
    span_s = (line.span.end - line.span.start).total_seconds()
    way_m = line.origin.distance_m(line.destination)
    mps = way_m / span_s
    limits = rules.mode_mps(line.mode)
    if verdict is ClaimVerdict.SUPPORTED and limits is not None and mps > limits:
        verdict, reasons = ClaimVerdict.CANNOT_TELL, ("faster_than_mode",)
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
            asdict(policy.claim),
            {"line": line.id, "mode": line.mode},
            {
                "straight_m": round(way_m, 1),
                "mps": round(mps, 2),
                "origin": left.figures(),
                "destination": came.figures(),
            },
            reasons,
        ),
    )


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


def _evidence(
    policy: Policy,
    thresholds: dict[str, Any],
    inputs: dict[str, Any],
    figures: dict[str, Any],
    reasons: tuple[str, ...],
) -> Evidence:
    return Evidence(
        rule=RULE,
        policy_version=policy.version,
        thresholds=thresholds,
        inputs=inputs,
        figures=figures,
        reasons=reasons,
    )
