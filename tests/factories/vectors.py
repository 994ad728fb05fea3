"""The shared messages of real clients, and every way to spoil each of them.

A way to spoil is systematic: each part that a position cannot do without is left out, made
null, of another kind or impossible; each key stands twice; the bytes are cut, recoded, or
carry what storage cannot hold. Times are moved to one instant, so that doors take the rest.
"""

import copy
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

FOLDER: Final = Path(__file__).resolve().parents[3] / "shared" / "data" / "protocols"
_PATHS: Final[dict[str, tuple[tuple[Any, ...], tuple[Any, ...], tuple[Any, ...]]]] = {
    # what is told where: latitude, longitude, time
    "osmand-query": (("lat",), ("lon",), ("timestamp",)),
    "osmand-json": (
        ("location", "coords", "latitude"),
        ("location", "coords", "longitude"),
        ("location", "timestamp"),
    ),
    "overland": (
        ("locations", 0, "geometry", "coordinates", 1),
        ("locations", 0, "geometry", "coordinates", 0),
        ("locations", 0, "properties", "timestamp"),
    ),
    "geosubmit": (
        ("items", 0, "position", "latitude"),
        ("items", 0, "position", "longitude"),
        ("items", 0, "timestamp"),
    ),
    "network-survey": (("data", "latitude"), ("data", "longitude"), ("data", "deviceTime")),
    "owntracks": (("lat",), ("lon",), ("tst",)),
}
_NO_PLACE: Final = ("type", "shape", "range")
_NO_TIME: Final = ("type", "shape")
_MS: Final = 1_000


@dataclass(frozen=True, slots=True)
class Vector:
    """One shared message with a position, as a value; its time is the caller's."""

    name: str
    kind: str
    """One of the formats, with queries and JSON of the OsmAnd protocol apart."""
    value: Any

    @property
    def reader(self) -> str:
        """The decoder it is for."""
        return "osmand" if self.kind.startswith("osmand") else self.kind

    def encoded(self) -> bytes:
        """The bytes that a client would send."""
        return encode(self.kind, self.value)


@dataclass(frozen=True, slots=True)
class Malformed:
    """One spoilt message, and the reasons of which it has to have one."""

    name: str
    payload: bytes
    reasons: tuple[str, ...]


def vectors(at: datetime) -> Iterator[Vector]:
    """Every shared message that holds a position, as if it were written at an instant."""
    osmand = _read("osmand_traccar.json")
    for no, vector in enumerate(osmand["query"]):
        query = vector["url"].partition("?")[2]
        pairs = [part.split("=", 1) for part in query.split("&")]
        value: dict[str, Any] = {}
        for name, text in pairs:
            value.setdefault(name, []).append(text.replace("%3A", ":").replace("+", " "))
        flat = {name: told if len(told) > 1 else told[0] for name, told in value.items()}
        if "lat" in flat:
            yield _timed(Vector(f"query {no}", "osmand-query", flat), at)
    for no, vector in enumerate(osmand["json_traccar_client_9"]):
        yield _timed(Vector(f"traccar 9 {no}", "osmand-json", vector["body"]), at)
    yield _timed(Vector("overland", "overland", _read("overland.json")["request"]), at)
    for vector in _read("network_survey_mqtt.json")["messages"]:
        yield _timed(Vector(vector["messageType"], "network-survey", vector), at)
    yield _timed(Vector("geosubmit", "geosubmit", _read("ichnaea.json")["geosubmit_v2"]), at)
    owntracks = _read("owntracks.json")
    for no, vector in enumerate([*owntracks["location"], *owntracks["other"]]):
        body = vector["body"]
        if isinstance(body, dict) and body.get("_type") == "location":
            yield _timed(Vector(f"owntracks {no}", "owntracks", body), at)


def malformed(vector: Vector) -> Iterator[Malformed]:
    """Every way to spoil a message so that it holds no position any more."""
    lat, lon, time = _PATHS[vector.kind]
    for path, outside in ((lat, (90.5, -91, 1e300)), (lon, (180.5, -181, 1e300))):
        yield from _replaced(vector, path, _wrong_kinds(vector.kind), _NO_PLACE)
        yield from _replaced(vector, path, outside, ("range",))
        yield from _removed(vector, path, _NO_PLACE)
    times = ["yesterday", "2026-13-01T00:00:00Z", "2026-02-30T10:00:00Z", "2026-11-18T10:00:00"]
    yield from _replaced(vector, time, [*times, *_wrong_kinds(vector.kind)], _NO_TIME)
    if vector.kind not in ("osmand-query", "owntracks", "geosubmit"):
        # Those three are filed under their time of receipt, marked, when they tell none.
        yield from _removed(vector, time, _NO_TIME)
    whole = vector.encoded()
    if vector.kind == "osmand-query":
        yield from _bytewise_query(vector, whole)
    else:
        yield from _bytewise_json(vector, whole)


def encode(kind: str, value: Any) -> bytes:
    """Return the bytes of a message."""
    if kind == "osmand-query":
        return urlencode(value, doseq=True).encode()
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def _wrong_kinds(kind: str) -> list[Any]:
    texts: list[Any] = ["abc", "NaN", "1e999", "0x1f", "1,5", "١٢"]
    return texts if kind == "osmand-query" else [*texts, True, [1], {"v": 1}]


def _replaced(
    vector: Vector, path: tuple[Any, ...], values: Any, reasons: tuple[str, ...]
) -> Iterator[Malformed]:
    for value in values:
        spoilt = copy.deepcopy(vector.value)
        _holder(spoilt, path)[path[-1]] = value
        yield Malformed(
            f"{vector.name}: {path[-1]} is {value!r}", encode(vector.kind, spoilt), reasons
        )


def _removed(
    vector: Vector, path: tuple[Any, ...], reasons: tuple[str, ...]
) -> Iterator[Malformed]:
    """Leave a part out, and with it each of the things it stands in."""
    for depth in range(len(path), 0, -1):
        spoilt = copy.deepcopy(vector.value)
        holder = _holder(spoilt, path[:depth])
        if not (isinstance(holder, list) and len(holder) == 1):
            del holder[path[depth - 1]]
            # A place may be left out where cells were heard, and where a status is told.
            if _holds_no_position(vector, spoilt):
                yield Malformed(
                    f"{vector.name}: no {path[depth - 1]}", encode(vector.kind, spoilt), reasons
                )
        if vector.kind != "osmand-query":
            spoilt = copy.deepcopy(vector.value)
            _holder(spoilt, path[:depth])[path[depth - 1]] = None
            if _holds_no_position(vector, spoilt):
                yield Malformed(
                    f"{vector.name}: {path[depth - 1]} is null",
                    encode(vector.kind, spoilt),
                    reasons,
                )


def _holds_no_position(vector: Vector, spoilt: Any) -> bool:
    """Whether it is spoilt altogether: a scan without a whole position is a message too."""
    if vector.kind == "geosubmit":
        items = spoilt.get("items")
        return not (items and items[0] and not items[0].get("position"))
    return True


def _bytewise_query(vector: Vector, whole: bytes) -> Iterator[Malformed]:
    for name in vector.value:
        told = encode(vector.kind, {name: vector.value[name]})
        if name not in ("cell", "wifi"):
            yield Malformed(f"{vector.name}: {name} twice", whole + b"&" + told, ("dup_key",))
    for what, more, reason in (
        ("no value", b"&x", "shape"),
        ("NUL", b"&x=%00", "text"),
        ("bad encoding", b"&x=%ff", "text"),
        ("GBK", b"&x=%D6%D0", "text"),
        ("raw GBK", b"&x=\xd6\xd0", "text"),
        ("huge", b"&x=" + b"y" * 17_000, "size"),
    ):
        yield Malformed(f"{vector.name}: {what}", whole + more, (reason,))


def _bytewise_json(vector: Vector, whole: bytes) -> Iterator[Malformed]:
    for cut in range(1, len(whole), max(1, len(whole) // 24)):
        yield Malformed(f"{vector.name}: cut at {cut}", whole[:cut], ("json",))
    for key in _keys(vector.value):
        told = json.dumps(key, ensure_ascii=False).encode() + b":"
        twice = whole.replace(told, told + b"1," + told, 1)
        yield Malformed(f"{vector.name}: {key} twice", twice, ("dup_key",))
    # What does not begin like JSON is no JSON, and to some decoders a query without parameters.
    for what, payload in (
        ("UTF-16", whole.decode().encode("utf-16")),
        ("byte order mark", b"\xef\xbb\xbf" + whole),
    ):
        yield Malformed(f"{vector.name}: {what}", payload, ("json", "shape", "text"))
    for what, payload, reason in (
        ("trailing", whole + b"{}", "json"),
        ("GBK", whole[:-1] + b',"x":"\xd6\xd0"}', "json"),
        ("NaN", whole[:-1] + b',"x":NaN}', "json"),
        ("lone surrogate", whole[:-1] + b',"x":"\\udc00"}', "text"),
        ("NUL", whole[:-1] + b',"x":"\\u0000"}', "text"),
        ("deep", whole[:-1] + b',"x":' + b"[" * 30 + b"]" * 30 + b"}", "depth"),
        ("text", b'"hello"', "shape"),
        ("a number", b"1", "shape"),
    ):
        yield Malformed(f"{vector.name}: {what}", payload, (reason,))


def _keys(value: Any) -> Iterator[str]:
    """Yield every key of an object once, the outermost first."""
    seen: dict[str, None] = {}
    waiting = [value]
    while waiting:
        here = waiting.pop(0)
        if isinstance(here, dict):
            seen.update(dict.fromkeys(here))
        if isinstance(here, (dict, list)):
            waiting += here.values() if isinstance(here, dict) else here
    return iter(seen)


def _timed(vector: Vector, at: datetime) -> Vector:
    path = _PATHS[vector.kind][2]
    value = copy.deepcopy(vector.value)
    iso = at.isoformat(timespec="seconds").replace("+00:00", "Z")
    told: Any = int(at.timestamp()) * (_MS if vector.kind == "geosubmit" else 1)
    _holder(value, path)[path[-1]] = (
        told if vector.kind in ("osmand-query", "geosubmit", "owntracks") else iso
    )
    return Vector(vector.name, vector.kind, value)


def _holder(value: Any, path: tuple[Any, ...]) -> Any:
    for step in path[:-1]:
        value = value[step]
    return value


def _read(name: str) -> Any:
    return json.loads((FOLDER / name).read_text(encoding="utf-8"))
