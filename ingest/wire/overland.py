"""Overland for iOS: batches of GeoJSON features, in metres and m/s, negative is unknown."""

from collections.abc import Mapping
from typing import Any

import orjson

from ingest.wire import Decoded, Ignored, Reason, Rejection
from ingest.wire.draft import MAX_SPEED_MPS, Draft, canonical_key, object_at
from ingest.wire.instants import Envelope, iso_seconds
from ingest.wire.numbers import NotANumberError
from ingest.wire.owntracks import MAX_BATCH_BYTES
from ingest.wire.strict_json import check_object, loads

MAX_LOCATIONS = 2_000
"""Twice what the app can be set to send at once."""
_CHARGING = {"charging": True, "full": True, "unplugged": False}
_COORDINATES = (2, 3)
_MAX_MOTIONS = 8
_MAX_TEXT = 40


def decode(payload: bytes, envelope: Envelope) -> list[Decoded]:
    """Decode one batch `{"locations": [Feature, …]}`.

    Parameters
    ----------
    payload : JSON; what `current` and `trip` beside the locations say is not read.
    envelope : receipt time and the device's facts.

    Returns
    -------
    One result a location, in order; never raises on content.
    """
    if not payload.strip():
        return [Ignored.EMPTY]
    value = loads(payload, max_bytes=MAX_BATCH_BYTES)
    if isinstance(value, Rejection):
        return [value]
    refusal = check_object(value)
    if refusal is not None:
        return [refusal]
    features = value.get("locations")
    if not isinstance(features, list):
        return [Rejection(Reason.SHAPE, "locations is no list")]
    if len(features) > MAX_LOCATIONS:
        return [Rejection(Reason.SHAPE, f"{len(features)} locations, at most {MAX_LOCATIONS}")]
    return [_read(feature, envelope) for feature in features] or [Ignored.EMPTY]


def members(payload: bytes) -> list[bytes]:
    """Return each location of a batch as a message of its own."""
    return [_alone(feature) for feature in orjson.loads(payload)["locations"]]


def _alone(feature: Any) -> bytes:
    return orjson.dumps({"locations": [feature]})


def _read(feature: Any, envelope: Envelope) -> Decoded:
    if not isinstance(feature, dict) or not isinstance(feature.get("properties"), dict):
        return Rejection(Reason.SHAPE, "a location is no feature", raw=_alone(feature))
    properties = feature["properties"]
    name = properties.get("wifi")
    if type(name) is str and name.casefold().endswith("_nomap"):
        properties = {key: value for key, value in properties.items() if key != "wifi"}
        feature = feature | {"properties": properties}
    draft = Draft(_alone(feature), canonical_key(feature), envelope)
    refusal = check_object(feature) or check_object(properties)
    if refusal is not None:
        return draft.rejected(refusal.reason, refusal.detail)
    told = properties.get("timestamp")
    if type(told) is not str:
        # A trip's own times and end points say nothing that its locations do not.
        if properties.get("type") == "trip":
            return Ignored.SUMMARY
        return draft.rejected(Reason.TYPE, "timestamp is no text")
    try:
        refusal = draft.take_time(iso_seconds(told), name="timestamp")
    except NotANumberError as error:
        return draft.rejected(Reason.TYPE, f"timestamp: {error}")
    if refusal is not None:
        return refusal
    return _fix(feature, properties, draft)


def _fix(feature: Mapping[str, Any], properties: Mapping[str, Any], draft: Draft) -> Decoded:
    geometry = object_at(feature, "geometry")
    at = geometry.get("coordinates")
    if geometry.get("type") != "Point" or not isinstance(at, list) or len(at) not in _COORDINATES:
        return draft.rejected(Reason.SHAPE, "the geometry is no point")
    place = draft.place(at[1], at[0])
    if place is None:
        return draft.rejected(Reason.TYPE, "latitude or longitude is missing")
    if isinstance(place, Rejection):
        return place
    draft.take_claim(properties.get("device_id") or properties.get("unique_id"))
    motion = properties.get("motion")
    if isinstance(motion, list):
        words = [word[:_MAX_TEXT] for word in motion[:_MAX_MOTIONS] if isinstance(word, str)]
        draft.extras["motion"] = words
    altitude_m = draft.measure(properties.get("altitude"), -1_000.0, 20_000.0)
    # iOS calls a height invalid by a negative accuracy of it.
    vertical_m = draft.measure(properties.get("vertical_accuracy", 0), -1e6, 1e6)
    state = properties.get("battery_state")
    return draft.fix(
        place,
        accuracy_m=draft.accuracy(properties.get("horizontal_accuracy")),
        altitude_m=altitude_m if vertical_m is not None and vertical_m >= 0 else None,
        speed_mps=draft.measure(properties.get("speed"), 0.0, MAX_SPEED_MPS, negative=True),
        course_deg=draft.measure(properties.get("course"), 0.0, 360.0, negative=True),
        battery_pct=draft.measure(
            properties.get("battery_level"), 0.0, 100.0, scale=100.0, negative=True
        ),
        charging=_CHARGING.get(state) if isinstance(state, str) else None,
    )
