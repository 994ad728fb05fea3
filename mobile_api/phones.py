"""What every door for phones does alike: know the device, store first, answer after.

A phone that gets anything but 2xx keeps the message and sends nothing else until it gets
through. So whatever a message contains, a phone with a valid credential hears 2xx: stored,
already known, or kept in quarantine. 503 means that nothing could be stored.
"""

import time
from collections.abc import Callable

from flask import Response, current_app, request

from ingest.announce import live_events, shown_positions
from ingest.devices import DeviceEntry
from ingest.door import Door
from ingest.intake import Message
from server.errors import Unavailable
from server.http.context import runtime
from server.tracking.records import Via

REASON = "phones authenticate each request with their device credential"
_EXTENSION = "outpost-http-door"


def receive(
    topic: Callable[[DeviceEntry], str],
    payload: Callable[[], bytes],
    *,
    answer: str,
    refusal: str = "{}",
    username: str = "",
    secret: str = "",
) -> Response:
    """Store what the current request brings, and answer as this client expects.

    The credential is that of the device: Basic authentication, `Bearer USERNAME:SECRET`, or
    for clients that know nothing but an address, in its path. A header goes first.

    Parameters
    ----------
    topic : under which ingest files the message; its first level names the format.
    payload : reads the message from the request.
    answer, refusal : JSON for 200, and for 401 and 415.
    username, secret : from the path.
    """
    received_s = time.time()
    door = _door()
    claimed = _credential() or (username, secret)
    entry = door.authenticate(*claimed) if claimed[0] else None
    if entry is None:
        refused = Response(refusal, status=401, mimetype="application/json")
        refused.headers["WWW-Authenticate"] = 'Basic realm="outpost"'
        return refused
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        # No app compresses. Never inflated, so a bomb is as large as it looks.
        return Response(refusal, status=415, mimetype="application/json")
    taken = door.store(Message(topic(entry), payload(), received_s, Via.HTTP))
    newest = {person: shown for part in taken for person, shown in shown_positions(part).items()}
    runtime().live.publish(live_events(newest, time.time()))
    return Response(answer, mimetype="application/json")


def body() -> bytes:
    """Return the body as it came."""
    return request.get_data(cache=False)


def _credential() -> tuple[str, str] | None:
    """Return user name and secret from the header; None when there is no such header."""
    given = request.authorization
    if given is None:
        return None if "Authorization" not in request.headers else ("", "")
    if given.type == "basic":
        return given.username or "", given.password or ""
    username, _, secret = (given.token or "").partition(":")
    return (username, secret) if given.type == "bearer" else ("", "")


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
