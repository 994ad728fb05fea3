import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from datetime import time as clock_time
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from sqlalchemy import text

from fixtures.stack import Stack
from geo.fix import QualityFlag
from server.findings.queries import FindingFilter, get_finding, list_findings
from server.findings.rules import DayKey, FindingKind, FindingState
from server.posts.rules import ExcusalKind
from server.posts.services import (
    cancel_assignment,
    create_shift,
    excuse,
    reshape_post,
    withdraw_excusal,
)
from server.tracking import engine as engine_module
from server.tracking.engine import Engine, claim_days
from server.tracking.live import LiveType, cursor, read_after
from server.tracking.services import detect_presence_of_days
from tests.factories.company import DAY, LAT_DEG, LON_DEG, Company
from tests.factories.phones import (
    NINE,
    SIX,
    Phone,
    at_post,
    away,
    derived_rows,
    instants,
    live_through,
    minutes,
    phone,
    until,
    worker,
)
from tests.factories.scope import everybody


@pytest.fixture
def engine(acme: Company, redis_client: Redis) -> Engine:
    return worker(acme, redis_client)


@pytest.fixture
def place(acme: Company, redis_client: Redis) -> str:
    return cursor(redis_client, acme.tenant_id)


def alerts(acme: Company, redis: Redis, place: str) -> list[dict[str, Any]]:
    return [
        json.loads(event.json)
        for event in read_after(redis, acme.tenant_id, place, count=100_000)
        if event.type is LiveType.ALERT
    ]


def states(acme: Company, redis: Redis, place: str) -> list[dict[str, Any]]:
    return [
        json.loads(event.json)
        for event in read_after(redis, acme.tenant_id, place, count=100_000)
        if event.type is LiveType.STATE
    ]


def findings(acme: Company, kind: FindingKind, *states: FindingState) -> list[Any]:
    wanted = FindingFilter(kinds=(kind,), states=states or tuple(FindingState), limit=500)
    with acme.transaction() as session:
        return list_findings(session, everybody(), wanted=wanted).rows


def test_who_leaves_for_fifteen_minutes_makes_exactly_one_alert(
    acme: Company, engine: Engine, redis_client: Redis, place: str
) -> None:
    who = phone(acme)
    ten = NINE + minutes(60)
    day = [
        *at_post(who, NINE, ten - minutes(10), every_s=300),
        *at_post(who, ten - minutes(10), ten),
        *away(who, ten, ten + minutes(15)),
        *at_post(who, ten + minutes(15), ten + minutes(30)),
    ]
    live_through(acme, engine, [(who, record) for record in day])
    told = alerts(acme, redis_client, place)
    assert [(a["change"], a["state"]) for a in told] == [("raised", "open"), ("closed", "closed")]
    [found] = findings(acme, FindingKind.OFF_POST)
    assert found.state is FindingState.CLOSED
    assert (found.starts_at, found.ends_at) == (ten, ten + minutes(15))
    assert found.decided_at == ten + minutes(10)
    # Said at the very fix that decided it.
    assert found.raised_at == ten + minutes(10)
    assert found.distance_m == pytest.approx(300, abs=2)
    assert findings(acme, FindingKind.GAP) == []
    seen = [s["status"] for s in states(acme, redis_client, place)]
    assert seen == ["on_post", "travelling", "off_post", "on_post"]


def test_the_evidence_card_says_why_and_what_would_have_changed_it(
    acme: Company, engine: Engine
) -> None:
    who = phone(acme)
    ten = NINE + minutes(60)
    acme.clock.at = ten + minutes(30)
    who.send([*at_post(who, NINE, ten), *away(who, ten, ten + minutes(20))])
    engine.run_until_idle()
    [line] = findings(acme, FindingKind.OFF_POST)
    with acme.transaction() as session:
        card = get_finding(session, everybody(), line.id).evidence
    assert card["rule"] == "off_post"
    assert card["algorithm_version"]
    assert card["thresholds"]["off_post"]["min_outside_s"] == 600
    assert card["inputs"]["post"]["version"] == 1
    assert len(card["inputs"]["fixes"]) == card["inputs"]["fix_count"] == 20
    assert card["figures"]["max_distance_m"] == pytest.approx(300, abs=2)
    assert card["figures"]["margin_m"] > 0
    assert {w["if"] for w in card["would_change"]} == {
        "shorter_than_s",
        "buffer_at_least_m",
        "excused",
        "confidence_below",
    }


def test_jumps_that_claim_to_be_exact_make_no_alert(
    acme: Company, engine: Engine, redis_client: Redis, place: str
) -> None:
    who = phone(acme)
    day = at_post(who, NINE, NINE + minutes(60), every_s=60)
    for number, at in enumerate(instants(NINE + minutes(10), NINE + minutes(50), 240.0)):
        day += [
            who.fix(at + timedelta(seconds=10), east_m=300.0, accuracy_m=2.0, salt=number),
            who.fix(at + timedelta(seconds=20), east_m=310.0, accuracy_m=2.0, salt=number),
        ]
    live_through(acme, engine, [(who, record) for record in day])
    assert alerts(acme, redis_client, place) == []
    assert findings(acme, FindingKind.OFF_POST) == []
    assert derived_rows(acme)["now"][0][3] == "inside"


def test_a_silent_phone_makes_a_gap_and_no_alert(
    acme: Company, engine: Engine, redis_client: Redis, place: str
) -> None:
    who = phone(acme)
    live_through(acme, engine, [(who, r) for r in at_post(who, NINE, NINE + minutes(30))])
    last = NINE + minutes(29)
    until(acme, engine, last + minutes(15))
    assert findings(acme, FindingKind.GAP) == []
    until(acme, engine, last + minutes(17))
    [gap] = findings(acme, FindingKind.GAP)
    assert (gap.starts_at, gap.state, gap.cause) == (last, FindingState.OPEN, "silent")
    assert alerts(acme, redis_client, place) == []
    assert states(acme, redis_client, place)[-1]["presence"] == "unknown"
    until(acme, engine, SIX + minutes(2), step=minutes(10))
    [gap] = findings(acme, FindingKind.GAP)
    assert (gap.state, gap.ends_at) == (FindingState.CLOSED, SIX)
    assert findings(acme, FindingKind.OFF_POST) == []
    assert states(acme, redis_client, place)[-1]["status"] == "off_duty"
    assert derived_rows(acme)["now"] == []


def test_a_phone_that_never_spoke_is_a_gap_over_the_shift(acme: Company, engine: Engine) -> None:
    phone(acme)
    until(acme, engine, SIX + minutes(1), step=minutes(30))
    [gap] = findings(acme, FindingKind.GAP)
    assert (gap.starts_at, gap.ends_at, gap.state) == (NINE, SIX, FindingState.CLOSED)
    assert derived_rows(acme)["presence"][0][3:6] == (NINE, SIX, "unknown")


def test_an_empty_battery_and_a_last_will_are_named_as_causes(
    acme: Company, engine: Engine
) -> None:
    flat, cut = phone(acme, name="flat"), phone(acme, name="cut")
    flat.send([flat.fix(NINE + minutes(5), battery_pct=3)])
    cut.send([cut.fix(NINE + minutes(5))])
    with acme.ingest_transaction() as session:
        session.execute(
            text(
                "INSERT INTO device_events (tenant_id, device_id, at, msg_key, employee_id, kind,"
                " received_at, body, via) VALUES (:tenant, :device, :at, 1, :who, 'lwt',"
                " :received, '{}', 'mqtt')"
            ),
            {
                "tenant": acme.tenant_id,
                "device": cut.device_id,
                "who": cut.employee_id,
                "at": NINE - minutes(30),
                "received": NINE + minutes(9),
            },
        )
    acme.clock.at = NINE + minutes(40)
    engine.run_until_idle()
    causes = {f.employee_name: f.cause for f in findings(acme, FindingKind.GAP)}
    assert causes == {"flat": "battery", "cut": "offline"}


@pytest.mark.parametrize("kind", [ExcusalKind.OUTING, ExcusalKind.LEAVE, ExcusalKind.VISIT])
def test_who_is_excused_makes_no_alert(
    acme: Company, engine: Engine, redis_client: Redis, place: str, kind: ExcusalKind
) -> None:
    who = phone(acme)
    ten = NINE + minutes(60)
    with acme.transaction() as session:
        excuse(
            session,
            acme.clock,
            tenant_id=acme.tenant_id,
            employee_id=who.employee_id,
            kind=kind,
            starts_at=ten,
            ends_at=ten + minutes(60),
        )
    day = [
        *at_post(who, ten - minutes(10), ten, every_s=120),
        *away(who, ten, ten + minutes(60), every_s=120),
        *at_post(who, ten + minutes(60), ten + minutes(70), every_s=120),
    ]
    acme.clock.at = ten - minutes(10)
    live_through(acme, engine, [(who, record) for record in day])
    assert alerts(acme, redis_client, place) == []
    assert findings(acme, FindingKind.OFF_POST) == []


def test_leave_granted_afterwards_retracts_and_its_withdrawal_brings_it_back(
    acme: Company, engine: Engine, redis_client: Redis, place: str
) -> None:
    who = phone(acme)
    ten = NINE + minutes(60)
    acme.clock.at = ten + minutes(40)
    who.send(
        [
            *at_post(who, NINE, ten),
            *away(who, ten, ten + minutes(20)),
            *at_post(who, ten + minutes(20), ten + minutes(40)),
        ]
    )
    engine.run_until_idle()
    [found] = findings(acme, FindingKind.OFF_POST, FindingState.CLOSED)
    with acme.transaction() as session:
        leave = excuse(
            session,
            acme.clock,
            tenant_id=acme.tenant_id,
            employee_id=who.employee_id,
            kind=ExcusalKind.LEAVE,
            starts_at=ten,
            ends_at=ten + minutes(20),
        )
    engine.run_until_idle()
    assert findings(acme, FindingKind.OFF_POST, FindingState.CLOSED) == []
    assert len(findings(acme, FindingKind.OFF_POST, FindingState.RETRACTED)) == 1
    with acme.transaction() as session:
        withdraw_excusal(session, acme.clock, tenant_id=acme.tenant_id, excusal_id=leave)
    engine.run_until_idle()
    [again] = findings(acme, FindingKind.OFF_POST)
    assert (again.id, again.state, again.revision) == (found.id, FindingState.CLOSED, 3)
    assert [a["change"] for a in alerts(acme, redis_client, place)] == [
        "raised",
        "retracted",
        "raised",
    ]


def test_late_data_retracts_what_it_disproves(
    acme: Company, engine: Engine, redis_client: Redis, place: str
) -> None:
    who = phone(acme)
    ten = NINE + minutes(60)
    acme.clock.at = ten + minutes(30)
    # Only the fixes at the ends of two short errands came through at first.
    who.send(
        [
            *at_post(who, NINE, ten),
            *[who.fix(ten + minutes(m), east_m=400.0) for m in (0, 1, 11, 12)],
        ]
    )
    engine.run_until_idle()
    assert len(findings(acme, FindingKind.OFF_POST, FindingState.OPEN, FindingState.CLOSED)) == 1
    who.send(
        [
            who.fix(at, east_m=10.0, late=minutes(25), salt=1)
            for at in instants(ten + minutes(2), ten + minutes(11), 60.0)
        ]
    )
    engine.run_until_idle()
    [found] = findings(acme, FindingKind.OFF_POST)
    assert found.state is FindingState.RETRACTED
    assert [a["change"] for a in alerts(acme, redis_client, place)] == ["raised", "retracted"]


def test_an_overnight_shift_is_one_day_of_the_date_it_starts_on(
    acme: Company, engine: Engine
) -> None:
    with acme.transaction() as session:
        night = create_shift(
            session,
            tenant_id=acme.tenant_id,
            name="夜班",
            starts=clock_time(22),
            ends=clock_time(6),
        )
    employee = acme.hire()
    entry = acme.roster(employee, shift_id=night)
    who = Phone(acme, employee, acme.give_phone(employee), entry, DAY)
    ten_pm = datetime(2026, 11, 18, 14, tzinfo=UTC)
    midnight = ten_pm + minutes(120)
    acme.clock.at = ten_pm + minutes(500)
    who.send(
        [
            *at_post(who, ten_pm, midnight - minutes(10), every_s=300),
            *away(who, midnight - minutes(10), midnight + minutes(10)),
            *at_post(who, midnight + minutes(10), ten_pm + minutes(480), every_s=300),
        ]
    )
    engine.run_until_idle()
    [found] = findings(acme, FindingKind.OFF_POST)
    assert found.work_on == DAY
    assert (found.starts_at, found.ends_at) == (midnight - minutes(10), midnight + minutes(10))
    rows = derived_rows(acme)
    assert {row[1] for row in rows["presence"]} == {DAY}
    assert [row[1] for row in rows["days"]] == [DAY]


def test_people_without_a_post_have_gaps_and_a_track_but_no_presence(
    acme: Company, engine: Engine
) -> None:
    who = phone(acme, post=False)
    acme.clock.at = SIX + minutes(30)
    who.send(away(who, NINE, NINE + minutes(60)))
    engine.run_until_idle()
    rows = derived_rows(acme)
    assert rows["presence"] == []
    assert len(rows["days"]) == 1
    assert findings(acme, FindingKind.OFF_POST) == []
    assert len(findings(acme, FindingKind.GAP)) == 1


def test_a_new_shape_judges_only_what_comes_after_it(acme: Company, engine: Engine) -> None:
    who = phone(acme)
    ten = NINE + minutes(60)
    acme.clock.at = ten + minutes(60)
    who.send(away(who, NINE, ten + minutes(60)))
    engine.run_until_idle()
    [found] = findings(acme, FindingKind.OFF_POST)
    assert found.starts_at == NINE
    with acme.transaction() as session:
        reshape_post(
            session,
            acme.clock,
            tenant_id=acme.tenant_id,
            post_id=acme.post_id,
            shape={"type": "Point", "coordinates": [LON_DEG, LAT_DEG], "radius_m": 800},
            valid_from_at=ten,
        )
    engine.run_until_idle()
    [found] = findings(acme, FindingKind.OFF_POST)
    assert (found.starts_at, found.ends_at) == (NINE, ten)
    states_ = [(row[3], row[5]) for row in derived_rows(acme)["presence"]]
    assert states_ == [(NINE, "outside"), (ten, "inside")]


def test_a_cancelled_assignment_leaves_nothing_behind(acme: Company, engine: Engine) -> None:
    who = phone(acme)
    acme.clock.at = NINE + minutes(60)
    who.send(away(who, NINE, NINE + minutes(60)))
    engine.run_until_idle()
    with acme.transaction() as session:
        cancel_assignment(session, acme.clock, tenant_id=acme.tenant_id, entry_id=who.entry_id)
    engine.run_until_idle()
    rows = derived_rows(acme)
    assert rows == {"presence": [], "days": [], "findings": [], "now": []}
    assert {f.state for f in findings(acme, FindingKind.OFF_POST)} == {FindingState.RETRACTED}


def test_a_clock_that_is_a_little_ahead_delays_nothing_for_long(
    acme: Company, engine: Engine
) -> None:
    who = phone(acme)
    acme.clock.at = NINE + minutes(1)
    who.send([who.fix(NINE + minutes(1) + timedelta(seconds=3))])
    engine.run_until_idle()
    assert derived_rows(acme)["now"][0][3] == "unknown"
    acme.clock.at += timedelta(seconds=4)
    assert engine.queue_due() == 1
    engine.run_until_idle()
    assert derived_rows(acme)["now"][0][3] == "inside"


def test_mocked_positions_prove_nothing(acme: Company, engine: Engine) -> None:
    who = phone(acme)
    acme.clock.at = NINE + minutes(60)
    mocked = [
        who.fix(at, east_m=500.0, flags=int(QualityFlag.MOCK))
        for at in instants(NINE, NINE + minutes(60), 60.0)
    ]
    who.send(mocked)
    engine.run_until_idle()
    assert findings(acme, FindingKind.OFF_POST) == []
    [gap] = findings(acme, FindingKind.GAP)
    assert gap.cause == "untrusted"


def test_deriving_twice_changes_nothing(acme: Company, engine: Engine) -> None:
    who = phone(acme)
    acme.clock.at = SIX + minutes(30)
    who.send([*at_post(who, NINE, NINE + minutes(60)), *away(who, NINE + minutes(60), SIX)])
    engine.run_until_idle()
    before = derived_rows(acme)
    with acme.engine_transaction() as session:
        session.execute(
            text(
                "INSERT INTO touched_days (tenant_id, employee_id, work_on, since_at)"
                " VALUES (:t, :e, :d, :s)"
            ),
            {"t": acme.tenant_id, "e": who.employee_id, "d": DAY, "s": NINE},
        )
    assert engine.run_until_idle() == 1
    assert derived_rows(acme) == before
    [found] = findings(acme, FindingKind.OFF_POST)
    assert found.revision == 1


def test_one_bad_day_stops_no_other(
    acme: Company, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad, good = phone(acme, name="bad"), phone(acme, name="good")

    def fails_for_bad(*args: Any, days: list[DayKey], **rest: Any) -> Any:
        if any(day.employee_id == bad.employee_id for day in days):
            message = "this day cannot be derived"
            raise ArithmeticError(message)
        return detect_presence_of_days(*args, days=days, **rest)

    monkeypatch.setattr(engine_module, "detect_presence_of_days", fails_for_bad)
    acme.clock.at = NINE + minutes(30)
    for who in (bad, good):
        who.send(at_post(who, NINE, NINE + minutes(30)))
    engine.run_until_idle()
    assert {row[0] for row in derived_rows(acme)["days"]} == {good.employee_id}
    assert queue_length(acme) == 1
    monkeypatch.undo()
    assert engine.run_until_idle() == 0
    acme.clock.advance(timedelta(seconds=10))
    assert engine.run_until_idle() == 1
    assert len(derived_rows(acme)["days"]) == 2


def test_a_day_that_another_worker_holds_stays_queued(acme: Company, redis_client: Redis) -> None:
    who, other = phone(acme), phone(acme)
    acme.clock.at = NINE + minutes(30)
    who.send(at_post(who, NINE, NINE + minutes(10)))
    with acme.engine_transaction() as first:
        rows, days = claim_days(first)
        assert (rows, len(days)) == (1, 1)
        who.send(at_post(who, NINE + minutes(10), NINE + minutes(20)))
        other.send(at_post(other, NINE, NINE + minutes(10)))
        with acme.engine_transaction() as second:
            assert list(claim_days(second)[1]) == [DayKey(acme.tenant_id, other.employee_id, DAY)]
            second.rollback()
    assert queue_length(acme) == 2
    worker(acme, redis_client).run_until_idle()
    assert queue_length(acme) == 0


def test_a_backlog_of_earlier_days_waits_for_today(acme: Company) -> None:
    today, yesterday = phone(acme), DAY - timedelta(days=1)
    with acme.engine_transaction() as session:
        session.execute(
            text(
                "INSERT INTO touched_days (tenant_id, employee_id, work_on, since_at)"
                " SELECT :t, gen_random_uuid(), :d, now() FROM generate_series(1, 20)"
            ),
            {"t": acme.tenant_id, "d": yesterday},
        )
    today.send([today.fix(NINE)])
    with acme.engine_transaction() as session:
        assert list(claim_days(session, max_days=1)[1]) == [
            DayKey(acme.tenant_id, today.employee_id, DAY)
        ]


def queue_length(acme: Company) -> int:
    with acme.engine_transaction() as session:
        return int(session.execute(text("SELECT count(*) FROM touched_days")).scalar_one())


def scattered_day(acme: Company, seed: int) -> list[tuple[Phone, Any]]:
    """Three people's eventful day, every message as often as it likes, in any order."""
    chance = random.Random(seed)
    sendings = []
    for name in ("a", "b", "c"):
        who = phone(acme, name=name)
        day = [
            *at_post(who, NINE, NINE + minutes(120), every_s=120),
            *away(who, NINE + minutes(120), NINE + minutes(140)),
            *at_post(who, NINE + minutes(140), NINE + minutes(200), every_s=120),
            *away(who, NINE + minutes(260), NINE + minutes(300), east_m=900.0, every_s=120),
            *at_post(who, NINE + minutes(300), SIX, every_s=180),
        ]
        sendings += [(who, record) for record in day for _ in range(chance.choice((1, 1, 2)))]
    chance.shuffle(sendings)
    return sendings


def test_two_workers_in_parallel_give_the_result_of_one(
    acme: Company, redis_client: Redis, stack: Stack
) -> None:
    sendings = scattered_day(acme, seed=4)
    acme.clock.at = SIX + minutes(20)
    stop = threading.Event()
    failures: list[BaseException] = []

    def work() -> None:
        with Redis.from_url(stack.redis.url) as redis:
            mine = worker(acme, redis)
            while not stop.is_set():
                try:
                    mine.queue_begun()
                    if not mine.run_batch():
                        stop.wait(0.005)
                except BaseException as error:  # noqa: BLE001  # shown by the assertion below
                    failures.append(error)
                    return

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for first in range(0, len(sendings), 30):
        batch = sendings[first : first + 30]
        for sender in {who.employee_id: who for who, _ in batch}.values():
            sender.send([record for who, record in batch if who is sender])
    deadline = time.monotonic() + 30
    while queue_length(acme) and time.monotonic() < deadline:
        time.sleep(0.02)
    stop.set()
    for thread in threads:
        thread.join()
    assert failures == []
    assert queue_length(acme) == 0
    together = derived_rows(acme)
    assert len(together["days"]) == 3
    with acme.owner.begin() as connection:
        for name in ("findings", "presence_intervals", "person_days", "presence_now"):
            connection.execute(text(f"DELETE FROM {name}"))
    alone = worker(acme, redis_client)
    alone.queue_begun()
    alone.run_until_idle()
    assert derived_rows(acme) == together


_VICTIM = """
import sys
from datetime import datetime
from redis import Redis
from server.clock import ManualClock
from server.db.engine import make_engine, make_session_factory
from server.tracking import engine as module
from server.tracking.live import LivePublisher

def slowly(*args, **rest):
    derived = real(*args, **rest)
    print("derived", flush=True)
    sys.stdin.read()
    return derived

real = module.detect_presence_of_days
module.detect_presence_of_days = slowly
clock = ManualClock(datetime.fromisoformat(sys.argv[3]))
worker = module.Engine(
    make_session_factory(make_engine(sys.argv[1])), clock,
    LivePublisher(Redis.from_url(sys.argv[2])),
)
worker.run_batch()
"""


def test_a_worker_killed_in_the_middle_loses_nothing(
    acme: Company, redis_client: Redis, stack: Stack
) -> None:
    who = phone(acme)
    acme.clock.at = NINE + minutes(90)
    who.send([*at_post(who, NINE, NINE + minutes(60)), *away(who, NINE + minutes(60), SIX)])
    with subprocess.Popen(
        [
            sys.executable,
            "-c",
            _VICTIM,
            acme.urls.engine,
            stack.redis.url,
            acme.clock.now().isoformat(),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(Path.cwd())},
    ) as victim:
        assert victim.stdout is not None
        assert victim.stdout.readline() == b"derived\n"
        victim.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 10
    second = worker(acme, redis_client)
    while not derived_rows(acme)["findings"] and time.monotonic() < deadline:
        second.run_until_idle()
    [found] = findings(acme, FindingKind.OFF_POST)
    assert found.state is FindingState.OPEN
    assert queue_length(acme) == 0
