"""The OsmAnd protocol in all the shapes its clients give it."""

import json
from typing import Any

import pytest

from geo.fix import QualityFlag
from ingest.wire import Ignored, RadioScan, Rejection, WireFix
from ingest.wire.instants import Envelope
from ingest.wire.osmand import decode

_T = 1_790_000_000


def _one(payload: str | bytes, envelope: Envelope | None = None) -> Any:
    raw = payload.encode() if isinstance(payload, str) else payload
    (found,) = decode(raw, envelope or Envelope())
    return found


def test_request_line_path_and_query_alone_and_form_are_the_same_message() -> None:
    query = f"id=a&timestamp={_T}&lat=31.2&lon=121.5"
    shapes = [query, f"/?{query}", f"/pub/osmand/u/s?{query}", f"GET /?{query} HTTP/1.1"]
    shapes += [f"https://h.example/?{query}", f"lat=31.2&lon=121.5&id=a&timestamp={_T}"]
    found = [_one(shape) for shape in shapes]
    assert len({fix.key for fix in found}) == 1
    # Nothing of an address is kept: a credential may be in it.
    assert not [fix for fix in found if b"/" in fix.raw]


def test_units_of_traccar_client_8_and_10() -> None:
    fix = _one(f"id=1&timestamp={_T}&lat=1&lon=2&speed=10&accuracy=0.0&batt=87.6&charge=true")
    assert fix.speed_mps == pytest.approx(5.14444, abs=1e-4)
    # 0 is what version 8 sends for each fix of the GPS.
    assert fix.accuracy_m is None
    assert QualityFlag.NO_ACCURACY in QualityFlag(fix.flags)
    assert (fix.battery_pct, fix.charging, fix.mock) == (88, True, None)
    mocked = _one(f"id=1&timestamp={_T}&lat=1&lon=2&mock=true")
    assert (mocked.mock, QualityFlag.MOCK in QualityFlag(mocked.flags)) == (True, True)


@pytest.mark.parametrize(
    ("unit", "mps"), [("", 18.00556), ("&speed_unit=mps", 35.0), ("&speed_unit=kmh", 9.7222)]
)
def test_an_address_may_name_the_unit_of_speed(unit: str, mps: float) -> None:
    fix = _one(f"timestamp={_T}&lat=1&lon=2&speed=35{unit}")
    assert fix.speed_mps == pytest.approx(mps, abs=1e-4)


def test_an_unknown_unit_is_no_guess() -> None:
    assert _one(f"timestamp={_T}&lat=1&lon=2&speed=35&speed_unit=mph").reason == "type"


@pytest.mark.parametrize(
    "told", [f"{_T}", f"{_T}000", f"{_T}.0", "2026-09-21T14:13:20Z", "2026-09-21T22:13:20%2B0800"]
)
def test_times_in_every_form(told: str) -> None:
    assert _one(f"timestamp={told}&lat=1&lon=2").fixed_s == _T


def test_a_time_without_a_zone_is_utc_only_in_the_form_of_the_protocol() -> None:
    assert _one("timestamp=2026-09-21+14:13:20&lat=1&lon=2").fixed_s == _T
    assert _one("timestamp=2026-09-21T14:13:20&lat=1&lon=2").reason == "type"


def test_without_a_time_the_receipt_stands_in_and_says_so() -> None:
    fix = _one("lat=1&lon=2", Envelope(received_s=float(_T)))
    assert (fix.fixed_s, QualityFlag.NO_TST in QualityFlag(fix.flags)) == (_T, True)


def test_cells_without_a_position_do_not_name_a_radio_that_nobody_told() -> None:
    scan = _one(f"id=1&timestamp={_T}&cell=460,00,9763,21569,-71&cell=460,00,9763,21570&batt=40")
    assert isinstance(scan, RadioScan)
    assert [(c.radio, c.mcc, c.mnc, c.area, c.cell, c.signal_dbm) for c in scan.cells] == [
        (None, 460, 0, 9763, 21569, -71),
        (None, 460, 0, 9763, 21570, None),
    ]
    assert scan.battery_pct == 40


def test_towers_that_cannot_be_are_left_out_and_counted() -> None:
    base = f"timestamp={_T}&lat=1&lon=2"
    bad = ["460,0,0,5", "460,0,65535,5", "0,0,7,5", "999,0,7,5", "460,0,7,2147483647", "460,0,7,-1"]
    fix = _one(
        base + "".join(f"&cell={cell}" for cell in [*bad, "460,0,7", "a,b,c,d", "460,0,7,9"])
    )
    assert isinstance(fix, WireFix)
    assert len(fix.cells) == 1
    assert sorted(fix.dropped) == [
        "area_reserved", "area_reserved", "incomplete", "incomplete", "malformed",
        "malformed", "mcc_range", "mcc_range",
    ]  # fmt: skip


def test_a_thousand_towers_are_not_kept() -> None:
    towers = "".join(f"&cell=460,0,7,{no}" for no in range(1, 200))
    fix = _one(f"timestamp={_T}&lat=1&lon=2{towers}")
    assert len(fix.cells) == 32
    assert fix.dropped == ("too_many",) * 167


def test_only_access_points_that_stay_where_they_are() -> None:
    aps = ["00-14-22-01-23-45,-80", "02-14-22-01-23-45,-80", "01-00-5e-01-23-45", "zz", "0014.22"]
    fix = _one(f"timestamp={_T}&lat=1&lon=2" + "".join(f"&wifi={ap}" for ap in aps))
    assert [(w.mac, w.signal_dbm) for w in fix.wifi] == [("00:14:22:01:23:45", -80)]
    assert len(fix.dropped) == 4


def test_a_position_that_the_client_calls_invalid_is_none() -> None:
    assert _one(f"timestamp={_T}&lat=1&lon=2&valid=false").reason == "type"
    scan = _one(f"timestamp={_T}&lat=1&lon=2&valid=0&cell=460,0,7,9")
    assert isinstance(scan, RadioScan)


def test_latitude_and_longitude_in_one_parameter() -> None:
    fix = _one(f"timestamp={_T}&location=31.2,121.5")
    assert (fix.lat_deg, fix.lon_deg) == (31.2, 121.5)
    assert _one(f"timestamp={_T}&location=31.2").reason == "type"


def test_another_name_than_ours_is_flagged_and_decides_nothing() -> None:
    fix = _one(f"id=eve&timestamp={_T}&lat=1&lon=2", Envelope(username="phone-alice"))
    assert QualityFlag.CLAIM_MISMATCH in QualityFlag(fix.flags)
    assert fix.claimed == "eve"


def test_the_flat_batch_of_version_10_has_knots_and_each_position_a_key_of_its_own() -> None:
    flat = {"id": "a", "timestamp": _T, "lat": 1.5, "lon": 2.5, "speed": 19.44, "batt": 40}
    payload = json.dumps([flat, flat | {"timestamp": _T + 10}, flat | {"lat": 91}, 7]).encode()
    first, second, third, fourth = decode(payload, Envelope())
    assert isinstance(first, WireFix)
    assert isinstance(second, WireFix)
    assert first.speed_mps == pytest.approx(10.0, abs=0.01)
    assert (first.key != second.key, second.fixed_s) == (True, _T + 10)
    assert [getattr(bad, "reason", None) for bad in (third, fourth)] == ["range", "shape"]
    assert decode(json.dumps([flat]).encode(), Envelope()) == [first]


def test_unknowns_of_version_9_are_none() -> None:
    coords = {"latitude": 1.5, "longitude": 2.5, "accuracy": 5, "speed": -1, "heading": -1}
    location: dict[str, Any] = {"timestamp": "2026-09-21T14:13:20.5Z", "coords": coords}
    location |= {"battery": {"level": -1, "is_charging": False}, "mock": True}
    fix = _one(json.dumps({"location": location, "device_id": "a"}))
    assert (fix.speed_mps, fix.course_deg, fix.battery_pct) == (None, None, None)
    assert (fix.charging, fix.mock, fix.fixed_s) == (False, True, _T + 0.5)
    assert not QualityFlag(fix.flags) & QualityFlag.FIELD_NULLED


def test_nothing_is_nothing() -> None:
    assert decode(b"", Envelope()) == [Ignored.EMPTY]
    assert isinstance(_one("/"), Rejection)
