"""Logs as JSON lines: UTC, no position, name, token or password.

What an entry says is filtered by key and by form. Every process uses this; the web
processes add the request and an opaque actor (`server.http.logs`).
"""

import json
import logging
import re
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

_KEYS = (
    "lat|lon|lng|latitude|longitude|phone|token|password|passwd|secret|authorization|cookie|"
    "csrf_token|set-cookie|sid|name|login"
)
_KEYED = re.compile(
    rf"(?i)([\"']?\b(?:{_KEYS})\b[\"']?\s*[:=]\s*)(\"[^\"]*\"|'[^']*'|[^\s,;&}})\]]+)"
)
_COORDINATES = re.compile(r"-?\d{1,3}\.\d{4,}(?:[\s,;]+-?\d{1,3}\.\d{4,})+")
# One float in brackets is enough: columns of a batch are lists of latitudes only.
_FLOATS = re.compile(r"[\[({]\s*-?\d{1,3}\.\d+(?:[\s,;]+-?\d{1,3}\.\d+)*[\s,;]*[\])}]")
# How PostgreSQL quotes a row that broke a rule.
_ROW = re.compile(r"(?i)(failing row contains )\([^\n]*\)")
_SESSION = re.compile(r"\b[1-9]\d{0,8}\.[A-Za-z0-9_-]{43}\b")
_BEARER = re.compile(r"(?i)\b(basic|bearer)\s+[A-Za-z0-9+/=._~:-]{8,}")
# Phones that know nothing but an address have their credential in it.
_ADDRESS = re.compile(r"(/pub/[a-z-]+/)[^\s\"'?]+")
_MAX_CHARS = 8_000


def redact(text: str) -> str:
    """Return a text without what must not be logged, on one line."""
    text = _ADDRESS.sub(r"\1[redacted]", text)
    text = _BEARER.sub(r"\1 [redacted]", text)
    text = _SESSION.sub("[redacted]", text)
    text = _KEYED.sub(r"\1[redacted]", text)
    text = _ROW.sub(r"\1[redacted]", text)
    text = _FLOATS.sub("[redacted]", text)
    text = _COORDINATES.sub("[redacted]", text)
    return text[:_MAX_CHARS]


def _nothing() -> Mapping[str, object]:
    return {}


class JsonFormatter(logging.Formatter):
    """One JSON object a line.

    Parameters
    ----------
    context : further fields of an entry, asked for each time.
    """

    def __init__(self, context: Callable[[], Mapping[str, object]] = _nothing) -> None:
        super().__init__()
        self._context = context

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as JSON; line breaks are escaped by the encoding."""
        at = datetime.fromtimestamp(record.created, UTC)
        entry: dict[str, object] = {
            "at": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": redact(record.getMessage()),
            **self._context(),
        }
        if record.exc_info:
            entry["exception"] = redact(self.formatException(record.exc_info))
        return json.dumps(entry, ensure_ascii=False)


def configure_logs(
    level: int = logging.INFO, *, context: Callable[[], Mapping[str, object]] = _nothing
) -> None:
    """Send all logs of this process to standard error as JSON lines."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter(context))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    # It names every statement's parameters when it complains.
    logging.getLogger("sqlalchemy.engine").setLevel(logging.ERROR)
