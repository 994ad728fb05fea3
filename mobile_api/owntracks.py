"""OwnTracks over HTTP: the same messages as over MQTT, answered once they are stored."""

import re

from flask import Blueprint, Response, request

from ingest.devices import DeviceEntry
from mobile_api.phones import REASON, body, receive
from server.http.markers import public
from server.http.openapi import describe

blueprint = Blueprint("owntracks", __name__)

_DEVICE = re.compile(r"[A-Za-z0-9_.-]{1,40}")


@blueprint.post("/pub")
@public(REASON, csrf=False)
def publish() -> Response:
    """Store a message of a phone; the path that the OwnTracks apps are told of."""
    return _publish()


@blueprint.post("/api/owntracks")
@describe(
    "Store one OwnTracks message, or an array of up to 500. Basic authentication with the "
    "device's user name and secret. 200 once stored or quarantined, 503 when nothing could be.",
    security="device",
    answer={"type": "array"},
    body={"type": ["object", "array"]},
    errors=(401, 413, 415, 503),
)
@public(REASON, csrf=False)
def publish_by_api() -> Response:
    """Store a message of a phone."""
    return _publish()


def _publish() -> Response:
    return receive(_topic, body, answer="[]", refusal="[]")


def _topic(entry: DeviceEntry) -> str:
    device = request.headers.get("X-Limit-D") or request.args.get("d") or ""
    label = device if _DEVICE.fullmatch(device) else "phone"
    return f"owntracks/{entry.username}/{label}"
