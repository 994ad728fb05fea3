"""What Traccar Client and other apps that only know an address are told; pure."""

from urllib.parse import quote, urlencode

INTERVAL_S = 30
DISTANCE_M = 20
HEARTBEAT_S = 600


def door_url(site_url: str, door: str, username: str, secret: str) -> str:
    """Return the address at which one device reports, its credential in the path.

    Parameters
    ----------
    site_url : public address of the web door, without a slash at the end.
    door : format the app speaks, `osmand`, `overland` or `geosubmit`.
    username, secret : the device's credential; for apps that can send no other. The doors
        and the proxy keep it out of their logs.

    Examples
    --------
    >>> door_url("https://outpost.example", "osmand", "d-2345", "s_cret")
    'https://outpost.example/pub/osmand/d-2345/s_cret'
    """
    return f"{site_url}/pub/{door}/{quote(username, safe='')}/{quote(secret, safe='')}"


def traccar_code(server_url: str, *, username: str) -> str:
    """Return what a QR code says to Traccar Client: the server's address with its settings.

    The app takes origin and path as the server, and the query as settings.
    """
    return f"{server_url}?{urlencode(_settings(username))}"


def traccar_link(server_url: str, *, username: str) -> str:
    """Return the link that configures Traccar Client when tapped on the phone.

    Examples
    --------
    >>> traccar_link("https://o.example/pub/osmand/d-1/s", username="d-1").split("&")[0]
    'org.traccar.client://config?url=https%3A%2F%2Fo.example%2Fpub%2Fosmand%2Fd-1%2Fs'
    """
    query = urlencode({"url": server_url} | _settings(username), quote_via=quote, safe="")
    return f"org.traccar.client://config?{query}"


def overland_link(server_url: str, *, username: str) -> str:
    """Return the link that configures Overland when tapped on the phone."""
    query = urlencode(
        {"url": server_url, "device_id": username, "unique_id": "no"}, quote_via=quote, safe=""
    )
    return f"overland://setup?{query}"


def _settings(username: str) -> dict[str, str]:
    # The id decides nothing on our side; it tells people which phone they hold.
    return {
        "id": username,
        "accuracy": "high",
        "distance": str(DISTANCE_M),
        "interval": str(INTERVAL_S),
        "heartbeat": str(HEARTBEAT_S),
        "buffer": "true",
        "stop_detection": "true",
    }
