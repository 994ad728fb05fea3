"""Cells and access points a phone heard, checked against what their radio allows.

The one place that knows which identities exist. What cannot be true, or is a number by which
phones say "unknown", is left out with a reason; the rest of the message stays.
"""

import re
from typing import Any

from ingest.wire import AccessPoint, Cell

MAX_CELLS = 32
MAX_ACCESS_POINTS = 64
UNAVAILABLE = frozenset({-1, 2_147_483_647, 9_223_372_036_854_775_807})
"""Android's ways of saying that there is no number."""

_RESERVED_AREAS = frozenset({0, 65_534, 65_535})
_MAX_28_BIT = 268_435_455
# radio → (largest area, areas that mean none, whether a cell says nothing without its area)
_AREAS: dict[str, tuple[int, frozenset[int], bool]] = {
    "gsm": (65_533, _RESERVED_AREAS, True),
    "umts": (65_533, _RESERVED_AREAS, False),
    "lte": (65_533, _RESERVED_AREAS, False),
    "nr": (16_777_215, frozenset(), False),
    "cdma": (65_535, frozenset(), True),
}
# radio → (largest cell, cells that mean none)
_CELLS: dict[str, tuple[int, frozenset[int]]] = {
    "gsm": (65_535, frozenset({0})),
    "umts": (_MAX_28_BIT, frozenset({0})),
    "lte": (_MAX_28_BIT, frozenset({0, _MAX_28_BIT})),
    "nr": (68_719_476_735, frozenset({0})),
    "cdma": (65_535, frozenset({0})),
}
# radio → limits of signal in dBm, of timing advance, of scrambling code or physical cell id
_MEASURES: dict[str, tuple[tuple[int, int], int, int | None]] = {
    "gsm": ((-113, -51), 63, None),
    "umts": ((-121, -25), 7_690, 511),
    "lte": ((-140, -43), 7_690, 503),
    "nr": ((-156, -31), 7_690, 1_007),
    "cdma": ((-150, -20), 7_690, None),
}
_ANY_MEASURE: tuple[tuple[int, int], int, int | None] = ((-156, -20), 7_690, 1_007)
_MAX_SID = 32_767
_MAX_AGE_S = 86_400.0
_NAMES = {"wcdma": "umts", "nr5g": "nr", "newradio": "nr", "5g": "nr", "4g": "lte"}
_WHOLE = re.compile(r"[+-]?\d{1,19}", re.ASCII)
_MAC = re.compile(r"[0-9a-f]{2}(?:([:-]?)[0-9a-f]{2})(?:\1[0-9a-f]{2}){4}", re.IGNORECASE)
_NOT_GLOBAL = 0x03
"""Bits of a first octet: to a group, and administered locally, as by hotspots and phones."""


class Surroundings:
    """Collects what one message says was heard around the phone, without repeats.

    Attributes
    ----------
    cells, wifi : what can be true, in the order given.
    dropped : one reason for each that was left out.
    """

    __slots__ = ("_cells", "_dropped", "_wifi")

    def __init__(self) -> None:
        self._cells: dict[Cell, None] = {}
        self._wifi: dict[AccessPoint, None] = {}
        self._dropped: list[str] = []

    @property
    def cells(self) -> tuple[Cell, ...]:
        """Cells with a possible identity."""
        return tuple(self._cells)

    @property
    def wifi(self) -> tuple[AccessPoint, ...]:
        """Access points that stay where they are, as far as their address tells."""
        return tuple(self._wifi)

    @property
    def dropped(self) -> tuple[str, ...]:
        """Why others are missing."""
        return tuple(self._dropped)

    def drop(self, reason: str) -> None:
        """Note that something could not be read at all."""
        self._dropped.append(reason)

    def add_cell(
        self,
        radio: str | None,
        *,
        mcc: Any = None,
        mnc: Any = None,
        area: Any = None,
        cell: Any = None,
        signal_dbm: Any = None,
        timing_advance: Any = None,
        serving: Any = None,
        unit: Any = None,
        age_s: float | None = None,
    ) -> None:
        """Add a cell as the message describes it; numbers may be text, see `whole`.

        Parameters
        ----------
        radio : our name or an alias, None when the client does not say.
        mcc, mnc, area, cell : identity; of CDMA `mnc` is the SID and `area` the NID.
        """
        if len(self._cells) >= MAX_CELLS:
            return self.drop("too_many")
        radio = None if radio is None else _NAMES.get(radio.lower(), radio.lower())
        found = _checked(radio, whole(mcc), whole(mnc), whole(area), whole(cell))
        if isinstance(found, str):
            return self.drop(found)
        limits, max_advance, max_unit = _ANY_MEASURE if radio is None else _MEASURES[radio]
        described = Cell(
            radio,
            *found,
            _between(_rounded(signal_dbm), *limits),
            _between(whole(timing_advance), 0, max_advance),
            serving if type(serving) is bool else None,
            None if max_unit is None else _between(whole(unit), 0, max_unit),
            age_s if age_s is not None and abs(age_s) <= _MAX_AGE_S else None,
        )
        self._cells.setdefault(described)
        return None

    def add_access_point(self, mac: Any, *, signal_dbm: Any = None, name: Any = None) -> None:
        """Add an access point; its name decides only whether its owner wants it on no map."""
        if len(self._wifi) >= MAX_ACCESS_POINTS:
            return self.drop("too_many")
        if type(mac) is not str or not _MAC.fullmatch(mac):
            return self.drop("wifi_address")
        digits = mac.replace(":", "").replace("-", "").upper()
        if int(digits[:2], 16) & _NOT_GLOBAL or digits == "0" * 12:
            return self.drop("wifi_not_global")
        if type(name) is str and name.casefold().endswith("_nomap"):
            return self.drop("wifi_opted_out")
        address = ":".join(digits[no : no + 2] for no in range(0, 12, 2))
        self._wifi.setdefault(AccessPoint(address, _between(_rounded(signal_dbm), -120, -1)))
        return None


def possible_radios(cell: Cell) -> tuple[str, ...]:
    """Return the radios a cell can be of: its own, or all that fit when it names none."""
    if cell.radio is not None:
        return (cell.radio,)
    if cell.cell > _MAX_28_BIT:
        return ("nr",)
    return tuple(
        radio
        for radio in ("gsm", "umts", "lte")
        if _wrong_cell(radio, cell.cell) is None and _wrong_area(radio, cell.area) is None
    )


def read_cells(message: dict[str, Any]) -> tuple[tuple[Cell, ...], tuple[str, ...]]:
    """Return the cells of an OwnTracks message, and why others were left out.

    Understands a list `cells` of objects with `radio, mcc, mnc, area, cell, signal_dbm,
    timing_advance, serving`, and the flat `mcc, mnc, lac, cid` of vehicle trackers, whose
    `lac` and `cid` are hexadecimal text.
    """
    heard = Surroundings()
    listed = message.get("cells")
    if isinstance(listed, list):
        for item in listed:
            if not isinstance(item, dict):
                heard.drop("malformed")
                continue
            heard.add_cell(
                str(item.get("radio", "")),
                mcc=item.get("mcc"),
                mnc=item.get("mnc"),
                area=item.get("area"),
                cell=item.get("cell"),
                signal_dbm=item.get("signal_dbm"),
                timing_advance=item.get("timing_advance"),
                serving=item.get("serving"),
                unit=item.get("unit"),
            )
    elif "lac" in message and "cid" in message:
        cell = _hexadecimal(message["cid"])
        heard.add_cell(
            "umts" if cell is not None and cell > _CELLS["gsm"][0] else "gsm",
            mcc=message.get("mcc"),
            mnc=message.get("mnc"),
            area=_hexadecimal(message["lac"]),
            cell=cell,
            serving=True,
        )
    return heard.cells, heard.dropped


def whole(value: Any) -> int | None:
    """Return a whole number, also from text; None for anything else and for "unavailable"."""
    kind = type(value)
    if kind is float:
        found = int(value) if value.is_integer() else None
    elif kind is str:
        found = int(value) if _WHOLE.fullmatch(value) else None
    else:
        found = value if kind is int else None
    return None if found in UNAVAILABLE else found


def _checked(
    radio: str | None, mcc: int | None, mnc: int | None, area: int | None, cell: int | None
) -> tuple[int | None, int | None, int | None, int] | str:
    """Return an identity that can be, or why it cannot."""
    if radio is not None and radio not in _CELLS:
        return "radio"
    if cell is None:
        return "no_identity"
    if radio == "cdma":
        if mnc is None or not 0 < mnc <= _MAX_SID:
            return "network"
        mcc = None
    elif mcc is None or not 200 <= mcc <= 799 or mnc is None or not 0 <= mnc <= 999:
        return "network"
    if radio is None:
        radio = "nr" if cell > _MAX_28_BIT else "umts"
    wrong = _wrong_cell(radio, cell) or _wrong_area(radio, area)
    return wrong or (mcc, mnc, area, cell)


def _wrong_cell(radio: str, cell: int) -> str | None:
    largest, none = _CELLS[radio]
    if cell in none:
        return "cell_reserved"
    return None if 0 < cell <= largest else "cell_range"


def _wrong_area(radio: str, area: int | None) -> str | None:
    largest, none, needed = _AREAS[radio]
    if area is None:
        return "no_area" if needed else None
    if area in none:
        return "area_reserved"
    return None if 0 <= area <= largest else "area_range"


def _rounded(value: Any) -> int | None:
    """Return a measure in whole units; those are all that storing one needs."""
    return round(value) if type(value) is float and abs(value) < 1e6 else whole(value)


def _between(value: int | None, low: int, high: int) -> int | None:
    return value if value is not None and low <= value <= high else None


def _hexadecimal(value: Any) -> int | None:
    if type(value) is int:
        return value
    try:
        return int(value, 16) if type(value) is str and len(value) <= 9 else None
    except ValueError:
        return None
