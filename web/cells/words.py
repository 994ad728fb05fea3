"""Words for radios, operators, and why cells are left out or not learned yet."""

from collections.abc import Mapping
from typing import Final

from flask_babel import lazy_gettext as _l
from flask_babel.speaklater import LazyString

from server.cells.queries import NetworkName
from web.datums import DATUMS

__all__ = ["DATUMS", "RADIOS", "REJECTED", "WAITS", "operator_of", "reasons", "waits_columns"]

RADIOS: Final[Mapping[str, str]] = {
    "gsm": "GSM (2G)",
    "umts": "UMTS (3G)",
    "lte": "LTE (4G)",
    "nr": "NR (5G)",
    "cdma": "CDMA",
}

_MOBILE, _UNICOM, _TELECOM = _l("China Mobile"), _l("China Unicom"), _l("China Telecom")
_CHINA: Final = 460
_OPERATORS: Final[Mapping[int, LazyString]] = {
    **dict.fromkeys((0, 2, 4, 7, 8), _MOBILE),
    **dict.fromkeys((1, 6, 9), _UNICOM),
    **dict.fromkeys((3, 5, 11), _TELECOM),
    15: _l("China Broadnet"),
    20: _l("China Tietong"),
}
"""Operators of mainland China by MNC; those of elsewhere are shown by their numbers alone."""

REJECTED: Final[Mapping[str, LazyString]] = {
    "columns": _l("too few or too many columns"),
    "not_a_number": _l("a number that is none"),
    "position": _l("a position not on Earth"),
    "null_island": _l("a position of exactly 0, 0"),
    "radio_unknown": _l("a radio nobody knows"),
    "mcc_range": _l("a country code that cannot be"),
    "mnc_range": _l("a network code that cannot be"),
    "incomplete": _l("numbers are missing"),
    "area_range": _l("an area number that cannot be"),
    "area_reserved": _l("an area number that stands for none"),
    "cell_range": _l("a cell number that cannot be"),
    "cell_reserved": _l("a cell number that stands for none"),
}

WAITS: Final[tuple[tuple[str, LazyString], ...]] = (
    ("few_devices", _l("Too few phones")),
    ("few_days", _l("Too few days")),
    ("disputed", _l("Phones disagree")),
    ("moving", _l("It moves")),
)
"""Why a cell that phones met is not learned, in the order of the columns."""


def operator_of(name: NetworkName) -> str:
    """Return the numbers of a network, with its operator's name where it is known."""
    if name.mcc is None:
        return f"SID {name.mnc}"
    numbers = f"{name.mcc}-{name.mnc:02d}"
    known = _OPERATORS.get(name.mnc) if name.mcc == _CHINA else None
    return numbers if known is None else f"{numbers} · {known}"


def reasons(rejected: Mapping[str, int]) -> list[tuple[str, int]]:
    """Return why rows of a file were left out, most frequent first."""
    ordered = sorted(rejected.items(), key=lambda pair: (-pair[1], pair[0]))
    return [(str(REJECTED.get(reason, reason)), count) for reason, count in ordered]


def waits_columns() -> list[tuple[str, LazyString, str]]:
    """Return the columns of `WAITS` for a table."""
    return [(reason, label, "num") for reason, label in WAITS]
