"""The configuration of mosquitto 2, in one place for demo, tests and production.

Two listeners. Phones get one credential per device whose user name is also the client
id, so no phone can take over the session of another client and wipe its queue. Services
get a second listener with their own passwords and rules, never reachable from outside.
"""

from dataclasses import dataclass
from pathlib import PurePath, PurePosixPath

MAX_QUEUED_MESSAGES = 1_000_000
"""Explicit and large: the default of 1,000 silently dropped 98 % of a burst, and 0
(unlimited) was broken in 2.0.16."""
MAX_INFLIGHT_MESSAGES = 1_000
MAX_PACKET_BYTES = 65_536
AUTOSAVE_INTERVAL_S = 5

INGEST = "ingest"
GATEKEEPER = "keeper"
CANARY = "canary"
SERVICE_USERS = (INGEST, GATEKEEPER, CANARY)
"""Shorter than any device user name, so no phone can ever bear one of these names."""

_DEVICE_SUBTOPICS = ("event", "status", "waypoint", "waypoints", "info", "step", "beacon", "dump")


@dataclass(frozen=True, slots=True)
class BrokerTls:
    """Certificate files of the listener for phones."""

    certificate: PurePath
    """Full chain in PEM."""
    key: PurePath


@dataclass(frozen=True, slots=True)
class BrokerConfig:
    """Where the broker listens and keeps its files."""

    directory: PurePath
    """Folder of ``devices.pw`` and ``services.pw``."""
    data_directory: PurePath
    """Persistence; a volume of its own in production."""
    device_port: int
    service_port: int
    device_bind: str = "0.0.0.0"  # noqa: S104 - the door for phones
    service_bind: str = "127.0.0.1"
    tls: BrokerTls | None = None
    pid_file: PurePath | None = None
    rules_directory: PurePath | None = None
    """Folder of ``devices.acl`` and ``services.acl``; the same one unless said otherwise."""
    autosave_interval_s: int = AUTOSAVE_INTERVAL_S


def render_config(config: BrokerConfig) -> str:
    """Render ``mosquitto.conf``.

    Parameters
    ----------
    config : ports, folders and optional TLS files.

    Returns
    -------
    Text for mosquitto 2.0 and later; the same input gives the same bytes.
    """
    rules = config.rules_directory or config.directory
    lines = [
        "per_listener_settings true",
        "",
        "# phones",
        f"listener {config.device_port} {config.device_bind}",
        *_tls_lines(config.tls),
        "allow_anonymous false",
        f"password_file {config.directory / 'devices.pw'}",
        f"acl_file {rules / 'devices.acl'}",
        "use_username_as_clientid true",
        "max_qos 1",
        "",
        "# our own services",
        f"listener {config.service_port} {config.service_bind}",
        "allow_anonymous false",
        f"password_file {config.directory / 'services.pw'}",
        f"acl_file {rules / 'services.acl'}",
        "use_username_as_clientid true",
        "",
        "# both",
        f"max_queued_messages {MAX_QUEUED_MESSAGES}",
        f"max_inflight_messages {MAX_INFLIGHT_MESSAGES}",
        f"max_packet_size {MAX_PACKET_BYTES}",
        "max_keepalive 1200",
        "persistence true",
        f"persistence_location {config.data_directory}/",
        f"autosave_interval {config.autosave_interval_s}",
        # No persistent_client_expiration: mosquitto 2.0.11 enters a session twice into its list
        # of those to expire when the password file is read again, and crashes over it later.
        # What an idle session holds is little: commands to phones expire by themselves.
        "sys_interval 2",
        "set_tcp_nodelay true",
        "connection_messages true",
        "log_dest stderr",
        "log_type error",
        "log_type warning",
        "log_type notice",
        "log_timestamp_format %Y-%m-%dT%H:%M:%SZ",
    ]
    if config.pid_file is not None:
        lines.append(f"pid_file {config.pid_file}")
    return "\n".join(lines) + "\n"


def production_config() -> BrokerConfig:
    """Return the configuration of the container in ``docker-compose.yml``.

    Returns
    -------
    TLS for phones on 8883; services on 1883 of a network that is not published.
    """
    return BrokerConfig(
        # The container's entry point keeps its own copy of devices.pw there: later versions of
        # mosquitto refuse password files that belong to another user.
        directory=PurePosixPath("/run/outpost-broker"),
        data_directory=PurePosixPath("/mosquitto/data"),
        device_port=8883,
        service_port=1883,
        service_bind="0.0.0.0",  # noqa: S104 - the container's own network, never published
        tls=BrokerTls(
            certificate=PurePosixPath("/run/secrets/tls_certificate"),
            key=PurePosixPath("/run/secrets/tls_key"),
        ),
        rules_directory=PurePosixPath("/outpost"),
    )


def render_device_acl() -> str:
    """Render the topic rules of phones: each writes below its own user name only.

    Returns
    -------
    Text of ``devices.acl``. It names no device, so enrolling needs no change here.
    """
    lines = ["pattern write owntracks/%u/+"]
    lines += [f"pattern write owntracks/%u/+/{name}" for name in _DEVICE_SUBTOPICS]
    lines += ["pattern read owntracks/%u/+/cmd", "pattern write survey/%u/+"]
    return "\n".join(lines) + "\n"


def render_service_acl() -> str:
    """Render the topic rules of our own processes.

    Returns
    -------
    Text of ``services.acl`` for the users in `SERVICE_USERS`.
    """
    return (
        f"user {INGEST}\n"
        "topic read owntracks/#\n"
        "topic read survey/#\n"
        "topic readwrite outpost/canary/#\n"
        "topic read $SYS/#\n"
        "topic write owntracks/+/+/cmd\n"
        f"\nuser {GATEKEEPER}\n"
        "# an empty retained message wipes a retained position\n"
        "topic readwrite owntracks/#\n"
        "topic readwrite survey/#\n"
        "topic read $SYS/#\n"
        f"\nuser {CANARY}\n"
        "topic readwrite outpost/canary/#\n"
    )


def _tls_lines(tls: BrokerTls | None) -> list[str]:
    if tls is None:
        return []
    return [
        f"certfile {tls.certificate}",
        f"keyfile {tls.key}",
        "tls_version tlsv1.2",
    ]
