"""Asking geolocate services: positions, honest refusals, a cache that names nobody."""

from datetime import timedelta

from server.carriers.radio import digest_of
from server.carriers.services import (
    CarrierFix,
    CarrierRefusal,
    ProviderKind,
    RefusalCode,
    SeenCell,
    SeenNetwork,
    geolocate,
)
from tests.factories import carrier_server as moods
from tests.server.carriers.conftest import Carriers

CELL = SeenCell(radio="gsm", mcc=460, mnc=0, area=4282, cell=1374)
OTHER = SeenCell(radio="lte", mcc=460, mnc=0, area=4282, cell=99)


def ask(carriers: Carriers, *cells: SeenCell) -> CarrierFix | CarrierRefusal:
    return geolocate(carriers.desk, tenant_id=carriers.acme.tenant_id, cells=cells)


def test_cells_have_a_place(carriers: Carriers) -> None:
    carriers.add("cells", ProviderKind.GEOLOCATE)
    carriers.server.cells[460, 0, 4282, 1374] = (39.9, 116.4, 1500.0)
    found = ask(carriers, CELL)
    assert isinstance(found, CarrierFix)
    assert (found.lon_deg, found.lat_deg, found.accuracy_m) == (116.4, 39.9, 1500.0)
    assert (found.area, found.cached) == (False, False)


def test_an_area_is_told_as_one(carriers: Carriers) -> None:
    carriers.add("cells", ProviderKind.GEOLOCATE)
    carriers.server.areas[460, 0, 4282] = (39.9, 116.4, 50_000.0)
    found = ask(carriers, OTHER)
    assert isinstance(found, CarrierFix)
    assert found.area
    assert found.accuracy_m == 50_000


def test_a_guess_by_network_address_is_no_position(carriers: Carriers) -> None:
    carriers.add("cells", ProviderKind.GEOLOCATE)
    carriers.server.mood = moods.says(
        b'{"location": {"lat": 1, "lng": 2}, "accuracy": 9, "fallback": "ipf"}', "application/json"
    )
    said = ask(carriers, CELL)
    assert isinstance(said, CarrierRefusal)
    assert said.code is RefusalCode.IP_ONLY
    assert carriers.rows("SELECT FROM carrier_radio_answers") == []


def test_answers_are_kept_for_their_age_also_that_nothing_is_known(carriers: Carriers) -> None:
    carriers.add("cells", ProviderKind.GEOLOCATE, options={"max_age_s": 3600})
    carriers.server.cells[460, 0, 4282, 1374] = (39.9, 116.4, 1500.0)
    for _ in range(2):
        found, unknown = ask(carriers, CELL, OTHER), ask(carriers, OTHER)
        assert isinstance(found, CarrierFix)
        assert isinstance(unknown, CarrierRefusal)
        assert unknown.code is RefusalCode.NOT_FOUND
    assert len(carriers.server.asked) == 2
    carriers.acme.clock.advance(timedelta(seconds=3601))
    ask(carriers, OTHER, CELL)
    assert len(carriers.server.asked) == 3


def test_a_fault_is_not_kept_and_the_next_service_is_asked(carriers: Carriers) -> None:
    broken = carriers.server.url("/geolocate?key=wrong&x=")
    carriers.add("broken", ProviderKind.GEOLOCATE, url=broken, credentials={})
    carriers.add("good", ProviderKind.GEOLOCATE, position=1)
    carriers.server.cells[460, 0, 4282, 1374] = (39.9, 116.4, 1500.0)
    found = ask(carriers, CELL)
    assert isinstance(found, CarrierFix)
    assert found.provider == "good"
    outcomes = carriers.rows("SELECT provider_name, outcome FROM carrier_requests ORDER BY id")
    assert outcomes == [("broken", "unauthorised"), ("good", "ok")]


def test_the_key_is_in_no_row(carriers: Carriers) -> None:
    carriers.add("cells", ProviderKind.GEOLOCATE)
    ask(carriers, CELL)
    for table in ("carrier_providers", "carrier_requests", "security_events"):
        for (row,) in carriers.rows(f"SELECT t::text FROM {table} t"):
            assert "k-123" not in row
    assert carriers.rows("SELECT outcome FROM carrier_requests") == [("not_found",)]


def test_a_request_says_nothing_of_a_person(carriers: Carriers) -> None:
    carriers.add("cells", ProviderKind.GEOLOCATE)
    ask(carriers, CELL)
    assert carriers.rows("SELECT employee_id, place, actor_name FROM carrier_requests") == [
        (None, None, "outpost")
    ]


def test_the_same_question_has_the_same_digest_in_any_order() -> None:
    networks = [SeenNetwork(mac="01:23:45:67:89:ab"), SeenNetwork(mac="01:23:45:67:89:cd")]
    same = digest_of([CELL, OTHER], networks)
    assert digest_of([OTHER, CELL], networks[::-1]) == same
    assert digest_of([CELL], networks) != same
    louder = SeenCell(radio="gsm", mcc=460, mnc=0, area=4282, cell=1374, signal_dbm=-60)
    assert digest_of([louder, OTHER], networks) != same
    older = SeenCell(radio="gsm", mcc=460, mnc=0, area=4282, cell=1374, age_s=60)
    assert digest_of([older, OTHER], networks) == same
