"""What a tenant sets about a provider, checked; nothing of it is secret."""

import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Self

from geo.crs import Datum
from server.carriers.egress import Limits
from server.carriers.rules import ProviderKind
from server.errors import InvalidInput

SECRETS: Mapping[ProviderKind, tuple[str, ...]] = {
    ProviderKind.GEOLOCATE: ("key",),
    ProviderKind.MLP: ("client_id", "password", "service_id"),
    ProviderKind.LE2: ("client_id", "password", "service_id", "requestor"),
}
"""Names of the credentials of each protocol; a tenant may leave some empty."""

_OFFSET = re.compile(r"[+-]?\d{4}", re.ASCII)
_RANGES: Mapping[str, tuple[float, float]] = {
    "connect_s": (0.1, 10.0),
    "read_s": (0.1, 30.0),
    "total_s": (0.1, 40.0),
    "max_bytes": (1_024, 262_144),
    "max_age_s": (0, 30 * 86_400),
    "accuracy_m": (1, 100_000),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Settings of one provider.

    Attributes
    ----------
    connect_s, read_s, total_s, max_bytes : bounds of one request, see `egress.Limits`.
    max_age_s : how old an answer may be, seconds: an earlier one that is younger is used
        again, and carriers are asked for positions no older.
    accuracy_m : radius asked of a carrier, metres.
    datum : of the coordinates that come back; converted once.
    country_code : put before national numbers.
    national_numbers : the carrier wants numbers without the country code.
    utc_off : zone of times that name none.
    test_number : a number of one's own that test calls may ask about.
    """

    connect_s: float = 3.0
    read_s: float = 15.0
    total_s: float = 20.0
    max_bytes: int = 65_536
    max_age_s: int = 60
    accuracy_m: int = 200
    datum: Datum = Datum.WGS84
    country_code: str = "86"
    national_numbers: bool = False
    utc_off: str = "0000"
    test_number: str = ""

    @property
    def limits(self) -> Limits:
        """Bounds of one request."""
        return Limits(self.connect_s, self.read_s, self.total_s, self.max_bytes)

    @classmethod
    def default(cls, kind: ProviderKind) -> Self:
        """Return the settings a provider starts with."""
        if kind is ProviderKind.GEOLOCATE:
            # Masts move seldom; the same cells need not be paid for again for a week.
            return cls(read_s=5.0, total_s=8.0, max_age_s=7 * 86_400)
        return cls(national_numbers=kind is ProviderKind.LE2)

    @classmethod
    def of(cls, kind: ProviderKind, given: Mapping[str, Any]) -> Self:
        """Return the defaults of a protocol with what was given instead.

        Raises
        ------
        InvalidInput : `unknown_option` or `bad_option`, naming the field.
        """
        values = asdict(cls.default(kind))
        for name, value in given.items():
            if name not in values:
                raise InvalidInput("unknown_option", f"there is no {name!r}", fields={name: ""})
            values[name] = _checked(name, value)
        return cls(**values)

    def to_json(self) -> dict[str, Any]:
        """Return the settings as plain JSON."""
        return {f.name: getattr(self, f.name) for f in fields(self)}


def _checked(name: str, value: Any) -> Any:  # noqa: ANN401  # of the type of the field
    try:
        if name == "datum":
            return Datum(value)
        if name in _RANGES:
            low, high = _RANGES[name]
            number = float(value)
            if isinstance(value, bool) or not (math.isfinite(number) and low <= number <= high):
                raise _bad(name)
            return number if name.endswith("_s") and name != "max_age_s" else int(number)
    except (ValueError, TypeError):
        raise _bad(name) from None
    if name == "national_numbers":
        if not isinstance(value, bool):
            raise _bad(name)
        return value
    text = str(value).strip()
    right = {
        "country_code": text.isascii() and text.isdigit() and 1 <= len(text) <= 3,
        "utc_off": bool(_OFFSET.fullmatch(text)),
        "test_number": len(text) <= 30,
    }
    if not right[name]:
        raise _bad(name)
    return text


def _bad(name: str) -> InvalidInput:
    return InvalidInput("bad_option", f"{name} is out of range", fields={name: ""})
