"""What OwnTracks says besides positions, in our names."""

import re
from collections.abc import Callable
from typing import Any

from ingest.wire import EventKind, Reason, Rejection
from ingest.wire.numbers import within

_TEXT_LIMIT = 200
_STATUS = {
    "android": frozenset({"hib", "bo", "loc", "ps", "wifi"}),
    "iOS": frozenset(
        {
            "version",
            "deviceModel",
            "deviceSystemName",
            "deviceSystemVersion",
            "deviceUserInterfaceIdiom",
            "locale",
            "localeUsesMetricSystem",
            "backgroundRefreshStatus",
            "locationManagerAuthorizationStatus",
            "altimeterAuthorizationStatus",
            "altimeterIsRelativeAltitudeAvailable",
        }
    ),
}
"""Permissions, power and version; nothing else, for nobody knows what a client puts there."""
_WORD = re.compile(r"[A-Za-z0-9 ._,()/-]{1,60}")
_FINE = re.compile(r"\d\.\d{3}")

Reading = tuple[EventKind, dict[str, Any]] | Rejection
"""Kind and body of an event (None where unknown), or why it is none."""


def _place(message: dict[str, Any]) -> dict[str, Any] | Rejection:
    lat, bad_lat = within(message.get("lat"), -90.0, 90.0)
    lon, bad_lon = within(message.get("lon"), -180.0, 180.0)
    if bad_lat or bad_lon:
        return Rejection(Reason.RANGE, "lat or lon is not on Earth")
    return {"lon": lon, "lat": lat}


def _text(value: Any) -> str | None:
    return value[:_TEXT_LIMIT] if type(value) is str else None


def _transition(message: dict[str, Any]) -> Reading:
    event = message.get("event")
    if event not in ("enter", "leave"):
        return Rejection(Reason.TYPE, "event is neither enter nor leave")
    place = _place(message)
    if isinstance(place, Rejection):
        return place
    accuracy, _ = within(message.get("acc"), 0.0, 100_000.0)
    body = {
        "event": event,
        "fence": _text(message.get("desc")),
        "accuracy_m": accuracy or None,
        "trigger": _text(message.get("t")),
        "region": _text(message.get("rid")),
    }
    return EventKind.TRANSITION, body | place


def read_waypoint(message: dict[str, Any]) -> Reading:
    """Return a saved place: name, radius, region and position."""
    place = _place(message)
    if isinstance(place, Rejection):
        return place
    radius, _ = within(message.get("rad"), 0.0, 1e6)
    body = {"name": _text(message.get("desc")), "radius_m": radius}
    return EventKind.WAYPOINT, body | {"region": _text(message.get("rid"))} | place


def _status(message: dict[str, Any]) -> Reading:
    body: dict[str, Any] = {}
    for platform, names in _STATUS.items():
        facts = message.get(platform)
        if isinstance(facts, dict):
            body["platform"] = platform.lower()
            body |= {name: _setting(facts[name]) for name in names & facts.keys()}
    return EventKind.STATUS, body


def _setting(value: Any) -> Any:
    """Return a small code or a plain word; None for anything that could say more."""
    kind = type(value)
    if kind is bool or (kind is int and abs(value) < 100):
        return value
    if kind is str and _WORD.fullmatch(value) and not _FINE.search(value):
        return value
    return None


def _last_will(message: dict[str, Any]) -> Reading:
    del message
    return EventKind.LAST_WILL, {}


def _steps(message: dict[str, Any]) -> Reading:
    steps, _ = within(message.get("steps"), 0.0, 1e6)
    return EventKind.STEPS, {"steps": steps}


def _beacon(message: dict[str, Any]) -> Reading:
    names = ("uuid", "major", "minor", "prox", "rssi")
    found = {name: message.get(name) for name in names}
    return EventKind.BEACON, {
        n: _text(v) if type(v) is str else v for n, v in found.items() if type(v) in (str, int)
    }


READERS: dict[str, Callable[[dict[str, Any]], Reading]] = {
    "transition": _transition,
    "waypoint": read_waypoint,
    "status": _status,
    "lwt": _last_will,
    "steps": _steps,
    "beacon": _beacon,
}
"""How to read each `_type`."""
