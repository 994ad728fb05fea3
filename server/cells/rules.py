"""Cells as reports keep them, and as the core wants them."""

from collections.abc import Iterable, Mapping
from typing import Any

from geo.cell_identity import Radio
from geo.cells import CellSeen

_RADIOS = {radio.value: radio for radio in Radio}


def seen_cells(cells: Iterable[Mapping[str, Any]]) -> tuple[CellSeen, ...]:
    """Return the cells of a radio report for `geo.cells` and `server.cells.queries`.

    Parameters
    ----------
    cells : objects `{radio, mcc, mnc, area, cell, signal_dbm, serving, age_s, …}`, unknown
        values left out or null.
    """
    return tuple(
        CellSeen(
            radio=_RADIOS.get(cell.get("radio") or ""),
            mcc=cell.get("mcc"),
            mnc=cell.get("mnc"),
            area=cell.get("area"),
            cell=cell.get("cell"),
            signal_dbm=cell.get("signal_dbm"),
            age_s=cell.get("age_s"),
            serving=cell.get("serving"),
        )
        for cell in cells
    )
