"""JSON of Traccar clients: version 9, nested, in m/s; and the flat batches of version 10."""

from collections.abc import Callable, Mapping
from typing import Any

import orjson

from ingest.wire import Decoded, Reason, Rejection
from ingest.wire.draft import MAX_SPEED_MPS, Draft, canonical_key, object_at
from ingest.wire.instants import Envelope, iso_seconds
from ingest.wire.numbers import NotANumberError
from ingest.wire.owntracks import MAX_BATCH, MAX_BATCH_BYTES, MAX_OBJECT_BYTES
from ingest.wire.strict_json import check_object, loads

_MAX_TEXT = 100
FlatReader = Callable[[Mapping[str, Any], Draft], Decoded]


def is_json(payload: bytes) -> bool:
    """Whether a message is JSON rather than a query."""
    return payload.lstrip()[:1] in (b"{", b"[")


def decode_json(payload: bytes, envelope: Envelope, read_flat: FlatReader) -> list[Decoded]:
    """Decode a JSON message: one object, or an array of up to 500 of them.

    Parameters
    ----------
    read_flat : reads an object whose members are the OsmAnd protocol's parameters.

    Returns
    -------
    One result a position. Never raises on content.
    """
    value = loads(payload, max_bytes=MAX_BATCH_BYTES)
    if isinstance(value, Rejection):
        return [value]
    if isinstance(value, list):
        items = value
    elif isinstance(value, dict) and isinstance(value.get("location"), list):
        items = [{**value, "location": item} for item in value["location"]]
    else:
        if len(payload) > MAX_OBJECT_BYTES:
            return [Rejection(Reason.SIZE, f"{len(payload)} bytes, at most {MAX_OBJECT_BYTES}")]
        return [_read(value, payload, envelope, read_flat)]
    if not 0 < len(items) <= MAX_BATCH:
        return [Rejection(Reason.SHAPE, f"{len(items)} positions in one, 1 to {MAX_BATCH}")]
    return [_read(item, orjson.dumps(item), envelope, read_flat) for item in items]


def members(payload: bytes) -> list[bytes]:
    """Return each position of a batch as a message of its own; itself when it is none."""
    value = orjson.loads(payload)
    if isinstance(value, dict) and isinstance(value.get("location"), list):
        value = [{**value, "location": item} for item in value["location"]]
    return [orjson.dumps(item) for item in value] if isinstance(value, list) else [payload]


def _read(value: Any, raw: bytes, envelope: Envelope, read_flat: FlatReader) -> Decoded:
    refusal = check_object(value)
    if refusal is not None:
        return Rejection(refusal.reason, refusal.detail, raw=raw)
    draft = Draft(raw, canonical_key(value), envelope)
    location = value.get("location")
    if not isinstance(location, dict):
        return read_flat(value, draft)
    refusal = check_object(location)
    if refusal is not None:
        return draft.rejected(refusal.reason, refusal.detail)
    return _read_nested(location, value.get("device_id"), draft)


def _read_nested(location: Mapping[str, Any], device: Any, draft: Draft) -> Decoded:
    told = location.get("timestamp")
    if type(told) is not str:
        return draft.rejected(Reason.TYPE, "timestamp is no text")
    try:
        at_s = iso_seconds(told)
    except NotANumberError as error:
        return draft.rejected(Reason.TYPE, f"timestamp: {error}")
    refusal = draft.take_time(at_s, name="timestamp")
    if refusal is not None:
        return refusal
    draft.take_claim(device, is_ours=True)
    coords = object_at(location, "coords")
    place = draft.place(coords.get("latitude"), coords.get("longitude"))
    if place is None:
        return draft.rejected(Reason.TYPE, "latitude or longitude is missing")
    if isinstance(place, Rejection):
        return place
    _note_extras(location, draft)
    battery = object_at(location, "battery")
    return draft.fix(
        place,
        accuracy_m=draft.accuracy(coords.get("accuracy")),
        altitude_m=draft.measure(coords.get("altitude"), -1_000.0, 20_000.0),
        speed_mps=draft.measure(coords.get("speed"), 0.0, MAX_SPEED_MPS, negative=True),
        course_deg=draft.measure(coords.get("heading"), 0.0, 360.0, negative=True),
        battery_pct=draft.measure(battery.get("level"), 0.0, 100.0, scale=100.0, negative=True),
        charging=draft.truth(battery.get("is_charging")),
        # The library under this client names a mock position and says nothing otherwise.
        mock=draft.truth(location.get("mock", False)),
    )


def _note_extras(location: Mapping[str, Any], draft: Draft) -> None:
    activity = object_at(location, "activity").get("type")
    event = location.get("event")
    odometer_m = location.get("odometer")
    moving = location.get("is_moving")
    found = {
        "activity": activity[:_MAX_TEXT] if isinstance(activity, str) else None,
        "event": event[:_MAX_TEXT] if isinstance(event, str) else None,
        "is_moving": moving if isinstance(moving, bool) else None,
        "odometer_m": odometer_m if type(odometer_m) in (int, float) else None,
    }
    draft.extras |= {name: value for name, value in found.items() if value is not None}
