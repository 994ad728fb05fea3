"""OwnTracks over HTTP: the same messages as over MQTT, answered once they are stored.

A phone that gets anything but 2xx keeps the message and sends nothing else until it gets
through. So whatever a message contains, a phone with a valid credential hears 200: stored,
already known, or kept in quarantine. 503 means that nothing could be stored.
"""

import re
import time

from flask import Blueprint, Response, current_app, request

from ingest.announce import live_events, shown_positions
from ingest.door import Door
from ingest.intake import Message
from server.errors import Unavailable
from server.http.context import runtime
from server.http.markers import public
from server.http.openapi import describe
from server.tracking.records import Via

blueprint = Blueprint("owntracks", __name__)


_EXTENSION = "outpost-http-door"
_DEVICE = re.compile(r"[A-Za-z0-9_.-]{1,40}")


@blueprint.post("/pub")
@public("phones authenticate each request with their device credential", csrf=False)
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
@public("phones authenticate each request with their device credential", csrf=False)
def publish_by_api() -> Response:
    """Store a message of a phone."""
    return _publish()


def _publish() -> Response:
    received_s = time.time()
    credential = request.authorization
    door = _door()
    entry = None
    if credential is not None and credential.type == "basic":
        entry = door.authenticate(credential.username or "", credential.password or "")
    if entry is None:
        refused = Response("[]", status=401, mimetype="application/json")
        refused.headers["WWW-Authenticate"] = 'Basic realm="owntracks"'
        return refused
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        # No app compresses. Never inflated, so a bomb is as large as it looks.
        return Response("[]", status=415, mimetype="application/json")
    device = request.headers.get("X-Limit-D") or request.args.get("d") or ""
    label = device if _DEVICE.fullmatch(device) else "phone"
    taken = door.store(
        Message(
            f"owntracks/{entry.username}/{label}",
            request.get_data(cache=False),
            received_s,
            Via.HTTP,
        )
    )
    newest = {person: shown for part in taken for person, shown in shown_positions(part).items()}
    runtime().live.publish(live_events(newest, time.time()))
    return Response("[]", mimetype="application/json")


def _door() -> Door:
    door = current_app.extensions.get(_EXTENSION)
    if door is None:
        parts = runtime()
        url = parts.settings.ingest_database_url
        if url is None:
            raise Unavailable("not_stored", "this server takes no messages over HTTP")
        door = current_app.extensions.setdefault(_EXTENSION, Door(url, parts.vault))
    assert isinstance(door, Door)
    return door
