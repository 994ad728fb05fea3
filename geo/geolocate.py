"""The geolocate message many services share: cells in, a circle or `notFound` out."""

from collections.abc import Mapping
from typing import Any, Final

from geo.cell_identity import Radio
from geo.cells import CellPlace, CellSeen
from geo.errors import UnreadableInput

NOT_FOUND: Final = {
    "error": {
        "errors": [{"domain": "geolocation", "reason": "notFound", "message": "Not found"}],
        "code": 404,
        "message": "Not found",
    }
}
MAX_CELLS: Final = 64
_RADIO_NAMES: Final = {
    **{radio.value: radio for radio in Radio}, "wcdma": Radio.UMTS, "newradio": Radio.NR,
}  # fmt: skip
_MAX_DIGITS: Final = 19


def read_request(request: object) -> tuple[CellSeen, ...]:
    """Return the cells of a geolocate request, unchecked.

    Wi-Fi networks and Bluetooth beacons are not looked at. The radio and the network of the
    request stand in where a tower names none.

    Raises
    ------
    UnreadableInput : not an object, or ``cellTowers`` is not a list of objects.
    """
    if not isinstance(request, Mapping):
        raise UnreadableInput("not_request", "not a JSON object")
    towers = request.get("cellTowers", [])
    if not isinstance(towers, list) or not all(isinstance(t, Mapping) for t in towers):
        raise UnreadableInput("not_request", "cellTowers is not a list of objects")
    return tuple(_tower(tower, request) for tower in towers[:MAX_CELLS])


def wants_area(request: Mapping[str, Any]) -> bool:
    """Whether the answer may be that of a location area; so it is unless the request says no."""
    fallbacks = request.get("fallbacks")
    return not (isinstance(fallbacks, Mapping) and fallbacks.get("lacf") is False)


def answer(place: object) -> dict[str, Any]:
    """Return the response body: degrees to seven decimals, metres to one.

    Parameters
    ----------
    place : a `CellPlace`; anything else is answered with `NOT_FOUND`.
    """
    if not isinstance(place, CellPlace):
        return dict(NOT_FOUND)
    body: dict[str, Any] = {
        "location": {"lat": round(place.lat_deg, 7), "lng": round(place.lon_deg, 7)},
        "accuracy": round(place.accuracy_m, 1),
    }
    return body | ({"fallback": "lacf"} if place.is_area else {})


def _tower(tower: Mapping[str, Any], request: Mapping[str, Any]) -> CellSeen:
    said = tower.get("radioType", request.get("radioType"))
    name = said.lower() if isinstance(said, str) else None
    area, cell = _whole(tower.get("locationAreaCode")), _whole(tower.get("cellId"))
    if cell is None:
        cell = _whole(tower.get("newRadioCellId"))
    age_ms, dbm = _number(tower.get("age")), _number(tower.get("signalStrength"))
    serving = tower.get("serving")
    if name is not None and name not in _RADIO_NAMES:
        # A name nobody knows is no cell of any radio; without numbers it is refused as such.
        area = cell = None
    return CellSeen(
        radio=None if name is None else _RADIO_NAMES.get(name),
        mcc=_whole(tower.get("mobileCountryCode", request.get("homeMobileCountryCode"))),
        mnc=_whole(tower.get("mobileNetworkCode", request.get("homeMobileNetworkCode"))),
        area=area,
        cell=cell,
        signal_dbm=dbm if dbm is not None and -150.0 <= dbm < 0.0 else None,
        age_s=None if age_ms is None else max(age_ms, 0.0) / 1000.0,
        serving=bool(serving) if isinstance(serving, (bool, int)) else None,
    )


def _whole(value: object) -> int | None:
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= _MAX_DIGITS:
        return int(value)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, (int, float)) and type(value) is not bool else None
