from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import asdict
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import uuid4

import pytest
from redis import Redis
from sqlalchemy import Engine as Database
from sqlalchemy import text

from geo.fix import QualityFlag
from server.findings.rules import FindingKind
from server.posts.rules import ExcusalKind, PolicyKind
from server.posts.services import excuse, set_policy
from server.tracking.engine import Engine
from server.tracking.live_map import COLUMNS
from server.tracking.models import Via
from server.tracking.queries import (
    LiveStatus,
    day,
    delivery,
    device_health,
    evidence_fixes,
    fixes_of_day,
    ledger,
    live_map,
    quarantine,
    trail,
)
from server.tracking.recording import record_fixes
from server.tracking.records import Batch, DeviceRef, QuarantineRecord
from server.tracking.services import rebuild_last_positions
from tests.conftest import StatementCount
from tests.factories.company import DAY, Company
from tests.factories.phones import NINE, SIX, at_post, away, minutes, phone, worker
from tests.factories.scope import everybody, only

Counter = Callable[[Database], AbstractContextManager[StatementCount]]


@pytest.fixture
def engine(acme: Company, redis_client: Redis) -> Engine:
    return worker(acme, redis_client)


def picture(acme: Company) -> dict[str, dict[str, Any]]:
    """The live map by name of the person."""
    with acme.transaction() as session:
        found = live_map(session, everybody(), now=acme.clock.now())
    assert set(found.people) == set(COLUMNS)
    names = found.people["name"]
    return {
        name: {column: found.people[column][no] for column in COLUMNS}
        for no, name in enumerate(names)
    }


def test_the_live_map_takes_two_statements_for_any_number_of_people(
    acme: Company, engine: Engine, statement_counter: Counter
) -> None:
    people = [phone(acme, name=f"n{no}") for no in range(6)]
    acme.clock.at = NINE + minutes(30)
    for who in people:
        who.send(at_post(who, NINE, NINE + minutes(30)))
    engine.run_until_idle()
    with acme.transaction() as session:
        session.execute(text("SELECT 1"))
        with statement_counter(acme.app) as seen:
            found = live_map(session, everybody(), now=acme.clock.now())
        assert seen.count <= 2
    assert found.counts["on_post"] == found.rostered == found.covered == 6
    assert {len(column) for column in found.people.values()} == {6}


def test_each_person_is_shown_as_what_they_are(acme: Company, engine: Engine) -> None:
    now = NINE + minutes(60)
    there, gone, old, _mute = (phone(acme, name=n) for n in ("there", "gone", "old", "mute"))
    rep = phone(acme, name="rep", post=False)
    acme.hire("idle")
    there.send(at_post(there, NINE, now))
    gone.send([*at_post(gone, NINE, now - minutes(20)), *away(gone, now - minutes(20), now)])
    old.send(at_post(old, NINE, now - minutes(8)))
    rep.send(away(rep, NINE, now))
    acme.clock.at = now
    engine.queue_begun()
    engine.run_until_idle()
    seen = picture(acme)
    assert {name: row["status"] for name, row in seen.items()} == {
        "there": "on_post",
        "gone": "off_post",
        "old": "stale",
        "mute": "no_signal",
        "rep": "travelling",
        "idle": "off_duty",
    }
    assert seen["gone"]["finding_id"] is not None
    assert seen["gone"]["distance_m"] == pytest.approx(300, abs=2)
    assert seen["gone"]["since"] == (now - minutes(20)).timestamp()
    assert seen["there"]["post"] == "外滩营业厅"
    assert seen["there"]["unit"] == "东区"
    assert seen["rep"]["presence"] is None
    assert seen["there"]["fixed_at"] == (now - minutes(1)).timestamp()
    for name in ("mute", "idle"):
        assert seen[name]["lon"] is seen[name]["lat"] is seen[name]["fixed_at"] is None


def test_off_duty_and_on_leave_nobody_has_a_position(acme: Company, engine: Engine) -> None:
    who = phone(acme)
    who.send(at_post(who, NINE, SIX))
    acme.clock.at = SIX - minutes(1)
    engine.run_until_idle()
    assert picture(acme)["王芳"]["lon"] is not None
    with acme.transaction() as session:
        excuse(
            session,
            acme.clock,
            tenant_id=acme.tenant_id,
            employee_id=who.employee_id,
            kind=ExcusalKind.LEAVE,
            starts_at=SIX - minutes(5),
            ends_at=SIX,
        )
    # Closed at once, before the engine has looked again.
    assert picture(acme)["王芳"]["status"] == "off_duty"
    assert picture(acme)["王芳"]["lon"] is None
    acme.clock.at = SIX - minutes(6)
    assert picture(acme)["王芳"]["lon"] is not None
    acme.clock.at = SIX
    off = picture(acme)["王芳"]
    assert off["status"] == "off_duty"
    assert [off[c] for c in ("lon", "lat", "accuracy_m", "fixed_at", "battery_pct")] == [None] * 5


def test_a_position_of_an_earlier_shift_is_not_shown_in_the_next(acme: Company) -> None:
    who = phone(acme)
    who.send(at_post(who, NINE, SIX))
    acme.roster(who.employee_id, on_date=DAY + timedelta(days=1))
    acme.clock.at = NINE + timedelta(days=1, minutes=5)
    row = picture(acme)["王芳"]
    assert (row["status"], row["lon"]) == ("no_signal", None)


def test_the_scope_bounds_the_map(acme: Company) -> None:
    mine, other = phone(acme, name="mine"), phone(acme, name="other")
    acme.clock.at = NINE + minutes(5)
    for who in (mine, other):
        who.send(at_post(who, NINE, NINE + minutes(5)))
    with acme.transaction() as session:
        found = live_map(session, only(mine.employee_id), now=acme.clock.now())
        assert found.people["name"] == ["mine"]
        assert sum(found.counts.values()) == 1
        assert live_map(session, only(), now=acme.clock.now()).people["name"] == []


def test_thresholds_are_policy(acme: Company) -> None:
    who = phone(acme)
    acme.clock.at = NINE - minutes(1)
    with acme.transaction() as session:
        set_policy(
            session,
            acme.clock,
            tenant_id=acme.tenant_id,
            kind=PolicyKind.DUTY,
            params={"stale_s": 60, "no_signal_s": 120},
        )
    who.send([who.fix(NINE)])
    acme.clock.at = NINE + timedelta(seconds=90)
    with acme.transaction() as session:
        found = live_map(session, everybody(), now=acme.clock.now())
    assert found.thresholds.stale_s == 60
    assert found.counts[LiveStatus.STALE] == 1


def test_a_trail_is_half_an_hour_of_the_duty_that_is_on(acme: Company) -> None:
    who = phone(acme)
    who.send(at_post(who, NINE - minutes(5), SIX + minutes(5)))

    def length(at: datetime) -> int:
        with acme.transaction() as session:
            found = trail(session, tenant_id=acme.tenant_id, employee_id=who.employee_id, now=at)
        return len(found.fixed_at)

    assert length(NINE + minutes(120)) == 31
    assert length(NINE + minutes(10)) == 16
    assert length(SIX) == 0
    assert length(NINE - minutes(1)) == 0


def test_a_day_tells_what_was_rostered_seen_and_found(acme: Company, engine: Engine) -> None:
    who = phone(acme)
    ten = NINE + minutes(60)
    who.send([*at_post(who, NINE, ten), *away(who, ten, ten + minutes(20))])
    acme.clock.at = SIX + minutes(1)
    engine.run_until_idle()
    with acme.transaction() as session:
        found = day(session, who.employee_id, DAY)
        assert day(session, uuid4(), DAY) is None
        empty = day(session, who.employee_id, DAY + timedelta(days=1))
    assert found is not None
    assert found.final
    assert [(a.post_name, a.starts_at, a.ends_at) for a in found.assignments] == [
        ("外滩营业厅", NINE, SIX)
    ]
    assert [(p.state, p.starts_at) for p in found.presence] == [
        ("inside", NINE),
        ("outside", ten),
        ("unknown", ten + minutes(19)),
    ]
    assert found.presence[-1].ends_at == SIX
    assert [f.kind for f in found.findings] == [FindingKind.OFF_POST, FindingKind.GAP]
    segments = found.summary["trajectory"]["segments"]
    assert segments[0]["kind"] == "stop"
    assert segments[-1]["kind"] == "gap"
    assert segments[0]["start"] == "2026-11-18T01:00:00Z"
    assert all(a["end"] == b["start"] for a, b in pairwise(segments))
    assert empty is not None
    assert (empty.windows, empty.presence, empty.summary, empty.final) == ([], [], {}, False)


def test_playback_has_every_fix_of_duty_with_its_doubts(acme: Company) -> None:
    who = phone(acme)
    doubt = int(QualityFlag.MOCK | QualityFlag.LATE)
    who.send([*at_post(who, NINE, SIX), who.fix(NINE + timedelta(seconds=30), flags=doubt)])
    with acme.transaction() as session:
        whole = fixes_of_day(session, who.employee_id, DAY)
        thin = fixes_of_day(session, who.employee_id, DAY, max_points=50)
        assert fixes_of_day(session, uuid4(), DAY).total == 0
        around = evidence_fixes(
            session,
            who.employee_id,
            DAY,
            start_at=NINE + minutes(60),
            end_at=NINE + minutes(70),
        )
    assert whole.total == len(whole.fixed_at) == 541
    assert whole.flags[1] == ("late", "mock")
    assert whole.fixed_at == sorted(whole.fixed_at)
    assert (thin.total, len(thin.fixed_at)) == (541, 50)
    assert (thin.fixed_at[0], thin.fixed_at[-1]) == (whole.fixed_at[0], whole.fixed_at[-1])
    assert len(around.fixed_at) == 30
    assert {len(column) for column in asdict(whole).values() if isinstance(column, list)} == {541}
    assert len(set(whole.key)) == 541


def test_fixes_that_leave_closed_afterwards_are_not_shown(acme: Company) -> None:
    who = phone(acme)
    who.send(at_post(who, NINE, SIX))
    with acme.transaction() as session:
        excuse(
            session,
            acme.clock,
            tenant_id=acme.tenant_id,
            employee_id=who.employee_id,
            kind=ExcusalKind.LEAVE,
            starts_at=NINE + minutes(60),
            ends_at=SIX,
        )
        found = fixes_of_day(session, who.employee_id, DAY)
    assert found.fixed_at[-1] == (NINE + minutes(59)).timestamp()


def test_devices_tell_their_health_and_no_position(
    acme: Company, statement_counter: Counter
) -> None:
    spoke, mute = phone(acme, name="a"), phone(acme, name="b")
    spoke.send([spoke.fix(NINE, battery_pct=41)])
    with acme.transaction() as session:
        session.execute(text("SELECT 1"))
        with statement_counter(acme.app) as seen:
            first, second = device_health(session, everybody())
        assert seen.count == 1
        session.execute(
            text("UPDATE devices SET revoked_at = now() WHERE id = :id"), {"id": mute.device_id}
        )
        assert len(device_health(session, everybody())) == 1
        assert len(device_health(session, everybody(), with_revoked=True)) == 2
        assert device_health(session, only()) == []
    assert (first.device_id, first.battery_pct, first.fixed_at) == (spoke.device_id, 41, NINE)
    assert (second.device_id, second.seen_at) == (mute.device_id, None)
    assert not {"lon", "lat", "position"} & set(asdict(first))


def test_what_waited_on_a_phone_is_told_by_its_age(
    acme: Company, statement_counter: Counter
) -> None:
    who = phone(acme)
    who.send([who.fix(NINE + minutes(n)) for n in range(3)])
    who.send([who.fix(NINE + minutes(10 + n), late=minutes(70 - n)) for n in range(5)])
    with acme.transaction() as session:
        (health,) = device_health(session, everybody())
        assert (health.fixed_at, health.arrived_at) == (NINE + minutes(14), NINE + minutes(80))
        assert health.late_at == NINE + minutes(80)
        session.execute(text("SELECT 1"))
        with statement_counter(acme.app) as seen:
            found = delivery(
                session, tenant_id=acme.tenant_id, device_id=who.device_id, now=NINE + minutes(90)
            )
        assert seen.count == 1
    assert (found.fixes, found.late) == (5, 5)
    assert (found.longest_s, found.reached_at) == (70 * 60.0, NINE + minutes(14))
    who.send([who.fix(NINE + minutes(89))])
    with acme.transaction() as session:
        (health,) = device_health(session, everybody())
        found = delivery(
            session, tenant_id=acme.tenant_id, device_id=who.device_id, now=NINE + minutes(200)
        )
    assert (health.arrived_at, health.late_at) == (NINE + minutes(89), NINE + minutes(80))
    assert (found.fixes, found.late, found.longest_s, found.reached_at) == (0, 0, None, None)


def test_counts_and_refusals_without_what_was_said(acme: Company) -> None:
    who = phone(acme)
    who.send(at_post(who, NINE, NINE + minutes(5)))
    refused = QuarantineRecord(
        device_no=0,
        username="phone",
        topic="owntracks/phone/x",
        reason="range",
        detail="latitude",
        key=5,
        size=10,
        payload=b"secret",
        received_s=NINE.timestamp(),
        via=Via.MQTT,
    )
    device = DeviceRef(acme.tenant_id, who.device_id, who.employee_id)
    with acme.ingest_transaction() as session:
        record_fixes(session, Batch(devices=[device], quarantined=[refused]))
    with acme.transaction() as session:
        [row] = ledger(session, everybody(), first_on=DAY, last_on=DAY)
        assert (row.received, row.stored, row.quarantined) == (6, 5, 1)
        assert ledger(session, only(), first_on=DAY, last_on=DAY) == []
        [reason] = quarantine(session, everybody(), since_at=NINE)
        assert (reason.reason, reason.messages) == ("range", 1)
        assert quarantine(session, everybody(), since_at=SIX) == []
        assert not {"payload", "detail"} & set(asdict(reason))


def test_last_positions_can_be_made_again(acme: Company) -> None:
    who, other = phone(acme), phone(acme)
    for each in (who, other):
        each.send([*at_post(each, NINE, NINE + minutes(5)), each.fix(NINE + minutes(9), flags=8)])

    def table() -> list[tuple[Any, ...]]:
        with acme.engine_transaction() as session:
            rows = session.execute(text("SELECT * FROM last_positions ORDER BY employee_id"))
            return [tuple(row) for row in rows]

    before = table()
    acme.clock.at = NINE + minutes(30)
    with acme.owner.begin() as connection:
        connection.execute(text("DELETE FROM last_positions"))
    with acme.engine_transaction() as session:
        assert rebuild_last_positions(session, acme.clock) == 2
    assert table() == before


def test_another_tenant_sees_nothing_of_a_day(acme: Company) -> None:
    who = phone(acme)
    who.send(at_post(who, NINE, SIX))
    with acme.sessions(acme.app)() as session, session.begin():
        session.execute(text("SELECT set_config('app.tenant', '999', true)"))
        assert day(session, who.employee_id, DAY) is None
        assert fixes_of_day(session, who.employee_id, DAY).total == 0
        assert live_map(session, everybody(), now=NINE).people["id"] == []
