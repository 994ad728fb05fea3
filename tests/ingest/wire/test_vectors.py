"""Messages of real clients with expected decodes, read where they lie."""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from geo.fix import to_epoch_s
from ingest.wire import RadioScan, WireFix
from ingest.wire.formats import BY_NAME
from ingest.wire.instants import Envelope

_FOLDER = Path(__file__).resolve().parents[4] / "shared" / "data" / "protocols"
_SAME = {"lat": "lat_deg", "lon": "lon_deg", "accuracy_m": "accuracy_m"}
_SAME |= {"altitude_m": "altitude_m", "battery_pct": "battery_pct", "mock": "mock"}
_SAME |= {"bearing_deg": "course_deg", "speed_mps": "speed_mps", "device": "claimed"}
_EXTRAS = ("is_moving", "activity", "odometer_m", "motion")


def _vectors(name: str) -> Any:
    path = _FOLDER / name
    if not path.is_file():
        pytest.skip("the shared protocol vectors are not beside this checkout")
    return json.loads(path.read_text(encoding="utf-8"))


def _decoded(name: str, message: object) -> list[WireFix | RadioScan]:
    payload = message if isinstance(message, str) else json.dumps(message)
    found = BY_NAME[name].decode(payload.encode(), Envelope())
    assert all(isinstance(result, (WireFix, RadioScan)) for result in found), found
    return [result for result in found if isinstance(result, (WireFix, RadioScan))]


def _compare(found: WireFix | RadioScan, expected: dict[str, Any]) -> None:
    for name, ours in _SAME.items():
        if name in expected:
            assert getattr(found, ours) == expected[name], name
    if "speed_mps_if_knots" in expected:
        assert isinstance(found, WireFix)
        assert found.speed_mps == pytest.approx(expected["speed_mps_if_knots"], abs=1e-4)
    if "t_epoch_s" in expected:
        assert found.fixed_s == expected["t_epoch_s"]
    for name in ("t", "t_utc", "t_text"):
        if name in expected:
            text = expected[name].replace(" ", "T").removesuffix("Z") + "+00:00"
            assert found.fixed_s == pytest.approx(to_epoch_s(datetime.fromisoformat(text)))
    for name in _EXTRAS:
        if name in expected:
            assert (found.extras or {})[name] == expected[name]
    if "cells" in expected:
        shown = [(c.mcc, c.mnc, c.area, c.cell, c.signal_dbm) for c in found.cells]
        keys = ("mcc", "mnc", "lac", "cid", "rssi_dbm")
        assert shown == [tuple(cell.get(key) for key in keys) for cell in expected["cells"]]
    if "wifi" in expected:
        shown_wifi = [{"mac": w.mac, "rssi_dbm": w.signal_dbm} for w in found.wifi]
        assert shown_wifi == expected["wifi"]


def test_queries_of_the_osmand_protocol() -> None:
    vectors = _vectors("osmand_traccar.json")["query"]
    assert len(vectors) >= 6
    for vector in vectors:
        (found,) = _decoded("osmand", vector["url"])
        assert vector["expect"]["accept"]
        _compare(found, vector["expect"])
        assert isinstance(found, WireFix) is ("lat" in vector["expect"])


def test_json_of_traccar_client_9() -> None:
    for vector in _vectors("osmand_traccar.json")["json_traccar_client_9"]:
        (found,) = _decoded("osmand", vector["body"])
        _compare(found, vector["expect"])


def test_a_batch_of_overland() -> None:
    vectors = _vectors("overland.json")
    found = _decoded("overland", vectors["request"])
    assert len(found) == len(vectors["expect"])
    for result, expected in zip(found, vectors["expect"], strict=True):
        _compare(result, expected)
        assert isinstance(result, WireFix)
        # A negative vertical accuracy makes the height void.
        assert result.altitude_m is None


def test_records_of_network_survey() -> None:
    messages = {m["messageType"]: m for m in _vectors("network_survey_mqtt.json")["messages"]}
    found = {kind: _decoded("network-survey", message)[0] for kind, message in messages.items()}
    for result in found.values():
        assert isinstance(result, WireFix)
        assert result.fixed_s == to_epoch_s(datetime.fromisoformat("1996-12-20T00:39:57+00:00"))
        assert (result.lon_deg, result.lat_deg) == (-0.486594, 51.470334)
        assert (result.accuracy_m, result.altitude_m) == (40.0, 13.3)
        # Where the phone points is not where it goes.
        assert (result.course_deg, result.speed_mps, result.mock) == (None, None, None)
    (gsm,) = found["GsmRecord"].cells
    assert (gsm.radio, gsm.mcc, gsm.mnc, gsm.area, gsm.cell) == ("gsm", 310, 410, 174, 47241)
    assert (gsm.signal_dbm, gsm.timing_advance, gsm.serving) == (-73, 4, False)
    (lte,) = found["LteRecord"].cells
    assert (lte.radio, lte.mcc, lte.mnc, lte.area) == ("lte", 311, 480, 52803)
    assert (lte.cell, lte.signal_dbm, lte.unit, lte.serving) == (52824577, -107, 234, True)
    # Its area is the number that stands for none.
    assert (found["UmtsRecord"].cells, found["UmtsRecord"].dropped) == ((), ("area_reserved",))
    assert found["DeviceStatus"].battery_pct == 38
    # Records of one scan name one fix.
    assert found["GsmRecord"].key == found["LteRecord"].key != found["DeviceStatus"].key


def test_a_submission_of_geosubmit() -> None:
    (found,) = _decoded("geosubmit", _vectors("ichnaea.json")["geosubmit_v2"])
    assert isinstance(found, WireFix)
    # Both ages count back from the timestamp.
    assert found.fixed_s == pytest.approx(1405602027.568)
    assert (found.lat_deg, found.lon_deg, found.accuracy_m) == (-22.7539192, -43.4371081, 10.0)
    assert (found.speed_mps, found.course_deg, found.altitude_m) == (3.6, 45.0, 100.0)
    (cell,) = found.cells
    assert (cell.radio, cell.mcc, cell.mnc, cell.area, cell.cell) == ("lte", 208, 1, 2, 12345)
    assert (cell.signal_dbm, cell.timing_advance, cell.serving) == (-51, 1, True)
    assert (cell.unit, cell.age_s) == (5, 2.0)
