"""Geosubmit version 2, as survey apps such as Tower Collector send it."""

from flask import Blueprint, Response

from mobile_api.phones import REASON, body, receive
from server.http.markers import public
from server.http.openapi import describe

blueprint = Blueprint("geosubmit", __name__)


@blueprint.post("/pub/geosubmit", strict_slashes=False)
@public(REASON, csrf=False)
def publish() -> Response:
    """Store a submission; the path for apps that can send a header."""
    return _publish()


@blueprint.post("/pub/geosubmit/<username>/<secret>", strict_slashes=False)
@blueprint.post("/pub/geosubmit/<username>/<secret>/v2/geosubmit", strict_slashes=False)
@public(REASON, csrf=False)
def publish_to_address(username: str, secret: str) -> Response:
    """Store a submission; the path for apps that know nothing but an address."""
    return _publish(username, secret)


@blueprint.post("/api/geosubmit")
@describe(
    "Store a submission of cells, access points and positions. Basic or bearer "
    "(`USERNAME:SECRET`) authentication. 200 once stored or quarantined, 503 when nothing "
    "could be.",
    security="device",
    answer={"type": "object"},
    body={"type": "object", "required": ["items"], "properties": {"items": {"type": "array"}}},
    errors=(401, 413, 415, 503),
)
@public(REASON, csrf=False)
def publish_by_api() -> Response:
    """Store a submission."""
    return _publish()


def _publish(username: str = "", secret: str = "") -> Response:
    return receive(
        lambda entry: f"geosubmit/{entry.username}",
        body,
        answer="{}",
        username=username,
        secret=secret,
    )
