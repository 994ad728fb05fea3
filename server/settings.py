"""Everything a process reads from its environment, read once, checked once.

Each `OUTPOST_X` may instead be given as `OUTPOST_X_FILE`, a path whose content is the
value (container and systemd secrets). Thresholds are not settings: they are policy rows.
"""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from urllib.parse import urlsplit

from server.errors import ConfigurationError

_MIN_SECRET_CHARS = 32
_DATA_KEY_BYTES = 32
_WELL_KNOWN = ("changeme", "change-me", "secret", "development", "password", "outpost")


class Environment(StrEnum):
    """Where a process runs; only production is strict about secrets."""

    PRODUCTION = "production"
    DEMO = "demo"
    TEST = "test"


@dataclass(frozen=True, slots=True)
class Settings:
    """One process's configuration; built by `Settings.from_environ` in `server.main` only."""

    environment: Environment
    database_url: str = field(repr=False)
    redis_url: str = field(repr=False)
    secret_key: str = field(repr=False)
    data_key: bytes = field(repr=False)
    public_url: str
    mqtt_host: str
    mqtt_port: int
    mqtt_username: str
    mqtt_password: str = field(repr=False)
    mqtt_public_host: str
    mqtt_public_port: int
    mqtt_public_tls: bool
    broker_dir: Path
    broker_pidfile: Path | None
    run_dir: Path
    # The web process stores what phones send over HTTP with ingest's rights, not its own.
    ingest_database_url: str | None = field(repr=False, default=None)
    owner_database_url: str | None = field(repr=False, default=None)
    # PMTiles files that tenants may choose as streets; none when unset.
    basemap_dir: Path | None = None
    trusted_hosts: tuple[str, ...] = ()
    proxy_hops: int = 0
    # Hosts of carriers and positioning services that may be private and speak plain HTTP.
    carrier_hosts: tuple[str, ...] = ()
    # A tar of Valhalla tiles, or the address of its service; positions of people go there.
    roads: str | None = field(repr=False, default=None)

    @classmethod
    def from_environ(cls, environ: Mapping[str, str], *, role: str = "app") -> "Settings":
        """Read and check the settings of one process.

        Parameters
        ----------
        environ : usually `os.environ`.
        role : `app`, `ingest`, `engine` or `owner`; picks `OUTPOST_<ROLE>_DATABASE_URL`
            and falls back to `OUTPOST_DATABASE_URL`.

        Raises
        ------
        ConfigurationError : naming the variable that is missing, malformed or unsafe.
        """
        read = _Reader(environ)
        environment = _environment(read.text("OUTPOST_ENV", "production"))
        database_url = read.optional(f"OUTPOST_{role.upper()}_DATABASE_URL") or read.text(
            "OUTPOST_DATABASE_URL"
        )
        secret_key = read.text("OUTPOST_SECRET_KEY")
        public_url = read.text("OUTPOST_PUBLIC_URL", "http://127.0.0.1:8080").rstrip("/")
        if environment is Environment.PRODUCTION:
            _refuse_weak(secret_key, public_url)
        pidfile = read.optional("OUTPOST_BROKER_PIDFILE")
        basemaps = read.optional("OUTPOST_BASEMAP_DIR")
        return cls(
            environment=environment,
            database_url=database_url,
            redis_url=read.text("OUTPOST_REDIS_URL"),
            secret_key=secret_key,
            data_key=_data_key(read.text("OUTPOST_DATA_KEY")),
            public_url=public_url,
            mqtt_host=read.text("OUTPOST_MQTT_HOST", "127.0.0.1"),
            mqtt_port=read.integer("OUTPOST_MQTT_PORT", 1883),
            mqtt_username=read.text("OUTPOST_MQTT_USERNAME", "ingest"),
            mqtt_password=read.text("OUTPOST_MQTT_PASSWORD"),
            mqtt_public_host=read.text("OUTPOST_MQTT_PUBLIC_HOST", "127.0.0.1"),
            mqtt_public_port=read.integer("OUTPOST_MQTT_PUBLIC_PORT", 8883),
            mqtt_public_tls=read.text("OUTPOST_MQTT_PUBLIC_TLS", "1") == "1",
            broker_dir=Path(read.text("OUTPOST_BROKER_DIR", "/etc/outpost/mqtt")),
            broker_pidfile=Path(pidfile) if pidfile else None,
            run_dir=Path(read.text("OUTPOST_RUN_DIR", "/run/outpost")),
            ingest_database_url=read.optional("OUTPOST_INGEST_DATABASE_URL"),
            owner_database_url=read.optional("OUTPOST_OWNER_DATABASE_URL"),
            trusted_hosts=_listed(read.optional("OUTPOST_TRUSTED_HOSTS")),
            basemap_dir=Path(basemaps) if basemaps else None,
            proxy_hops=read.integer("OUTPOST_PROXY_HOPS", 0),
            carrier_hosts=_listed(read.optional("OUTPOST_CARRIER_HOSTS")),
            roads=_roads(read.optional("OUTPOST_ROADS")),
        )


@dataclass(frozen=True, slots=True)
class _Reader:
    environ: Mapping[str, str]

    def optional(self, name: str) -> str | None:
        if value := self.environ.get(name):
            return value
        path = self.environ.get(f"{name}_FILE")
        if not path:
            return None
        try:
            return Path(path).read_text(encoding="utf-8").strip() or None
        except OSError as error:
            message = f"{name}_FILE points to {path}, which cannot be read ({error.strerror})"
            raise ConfigurationError(None, message) from error

    def text(self, name: str, default: str | None = None) -> str:
        value = self.optional(name)
        if value is None:
            value = default
        if value is None:
            message = f"{name} (or {name}_FILE) is not set"
            raise ConfigurationError(None, message)
        return value

    def integer(self, name: str, default: int) -> int:
        value = self.text(name, str(default))
        try:
            return int(value)
        except ValueError:
            message = f"{name} must be a whole number, not {value!r}"
            raise ConfigurationError(None, message) from None


def _listed(value: str | None) -> tuple[str, ...]:
    return tuple(part.strip() for part in (value or "").split(",") if part.strip())


def _roads(value: str | None) -> str | None:
    """Check a path, or an address without credentials, query or fragment."""
    if value is None or "://" not in value:
        return value
    try:
        parts = urlsplit(value)
        whole = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        whole = False
    if not whole or any(c in value for c in "@?# "):
        message = "OUTPOST_ROADS must be a tar of tiles or http(s)://host[:port], and no more"
        raise ConfigurationError(None, message)
    return value


def _environment(value: str) -> Environment:
    try:
        return Environment(value)
    except ValueError:
        message = f"OUTPOST_ENV must be production, demo or test, not {value!r}"
        raise ConfigurationError(None, message) from None


def _data_key(value: str) -> bytes:
    try:
        key = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != _DATA_KEY_BYTES:
        message = "OUTPOST_DATA_KEY must be 32 random bytes in base64"
        raise ConfigurationError(None, message)
    return key


def _refuse_weak(secret_key: str, public_url: str) -> None:
    if len(secret_key) < _MIN_SECRET_CHARS or any(w in secret_key.lower() for w in _WELL_KNOWN):
        message = "OUTPOST_SECRET_KEY is short or well known; use 32 or more random characters"
        raise ConfigurationError(None, message)
    if not public_url.startswith("https://"):
        message = "OUTPOST_PUBLIC_URL must begin with https:// in production"
        raise ConfigurationError(None, message)
