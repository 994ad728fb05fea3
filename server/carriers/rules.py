"""Words, limits and states of asking a provider; pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

__all__ = [
    "ABOUT_THE_PERSON",
    "LOCATES_PHONES",
    "REFUSALS",
    "Breaker",
    "BreakerState",
    "CarrierFix",
    "CarrierRefusal",
    "ProviderKind",
    "RefusalCode",
    "Withdrawn",
]


class ProviderKind(StrEnum):
    """The protocol a provider speaks."""

    GEOLOCATE = "geolocate"
    """Cells and networks in, position out; the interface of Google and of Ichnaea."""
    MLP = "mlp"
    """A phone number in, position out; OMA Mobile Location Protocol 3.x."""
    LE2 = "le2"
    """As MLP, in the dialect of Chinese carriers: version 2.0.0 in GB2312."""


LOCATES_PHONES: Final = frozenset({ProviderKind.MLP, ProviderKind.LE2})


class Withdrawn(StrEnum):
    """Who took a consent back."""

    PERSON = "person"
    ACCOUNT = "account"
    CARRIER = "carrier"
    """The carrier answered that positioning is not allowed: it was withdrawn there."""


class RefusalCode(StrEnum):
    """Why there is no position; what pages translate."""

    # Before anybody was asked.
    NO_PROVIDER = "no_provider"
    OFF_DUTY = "off_duty"
    NO_NUMBER = "no_number"
    BAD_NUMBER = "bad_number"
    NO_CONSENT = "no_consent"
    PERSON_QUOTA = "person_quota"
    DAY_QUOTA = "day_quota"
    BREAKER_OPEN = "breaker_open"
    FORBIDDEN_ADDRESS = "forbidden_address"
    # On the way.
    UNREACHABLE = "unreachable"
    TIMEOUT = "timeout"
    TOO_BIG = "too_big"
    REDIRECT = "redirect"
    HTTP_STATUS = "http_status"
    BAD_ANSWER = "bad_answer"
    # What the provider said.
    CONSENT_WITHDRAWN = "consent_withdrawn"
    FORBIDDEN_BY_LAW = "forbidden_by_law"
    UNKNOWN_SUBSCRIBER = "unknown_subscriber"
    ABSENT = "absent"
    NOT_POSITIONED = "not_positioned"
    ACCURACY = "accuracy"
    CONGESTED = "congested"
    UNAUTHORISED = "unauthorised"
    NOT_UNDERSTOOD = "not_understood"
    PROVIDER_FAILURE = "provider_failure"
    NOT_FOUND = "not_found"
    IP_ONLY = "ip_only"
    CELL_ONLY = "cell_only"
    OLD_ANSWER = "old_answer"
    OTHER_PHONE = "other_phone"


REFUSALS: Final[Mapping[RefusalCode, str]] = {
    RefusalCode.NO_PROVIDER: "no carrier or positioning service is set up",
    RefusalCode.OFF_DUTY: "the person is not on duty now, so nobody may ask",
    RefusalCode.NO_NUMBER: "the person has no phone number on record",
    RefusalCode.BAD_NUMBER: "the phone number on record is no mobile number",
    RefusalCode.NO_CONSENT: "the person has not agreed to being located by the carrier",
    RefusalCode.PERSON_QUOTA: "the carrier was asked often enough about this person today",
    RefusalCode.DAY_QUOTA: "the requests allowed a day are used up",
    RefusalCode.BREAKER_OPEN: "the provider failed several times and is left alone for a while",
    RefusalCode.FORBIDDEN_ADDRESS: "the provider's address is not one that may be called",
    RefusalCode.UNREACHABLE: "the provider cannot be reached",
    RefusalCode.TIMEOUT: "the provider did not answer in time",
    RefusalCode.TOO_BIG: "the provider's answer was too big and was not read",
    RefusalCode.REDIRECT: "the provider sent us elsewhere, which is not followed",
    RefusalCode.HTTP_STATUS: "the provider answered with an error",
    RefusalCode.BAD_ANSWER: "the provider's answer could not be understood",
    RefusalCode.CONSENT_WITHDRAWN: "the person withdrew consent at the carrier; this is no absence",
    RefusalCode.FORBIDDEN_BY_LAW: "local rules forbid locating this phone",
    RefusalCode.UNKNOWN_SUBSCRIBER: "the carrier does not know this number",
    RefusalCode.ABSENT: "the phone is switched off or without network",
    RefusalCode.NOT_POSITIONED: "the network could not position the phone",
    RefusalCode.ACCURACY: "the network could not position the phone as accurately as asked",
    RefusalCode.CONGESTED: "the carrier is too busy now",
    RefusalCode.UNAUTHORISED: "the carrier does not accept our credentials or our request",
    RefusalCode.NOT_UNDERSTOOD: "the carrier did not understand our request",
    RefusalCode.PROVIDER_FAILURE: "the carrier reports a fault of its own",
    RefusalCode.NOT_FOUND: "the service knows none of the cells and networks",
    RefusalCode.IP_ONLY: "the service only guessed from a network address, which is no position",
    RefusalCode.CELL_ONLY: "the carrier named the radio cell only, and its place is unknown",
    RefusalCode.OLD_ANSWER: "the carrier's position is from before duty or too old, and not kept",
    RefusalCode.OTHER_PHONE: "the carrier answered about another number",
}
"""What each code means, in English for logs and commands; pages translate the code."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CarrierFix:
    """Where a provider says a phone is; WGS-84.

    Attributes
    ----------
    fixed_at : instant the position is from, as the provider says; of the answer if it does
        not say and the request bounded its age.
    accuracy_m : radius that holds the phone with 95 %, metres; None when the provider gave a
        bare point.
    provider : its name as the tenant calls it; goes into `resolved_by` as ``carrier:<name>``.
    area : the provider fell back to the area of the cells (`lacf`).
    cached : from an earlier answer young enough; nobody was asked now.
    """

    lon_deg: float
    lat_deg: float
    accuracy_m: float | None
    fixed_at: datetime
    provider: str
    area: bool = False
    cached: bool = False


@dataclass(frozen=True, slots=True)
class CarrierRefusal:
    """Why there is no position; `words` for people, in English, `detail` from the provider."""

    code: RefusalCode
    detail: str = ""
    provider: str | None = None

    @property
    def words(self) -> str:
        """What the code means, in English."""
        return REFUSALS[self.code]


ABOUT_THE_PERSON: Final = frozenset(
    {
        RefusalCode.CONSENT_WITHDRAWN,
        RefusalCode.FORBIDDEN_BY_LAW,
        RefusalCode.ABSENT,
        RefusalCode.NOT_POSITIONED,
        RefusalCode.ACCURACY,
        RefusalCode.OLD_ANSWER,
        RefusalCode.CELL_ONLY,
        RefusalCode.OFF_DUTY,
    }
)
"""Refusals that another provider would not change, or must not be asked to."""

_FAULTS: Final = frozenset(
    {
        RefusalCode.UNREACHABLE,
        RefusalCode.TIMEOUT,
        RefusalCode.TOO_BIG,
        RefusalCode.REDIRECT,
        RefusalCode.HTTP_STATUS,
        RefusalCode.BAD_ANSWER,
        RefusalCode.PROVIDER_FAILURE,
        RefusalCode.CONGESTED,
        # Asking on with credentials that are refused gets an account locked.
        RefusalCode.UNAUTHORISED,
    }
)
"""Refusals that speak against the provider, not about one phone."""


class BreakerState(StrEnum):
    """Whether a provider may be asked."""

    CLOSED = "closed"
    OPEN = "open"
    TRIAL = "trial"
    """The pause is over; one request may try."""


@dataclass(frozen=True, slots=True)
class Breaker:
    """Leaves a failing provider alone, for longer each time it fails again.

    Attributes
    ----------
    failures : faults in a row.
    open_until_at : nobody asks before; None when closed.
    """

    failures: int = 0
    open_until_at: datetime | None = None

    OPENS_AFTER = 3
    FIRST_PAUSE = timedelta(seconds=30)
    LONGEST_PAUSE = timedelta(minutes=10)

    def state(self, now: datetime) -> BreakerState:
        """Return whether the provider may be asked at an instant."""
        if self.open_until_at is None:
            return BreakerState.CLOSED
        return BreakerState.OPEN if now < self.open_until_at else BreakerState.TRIAL

    def trying(self, now: datetime, *, within: timedelta) -> "Breaker":
        """Return the breaker while one request tries: nobody else does before `within`."""
        if self.open_until_at is None:
            return self
        return Breaker(self.failures, now + within)

    def after(self, outcome: RefusalCode | None, now: datetime) -> "Breaker":
        """Return the breaker after a request; None is a position."""
        if outcome not in _FAULTS:
            return Breaker()
        failures = self.failures + 1
        if failures < self.OPENS_AFTER:
            return Breaker(failures)
        doubled = min(failures - self.OPENS_AFTER, 10)
        return Breaker(failures, now + min(self.FIRST_PAUSE * 2**doubled, self.LONGEST_PAUSE))
