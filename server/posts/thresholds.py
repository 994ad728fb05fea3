"""What may be tuned: every threshold of every family with its unit, default and range; pure."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cache
from math import isfinite
from typing import Any, Final

from geo.errors import PolicyError
from geo.policy import Policy as GeoPolicy
from server.errors import InvalidInput
from server.posts.rules import GEO_GROUP, MAX_GRACE_S, DutyPolicy, PolicyKind

Number = int | float


@dataclass(frozen=True, slots=True)
class Threshold:
    """One number an organisation may tune.

    Attributes
    ----------
    unit : `s`, `m`, `m/s`, `m/s²`, `share` (0 to 1), `%`, `h` of the clock, or empty for a number.
    low, high : what may be set, both included.
    whole : only whole numbers.
    """

    kind: PolicyKind
    name: str
    unit: str
    default: Number
    low: Number
    high: Number
    whole: bool

    def allows(self, value: object) -> bool:
        """Tell whether a value may be set."""
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not isfinite(value):
            return False
        return self.low <= value <= self.high and not (self.whole and value != int(value))


_BY_ENDING: Final[Mapping[str, tuple[str, Number, Number]]] = {
    "s": ("s", 0, 86_400),
    "m": ("m", 0, 100_000),
    "mps": ("m/s", 0, 400),
    "mps2": ("m/s²", 0, 100),
    "share": ("share", 0, 1),
    "confidence": ("share", 0, 1),
    "pct": ("%", 0, 100),
    "fixes": ("", 1, 10_000),
    "people": ("", 1, 10_000),
}
"""Ending of a name → unit and range."""
_BY_NAME: Final[Mapping[str, tuple[str, Number, Number]]] = {
    "grace_s": ("s", 0, MAX_GRACE_S),
    "asks_per_hour": ("", 1, 1_000),
    "asked_per_hour": ("", 1, 1_000),
    "night_from_hour": ("h", 0, 23),
    "night_to_hour": ("h", 0, 23),
    "detour_low": ("", 1, 10),
    "detour_mid": ("", 1, 10),
    "detour_high": ("", 1, 10),
    # Of an accuracy, and so beyond one.
    "bead_noise_share": ("", 0, 100),
    # Times the room that a measurement leaves.
    "doubt_share": ("", 0, 100),
    "gap_detour_share": ("", 0, 100),
    "twin_odds": ("", 1, 100_000),
}


@cache
def thresholds_of(kind: PolicyKind) -> Mapping[str, Threshold]:
    """Return the thresholds of a family by name, in the order of the core."""
    group = DutyPolicy() if kind is PolicyKind.DUTY else getattr(GeoPolicy(), GEO_GROUP[kind])
    found = {}
    for each in fields(group):
        default = getattr(group, each.name)
        if each.name == "version" or not isinstance(default, (int, float)):
            continue
        ending = each.name.rpartition("_")[2]
        unit, low, high = _BY_NAME.get(each.name) or _BY_ENDING.get(ending, ("", 0, 1_000_000))
        found[each.name] = Threshold(
            kind, each.name, unit, default, low, high, whole=isinstance(default, int)
        )
    return found


def complete(kind: PolicyKind, params: Mapping[str, Any]) -> dict[str, Number]:
    """Return every threshold of a family: the defaults, and what a version changes of them."""
    return {t.name: params.get(t.name, t.default) for t in thresholds_of(kind).values()}


def changed(kind: PolicyKind, values: Mapping[str, Number]) -> dict[str, Number]:
    """Return only what differs from the defaults, which is what a version keeps."""
    known = thresholds_of(kind)
    return {n: v for n, v in values.items() if n not in known or v != known[n].default}


def check_thresholds(kind: PolicyKind, params: Mapping[str, Any]) -> None:
    """Refuse values that nobody should be judged by.

    Raises
    ------
    InvalidInput : `unknown_threshold`, `bad_value`, `bad_threshold`, or `out_of_range` with
        the names in `fields`.
    """
    if kind is PolicyKind.DUTY:
        DutyPolicy.from_params(params, version=0)
    else:
        try:
            GeoPolicy.from_json({GEO_GROUP[kind]: dict(params)})
        except PolicyError as error:
            raise InvalidInput(error.code, error.detail) from error
    known = thresholds_of(kind)
    wrong = [name for name, value in params.items() if not known[name].allows(value)]
    if wrong:
        said = ", ".join(f"{n} is {known[n].low:g} to {known[n].high:g}" for n in wrong)
        raise InvalidInput("out_of_range", said, fields=dict.fromkeys(wrong, "out_of_range"))
