"""Live events for one browser: `GET /stream/live` as server-sent events."""

import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Final

import orjson
from flask import Blueprint, Response, current_app, request
from redis.exceptions import RedisError

from server.errors import InvalidInput, Unauthenticated, Unavailable
from server.http.context import principal, runtime
from server.http.cookies import session_token
from server.http.markers import policy
from server.people.rules import Action
from server.tracking.hexagons import Box
from server.tracking.live import LiveType, StoredEvent
from web.live.hub import Hub, Subscription
from web.live.sight import WindowWatch
from web.live.watch import Watch

stream_blueprint = Blueprint("live_stream", __name__)

PING_S: Final = 15.0
_STEP_S: Final = 1.0
_HUB: Final = "outpost.live_hub"


@stream_blueprint.get("/stream/live")
@policy(Action.VIEW_LIVE)
def events() -> Response:
    """Send what changes for the people in the viewer's scope, until the session ends.

    The header `Last-Event-ID` (a reconnecting browser) or the parameter `from` (the cursor
    of a snapshot) says where to go on; without either the stream begins now. The event
    `reset` asks for a new snapshot, `closed` says that the session is over, `crowded` that
    the account opened more streams than it may and this one, the oldest, has to go.

    With the parameter `view` (west,south,east,north, or `none`) only people in that window
    are told of, and alerts of everybody in scope.
    """
    viewer, token, parts = principal(), session_token(), runtime()
    if token is None:
        raise Unauthenticated
    after_id = request.headers.get("Last-Event-ID") or request.args.get("from") or None
    view = request.args.get("view")
    if view is None:
        watch, wants = Watch(parts.sessions, parts.clock, token), None
    else:
        box = Box.parse(view)
        if box is None and view != "none":
            raise InvalidInput(fields={"view": "malformed"})
        watch = WindowWatch(parts.sessions, parts.clock, token, box=box)
        wants = watch.wants
    if not watch.still_open():
        raise Unauthenticated
    stack = ExitStack()
    try:
        joined = _hub().subscribe(
            viewer.tenant_id, viewer.account_id, after_id=after_id, wants=wants
        )
        subscription, missed = stack.enter_context(joined)
    except RedisError as error:
        raise Unavailable("live feed") from error
    stack.callback(watch.close)
    if wants is not None:
        missed = [e for e in missed if e.type is LiveType.RESET or wants(e)]
    body = _body(stack, _hub(), subscription, missed, watch)
    response = Response(body, mimetype="text/event-stream")
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Accel-Buffering"] = "no"
    # A client that goes away before the first byte must give its place back too.
    response.call_on_close(stack.close)
    return response


def _hub() -> Hub:
    found = current_app.extensions.get(_HUB)
    if not isinstance(found, Hub):
        # Made on first use: after a worker forked and gevent patched its threads.
        found = current_app.extensions.setdefault(_HUB, Hub(runtime().redis))
    return found


def _body(
    stack: ExitStack,
    hub: Hub,
    subscription: Subscription,
    missed: list[StoredEvent],
    watch: Watch,
) -> Iterator[bytes]:
    with stack:
        yield b"retry: 3000\n\n" + _ping(hub, subscription)
        if subscription.lost:
            yield _message("reset")
            return
        for event in missed:
            if event.type is LiveType.RESET:
                yield _message("reset")
                return
            if watch.allows(event):
                yield _event(event, watch)
        yield from _live(hub, subscription, watch)


def _live(hub: Hub, subscription: Subscription, watch: Watch) -> Iterator[bytes]:
    spoken_at, feed_up = time.monotonic(), hub.feed_up
    while True:
        event = subscription.take(_STEP_S)
        if hub.stopping:
            return
        if not watch.still_open():
            yield _message("closed")
            return
        if subscription.crowded_out:
            yield _message("crowded")
            return
        if subscription.lost or (event is not None and event.type is LiveType.RESET):
            yield _message("reset")
            return
        if event is not None and watch.allows(event):
            yield _event(event, watch)
            spoken_at = time.monotonic()
        elif time.monotonic() - spoken_at >= PING_S or feed_up != hub.feed_up:
            feed_up = hub.feed_up
            yield _ping(hub, subscription)
            spoken_at = time.monotonic()


def _event(event: StoredEvent, watch: Watch) -> bytes:
    watch.sent(event)
    return f"id: {event.id}\nevent: {event.type.value}\ndata: {event.json}\n\n".encode()


def _ping(hub: Hub, subscription: Subscription) -> bytes:
    """Say that the line lives, for proxies and for the page, which shows the time of it.

    While the feed itself is down, no time is given: an old picture is not called live.
    """
    data = orjson.dumps({"as_of": time.time() if hub.feed_up else None}).decode()
    return f": ping\nid: {subscription.last_id}\nevent: ping\ndata: {data}\n\n".encode()


def _message(name: str) -> bytes:
    return f"event: {name}\ndata: {{}}\n\n".encode()
