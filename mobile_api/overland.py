"""Overland for iOS: batches of GeoJSON, answered in the one way that empties its queue."""

from flask import Blueprint, Response

from mobile_api.phones import REASON, body, receive
from server.http.markers import public
from server.http.openapi import describe

blueprint = Blueprint("overland", __name__)

_DONE = '{"result":"ok"}'


@blueprint.post("/pub/overland", strict_slashes=False)
@public(REASON, csrf=False)
def publish() -> Response:
    """Store a batch; the path for an app with an access token."""
    return _publish()


@blueprint.post("/pub/overland/<username>/<secret>", strict_slashes=False)
@public(REASON, csrf=False)
def publish_to_address(username: str, secret: str) -> Response:
    """Store a batch; the path for apps that know nothing but an address."""
    return _publish(username, secret)


@blueprint.post("/api/overland")
@describe(
    "Store a batch of Overland. Bearer (`USERNAME:SECRET`) or Basic authentication. 200 with "
    '{"result": "ok"} once stored or quarantined, 503 when nothing could be.',
    security="device",
    answer={"type": "object", "properties": {"result": {"const": "ok"}}},
    body={"type": "object", "required": ["locations"], "properties": {"locations": {}}},
    errors=(401, 413, 415, 503),
)
@public(REASON, csrf=False)
def publish_by_api() -> Response:
    """Store a batch."""
    return _publish()


def _publish(username: str = "", secret: str = "") -> Response:
    return receive(
        lambda entry: f"overland/{entry.username}",
        body,
        answer=_DONE,
        username=username,
        secret=secret,
    )
