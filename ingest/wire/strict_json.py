"""JSON as strict as storage needs it, at the speed of orjson for honest messages.

What orjson lets through and PostgreSQL or people would choke on: a key given twice,
nesting beyond reason, NUL in text, thousands of keys. Honest messages are proved clean by
counting bytes; only suspicious ones are scanned again.
"""

import json
import re
from typing import Any

import orjson

from ingest.wire import Reason, Rejection

MAX_BYTES = 65_536
"""Largest message; the broker refuses larger packets, HTTP batches are split before."""
MAX_DEPTH = 16
MAX_KEYS = 64
MAX_KEY_BYTES = 64

_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_LONE_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")


class _DuplicateKeyError(ValueError):
    pass


def loads(payload: bytes, *, max_bytes: int = MAX_BYTES) -> Any | Rejection:
    """Parse one message.

    Parameters
    ----------
    payload : bytes as they came.
    max_bytes : larger messages are rejected unread.

    Returns
    -------
    The JSON value, or a `Rejection` with one of the reasons size, json, depth, text,
    dup_key. About 1 µs for an ordinary message.
    """
    if len(payload) > max_bytes:
        return Rejection(Reason.SIZE, f"{len(payload)} bytes, at most {max_bytes}")
    if payload.count(b"{") + payload.count(b"[") > MAX_DEPTH and _depth(payload) > MAX_DEPTH:
        return Rejection(Reason.DEPTH, f"nested deeper than {MAX_DEPTH}")
    try:
        value = orjson.loads(payload)
    except orjson.JSONDecodeError as error:
        if _LONE_SURROGATE.search(payload) and _parses_leniently(payload):
            return Rejection(Reason.TEXT, "half of a surrogate pair in text")
        return Rejection(Reason.JSON, str(error)[:200])
    if b"\\u0000" in payload and _has_nul(value):
        return Rejection(Reason.TEXT, "NUL in text")
    # Every key is followed by a colon, so as many colons as distinct keys rule repeats out.
    colons = payload.count(b":")
    is_flat = type(value) is dict and colons == len(value)
    if not is_flat and colons != _count_keys(value) and _repeats_a_key(payload):
        return Rejection(Reason.DUP_KEY, "a key is given twice")
    return value


def check_object(value: Any) -> Rejection | None:
    """Return why an object is no acceptable message, None when it is one."""
    if not isinstance(value, dict):
        return Rejection(Reason.SHAPE, f"expected an object, not {type(value).__name__}")
    if len(value) > MAX_KEYS:
        return Rejection(Reason.KEYS, f"{len(value)} keys, at most {MAX_KEYS}")
    # No character takes more than four bytes.
    if value and max(map(len, value)) > MAX_KEY_BYTES // 4:
        longest = max(len(name.encode()) for name in value)
        if longest > MAX_KEY_BYTES:
            return Rejection(Reason.KEYS, f"a key of {longest} bytes, at most {MAX_KEY_BYTES}")
    return None


def _depth(payload: bytes) -> int:
    deepest = depth = 0
    for byte in _STRING.sub(b"", payload):
        if byte in b"{[":
            depth += 1
            deepest = max(deepest, depth)
        elif byte in b"}]":
            depth -= 1
    return deepest


def _count_keys(value: Any) -> int:
    if isinstance(value, dict):
        count = len(value)
        for inner in value.values():
            if isinstance(inner, (dict, list)):
                count += _count_keys(inner)
        return count
    if isinstance(value, list):
        return sum(_count_keys(inner) for inner in value if isinstance(inner, (dict, list)))
    return 0


def _repeats_a_key(payload: bytes) -> bool:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            raise _DuplicateKeyError
        return found

    try:
        json.loads(payload, object_pairs_hook=unique)
    except _DuplicateKeyError:
        return True
    return False


def _parses_leniently(payload: bytes) -> bool:
    try:
        json.loads(payload)
    except ValueError:
        return False
    return True


def _has_nul(value: Any) -> bool:
    if isinstance(value, str):
        return "\x00" in value
    if isinstance(value, dict):
        return any(_has_nul(name) or _has_nul(inner) for name, inner in value.items())
    if isinstance(value, list):
        return any(_has_nul(inner) for inner in value)
    return False
