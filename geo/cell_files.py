"""A whole cell file in memory, found by name: what `outpost locate-cells` looks things up in."""

import io
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from geo.cell_areas import areas_of
from geo.cell_footprint import AreaRecord, CellPolicy, CellRecord
from geo.cell_identity import CellId
from geo.cell_table import CellColumns, CellTable
from geo.crs import Datum
from geo.errors import UnreadableInput

_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True, eq=False)
class CellFile:
    """Cells of one file, sorted by name, and the areas they make.

    Attributes
    ----------
    cells : sorted by network, cell, area and then everything else, so that the order of the
        file's lines never matters.
    rejected : rows left out, by reason.
    newest_s : epoch seconds of the last measurement in the file, 0 when none tells.
    """

    cells: CellColumns
    areas: dict[tuple[int, int], AreaRecord]
    rejected: Counter[str]
    newest_s: float

    def records_of(self, names: Iterable[CellId]) -> list[CellRecord]:
        """Return the rows about any of these cells, whatever their area. O(log n) a name."""
        found = []
        for name in sorted({(n.network, n.cell) for n in names if n.cell is not None}):
            network, cell = name
            low, high = _range(self.cells.network, network, 0, len(self.cells))
            low, high = _range(self.cells.cell, cell, low, high)
            found += [self._record(i) for i in range(low, high)]
        return found

    def areas_of(self, names: Iterable[CellId]) -> list[AreaRecord]:
        """Return the areas of these cells, where any cell of them is known."""
        keys = {(n.network, n.area) for n in names if n.area is not None}
        return [self.areas[key] for key in sorted(keys) if key in self.areas]

    def _record(self, i: int) -> CellRecord:
        c = self.cells
        return CellRecord(
            network=int(c.network[i]),
            area=int(c.area[i]),
            cell=int(c.cell[i]),
            lon_deg=float(c.lon_deg[i]),
            lat_deg=float(c.lat_deg[i]),
            range_m=None if np.isnan(c.range_m[i]) else float(c.range_m[i]),
            samples=int(c.samples[i]),
            is_exact=bool(c.is_exact[i]),
            updated_s=None if np.isnan(c.updated_s[i]) else float(c.updated_s[i]),
            source=f"{i:012d}",
        )


def _range(column: np.ndarray, value: int, low: int, high: int) -> tuple[int, int]:
    part = column[low:high]
    return (
        low + int(np.searchsorted(part, value, side="left")),
        low + int(np.searchsorted(part, value, side="right")),
    )


def read_cell_file(
    text: bytes, *, datum: Datum = Datum.WGS84, policy: CellPolicy | None = None
) -> CellFile:
    """Read a cell file of OpenCelliD or MLS, with or without its header.

    Parameters
    ----------
    text : the unpacked file.
    datum : of its positions.

    Raises
    ------
    UnreadableInput : not such a file, a row that is not one of it, or no usable row at all.
    """
    stream = io.BytesIO(text)
    first = stream.readline()
    table = CellTable(first, datum=datum)
    if not table.has_header:
        stream.seek(0)
    parts: list[CellColumns] = []
    rejected: Counter[str] = Counter()
    while chunk := stream.read(_CHUNK_BYTES):
        whole = chunk + stream.readline()
        columns, left_out = table.parse(whole if whole.endswith(b"\n") else whole + b"\n")
        for reason in ("columns", "not_a_number"):
            if left_out[reason]:
                count = left_out[reason]
                raise UnreadableInput("bad_cell_row", f"{count} rows are no cells: {reason}")
        parts.append(columns)
        rejected += left_out
    if not sum(len(part) for part in parts):
        raise UnreadableInput("no_cells", "no usable cell in it")
    cells = _sorted(CellColumns.joined(parts))
    newest = np.nanmax(np.append(cells.updated_s, 0.0))
    found = areas_of(cells, policy=policy)
    return CellFile(cells, {(a.network, a.area): a for a in found}, rejected, float(newest))


def _sorted(cells: CellColumns) -> CellColumns:
    keys = (
        np.nan_to_num(cells.updated_s), cells.samples, np.nan_to_num(cells.range_m),
        cells.lat_deg, cells.lon_deg, cells.area, cells.cell, cells.network,
    )  # fmt: skip
    return cells.take(np.lexsort(keys))
