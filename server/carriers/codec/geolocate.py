"""The geolocate interface of Google and Ichnaea: cells and networks in, a position out."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson

from server.carriers.codec.shapes import Disc
from server.carriers.codec.xml_tree import Malformed
from server.carriers.rules import RefusalCode

_MAX_CELLS: Final = 32
_MAX_NETWORKS: Final = 64
_RADIOS: Final = {"gsm": "gsm", "umts": "wcdma", "lte": "lte", "nr": "nr", "cdma": "cdma"}
_BUSY: Final = frozenset({"dailyLimitExceeded", "userRateLimitExceeded", "limitExceeded"})


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenCell:
    """One radio cell of a report; `radio` gsm, umts, lte, nr or cdma.

    `area` is LAC, TAC or NID; `mnc` of CDMA is the SID; `age_s` seconds before the report.
    """

    radio: str
    mcc: int | None
    mnc: int | None
    area: int | None
    cell: int
    signal_dbm: int | None = None
    timing_advance: int | None = None
    age_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenNetwork:
    """One wireless network of a report; `mac` six pairs of hexadecimal digits."""

    mac: str
    signal_dbm: int | None = None


@dataclass(frozen=True, slots=True)
class Placed:
    """Where the service says they are; `area` when it only knew the area of the cells."""

    disc: Disc
    area: bool


@dataclass(frozen=True, slots=True)
class NotPlaced:
    """Why the service gives no position."""

    code: RefusalCode
    detail: str


def write_request(cells: Sequence[SeenCell], networks: Sequence[SeenNetwork]) -> bytes:
    """Return the JSON of one question.

    Our own address is never to be considered: it says where the server stands, not where
    the phone is. At most 32 cells and 64 networks, the first of them.
    """
    towers = [_tower(cell) for cell in cells[:_MAX_CELLS] if cell.radio in _RADIOS]
    points = [
        _without_none({"macAddress": network.mac, "signalStrength": network.signal_dbm})
        for network in networks[:_MAX_NETWORKS]
    ]
    return orjson.dumps(
        {
            "considerIp": False,
            "fallbacks": {"lacf": True, "ipf": False},
            **({"cellTowers": towers} if towers else {}),
            **({"wifiAccessPoints": points} if points else {}),
        }
    )


def _tower(cell: SeenCell) -> dict[str, Any]:
    return _without_none(
        {
            "radioType": _RADIOS[cell.radio],
            "mobileCountryCode": cell.mcc,
            "mobileNetworkCode": cell.mnc,
            "locationAreaCode": cell.area,
            # Google names the 36 bits of 5G apart from the others.
            ("newRadioCellId" if cell.radio == "nr" else "cellId"): cell.cell,
            "signalStrength": cell.signal_dbm,
            "timingAdvance": cell.timing_advance,
            "age": None if cell.age_s is None else max(0, round(cell.age_s * 1000)),
        }
    )


def read_answer(status: int, body: bytes) -> Placed | NotPlaced | Malformed:
    """Read an answer.

    Parameters
    ----------
    status : of HTTP.
    body : as it came.

    Returns
    -------
    A position with the service's accuracy (95 % with Ichnaea), which has to be there; a
    refusal; or why the answer cannot be read. A guess by network address is a refusal.
    """
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError:
        content = None
    if status != 200:
        return _refusal(status, content)
    if not isinstance(content, dict):
        return Malformed("json", "the answer is no JSON object")
    fallback = content.get("fallback")
    if fallback == "ipf":
        return NotPlaced(RefusalCode.IP_ONLY, "")
    if fallback not in {None, "lacf"}:
        return Malformed("fallback", "a fallback that is not known")
    place = content.get("location")
    if not isinstance(place, dict):
        return Malformed("location", "no location")
    lon, lat = _measure(place.get("lng"), 180.0), _measure(place.get("lat"), 90.0)
    accuracy = content.get("accuracy")
    if lon is None or lat is None:
        return Malformed("location", "lat or lng is missing or out of range")
    radius_m = _measure(accuracy, 1e7)
    if radius_m is None or radius_m <= 0:
        return Malformed("accuracy", "accuracy is missing or out of range")
    return Placed(Disc(lon, lat, radius_m), area=fallback == "lacf")


def _refusal(status: int, content: Any) -> NotPlaced | Malformed:  # noqa: ANN401  # any JSON
    reason = _reason(content)
    if status == 404 and reason in {"notFound", ""}:
        return NotPlaced(RefusalCode.NOT_FOUND, "")
    if status == 429 or reason in _BUSY:
        return NotPlaced(RefusalCode.CONGESTED, reason)
    if status in {401, 403} or reason == "keyInvalid":
        return NotPlaced(RefusalCode.UNAUTHORISED, reason)
    if status == 400:
        return NotPlaced(RefusalCode.NOT_UNDERSTOOD, reason)
    return NotPlaced(RefusalCode.HTTP_STATUS, f"HTTP {status}")


def _reason(content: Any) -> str:  # noqa: ANN401  # any JSON
    error = content.get("error") if isinstance(content, dict) else None
    errors = error.get("errors") if isinstance(error, dict) else None
    first = errors[0] if isinstance(errors, list) and errors else None
    reason = first.get("reason") if isinstance(first, dict) else None
    return reason if isinstance(reason, str) and reason.isascii() and len(reason) <= 60 else ""


def _measure(value: Any, most: float) -> float | None:  # noqa: ANN401  # any JSON
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value) if math.isfinite(value) and abs(value) <= most else None


def _without_none(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}
