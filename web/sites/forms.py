"""A site as typed into its form."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isfinite
from uuid import UUID

from flask_babel import lazy_gettext as _l
from flask_babel.speaklater import LazyString

from server.errors import InvalidInput, OutpostError
from server.sites.queries import SiteView
from server.sites.rules import DEFAULT_RADIUS_M, SiteFacts
from web.texts import _

_LONGEST = 400

REASONS: Mapping[str, LazyString] = {
    "number_missing": _l("Enter a number."),
    "number_too_long": _l("A number has 40 characters at most."),
    "number_taken": _l("There is a site with this number already."),
    "name_missing": _l("Enter a name."),
    "name_too_long": _l("A name has 120 characters at most."),
    "address_too_long": _l("An address has 300 characters at most."),
    "bad_number": _l("Enter a number."),
    "not_finite": _l("A coordinate is not a number."),
    "out_of_range": _l("A coordinate is not on Earth: longitude −180 to 180, latitude −90 to 90."),
    "null_island": _l("0, 0 is in the sea: leave both fields empty if nobody knows the position."),
    "position_incomplete": _l("A position needs longitude and latitude."),
    "radius_out_of_range": _l("A radius is 20 m to 50 km."),
    "unit_missing": _l("Choose a unit."),
}
"""Refusal code → sentence."""


@dataclass(slots=True)
class SiteForm:
    """The form as typed, so that a refused one is shown again unchanged."""

    number: str = ""
    name: str = ""
    unit_id: str = ""
    address: str = ""
    lon: str = ""
    lat: str = ""
    radius_m: str = f"{DEFAULT_RADIUS_M:g}"
    errors: dict[str, str] = field(default_factory=dict)

    @classmethod
    def from_request(cls, data: Mapping[str, str]) -> "SiteForm":
        """Take over the fields of a request; unknown ones fall away."""
        form = cls()
        for name in cls.__dataclass_fields__:
            if name != "errors":
                setattr(form, name, data.get(name, "").strip()[:_LONGEST])
        return form

    @classmethod
    def of(cls, site: SiteView) -> "SiteForm":
        """Fill the form with a site."""
        facts = site.facts
        lon, lat = facts.position or (None, None)
        return cls(
            number=facts.number,
            name=facts.name,
            unit_id=str(facts.unit_id),
            address=facts.address or "",
            lon="" if lon is None else repr(lon),
            lat="" if lat is None else repr(lat),
            radius_m=f"{facts.radius_m:g}",
        )

    def unit(self) -> UUID:
        """Return the chosen unit.

        Raises
        ------
        InvalidInput : `unit_missing`.
        """
        try:
            return UUID(self.unit_id)
        except ValueError:
            raise _refused("unit_missing", "unit_id") from None

    def facts(self, *, unit_id: UUID, active: bool) -> SiteFacts:
        """Return the site that the form describes, not yet judged.

        Raises
        ------
        InvalidInput : `bad_number`, `position_incomplete`.
        """
        if bool(self.lon) != bool(self.lat):
            raise _refused("position_incomplete", "lat" if self.lon else "lon")
        return SiteFacts(
            number=self.number,
            name=self.name,
            unit_id=unit_id,
            address=self.address or None,
            position=(self._number("lon"), self._number("lat")) if self.lon else None,
            radius_m=self._number("radius_m"),
            active=active,
        )

    def refuse(self, error: OutpostError) -> None:
        """Mark the fields that an error names; without one, the number."""
        self.errors = dict.fromkeys(error.fields or ("number",), error.code)

    def wrong(self, name: str) -> str | None:
        """Return the sentence about a field, None when nothing is wrong with it."""
        code = self.errors.get(name)
        if code is None:
            return None
        return str(REASONS.get(code) or _("This cannot be saved."))

    def _number(self, name: str) -> float:
        try:
            value = float(getattr(self, name))
        except ValueError:
            value = float("nan")
        if not isfinite(value):
            raise _refused("bad_number", name)
        return value


def _refused(code: str, name: str) -> InvalidInput:
    return InvalidInput(code, fields={name: code})
