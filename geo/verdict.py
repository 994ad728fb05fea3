"""Verdicts as bytes: canonical JSON, and the evidence every conclusion carries."""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from datetime import UTC, datetime
from enum import Enum, IntEnum
from typing import Any

import numpy as np

from geo import ALGORITHM_VERSION
from geo.errors import GeoError, UnreadableInput
from geo.fix import QualityFlag


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Why a rule concluded what it did: enough to run it again and to answer an objection.

    Attributes
    ----------
    rule : stable name, such as ``off_post``.
    policy_version, thresholds : what was in force.
    inputs : identities of what was looked at, by kind.
    figures : what was measured, with units in the names.
    reasons : stable codes, most important first.
    would_change : what would have made another verdict, nearest first: objects with ``if``,
        a stable code, and mostly ``limit`` and ``actual``.
    """

    rule: str
    policy_version: str
    thresholds: Mapping[str, Any]
    inputs: Mapping[str, Any]
    figures: Mapping[str, Any]
    reasons: tuple[str, ...] = ()
    would_change: tuple[Mapping[str, Any], ...] = ()
    algorithm_version: str = field(default=ALGORITHM_VERSION)

    def to_bytes(self) -> bytes:
        """Canonical JSON with sorted names; the same evidence gives the same bytes."""
        return canonical_json(self, sort_keys=True)

    @property
    def digest(self) -> str:
        """SHA-256 of the bytes, in hexadecimal."""
        return hashlib.sha256(self.to_bytes()).hexdigest()


def canonical_json(value: object, *, sort_keys: bool = False) -> bytes:
    """Encode a value as JSON that depends on nothing but the value.

    Instants become UTC with ``Z``, enums their values, dataclasses objects, numpy scalars
    and arrays plain numbers. No spaces, UTF-8, no trailing newline.

    Raises
    ------
    GeoError : ``not_finite`` for NaN or infinity, ``naive_time``, ``not_json`` for anything
        without a JSON form.
    """
    return json.dumps(
        _plain(value),
        ensure_ascii=False,
        allow_nan=False,
        separators=(",", ":"),
        sort_keys=sort_keys,
    ).encode()


def format_utc(at: datetime) -> str:
    """ISO 8601 with ``Z``; fractions only when there are any.

    Examples
    --------
    >>> format_utc(datetime(2026, 11, 18, 9, 0, tzinfo=UTC))
    '2026-11-18T09:00:00Z'
    """
    if at.tzinfo is None:
        raise GeoError("naive_time", "an instant needs a zone")
    text = at.astimezone(UTC).replace(tzinfo=None).isoformat()
    return (text.rstrip("0") if "." in text else text) + "Z"


def parse_instant(text: str) -> datetime:
    """Parse an aware instant from ISO 8601 text; a text without zone or offset is refused.

    Raises
    ------
    UnreadableInput : ``bad_time``, ``naive_time``.
    """
    try:
        at = datetime.fromisoformat(text.strip())
    except ValueError:
        raise UnreadableInput("bad_time", f"not an ISO 8601 time: {text[:40]!r}") from None
    if at.tzinfo is None:
        raise UnreadableInput("naive_time", f"time without zone or offset: {text[:40]!r}")
    return at.astimezone(UTC)


def _plain(value: object) -> Any:  # noqa: ANN401  # one case a type
    if isinstance(value, QualityFlag):
        return list(value.names())
    if isinstance(value, Enum):
        return int(value) if isinstance(value, IntEnum) else _plain(value.value)
    if value is None or isinstance(value, (bool, str, int)):
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise GeoError("not_finite", "a number is not finite")
        return value
    if isinstance(value, datetime):
        return format_utc(value)
    if isinstance(value, np.generic):
        return _plain(value.item())
    if is_dataclass(value) and not isinstance(value, type):
        return {member.name: _plain(getattr(value, member.name)) for member in fields(value)}
    if isinstance(value, Mapping):
        return {str(_plain(k)): _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple, np.ndarray)):
        return [_plain(v) for v in value]
    raise GeoError("not_json", f"no JSON form for {type(value).__name__}")
