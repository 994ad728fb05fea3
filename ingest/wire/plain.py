"""Plain OwnTracks positions, thousands at once, as columns.

Nearly every message is one flat object with fields of the expected kind. Those are read here
for a third of what `ingest.wire.owntracks.decode` costs, with the same result; whatever is
unusual in any way is left to it. A property test holds the two equal.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import repeat
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt
import orjson

from geo.distance import FloatArray
from geo.fix import BoolArray, IntArray, Source
from ingest.wire.instants import (
    EARLIEST_S,
    FUTURE_S,
    GPS_ROLLOVER_S,
    ROLLOVER_WINDOW_S,
)
from ingest.wire.numbers import MILLISECONDS_FROM, OLDEST_S
from ingest.wire.owntracks import (
    CHARGING,
    CONNECTIONS,
    KMH,
    MAX_BATCH,
    MAX_OBJECT_BYTES,
    MODES,
    NO_ACCURACY,
    NULLED,
    PING,
    RANGES,
    SOURCES,
)
from server.tracking.columns import FIX_ROW, SOURCE_CODES, objects

_KNOWN: Final = frozenset(
    {"_type", "_id", "acc", "alt", "batt", "bs", "BSSID", "cog", "conn", "created_at", "lat",
     "lon", "m", "p", "poi", "rad", "source", "SSID", "t", "tag", "tid", "tst", "vac", "vel"}
)  # fmt: skip
"""Members of a plain position: read here, or read by nobody."""
_SORTED: Final = orjson.OPT_SORT_KEYS
_NONE: Final = type(None)
_WHOLE: Final[frozenset[type]] = frozenset({int, _NONE})
_NUMBER: Final[frozenset[type]] = frozenset({int, float, _NONE})
_TEXT: Final[frozenset[type]] = frozenset({str, _NONE})
_CHARGING_CODES: Final = {None: -1} | {said: int(truth) for said, truth in CHARGING.items()}
_CONNECTION_TEXTS: Final = {said: name.encode() for said, name in CONNECTIONS.items()}
_MODE_TEXTS: Final = {said: name.encode() for said, name in MODES.items()}
_TRIGGER_CODES: Final = {None: 0} | {chr(code): code for code in range(1, 128)}
_SOURCE_CODES: Final = {None: SOURCE_CODES[Source.GPS]} | {
    said: SOURCE_CODES[source] for said, source in SOURCES.items()
}
_UNKNOWN_SOURCE: Final = SOURCE_CODES[Source.UNKNOWN]

Object = dict[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class Plain:
    """Positions read from some of the messages given.

    Attributes
    ----------
    rows : ``(n,)`` of `server.tracking.columns.FIX_ROW`, in order of the messages; `device_no`,
        `slot_no` and `via` are left to the caller.
    raw : ``(n,)`` messages, or members of an array, as they came.
    message_no : ``(n,)`` which message each is of, ascending.
    """

    rows: npt.NDArray[np.void]
    raw: npt.NDArray[np.object_]
    message_no: IntArray

    @classmethod
    def joined(cls, parts: Sequence[tuple[Self, int]]) -> Self:
        """Return what was read from several lists of messages, each of the length given."""
        if len(parts) == 1:
            return parts[0][0]
        before = np.cumsum([0, *(count for _, count in parts)])
        return cls(
            np.concatenate([part.rows for part, _ in parts]),
            np.concatenate([part.raw for part, _ in parts]),
            np.concatenate(
                [part.message_no + n for (part, _), n in zip(parts, before, strict=False)]
            ),
        )


def read_plain(payloads: Sequence[bytes], *, received_s: FloatArray) -> Plain:
    """Read the plain positions among messages of format `owntracks`.

    Parameters
    ----------
    payloads : ``(m,)`` objects or arrays of objects; an array is read as a whole or not at all.
    received_s : ``(m,)`` epoch seconds of receipt.

    Returns
    -------
    What `ingest.wire.owntracks.decode` would say of a device enrolled at any time, for the
    messages that are read. Never raises on content. About 5 µs a position.
    """
    found: list[Object] = []
    raw: list[bytes] = []
    numbers: list[int] = []
    for no, payload in enumerate(payloads):
        members = _plain_members(payload)
        if members is None:
            continue
        found += members
        if payload.lstrip()[0] == _BRACE:
            raw.append(payload)
            numbers.append(no)
        else:
            raw += map(orjson.dumps, members)
            numbers += [no] * len(members)
    message_no = np.array(numbers, dtype=np.int64)
    rows, odd = _columns(found, received_s[message_no])
    unread = np.zeros(len(payloads), dtype=bool)
    unread[message_no[odd]] = True
    good = ~unread[message_no]
    return Plain(rows[good], objects(raw)[good], message_no[good])


_BRACE: Final = ord("{")


def _plain_members(payload: bytes) -> list[Object] | None:
    """Return the positions of a message when its shape is plain, None when it is not.

    No escapes and no inner lists; as many colons as members and colons in the one value that
    has them: then no member is given twice and nothing is nested.
    """
    if b"\\" in payload:
        return None
    try:
        value = orjson.loads(payload)
    except orjson.JSONDecodeError:
        return None
    if type(value) is dict:
        if b"[" in payload or len(payload) > MAX_OBJECT_BYTES:
            return None
        value = [value]
    elif type(value) is not list or payload.count(b"[") > 1 or not 0 < len(value) <= MAX_BATCH:
        return None
    colons = 0
    for item in value:
        if type(item) is not dict or not _KNOWN.issuperset(item):
            return None
        if item.get("_type") != "location":
            return None
        colons += len(item)
        if "BSSID" in item:
            if type(item["BSSID"]) is not str:
                return None
            colons += item["BSSID"].count(":")
    return value if payload.count(b":") == colons else None


def _columns(found: list[Object], received_s: FloatArray) -> tuple[npt.NDArray[np.void], BoolArray]:
    """Return rows, and which of them are not plain after all."""
    rows = np.zeros(len(found), dtype=FIX_ROW)
    odd = np.zeros(len(found), dtype=bool)
    if not found:
        return rows, odd
    rows["key"] = _keys(found)
    rows["received_s"] = received_s
    fixed_s = _numbers(found, "tst", odd, kinds=_WHOLE)
    rows["fixed_s"] = fixed_s
    rows["lon_deg"], rows["lat_deg"] = (_numbers(found, name, odd) for name in ("lon", "lat"))
    with np.errstate(invalid="ignore"):
        # Comparisons the other way round would let NaN, which is "missing", through.
        odd |= ~(fixed_s < MILLISECONDS_FROM) | ~(fixed_s <= received_s + FUTURE_S)
        odd |= ~(fixed_s >= EARLIEST_S)
        odd |= np.abs(fixed_s + GPS_ROLLOVER_S - received_s) <= ROLLOVER_WINDOW_S
        odd |= ~(np.abs(rows["lon_deg"]) <= 180.0) | ~(np.abs(rows["lat_deg"]) <= 90.0)
        sent_s = _numbers(found, "created_at", odd, kinds=_WHOLE)
        rows["sent_s"] = np.where(
            (sent_s > OLDEST_S) & (sent_s < MILLISECONDS_FROM), sent_s, np.nan
        )
        measures, flags = _measures(found, odd)
    trigger = _words(found, "t", odd, _TRIGGER_CODES, -1)
    flags[trigger < 0] |= NULLED
    flags[trigger == ord("p")] |= PING
    rows["trigger"] = np.maximum(trigger, 0)
    rows["flags"] = flags
    rows["accuracy_m"] = measures["acc"]
    rows["speed_mps"] = measures["vel"] * KMH
    rows["course_deg"] = measures["cog"]
    rows["altitude_m"] = measures["alt"]
    rows["battery_pct"] = np.rint(np.nan_to_num(measures["batt"], nan=-1.0))
    rows["mock"] = -1
    rows["source"] = _words(found, "source", odd, _SOURCE_CODES, _UNKNOWN_SOURCE)
    rows["charging"] = _words(found, "bs", odd, _CHARGING_CODES, -1, kinds=_WHOLE)
    rows["connection"] = _words(found, "conn", odd, _CONNECTION_TEXTS, b"")
    rows["mode"] = _words(found, "m", odd, _MODE_TEXTS, b"", kinds=_WHOLE)
    odd |= [_opted_out(item.get("SSID")) for item in found]
    return rows, odd


def _keys(found: list[Object]) -> IntArray:
    """Return what `ingest.wire.owntracks.message_key` says of each."""
    digests = []
    for item in found:
        given = item.get("_id")
        if type(given) is str and given:
            content = b"_id:" + given.encode()
        else:
            content = orjson.dumps(item, None, _SORTED)
        digests.append(sha256(content).digest())
    return np.frombuffer(b"".join(digests), dtype=">i8")[::4].astype(np.int64)


def _measures(found: list[Object], odd: BoolArray) -> tuple[dict[str, FloatArray], IntArray]:
    """Return the measures with limits, NaN where unknown, and the flags that they give."""
    flags = np.zeros(len(found), dtype=np.int64)
    measures = {}
    for name, low, high, unknown in RANGES:
        value = _numbers(found, name, odd)
        if unknown is not None:
            value[value == unknown] = np.nan
        false = (value < low) | (value > high)
        value[false] = np.nan
        flags[false] |= NULLED
        measures[name] = value
    measures["acc"][measures["acc"] == 0.0] = np.nan
    flags[np.isnan(measures["acc"])] |= NO_ACCURACY
    return measures, flags


def _values(found: list[Object], name: str, odd: BoolArray, kinds: frozenset[type]) -> list[Any]:
    """Return one member of each, None where its type makes the row odd."""
    values = list(map(dict.get, found, repeat(name)))
    if not kinds.issuperset(map(type, values)):
        strange = [type(value) not in kinds for value in values]
        odd |= strange
        values = [None if bad else value for value, bad in zip(values, strange, strict=True)]
    return values


def _numbers(
    found: list[Object], name: str, odd: BoolArray, *, kinds: frozenset[type] = _NUMBER
) -> FloatArray:
    return np.array(_values(found, name, odd, kinds), dtype=np.float64)


def _words(
    found: list[Object],
    name: str,
    odd: BoolArray,
    codes: dict[Any, Any],
    otherwise: int | bytes,
    *,
    kinds: frozenset[type] = _TEXT,
) -> npt.NDArray[Any]:
    """Return what a table makes of one member; `otherwise` for what is not in it."""
    look_up: Callable[..., Any] = codes.get
    return np.array(list(map(look_up, _values(found, name, odd, kinds), repeat(otherwise))))


def _opted_out(name: object) -> bool:
    return type(name) is str and name.casefold().endswith("_nomap")
