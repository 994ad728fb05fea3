"""What makes a customer place acceptable; pure."""

from dataclasses import dataclass
from math import isfinite
from typing import Final
from uuid import UUID

from server.errors import InvalidInput

MIN_RADIUS_M: Final = 20.0
MAX_RADIUS_M: Final = 50_000.0
DEFAULT_RADIUS_M: Final = 200.0
"""Within this distance of its position somebody is at a site, unless it says otherwise."""
_LONGEST: Final = {"number": 40, "name": 120, "address": 300}


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteFacts:
    """Everything about a customer place that people decide.

    Attributes
    ----------
    position : `(lon, lat)`, WGS-84 degrees; None while nobody knows it.
    radius_m : metres around the position that count as being there, 20 m to 50 km.
    active : False once nobody is sent there any more.
    """

    number: str
    name: str
    unit_id: UUID
    address: str | None = None
    position: tuple[float, float] | None = None
    radius_m: float = DEFAULT_RADIUS_M
    active: bool = True


def check_facts(facts: SiteFacts) -> None:
    """Refuse what cannot be a site.

    Raises
    ------
    InvalidInput : `number_missing`, `number_too_long`, `name_missing`, `name_too_long`,
        `address_too_long`, `not_finite`, `out_of_range`, `null_island`,
        `radius_out_of_range`; `fields` names the column.
    """
    for field, text in (("number", facts.number), ("name", facts.name)):
        if not text.strip():
            raise _refused(f"{field}_missing", field)
    for field, longest in _LONGEST.items():
        if len(getattr(facts, field) or "") > longest:
            raise _refused(f"{field}_too_long", field)
    if not isfinite(facts.radius_m) or not MIN_RADIUS_M <= facts.radius_m <= MAX_RADIUS_M:
        raise _refused("radius_out_of_range", "radius_m")
    if facts.position is not None:
        check_position(*facts.position)


def check_position(lon_deg: float, lat_deg: float) -> None:
    """Refuse coordinates that are not a place on Earth.

    Raises
    ------
    InvalidInput : `not_finite`, `out_of_range`, `null_island` for 0, 0, which is what
        programs write that know no position.
    """
    if not (isfinite(lon_deg) and isfinite(lat_deg)):
        raise _refused("not_finite", "lon")
    if abs(lat_deg) > 90.0:
        raise _refused("out_of_range", "lat")
    if abs(lon_deg) > 180.0:
        raise _refused("out_of_range", "lon")
    if abs(lon_deg) < 1e-3 and abs(lat_deg) < 1e-3:
        raise _refused("null_island", "lon")


def _refused(code: str, field: str) -> InvalidInput:
    return InvalidInput(code, fields={field: code})
