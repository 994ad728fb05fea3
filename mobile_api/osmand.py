"""Traccar Client and whatever else speaks the OsmAnd protocol: query, form or JSON."""

from flask import Blueprint, Response, request

from mobile_api.phones import REASON, body, receive
from server.http.markers import public
from server.http.openapi import describe

blueprint = Blueprint("osmand", __name__)

_JSON_STARTS = (b"{", b"[")


@blueprint.route("/pub/osmand", methods=["GET", "POST"], strict_slashes=False)
@public(REASON, csrf=False)
def publish() -> Response:
    """Store a position; the path for apps that can send a header."""
    return _publish()


@blueprint.route("/pub/osmand/<username>/<secret>", methods=["GET", "POST"], strict_slashes=False)
@public(REASON, csrf=False)
def publish_to_address(username: str, secret: str) -> Response:
    """Store a position; the path for apps that know nothing but an address."""
    return _publish(username, secret)


@blueprint.post("/api/osmand")
@describe(
    "Store one position of the OsmAnd protocol as a form, or JSON of Traccar Client 9 and 10. "
    "Basic or bearer (`USERNAME:SECRET`) authentication. 200 once stored or quarantined, 503 "
    "when nothing could be.",
    security="device",
    answer={"type": "object"},
    body={"type": "object", "properties": {"lat": {"type": "number"}, "lon": {"type": "number"}}},
    body_type="application/x-www-form-urlencoded",
    errors=(401, 413, 415, 503),
)
@public(REASON, csrf=False)
def publish_by_api() -> Response:
    """Store a position."""
    return _publish()


def _publish(username: str = "", secret: str = "") -> Response:
    return receive(
        lambda entry: f"osmand/{entry.username}",
        _payload,
        answer="{}",
        username=username,
        secret=secret,
    )


def _payload() -> bytes:
    """Return the body where it says something, else the query, else both as one form."""
    sent, query = body(), request.query_string
    if not sent or sent.lstrip()[:1] in _JSON_STARTS:
        return sent or query
    return sent if not query else query + b"&" + sent
