import json
from pathlib import Path

import pytest

from geo.cell_identity import CellId, Radio
from geo.cells import CellPlace, CellSeen, CellUnknown
from geo.errors import UnreadableInput
from geo.geolocate import NOT_FOUND, answer, read_request, wants_area


def test_a_full_request_gives_its_towers() -> None:
    tower = {
        "radioType": "wcdma", "mobileCountryCode": 208, "mobileNetworkCode": 1,
        "locationAreaCode": 2, "cellId": 1234567, "age": 1500, "psc": 3,
        "signalStrength": -60, "timingAdvance": 1, "serving": 1,
    }  # fmt: skip
    assert read_request({"cellTowers": [tower], "wifiAccessPoints": [{}]}) == (
        CellSeen(
            radio=Radio.UMTS, mcc=208, mnc=1, area=2, cell=1234567, signal_dbm=-60.0,
            age_s=1.5, serving=True,
        ),
    )  # fmt: skip


def test_what_a_tower_leaves_out_the_request_says() -> None:
    request = {
        "radioType": "lte", "homeMobileCountryCode": 460, "homeMobileNetworkCode": 0,
        "cellTowers": [{"locationAreaCode": "9711", "cellId": "4253836"}],
    }  # fmt: skip
    assert read_request(request) == (
        CellSeen(radio=Radio.LTE, mcc=460, mnc=0, area=9711, cell=4253836),
    )


def test_five_g_has_its_own_field_and_36_bits() -> None:
    tower = {"radioType": "nr", "mobileCountryCode": 460, "mobileNetworkCode": 0,
             "newRadioCellId": 68_719_476_735}  # fmt: skip
    assert read_request({"cellTowers": [tower]})[0].cell == 68_719_476_735


@pytest.mark.parametrize(
    "tower",
    [
        {"radioType": "wimax", "mobileCountryCode": 460, "mobileNetworkCode": 0,
         "locationAreaCode": 5, "cellId": 5},
        {"cellId": True}, {"cellId": 1.5}, {"cellId": None}, {"cellId": [1]}, {},
    ],
)  # fmt: skip
def test_a_tower_that_names_no_cell_is_refused_when_looked_at(tower: dict[str, object]) -> None:
    assert isinstance(read_request({"cellTowers": [tower]})[0].identities(), str)


@pytest.mark.parametrize("request_", [[], 1, None, {"cellTowers": {}}, {"cellTowers": [1]}])
def test_what_is_no_request_is_refused(request_: object) -> None:
    with pytest.raises(UnreadableInput):
        read_request(request_)


def test_answers_have_the_known_form() -> None:
    place = CellPlace(lon_deg=-43.43710812, lat_deg=-22.75391919, accuracy_m=100.04)
    assert answer(place) == {
        "location": {"lat": -22.7539192, "lng": -43.4371081},
        "accuracy": 100.0,
    }
    area = CellPlace(
        lon_deg=1.0, lat_deg=2.0, accuracy_m=9_000.0, is_area=True, used=(CellId(1, 2, None),)
    )
    assert answer(area)["fallback"] == "lacf"
    assert answer(CellUnknown(reason="not_found")) == NOT_FOUND


def test_an_area_can_be_declined() -> None:
    assert wants_area({})
    assert wants_area({"fallbacks": {"lacf": True}})
    assert not wants_area({"fallbacks": {"lacf": False}})


@pytest.mark.data
def test_the_published_messages_are_understood(reference_data: Path) -> None:
    known = json.loads((reference_data / "protocols" / "ichnaea.json").read_text())
    seen = read_request(known["geolocate_request"])
    assert [(s.radio, s.mcc, s.mnc, s.area, s.cell) for s in seen] == [
        (Radio.UMTS, 208, 1, 2, 1234567)
    ]
    assert known["geolocate_404"] == NOT_FOUND
    assert (
        answer(CellPlace(lon_deg=0, lat_deg=0, accuracy_m=1)).keys()
        == known["geolocate_response"].keys()
    )
