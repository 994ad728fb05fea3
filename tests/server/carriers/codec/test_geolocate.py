"""The geolocate interface: our questions, and answers that are no position of a person."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.carriers.codec.geolocate import (
    NotPlaced,
    Placed,
    SeenCell,
    SeenNetwork,
    read_answer,
    write_request,
)
from server.carriers.codec.shapes import Disc
from server.carriers.codec.xml_tree import Malformed
from server.carriers.rules import RefusalCode


def test_a_question_names_cells_as_the_services_do() -> None:
    cells = [
        SeenCell(radio="gsm", mcc=460, mnc=0, area=4282, cell=1374, signal_dbm=-70, age_s=1.5),
        SeenCell(radio="umts", mcc=460, mnc=1, area=53, cell=99999),
        SeenCell(radio="lte", mcc=460, mnc=11, area=None, cell=187654321, timing_advance=3),
        SeenCell(radio="nr", mcc=460, mnc=0, area=1_048_575, cell=68_719_476_735),
        SeenCell(radio="cdma", mcc=None, mnc=13_824, area=1, cell=9),
        SeenCell(radio="wimax", mcc=460, mnc=0, area=1, cell=9),
    ]
    asked = json.loads(write_request(cells, [SeenNetwork(mac="01:23:45:67:89:ab", signal_dbm=-51)]))
    assert asked["considerIp"] is False
    assert asked["fallbacks"] == {"lacf": True, "ipf": False}
    assert asked["wifiAccessPoints"] == [{"macAddress": "01:23:45:67:89:ab", "signalStrength": -51}]
    assert asked["cellTowers"][0] == {
        "radioType": "gsm",
        "mobileCountryCode": 460,
        "mobileNetworkCode": 0,
        "locationAreaCode": 4282,
        "cellId": 1374,
        "signalStrength": -70,
        "age": 1500,
    }
    kinds = [tower["radioType"] for tower in asked["cellTowers"]]
    assert kinds == ["gsm", "wcdma", "lte", "nr", "cdma"]
    assert asked["cellTowers"][3]["newRadioCellId"] == 68_719_476_735
    assert "cellId" not in asked["cellTowers"][3]
    assert "locationAreaCode" not in asked["cellTowers"][2]


def test_a_position_with_its_accuracy() -> None:
    body = b'{"location": {"lat": -22.7539192, "lng": -43.4371081}, "accuracy": 100.0}'
    assert read_answer(200, body) == Placed(Disc(-43.4371081, -22.7539192, 100.0), area=False)
    near = body[:-1] + b', "fallback": "lacf"}'
    assert read_answer(200, near) == Placed(Disc(-43.4371081, -22.7539192, 100.0), area=True)


def test_a_guess_by_network_address_is_no_position() -> None:
    body = b'{"location": {"lat": 1.0, "lng": 2.0}, "accuracy": 50000, "fallback": "ipf"}'
    assert read_answer(200, body) == NotPlaced(RefusalCode.IP_ONLY, "")


@pytest.mark.parametrize(
    ("status", "reason", "code"),
    [
        (404, "notFound", RefusalCode.NOT_FOUND),
        (400, "keyInvalid", RefusalCode.UNAUTHORISED),
        (400, "parseError", RefusalCode.NOT_UNDERSTOOD),
        (401, "", RefusalCode.UNAUTHORISED),
        (403, "dailyLimitExceeded", RefusalCode.CONGESTED),
        (403, "other", RefusalCode.UNAUTHORISED),
        (429, "", RefusalCode.CONGESTED),
        (500, "backendError", RefusalCode.HTTP_STATUS),
        (204, "", RefusalCode.HTTP_STATUS),
    ],
)
def test_refusals(status: int, reason: str, code: RefusalCode) -> None:
    body = json.dumps({"error": {"errors": [{"reason": reason}], "code": status}}).encode()
    found = read_answer(status, body)
    assert isinstance(found, NotPlaced)
    assert found.code is code


def test_a_page_for_people_is_a_refusal_too() -> None:
    found = read_answer(404, b"<html>no such page</html>")
    assert isinstance(found, NotPlaced)


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"null", b"[]", b"{", b'{"location": null, "accuracy": 1}', b"<xml/>"),
        *(b'{"location": {"lat": 1.0}, "accuracy": 1}', b'{"location": {"lat": 91, "lng": 0}}'),
        b'{"location": {"lat": "1", "lng": 2}, "accuracy": 1}',
        b'{"location": {"lat": true, "lng": 2}, "accuracy": 1}',
        b'{"location": {"lat": NaN, "lng": 2}, "accuracy": 1}',
        b'{"location": {"lat": 1, "lng": 2}}',
        b'{"location": {"lat": 1, "lng": 2}, "accuracy": 0}',
        b'{"location": {"lat": 1, "lng": 2}, "accuracy": -5}',
        b'{"location": {"lat": 1, "lng": 2}, "accuracy": 5, "fallback": "guess"}',
    ],
)
def test_what_is_broken_is_no_position(body: bytes) -> None:
    assert isinstance(read_answer(200, body), Malformed)


_JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["location", "lat", "lng", "accuracy", "error", "errors", "reason"]),
            inner,
        )
    ),
    max_leaves=12,
)


@given(st.sampled_from([200, 400, 404]), _JSON | st.binary(max_size=60))
def test_nothing_raises(status: int, content: object) -> None:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    found = read_answer(status, body)
    if isinstance(found, Placed):
        assert abs(found.disc.lat_deg) <= 90
        assert abs(found.disc.lon_deg) <= 180
        assert found.disc.accuracy_m is not None
        assert found.disc.accuracy_m > 0
