"""Scans without a position become fixes when somebody can tell where they were."""

import io
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Event
from typing import Any
from uuid import UUID

import orjson
import pytest
from redis import Redis
from sqlalchemy import text

from fixtures.stack import DatabaseUrls, Stack
from server.carriers.egress import Egress
from server.carriers.services import (
    Desk,
    ProviderDraft,
    ProviderKind,
    SeenCell,
    add_provider,
    change_provider,
)
from server.cells.services import import_cells
from server.crypto import Vault
from server.db import rounds
from server.db.session import unit_of_work
from server.posts.rules import ExcusalKind
from server.posts.services import excuse
from server.tracking import resolver as resolver_module
from server.tracking.live import LivePublisher
from server.tracking.resolver import Resolver
from server.tracking.resolving import cell_placer, place_by_tables
from server.tracking.scans import ScanCounts, count_scans
from tests.factories import carrier_server as moods
from tests.factories.carrier_server import KEY, CarrierServer, carrier_server
from tests.factories.company import DAY, Company, company
from tests.server.carriers.conftest import NOON

KNOWN = {"radio": "lte", "mcc": 460, "mnc": 0, "area": 4105, "cell": 187654321, "serving": True}
STRANGE = {"radio": "lte", "mcc": 460, "mnc": 0, "area": 9999, "cell": 11111111, "serving": True}
FILE = (
    "radio,mcc,net,area,cell,unit,lon,lat,range,samples,changeable,created,updated,averageSignal\r\n"
    "LTE,460,0,4105,187654321,,121.4737,31.2304,800,60,1,1700000000,1760000000,\r\n"
)


@dataclass(slots=True)
class Field:
    """A company whose phones only hear cells."""

    acme: Company
    server: CarrierServer
    redis: Redis
    vault: Vault = field(default_factory=lambda: Vault(bytes(32)))
    keys: int = 0

    @property
    def resolver(self) -> Resolver:
        """A worker of its own."""
        sessions = self.acme.sessions(self.acme.engine)
        desk = Desk(sessions, self.acme.clock, self.vault, Egress([self.server.host]))
        return Resolver(desk, LivePublisher(self.redis), at_once=3)

    def person(self, *, duty: bool = True) -> tuple[UUID, UUID]:
        """Return somebody and their phone."""
        person = self.acme.hire()
        if duty:
            self.acme.roster(person)
        return person, self.acme.give_phone(person)

    def scan(
        self,
        who: tuple[UUID, UUID],
        *cells: dict[str, Any],
        at: datetime = NOON,
        has_fix: bool = False,
        wifi: tuple[dict[str, Any], ...] = (),
    ) -> None:
        """Store a scan as ingest does."""
        self.keys += 1
        with self.acme.ingest_transaction() as session:
            session.execute(
                text(
                    "INSERT INTO radio_reports (tenant_id, device_id, employee_id, fixed_at,"
                    " msg_key, received_at, cells, wifi, has_fix, battery_pct, flags, via, raw)"
                    " VALUES (:tenant, :device, :person, :at, :key, :at, CAST(:cells AS jsonb),"
                    " CAST(:wifi AS jsonb), :has_fix, 61, 0, 'mqtt', 'raw')"
                ),
                {
                    "tenant": self.acme.tenant_id,
                    "device": who[1],
                    "person": who[0],
                    "at": at,
                    "key": self.keys,
                    "cells": json.dumps(cells),
                    "wifi": json.dumps(wifi),
                    "has_fix": has_fix,
                },
            )

    def learn(self) -> None:
        """Bring the file with the known cell in."""
        with unit_of_work(self.acme.sessions(self.acme.owner), tenant_id=None) as session:
            import_cells(
                session,
                self.acme.clock,
                io.BufferedReader(io.BytesIO(FILE.encode())),
                source="opencellid",
                file_name="cells.csv",
            )

    def ask_elsewhere(self, **changes: Any) -> UUID:
        """Set a geolocate service up."""
        draft = ProviderDraft(
            name="service",
            kind=ProviderKind.GEOLOCATE,
            url=self.server.url("/geolocate"),
            credentials={"key": KEY},
            **changes,
        )
        with self.acme.transaction() as session:
            return add_provider(
                session,
                self.acme.clock,
                vault=self.vault,
                egress=Egress([self.server.host]),
                tenant_id=self.acme.tenant_id,
                draft=draft,
            )

    def rows(self, sql: str, **values: Any) -> list[tuple[Any, ...]]:
        """Read with the engine's rights."""
        with self.acme.engine_transaction() as session:
            return [tuple(row) for row in session.execute(text(sql), values)]

    def fixes(self) -> list[tuple[Any, ...]]:
        """What became of the scans."""
        return self.rows(
            "SELECT device_id, fixed_at, msg_key, source, accuracy_m, battery_pct FROM fixes"
            " ORDER BY msg_key"
        )

    def states(self) -> list[tuple[Any, ...]]:
        """Who resolved each scan, and whether it was tried."""
        return self.rows(
            "SELECT resolved_by, resolved_at IS NOT NULL, tried_version FROM radio_reports"
            " ORDER BY msg_key"
        )

    def touched(self) -> list[tuple[Any, ...]]:
        """Person-days queued for the engine since last asked."""
        found = self.rows("SELECT employee_id, work_on, since_at FROM touched_days ORDER BY id")
        self.rows("DELETE FROM touched_days RETURNING 1")
        return found

    def told(self) -> list[dict[str, Any]]:
        """Positions in the live feed."""
        entries: Any = self.redis.xrange(f"live:{self.acme.tenant_id}")
        return [orjson.loads(values[b"data"]) for _, values in entries if values[b"type"] == b"pos"]


@pytest.fixture(scope="module")
def server() -> Iterator[CarrierServer]:
    with carrier_server() as scene:
        yield scene


@pytest.fixture
def fleet(
    database: DatabaseUrls, stack: Stack, redis_client: Redis, server: CarrierServer
) -> Iterator[Field]:
    del stack
    server.mood = None
    server.asked.clear()
    server.cells.clear()
    with company(database) as acme:
        acme.clock.at = NOON
        made = Field(acme, server, redis_client)
        made.touched()
        yield made


def run(fleet: Field) -> int:
    """Look at everything that waits."""
    return fleet.resolver.place()


def test_a_known_cell_becomes_a_fix_like_any_other(fleet: Field) -> None:
    fleet.learn()
    who = fleet.person()
    fleet.touched()
    fleet.scan(who, KNOWN, at=NOON - timedelta(seconds=20))
    assert run(fleet) == 1
    ((device, at, key, source, accuracy_m, battery),) = fleet.fixes()
    assert (device, at, key, source, battery) == (
        who[1],
        NOON - timedelta(seconds=20),
        1,
        "cell",
        61,
    )
    assert accuracy_m >= 300
    assert fleet.states() == [("cells", True, None)]
    assert fleet.touched() == [(who[0], DAY, NOON - timedelta(seconds=20))]
    assert fleet.rows("SELECT employee_id, source FROM last_positions") == [(who[0], "cell")]
    (told,) = fleet.told()
    assert told["id"] == str(who[0])
    assert (told["source"], told["accuracy_m"]) == ("cell", accuracy_m)
    assert run(fleet) == 0
    assert fleet.touched() == []


def test_what_nobody_knows_stays_until_an_import(fleet: Field) -> None:
    who = fleet.person()
    fleet.touched()
    fleet.scan(who, KNOWN)
    fleet.scan(who, STRANGE, at=NOON - timedelta(minutes=5))
    assert run(fleet) == 2
    assert run(fleet) == 0
    assert fleet.resolver.run_again() == 0
    assert fleet.fixes() == []
    assert fleet.touched() == []
    assert fleet.states() == [(None, False, 0), (None, False, 0)]
    fleet.learn()
    assert fleet.resolver.run_again() == 2
    assert [fix[2] for fix in fleet.fixes()] == [1]
    assert [state[:2] for state in fleet.states()] == [("cells", True), (None, False)]
    assert fleet.touched() == [(who[0], DAY, NOON)]
    assert fleet.resolver.run_again() == 0


def test_a_service_is_asked_when_tables_do_not_know(fleet: Field) -> None:
    fleet.ask_elsewhere()
    fleet.server.cells[460, 0, 9999, 11111111] = (31.23, 121.47, 1500.0)
    who = fleet.person()
    fleet.scan(who, STRANGE)
    assert run(fleet) == 1
    ((_, _, _, source, accuracy_m, _),) = fleet.fixes()
    assert (source, accuracy_m) == ("lbs", 1500.0)
    assert fleet.states()[0][:2] == ("carrier:service", True)
    assert [told["source"] for told in fleet.told()] == ["lbs"]


def test_a_guess_by_network_address_places_nobody(fleet: Field) -> None:
    fleet.ask_elsewhere()
    fleet.server.mood = moods.says(
        b'{"location": {"lat": 1, "lng": 2}, "accuracy": 9, "fallback": "ipf"}', "application/json"
    )
    fleet.scan(fleet.person(), STRANGE)
    run(fleet)
    assert fleet.fixes() == []
    assert fleet.states() == [(None, False, 0)]


def test_a_service_that_fails_is_asked_again_later(fleet: Field) -> None:
    fleet.ask_elsewhere()
    fleet.server.mood = moods.hangs_up
    fleet.scan(fleet.person(), STRANGE)
    run(fleet)
    assert fleet.states() == [(None, False, -1)]
    assert fleet.resolver.run_again() == 0
    fleet.server.mood = None
    fleet.server.cells[460, 0, 9999, 11111111] = (31.23, 121.47, 1500.0)
    fleet.acme.clock.advance(timedelta(minutes=10, seconds=1))
    assert fleet.resolver.run_again() == 1
    assert [fix[3] for fix in fleet.fixes()] == ["lbs"]


def test_a_service_set_up_or_changed_later_is_asked(fleet: Field) -> None:
    fleet.scan(fleet.person(), STRANGE)
    run(fleet)
    fleet.acme.clock.advance(timedelta(minutes=1))
    service = fleet.ask_elsewhere()
    fleet.acme.clock.advance(timedelta(seconds=1))
    assert fleet.resolver.run_again() == 1
    assert fleet.fixes() == []
    assert fleet.resolver.run_again() == 0
    fleet.server.cells[460, 0, 9999, 11111111] = (31.23, 121.47, 1500.0)
    fleet.acme.clock.advance(timedelta(minutes=1))
    with fleet.acme.transaction() as session:
        change_provider(
            session,
            fleet.acme.clock,
            vault=fleet.vault,
            egress=Egress([fleet.server.host]),
            tenant_id=fleet.acme.tenant_id,
            provider_id=service,
            draft=ProviderDraft(
                name="service", kind=ProviderKind.GEOLOCATE, url=fleet.server.url("/geolocate")
            ),
        )
    fleet.acme.clock.advance(timedelta(seconds=1))
    assert fleet.resolver.run_again() == 1
    assert len(fleet.fixes()) == 1


def test_leave_granted_since_gives_no_fix(fleet: Field) -> None:
    fleet.learn()
    who = fleet.person()
    fleet.scan(who, KNOWN)
    with fleet.acme.transaction() as session:
        excuse(
            session,
            fleet.acme.clock,
            tenant_id=fleet.acme.tenant_id,
            employee_id=who[0],
            kind=ExcusalKind.LEAVE,
            starts_at=NOON - timedelta(hours=2),
            ends_at=NOON + timedelta(hours=2),
        )
    fleet.touched()
    assert run(fleet) == 1
    assert fleet.fixes() == []
    assert fleet.touched() == []
    assert fleet.states() == [(None, True, None)]


def test_scans_beside_a_fix_are_left_alone(fleet: Field) -> None:
    fleet.learn()
    fleet.scan(fleet.person(), KNOWN, has_fix=True)
    assert run(fleet) == 0
    assert fleet.fixes() == []


def test_scans_beside_a_fix_are_compared_in_the_same_round(fleet: Field) -> None:
    fleet.learn()
    fleet.scan(fleet.person(), KNOWN, has_fix=True)
    assert fleet.resolver.compare() == 1
    assert fleet.rows("SELECT checked_at FROM radio_reports") == [(NOON,)]
    assert fleet.resolver.compare() == 0


def test_a_cell_does_not_replace_a_fine_position_that_is_young(fleet: Field) -> None:
    fleet.learn()
    who = fleet.person()
    with fleet.acme.ingest_transaction() as session:
        session.execute(
            text(
                "INSERT INTO last_positions (tenant_id, employee_id, device_id, fixed_at,"
                " received_at, msg_key, position, accuracy_m, source) VALUES (:tenant, :person,"
                " :device, :at, :at, 99, ST_SetSRID(ST_MakePoint(121.5, 31.3), 4326), 8, 'gps')"
            ),
            {
                "tenant": fleet.acme.tenant_id,
                "person": who[0],
                "device": who[1],
                "at": NOON - timedelta(minutes=20),
            },
        )
    fleet.scan(who, KNOWN, at=NOON - timedelta(minutes=6))
    run(fleet)
    assert fleet.rows("SELECT source FROM last_positions") == [("gps",)]
    assert len(fleet.fixes()) == 1, "it is on record all the same"
    assert fleet.told() == []
    fleet.scan(who, KNOWN, at=NOON - timedelta(minutes=4))
    run(fleet)
    assert fleet.rows("SELECT source FROM last_positions") == [("cell",)]


def test_what_became_of_scans_is_counted(fleet: Field) -> None:
    fleet.learn()
    who = fleet.person()
    for minute, cell in enumerate((KNOWN, KNOWN, STRANGE)):
        fleet.scan(who, cell, at=NOON - timedelta(minutes=minute))
    fleet.scan(fleet.person(duty=False), KNOWN)
    run(fleet)
    fleet.scan(who, STRANGE, at=NOON - timedelta(minutes=9))
    fleet.scan(who, KNOWN, at=NOON - timedelta(days=8))
    fleet.scan(who, KNOWN, at=NOON, has_fix=True)
    with fleet.acme.transaction() as session:
        counts = count_scans(session, since_at=NOON - timedelta(days=7))
    # Three were looked at, newest first; two wait.
    assert counts == ScanCounts(placed={"cells": 2}, waiting=2, unplaced=0, off_duty=1)
    while run(fleet):
        continue
    with fleet.acme.transaction() as session:
        counts = count_scans(session, since_at=NOON - timedelta(days=7))
    assert counts == ScanCounts(placed={"cells": 2}, waiting=0, unplaced=2, off_duty=1)


def test_many_scans_are_taken_newest_first_by_any_number_of_workers(fleet: Field) -> None:
    fleet.learn()
    who = fleet.person()
    for minute in range(8):
        fleet.scan(who, KNOWN, at=NOON - timedelta(minutes=minute))
    with fleet.acme.engine_transaction() as other:
        other.execute(text("SELECT 1 FROM radio_reports WHERE msg_key = 2 FOR UPDATE"))
        assert run(fleet) == 3
        assert [fix[2] for fix in fleet.fixes()] == [1, 3, 4]
    while run(fleet):
        continue
    assert len(fleet.fixes()) == 8
    assert fleet.rows("SELECT msg_key FROM last_positions") == [(1,)]


def test_two_networks_are_a_question_and_one_is_not(fleet: Field) -> None:
    fleet.ask_elsewhere()
    who = fleet.person()
    one, two = ({"mac": f"01:23:45:67:89:a{n}", "signal_dbm": -50} for n in range(2))
    fleet.scan(who, wifi=(one,))
    fleet.scan(who, wifi=(one, two), at=NOON - timedelta(seconds=1))
    run(fleet)
    (asked,) = fleet.server.asked
    assert len(json.loads(asked.body)["wifiAccessPoints"]) == 2


def test_cells_that_a_carrier_names_are_found_in_our_tables(fleet: Field) -> None:
    place = cell_placer(fleet.resolver._desk, fleet.acme.tenant_id)
    cell = SeenCell(radio="lte", mcc=460, mnc=0, area=4105, cell=187654321)
    assert place([cell]) is None
    fleet.learn()
    found = place([cell])
    assert found is not None
    assert found.lon_deg == pytest.approx(121.4737)
    assert found.lat_deg == pytest.approx(31.2304)


def test_a_slow_service_does_not_keep_a_round_for_itself(fleet: Field) -> None:
    fleet.ask_elsewhere()
    who = fleet.person()
    for minute in range(3):
        fleet.scan(who, STRANGE | {"cell": 11 + minute}, at=NOON - timedelta(minutes=minute))
    worker = Resolver(fleet.resolver._desk, patience_s=0.0)
    assert worker.place() == 3
    # The first is asked about in any case; the others are as they were.
    assert fleet.states() == [(None, False, 0), (None, False, None), (None, False, None)]
    assert len(fleet.server.asked) == 1
    assert worker.place() == 2
    assert worker.place() == 1
    assert worker.place() == 0
    assert len(fleet.server.asked) == 3


def test_the_thread_outlives_what_nobody_foresaw(
    fleet: Field, monkeypatch: pytest.MonkeyPatch
) -> None:
    fleet.learn()
    fleet.scan(fleet.person(), KNOWN)
    worker, seen = fleet.resolver, Event()

    def fails_once(*args: Any, **rest: Any) -> Any:
        if not seen.is_set():
            seen.set()
            raise KeyError
        return place_by_tables(*args, **rest)

    monkeypatch.setattr(rounds, "_RETRY_S", 0.0)
    monkeypatch.setattr(resolver_module, "place_by_tables", fails_once)
    worker.start()
    try:
        for _ in range(600):
            if fleet.fixes():
                break
            worker.join(0.1)
        assert len(fleet.fixes()) == 1
        assert seen.is_set()
    finally:
        worker.stop()


def test_the_thread_works_until_stopped(fleet: Field) -> None:
    fleet.learn()
    fleet.scan(fleet.person(), KNOWN)
    worker = fleet.resolver
    worker.start()
    try:
        for _ in range(600):
            if fleet.fixes():
                break
            worker.join(0.1)
        assert len(fleet.fixes()) == 1
    finally:
        worker.stop()
    assert not worker.is_alive()
