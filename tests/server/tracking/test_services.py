import random
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis import Redis
from sqlalchemy import Engine as Database
from sqlalchemy import text

from fixtures.stack import DatabaseUrls
from geo.fix import QualityFlag, Source
from server.clock import ManualClock
from server.findings.rules import DayKey
from server.tracking.engine import Engine
from server.tracking.records import FixRecord
from server.tracking.services import (
    TRAJECTORY_EVERY,
    detect_presence_of_day,
    detect_presence_of_days,
)
from tests.conftest import StatementCount
from tests.factories.company import DAY, Company, company
from tests.factories.phones import (
    NINE,
    SIX,
    Phone,
    at_post,
    away,
    derived_rows,
    forget_everything_derived,
    instants,
    minutes,
    phone,
    worker,
)

Counter = Callable[[Database], AbstractContextManager[StatementCount]]


@dataclass(frozen=True, slots=True)
class World:
    """A person, what the phone measured in an eventful day, and what follows from it."""

    company: Company
    engine: Engine
    who: Phone
    messages: list[FixRecord]
    expected: dict[str, Any]


AFTERWARDS = SIX + timedelta(hours=49)


def eventful(who: Phone) -> list[FixRecord]:
    """Presence, an absence, a silence, cell positions, jumps and a fix outside duty's end."""
    return [
        *at_post(who, NINE - minutes(5), NINE + minutes(60), every_s=300),
        *away(who, NINE + minutes(60), NINE + minutes(85), every_s=150),
        *at_post(who, NINE + minutes(85), NINE + minutes(130), every_s=300),
        who.fix(NINE + minutes(101), east_m=350.0, accuracy_m=2.0),
        *[
            who.fix(at, east_m=200.0, accuracy_m=1_500.0, source=Source.CELL)
            for at in instants(NINE + minutes(130), NINE + minutes(180), 600.0)
        ],
        who.fix(NINE + minutes(190), east_m=900.0, flags=int(QualityFlag.MOCK)),
        *away(who, NINE + minutes(240), NINE + minutes(262), east_m=2_000.0, every_s=180),
        *at_post(who, NINE + minutes(300), SIX + minutes(8), every_s=600),
        who.fix(NINE + minutes(60), east_m=30.0, accuracy_m=None, salt=9),
    ]


@pytest.fixture(scope="module")
def world(module_database: DatabaseUrls, stack: Any) -> Iterator[World]:
    with company(module_database) as acme, Redis.from_url(stack.redis.url) as redis:
        who = phone(acme)
        engine = worker(acme, redis)
        messages = eventful(who)
        acme.clock.at = AFTERWARDS
        who.send(messages)
        settle(engine)
        expected = derived_rows(acme)
        yield World(acme, engine, who, messages, expected)


def settle(engine: Engine) -> None:
    engine.queue_begun()
    engine.queue_due()
    engine.run_until_idle()


def test_the_day_of_the_property_has_something_of_everything(world: World) -> None:
    kinds = [row[0] for row in world.expected["findings"]]
    assert kinds.count("off_post") == 2
    assert kinds.count("gap") >= 2
    assert {row[5] for row in world.expected["presence"]} == {"inside", "outside", "unknown"}
    [day] = world.expected["days"]
    assert '"trip"' in day[5]
    assert '"stop"' in day[5]


@settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(seed=st.integers(0, 2**32), longest_h=st.sampled_from([0.0, 0.5, 4.0, 48.0]))
def test_any_order_and_any_repetition_ends_in_the_same_rows(
    world: World, seed: int, longest_h: float
) -> None:
    """Messages up to 48 h late, some twice, in batches of any size, derived at any time."""
    acme, chance = world.company, random.Random(seed)
    forget_everything_derived(acme)
    arrivals = sorted(
        (record.fix.fixed_s + chance.uniform(0.0, longest_h * 3_600.0), number, record)
        for number, record in enumerate(world.messages * 2)
        if number < len(world.messages) or chance.random() < 0.3
    )
    at = 0
    while at < len(arrivals):
        size = chance.choice((1, 3, 10, 40))
        batch = arrivals[at : at + size]
        acme.clock.at = max(datetime.fromtimestamp(batch[-1][0], UTC), NINE - minutes(30))
        world.who.send([_as_it_arrives(record, at_s, chance) for at_s, _, record in batch])
        if chance.random() < 0.5:
            settle(world.engine)
        at += size
    acme.clock.at = AFTERWARDS
    settle(world.engine)
    assert derived_rows(acme) == world.expected


def _as_it_arrives(record: FixRecord, at_s: float, chance: random.Random) -> FixRecord:
    """Doubts that depend on arrival differ from one delivery to the next."""
    doubts = QualityFlag.LATE | QualityFlag.JUMP | QualityFlag.FROZEN | QualityFlag.DUPLICATE
    return msgspec.structs.replace(
        record, received_s=at_s, flags=record.flags | (chance.getrandbits(13) & int(doubts))
    )


def test_statements_do_not_grow_with_the_number_of_days(
    acme: Company, redis_client: Redis, statement_counter: Counter
) -> None:
    del redis_client
    people = [phone(acme, name=f"n{no}") for no in range(6)]
    acme.clock.at = NINE + minutes(60)
    for who in people:
        who.send(away(who, NINE, NINE + minutes(50)))
    counts = []
    for chosen in (people[:1], people[1:]):
        days = [DayKey(acme.tenant_id, who.employee_id, DAY) for who in chosen]
        with acme.engine_transaction() as session:
            session.execute(text("SELECT 1"))
            with statement_counter(acme.engine) as seen:
                detect_presence_of_days(session, acme.clock, days=days)
            counts.append(seen.count)
    assert counts[0] == counts[1] <= 20


@pytest.mark.parametrize("post", [True, False])
def test_days_of_one_person_in_a_row_are_derived_together_as_apart(
    acme: Company,
    post: bool,  # noqa: FBT001  # a parameter
) -> None:
    today = phone(acme, post=post)
    dates = [DAY, DAY + timedelta(days=1), DAY + timedelta(days=2)]
    for on in dates[1:]:
        acme.roster(today.employee_id, on_date=on, post=post)
    acme.clock.at = SIX + timedelta(days=3)
    today.send(at_post(today, NINE, NINE + minutes(60)))
    keys = [DayKey(acme.tenant_id, today.employee_id, on) for on in dates]
    for key in keys:
        with acme.engine_transaction() as session:
            detect_presence_of_days(session, acme.clock, days=[key])
    apart = derived_rows(acme)
    with acme.engine_transaction() as session:
        detect_presence_of_days(session, acme.clock, days=keys)
    assert derived_rows(acme) == apart


def test_the_trajectory_waits_a_minute_and_is_made_final_at_the_end(acme: Company) -> None:
    who = phone(acme)
    clock = ManualClock(NINE + minutes(60))
    who.send(at_post(who, NINE, SIX))

    def as_of() -> str:
        with acme.engine_transaction() as session:
            detect_presence_of_day(
                session,
                clock,
                tenant_id=acme.tenant_id,
                employee_id=who.employee_id,
                work_on=DAY,
            )
            return str(
                session.execute(
                    text("SELECT summary -> 'trajectory' ->> 'as_of' FROM person_days")
                ).scalar_one()
            )

    first = as_of()
    clock.advance(TRAJECTORY_EVERY - timedelta(seconds=1))
    assert as_of() == first
    clock.advance(timedelta(seconds=1))
    assert as_of() == "2026-11-18T02:01:00Z"
    clock.at = SIX - timedelta(seconds=1)
    as_of()
    clock.at = SIX
    assert as_of() == "2026-11-18T10:00:00Z"


def test_a_failure_in_the_middle_leaves_everything_as_it_was(
    acme: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    who = phone(acme)
    acme.clock.at = NINE + minutes(60)
    who.send(away(who, NINE, NINE + minutes(50)))
    before = derived_rows(acme)

    def fails(*_args: object, **_rest: object) -> None:
        message = "the second write fails"
        raise RuntimeError(message)

    monkeypatch.setattr("server.tracking.derived.show_current", fails)
    with pytest.raises(RuntimeError), acme.engine_transaction() as session:
        detect_presence_of_days(
            session, acme.clock, days=[DayKey(acme.tenant_id, who.employee_id, DAY)]
        )
    assert derived_rows(acme, with_retracted=True) == before
