"""The gate, and that the same messages in any order end in the same rows."""

import json
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine
from sqlalchemy.orm import Session, sessionmaker

from fixtures.stack import DatabaseUrls
from ingest.devices import LookUp
from ingest.intake import Intake, Message, Taken
from ingest.ratelimit import RateLimit, RateLimiter
from ingest.replay import replay
from ingest.wire import Reason
from server.clock import ManualClock
from server.crypto import Vault
from server.db.engine import make_engine, make_session_factory
from server.db.session import unit_of_work
from server.db.types import new_id
from tests.factories.consumer import Rows
from tests.factories.crew import Phone, enlist, plain_url

NOW = datetime(2026, 11, 18, 4, 0, tzinfo=UTC)
VAULT = Vault(bytes(range(32)))


@dataclass(slots=True)
class Site:
    """An intake on a database of its own."""

    urls: DatabaseUrls
    engine: Engine
    sessions: sessionmaker[Session]
    rows: Rows
    intake: Intake

    def take(self, *messages: Message, intake: Intake | None = None) -> Taken:
        chosen = intake or self.intake
        with unit_of_work(self.sessions, tenant_id=None) as session:
            taken = chosen.take(session, messages)
        chosen.committed(taken, NOW.timestamp())
        return taken

    def execute(self, statement: str, *values: object) -> None:
        with psycopg.connect(plain_url(self.urls.superuser)) as connection:
            connection.execute(statement.encode(), values)


@contextmanager
def _site(urls: DatabaseUrls) -> Iterator[Site]:
    engine = make_engine(urls.ingest)
    intake = Intake(directory=LookUp(VAULT), vault=VAULT)
    yield Site(urls, engine, make_session_factory(engine), Rows(urls), intake)
    engine.dispose()


@pytest.fixture(scope="module")
def site(module_database: DatabaseUrls) -> Iterator[Site]:
    with _site(module_database) as made:
        yield made


@pytest.fixture
def own_site(database: DatabaseUrls) -> Iterator[Site]:
    with _site(database) as made:
        yield made


_tenants = iter(range(1, 10_000))


def _crew(site: Site, count: int = 1, *, off_duty: int = 0) -> list[Phone]:
    return enlist(site.urls, count, tenant_id=next(_tenants), off_duty=off_duty, around=NOW)


def _fix(phone: Phone, at: datetime, *, received: datetime | None = None, **more: Any) -> Message:
    fix = {"_type": "location", "lat": 31.23, "lon": 121.47, "acc": 9, "tst": int(at.timestamp())}
    sent = (received or max(at, NOW)).timestamp()
    return Message(phone.topic, json.dumps(fix | more).encode(), sent)


def _cut_off(phone: Phone, at: datetime) -> Message:
    body = f'{{"_type":"location","tst":{int(at.timestamp())},"lat":31.2'
    return Message(phone.topic, body.encode(), NOW.timestamp())


def _stored(site: Site, phone: Phone) -> int:
    return int(site.rows.one("SELECT count(*) FROM fixes WHERE device_id = %s", phone.device_id))


def test_the_gate_is_half_open_and_has_ten_minutes_of_grace(site: Site) -> None:
    (phone,) = _crew(site)
    start, end = NOW - timedelta(hours=10), NOW + timedelta(hours=10)
    inside = [start - timedelta(minutes=10), start, end, end + timedelta(seconds=599)]
    outside = [start - timedelta(seconds=601), end + timedelta(seconds=600)]
    taken = site.take(*[_fix(phone, at, received=max(at, NOW)) for at in inside + outside])
    assert (taken.recorded.stored, taken.recorded.off_duty) == (4, 2)


def test_a_cache_from_before_a_change_of_duty_never_lets_a_fix_through(site: Site) -> None:
    (phone,) = _crew(site)
    site.take(_fix(phone, NOW))
    site.execute(
        "INSERT INTO excusals (tenant_id, id, employee_id, kind, starts_at, ends_at)"
        " VALUES (%s, %s, %s, 'leave', %s, %s)",
        phone.tenant_id,
        new_id(),
        phone.employee_id,
        NOW - timedelta(hours=1),
        NOW + timedelta(hours=1),
    )
    site.execute(
        "INSERT INTO duty_versions VALUES (%s, 1) ON CONFLICT (tenant_id)"
        " DO UPDATE SET version = duty_versions.version + 1",
        phone.tenant_id,
    )
    late = _fix(phone, NOW - timedelta(minutes=20), received=NOW)
    assert site.take(late).recorded.off_duty == 1
    assert _stored(site, phone) == 1


def test_an_hour_of_each_day_of_a_month_is_gated_right_from_a_cold_and_a_warm_cache(
    site: Site,
) -> None:
    (phone,) = _crew(site)
    old = _fix(phone, NOW - timedelta(days=20))
    for _ in range(2):
        assert site.take(old, _fix(phone, NOW)).recorded.off_duty == 1
    assert _stored(site, phone) == 1


def test_nothing_of_a_day_off_is_anywhere(site: Site) -> None:
    (phone,) = _crew(site, 1, off_duty=1)
    canary = 31.777_123
    day = [_fix(phone, NOW - timedelta(minutes=no), lat=canary) for no in range(0, 1440, 10)]
    bad = Message(phone.topic, f'{{"_type":"location","lat":{canary},'.encode(), NOW.timestamp())
    event = {
        "_type": "transition",
        "event": "enter",
        "lat": canary,
        "lon": 1,
        "tst": int(NOW.timestamp()),
    }
    lost = Message(phone.topic, b'{"_type":"lwt"}', NOW.timestamp())
    told = Message(phone.topic + "/event", json.dumps(event).encode(), NOW.timestamp())
    recorded = site.take(*day, bad, told, lost).recorded
    assert (recorded.off_duty, recorded.quarantined, recorded.ignored) == (len(day) + 2, 1, 0)
    tables = site.rows.all(
        "SELECT table_name FROM information_schema.columns WHERE column_name = 'device_id'"
        " AND table_schema = 'public' AND table_name NOT LIKE 'fixes\\_%%'"
    )
    holding = {
        table
        for (table,) in tables
        if site.rows.one(f"SELECT count(*) FROM {table} WHERE device_id = %s", phone.device_id)
    }
    assert holding == {"ingest_ledger", "quarantine"}
    assert (
        site.rows.all(
            "SELECT payload, detail FROM quarantine WHERE device_id = %s", phone.device_id
        )[0][0]
        is None
    )
    assert (
        site.rows.all("SELECT 1 FROM last_positions WHERE employee_id = %s", phone.employee_id)
        == []
    )
    assert (
        site.rows.all("SELECT 1 FROM touched_days WHERE employee_id = %s", phone.employee_id) == []
    )


def _rubbish(at: datetime) -> list[bytes]:
    """What a phone may send that cannot be stored, all of it about one instant."""
    tst = int(at.timestamp())
    fix: dict[str, Any] = {"_type": "location", "tst": tst, "lat": 31.777_123, "lon": 121.5}
    text = json.dumps(fix)
    bodies: list[object] = [
        fix | {"_type": "nosuch"},
        fix | {f"k{no}": no for no in range(100)},
        fix | {"lat": 91, "was": 31.777_123},
        [fix] * 501,
        fix | {"_type": "cmd"},
        fix | {"_type": "transition", "event": "nosuch"},
    ]
    cut_off, twice = text[:-1], text[:-1] + ',"lon":121.5}'
    return [cut_off.encode(), twice.encode(), *[json.dumps(body).encode() for body in bodies]]


def _payloads(site: Site, phone: Phone) -> list[tuple[str, bool]]:
    return site.rows.all(
        "SELECT reason, payload IS NOT NULL FROM quarantine WHERE device_id = %s ORDER BY 1",
        phone.device_id,
    )


def test_what_was_written_off_duty_is_not_kept_because_it_comes_on_duty(site: Site) -> None:
    late, timely = _crew(site, 2)
    limited = Intake(
        directory=LookUp(VAULT), vault=VAULT, limiter=RateLimiter(RateLimit(per_s=0, burst=0))
    )
    for phone, at in ((late, NOW - timedelta(hours=15)), (timely, NOW - timedelta(hours=1))):
        bodies = _rubbish(at)
        site.take(*[Message(phone.topic, body, NOW.timestamp()) for body in bodies])
        site.take(_fix(phone, at, received=NOW), intake=limited)
        assert len(_payloads(site, phone)) == len(bodies) + 1
    assert {kept for _, kept in _payloads(site, late)} == {False}
    assert {kept for _, kept in _payloads(site, timely)} == {True}


def test_one_member_of_an_array_never_takes_the_others_into_quarantine(site: Site) -> None:
    (phone,) = _crew(site)
    on, off = int(NOW.timestamp()), int((NOW - timedelta(hours=15)).timestamp())
    fix = {"_type": "location", "lat": 31.777_123, "lon": 121.5}
    wide = fix | {"tst": on} | {f"k{no}": no for no in range(100)}
    body = json.dumps([wide, fix | {"tst": off}, fix | {"tst": on}]).encode()
    recorded = site.take(Message(phone.topic, body, NOW.timestamp())).recorded
    assert (recorded.quarantined, recorded.off_duty, recorded.stored) == (1, 1, 1)
    size = site.rows.one("SELECT size FROM quarantine WHERE device_id = %s", phone.device_id)
    assert size < len(body) - 100


def test_a_last_will_on_duty_has_the_day_judged_again_and_a_repeated_one_does_not(
    site: Site,
) -> None:
    on, off = _crew(site, 2, off_duty=1)
    query = "SELECT work_on, since_at FROM touched_days WHERE employee_id = %s"
    lost = Message(on.topic, b'{"_type":"lwt"}', NOW.timestamp())
    for _ in range(2):
        site.take(lost, msgspec.structs.replace(lost, topic=off.topic))
        assert site.rows.all(query, on.employee_id) == [(NOW.date() - timedelta(days=1), NOW)]
    assert site.rows.all(query, off.employee_id) == []


def test_old_news_never_replaces_newer(site: Site) -> None:
    (phone,) = _crew(site)
    newest = _fix(phone, NOW, lat=31.5, batt=40)
    backlog = [_fix(phone, NOW - timedelta(minutes=no), batt=90) for no in range(1, 60)]
    site.take(newest)
    assert site.take(*backlog).recorded.moved == ()
    ((lat, fixed_at),) = site.rows.all(
        "SELECT ST_Y(position), fixed_at FROM last_positions WHERE employee_id = %s",
        phone.employee_id,
    )
    assert (lat, fixed_at) == (31.5, NOW)
    assert (
        site.rows.one("SELECT battery_pct FROM device_health WHERE device_id = %s", phone.device_id)
        == 40
    )


def test_a_fix_from_the_future_never_pins_the_last_position(site: Site) -> None:
    (phone,) = _crew(site)
    site.take(_fix(phone, NOW), _fix(phone, NOW + timedelta(days=3650), received=NOW))
    site.take(_fix(phone, NOW + timedelta(minutes=1)))
    found = site.rows.one(
        "SELECT fixed_at FROM last_positions WHERE employee_id = %s", phone.employee_id
    )
    assert found == NOW + timedelta(minutes=1)


def test_a_device_beyond_its_rate_is_quarantined_and_others_are_not(site: Site) -> None:
    flooder, honest = _crew(site, 2)
    intake = Intake(
        directory=LookUp(VAULT), vault=VAULT, limiter=RateLimiter(RateLimit(per_s=1, burst=10))
    )
    flood = [_fix(flooder, NOW - timedelta(seconds=no)) for no in range(30)]
    recorded = site.take(*flood, _fix(honest, NOW), intake=intake).recorded
    assert (recorded.stored, recorded.quarantined) == (11, 20)
    assert _stored(site, honest) == 1
    late = [_fix(flooder, NOW - timedelta(minutes=no)) for no in range(1, 4)]
    assert site.take(*late, intake=intake).recorded.quarantined == 3


def test_a_batch_that_failed_costs_a_device_nothing(site: Site) -> None:
    (phone,) = _crew(site)
    intake = Intake(
        directory=LookUp(VAULT), vault=VAULT, limiter=RateLimiter(RateLimit(per_s=0, burst=5))
    )
    batch = [_fix(phone, NOW - timedelta(seconds=no)) for no in range(5)]
    for _ in range(3):
        with site.sessions() as session:
            assert intake.take(session, batch).recorded.stored == 5
            session.rollback()
    assert site.take(*batch, intake=intake).recorded.stored == 5


def test_a_replay_lets_in_what_can_be_stored_now_and_only_once(own_site: Site) -> None:
    (phone,) = _crew(own_site)
    limited = Intake(
        directory=LookUp(VAULT), vault=VAULT, limiter=RateLimiter(RateLimit(per_s=0, burst=1))
    )
    messages = [_fix(phone, NOW - timedelta(seconds=no)) for no in range(5)]
    own_site.take(*messages, _cut_off(phone, NOW), intake=limited)
    assert _stored(own_site, phone) == 1
    clock = ManualClock(NOW)
    first = replay(own_site.sessions, clock, VAULT, reasons=[Reason.RATE])
    assert (first.tried, first.let_in, first.still_refused) == (5, 4, 1)
    again = replay(own_site.sessions, clock, VAULT)
    assert (again.tried, again.let_in, again.still_refused) == (1, 0, 1)
    assert _stored(own_site, phone) == 5
    ledger = own_site.rows.all("SELECT received, stored, duplicate, quarantined FROM ingest_ledger")
    assert ledger == [(6, 5, 0, 1)]
    kept = own_site.rows.all(
        "SELECT reason, replayed_at IS NOT NULL, payload IS NULL FROM quarantine ORDER BY 2"
    )
    assert kept == [("rate", False, False)] + [("rate", True, True)] * 4


def test_a_sealed_payload_opens_only_on_its_own_row(own_site: Site) -> None:
    (phone,) = _crew(own_site)
    own_site.take(_cut_off(phone, NOW))
    own_site.execute("UPDATE quarantine SET msg_key = msg_key + 1")
    done = replay(own_site.sessions, ManualClock(NOW), VAULT)
    assert (done.tried, done.unreadable) == (1, 1)


def test_a_failing_write_leaves_nothing_of_the_batch(site: Site) -> None:
    (phone,) = _crew(site)
    site.execute("REVOKE INSERT, UPDATE ON ingest_ledger FROM outpost_ingest")
    try:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            site.take(_fix(phone, NOW))
    finally:
        site.execute("GRANT INSERT, UPDATE ON ingest_ledger TO outpost_ingest")
    assert _stored(site, phone) == 0
    assert (
        site.rows.all("SELECT 1 FROM last_positions WHERE employee_id = %s", phone.employee_id)
        == []
    )


_COLUMNS = (
    "fixed_at, msg_key, ST_AsText(position), accuracy_m, speed_mps, course_deg, altitude_m,"
    " battery_pct, source, trigger, mock, raw"
)


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**32), data=st.data())
def test_any_order_delay_and_repetition_ends_in_the_same_rows(
    site: Site, seed: int, data: st.DataObject
) -> None:
    """A day in order, against the same day shuffled, repeated, late and cut into batches."""
    chance = random.Random(seed)
    in_order, disturbed = _crew(site, 2)
    day = [NOW - timedelta(seconds=chance.randrange(0, 36_000)) for _ in range(40)]
    bodies: list[dict[str, Any]] = [
        {"lat": 31 + chance.random(), "lon": 121 + chance.random(), "batt": no}
        | {"acc": chance.choice([0, 5, 2000])}
        for no, _ in enumerate(day)
    ]
    for at, body in sorted(zip(day, bodies, strict=True), key=lambda pair: pair[0]):
        site.take(_fix(in_order, at, received=at, **body))
    messages = [
        _fix(disturbed, at, received=NOW + timedelta(hours=data.draw(st.integers(0, 48))), **body)
        for at, body in zip(day, bodies, strict=True)
    ]
    messages += [chance.choice(messages) for _ in range(15)]
    chance.shuffle(messages)
    while messages:
        size = chance.randint(1, 20)
        site.take(*messages[:size])
        messages = messages[size:]

    def rows_of(phone: Phone) -> tuple[list[Any], list[Any], list[Any]]:
        fixes = site.rows.all(
            f"SELECT {_COLUMNS} FROM fixes WHERE device_id = %s ORDER BY fixed_at, msg_key",
            phone.device_id,
        )
        last = site.rows.all(
            "SELECT fixed_at, msg_key, ST_AsText(position) FROM last_positions"
            " WHERE employee_id = %s",
            phone.employee_id,
        )
        days = site.rows.all(
            "SELECT work_on, min(since_at) FROM touched_days WHERE employee_id = %s GROUP BY 1",
            phone.employee_id,
        )
        return fixes, last, days

    assert rows_of(in_order) == rows_of(disturbed)
    assert rows_of(in_order)[0]
