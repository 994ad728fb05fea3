"""Cell files of OpenCelliD and MLS as columns: bytes in, arrays out, a reason for every loss.

Millions of rows are read, so nothing here goes row by row: digits are turned into numbers
column by column. Only what does not look like the rest is read the slow way.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Final, Self

import numpy as np
import numpy.typing as npt

from geo.cell_identity import RADIOS, REFUSALS, Radio, network_codes, refusal_codes
from geo.crs import Datum, convert
from geo.distance import FloatArray
from geo.errors import UnreadableInput
from geo.fix import BoolArray, IntArray

COLUMNS: Final = (
    "radio", "mcc", "net", "area", "cell", "unit", "lon", "lat", "range", "samples",
    "changeable", "created", "updated", "averageSignal",
)  # fmt: skip
"""Order of the published files, for those without a header."""
_NEEDED: Final = ("radio", "mcc", "net", "area", "cell", "lon", "lat")
_RADIO_NAMES: Final = {
    b"GSM": Radio.GSM, b"UMTS": Radio.UMTS, b"WCDMA": Radio.UMTS, b"LTE": Radio.LTE,
    b"NR": Radio.NR, b"5G": Radio.NR, b"CDMA": Radio.CDMA,
}  # fmt: skip
_COMMA, _NEWLINE, _RETURN, _DOT, _MINUS, _ZERO = b",\n\r.-0"
_MAX_DIGITS: Final = 17
_MAX_WHOLE: Final = 9_223_372_036_854_775_807
_MAX_RANGE_M: Final = 10_000_000
_MAX_SAMPLES: Final = 2_147_483_647
_MAX_EPOCH_S: Final = 32_503_680_000

ByteArray = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class CellColumns:
    """Cells as columns, every one of a possible identity and place.

    Attributes
    ----------
    network, area, cell : ``(n,)`` integers, see `geo.cell_identity`.
    lon_deg, lat_deg : ``(n,)`` WGS-84 degrees.
    range_m : ``(n,)``, NaN when unknown.
    samples : ``(n,)``, 0 when unknown.
    is_exact : ``(n,)`` the place is that of the mast.
    updated_s : ``(n,)`` epoch seconds, NaN when unknown.
    """

    network: IntArray
    area: IntArray
    cell: IntArray
    lon_deg: FloatArray
    lat_deg: FloatArray
    range_m: FloatArray
    samples: IntArray
    is_exact: BoolArray
    updated_s: FloatArray

    def __len__(self) -> int:
        return len(self.network)

    def take(self, index: IntArray | BoolArray) -> Self:
        """Rows by index or mask."""
        return type(self)(*(getattr(self, f.name)[index] for f in fields(self)))

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """All rows of one or more parts."""
        return cls(
            *(np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(cls))
        )


class CellTable:
    """Reads one file, chunk by chunk.

    Parameters
    ----------
    first_line : the file's first line; a header when it names columns, else the first row,
        which has to be handed to `parse` as well.
    datum : of the file's positions.

    Raises
    ------
    UnreadableInput : a header without the columns needed, or a first row that is no row.
    """

    def __init__(self, first_line: bytes, *, datum: Datum = Datum.WGS84) -> None:
        names = [
            name.strip().strip(b'"').decode("utf-8", "replace")
            for name in first_line.removeprefix(b"\xef\xbb\xbf").split(b",")
        ]
        self.has_header = names[0].lower() == "radio" or "cell" in names
        if not self.has_header and len(names) != len(COLUMNS):
            raise UnreadableInput(
                "not_cells", f"line 1 has {len(names)} columns, a cell file has {len(COLUMNS)}"
            )
        order = names if self.has_header else list(COLUMNS)
        missing = [name for name in _NEEDED if name not in order]
        if missing:
            raise UnreadableInput("not_cells", f"no column {missing[0]!r} in the header")
        self._width = len(order)
        self._place = {name: order.index(name) for name in COLUMNS if name in order}
        self._datum = datum

    def parse(self, chunk: bytes) -> tuple[CellColumns, Counter[str]]:
        """Read whole lines.

        Parameters
        ----------
        chunk : lines, each with its line break; without the header.

        Returns
        -------
        Usable rows, and how many were left out by reason: ``columns``, ``not_a_number``,
        ``position``, ``null_island`` or a `geo.cell_identity.CellRefusal`. About 0.5
        microseconds a row.
        """
        rejected: Counter[str] = Counter()
        grid = _Grid.of(chunk, self._width, rejected)
        if len(grid) == 0:
            return _EMPTY, rejected
        number: dict[str, IntArray] = {}
        bad = np.zeros(len(grid), dtype=np.bool_)
        for name in ("mcc", "net", "area", "cell", "range", "samples", "changeable", "updated"):
            number[name] = self._integers(grid, name, bad)
        lon = _decimals(grid, self._place["lon"], bad)
        lat = _decimals(grid, self._place["lat"], bad)
        radio = _radios(grid, self._place["radio"])
        code = refusal_codes(radio, number["mcc"], number["net"], number["area"], number["cell"])
        off = ~((np.abs(lon) <= 180.0) & (np.abs(lat) <= 90.0))
        null = (lon == 0.0) & (lat == 0.0)
        unusable = bad | (code > 0) | off | null
        if unusable.any():
            why = np.select([bad, code > 0, off, null], [-1, code.astype(np.int64), -2, -3])
            for value, count in zip(*np.unique(why[unusable], return_counts=True), strict=True):
                name = REFUSALS[value - 1].value if value > 0 else _REASONS[int(value)]
                rejected[name] += int(count)
            good = np.flatnonzero(~unusable)
            radio, lon, lat = radio[good], lon[good], lat[good]
            number = {name: values[good] for name, values in number.items()}
        if self._datum is not Datum.WGS84:
            lon, lat = convert(lon, lat, source=self._datum, target=Datum.WGS84)
        reach = np.minimum(number["range"], _MAX_RANGE_M).astype(np.float64)
        columns = CellColumns(
            network=network_codes(radio, number["mcc"], number["net"]),
            area=number["area"],
            cell=number["cell"],
            lon_deg=lon,
            lat_deg=lat,
            range_m=np.where(reach > 0, reach, np.nan),
            samples=np.clip(number["samples"], 0, _MAX_SAMPLES),
            is_exact=number["changeable"] == 0,
            updated_s=_instants(number["updated"]),
        )
        return columns, rejected

    def _integers(self, grid: "_Grid", name: str, bad: BoolArray) -> IntArray:
        """Whole numbers of a column; what is needed and missing is bad."""
        # Unsaid, a position is an estimate; every other number is unknown when it is 0.
        default = 1 if name == "changeable" else 0
        if name not in self._place:
            return np.full(len(grid), default, dtype=np.int64)
        column = self._place[name]
        start, end = grid.starts[column], grid.ends[column]
        value, wrong = _digits(grid.data, start, end, signed=True)
        empty = start == end
        if empty.any():
            wrong |= empty
            if name not in _NEEDED:
                value[empty], wrong[empty] = default, False
        for row in np.flatnonzero(wrong).tolist():
            value[row], wrong[row] = _slow_integer(grid.text(row, column))
        bad |= wrong
        return value


_REASONS: Final = {-1: "not_a_number", -2: "position", -3: "null_island"}
_EMPTY: Final = CellColumns(
    *(np.zeros(0, np.int64),) * 3, *(np.zeros(0),) * 3, np.zeros(0, np.int64),
    np.zeros(0, np.bool_), np.zeros(0),
)  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class _Grid:
    """Bytes with their fields: that in column ``c`` of row ``r`` is ``[starts[c, r], ends[c, r])``.

    ``dots`` has the decimal points, two a row, when every row has exactly two.
    """

    data: ByteArray
    starts: IntArray
    ends: IntArray
    dots: IntArray | None

    @classmethod
    def of(cls, chunk: bytes, width: int, rejected: Counter[str]) -> Self:
        data = np.frombuffer(chunk, dtype=np.uint8)
        is_end = data == _NEWLINE
        places = np.flatnonzero((data == _COMMA) | is_end)
        rows = int(np.count_nonzero(is_end))
        regular = len(places) == rows * width and bool(is_end[places[width - 1 :: width]].all())
        if not regular or b'"' in chunk:
            return cls._repaired(chunk, width, rejected)
        ends = np.ascontiguousarray(places.reshape(rows, width).T)
        starts = np.empty_like(ends)
        starts[1:] = ends[:-1] + 1
        starts[0, 1:] = ends[-1, :-1] + 1
        starts[0, :1] = 0
        # Lines may end in a carriage return.
        ends[-1] -= (ends[-1] > starts[-1]) & (data.take(ends[-1] - 1) == _RETURN)
        dots = np.flatnonzero(data == _DOT)
        return cls(data, starts, ends, dots.reshape(rows, 2).T if len(dots) == 2 * rows else None)

    @classmethod
    def _repaired(cls, chunk: bytes, width: int, rejected: Counter[str]) -> Self:
        """Leave out lines with too few or too many fields, and take quotes off."""
        kept = []
        for line in chunk.replace(b'"', b"").split(b"\n"):
            if line.count(b",") == width - 1:
                kept.append(line)
            elif line.strip():
                rejected["columns"] += 1
        if not kept:
            return cls(np.zeros(0, np.uint8), *(np.zeros((width, 0), np.int64),) * 2, None)
        return cls.of(b"\n".join([*kept, b""]), width, rejected)

    def __len__(self) -> int:
        return len(self.ends[0])

    def text(self, row: int, column: int) -> bytes:
        """One field as it is written."""
        return self.data[self.starts[column, row] : self.ends[column, row]].tobytes().strip()


def _digits(
    data: ByteArray, start: IntArray, end: IntArray, *, signed: bool = False
) -> tuple[IntArray, BoolArray]:
    """Numbers made of digits alone, and which are not; from the last digit to the first."""
    value = np.zeros(len(start), dtype=np.int64)
    length = end - start
    negative = None
    if signed:
        negative = (data.take(start, mode="clip") == _MINUS) & (length > 0)
        length = length - negative
    wrong = (length > _MAX_DIGITS) | (length < 0)
    place = end - 1
    everywhere = int(length.min(initial=_MAX_DIGITS))
    for k in range(min(int(length.max(initial=0)), _MAX_DIGITS)):
        # What is no digit wraps round to something above 9.
        digit = data.take(place, mode="clip") - _ZERO
        if k >= everywhere:
            digit[length <= k] = 0
        wrong |= digit > 9
        value += np.multiply(digit, 10**k, dtype=np.int64)
        place -= 1
    if negative is not None and negative.any():
        wrong |= negative & (length == 0)
        value = np.where(negative, -value, value)
    return value, wrong


def _slow_integer(text: bytes) -> tuple[int, bool]:
    """Read numbers with blanks round them or written like 12.0, and Android's longest."""
    try:
        number = float(text)
        whole = int(number) if b"." in text else int(text)
    except (ValueError, OverflowError):
        return 0, True
    if abs(whole) > _MAX_WHOLE or float(whole) != number:
        return 0, True
    return whole, False


def _decimals(grid: _Grid, column: int, bad: BoolArray) -> FloatArray:
    """Decimal numbers; fast where every row has one point in each of its two decimals."""
    start, end = grid.starts[column], grid.ends[column]
    value = np.zeros(len(grid))
    wrong = np.ones(len(grid), dtype=np.bool_)
    for dots in () if grid.dots is None else grid.dots:
        if ((dots >= start) & (dots < end)).all():
            negative = grid.data.take(start, mode="clip") == _MINUS
            whole, wrong = _digits(grid.data, start + negative, dots)
            part, wrong_part = _digits(grid.data, dots + 1, end)
            # Both are exact and the quotient is rounded once, as a reader of text would.
            power = _POWERS.take(end - dots - 1, mode="clip")
            wrong |= wrong_part | (end - start > _MAX_DIGITS) | (dots <= start + negative)
            value = (whole * power + part) / power
            value = np.where(negative, -value, value)
    for row in np.flatnonzero(wrong).tolist():
        try:
            value[row] = float(grid.text(row, column))
            wrong[row] = not np.isfinite(value[row])
        except ValueError:
            continue
    bad |= wrong
    return value


_POWERS: Final = 10 ** np.arange(_MAX_DIGITS + 1, dtype=np.int64)
_NAMES: Final = tuple(_RADIO_NAMES)
_FIRST: Final = np.full(256, -1, dtype=np.int64)
_FIRST[[name[0] & 0xDF for name in _NAMES]] = range(len(_NAMES))
_LENGTHS: Final = np.array([len(name) for name in _NAMES])
_LETTERS: Final = np.array([[c & 0xDF for c in name.ljust(5, b"\0")] for name in _NAMES], np.uint8)
_RADIO_OF: Final = np.array([RADIOS.index(radio) for radio in _RADIO_NAMES.values()])


def _radios(grid: _Grid, column: int) -> IntArray:
    """Index into `RADIOS`, -1 for an unknown name; bit 5 tells small letters from capitals."""
    start = grid.starts[column]
    length = grid.ends[column] - start
    name = _FIRST.take(grid.data.take(start, mode="clip") & 0xDF)
    right = (name >= 0) & (length == _LENGTHS.take(name, mode="clip"))
    for k in range(1, min(int(length.max(initial=0)), 5)):
        letter = grid.data.take(start + k, mode="clip") & 0xDF
        right &= (letter == _LETTERS[:, k].take(name, mode="clip")) | (k >= length)
    return np.where(right, _RADIO_OF.take(name, mode="clip"), -1)


def _instants(epoch_s: IntArray) -> FloatArray:
    known = (epoch_s > 0) & (epoch_s < _MAX_EPOCH_S)
    return np.where(known, epoch_s.astype(np.float64), np.nan)
