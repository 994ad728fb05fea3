"""What a travel claim says, and where its lines contradict each other by themselves."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from typing import Final, TypeAlias
from zoneinfo import ZoneInfo

from geo.fix import to_epoch_s
from geo.gaps import Window
from geo.policy import ClaimPolicy
from geo.whereabouts import Place


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
class Clash:
    """What other lines of the same claim say against a line.

    Attributes
    ----------
    reasons : stable codes: ``span_claimed_twice``, ``night_claimed_twice``,
        ``nights_in_two_places``, ``days_claimed_twice``.
    others : the lines that say so, in the order of the claim.
    twice : how much of what is claimed an earlier line has claimed already: kilometres,
        nights or days; a ride counts one.
    """

    reasons: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    twice: Decimal = field(default=Decimal(0))


_NONE: Final = Clash()


def find_clashes(lines: Sequence[Line], *, rules: ClaimPolicy) -> Mapping[str, Clash]:
    """Compare each line with every other of its kind.

    Parameters
    ----------
    lines : of one claim, with distinct ids.
    rules : spans may overlap by ``twice_s``.

    Returns
    -------
    A clash for each id. Both lines of a pair carry the reason; only the later one in the
    claim claims anything twice. A night in two places is a contradiction and no repetition:
    which of them is wrong is for the fixes to say. O(n^2).
    """
    clashes = {line.id: _NONE for line in lines}
    for number, line in enumerate(lines):
        for earlier in lines[:number]:
            reason, twice = _compare(earlier, line, rules)
            if reason:
                clashes[earlier.id] = _add(clashes[earlier.id], reason, line.id, Decimal(0))
                clashes[line.id] = _add(clashes[line.id], reason, earlier.id, twice)
    return clashes


def _add(clash: Clash, reason: str, other: str, twice: Decimal) -> Clash:
    reasons = clash.reasons if reason in clash.reasons else (*clash.reasons, reason)
    return Clash(reasons, (*clash.others, other), max(clash.twice, twice))


def _compare(one: Line, other: Line, rules: ClaimPolicy) -> tuple[str, Decimal]:
    """Reason why two lines cannot both stand, and how much the second one repeats."""
    if isinstance(one, MileageLine) and isinstance(other, MileageLine):
        share = _shared(one.span, other.span, rules)
        return ("span_claimed_twice", other.km * share) if share else ("", Decimal(0))
    if isinstance(one, TransportLine) and isinstance(other, TransportLine):
        share = _shared(one.span, other.span, rules)
        return ("span_claimed_twice", Decimal(1)) if share else ("", Decimal(0))
    if isinstance(one, NightLine) and isinstance(other, NightLine) and one.on == other.on:
        if one.place.distance_m(other.place) > one.place.radius_m + other.place.radius_m:
            return "nights_in_two_places", Decimal(0)
        return "night_claimed_twice", Decimal(1)
    if isinstance(one, PerDiemLine) and isinstance(other, PerDiemLine):
        first, last = max(one.first_on, other.first_on), min(one.last_on, other.last_on)
        days = (last - first) // timedelta(days=1) + 1
        return ("days_claimed_twice", Decimal(days)) if days > 0 else ("", Decimal(0))
    return "", Decimal(0)


def _shared(one: Window, other: Window, rules: ClaimPolicy) -> Decimal:
    """Share of the second span that lies in the first; none where they merely touch."""
    start, end = to_epoch_s(other.start), to_epoch_s(other.end)
    common = min(to_epoch_s(one.end), end) - max(to_epoch_s(one.start), start)
    shorter = min(end - start, (one.end - one.start).total_seconds())
    if common <= min(rules.twice_s, 0.5 * shorter):
        return Decimal(0)
    return Decimal(str(round(common / (end - start), 6)))
