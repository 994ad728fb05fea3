"""Radio cells in a message: identities checked against the ranges of their radio."""

from typing import Any

from ingest.wire import Cell

MAX_CELLS = 32
_UNAVAILABLE = 2_147_483_647
# radio → (largest area, largest cell, areas that mean "none")
_LIMITS: dict[str, tuple[int, int, frozenset[int]]] = {
    "gsm": (65_533, 65_535, frozenset({0})),
    "umts": (65_533, 268_435_455, frozenset({0})),
    "lte": (65_533, 268_435_454, frozenset({0})),
    "nr": (16_777_215, 68_719_476_735, frozenset()),
    "cdma": (65_535, 65_535, frozenset()),
}
_NAMES = {"wcdma": "umts", "nr5g": "nr", "5g": "nr", "4g": "lte"}


def read_cells(message: dict[str, Any]) -> tuple[Cell, ...]:
    """Return the cells of a message, those without a possible identity left out.

    Understands a list `cells` of objects with `radio, mcc, mnc, area, cell, signal_dbm,
    timing_advance, serving`, and the flat `mcc, mnc, lac, cid` of vehicle trackers, whose
    `lac` and `cid` are hexadecimal text.
    """
    listed = message.get("cells")
    if isinstance(listed, list):
        found = [_from_object(item) for item in listed[:MAX_CELLS] if isinstance(item, dict)]
        return tuple(cell for cell in found if cell is not None)
    if "lac" in message and "cid" in message:
        radio = "gsm"
        cell = _hexadecimal(message["cid"])
        if cell is not None and cell > _LIMITS["gsm"][1]:
            radio = "umts"
        only = _checked(
            radio,
            mcc=_integer(message.get("mcc")),
            mnc=_integer(message.get("mnc")),
            area=_hexadecimal(message["lac"]),
            cell=cell,
            serving=True,
        )
        return () if only is None else (only,)
    return ()


def _from_object(item: dict[str, Any]) -> Cell | None:
    serving = item.get("serving")
    return _checked(
        str(item.get("radio", "")).lower(),
        mcc=_integer(item.get("mcc")),
        mnc=_integer(item.get("mnc")),
        area=_integer(item.get("area")),
        cell=_integer(item.get("cell")),
        signal_dbm=_integer(item.get("signal_dbm")),
        timing_advance=_integer(item.get("timing_advance")),
        serving=serving if isinstance(serving, bool) else None,
    )


def _checked(
    radio: str,
    *,
    mcc: int | None,
    mnc: int | None,
    area: int | None,
    cell: int | None,
    signal_dbm: int | None = None,
    timing_advance: int | None = None,
    serving: bool | None = None,
) -> Cell | None:
    radio = _NAMES.get(radio, radio)
    limits = _LIMITS.get(radio)
    if limits is None or cell is None or cell == _UNAVAILABLE:
        return None
    max_area, max_cell, no_area = limits
    if not 0 < cell <= max_cell or (radio != "cdma" and not _is_network(mcc, mnc)):
        return None
    if area is not None and (area in no_area or not 0 <= area <= max_area):
        return None
    return Cell(
        radio=radio,
        mcc=mcc,
        mnc=mnc,
        area=area,
        cell=cell,
        signal_dbm=signal_dbm if signal_dbm is not None and -150 <= signal_dbm <= -20 else None,
        timing_advance=(
            timing_advance if timing_advance is not None and 0 <= timing_advance <= 7690 else None
        ),
        serving=serving,
    )


def _is_network(mcc: int | None, mnc: int | None) -> bool:
    return mcc is not None and 200 <= mcc <= 799 and mnc is not None and 0 <= mnc <= 999


def _integer(value: Any) -> int | None:
    if type(value) is int:
        return value
    if type(value) is str and value.isdigit() and len(value) < 20:
        return int(value)
    return None


def _hexadecimal(value: Any) -> int | None:
    if type(value) is int:
        return value
    try:
        return int(value, 16) if type(value) is str and len(value) <= 9 else None
    except ValueError:
        return None
