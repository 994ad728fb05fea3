"""The configuration that an OwnTracks app imports, and the links that carry it; pure."""

import base64
import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from server.people.models import DeviceKind

DEVICE_ID = "phone"
"""What every configured app calls itself in its topics."""
TAKES_COMMANDS = frozenset({DeviceKind.OWNTRACKS_ANDROID, DeviceKind.OWNTRACKS_IOS})
"""Apps that listen for commands; others report by themselves only."""
KEEPALIVE_S = 60
"""Short, so that a dead connection is noticed; the app's own default is an hour."""
_MOVE = 2
"""Monitoring mode that reports while moving, the one that serves supervision on duty."""


@dataclass(frozen=True, slots=True)
class BrokerAddress:
    """Where phones reach us: the broker, and the web door of apps that speak HTTP."""

    host: str
    port: int
    tls: bool
    site_url: str = ""
    """Public address of the web door without a slash at the end; empty where there is none."""


def owntracks_config(
    *,
    kind: DeviceKind,
    broker: BrokerAddress,
    username: str,
    secret: str,
    encryption_key: str | None = None,
    interval_s: int = 30,
    displacement_m: int = 20,
) -> dict[str, Any]:
    """Return the `_type: configuration` object for one device.

    Parameters
    ----------
    kind : app on Android or iOS; their keys differ in part.
    broker : address of the listener for phones.
    username, secret : the device's credential; client id and user name are the same.
    encryption_key : shared key of OwnTracks payload encryption, None for none.
    interval_s, displacement_m : how often the app looks for a position while it moves.

    Returns
    -------
    A JSON object. Positions are published with QoS 1 and never retained (a retained one
    would outlive the duty window); the session is kept, so nothing queued is lost.
    """
    config: dict[str, Any] = {
        "_type": "configuration",
        "mode": 0,
        "host": broker.host,
        "port": broker.port,
        "tls": broker.tls,
        "auth": True,
        "username": username,
        "password": secret,
        "clientId": username,
        "deviceId": DEVICE_ID,
        "tid": username[-2:],
        "pubTopicBase": "owntracks/%u/%d",
        "pubQos": 1,
        "pubRetain": False,
        "subQos": 1,
        "sub": True,
        "cleanSession": False,
        "keepalive": KEEPALIVE_S,
        "ws": False,
        "cmd": True,
        "remoteConfiguration": False,
        "monitoring": _MOVE,
        "locatorInterval": interval_s,
        "locatorDisplacement": displacement_m,
        "ignoreInaccurateLocations": 0,
        "ignoreStaleLocations": 0,
    }
    if kind is DeviceKind.OWNTRACKS_ANDROID:
        config |= {
            "moveModeLocatorInterval": interval_s,
            "pubExtendedData": True,
            "autostartOnBoot": True,
            "mqttProtocolLevel": 4,
        }
    else:
        config |= {
            "extendedData": True,
            "allowRemoteLocation": True,
            "mqttProtocolLevel": 4,
            "positions": 50,
            "maxHistory": 0,
            "ranging": False,
            "locked": True,
        }
    if encryption_key is not None:
        config["encryptionKey"] = encryption_key
    return config


def config_json(config: dict[str, Any]) -> str:
    """Return the configuration as compact JSON, the content of an `.otrc` file."""
    return json.dumps(config, ensure_ascii=True, separators=(",", ":"), sort_keys=True)


def inline_link(config: dict[str, Any]) -> str:
    """Return the link that configures the app when tapped or scanned.

    The base64 is percent-encoded: Android decodes the query, and a bare `+` would become
    a space there.

    Examples
    --------
    >>> inline_link({"_type": "configuration"})
    'owntracks:///config?inline=eyJfdHlwZSI6ImNvbmZpZ3VyYXRpb24ifQ%3D%3D'
    """
    text = base64.b64encode(config_json(config).encode()).decode()
    return f"owntracks:///config?inline={quote(text, safe='')}"
