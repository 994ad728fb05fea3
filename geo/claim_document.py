"""Claims as JSON documents: money and kilometres in quotes, times in UTC, places in degrees."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any, Final
from zoneinfo import ZoneInfo

from geo.claims import Claim, Line, MileageLine, NightLine, PerDiemLine, TransportLine
from geo.crs import Datum, convert
from geo.errors import GeoError, UnreadableInput
from geo.gaps import Window
from geo.verdict import parse_instant
from geo.whereabouts import Place

_STOP_RADIUS_M: Final = 300.0
_PLACE_RADIUS_M: Final = 20_000.0
_LINES_MAX: Final = 1_000


def read_claim(document: object, *, datum: Datum = Datum.WGS84) -> Claim:
    """Read a claim from its JSON document.

    Parameters
    ----------
    document : `currency`, `rate_per_km` and `lines`, as CLAIM.json has them; members that no
        rule reads are passed over.
    datum : of its places; they come out in WGS-84.

    Raises
    ------
    UnreadableInput : it is no claim; the detail names the line and what is wrong.
    """
    if not isinstance(document, Mapping):
        raise UnreadableInput("not_object", "the claim is not a JSON object")
    lines = document.get("lines")
    if not isinstance(lines, list) or not 0 < len(lines) <= _LINES_MAX:
        raise UnreadableInput("no_lines", f"the claim needs 1 to {_LINES_MAX} lines")
    read = tuple(_line(line, number, datum) for number, line in enumerate(lines, 1))
    ids = [line.id for line in read]
    if len(set(ids)) != len(ids):
        raise UnreadableInput("twice", "two lines of the claim have the same id")
    currency = document.get("currency", "CNY")
    if not (isinstance(currency, str) and len(currency) == 3 and currency.isalpha()):  # ISO 4217
        raise UnreadableInput("bad_value", "currency is three letters")
    return Claim(read, currency, _decimal(document, "rate_per_km", 0, default="0"))


def _line(line: object, number: int, datum: Datum) -> Line:
    if not isinstance(line, Mapping):
        raise UnreadableInput("not_object", f"line {number} is not a JSON object")
    name = line.get("id")
    if not isinstance(name, str) or not name:
        raise UnreadableInput("bad_value", f"line {number}: id is a text")
    try:
        return _of_kind(line, name, datum)
    except (GeoError, KeyError) as error:
        what = error.detail if isinstance(error, GeoError) else f"{error.args[0]} is missing"
        raise UnreadableInput("bad_line", f"line {name[:40]}: {what}") from None


def _of_kind(line: Mapping[str, Any], name: str, datum: Datum) -> Line:
    kind = line.get("kind")
    if kind == "mileage":
        stops = line.get("stops", [])
        if not isinstance(stops, list):
            raise UnreadableInput("bad_value", "stops is a list")
        places = tuple(_place(stop, datum, _STOP_RADIUS_M) for stop in stops)
        return MileageLine(name, _span(line), _decimal(line, "km", 0), places)
    if kind == "night":
        place = _place(line["place"], datum, _PLACE_RADIUS_M)
        return NightLine(name, _date(line["on"]), _zone(line), place)
    if kind == "per_diem":
        first, last = _date(line["from"]), _date(line["to"])
        if not 0 <= (last - first).days < 366:  # a year
            raise UnreadableInput("bad_span", "from and to are up to a year of days in order")
        place = _place(line["place"], datum, _PLACE_RADIUS_M)
        return PerDiemLine(name, first, last, _zone(line), place)
    if kind == "transport":
        return TransportLine(
            name,
            str(line.get("mode", "")),
            _place(line["from"], datum, _PLACE_RADIUS_M),
            _place(line["to"], datum, _PLACE_RADIUS_M),
            _span(line),
        )
    raise UnreadableInput("unknown_kind", "kind is mileage, night, per_diem or transport")


def _span(line: Mapping[str, Any]) -> Window:
    return Window(parse_instant(str(line["start"])), parse_instant(str(line["end"])))


def _zone(line: Mapping[str, Any]) -> ZoneInfo:
    name = line.get("zone", "Asia/Shanghai")
    try:
        return ZoneInfo(name)
    except (KeyError, OSError, TypeError, ValueError):
        raise UnreadableInput("bad_zone", f"no time zone {str(name)[:40]!r}") from None


def _date(text: object) -> date:
    try:
        return date.fromisoformat(str(text))
    except ValueError:
        raise UnreadableInput("bad_date", f"{str(text)[:40]!r} is not a date") from None


def _decimal(
    line: Mapping[str, Any], name: str, least: int, *, default: str | None = None
) -> Decimal:
    text = line.get(name, default)
    if not isinstance(text, str):
        raise UnreadableInput("bad_value", f"{name} is a decimal in quotes")
    try:
        value = Decimal(text)
    except InvalidOperation:
        raise UnreadableInput("bad_value", f"{name} is not a decimal") from None
    if not value.is_finite() or not least <= value < Decimal("1e9"):
        raise UnreadableInput("bad_value", f"{name} is out of range")
    return value


def _place(place: object, datum: Datum, radius_m: float) -> Place:
    if not isinstance(place, Mapping):
        raise UnreadableInput("bad_place", "a place is an object with lon and lat")
    numbers = [place["lon"], place["lat"], place.get("radius_m", radius_m)]
    if any(isinstance(n, bool) or not isinstance(n, (int, float)) for n in numbers):
        raise UnreadableInput("bad_place", "lon, lat and radius_m are numbers")
    lon, lat, radius = (float(n) for n in numbers)
    if not (-180.0 <= lon <= 180.0 and -90.0 <= lat <= 90.0 and 0.0 < radius <= 1e6):
        raise UnreadableInput("range", "a place lies on Earth and reaches up to 1000 km")
    lons, lats = convert([lon], [lat], source=datum, target=Datum.WGS84)
    return Place(float(lons[0]), float(lats[0]), radius, str(place.get("name", "")))
