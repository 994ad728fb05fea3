"""Why a fence or a post was refused, in words a supervisor can act on."""

from collections.abc import Mapping

from flask_babel import lazy_gettext as _l
from flask_babel.speaklater import LazyString

from server.errors import OutpostError
from web.texts import _

REASONS: Mapping[str, LazyString] = {
    "crs_refused": _l("The file names another coordinate system. Export it as WGS-84."),
    "dimensions": _l("Points may have a longitude and a latitude only, no height."),
    "empty": _l("There is no shape yet. Draw one or type its numbers."),
    "encloses_pole": _l("The shape encloses a pole. A post cannot do that."),
    "hole_outside": _l("A hole lies outside of its area."),
    "invalid": _l("The shape is not a valid area."),
    "nested_holes": _l("Holes lie inside each other."),
    "not_finite": _l("A coordinate is not a number."),
    "not_geojson": _l("This is not GeoJSON."),
    "out_of_range": _l("A coordinate is not on Earth: longitude −180 to 180, latitude −90 to 90."),
    "overlap": _l("Parts of the shape overlap each other."),
    "radius_missing": _l("A circle needs a radius."),
    "radius_out_of_range": _l("A radius is 20 m to 50 km."),
    "self_intersection": _l("The edge crosses itself. Move a vertex so that it no longer does."),
    "too_few_points": _l("An area needs three different points or more."),
    "too_many_vertices": _l("The shape has more than 5,000 vertices. Simplify it first."),
    "unclosed_ring": _l("The last point of a ring must repeat its first."),
    "unsupported_geometry": _l("Only circles and areas can be posts, not lines or points."),
    "zero_area": _l("The area is smaller than 20 m²."),
    "name_missing": _l("Enter a name."),
    "name_too_long": _l("A name has 120 characters at most."),
    "post_name_taken": _l("This unit has a post of that name already."),
    "unknown_zone": _l("This is not a time zone, such as Asia/Shanghai."),
    "bad_grace": _l("The grace is 0 to 1440 minutes."),
    "bad_buffer": _l("The buffer is 0 to 10,000 m."),
    "bad_number": _l("Enter a number."),
    "unit_missing": _l("Choose a unit."),
    "version_not_after_latest": _l(
        "Somebody saved a newer shape. Load the page again and look at it first."
    ),
    "post_rostered": _l("People are rostered here from today on. Change the roster first."),
}
"""Refusal code → sentence."""


def reason_of(error: OutpostError) -> str:
    """Return the sentence for a refusal, a general one for a code without its own."""
    return reason(error.code)


def reason(code: str) -> str:
    """Return the sentence for a refusal's code."""
    found = REASONS.get(code)
    return str(found) if found is not None else _("This cannot be saved.")


def place_of(error: OutpostError) -> tuple[float, float] | None:
    """Return where on the map the refusal lies, ``(lon, lat)`` in degrees, if anywhere."""
    try:
        return float(error.fields["lon"]), float(error.fields["lat"])
    except (KeyError, ValueError):
        return None
