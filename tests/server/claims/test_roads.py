"""Claims along roads: real tiles, Valhalla's own service, and everything it may do wrong."""

import json
import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen
from uuid import UUID

import numpy as np
import pytest
from sqlalchemy import text

from fixtures.stack import DatabaseUrls, Stack
from fixtures.stack.ports import LOOPBACK, free_port
from geo.roads import Profile, Roads
from geo.valhalla_roads import ValhallaRoads
from server.claims.queries import (
    ClaimDetail,
    ClaimState,
    ClaimVerdict,
    claims_in_scope,
    get_claim,
)
from server.claims.roads import RoadSource, ServiceRoads, TileRoads, roads_of
from server.claims.services import decide_claim, queue_audits
from server.db.engine import make_engine
from server.findings.rules import DayKey
from server.people.rules import Action
from tests.factories.carrier_server import CarrierServer, Handler, Mood
from tests.factories.desk import DAY, Desk
from tests.factories.footprints import Step, nine, tread
from tests.factories.journeys import accountant, as_engine, check, hand_in, mileage
from tests.factories.valhalla import HELSINKI, QUICK, STATUS, ValhallaProcess, asking

NIGHT = {
    "id": "n",
    "kind": "night",
    "on": DAY.isoformat(),
    "zone": "Asia/Shanghai",
    "amount": "300.00",
    "place": {"name": "Inn", "lon": 24.94, "lat": 60.17},
}


def forwards(service: ValhallaProcess, before: Callable[[Handler], None] | None = None) -> Mood:
    """Hand on what is asked and what is answered."""

    def mood(handler: Handler) -> None:
        if before is not None:
            before(handler)
        asked = handler.scene.asked[-1]
        request = Request(service.url + asked.path, asked.body, method="POST")
        try:
            with urlopen(request, timeout=10) as answer:
                status, body = answer.status, answer.read()
        except HTTPError as error:
            status, body = error.code, error.read()
        except OSError:
            handler.connection.close()
            return
        handler.answer(body, "application/json", status=status)

    return mood


def detail(office: Desk, claim_id: UUID) -> ClaimDetail:
    with office.transaction() as session:
        scope = claims_in_scope(accountant(office), Action.VIEW_CLAIMS, now=office.clock.now())
        return get_claim(session, scope, claim_id)


def claimed(office: Desk, drive: tuple[list[Step], float], km: float | None = None) -> UUID:
    """The drive as it was seen, and a claim of its kilometres."""
    steps, length_m = drive
    tread(office, "employee", steps)
    return hand_in(office, "employee", mileage(f"{km or length_m / 1_000:.1f}"))


def line(office: Desk, claim_id: UUID) -> dict[str, Any]:
    return detail(office, claim_id).checks[0].lines[0]


def without_roads(document: dict[str, Any]) -> dict[str, Any]:
    bare: dict[str, Any] = json.loads(json.dumps(document))
    bare["evidence"]["inputs"].pop("roads")
    return bare


def test_with_tiles_a_claim_is_measured_along_roads_and_names_them(
    office: Desk, tiles: Path, drive: tuple[list[Step], float]
) -> None:
    claim_id = claimed(office, drive)
    assert check(office) == 1
    alone = line(office, claim_id)
    assert alone["evidence"]["figures"]["matched_to_roads"] is False
    assert "roads" not in alone["evidence"]["inputs"]
    with as_engine(office) as session:
        session.execute(text("UPDATE travel_claims SET due_at = now() - interval '1 year'"))
    assert check(office, TileRoads(tiles)) == 1
    found = detail(office, claim_id)
    assert [c.version for c in found.checks] == [2, 1]
    along = line(office, claim_id)
    assert along["verdict"] == ClaimVerdict.SUPPORTED
    assert along["evidence"]["figures"]["matched_to_roads"] is True
    roads = along["evidence"]["inputs"]["roads"]
    assert roads["program"].startswith("Valhalla 3.")
    assert len(roads["tiles"].removeprefix("SHA-256 ")) == 64
    truth_m = drive[1]

    def off(document: dict[str, Any]) -> float:
        return abs(float(document["evidence"]["figures"]["mid_m"]) / truth_m - 1.0)

    assert off(along) < 0.02
    assert off(alone) > 0.04


def test_the_same_facts_and_roads_give_the_same_bytes_in_any_order_by_file_and_by_service(
    office: Desk, tiles: Path, service: ValhallaProcess, drive: tuple[list[Step], float]
) -> None:
    claim_id = claimed(office, drive)
    assert check(office, TileRoads(tiles)) == 1
    first = detail(office, claim_id)
    shuffled = list(drive[0])
    random.Random(5).shuffle(shuffled)
    tread(office, "peer", shuffled)
    other_id = hand_in(office, "peer", mileage(f"{drive[1] / 1_000:.1f}"))
    assert check(office, TileRoads(tiles)) == 1
    one, other = line(office, claim_id), line(office, other_id)
    assert one["evidence"]["figures"] == other["evidence"]["figures"]
    with as_engine(office) as session:
        session.execute(text("UPDATE travel_claims SET due_at = now() - interval '1 year'"))
    assert check(office, TileRoads(tiles)) == 2
    again = detail(office, claim_id)
    assert [c.version for c in again.checks] == [1]
    assert again.checks[0].digest == first.checks[0].digest
    with as_engine(office) as session:
        session.execute(text("UPDATE travel_claims SET due_at = now() - interval '1 year'"))
    assert check(office, ServiceRoads(service.url)) == 2
    served = line(office, claim_id)
    assert served["evidence"]["inputs"]["roads"] != one["evidence"]["inputs"]["roads"]
    assert without_roads(served) == without_roads(one)


def test_a_service_learns_places_and_seconds_and_nothing_else(
    office: Desk,
    service: ValhallaProcess,
    between: CarrierServer,
    drive: tuple[list[Step], float],
) -> None:
    between.mood = forwards(service)
    claim_id = claimed(office, drive)
    assert check(office, asking(between)) == 1
    assert line(office, claim_id)["evidence"]["figures"]["matched_to_roads"] is True
    lon, lat = np.array([*HELSINKI, *HELSINKI], dtype=np.float64).T
    with asking(between).roads() as roads:
        at_s = nine().timestamp() + np.array([0.0, 60.0, 120.0, 180.0])
        roads.match(lon, lat, at_s, np.full(4, 8.0), profile=Profile.AUTO)
    asked = {a.path for a in between.asked}
    assert asked == {"/status", "/route", "/trace_route"}
    sent = {name for a in between.asked for name in a.headers}
    assert sent == {"Host", "Content-Type", "Content-Length", "Connection", "Accept-Encoding"}
    for each in between.asked:
        body = json.loads(each.body)
        points = body.get("shape", []) + body.get("locations", [])
        where = {"lon", "lat", "accuracy", "radius", "rank_candidates"}
        assert all(set(p) <= {*where, "time", "type"} for p in points)
        assert all(0.0 <= p["time"] < 86_400.0 for p in body.get("shape", []))
        assert body.get("shape", [{"time": 0.0}])[0]["time"] == 0.0
    heard = b" ".join(a.body for a in between.asked)
    for secret in (str(office.alpha.people["employee"]), str(claim_id), "employee", "2026"):
        assert secret.encode() not in heard


def test_roads_that_are_down_hold_up_their_own_claims_only_and_never_in_silence(
    office: Desk, tiles: Path, drive: tuple[list[Step], float]
) -> None:
    claim_id = claimed(office, drive)
    night_id = hand_in(office, "peer", NIGHT)
    down = ServiceRoads(f"http://{LOOPBACK}:{free_port()}", limits=QUICK)
    assert check(office, down) == 2
    waits = detail(office, claim_id)
    assert (waits.checks, waits.waiting) == ([], True)
    assert waits.roads_missed_at == office.clock.now()
    assert len(detail(office, night_id).checks) == 1, "nights need no roads"
    assert check(office, down) == 0, "it is not asked without a pause"
    for _ in range(9):
        office.clock.advance(timedelta(minutes=1))
        assert check(office, down) == 1
        assert detail(office, claim_id).checks == []
    office.clock.advance(timedelta(minutes=1))
    assert check(office, down) == 1
    alone = line(office, claim_id)
    assert alone["reasons"][-1] == alone["evidence"]["reasons"][-1] == "roads_away"
    assert alone["evidence"]["figures"]["matched_to_roads"] is False
    office.clock.advance(timedelta(minutes=61))
    assert check(office, down) == 1
    assert [c.version for c in detail(office, claim_id).checks] == [1], "the same is not said twice"
    office.clock.advance(timedelta(minutes=61))
    assert check(office, TileRoads(tiles)) == 1
    found = detail(office, claim_id)
    assert [c.version for c in found.checks] == [2, 1]
    assert (found.waiting, found.roads_missed_at) == (False, None)
    along = line(office, claim_id)
    assert "roads_away" not in along["reasons"]
    assert along["evidence"]["inputs"]["roads"]
    assert found.checks[1].lines[0] == alone, "what was said then stays as it was"


def test_a_returned_claim_is_not_tried_again_and_an_approved_one_is_amended(
    office: Desk, tiles: Path, drive: tuple[list[Step], float]
) -> None:
    down = ServiceRoads(f"http://{LOOPBACK}:{free_port()}", limits=QUICK)
    for name in ("employee", "peer"):
        tread(office, name, drive[0])
    km = f"{drive[1] / 1_000:.1f}"
    approved, returned = (hand_in(office, name, mileage(km)) for name in ("employee", "peer"))
    assert check(office, down) == 2
    office.clock.advance(timedelta(minutes=11))
    assert check(office, down) == 2
    for claim_id, decision in ((approved, ClaimState.APPROVED), (returned, ClaimState.RETURNED)):
        with office.transaction() as session:
            decide_claim(
                session,
                office.clock,
                accountant(office),
                claim_id=claim_id,
                decision=decision,
                reason="seen",
                seen_version=detail(office, claim_id).row.version,
                seen_check=1,
            )
    office.clock.advance(timedelta(minutes=61))
    assert check(office, down) == 2
    assert [detail(office, c).waiting for c in (approved, returned)] == [True, False]
    office.clock.advance(timedelta(minutes=61))
    assert check(office, TileRoads(tiles)) == 1
    found = detail(office, approved)
    assert found.row.amended
    assert found.row.state is ClaimState.APPROVED
    assert found.checks[1].lines[0]["reasons"][-1] == "roads_away"


def test_late_data_does_not_wait_for_the_next_hourly_try(
    office: Desk, drive: tuple[list[Step], float]
) -> None:
    steps, length_m = drive
    tread(office, "employee", steps[:40])
    claim_id = hand_in(office, "employee", mileage(f"{length_m / 1_000:.1f}"))
    down = ServiceRoads(f"http://{LOOPBACK}:{free_port()}", limits=QUICK)
    check(office, down)
    office.clock.advance(timedelta(minutes=11))
    check(office, down)
    assert len(detail(office, claim_id).checks) == 1
    tread(office, "employee", steps[40:])
    with as_engine(office) as session:
        day = DayKey(office.alpha.id, office.alpha.people["employee"], DAY)
        queue_audits(session, office.clock, {day: nine()})
    office.clock.advance(timedelta(minutes=1))
    assert check(office, down) == 1
    assert len(detail(office, claim_id).checks) == 2


def test_a_service_killed_half_way_leaves_no_half_verdict(
    office: Desk,
    tiles: Path,
    service: ValhallaProcess,
    between: CarrierServer,
    drive: tuple[list[Step], float],
) -> None:
    def third(handler: Handler) -> None:
        if len(handler.scene.asked) == 3:
            service.kill()

    between.mood = forwards(service, third)
    claim_id = claimed(office, drive)
    assert check(office, asking(between)) == 1
    assert len(between.asked) == 3, "nobody goes on asking"
    assert detail(office, claim_id).checks == []
    office.clock.advance(timedelta(minutes=1))
    assert check(office, TileRoads(tiles)) == 1
    survived = detail(office, claim_id).checks[0]
    with as_engine(office) as session:
        session.execute(text("UPDATE travel_claims SET due_at = now() - interval '1 year'"))
    check(office, TileRoads(tiles))
    assert detail(office, claim_id).checks == [survived]


def test_tiles_exchanged_half_way_end_the_judgement(
    office: Desk,
    service: ValhallaProcess,
    between: CarrierServer,
    drive: tuple[list[Step], float],
) -> None:
    honest = forwards(service)

    def moves_on(handler: Handler) -> None:
        if handler.path == "/status" and len(handler.scene.asked) > 1:
            handler.answer(STATUS, "application/json")
        else:
            honest(handler)

    between.mood = moves_on
    claim_id = claimed(office, drive)
    assert check(office, asking(between)) == 1
    assert len(between.asked) > 2
    assert detail(office, claim_id).checks == []


def test_tiles_that_cannot_be_read_are_roads_that_do_not_answer(
    office: Desk, tmp_path: Path, drive: tuple[list[Step], float]
) -> None:
    claim_id = claimed(office, drive)
    source = roads_of(str(tmp_path / "none.tar"))
    assert check(office, source) == 1
    assert detail(office, claim_id).roads_missed_at is not None
    assert roads_of(None) is None
    assert isinstance(roads_of("https://roads.example"), ServiceRoads)


class _Meanwhile:
    """Roads that let a test act while they are asked."""

    def __init__(self, real: RoadSource, act: Callable[[], None]) -> None:
        self._real, self._act = real, act

    @contextmanager
    def roads(self) -> Iterator[Roads]:
        self._act()
        with self._real.roads() as roads:
            yield roads


def test_no_lock_is_held_while_roads_are_asked_and_nobody_else_takes_the_claim(
    office: Desk, tiles: Path, drive: tuple[list[Step], float]
) -> None:
    claim_id = claimed(office, drive)
    seen: list[Any] = []

    def act() -> None:
        database = make_engine(office.urls.owner, pool_size=1)
        with database.begin() as connection:
            row = connection.execute(
                text("SELECT due_at FROM travel_claims WHERE id = :id FOR UPDATE NOWAIT"),
                {"id": claim_id},
            )
            seen.append(row.scalar_one())
            open_ = "SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in transaction%'"
            seen.append(connection.execute(text(open_)).scalar_one())
        database.dispose()
        seen.append(check(office))

    assert check(office, _Meanwhile(TileRoads(tiles), act)) == 1
    assert seen == [None, 0, 0]
    assert len(detail(office, claim_id).checks) == 1


def test_late_data_while_roads_are_asked_has_the_claim_checked_again(
    office: Desk, tiles: Path, drive: tuple[list[Step], float]
) -> None:
    steps, length_m = drive
    tread(office, "employee", steps[:40])
    claim_id = hand_in(office, "employee", mileage(f"{length_m / 1_000:.1f}"))

    def act() -> None:
        tread(office, "employee", steps[40:])
        with as_engine(office) as session:
            day = DayKey(office.alpha.id, office.alpha.people["employee"], DAY)
            queue_audits(session, office.clock, {day: nine()})

    assert check(office, _Meanwhile(TileRoads(tiles), act)) == 1
    assert detail(office, claim_id).waiting
    office.clock.advance(timedelta(minutes=1))
    assert check(office, TileRoads(tiles)) == 1
    found = detail(office, claim_id)
    assert [c.version for c in found.checks] == [2, 1]
    assert found.checks[0].verdict is ClaimVerdict.SUPPORTED


def test_a_check_that_cannot_be_stored_keeps_no_other_waiting(
    office: Desk, tiles: Path, drive: tuple[list[Step], float]
) -> None:
    claim_id = claimed(office, drive)
    night_id = hand_in(office, "peer", NIGHT)
    source = TileRoads(tiles)
    with source.roads() as roads:
        assert isinstance(roads, ValhallaRoads)
        roads.version = replace(roads.version, tiles="no text for a database: \0")
    assert check(office, source) == 2
    assert detail(office, claim_id).checks == []
    assert not detail(office, claim_id).waiting
    assert len(detail(office, night_id).checks) == 1


def test_a_process_that_dies_while_asking_loses_no_claim(
    office: Desk, tiles: Path, drive: tuple[list[Step], float]
) -> None:
    claim_id = claimed(office, drive)

    def die() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        check(office, _Meanwhile(TileRoads(tiles), die))
    assert check(office, TileRoads(tiles)) == 0, "it is in somebody's hand"
    office.clock.advance(timedelta(minutes=11))
    assert check(office, TileRoads(tiles)) == 1
    assert detail(office, claim_id).row.verdict is ClaimVerdict.SUPPORTED
    assert not detail(office, claim_id).waiting


def test_who_comes_after_the_lease_writes_nothing(
    office: Desk, tiles: Path, drive: tuple[list[Step], float]
) -> None:
    claim_id = claimed(office, drive)

    def overtake() -> None:
        office.clock.advance(timedelta(minutes=11))
        assert check(office) == 1

    assert check(office, _Meanwhile(TileRoads(tiles), overtake)) == 1
    found = detail(office, claim_id)
    assert [c.version for c in found.checks] == [1]
    assert found.checks[0].lines[0]["evidence"]["figures"]["matched_to_roads"] is False
    assert not found.waiting


def test_two_who_check_at_once_share_the_claims(
    office: Desk, tiles: Path, drive: tuple[list[Step], float]
) -> None:
    tread(office, "employee", drive[0])
    ids = [
        hand_in(office, "employee", mileage(f"{drive[1] / 1_000:.1f}", id_=str(k)))
        for k in range(8)
    ]
    counted: list[int] = []

    def work() -> None:
        counted.append(check(office, TileRoads(tiles)))

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(counted) == len(ids)
    assert all(len(detail(office, each).checks) == 1 for each in ids)


def test_the_engine_measures_along_the_roads_that_its_settings_name(
    office: Desk,
    stack: Stack,
    module_database: DatabaseUrls,
    tiles: Path,
    drive: tuple[list[Step], float],
) -> None:
    claim_id = claimed(office, drive)
    env = {**os.environ, **stack.settings_env(module_database), "OUTPOST_ROADS": str(tiles)}
    program = Path(sys.executable).with_name("outpost")
    with subprocess.Popen([program, "engine"], env=env, stderr=subprocess.DEVNULL) as engine:
        try:
            deadline = time.monotonic() + 60
            while not detail(office, claim_id).checks and time.monotonic() < deadline:
                time.sleep(0.2)
        finally:
            engine.terminate()
            assert engine.wait(30) == 0
    roads = line(office, claim_id)["evidence"]["inputs"]["roads"]
    assert roads["tiles"] == ValhallaRoads(tiles).version.tiles
