"""Geosubmit version 2: what survey apps such as Tower Collector send to a location service.

Times are milliseconds, speed m/s, cell identities as in Google's geolocation requests.
"""

from collections.abc import Mapping
from typing import Any

import orjson

from geo.fix import Source
from ingest.wire import Decoded, Ignored, Reason, Rejection
from ingest.wire.draft import MAX_SPEED_MPS, Draft, canonical_key, object_at
from ingest.wire.instants import Envelope
from ingest.wire.numbers import MILLISECONDS_FROM, NotANumberError, number, within
from ingest.wire.owntracks import MAX_BATCH, MAX_BATCH_BYTES
from ingest.wire.strict_json import check_object, loads

_MAX_MS = 1e14
_MAX_AGE_MS = 30 * 86_400_000.0
_HEARD = ("cellTowers", "wifiAccessPoints")
STALE_S = 60.0
"""Older than this a position says nothing about where the cells were heard."""
_SOURCES = {"gps": Source.GPS, "fused": Source.GPS, "wifi": Source.WIFI, "cell": Source.CELL}
_SOURCES |= {"network": Source.UNKNOWN, "manual": Source.UNKNOWN}


def decode(payload: bytes, envelope: Envelope) -> list[Decoded]:
    """Decode one submission `{"items": [{timestamp, position, cellTowers, …}, …]}`.

    Returns
    -------
    One result an item, in order: a fix, or a scan for an item without a position. Never
    raises on content.
    """
    if not payload.strip():
        return [Ignored.EMPTY]
    value = loads(payload, max_bytes=MAX_BATCH_BYTES)
    if isinstance(value, Rejection):
        return [value]
    refusal = check_object(value)
    if refusal is not None:
        return [refusal]
    items = value.get("items")
    if not isinstance(items, list):
        return [Rejection(Reason.SHAPE, "items is no list")]
    if len(items) > MAX_BATCH:
        return [Rejection(Reason.SHAPE, f"{len(items)} items, at most {MAX_BATCH}")]
    results = [found for item in items for found in _read(item, envelope)]
    return results or [Ignored.EMPTY]


def members(payload: bytes) -> list[bytes]:
    """Return each item of a submission as a message of its own."""
    return [_alone(item) for item in orjson.loads(payload)["items"]]


def _alone(item: Any) -> bytes:
    return orjson.dumps({"items": [item]})


def _read(item: Any, envelope: Envelope) -> list[Decoded]:
    if not isinstance(item, dict):
        return [Rejection(Reason.SHAPE, "an item is no object", raw=_alone(item))]
    item = _without_names(item)
    position = object_at(item, "position")
    age_s = _age_s(position)
    if abs(age_s) <= STALE_S or not any(item.get(name) for name in _HEARD):
        return [_whole(item, envelope)]
    # Each half on its own: one of the two may be of off duty.
    scan = {name: value for name, value in item.items() if name != "position"}
    place = {name: value for name, value in item.items() if name not in _HEARD}
    return [_whole(place, envelope), _whole(scan, envelope)]


def _age_s(position: Mapping[str, Any]) -> float:
    """Return how much older than the item its position is; 0 when it does not say."""
    age_s, _ = within(position.get("age"), -_MAX_AGE_MS, _MAX_AGE_MS)
    return 0.0 if age_s is None else age_s / 1_000


def _whole(item: dict[str, Any], envelope: Envelope) -> Decoded:
    draft = Draft(_alone(item), canonical_key(item), envelope)
    position = object_at(item, "position")
    refusal = check_object(item) or check_object(position)
    if refusal is not None:
        return draft.rejected(refusal.reason, refusal.detail)
    age_s = _age_s(position)
    try:
        scanned_ms = number(item.get("timestamp"))
    except NotANumberError as error:
        return draft.rejected(Reason.TYPE, f"timestamp: {error}")
    if scanned_ms is None:
        return draft.rejected(Reason.TYPE, "timestamp is missing")
    if not MILLISECONDS_FROM <= scanned_ms < _MAX_MS:
        return draft.rejected(Reason.TST_UNIT, "timestamp is not in milliseconds")
    refusal = draft.take_time(scanned_ms / 1_000 - age_s, name="timestamp")
    if refusal is not None:
        return refusal
    place = draft.place(position.get("latitude"), position.get("longitude"))
    if isinstance(place, Rejection):
        return place
    for tower in _objects(item, "cellTowers", draft):
        _add(tower, draft, position_age_s=age_s)
    for point in _objects(item, "wifiAccessPoints", draft):
        draft.heard.add_access_point(
            point.get("macAddress"), signal_dbm=point.get("signalStrength")
        )
    if place is None:
        return draft.scan()
    source = position.get("source", "gps")
    return draft.fix(
        place,
        accuracy_m=draft.accuracy(position.get("accuracy")),
        altitude_m=draft.measure(position.get("altitude"), -1_000.0, 20_000.0),
        speed_mps=draft.measure(position.get("speed"), 0.0, MAX_SPEED_MPS, negative=True),
        course_deg=draft.measure(position.get("heading"), 0.0, 360.0, negative=True),
        source=_SOURCES.get(source, Source.UNKNOWN) if type(source) is str else Source.UNKNOWN,
    )


def _without_names(item: dict[str, Any]) -> dict[str, Any]:
    """Return the item without names of networks and without beacons: nobody may keep them."""
    item = {name: value for name, value in item.items() if name != "bluetoothBeacons"}
    points = item.get("wifiAccessPoints")
    if isinstance(points, list):
        item["wifiAccessPoints"] = [
            {name: value for name, value in point.items() if name != "ssid"}
            for point in points
            if isinstance(point, dict) and not _opted_out(point.get("ssid"))
        ]
    return item


def _opted_out(name: Any) -> bool:
    return type(name) is str and name.casefold().endswith("_nomap")


def _objects(item: Mapping[str, Any], name: str, draft: Draft) -> list[dict[str, Any]]:
    listed = item.get(name)
    if listed is None:
        return []
    if not isinstance(listed, list):
        draft.heard.drop("malformed")
        return []
    found = [entry for entry in listed if isinstance(entry, dict)]
    for _ in range(len(listed) - len(found)):
        draft.heard.drop("malformed")
    return found


def _add(tower: Mapping[str, Any], draft: Draft, *, position_age_s: float) -> None:
    radio = tower.get("radioType")
    age_s = draft.measure(tower.get("age"), -86_400.0, 86_400.0, scale=1e-3)
    serving = tower.get("serving")
    draft.heard.add_cell(
        radio if type(radio) is str and radio else None,
        mcc=tower.get("mobileCountryCode"),
        mnc=tower.get("mobileNetworkCode"),
        area=tower.get("locationAreaCode"),
        cell=tower.get("cellId", tower.get("newRadioCellId")),
        signal_dbm=tower.get("signalStrength"),
        timing_advance=tower.get("timingAdvance"),
        serving=bool(serving) if type(serving) in (bool, int) else None,
        unit=tower.get("primaryScramblingCode", tower.get("psc")),
        # Both ages count back from the item's time.
        age_s=None if age_s is None else round(age_s - position_age_s, 3),
    )
