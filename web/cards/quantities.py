"""Quantities of evidence with the unit that their name ends in."""

from web import formats
from web.texts import _


def quantity(name: str, value: object) -> str:
    """Return a figure or threshold with the unit its name ends in; unknown is a dash."""
    if value is None:
        return "—"
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if not isinstance(value, int | float):
        return str(value)
    if value < 0 and name.endswith(("_s", "_m")):
        return f"−{quantity(name, -value)}"
    if name == "exact_s":
        return formats.exact_duration(value)
    if name.endswith("_hour"):
        return f"{value:g}:00"
    if name.endswith("_s"):
        return formats.duration(value)
    if name.endswith("_m"):
        return formats.distance(value)
    if name.endswith(("_share", "coverage", "confidence", "score", "weight", "_rho")):
        return f"{value:.0%}"
    unit = next((unit for end, unit in _UNITS.items() if f"_{name}".endswith(end)), "")
    return f"{value:g}{unit}"


_UNITS = {"_pct": "%", "_mps2": " m/s²", "_mps": " m/s"}
