"""Phones whose sources lie apart, in the database."""

from datetime import timedelta
from typing import Any

from sqlalchemy import text

from geo.crs import Datum, convert_point
from geo.distance import LocalPlane
from server.db.session import unit_of_work
from server.tracking.datum_check import check_datums
from tests.factories.company import LAT_DEG, LON_DEG, Company
from tests.factories.heard import Phone, hear, phone_of_somebody

PLANE = LocalPlane(LON_DEG, LAT_DEG)


def walk(acme: Company, phone: Phone, *, wifi: Datum, days_ago: float = 1.0) -> None:
    """Twenty minutes at five places; every minute a satellite fix and one of Wi-Fi."""
    with acme.ingest_transaction() as session:
        session.execute(
            text(
                "INSERT INTO device_health (tenant_id, device_id, seen_at) "
                "VALUES (:tenant, :device, now()) ON CONFLICT DO NOTHING"
            ),
            {"tenant": acme.tenant_id, "device": phone.device_id},
        )
    for n in range(20):
        at = acme.clock.now() - timedelta(days=days_ago, minutes=n)
        east, north = PLANE.inverse(1_500.0 * (n // 4), 0.0)
        lon, lat = float(east[0]), float(north[0])
        hear(acme, phone, at, [], lon=lon, lat=lat)
        lon, lat = convert_point(lon_deg=lon, lat_deg=lat, source=Datum.WGS84, target=wifi)
        hear(acme, phone, at + timedelta(seconds=5), [], lon=lon, lat=lat, source="wifi")


def check(acme: Company) -> int:
    with unit_of_work(acme.sessions(acme.owner), tenant_id=None) as session:
        return check_datums(session, acme.clock)


def said(acme: Company, phone: Phone) -> dict[str, Any] | None:
    with acme.transaction() as session:
        found: dict[str, Any] | None = session.scalar(
            text("SELECT datum_check FROM device_health WHERE device_id = :device"),
            {"device": phone.device_id},
        )
        return found


def test_a_phone_with_a_source_in_another_datum_is_named(acme: Company) -> None:
    honest, wrong = phone_of_somebody(acme), phone_of_somebody(acme)
    walk(acme, honest, wifi=Datum.WGS84)
    walk(acme, wrong, wifi=Datum.GCJ02)
    assert check(acme) == 1
    assert said(acme, honest) is None
    found = said(acme, wrong)
    assert found is not None
    assert (found["source"], found["against"], found["datum"]) == ("wifi", "gps", "gcj02")
    assert 250 < found["offset_m"] < 670
    assert found["places"] == 5


def test_it_is_taken_off_once_sources_agree(acme: Company) -> None:
    phone = phone_of_somebody(acme)
    walk(acme, phone, wifi=Datum.GCJ02)
    check(acme)
    assert said(acme, phone) is not None
    acme.clock.advance(timedelta(days=8))
    walk(acme, phone, wifi=Datum.WGS84)
    assert check(acme) == 0
    assert said(acme, phone) is None


def test_running_it_twice_says_the_same(acme: Company) -> None:
    phone = phone_of_somebody(acme)
    walk(acme, phone, wifi=Datum.BD09)
    check(acme)
    before = said(acme, phone)
    assert check(acme) == 1
    assert said(acme, phone) == before
