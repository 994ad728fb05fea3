"""Messages as clients other than OwnTracks write them, good ones and each way to spoil them."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from geo.fix import to_epoch_s

FORMATS = ("osmand-query", "osmand-json", "overland", "geosubmit", "network-survey")


@dataclass(frozen=True, slots=True)
class Spoilt:
    """One message that cannot be stored, and the reason it has to be quarantined for."""

    name: str
    payload: bytes
    reason: str


def reader_of(name: str) -> str:
    """The decoder of one of `FORMATS`."""
    return "osmand" if name.startswith("osmand") else name


def message(name: str, at: datetime, *, lat: float = 31.23, lon: float = 121.47) -> Any:
    """A good message as a value: parameters for the query, JSON for the others."""
    iso = at.isoformat(timespec="seconds").replace("+00:00", "Z")
    if name == "osmand-query":
        return {
            "id": "tracker-7",
            "timestamp": int(at.timestamp()),
            "lat": lat,
            "lon": lon,
            "speed": 10,
            "accuracy": 12.5,
            "batt": 55.0,
            "charge": "true",
            "cell": "460,01,9763,21569,-71",
        }
    if name == "osmand-json":
        coords = {"latitude": lat, "longitude": lon, "accuracy": 12.5, "speed": 1.5}
        battery = {"level": 0.55, "is_charging": False}
        return {
            "location": {"timestamp": iso, "coords": coords, "battery": battery, "mock": False},
            "device_id": "tracker-7",
        }
    if name == "overland":
        properties = {"timestamp": iso, "horizontal_accuracy": 12, "battery_level": 0.55}
        geometry = {"type": "Point", "coordinates": [lon, lat]}
        feature = {"type": "Feature", "geometry": geometry, "properties": properties}
        return {"locations": [feature]}
    if name == "geosubmit":
        tower = {"radioType": "lte", "mobileCountryCode": 460, "mobileNetworkCode": 0}
        tower |= {"locationAreaCode": 9763, "cellId": 21569537, "signalStrength": -95}
        position = {"latitude": lat, "longitude": lon, "accuracy": 12.5, "source": "gps"}
        item = {"timestamp": int(to_epoch_s(at) * 1000), "position": position}
        return {"items": [item | {"cellTowers": [tower]}]}
    data = {"deviceSerialNumber": "1234", "deviceTime": iso, "latitude": lat, "longitude": lon}
    data |= {"accuracy": 12, "missionId": "m", "recordNumber": 1, "groupNumber": 1}
    data |= {"mcc": 460, "mnc": 11, "tac": 9763, "eci": 21569537, "pci": 77, "rsrp": -95.5}
    return {"version": "1.2.0", "messageType": "LteRecord", "data": data | {"servingCell": True}}


def encoded(name: str, value: Any) -> bytes:
    """The bytes of a message."""
    if name == "osmand-query":
        return urlencode(value, doseq=True).encode()
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


_PLACES: dict[str, tuple[tuple[Any, ...], Any, Any]] = {
    # where the record is, and what latitude and longitude are called in it
    "osmand-query": ((), "lat", "lon"),
    "osmand-json": (("location", "coords"), "latitude", "longitude"),
    "overland": (("locations", 0, "geometry", "coordinates"), 1, 0),
    "geosubmit": (("items", 0, "position"), "latitude", "longitude"),
    "network-survey": (("data",), "latitude", "longitude"),
}
_TIMES: dict[str, tuple[Any, ...]] = {
    "osmand-query": ("timestamp",),
    "osmand-json": ("location", "timestamp"),
    "overland": ("locations", 0, "properties", "timestamp"),
    "geosubmit": ("items", 0, "timestamp"),
    "network-survey": ("data", "deviceTime"),
}


def spoilt(name: str, at: datetime) -> list[Spoilt]:
    """Every way of spoiling a message of one format, with the reason for each."""
    values = [*_wrong_places(name), *_wrong_times(name, at)]
    found = [
        Spoilt(f"{name}: {what}", encoded(name, _with(message(name, at), path, value)), reason)
        for what, path, value, reason in values
    ]
    swapped = encoded(name, message(name, at, lat=121.47, lon=31.23))
    found.append(Spoilt(f"{name}: latitude and longitude swapped", swapped, "range"))
    good = encoded(name, message(name, at))
    if name in ("osmand-json", "network-survey"):
        large = good[:-1] + b',"x":"' + b"y" * 17_000 + b'"}'
        found.append(Spoilt(f"{name}: too large for one", large, "size"))
    bytewise = _wrong_query(good, at) if name == "osmand-query" else _wrong_json(good)
    return found + [Spoilt(f"{name}: {what}", payload, why) for what, payload, why in bytewise]


def _with(whole: Any, path: tuple[Any, ...], value: Any) -> Any:
    holder = whole
    for step in path[:-1]:
        holder = holder[step]
    holder[path[-1]] = value
    return whole


_Change = tuple[str, tuple[Any, ...], Any, str]


def _wrong_places(name: str) -> list[_Change]:
    path, lat, lon = _PLACES[name]
    junk: list[Any] = ["abc", "", "1,5", "NaN", "0x1f", "١٢"]
    junk += [] if name == "osmand-query" else [True, [31.23], {"v": 1}, "1_0"]
    outside = ((lat, 90.01), (lat, -91), (lon, 180.5), (lon, 1e300), (lat, 1e17))
    return [
        *((f"latitude {value!r}", (*path, lat), value, "type") for value in junk),
        *((f"coordinate {value}", (*path, key), value, "range") for key, value in outside),
    ]


def _wrong_times(name: str, at: datetime) -> list[_Change]:
    path = _TIMES[name]
    second = at.timestamp()
    changes: list[_Change] = []
    if name in ("osmand-query", "geosubmit"):
        scale = 1 if name == "osmand-query" else 1000
        changes.append(("microseconds", path, int(second * 1e6), "tst_unit"))
        for what, told, reason in (
            ("a day ahead", second + 86_400, "tst_future"),
            ("weeks of GPS", second - 1024 * 604_800, "gps_rollover"),
            ("long ago", second - 4_000 * 86_400, "tst_past"),
        ):
            changes.append((what, path, int(told * scale), reason))
    else:
        ahead = at.replace(year=at.year + 1).isoformat().replace("+00:00", "Z")
        changes.append(("a year ahead", path, ahead, "tst_future"))
        changes.append(("long ago", path, "2011-01-01T00:00:00Z", "tst_past"))
    wrong: list[Any] = ["yesterday", "2026-15-06T10:00:00Z", "2026-02-30T10:00:00Z"]
    wrong += ["2026-11-18T10:00:00", "2026-11-18T23:59:60Z", "20261118T100000Z"]
    wrong += [] if name == "osmand-query" else [None, True, [1], {}]
    return changes + [(f"time {value!r}", path, value, "type") for value in wrong]


def _wrong_query(good: bytes, at: datetime) -> list[tuple[str, bytes, str]]:
    return [
        ("given twice", good + b"&lat=31.23", "dup_key"),
        ("no value", good + b"&lo", "shape"),
        ("control character", good + b"&x=a%00b", "text"),
        ("escape", good + b"&x=a%1bb", "text"),
        ("bad encoding", good + b"&x=%ff%fe", "text"),
        ("many", b"&".join([good, *(b"p%d=1" % no for no in range(70))]), "keys"),
        ("long name", good + b"&" + b"n" * 70 + b"=1", "keys"),
        ("huge", good + b"&x=" + b"y" * 17_000, "size"),
        ("no position", b"id=1&timestamp=%d" % int(at.timestamp()), "type"),
    ]


def _wrong_json(good: bytes) -> list[tuple[str, bytes, str]]:
    twice = good.replace(b'"timestamp"', b'"timestamp":1,"timestamp"', 1)
    twice = twice.replace(b'"deviceTime"', b'"deviceTime":1,"deviceTime"', 1)
    many = b"".join(b',"k%d":1' % no for no in range(70))
    return [
        ("cut off", good[:-5], "json"),
        ("cut in the middle", good[: len(good) // 2], "json"),
        ("trailing", good + b"}", "json"),
        ("NaN", good.replace(b"31.23", b"NaN"), "json"),
        ("huge number", good.replace(b"31.23", b"1" * 400), "json"),
        ("bad UTF-8", good[:-1] + b',"x":"\xff"}', "json"),
        ("lone surrogate", good[:-1] + b',"x":"\\ud800"}', "text"),
        ("NUL", good[:-1] + b',"x":"a\\u0000b"}', "text"),
        ("raw control character", good[:-1] + b',"x":"a\x01b"}', "json"),
        ("given twice", twice, "dup_key"),
        ("deep", good[:-1] + b',"x":' + b"[" * 20 + b"]" * 20 + b"}", "depth"),
        ("many keys", good[:-1] + many + b"}", "keys"),
        ("a number", b"7", "shape"),
    ]
