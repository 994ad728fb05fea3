"""Lines of a claim as typed, and claims as files, to the document that the slice keeps."""

import json
import re
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final
from zoneinfo import ZoneInfo

from geo.verdict import format_utc
from server.errors import InvalidInput
from web.params import date_or_none

MAX_FILE: Final = 256 * 1024
TYPED: Final = frozenset(
    {
        *("start", "end", "km", "stops", "on", "from_on", "to_on", "amount", "place"),
        *("mode", "origin", "destination"),
    }
)
"""Fields of a line, shown again when it was refused."""
_MAX_STOPS: Final = 40


def line_of(form: Mapping[str, str], *, id_: str, zone: str) -> dict[str, Any]:
    """Return the line that a form holds, as CLAIM.json has it.

    Raises
    ------
    InvalidInput : `bad_time`, `bad_number`, `bad_amount`, `bad_place`.
    """
    kind = kind_or_first(form.get("kind"))
    line: dict[str, Any] = {"id": id_, "kind": kind}
    if kind == "mileage":
        stops = [text for text in form.get("stops", "").splitlines() if text.strip()]
        return (
            line
            | _span(form, zone)
            | {
                "km": _decimal(form.get("km"), "bad_number"),
                "stops": [_place(text) for text in stops[:_MAX_STOPS]],
            }
        )
    line["amount"] = _decimal(form.get("amount"), "bad_amount")
    if kind == "night":
        return line | {"on": _day(form, "on"), "zone": zone, "place": _place(form.get("place"))}
    if kind == "per_diem":
        first, last = _day(form, "from_on"), _day(form, "to_on")
        if last < first:
            raise InvalidInput("bad_time")
        return line | {"from": first, "to": last, "zone": zone, "place": _place(form.get("place"))}
    return (
        line
        | _span(form, zone)
        | {
            "mode": form.get("mode", "")[:20],
            "from": _place(form.get("origin")),
            "to": _place(form.get("destination")),
        }
    )


def line_again(old: Mapping[str, Any], form: Mapping[str, str], *, zone: str) -> dict[str, Any]:
    """Return a line as a form has it now; what the form does not show of it stays.

    Raises
    ------
    InvalidInput : as `line_of`.
    """
    line = line_of(form, id_=str(old["id"]), zone=zone)
    if line["kind"] != old["kind"]:
        return line
    kept = {"zone": old["zone"]} if "zone" in old and "zone" in line else {}
    return {**old, **line, **kept}


def typed_of(line: Mapping[str, Any], *, zone: str) -> dict[str, str]:
    """Return what somebody would type for a line of a document: the inverse of `line_of`."""
    kind = str(line["kind"])
    typed = {"kind": kind, "line": str(line["id"])}
    if kind in {"mileage", "transport"}:
        typed |= {name: _wall(str(line[name]), zone) for name in ("start", "end")}
    if kind == "mileage":
        stops = line.get("stops", [])
        return typed | {"km": str(line["km"]), "stops": "\n".join(_told(stop) for stop in stops)}
    typed["amount"] = str(line.get("amount", "0"))
    if kind == "night":
        return typed | {"on": str(line["on"]), "place": _told(line["place"])}
    if kind == "per_diem":
        days = {"from_on": str(line["from"]), "to_on": str(line["to"])}
        return typed | days | {"place": _told(line["place"])}
    ends = {"origin": _told(line["from"]), "destination": _told(line["to"])}
    return typed | ends | {"mode": str(line.get("mode", ""))}


def kind_or_first(text: str | None) -> str:
    """Return the kind of line that a text names, kilometres for anything else."""
    return text if text in {"night", "per_diem", "transport"} else "mileage"


def header_of(form: Mapping[str, str]) -> dict[str, Any]:
    """Return currency and rate of a form; InvalidInput `bad_number`."""
    return {
        "currency": (form.get("currency", "").strip() or "CNY")[:3].upper(),
        "rate_per_km": _decimal(form.get("rate"), "bad_number"),
    }


def document_of(content: bytes) -> dict[str, Any]:
    """Return the document of a CLAIM.json; InvalidInput `not_json`."""
    try:
        found = json.loads(content[:MAX_FILE], parse_constant=_refuse)
    except (ValueError, RecursionError):
        raise InvalidInput("not_json") from None
    # The database keeps no text with a NUL in it.
    if not isinstance(found, dict) or b"\\u0000" in content:
        raise InvalidInput("not_json")
    return found


def next_id(lines: list[dict[str, Any]]) -> str:
    """Return an id that no line has."""
    taken = {line["id"] for line in lines}
    return next(str(k) for k in range(1, len(lines) + 2) if str(k) not in taken)


def _refuse(name: str) -> None:
    raise ValueError(name)


def _span(form: Mapping[str, str], zone: str) -> dict[str, str]:
    start, end = (_instant(form.get(name), zone) for name in ("start", "end"))
    if end <= start:
        raise InvalidInput("bad_time")
    return {"start": format_utc(start), "end": format_utc(end)}


def _instant(text: str | None, zone: str) -> datetime:
    try:
        wall = datetime.fromisoformat(text or "")
    except ValueError:
        raise InvalidInput("bad_time") from None
    if wall.tzinfo is not None or date_or_none(wall.date().isoformat()) is None:
        raise InvalidInput("bad_time")
    return wall.replace(tzinfo=ZoneInfo(zone))


def _day(form: Mapping[str, str], name: str) -> str:
    found = date_or_none(form.get(name))
    if found is None:
        raise InvalidInput("bad_time")
    return found.isoformat()


def _decimal(text: str | None, code: str) -> str:
    try:
        value = Decimal((text or "").strip().replace(",", "."))
    except InvalidOperation:
        raise InvalidInput(code) from None
    if not value.is_finite() or not 0 <= value < 10_000_000:
        raise InvalidInput(code)
    return f"{value:f}"


def _wall(text: str, zone: str) -> str:
    """Return an instant as an input of local time wants it; seconds only where there are any."""
    wall = datetime.fromisoformat(text).astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    return wall.isoformat("T", "seconds" if wall.second or wall.microsecond else "minutes")


def _told(place: Mapping[str, Any]) -> str:
    """Return a place as `_place` reads it; no comma of a name is taken for a separator."""
    lon, lat = place["lon"], place["lat"]
    name = re.sub("[,，\\n]", " ", str(place.get("name", ""))).strip() or f"{lat} {lon}"
    radius = [str(place["radius_m"] / 1_000.0)] if "radius_m" in place else []
    return ", ".join([name, str(lon), str(lat), *radius])


def _place(text: str | None) -> dict[str, Any]:
    """Read `name, longitude, latitude` with a radius in kilometres at the end, if any."""
    parts = [part.strip() for part in (text or "").replace("，", ",").split(",")]
    try:
        name, numbers = parts[0], [float(part) for part in parts[1:]]
        lon, lat = numbers[:2]
    except ValueError:
        raise InvalidInput("bad_place") from None
    if not name or len(numbers) > 3 or not (-180 <= lon <= 180 and -90 <= lat <= 90):
        raise InvalidInput("bad_place")
    radius = {"radius_m": round(numbers[2] * 1_000.0, 1)} if len(numbers) == 3 else {}
    return {"name": name[:120], "lon": lon, "lat": lat, **radius}
