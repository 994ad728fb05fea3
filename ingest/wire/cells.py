"""Cells and access points a phone heard, checked against what their radio allows.

Which identities exist is known to `geo.cell_identity` alone. What cannot be true, or is a
number by which phones say "unknown", is left out with a reason; the rest of the message stays.
"""

import re
from typing import Any

from geo.cell_identity import LIMITS, CellRefusal, Radio, check_identity
from ingest.wire import AccessPoint, Cell

MAX_CELLS = 32
MAX_ACCESS_POINTS = 64
UNAVAILABLE = frozenset({-1, 2_147_483_647, 9_223_372_036_854_775_807})
"""Android's ways of saying that there is no number."""

_NEEDS_AREA = frozenset({Radio.GSM, Radio.CDMA})
"""Radios whose cell numbers begin anew in each area."""
_RESERVED_AREAS = frozenset({0, 65_534, 65_535})
_MAX_28_BIT = 268_435_455
# radio → limits of signal in dBm, of timing advance, of scrambling code or physical cell id
_MEASURES: dict[Radio, tuple[tuple[int, int], int, int | None]] = {
    Radio.GSM: ((-113, -51), 63, None),
    Radio.UMTS: ((-121, -25), 7_690, 511),
    Radio.LTE: ((-140, -43), 7_690, 503),
    Radio.NR: ((-156, -31), 7_690, 1_007),
    Radio.CDMA: ((-150, -20), 7_690, None),
}
_ANY_MEASURE: tuple[tuple[int, int], int, int | None] = ((-156, -20), 7_690, 1_007)
_MAX_AGE_S = 86_400.0
_RADIOS = {radio.value: radio for radio in Radio}
_RADIOS |= {"wcdma": Radio.UMTS, "nr5g": Radio.NR, "newradio": Radio.NR, "5g": Radio.NR}
_RADIOS |= {"4g": Radio.LTE}
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
        known = None if radio is None else _RADIOS.get(radio.lower())
        if known is None and radio is not None:
            return self.drop(CellRefusal.RADIO.value)
        if not _is_readable(area):
            # Left out it would be a cell of any area.
            return self.drop("malformed")
        identity = (None if known is Radio.CDMA else whole(mcc)), whole(mnc), whole(area)
        number = whole(cell)
        if number is None:
            return self.drop(CellRefusal.INCOMPLETE.value)
        refusal = _refusal(known, *identity, number)
        if refusal is not None:
            return self.drop(refusal.value)
        limits, max_advance, max_unit = _ANY_MEASURE if known is None else _MEASURES[known]
        described = Cell(
            None if known is None else known.value,
            *identity,
            number,
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
            "umts" if cell is not None and cell > LIMITS[Radio.GSM].cell_high else "gsm",
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


def _is_readable(value: Any) -> bool:
    """Whether it is a whole number or one of the ways of saying that there is none."""
    return value is None or value == "" or whole(value) is not None or _is_unavailable(value)


def _is_unavailable(value: Any) -> bool:
    return (type(value) is int and value in UNAVAILABLE) or (
        type(value) is str and _WHOLE.fullmatch(value) is not None and int(value) in UNAVAILABLE
    )


def _refusal(
    radio: Radio | None, mcc: int | None, mnc: int | None, area: int | None, cell: int
) -> CellRefusal | None:
    """Return why this can be no cell, None when it can."""
    if area is None and radio in _NEEDS_AREA:
        return CellRefusal.INCOMPLETE
    if radio is None and area in _RESERVED_AREAS and cell <= _MAX_28_BIT:
        # Only the newest radio has room for it, and phones that heard one name it.
        return CellRefusal.AREA_RESERVED
    found = check_identity(radio=radio, mcc=mcc, mnc=mnc, area=area, cell=cell)
    return found if isinstance(found, CellRefusal) else None


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
