"""Records of Network Survey: five radios, neighbours, states, scans."""

import json
from typing import Any

import pytest

from geo.fix import QualityFlag
from ingest.wire import Cell, DeviceEvent, Ignored, RadioScan, WireFix
from ingest.wire.instants import Envelope
from ingest.wire.network_survey import decode

_AT = "2026-11-18T12:00:00+08:00"


def _record(kind: str, **data: Any) -> dict[str, Any]:
    common = {"deviceSerialNumber": "1", "deviceTime": _AT, "missionId": "m", "groupNumber": 4}
    return {"version": "1.0", "messageType": kind, "data": common | data}


def _all(*messages: dict[str, Any]) -> list[Any]:
    payload = messages[0] if len(messages) == 1 else list(messages)
    return decode(json.dumps(payload).encode(), Envelope())


def _placed(**more: Any) -> dict[str, Any]:
    return {"latitude": 31.23, "longitude": 121.47, "accuracy": 12} | more


@pytest.mark.parametrize(
    ("kind", "data", "expected"),
    [
        (
            "NrRecord",
            {"mcc": 460, "mnc": 15, "tac": 1234567, "nci": "68719476735", "pci": 1007,
             "ssRsrp": -101.4, "ta": 3, "servingCell": True},
            Cell("nr", 460, 15, 1234567, 2**36 - 1, -101, 3, serving=True, unit=1007),
        ),
        (
            "CdmaRecord",
            {"sid": 13824, "nid": 7, "bsid": 4711, "signalStrength": -88.0, "servingCell": False},
            Cell("cdma", None, 13824, 7, 4711, -88, serving=False),
        ),
        (
            "UmtsRecord",
            {"mcc": 460, "mnc": 1, "lac": 7, "cid": 268435455, "psc": 511, "rscp": -90.0},
            Cell("umts", 460, 1, 7, 268435455, -90, None, None, 511),
        ),
        (
            "GsmRecord",
            {"mcc": 460, "lac": 7, "ci": 65535, "signalStrength": -71.0, "ta": 2147483647},
            # China Mobile is 00, and the app leaves out what is 0.
            Cell("gsm", 460, 0, 7, 65535, -71),
        ),
        (
            "LteRecord",
            {"mcc": 460, "mnc": 11, "tac": 65533, "eci": 268435454, "rsrp": 999.0},
            Cell("lte", 460, 11, 65533, 268435454),
        ),
    ],
)  # fmt: skip
def test_a_cell_of_each_radio(kind: str, data: dict[str, Any], expected: Cell) -> None:
    (fix,) = _all(_record(kind, **_placed(), **data))
    assert isinstance(fix, WireFix)
    assert fix.cells == (expected,)


@pytest.mark.parametrize(
    ("kind", "data", "reason"),
    [
        ("NrRecord", {"mcc": 460, "mnc": 0, "tac": 16777216, "nci": "5"}, "area_range"),
        ("NrRecord", {"mcc": 460, "mnc": 0, "tac": 7, "nci": str(2**36)}, "cell_range"),
        ("NrRecord", {"mcc": 460, "mnc": 0, "nci": "9223372036854775807"}, "incomplete"),
        ("LteRecord", {"mcc": 460, "mnc": 0, "tac": 65535, "eci": 5}, "area_reserved"),
        ("LteRecord", {"mcc": 460, "mnc": 0, "tac": 7, "eci": 268435455}, "cell_reserved"),
        ("LteRecord", {"pci": 77, "earfcn": 100}, "incomplete"),
        ("LteRecord", {"mcc": 310, "tac": 7, "eci": 5}, "mnc_range"),
        ("LteRecord", {"mcc": 460, "mnc": 0, "tac": 7, "eci": 5.5}, "incomplete"),
        ("LteRecord", {"mcc": True, "mnc": 0, "tac": 7, "eci": 5}, "mcc_range"),
        ("GsmRecord", {"mcc": 460, "mnc": 0, "ci": 5}, "incomplete"),
        ("GsmRecord", {"mcc": 460, "mnc": 0, "lac": 7, "ci": 65536}, "cell_range"),
        ("UmtsRecord", {"mcc": 460, "mnc": 0, "lac": 65534, "cid": 5}, "area_reserved"),
        ("CdmaRecord", {"sid": 32768, "nid": 7, "bsid": 5}, "mnc_range"),
        ("CdmaRecord", {"sid": 1, "nid": 65536, "bsid": 5}, "area_range"),
    ],
)
def test_an_identity_that_cannot_be_is_left_out_with_its_reason(
    kind: str, data: dict[str, Any], reason: str
) -> None:
    (fix,) = _all(_record(kind, **_placed(), **data))
    assert (fix.cells, fix.dropped) == ((), (reason,))
    (scan,) = _all(_record(kind, **data))
    assert isinstance(scan, RadioScan)
    assert (scan.cells, scan.dropped) == ((), (reason,))


def test_records_of_one_scan_make_one_fix_with_all_cells() -> None:
    serving = _record("LteRecord", **_placed(), mcc=460, mnc=0, tac=7, eci=5, servingCell=True)
    neighbour = _record("LteRecord", **_placed(), mcc=460, mnc=0, tac=7, eci=6, recordNumber=2)
    other = _record("GsmRecord", **_placed(), mcc=460, mnc=0, lac=9, ci=7)
    later = _record("GsmRecord", **_placed(), mcc=460, mnc=0, lac=9, ci=8, groupNumber=5)
    first, second = _all(serving, neighbour, other, later)
    assert [cell.cell for cell in first.cells] == [5, 6, 7]
    assert [cell.cell for cell in second.cells] == [8]
    assert len({_all(message)[0].key for message in (serving, neighbour, other)}) == 1
    assert first.key != second.key


def test_a_scan_without_a_position_has_cells_only() -> None:
    cell = {"mcc": 460, "mnc": 0, "tac": 7, "eci": 5}
    for unset in ({}, {"latitude": 0.0, "longitude": 0.0, "accuracy": 0}):
        (scan,) = _all(_record("LteRecord", **cell, **unset))
        assert isinstance(scan, RadioScan)
        assert [found.cell for found in scan.cells] == [5]


def test_a_position_from_long_ago_keeps_its_time_and_does_not_place_the_cells() -> None:
    cell = {"mcc": 460, "mnc": 0, "tac": 7, "eci": 5}
    fresh = _all(_record("LteRecord", **_placed(locationAge=2500), **cell))
    old = _all(_record("LteRecord", **_placed(locationAge=900_000), **cell))
    (fix,) = fresh
    stale, scan = old
    assert isinstance(scan, RadioScan)
    assert (stale.fixed_s, stale.cells) == (scan.fixed_s - 900, ())
    assert (fix.fixed_s, scan.cells) == (scan.fixed_s - 2.5, fix.cells)
    # Either may be of off duty, so neither keeps the other's half.
    assert (b"121.47" in stale.raw, b'"eci"' in stale.raw) == (True, False)
    assert (b"121.47" in scan.raw, b'"eci"' in scan.raw) == (False, True)
    assert decode(scan.raw, Envelope()) == [scan]
    assert decode(stale.raw, Envelope()) == [stale]
    # The next scan brings the same old position again; it is the same fix.
    again = _all(_record("LteRecord", **_placed(locationAge=900_004), **cell, groupNumber=9))
    assert (again[0].key, again[0].fixed_s) == (stale.key, stale.fixed_s)


def test_zero_is_unknown_where_the_format_cannot_say_otherwise() -> None:
    (fix,) = _all(_record("LteRecord", **_placed(accuracy=0, speed=0.0, heading=77.0)))
    assert (fix.accuracy_m, fix.speed_mps, fix.course_deg) == (None, None, None)
    assert QualityFlag.NO_ACCURACY in QualityFlag(fix.flags)
    (moving,) = _all(_record("LteRecord", **_placed(speed=1.25)))
    assert moving.speed_mps == 1.25


def test_the_state_of_a_phone_tells_the_cells_it_is_registered_to() -> None:
    lte = {"mcc": 460, "mnc": 0, "tac": 7, "eci": 5, "pci": 1}
    registered = [
        {"domain": "CS", "accessNetworkTechnology": "LTE", "cellIdentityLte": lte},
        {"domain": "PS", "accessNetworkTechnology": "LTE", "cellIdentityLte": lte},
        {"domain": "PS", "cellIdentityNr": {"mcc": 460, "mnc": 0, "tac": 8, "nci": "68719476735"}},
        "nonsense",
    ]
    (scan,) = _all(_record("PhoneState", networkRegistrationInfo=registered))
    assert [(cell.radio, cell.cell, cell.serving) for cell in scan.cells] == [
        ("lte", 5, True),
        ("nr", 2**36 - 1, True),
    ]
    (event,) = _all(_record("PhoneState", simState="READY"))
    assert isinstance(event, DeviceEvent)
    assert event.body == {"registered": False}


def test_the_status_of_a_device_without_a_position_is_an_event() -> None:
    (event,) = _all(_record("DeviceStatus", batteryLevelPercent=38, deviceModel="X"))
    assert (event.kind, event.body) == ("status", {"battery_pct": 38})


@pytest.mark.parametrize("kind", ["WifiBeaconRecord", "BluetoothRecord", "GnssRecord", "LteNas"])
def test_what_others_nearby_carry_is_not_kept(kind: str) -> None:
    assert _all(_record(kind, **_placed(), ssid="home")) == [Ignored.SURVEY]


def test_a_foreign_record_is_refused() -> None:
    (refused,) = _all(_record("FaxRecord", **_placed()))
    assert (refused.reason, refused.key is not None) == ("type_unknown", True)
