"""A day's track as GPX, GeoJSON or CSV, line by line; pure, gaps stay gaps.

A track is broken where silence is: no line is drawn over what nobody saw.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Final
from xml.sax.saxutils import escape, quoteattr

import orjson

from geo.verdict import format_utc
from server.tracking.days import FixColumns

CSV_HEADER: Final = (
    "time",
    "lon",
    "lat",
    "accuracy_m",
    "speed_mps",
    "battery_pct",
    "source",
    "flags",
)
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n")


def gpx_lines(fixes: FixColumns, *, name: str, max_gap_s: float = 900.0) -> Iterator[str]:
    """Return a GPX 1.1 document; a new segment begins after each silence.

    Parameters
    ----------
    fixes : in time order.
    name : title of the track; escaped.
    max_gap_s : longer silence breaks the track.
    """
    yield '<?xml version="1.0" encoding="UTF-8"?>\n'
    yield '<gpx version="1.1" creator="Outpost" xmlns="http://www.topografix.com/GPX/1/1">\n'
    yield f"<trk><name>{escape(_printable(name))}</name>\n"
    for first, last in _unbroken(fixes.fixed_at, max_gap_s):
        yield "<trkseg>\n"
        for no in range(first, last):
            lon, lat = quoteattr(f"{fixes.lon[no]:.7f}"), quoteattr(f"{fixes.lat[no]:.7f}")
            yield f"<trkpt lat={lat} lon={lon}><time>{_time(fixes.fixed_at[no])}</time></trkpt>\n"
        yield "</trkseg>\n"
    yield "</trk></gpx>\n"


def geojson_lines(fixes: FixColumns, *, name: str, max_gap_s: float = 900.0) -> Iterator[str]:
    """Return a FeatureCollection: a line per unbroken stretch, and a point per fix.

    A stretch of a single fix has no line. Coordinates are WGS-84 `lon, lat`.
    """
    yield '{"type":"FeatureCollection","features":[\n'
    separator = ""
    for first, last in _unbroken(fixes.fixed_at, max_gap_s):
        if last - first > 1:
            yield separator + _dump(
                {
                    "type": "Feature",
                    "properties": {
                        "kind": "track",
                        "name": name,
                        "start": _time(fixes.fixed_at[first]),
                        "end": _time(fixes.fixed_at[last - 1]),
                    },
                    "geometry": {
                        "type": "LineString",
                        "coordinates": [
                            [fixes.lon[no], fixes.lat[no]] for no in range(first, last)
                        ],
                    },
                }
            )
            separator = ",\n"
    for no, at in enumerate(fixes.fixed_at):
        yield separator + _dump(
            {
                "type": "Feature",
                "properties": {
                    "kind": "fix",
                    "time": _time(at),
                    "accuracy_m": fixes.accuracy_m[no],
                    "speed_mps": fixes.speed_mps[no],
                    "source": fixes.source[no],
                    "flags": list(fixes.flags[no]),
                },
                "geometry": {"type": "Point", "coordinates": [fixes.lon[no], fixes.lat[no]]},
            }
        )
        separator = ",\n"
    yield "\n]}\n"


def csv_lines(fixes: FixColumns) -> Iterator[str]:
    """Return rows with a header, UTF-8 with a byte order mark, so that spreadsheets read it."""
    yield "\ufeff" + csv_row(CSV_HEADER)
    for no, at in enumerate(fixes.fixed_at):
        yield csv_row(
            (
                _time(at),
                round(fixes.lon[no], 7),
                round(fixes.lat[no], 7),
                fixes.accuracy_m[no],
                fixes.speed_mps[no],
                fixes.battery_pct[no],
                fixes.source[no],
                " ".join(fixes.flags[no]),
            )
        )


def csv_row(cells: Iterable[str | float | None]) -> str:
    """Return one line of CSV in which no text can become a formula.

    Text that a spreadsheet would take for a formula gets an apostrophe in front; numbers
    stay numbers.
    """
    return ",".join(_cell(cell) for cell in cells) + "\r\n"


def _cell(cell: str | float | None) -> str:
    if cell is None:
        return ""
    if isinstance(cell, (int, float)):
        return repr(cell)
    # Spreadsheets look past leading space.
    text = f"'{cell}" if cell.lstrip(" \u00a0\u3000").startswith(_FORMULA) else cell
    if any(mark in text for mark in ',"\r\n'):
        return '"' + text.replace('"', '""') + '"'
    return text


def _unbroken(times: list[float], max_gap_s: float) -> Iterator[tuple[int, int]]:
    """Half-open ranges of indices without a longer silence between neighbours."""
    first = 0
    for no in range(1, len(times)):
        if times[no] - times[no - 1] > max_gap_s:
            yield first, no
            first = no
    if times:
        yield first, len(times)


def _time(epoch_s: float) -> str:
    return format_utc(datetime.fromtimestamp(epoch_s, UTC))


def _printable(text: str) -> str:
    """Drop what XML 1.0 cannot carry in any form."""
    return "".join(c for c in text if c >= " " or c in "\t\n")


def _dump(value: object) -> str:
    return orjson.dumps(value).decode()
