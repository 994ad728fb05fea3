"""Submissions of survey apps: ages, sources, access points."""

import json
from typing import Any

import pytest

from geo.fix import Source
from ingest.wire import AccessPoint, Ignored, RadioScan, WireFix
from ingest.wire.geosubmit import decode
from ingest.wire.instants import Envelope

_MS = 1_790_000_000_000
_TOWER = {"radioType": "wcdma", "mobileCountryCode": 460, "mobileNetworkCode": 1}
_TOWER |= {"locationAreaCode": 7, "cellId": 70_000, "signalStrength": -90, "age": 500}


def _items(*items: dict[str, Any]) -> list[Any]:
    return decode(json.dumps({"items": items}).encode(), Envelope())


def _item(**position: Any) -> dict[str, Any]:
    place = {"latitude": 31.23, "longitude": 121.47, "accuracy": 9.0}
    return {"timestamp": _MS, "position": place | position, "cellTowers": [_TOWER]}


def test_ages_of_position_and_cell_count_back_from_the_item() -> None:
    (fix,) = _items(_item(age=2_000))
    assert isinstance(fix, WireFix)
    assert fix.fixed_s == _MS / 1000 - 2
    assert [(cell.radio, cell.age_s) for cell in fix.cells] == [("umts", -1.5)]


def test_an_old_position_and_fresh_cells_go_apart_and_keep_only_their_half() -> None:
    fix, scan = _items(_item(age=600_000))
    assert isinstance(fix, WireFix)
    assert isinstance(scan, RadioScan)
    assert (fix.fixed_s, scan.fixed_s) == (_MS / 1000 - 600, _MS / 1000)
    assert (fix.cells, len(scan.cells)) == ((), 1)
    assert (b"121.47" in scan.raw, b"cellTowers" in fix.raw) == (False, False)


@pytest.mark.parametrize(
    ("source", "ours"),
    [("gps", Source.GPS), ("fused", Source.GPS), ("manual", Source.UNKNOWN), (7, Source.UNKNOWN)],
)
def test_what_measured_a_position(source: Any, ours: Source) -> None:
    assert _items(_item(source=source))[0].source is ours


def test_names_of_networks_and_beacons_are_not_kept() -> None:
    points = [
        {"macAddress": "00:14:22:01:23:45", "signalStrength": -60, "ssid": "cafe"},
        {"macAddress": "00:14:22:01:23:46", "ssid": "home_NOMAP"},
        {"macAddress": "02:14:22:01:23:46"},
    ]
    beacons = [{"macAddress": "00:14:22:01:23:47", "name": "ring"}]
    (fix,) = _items(_item() | {"wifiAccessPoints": points, "bluetoothBeacons": beacons})
    assert fix.wifi == (AccessPoint("00:14:22:01:23:45", -60),)
    assert not [word for word in (b"cafe", b"NOMAP", b"ring", b'23:46","ssid') if word in fix.raw]


def test_an_item_without_a_position_is_a_scan_and_seconds_are_refused() -> None:
    scan, refused = _items(
        {"timestamp": _MS, "cellTowers": [_TOWER]}, _item() | {"timestamp": 1.79e9}
    )
    assert isinstance(scan, RadioScan)
    assert refused.reason == "tst_unit"
    assert _items() == [Ignored.EMPTY]
