"""What one phone has to be told, and the ways to tell it, by the app that is on it; pure."""

import json
from dataclasses import dataclass, field
from typing import Any

from server.errors import ConfigurationError
from server.people.models import DeviceKind
from server.people.owntracks import BrokerAddress, config_json, inline_link, owntracks_config
from server.people.traccar import door_url, overland_link, traccar_code, traccar_link

HTTP_DOORS = {
    DeviceKind.TRACCAR: "osmand",
    DeviceKind.OSMAND: "osmand",
    DeviceKind.OVERLAND: "overland",
    DeviceKind.TOWER_COLLECTOR: "geosubmit",
}
"""Apps that report over HTTP, and the format each speaks."""
ENCRYPTS = frozenset({DeviceKind.OWNTRACKS_ANDROID, DeviceKind.OWNTRACKS_IOS})
"""Apps that can encrypt what they send, beyond TLS."""


@dataclass(frozen=True, slots=True)
class Setup:
    """How to configure one phone; every value holds the secret and is shown once.

    Attributes
    ----------
    kind : the app.
    settings : names of settings (stable keys that pages translate) and values, in the order
        in which a person types them.
    link : configures the app when tapped on the phone; None when the app knows none.
    code : what the QR code says; None when the app scans none.
    file : name and content of a file the app imports; None when it imports none.
    """

    kind: DeviceKind
    settings: tuple[tuple[str, str], ...] = field(repr=False)
    link: str | None = field(repr=False, default=None)
    code: str | None = field(repr=False, default=None)
    file: tuple[str, str] | None = field(repr=False, default=None)

    def as_json(self) -> dict[str, Any]:
        """Return plain JSON, for the sealed ticket."""
        return {
            "kind": self.kind.value,
            "settings": [list(pair) for pair in self.settings],
            "link": self.link,
            "code": self.code,
            "file": None if self.file is None else list(self.file),
        }

    @classmethod
    def from_json(cls, plain: dict[str, Any]) -> "Setup":
        """Read back what `as_json` wrote."""
        found = plain["file"]
        return cls(
            kind=DeviceKind(plain["kind"]),
            settings=tuple((str(name), str(value)) for name, value in plain["settings"]),
            link=plain["link"],
            code=plain["code"],
            file=None if found is None else (str(found[0]), str(found[1])),
        )


def setup_of(
    kind: DeviceKind,
    broker: BrokerAddress,
    *,
    username: str,
    secret: str,
    encryption_key: str | None = None,
) -> Setup:
    """Return how to configure the app of one phone.

    Parameters
    ----------
    kind : the app.
    broker : public addresses of broker and web door.
    username, secret : the device's credential, the same for every door.
    encryption_key : shared key for apps in `ENCRYPTS`, None for none.

    Raises
    ------
    ConfigurationError : the app reports over HTTP and the web door's address is unknown.
    """
    if kind in ENCRYPTS:
        return _owntracks(kind, broker, username, secret, encryption_key)
    if kind is DeviceKind.NETWORK_SURVEY:
        return _network_survey(broker, username, secret)
    if not broker.site_url:
        raise ConfigurationError(None, "the public address of the web door is not set")
    url = door_url(broker.site_url, HTTP_DOORS[kind], username, secret)
    if kind is DeviceKind.TRACCAR:
        code, link = traccar_code(url, username=username), traccar_link(url, username=username)
        return Setup(kind, (("server_url", url), ("device_id", username)), link, code)
    if kind is DeviceKind.OVERLAND:
        link = overland_link(url, username=username)
        return Setup(kind, (("endpoint", url), ("device_id", username)), link, link)
    if kind is DeviceKind.TOWER_COLLECTOR:
        return Setup(kind, (("mls_url", url),))
    # OsmAnd tells metres a second where the protocol's other speakers mean knots.
    fields = ("lat={0}", "lon={1}", "timestamp={2}", "hdop={3}", "altitude={4}", "speed={5}")
    template = f"{url}?{'&'.join(('speed_unit=mps', *fields))}"
    return Setup(kind, (("web_address", template), ("server_url", url), ("device_id", username)))


def _owntracks(
    kind: DeviceKind, broker: BrokerAddress, username: str, secret: str, key: str | None
) -> Setup:
    config = owntracks_config(
        kind=kind, broker=broker, username=username, secret=secret, encryption_key=key
    )
    link = inline_link(config)
    settings = [
        ("host", f"{broker.host}:{broker.port}"),
        ("username", username),
        ("secret", secret),
    ]
    if key is not None:
        settings.append(("encryption_key", key))
    return Setup(kind, tuple(settings), link, link, (f"{username}.otrc", config_json(config)))


def _network_survey(broker: BrokerAddress, username: str, secret: str) -> Setup:
    prefix = f"survey/{username}/"
    code = json.dumps(
        {
            "mqtt_host": broker.host,
            "mqtt_port": broker.port,
            "mqtt_tls": broker.tls,
            "mqtt_client": username,
            "mqtt_username": username,
            "mqtt_password": secret,
            "mqtt_topic_prefix": prefix,
        },
        separators=(",", ":"),
    )
    settings = (
        ("host", broker.host),
        ("port", str(broker.port)),
        ("tls", "yes" if broker.tls else "no"),
        ("username", username),
        ("secret", secret),
        ("topic_prefix", prefix),
    )
    return Setup(DeviceKind.NETWORK_SURVEY, settings, None, code)
