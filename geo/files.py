"""Fix files of several formats to fixes. The only module of the core that opens files."""

import csv
import gzip
import io
import json
import math
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO, Final, NoReturn
from xml.etree import ElementTree as ET

from geo.crs import Datum, convert
from geo.errors import GeoError, UnreadableInput
from geo.fix import EPOCH, Fix, QualityFlag, Source
from geo.verdict import format_utc, parse_instant

MAX_BYTES: Final = 256 * 1024 * 1024
_MILLISECONDS_FROM: Final = 100_000_000_000
"""Epoch numbers above this (year 5138) are milliseconds."""
_MAX_ACCURACY_M: Final = 100_000.0
_PLT_HEADER_LINES: Final = 6
_PLT_FIELDS: Final = 7
_PLT_NO_ALTITUDE: Final = -777.0
_FOOT_M: Final = 0.3048

_Row = tuple[int, Mapping[str, Any]]


def read_fixes(
    name: str, *, stdin: BinaryIO | None = None, datum: Datum = Datum.WGS84
) -> list[Fix]:
    """Read the fixes of a file.

    Parameters
    ----------
    name : path ending in ``.jsonl`` (OwnTracks locations), ``.csv``, ``.gpx`` or ``.plt``, each
        also with ``.gz``; or ``-`` for standard input, whose format is recognised.
    stdin : where ``-`` reads from.
    datum : of the positions in the file; fixes come out in WGS-84.

    Returns
    -------
    Fixes in the order of the file, duplicates included; `geo.fix.FixArray` sorts them.

    Raises
    ------
    UnreadableInput : one line that names file, line and trouble.
    """
    raw = _bytes(name, stdin)
    reader = _reader(name, raw)
    try:
        rows = list(reader(raw))
    except _Trouble as trouble:
        raise UnreadableInput("bad_fix_file", f"{name}: {trouble}") from None
    fixes = []
    for number, row in rows:
        try:
            fixes.append(_fix(row))
        except (_Trouble, GeoError) as trouble:
            raise UnreadableInput("bad_fix_file", f"{name}:{number}: {trouble}") from None
    if not fixes:
        raise UnreadableInput("no_fixes", f"{name}: no fixes in it")
    return [_keyed(fix) for fix in _to_wgs84(fixes, datum)]


def read_text(name: str, *, stdin: BinaryIO | None = None) -> str:
    """Text of a file or, for ``-``, of standard input; UTF-8, ``.gz`` unpacked.

    Raises
    ------
    UnreadableInput : missing, too large, or not text.
    """
    try:
        return _bytes(name, stdin).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UnreadableInput("not_text", f"{name}: not UTF-8 text") from None


def read_bytes(name: str) -> bytes:
    """Bytes of a file, ``.gz`` unpacked.

    Raises
    ------
    UnreadableInput : missing or too large.
    """
    return _bytes(name, None)


class _Trouble(Exception):  # becomes an UnreadableInput with file and line
    """What is wrong with a line."""


def _bytes(name: str, stdin: BinaryIO | None) -> bytes:
    try:
        if name == "-":
            if stdin is None:
                raise UnreadableInput("no_stdin", "standard input is not available here")
            raw = stdin.read(MAX_BYTES + 1)
        else:
            with Path(name).open("rb") as stream:
                raw = stream.read(MAX_BYTES + 1)
        if raw[:2] == b"\x1f\x8b":
            with gzip.open(io.BytesIO(raw)) as unpacked:
                raw = unpacked.read(MAX_BYTES + 1)
    except OSError as error:
        raise UnreadableInput("cannot_open", f"{name}: {error.strerror or error}") from None
    except (EOFError, zlib.error) as error:
        raise UnreadableInput("bad_gzip", f"{name}: {error}") from None
    if len(raw) > MAX_BYTES:
        raise UnreadableInput("too_large", f"{name}: larger than {MAX_BYTES} bytes")
    return raw


def _reader(name: str, raw: bytes) -> Callable[[bytes], Iterator[_Row]]:
    suffix = Path(name.lower().removesuffix(".gz")).suffix
    if suffix in _READERS:
        return _READERS[suffix]
    if name != "-":
        known = ", ".join(_READERS)
        raise UnreadableInput("unknown_format", f"{name}: not one of {known} (or .gz of them)")
    start = raw.removeprefix(b"\xef\xbb\xbf").lstrip()[:40].lower()
    if start.startswith(b"{"):
        return _read_jsonl
    if start.startswith(b"<"):
        return _read_gpx
    return _read_plt if start.startswith(b"geolife trajectory") else _read_csv


def _text(raw: bytes) -> str:
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise _Trouble("not UTF-8 text") from None


def _read_jsonl(raw: bytes) -> Iterator[_Row]:
    for number, line in enumerate(_text(raw).splitlines(), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line, parse_constant=_refuse_constant)
        except (ValueError, RecursionError):
            raise _Trouble(f"line {number} is not JSON") from None
        if not isinstance(row, dict):
            raise _Trouble(f"line {number} is not a JSON object")
        if row.get("_type", "location") != "location":
            continue
        speed = _number(row, "vel")
        yield (
            number,
            {
                "time": row.get("tst"),
                "lat": row.get("lat"),
                "lon": row.get("lon"),
                "accuracy_m": row.get("acc"),
                "speed_mps": None if speed is None else speed / 3.6,
                "course_deg": row.get("cog"),
                "altitude_m": row.get("alt"),
                "battery_pct": row.get("batt"),
                "source": row.get("src"),
                "mock": row.get("mock"),
                "trigger": row.get("t"),
            },
        )


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _read_csv(raw: bytes) -> Iterator[_Row]:
    lines = csv.DictReader(io.StringIO(_text(raw)), skipinitialspace=True, restkey="")
    try:
        header = [name.strip() for name in lines.fieldnames or []]
        missing = [name for name in ("time", "lat", "lon") if name not in header]
        if missing:
            raise _Trouble(f"no column {missing[0]!r} in the header")
        lines.fieldnames = header
        for row in lines:
            yield lines.line_num, {key: (value or None) for key, value in row.items() if key}
    except csv.Error as error:
        raise _Trouble(f"after line {lines.line_num}: {error}") from None


def _read_gpx(raw: bytes) -> Iterator[_Row]:
    if b"<!DOCTYPE" in raw or b"<!ENTITY" in raw:
        raise _Trouble("GPX with a document type is refused")
    try:
        root = ET.fromstring(raw)  # noqa: S314  # entities need a document type, refused above
    except ET.ParseError as error:
        raise _Trouble(f"not XML: {error}") from None
    points = (node for node in root.iter() if _local(node) == "trkpt")
    for number, node in enumerate(points, 1):
        children = {_local(child): (child.text or "").strip() for child in node}
        time = children.get("time")
        if not time:
            raise _Trouble(f"track point {number} has no time")
        # The standard says UTC, and some programs leave the letter out.
        zone = "" if time[-1:] in "zZ" or "+" in time or time.count("-") > 2 else "Z"
        yield (
            number,
            {
                "time": time + zone,
                "lat": node.get("lat"),
                "lon": node.get("lon"),
                "altitude_m": children.get("ele") or None,
                "speed_mps": children.get("speed") or None,
            },
        )


def _local(node: ET.Element) -> str:
    return node.tag.rpartition("}")[2]


def _read_plt(raw: bytes) -> Iterator[_Row]:
    for number, line in enumerate(_text(raw).splitlines(), 1):
        if number <= _PLT_HEADER_LINES or not line.strip():
            continue
        fields = line.split(",")
        if len(fields) < _PLT_FIELDS:
            raise _Trouble(f"line {number} has fewer than {_PLT_FIELDS} fields")
        feet = _number({"altitude": fields[3]}, "altitude")
        yield (
            number,
            {
                "time": f"{fields[5].strip()}T{fields[6].strip()}Z",
                "lat": fields[0],
                "lon": fields[1],
                "altitude_m": None if feet in {None, _PLT_NO_ALTITUDE} else feet * _FOOT_M,
            },
        )


_READERS: Final[Mapping[str, Callable[[bytes], Iterator[_Row]]]] = {
    ".jsonl": _read_jsonl,
    ".csv": _read_csv,
    ".gpx": _read_gpx,
    ".plt": _read_plt,
}


def _fix(row: Mapping[str, Any]) -> Fix:
    lat, lon = _required(row, "lat"), _required(row, "lon")
    if not (-90.0 <= lat <= 90.0 and -180.0 <= lon <= 180.0):
        hint = ", are they swapped?" if abs(lon) <= 90.0 < abs(lat) <= 180.0 else ""
        raise _Trouble(f"lat {lat} lon {lon} is not on Earth{hint}")
    flags = QualityFlag.NONE
    values: dict[str, float | None] = {}
    for name, (low, high) in _PLAUSIBLE.items():
        value = _number(row, name)
        values[name] = value if value is not None and low <= value <= high else None
        if value is not None and values[name] is None:
            flags |= QualityFlag.FIELD_NULLED
    battery = values["battery_pct"]
    return Fix(
        fixed_at=_instant(row.get("time")),
        lon_deg=lon,
        lat_deg=lat,
        source=_source(row.get("source")),
        mock=_mock(row.get("mock")),
        trigger=None if row.get("trigger") is None else str(row["trigger"]),
        battery_pct=None if battery is None else round(battery),
        flags=flags,
        accuracy_m=values["accuracy_m"],
        speed_mps=values["speed_mps"],
        course_deg=values["course_deg"],
        altitude_m=values["altitude_m"],
    )


_PLAUSIBLE: Final = {
    "accuracy_m": (math.ulp(0.0), _MAX_ACCURACY_M),
    "speed_mps": (0.0, 340.0),
    "course_deg": (0.0, 360.0),
    "altitude_m": (-1_000.0, 20_000.0),
    "battery_pct": (0.0, 100.0),
}
"""A value outside is unknown, and the fix says that a field was nulled."""


def _number(row: Mapping[str, Any], name: str) -> float | None:
    value = row.get(name)
    if value is None or value == "":
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise _Trouble(f"{name} is not a number")
    try:
        number = float(value)
    except (ValueError, OverflowError):
        raise _Trouble(f"{name} is not a number: {str(value)[:40]!r}") from None
    if not math.isfinite(number):
        raise _Trouble(f"{name} is not finite")
    return number


def _required(row: Mapping[str, Any], name: str) -> float:
    value = _number(row, name)
    if value is None:
        raise _Trouble(f"{name} is missing")
    return value


def _instant(value: object) -> datetime:
    if value is None or isinstance(value, bool):
        raise _Trouble("time is missing")
    try:
        epoch_s = float(value) if isinstance(value, (int, float, str)) else math.nan
    except (ValueError, OverflowError):
        return parse_instant(str(value))
    if not 0.0 < epoch_s < _MILLISECONDS_FROM:
        hint = " (milliseconds?)" if epoch_s >= _MILLISECONDS_FROM else ""
        raise _Trouble(f"time {str(value)[:40]} is not epoch seconds{hint}")
    return EPOCH + timedelta(microseconds=round(epoch_s * 1e6))


def _source(value: object) -> Source:
    if value is None or value == "":
        return Source.GPS
    try:
        return Source(str(value).strip().lower())
    except ValueError:
        raise _Trouble(f"source is not one of {', '.join(Source)}: {str(value)[:40]!r}") from None


def _mock(value: object) -> bool | None:
    if value is None or isinstance(value, bool):
        return value
    if str(value).strip().lower() in {"true", "1", "false", "0"}:
        return str(value).strip().lower() in {"true", "1"}
    raise _Trouble("mock is neither true nor false")


def _to_wgs84(fixes: list[Fix], datum: Datum) -> list[Fix]:
    if datum is Datum.WGS84:
        return fixes
    lon, lat = convert(
        [f.lon_deg for f in fixes], [f.lat_deg for f in fixes], source=datum, target=Datum.WGS84
    )
    return [
        replace(fix, lon_deg=float(x), lat_deg=float(y))
        for fix, x, y in zip(fixes, lon, lat, strict=True)
    ]


def _keyed(fix: Fix) -> Fix:
    """Name a fix by its content: the same line twice is one fix."""
    place = f"{fix.lon_deg:.7f},{fix.lat_deg:.7f}"
    return replace(fix, key=f"{format_utc(fix.fixed_at)}/{place}/{fix.source.value}")
