"""The OsmAnd protocol: Traccar Client 8 (query) and 10 (form), and whatever else speaks it.

Speed is in knots, as every Traccar client sends it; an app that sends another unit says so in
its address with `speed_unit=mps` or `kmh`. Accuracy 0 is unknown: Traccar Client 8 sends it
for each fix of the GPS. A time of day without a zone (`2014-06-04 09:10:11`) is UTC in this
protocol. `cell=mcc,mnc,lac,cid[,rssi]` does not name its radio, and none is made up.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote_to_bytes

from geo.fix import to_epoch_s
from ingest.wire import Decoded, Ignored, Reason, Rejection
from ingest.wire.draft import KNOT_MPS, MAX_SPEED_MPS, Draft
from ingest.wire.instants import Envelope, iso_seconds
from ingest.wire.numbers import MILLISECONDS_FROM, NotANumberError, number
from ingest.wire.owntracks import MAX_OBJECT_BYTES, key_of
from ingest.wire.strict_json import MAX_KEY_BYTES, MAX_KEYS
from ingest.wire.traccar_json import decode_json, is_json

_REPEATABLE = ("cell", "wifi")
_MAX_PAIRS = 256
_LINE = re.compile(
    rb"(?:(?:GET|POST) )?(?:https?://[^/? ]*)?/?[^?&= ]*\?([^ ]*)(?: HTTP/\d(?:\.\d)?)?"
)
_NUMBER = re.compile(r" ?[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?", re.ASCII)
_PLAIN_TIME = re.compile(r"\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}(?:\.\d{1,6})?", re.ASCII)
_CELL_PARTS = (4, 5)
_MICROSECONDS_FROM = 1e14
_CLAIMS = ("id", "deviceid", "imei")
_SPEED_UNITS = {"kn": KNOT_MPS, "mps": 1.0, "kmh": 1 / 3.6}
_EXTRAS = ("hdop", "alarm", "event", "activity")
_MAX_TEXT = 100


def decode(payload: bytes, envelope: Envelope) -> list[Decoded]:
    """Decode one message.

    Parameters
    ----------
    payload : a query or form (`id=…&lat=…`), the request line with path and query, or JSON
        of Traccar Client 9 and 10.
    envelope : receipt time and the device's facts.

    Returns
    -------
    One result, or one per member of a JSON batch. Never raises on content.
    """
    text = payload.strip(b"\r\n")
    if not text:
        return [Ignored.EMPTY]
    if is_json(text):
        return decode_json(text, envelope, read_flat)
    if len(text) > MAX_OBJECT_BYTES:
        return [Rejection(Reason.SIZE, f"{len(text)} bytes, at most {MAX_OBJECT_BYTES}")]
    line = _LINE.fullmatch(text)
    query = text if line is None else line[1]
    pairs = _pairs(query)
    if isinstance(pairs, Rejection):
        return [pairs]
    key = key_of("&".join(f"{name}={value}" for name, value in sorted(pairs)).encode())
    fields: dict[str, Any] = {}
    for name, value in pairs:
        if name in _REPEATABLE:
            fields.setdefault(name, []).append(value)
        elif name in fields:
            return [Rejection(Reason.DUP_KEY, "a parameter is given twice", key=key, raw=query)]
        else:
            fields[name] = value
    return [read_flat(fields, Draft(query, key, envelope))]


def read_flat(fields: Mapping[str, Any], draft: Draft) -> Decoded:
    """Return what the fields of one message say, given as text or as JSON values."""
    try:
        at_s = _time(fields.get("timestamp"))
    except NotANumberError as error:
        return draft.rejected(Reason.TYPE, f"timestamp: {error}")
    refusal = draft.take_time(at_s, name="timestamp")
    if refusal is not None:
        return refusal
    claims = (fields[name] for name in _CLAIMS if name in fields)
    draft.take_claim(next(claims, None), is_ours=True)
    place = draft.place(*_coordinates(fields))
    if isinstance(place, Rejection):
        return place
    if draft.truth(fields.get("valid")) is False:
        # The client itself says that this is no position.
        place = None
    _hear(draft, _listed(fields.get("cell")), _listed(fields.get("wifi")))
    battery_pct = draft.measure(fields.get("batt"), 0.0, 100.0)
    charging = draft.truth(fields.get("charge"))
    mock = draft.truth(fields.get("mock"))
    if place is None:
        return draft.scan(battery_pct=battery_pct, charging=charging, mock=mock)
    unit = fields.get("speed_unit", "kn")
    scale = _SPEED_UNITS.get(unit) if type(unit) is str else None
    if scale is None:
        return draft.rejected(Reason.TYPE, "speed_unit is none of kn, mps, kmh")
    for name in _EXTRAS:
        value = fields.get(name)
        if type(value) in (str, int, float) and value != "":
            draft.extras[name] = value[:_MAX_TEXT] if isinstance(value, str) else value
    return draft.fix(
        place,
        accuracy_m=draft.accuracy(fields.get("accuracy")),
        altitude_m=draft.measure(fields.get("altitude"), -1_000.0, 20_000.0),
        speed_mps=draft.measure(
            fields.get("speed"), 0.0, MAX_SPEED_MPS, scale=scale, negative=True
        ),
        course_deg=draft.measure(fields.get("bearing", fields.get("heading")), 0.0, 360.0),
        battery_pct=battery_pct,
        charging=charging,
        mock=mock,
    )


def _pairs(query: bytes) -> list[tuple[str, str]] | Rejection:
    parts = [part for part in query.split(b"&") if part]
    if len(parts) > _MAX_PAIRS:
        return Rejection(Reason.KEYS, f"{len(parts)} parameters, at most {_MAX_PAIRS}")
    pairs: list[tuple[str, str]] = []
    for part in parts:
        told, equals, given = part.partition(b"=")
        if not equals:
            return Rejection(Reason.SHAPE, "a parameter without a value")
        try:
            pairs.append((_plain(told).lower(), _plain(given)))
        except UnicodeDecodeError:
            return Rejection(Reason.TEXT, "not UTF-8")
    if len({name for name, _ in pairs}) > MAX_KEYS:
        return Rejection(Reason.KEYS, f"more than {MAX_KEYS} different parameters")
    for name, value in pairs:
        if len(name.encode()) > MAX_KEY_BYTES:
            return Rejection(Reason.KEYS, f"a name of more than {MAX_KEY_BYTES} bytes")
        if any(ord(character) < 32 or ord(character) == 127 for character in name + value):
            return Rejection(Reason.TEXT, "control characters")
    return pairs or Rejection(Reason.SHAPE, "no parameters")


def _plain(part: bytes) -> str:
    return unquote_to_bytes(part.replace(b"+", b" ")).decode()


def _time(value: Any) -> float | None:
    """Return epoch seconds of seconds, milliseconds, ISO 8601 with a zone, or UTC text."""
    if value is None or value == "":
        return None
    if type(value) is str and not _NUMBER.fullmatch(value):
        if _PLAIN_TIME.fullmatch(value):
            try:
                return to_epoch_s(datetime.fromisoformat(value).replace(tzinfo=UTC))
            except ValueError:
                raise NotANumberError("a time that does not exist") from None
        return iso_seconds(value)
    found = number(value)
    if found is not None and MILLISECONDS_FROM <= found < _MICROSECONDS_FROM:
        return found / 1_000
    return found


def _coordinates(fields: Mapping[str, Any]) -> tuple[Any, Any]:
    lat, lon = fields.get("lat"), fields.get("lon")
    both = fields.get("location")
    if lat is None and lon is None and type(both) is str and both:
        lat, comma, lon = both.partition(",")
        if not (comma and _NUMBER.fullmatch(lat) and _NUMBER.fullmatch(lon)):
            return "?", None
    return lat, lon


def _listed(value: Any) -> Sequence[Any]:
    if isinstance(value, list):
        return value
    return () if value is None else (value,)


def _hear(draft: Draft, cells: Sequence[Any], access_points: Sequence[Any]) -> None:
    for cell in cells:
        parts = cell.split(",") if type(cell) is str else []
        if len(parts) not in _CELL_PARTS:
            draft.heard.drop("malformed")
            continue
        mcc, mnc, area, identity, *rest = parts
        draft.heard.add_cell(
            None, mcc=mcc, mnc=mnc, area=area, cell=identity, signal_dbm=rest[0] if rest else None
        )
    for access_point in access_points:
        mac, _, signal = access_point.partition(",") if type(access_point) is str else ("", "", "")
        draft.heard.add_access_point(mac, signal_dbm=signal)
