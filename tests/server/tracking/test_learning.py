"""Cells learned from the fleet, in the database."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from geo.cell_identity import Radio
from geo.cells import CellPlace, CellSeen
from geo.distance import LocalPlane, geodesic_m
from geo.fix import QualityFlag
from server.cells.queries import NetworkName, cells_version, learned_networks, locate
from server.db.session import unit_of_work
from server.tracking.learning import Learned, learn_from_reports
from tests.factories.company import LAT_DEG, LON_DEG, Company
from tests.factories.heard import Phone, hear, lte, phone_of_somebody

PLANE = LocalPlane(LON_DEG, LAT_DEG)
DOUBTFUL = (
    QualityFlag.JUMP, QualityFlag.MOCK, QualityFlag.FROZEN, QualityFlag.COARSE,
    QualityFlag.CLAIM_MISMATCH, QualityFlag.PING, QualityFlag.NULL_ISLAND,
)  # fmt: skip


@pytest.fixture
def phones(acme: Company) -> list[Phone]:
    return [phone_of_somebody(acme) for _ in range(5)]


def meet(
    acme: Company,
    phone: Phone,
    *,
    cell: int = 1,
    days: int = 3,
    east_m: float = 0.0,
    count: int = 1,
    **more: Any,
) -> None:
    """Let a phone meet a cell on each of the last days, within two hundred metres."""
    for day in range(1, days + 1):
        for n in range(count):
            at = acme.clock.now() - timedelta(days=day, minutes=n)
            lon, lat = PLANE.inverse(east_m + 40.0 * (n + day), 30.0 * day)
            hear(acme, phone, at, [lte(cell)], lon=float(lon[0]), lat=float(lat[0]), **more)


def learn(acme: Company) -> Learned:
    with unit_of_work(acme.sessions(acme.owner), tenant_id=None) as session:
        return learn_from_reports(session, acme.clock)


def known(acme: Company) -> list[tuple[int, int, int]]:
    with acme.transaction() as session:
        rows = session.execute(text("SELECT cell, devices, days FROM learned_cells ORDER BY cell"))
        return [tuple(row) for row in rows]


def place_of(acme: Company, cell: int) -> CellPlace:
    seen = CellSeen(radio=Radio.LTE, mcc=460, mnc=0, area=9_711, cell=cell)
    with acme.transaction() as session:
        found = locate(session, [seen], tenant_id=acme.tenant_id, now=acme.clock.now())
    assert isinstance(found, CellPlace)
    return found


def test_a_cell_met_by_enough_people_on_enough_days_becomes_known(
    acme: Company, phones: list[Phone]
) -> None:
    for phone in phones[:3]:
        meet(acme, phone)
    for phone in phones[:2]:
        meet(acme, phone, cell=2)
    for phone in phones:
        meet(acme, phone, cell=3, days=1)
    assert learn(acme) == Learned(learned=1, forgotten=0, undecided=2)
    assert known(acme) == [(1, 3, 3)]
    with acme.transaction() as session:
        (lte_cells,), counted_at = learned_networks(session, tenant_id=acme.tenant_id)
        assert learned_networks(session, tenant_id=acme.tenant_id + 1) == ([], None)
    assert (lte_cells.network, lte_cells.cells) == (NetworkName("lte", 460, 0), 1)
    assert (lte_cells.waits, counted_at) == ({"few_devices": 1, "few_days": 1}, acme.clock.now())
    found = place_of(acme, 1)
    away_m = geodesic_m(
        lon1_deg=LON_DEG, lat1_deg=LAT_DEG, lon2_deg=found.lon_deg, lat2_deg=found.lat_deg
    )
    assert away_m < 200
    assert found.accuracy_m >= 500


def test_phones_of_one_person_are_one_opinion(acme: Company, phones: list[Phone]) -> None:
    person = phones[0].employee_id
    for phone in (phones[0], *(Phone(person, acme.give_phone(person)) for _ in range(3))):
        meet(acme, phone)
    learn(acme)
    assert known(acme) == []


def test_doubtful_positions_teach_nothing(acme: Company, phones: list[Phone]) -> None:
    doubts: list[dict[str, Any]] = [
        *({"flags": int(flag)} for flag in DOUBTFUL),
        {"mock": True}, {"accuracy_m": 500.0}, {"accuracy_m": None},
        {"source": "cell"}, {"source": "wifi"}, {"source": "lbs"},
    ]  # fmt: skip
    for cell, doubt in enumerate(doubts, start=1):
        for phone in phones[:3]:
            meet(acme, phone, cell=cell, **doubt)
    for phone in phones[:3]:
        meet(acme, phone, cell=99)
    learn(acme)
    assert known(acme) == [(99, 3, 3)]


def test_a_position_that_its_other_cells_refute_teaches_nothing(
    acme: Company, phones: list[Phone]
) -> None:
    for phone in phones:
        meet(acme, phone)
    with acme.ingest_transaction() as session:
        session.execute(text("UPDATE radio_reports SET \"check\" = 'impossible'"))
    learn(acme)
    assert known(acme) == []


def test_a_poisoner_moves_nothing(acme: Company, phones: list[Phone]) -> None:
    for phone in phones[:4]:
        meet(acme, phone)
    learn(acme)
    clean = place_of(acme, 1)
    meet(acme, phones[4], east_m=60_000.0, count=9)
    learn(acme)
    assert place_of(acme, 1) == clean
    assert known(acme) == [(1, 4, 3)]


def test_a_cell_that_becomes_disputed_is_forgotten(acme: Company, phones: list[Phone]) -> None:
    for phone in phones[:3]:
        meet(acme, phone)
    learn(acme)
    for phone in phones[3:]:
        meet(acme, phone, east_m=60_000.0)
    assert learn(acme).forgotten == 0
    meet(acme, phone_of_somebody(acme), east_m=60_000.0)
    assert learn(acme).forgotten == 1
    assert known(acme) == []


def test_learning_again_changes_nothing_and_is_no_news(acme: Company, phones: list[Phone]) -> None:
    def version() -> int:
        with acme.transaction() as session:
            return cells_version(session, tenant_id=acme.tenant_id)

    def rows() -> list[Any]:
        with acme.transaction() as session:
            return list(session.execute(text("SELECT * FROM learned_cells")).all())

    for phone in phones[:3]:
        meet(acme, phone)
    assert version() == 0
    learn(acme)
    first, before = version(), rows()
    assert first > 0
    acme.clock.advance(timedelta(hours=1))
    learn(acme)
    assert version() == first
    assert rows() == before


def test_nothing_of_a_person_is_in_what_is_kept(acme: Company, phones: list[Phone]) -> None:
    for phone in phones[:3]:
        meet(acme, phone)
    learn(acme)
    with acme.engine_transaction() as session:
        kept = str(session.execute(text("SELECT l::text FROM learned_cells l")).all())
    for phone in phones:
        assert str(phone.device_id) not in kept
        assert str(phone.employee_id) not in kept


def test_old_pairs_teach_nothing(acme: Company, phones: list[Phone]) -> None:
    for phone in phones:
        meet(acme, phone)
    acme.clock.at = datetime.fromtimestamp(acme.clock.now().timestamp() + 40 * 86_400).astimezone()
    assert learn(acme) == Learned(0, 0, 0)
