"""Network Survey for Android over MQTT: one record a message, the records of a scan together.

Each record tells one cell, serving or neighbour, with the phone's own position. Records of one
scan carry one `groupNumber` and one time; what they have in common is their key, so that they
make one fix, with all cells beside it.

Of the format: numbers without a wrapper are 0 when unset, so accuracy 0 and speed 0 are
unknown and a position of exactly 0, 0 is none; `nci` is text, because JSON numbers of others
end at 2^53; `heading` is where the phone points, not where it goes; `locationAge` says how
much older than the scan the position is.
"""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import orjson

from ingest.wire import (
    Decoded,
    DeviceEvent,
    EventKind,
    Ignored,
    RadioScan,
    Reason,
    Rejection,
    WireFix,
)
from ingest.wire.cells import UNAVAILABLE, Surroundings
from ingest.wire.draft import MAX_SPEED_MPS, Draft, canonical_key, object_at
from ingest.wire.instants import Envelope, iso_seconds
from ingest.wire.numbers import NotANumberError
from ingest.wire.owntracks import MAX_BATCH, MAX_BATCH_BYTES, MAX_OBJECT_BYTES
from ingest.wire.strict_json import check_object, loads

STALE_S = 60.0
"""Older than this a position says nothing about where the cells were heard."""
_MAX_LOCATION_AGE_S = 30 * 86_400.0
_IGNORED = frozenset(
    {
        "WifiBeaconRecord", "WifiProbeRequestRecord", "WifiDeauthenticationRecord",
        "WifiOtaRecord", "BluetoothRecord", "GnssRecord", "EnergyDetection", "SignalDetection",
        "GsmSignaling", "UmtsNas", "WcdmaRrc", "LteRrc", "LteNas",
    }
)  # fmt: skip
"""Surveys of other people's devices and of raw signalling: none of our business to keep."""
# radio → names of area, cell, signal, unit
_FIELDS: dict[str, tuple[str, str, tuple[str, ...], str]] = {
    "gsm": ("lac", "ci", ("signalStrength",), ""),
    "umts": ("lac", "cid", ("rscp", "signalStrength"), "psc"),
    "lte": ("tac", "eci", ("rsrp", "signalStrength"), "pci"),
    "nr": ("tac", "nci", ("ssRsrp", "csiRsrp"), "pci"),
    "cdma": ("nid", "bsid", ("signalStrength",), ""),
}
_RECORDS = {f"{radio.capitalize()}Record": radio for radio in _FIELDS}
_IDENTITIES = {f"cellIdentity{radio.capitalize()}": radio for radio in _FIELDS}
_OMITS_MNC_0 = 460
"""The app leaves out an MNC of 0, as it does unknown ones; in China that is China Mobile's."""
_MAX_REGISTRATIONS = 16
_ABOUT_BOTH = frozenset({"deviceTime", "deviceSerialNumber"})
_ABOUT_PLACE = _ABOUT_BOTH | {
    "latitude", "longitude", "altitude", "accuracy", "speed", "locationAge", "mock"
}  # fmt: skip


def decode(payload: bytes, envelope: Envelope) -> list[Decoded]:
    """Decode one record, or an array of them as saved to a file.

    Returns
    -------
    A fix, a scan, an event, or a rejection a record; records of one scan in an array are put
    together. Never raises on content.
    """
    if not payload.strip():
        return [Ignored.EMPTY]
    value = loads(payload, max_bytes=MAX_BATCH_BYTES)
    if isinstance(value, Rejection):
        return [value]
    if not isinstance(value, list):
        if len(payload) > MAX_OBJECT_BYTES:
            return [Rejection(Reason.SIZE, f"{len(payload)} bytes, at most {MAX_OBJECT_BYTES}")]
        return _read(value, payload, envelope)
    if not 0 < len(value) <= MAX_BATCH:
        return [Rejection(Reason.SHAPE, f"{len(value)} records in one, 1 to {MAX_BATCH}")]
    results = [found for item in value for found in _read(item, orjson.dumps(item), envelope)]
    return _together(results)


def members(payload: bytes) -> list[bytes]:
    """Return each record of an array as a message of its own; itself when it is none."""
    value = orjson.loads(payload)
    return [orjson.dumps(item) for item in value] if isinstance(value, list) else [payload]


def _read(message: Any, raw: bytes, envelope: Envelope) -> list[Decoded]:
    refusal = check_object(message)
    if refusal is not None:
        return [Rejection(refusal.reason, refusal.detail, raw=raw)]
    kind = message.get("messageType")
    draft = Draft(raw, canonical_key(message), envelope)
    if type(kind) is not str:
        return [draft.rejected(Reason.TYPE_UNKNOWN, "no messageType")]
    if kind in _IGNORED:
        return [Ignored.SURVEY]
    reader = _READERS.get(kind)
    if reader is None:
        return [
            draft.rejected(Reason.TYPE_UNKNOWN, f"unknown messageType of {len(kind)} characters")
        ]
    data = message.get("data")
    refusal = check_object(data)
    if refusal is not None:
        return [draft.rejected(refusal.reason, f"data: {refusal.detail}")]
    told = data.get("deviceTime")
    if type(told) is not str:
        return [draft.rejected(Reason.TYPE, "deviceTime is no text")]
    try:
        scanned_s = iso_seconds(told)
    except NotANumberError as error:
        return [draft.rejected(Reason.TYPE, f"deviceTime: {error}")]
    refusal = draft.take_time(scanned_s, name="deviceTime")
    if refusal is not None:
        return [refusal]
    draft.take_claim(data.get("deviceSerialNumber"))
    return reader(kind, data, draft)


def _survey(kind: str, data: Mapping[str, Any], draft: Draft) -> list[Decoded]:
    _add(draft.heard, _RECORDS[kind], data, serving=data.get("servingCell"))
    return _placed(data, draft)


def _phone_state(_kind: str, data: Mapping[str, Any], draft: Draft) -> list[Decoded]:
    listed = data.get("networkRegistrationInfo")
    for entry in listed[:_MAX_REGISTRATIONS] if isinstance(listed, list) else ():
        for name, radio in _IDENTITIES.items():
            identity = object_at(entry, name) if isinstance(entry, dict) else {}
            if identity:
                _add(draft.heard, radio, identity, serving=True)
    heard = draft.heard
    if not (heard.cells or heard.dropped) and not _has_place(data):
        return [_event(draft, {"registered": False})]
    return _placed(data, draft)


def _device_status(_kind: str, data: Mapping[str, Any], draft: Draft) -> list[Decoded]:
    battery_pct = draft.measure(data.get("batteryLevelPercent"), 0.0, 100.0)
    if not _has_place(data):
        return [_event(draft, {} if battery_pct is None else {"battery_pct": round(battery_pct)})]
    return _placed(data, draft, battery_pct=battery_pct)


_READERS: dict[str, Callable[[str, Mapping[str, Any], Draft], list[Decoded]]] = {
    **dict.fromkeys(_RECORDS, _survey),
    "PhoneState": _phone_state,
    "DeviceStatus": _device_status,
}


def _event(draft: Draft, body: dict[str, Any]) -> DeviceEvent:
    return DeviceEvent(EventKind.STATUS, draft.fixed_s, draft.key, body, draft.raw)


def _has_place(data: Mapping[str, Any]) -> bool:
    return not (_is_unset(data.get("latitude")) and _is_unset(data.get("longitude")))


def _is_unset(value: Any) -> bool:
    return value is None or (type(value) in (int, float) and value == 0)


def _placed(
    data: Mapping[str, Any], draft: Draft, *, battery_pct: float | None = None
) -> list[Decoded]:
    found = draft.place(data.get("latitude"), data.get("longitude")) if _has_place(data) else None
    if isinstance(found, Rejection):
        return [found]
    age_s = draft.measure(data.get("locationAge"), 0.0, _MAX_LOCATION_AGE_S, scale=1e-3) or 0.0
    if found is None:
        draft.key = _key_of_scan(data, draft)
        return [draft.scan(battery_pct=battery_pct)]
    if age_s > STALE_S:
        return _apart(data, found, draft, age_s)
    draft.fixed_s = round(draft.fixed_s - age_s, 3)
    shared = _scan_of(data, draft)
    return [_fix(data, found, draft, shared=shared, battery_pct=battery_pct)]


def _apart(
    data: Mapping[str, Any], place: tuple[float, float], draft: Draft, age_s: float
) -> list[Decoded]:
    """Return a position under its own time, and the cells heard long after without it.

    Each keeps only its own half of the message: one of the two may be of off duty.
    """
    old = Draft(_part_of(draft.raw, lambda name: name in _ABOUT_PLACE), 0, draft.envelope)
    old.claimed = draft.claimed
    # Each scan brings it again, with an age that differs by milliseconds.
    old.fixed_s = float(round(draft.fixed_s - age_s))
    results: list[Decoded] = [_fix(data, place, old, shared=[old.fixed_s])]
    if draft.heard.cells:
        draft.key = _key_of_scan(data, draft)
        draft.raw = _part_of(draft.raw, lambda name: name not in _ABOUT_PLACE - _ABOUT_BOTH)
        results.append(draft.scan())
    return results


def _part_of(raw: bytes, is_kept: Callable[[str], bool]) -> bytes:
    message = orjson.loads(raw)
    data = {name: value for name, value in message["data"].items() if is_kept(name)}
    return orjson.dumps(message | {"data": data})


def _fix(
    data: Mapping[str, Any],
    place: tuple[float, float],
    draft: Draft,
    *,
    shared: list[Any] | None,
    battery_pct: float | None = None,
) -> WireFix:
    """Return the position; its key is made of `shared` and its own content, if that is given."""
    accuracy_m = draft.accuracy(data.get("accuracy"))
    altitude_m = draft.measure(data.get("altitude"), -1_000.0, 20_000.0)
    speed_mps = draft.measure(data.get("speed"), 0.0, MAX_SPEED_MPS, negative=True) or None
    if shared is not None:
        draft.key = canonical_key([*shared, *place, accuracy_m, altitude_m, speed_mps])
    mock = data.get("mock")
    return draft.fix(
        place,
        accuracy_m=accuracy_m,
        altitude_m=altitude_m,
        speed_mps=speed_mps,
        battery_pct=battery_pct,
        mock=mock if isinstance(mock, bool) else None,
    )


def _key_of_scan(data: Mapping[str, Any], draft: Draft) -> int:
    shared = _scan_of(data, draft)
    return draft.key if shared is None else canonical_key(shared)


def _scan_of(data: Mapping[str, Any], draft: Draft) -> list[Any] | None:
    """Return what names a scan in all of its records; None when it has one record only."""
    group = data.get("groupNumber")
    if type(group) is not int:
        return None
    mission = data.get("missionId")
    return [mission if isinstance(mission, str) else None, group, draft.fixed_s]


def _add(heard: Surroundings, radio: str, fields: Mapping[str, Any], *, serving: Any) -> None:
    area, cell, signals, unit = _FIELDS[radio]
    signal = next((fields[name] for name in signals if fields.get(name) is not None), None)
    mcc, mnc = fields.get("mcc"), fields.get("mnc")
    if radio == "cdma":
        mnc = fields.get("sid")
    elif mcc == _OMITS_MNC_0 and mnc is None and fields.get(cell) not in (None, *UNAVAILABLE):
        mnc = 0
    heard.add_cell(
        radio,
        mcc=mcc,
        mnc=mnc,
        area=fields.get(area),
        cell=fields.get(cell),
        signal_dbm=signal,
        timing_advance=fields.get("ta"),
        serving=serving,
        unit=fields.get(unit),
    )


def _together(results: list[Decoded]) -> list[Decoded]:
    """Put the cells of fixes and scans with one key into the first of them."""
    ordered: dict[Any, Decoded] = {}
    for no, result in enumerate(results):
        name = (result.key, type(result)) if isinstance(result, (WireFix, RadioScan)) else no
        known = ordered.get(name)
        if isinstance(known, (WireFix, RadioScan)) and isinstance(result, (WireFix, RadioScan)):
            cells = dict.fromkeys((*known.cells, *result.cells))
            ordered[name] = msgspec.structs.replace(
                known, cells=tuple(cells), dropped=(*known.dropped, *result.dropped)
            )
        else:
            ordered[name] = result
    return list(ordered.values())
