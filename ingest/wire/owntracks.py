"""OwnTracks JSON, field by field, into our names and units.

Speed comes in km/h, a missing or zero accuracy is unknown, `batt` and `vel` of -1 are
unknown. What cannot be true is thrown away field by field with a flag; only a message
without a usable place and time is rejected.
"""

import hashlib
from typing import Any

import orjson

from geo.fix import QualityFlag, Source
from ingest.wire import (
    Cell,
    Decoded,
    DeviceEvent,
    EventKind,
    Ignored,
    RadioScan,
    Reason,
    Rejection,
    WireFix,
)
from ingest.wire.cells import read_cells
from ingest.wire.instants import Envelope, judged
from ingest.wire.numbers import MILLISECONDS_FROM, OLDEST_S, NotANumberError, epoch, number, within
from ingest.wire.owntracks_events import READERS, Reading, read_waypoint
from ingest.wire.sealed import open_sealed
from ingest.wire.strict_json import check_object, loads

MAX_OBJECT_BYTES = 16_384
MAX_BATCH_BYTES = 1_048_576
MAX_BATCH = 500
KMH = 1 / 3.6

CONNECTIONS = {"w": "wifi", "m": "mobile", "o": "offline"}
CHARGING = {1: False, 2: True, 3: True}
MODES = {-1: "quiet", 0: "manual", 1: "significant", 2: "move"}
SOURCES = {"gps": Source.GPS, "fused": Source.GPS, "wifi": Source.WIFI, "cell": Source.CELL}
SOURCES |= {"lbs": Source.LBS}
_CLAIMS = ("username", "user", "deviceId")
_CLAIMING = frozenset({"topic", *_CLAIMS})
NULLED = int(QualityFlag.FIELD_NULLED)
NO_ACCURACY = int(QualityFlag.NO_ACCURACY)
PING = int(QualityFlag.PING)
_MOCK = int(QualityFlag.MOCK)
_CLAIM_MISMATCH = int(QualityFlag.CLAIM_MISMATCH)
# name, limits of what can be true, and the number that says "unknown"
RANGES: tuple[tuple[str, float, float, float | None], ...] = (
    ("acc", 0, 100_000, None),
    ("vel", 0, 999, -1),
    ("cog", 0, 360, -1),
    ("alt", -1_000, 20_000, None),
    ("batt", 0, 100, -1),
)
_NOTHING_HEARD: tuple[tuple[Cell, ...], tuple[str, ...]] = ((), ())
_IGNORED = {
    "card": Ignored.CARD,
    "configuration": Ignored.CONFIGURATION,
    "request": Ignored.REQUEST,
    "dump": Ignored.CONFIGURATION,
}


def decode(payload: bytes, envelope: Envelope) -> list[Decoded]:
    """Decode one message.

    Parameters
    ----------
    payload : JSON object, or an array of up to 500 of them (a flushed backlog).
    envelope : receipt time and the device's facts.

    Returns
    -------
    One result per object; an empty payload, by which clients clear a retained message, is
    ignored. Never raises on content. About 4 µs for a position.
    """
    if not payload:
        return [Ignored.EMPTY]
    value = loads(payload, max_bytes=MAX_BATCH_BYTES)
    if type(value) is dict:
        if len(payload) > MAX_OBJECT_BYTES:
            return [Rejection(Reason.SIZE, f"{len(payload)} bytes, at most {MAX_OBJECT_BYTES}")]
        return _decode_object(value, payload, envelope)
    if isinstance(value, Rejection):
        return [value]
    if not isinstance(value, list):
        return [Rejection(Reason.SHAPE, f"expected an object, not {type(value).__name__}")]
    if len(value) > MAX_BATCH:
        return [Rejection(Reason.SHAPE, f"{len(value)} messages in one, at most {MAX_BATCH}")]
    results: list[Decoded] = []
    for item in value:
        raw = orjson.dumps(item)
        if type(item) is not dict:
            results.append(Rejection(Reason.SHAPE, "expected an object", key=key_of(raw), raw=raw))
        else:
            results += _decode_object(item, raw, envelope)
    return results or [Ignored.EMPTY]


def members(payload: bytes) -> list[bytes]:
    """Return each message of an array as a message of its own; itself when it is none."""
    value = orjson.loads(payload)
    return [orjson.dumps(item) for item in value] if isinstance(value, list) else [payload]


def key_of(content: bytes) -> int:
    """Return 64 bits of SHA-256 as PostgreSQL's bigint."""
    return int.from_bytes(hashlib.sha256(content).digest()[:8], "big", signed=True)


def message_key(message: dict[str, Any]) -> int:
    """Return the key that names a message for good.

    From its `_id` when it has one, else from its content in canonical order without
    `topic`, which clients add over HTTP only: the same message through both doors, or
    inside a batch, has one key.
    """
    given = message.get("_id")
    if type(given) is str and given:
        return key_of(b"_id:" + given.encode())
    if "topic" in message:
        message = {name: value for name, value in message.items() if name != "topic"}
    return key_of(orjson.dumps(message, option=orjson.OPT_SORT_KEYS))


def _decode_object(message: dict[str, Any], raw: bytes, envelope: Envelope) -> list[Decoded]:
    refusal = check_object(message)
    if refusal is not None:
        return [Rejection(refusal.reason, refusal.detail, None, message_key(message), raw)]
    kind = message.get("_type")
    if kind == "location":
        return [_location(message, raw, envelope)]
    if kind == "encrypted":
        return _encrypted(message, raw, envelope)
    if kind == "waypoints":
        return _waypoints(message, raw, envelope)
    if type(kind) is not str:
        return [Rejection(Reason.TYPE_UNKNOWN, "no _type", key=message_key(message), raw=raw)]
    reader = READERS.get(kind)
    if reader is not None:
        return [_event(reader(message), message, raw, envelope)]
    if kind in _IGNORED:
        return [_IGNORED[kind]]
    key = message_key(message)
    if kind == "cmd":
        return [Rejection(Reason.FORBIDDEN, "a phone may not send commands", key=key, raw=raw)]
    return [
        Rejection(Reason.TYPE_UNKNOWN, f"unknown _type of {len(kind)} characters", None, key, raw)
    ]


def _location(
    message: dict[str, Any], raw: bytes, envelope: Envelope
) -> WireFix | RadioScan | Rejection:
    get = message.get
    key = message_key(message)
    timed = _fixed_s(message, envelope)
    if isinstance(timed, Rejection):
        return Rejection(timed.reason, timed.detail, timed.at_s, key, raw)
    fixed_s, flags = timed
    told_s = None if flags else fixed_s
    lat, lon = get("lat"), get("lon")
    if type(lat) is not float or type(lon) is not float:
        try:
            lat, lon = number(lat), number(lon)
        except NotANumberError as error:
            return Rejection(Reason.TYPE, f"lat or lon: {error}", told_s, key, raw)
    cells, dropped = (
        read_cells(message) if "cells" in message or "lac" in message else _NOTHING_HEARD
    )
    if lat is None or lon is None:
        if lat is lon and (cells or dropped):
            battery, charging = _secondary(message)[4], get("bs")
            return RadioScan(
                fixed_s,
                key,
                raw,
                cells,
                dropped=dropped,
                battery_pct=None if battery is None else round(battery),
                charging=CHARGING.get(charging) if type(charging) is int else None,
                flags=flags,
            )
        return Rejection(Reason.TYPE, "lat or lon is missing", told_s, key, raw)
    if not (-90.0 <= lat <= 90.0 and -180.0 <= lon <= 180.0):
        hint = "; swapped?" if abs(lon) <= 90.0 < abs(lat) <= 180.0 else ""
        return Rejection(Reason.RANGE, "lat or lon is not on Earth" + hint, told_s, key, raw)

    accuracy, speed, course, altitude, battery, trigger, doubts = _secondary(message)
    flags |= doubts
    if trigger == "p":
        flags |= PING
    mock = get("mock")
    if type(mock) is not bool:
        mock = None
    elif mock:
        flags |= _MOCK
    if "SSID" in message or "BSSID" in message:
        raw = _without_opted_out(message, raw)
    claims_other = _claims_other(message, envelope.username)
    created = get("created_at")
    charging = get("bs")
    connection, mode, source = get("conn"), get("m"), get("src", get("source"))
    return WireFix(
        fixed_s,
        lon,
        lat,
        key,
        raw,
        accuracy or None,
        altitude,
        None if speed is None else speed * KMH,
        course,
        None if battery is None else round(battery),
        created if type(created) is int and OLDEST_S < created < MILLISECONDS_FROM else None,
        Source.GPS if source is None else _source(source),
        trigger,
        mock,
        flags | (_CLAIM_MISMATCH if claims_other else 0),
        CHARGING.get(charging) if type(charging) is int else None,
        CONNECTIONS.get(connection) if type(connection) is str else None,
        MODES.get(mode) if type(mode) is int else None,
        cells,
        (),
        dropped,
    )


def _secondary(message: dict[str, Any]) -> tuple[Any, ...]:
    """Return accuracy, speed in km/h, course, altitude, battery, trigger, and flags.

    What cannot be true is None and flagged; an accuracy of 0 is unknown.
    """
    found: list[Any] = []
    flags = 0
    for name, low, high, unknown in RANGES:
        value = message.get(name)
        # Nearly every field of nearly every message is a whole number in its range.
        if type(value) is not int or not low <= value <= high:
            value, bad = within(value, low, high, unknown=unknown)
            if bad:
                flags |= NULLED
        found.append(value)
    if not found[0]:
        flags |= NO_ACCURACY
    trigger = message.get("t")
    if trigger is not None and not (
        type(trigger) is str and len(trigger) == 1 and trigger.isascii()
    ):
        trigger = None
        flags |= NULLED
    return *found, trigger, flags


def _fixed_s(message: dict[str, Any], envelope: Envelope) -> tuple[float, int] | Rejection:
    """Return when a position was measured and the flags of that, or why it is unusable."""
    tst = message.get("tst")
    received_s = envelope.received_s
    if tst is None:
        return (float("nan") if received_s is None else received_s), int(QualityFlag.NO_TST)
    if type(tst) is not int:
        try:
            tst = epoch(tst)
        except NotANumberError as error:
            return Rejection(Reason.TYPE, f"tst: {error}")
        if tst is None:
            return Rejection(Reason.TYPE, "tst is null")
        tst = round(tst, 6)
    refusal = judged(tst, envelope)
    return (float(tst), 0) if refusal is None else refusal


def _without_opted_out(message: dict[str, Any], raw: bytes) -> bytes:
    """Return the bytes to keep: not the names of a network whose owner said `_nomap`."""
    name = message.get("SSID")
    if type(name) is not str or not name.casefold().endswith("_nomap"):
        return raw
    return orjson.dumps({k: v for k, v in message.items() if k not in ("SSID", "BSSID")})


def _source(value: Any) -> Source:
    return SOURCES.get(value, Source.UNKNOWN) if type(value) is str else Source.UNKNOWN


def _claims_other(message: dict[str, Any], username: str | None) -> bool:
    """Whether the payload names somebody else than the credential did."""
    if username is None or _CLAIMING.isdisjoint(message):
        return False
    topic = message.get("topic")
    if topic is not None:
        levels = topic.split("/") if type(topic) is str else ()
        if len(levels) < 2 or levels[1] != username:
            return True
    return any(message.get(name) not in (None, username) for name in _CLAIMS)


def _encrypted(message: dict[str, Any], raw: bytes, envelope: Envelope) -> list[Decoded]:
    key = message_key(message)
    if envelope.secret is None:
        return [Rejection(Reason.CRYPTO, "encrypted, but the device has no secret", None, key, raw)]
    plain = open_sealed(message.get("data"), envelope.secret)
    if plain is None:
        return [Rejection(Reason.CRYPTO, "does not open with the device's secret", None, key, raw)]
    value = loads(plain, max_bytes=MAX_OBJECT_BYTES)
    if isinstance(value, Rejection):
        return [Rejection(value.reason, "inside encryption: " + value.detail, None, key, raw)]
    if type(value) is not dict or value.get("_type") == "encrypted":
        return [Rejection(Reason.SHAPE, "inside encryption: not a message", None, key, raw)]
    return _decode_object(value, raw, envelope)


def _waypoints(message: dict[str, Any], raw: bytes, envelope: Envelope) -> list[Decoded]:
    listed = message.get("waypoints")
    if not isinstance(listed, list) or len(listed) > MAX_BATCH:
        return [Rejection(Reason.SHAPE, "waypoints is no list", None, message_key(message), raw)]
    results: list[Decoded] = [
        _event(read_waypoint(item), item, orjson.dumps({"_type": "waypoint"} | item), envelope)
        for item in listed
        if isinstance(item, dict)
    ]
    return results or [Ignored.EMPTY]


def _event(
    read: Reading,
    message: dict[str, Any],
    raw: bytes,
    envelope: Envelope,
) -> DeviceEvent | Rejection:
    key = message_key(message)
    if isinstance(read, Rejection):
        return Rejection(read.reason, read.detail, read.at_s, key, raw)
    kind, body = read
    at_s: float | None = None
    # A last will carries the time of connecting, a waypoint the time it was made.
    if kind not in (EventKind.LAST_WILL, EventKind.WAYPOINT) and message.get("tst") is not None:
        timed = _fixed_s(message, envelope)
        if isinstance(timed, Rejection):
            return Rejection(timed.reason, timed.detail, timed.at_s, key, raw)
        at_s = timed[0]
    return DeviceEvent(kind, at_s, key, {n: v for n, v in body.items() if v is not None}, raw)
