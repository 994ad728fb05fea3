"""What a travel claim may be, what it is worth, and what other facts say of its lines: pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from enum import StrEnum
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from geo.claim_document import read_claim
from geo.claims import Claim, ClaimVerdict, Line, MileageLine, NightLine, PerDiemLine
from geo.errors import UnreadableInput
from geo.gaps import Window
from server.errors import InvalidInput

__all__ = ["ClaimVerdict"]

MAX_LINES: Final = 60
MAX_DAYS: Final = 92
MAX_TEXT: Final = 1_000
_MAX_AMOUNT: Final = Decimal(10_000_000)
_FIRST_ON: Final = date(2000, 1, 1)
_BEFORE: Final = date(2100, 1, 1)
_CENT: Final = Decimal("0.01")


class ClaimState(StrEnum):
    """Life of a claim: draft → submitted → decided in one of three ways, for good."""

    DRAFT = "draft"
    SUBMITTED = "submitted"
    APPROVED = "approved"
    REDUCED = "reduced"
    RETURNED = "returned"


DECIDED: Final = frozenset({ClaimState.APPROVED, ClaimState.REDUCED, ClaimState.RETURNED})


@dataclass(frozen=True, slots=True)
class ClaimFacts:
    """A claim as its document says it.

    Attributes
    ----------
    amounts : money claimed by line; kilometres times the rate, else the line's own `amount`.
    first_on, last_on : local dates that its lines touch, in the tenant's zone.
    """

    claim: Claim
    amounts: Mapping[str, Decimal]
    first_on: date
    last_on: date

    @property
    def claimed(self) -> Decimal:
        """Money claimed in all."""
        return sum(self.amounts.values(), Decimal("0.00"))

    @property
    def span(self) -> Window:
        """From the first instant of any line to the last."""
        spans = [span_of(line) for line in self.claim.lines]
        return Window(min(s.start for s in spans), max(s.end for s in spans))


def read_facts(document: Mapping[str, Any], *, zone: str) -> ClaimFacts:
    """Read a claim's document and what it is worth.

    Parameters
    ----------
    document : as CLAIM.json, with an `amount` (decimal in quotes) on lines that are no
        kilometres.
    zone : IANA zone of the tenant, for the dates.

    Raises
    ------
    InvalidInput : `unreadable` with what is wrong, `bad_amount`, `too_many_lines`,
        `too_many_days`.
    """
    try:
        claim = read_claim(document)
    except UnreadableInput as error:
        raise InvalidInput("unreadable", error.detail) from None
    if len(claim.lines) > MAX_LINES:
        raise InvalidInput("too_many_lines")
    raw = {str(line["id"]): line for line in document["lines"]}
    amounts = {line.id: _amount(line, raw[line.id], claim) for line in claim.lines}
    days = _days_touched(claim.lines, ZoneInfo(zone))
    if (max(days) - min(days)).days >= MAX_DAYS:
        raise InvalidInput("too_many_days")
    return ClaimFacts(claim, amounts, min(days), max(days))


def span_of(line: Line) -> Window:
    """Return the instants over which a line claims something."""
    if isinstance(line, NightLine):
        return _days(line.on, line.on + timedelta(days=1), line.zone)
    if isinstance(line, PerDiemLine):
        return _days(line.first_on, line.last_on, line.zone)
    return line.span


def suggested(line: Line, amount: Decimal, *, high: Decimal | None, over: bool) -> Decimal:
    """Return what a line is worth by its verdict, in favour of the claimant.

    Parameters
    ----------
    amount : claimed.
    high : at most feasible: kilometres, nights or days; None for a ride.
    over : the verdict is that more was claimed than is feasible.
    """
    if not over:
        return amount
    if high is None:
        return Decimal("0.00")
    claimed = line.km if isinstance(line, MileageLine) else _count(line)
    return min(_money(amount * high / claimed), amount) if claimed else amount


@dataclass(frozen=True, slots=True)
class Remark:
    """What other facts than fixes say of a line: a reason and the ids behind it."""

    reason: str
    ids: tuple[str, ...]


def remarks(
    line: Line,
    *,
    leave: Iterable[tuple[UUID, Window]],
    earlier: Iterable[tuple[UUID, Sequence[Line]]],
) -> tuple[Remark, ...]:
    """Look at a line beside the person's leave and their earlier claims.

    Parameters
    ----------
    leave : approved leave by id.
    earlier : lines of claims that were handed in before, by claim.

    Returns
    -------
    `on_leave` and `claimed_twice`, each with what it rests on; a person judges both.
    """
    span = span_of(line)
    away = tuple(str(id_) for id_, window in leave if _meet(span, window))
    twice = tuple(
        str(id_)
        for id_, lines in earlier
        if any(type(other) is type(line) and _meet(span, span_of(other)) for other in lines)
    )
    found = (("claimed_twice", twice), ("on_leave", away))
    return tuple(Remark(reason, tuple(sorted(ids))) for reason, ids in found if ids)


def reason_of(text: str, *, needed: bool) -> str | None:
    """Return what somebody wrote as a reason, None for nothing.

    Raises
    ------
    InvalidInput : `reason_missing`, `reason_too_long`.
    """
    said = text.strip()
    if needed and not said:
        raise InvalidInput("reason_missing")
    if len(said) > MAX_TEXT:
        raise InvalidInput("reason_too_long")
    return said or None


def gravest(verdicts: Iterable[ClaimVerdict]) -> ClaimVerdict:
    """Return the verdict on a claim: over, then cannot tell, under, supported."""
    told = set(verdicts)
    order = (ClaimVerdict.OVER, ClaimVerdict.CANNOT_TELL, ClaimVerdict.UNDER)
    return next((v for v in order if v in told), ClaimVerdict.SUPPORTED)


def _meet(one: Window, other: Window) -> bool:
    return one.start < other.end and other.start < one.end


def _days(first_on: date, last_on: date, zone: ZoneInfo) -> Window:
    return Window(
        datetime.combine(first_on, time(), zone),
        datetime.combine(last_on + timedelta(days=1), time(), zone),
    )


def _days_touched(lines: Iterable[Line], zone: ZoneInfo) -> list[date]:
    try:
        days = [day for line in lines for day in _dates(line, zone)]
    except OverflowError:
        days = [date.max]
    if min(days) < _FIRST_ON or max(days) >= _BEFORE:
        raise InvalidInput("unreadable", "a date is out of range")
    return days


def _dates(line: Line, zone: ZoneInfo) -> tuple[date, date]:
    if isinstance(line, NightLine):
        return line.on, line.on + timedelta(days=1)
    if isinstance(line, PerDiemLine):
        return line.first_on, line.last_on
    return tuple(at.astimezone(zone).date() for at in (line.span.start, line.span.end))  # type: ignore[return-value]


def _count(line: Line) -> Decimal:
    return Decimal((line.last_on - line.first_on).days + 1 if isinstance(line, PerDiemLine) else 1)


def _amount(line: Line, raw: Mapping[str, Any], claim: Claim) -> Decimal:
    if isinstance(line, MileageLine):
        driven = line.km * claim.rate_per_km
        if driven > _MAX_AMOUNT:
            raise InvalidInput("bad_amount", f"line {line.id}: too much money")
        return _money(driven)
    text = raw.get("amount", "0")
    try:
        amount = Decimal(text) if isinstance(text, str) else None
    except InvalidOperation:
        amount = None
    if amount is None or not amount.is_finite() or not 0 <= amount <= _MAX_AMOUNT:
        raise InvalidInput("bad_amount", f"line {line.id}: amount is a decimal in quotes")
    return _money(amount)


def _money(amount: Decimal) -> Decimal:
    return amount.quantize(_CENT, ROUND_HALF_UP)
