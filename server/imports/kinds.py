"""Words of imports that tables, rules and doors share."""

from enum import StrEnum


class Kind(StrEnum):
    """What a file is about."""

    EMPLOYEES = "employees"
    UNITS = "units"
    POSTS = "posts"
    SITES = "sites"
    ROSTER = "roster"


class FileFormat(StrEnum):
    """How a file is written."""

    CSV = "csv"
    XLSX = "xlsx"
    GEOJSON = "geojson"
    KML = "kml"


class State(StrEnum):
    """How far an import has come.

    `checked` files wait for a decision; `refused` ones could not be read as a whole.
    """

    RECEIVED = "received"
    CHECKING = "checking"
    CHECKED = "checked"
    REFUSED = "refused"
    APPLYING = "applying"
    APPLIED = "applied"
    DISCARDED = "discarded"


class Outcome(StrEnum):
    """What becomes of one row."""

    ADD = "add"
    CHANGE = "change"
    SAME = "same"
    REFUSE = "refuse"
