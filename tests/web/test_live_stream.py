"""Live events through real HTTP, Redis and PostgreSQL: exact, authorised, ended in time."""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest
from flask import Flask
from redis import Redis
from sqlalchemy import select

from fixtures.stack import DatabaseUrls, Stack
from server.audit.models import AccessEntry, Purpose
from server.clock import ManualClock
from server.db.session import unit_of_work
from server.http.extensions import db
from server.main.app import create_stream_app
from server.people import services
from server.people.sessions import Credential, open_session, parse_cookie, sign_out
from server.posts.services import cancel_assignment
from server.settings import Settings
from server.tracking.live import LiveEvent, LivePublisher, LiveType, StoredEvent, cursor
from tests.factories.browser import parts_of
from tests.factories.serving import serving
from tests.factories.sse import EventSource
from tests.factories.world import Login, TenantWorld, World, build_world, put_on_duty
from web.live import hub
from web.live.watch import Watch

START = datetime(2026, 11, 18, 2, 0, tzinfo=UTC)
TODAY = date(2026, 11, 18)


@dataclass(slots=True)
class Desk:
    """A stream process in a thread, with the accounts of the world."""

    url: str
    app: Flask
    world: World
    redis: Redis
    publisher: LivePublisher

    @property
    def alpha(self) -> TenantWorld:
        return self.world.alpha

    def cookie(self, login: Login, tenant: TenantWorld | None = None) -> str:
        parts = parts_of(self.app)
        tenant_id = (tenant or self.alpha).id
        with unit_of_work(parts.sessions, tenant_id=tenant_id) as session:
            credential = Credential(tenant_id, login.account_id, "")
            return open_session(session, parts.clock, credential).cookie

    def stream(self, login: str = "supervisor_north", **options: str | None) -> EventSource:
        return EventSource(self.url, self.cookie(self.alpha.logins[login]), **options)  # type: ignore[arg-type]

    def move(self, employee_id: UUID, number: int, tenant: TenantWorld | None = None) -> None:
        event = LiveEvent(
            tenant_id=(tenant or self.alpha).id,
            type=LiveType.POSITION,
            employee_id=employee_id,
            data={"id": str(employee_id), "n": number},
        )
        assert self.publisher.publish([event])

    def tell_state(self, employee_id: UUID, status: str) -> None:
        event = LiveEvent(
            tenant_id=self.alpha.id,
            type=LiveType.STATE,
            employee_id=employee_id,
            data={"id": str(employee_id), "status": status},
        )
        assert self.publisher.publish([event])


@pytest.fixture(scope="module")
def desk(stack: Stack, module_database: DatabaseUrls) -> Iterator[Desk]:
    with opened(stack, module_database) as made:
        yield made


@contextmanager
def opened(stack: Stack, database: DatabaseUrls) -> Iterator[Desk]:
    """Serve the stream of a fresh world whose crew is on duty."""
    settings = replace(
        Settings.from_environ(stack.settings_env(database)), public_url="http://127.0.0.1"
    )
    clock = ManualClock(START)
    world = build_world(database, clock)
    app = create_stream_app(settings, clock=clock)
    factory = parts_of(app).sessions
    crew = ("employee", "peer", "other_team", "other_branch")
    for tenant in (world.alpha, world.beta):
        put_on_duty(factory, tenant, crew, starts_at=START - timedelta(hours=1))
    with serving(app) as address, Redis.from_url(stack.redis.url) as redis:
        redis.flushall()
        yield Desk(f"{address}/stream/live", app, world, redis, LivePublisher(redis))
        redis.flushall()
    with app.app_context():
        db.engine.dispose()
    parts_of(app).redis.close()


def test_an_event_of_the_own_branch_arrives_with_its_stream_id(desk: Desk) -> None:
    employee = desk.alpha.people["employee"]
    with desk.stream() as source:
        source.next("ping")
        desk.move(employee, 1)
        event = source.next("pos")
    assert event.id == cursor(desk.redis, desk.alpha.id), "nothing came after it"
    assert event.data == {"id": str(employee), "n": 1}


def test_headers_keep_proxies_and_caches_out_of_the_way(desk: Desk) -> None:
    with desk.stream() as source:
        source.next("ping")
    assert source.status == 200
    assert source.headers["content-type"].startswith("text/event-stream")
    assert source.headers["cache-control"] == "no-store"
    assert source.headers["x-accel-buffering"] == "no"


def test_after_a_break_exactly_the_missed_events_come(desk: Desk) -> None:
    employee = desk.alpha.people["employee"]
    with desk.stream() as source:
        source.next("ping")
        desk.move(employee, 1)
        last = source.next("pos")
    for number in range(2, 7):
        desk.move(employee, number)
    with desk.stream(last_event_id=last.id) as source:
        missed = [source.next("pos").data["n"] for _ in range(5)]
        desk.move(employee, 7)
        missed.append(source.next("pos").data["n"])
        assert source.silent_for(0.5, "pos")
    assert missed == [2, 3, 4, 5, 6, 7]


def test_nothing_is_lost_or_doubled_while_events_keep_coming(desk: Desk) -> None:
    employee = desk.alpha.people["employee"]
    start = cursor(desk.redis, desk.alpha.id)
    total = 300

    def publish() -> None:
        for number in range(total):
            desk.move(employee, number)

    writer = threading.Thread(target=publish)
    writer.start()
    seen: list[object] = []
    last = start
    while len(seen) < total:
        # Come and go: every connection takes up to 70 events and breaks off.
        with desk.stream(last_event_id=last) as source:
            for _ in range(min(70, total - len(seen))):
                event = source.next("pos")
                seen.append(event.data["n"])
                last = event.id
    writer.join()
    assert seen == list(range(total))


def test_the_snapshot_cursor_can_be_given_in_the_address(desk: Desk) -> None:
    employee = desk.alpha.people["employee"]
    start = cursor(desk.redis, desk.alpha.id)
    desk.move(employee, 41)
    source = desk.stream()
    source.url += f"?from={start}"
    with source:
        assert source.next("pos").data["n"] == 41


@pytest.mark.parametrize("place", ["1-1", "99999999999999-0", "nonsense", "0-0"])
def test_a_place_that_is_gone_asks_for_a_new_snapshot(desk: Desk, place: str) -> None:
    desk.move(desk.alpha.people["employee"], 1)
    with desk.stream(last_event_id=place) as source:
        source.next("reset")
        assert source.ends_within(3)


def test_an_emptied_redis_asks_for_a_new_snapshot(desk: Desk) -> None:
    desk.move(desk.alpha.people["employee"], 1)
    with desk.stream() as source:
        source.next("ping")
        desk.redis.flushall()
        source.next("reset")
        assert source.ends_within(3)


def test_a_feed_that_is_down_is_not_called_live(desk: Desk, stack: Stack) -> None:
    with desk.stream() as source:
        assert source.next("ping").data["as_of"] is not None
        stack.redis.stop()
        try:
            assert source.next("ping").data["as_of"] is None
        finally:
            stack.redis.start()
        # Nothing was kept through the restart or everything was: both are told.
        assert source.next("ping", "reset").name in {"ping", "reset"}


def test_a_reader_too_slow_for_its_queue_is_told_so(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub, "QUEUE_SIZE", 3)
    reading = hub.Hub(desk.redis, block_ms=50)
    account = desk.alpha.logins["supervisor_north"].account_id
    with reading.subscribe(desk.alpha.id, account, after_id=None) as (subscription, _missed):
        for number in range(6):
            desk.move(desk.alpha.people["employee"], number)
        _until(lambda: subscription.lost)
    reading.stop()


def test_nobody_hears_of_another_branch_or_tenant(desk: Desk) -> None:
    own, foreign = desk.alpha.people["employee"], desk.alpha.people["other_branch"]
    with desk.stream() as source:
        source.next("ping")
        desk.move(foreign, 1)
        desk.move(desk.world.beta.people["employee"], 2, desk.world.beta)
        desk.move(own, 3)
        assert source.next("pos").data["n"] == 3
        assert source.silent_for(0.5, "pos")
    assert str(foreign).encode() not in b"".join(source.raw)


def test_missed_events_are_authorised_as_well(desk: Desk) -> None:
    start = cursor(desk.redis, desk.alpha.id)
    desk.move(desk.alpha.people["other_branch"], 1)
    desk.move(desk.alpha.people["employee"], 2)
    with desk.stream(last_event_id=start) as source:
        assert source.next("pos").data["n"] == 2
        assert source.silent_for(0.5, "pos")


@pytest.fixture
def clock(desk: Desk) -> Iterator[ManualClock]:
    """The clock of the stream process; it stands where it stood again afterwards."""
    found = parts_of(desk.app).clock
    assert isinstance(found, ManualClock)
    yield found
    found.at = START


def test_nobody_is_heard_of_after_duty_but_that_it_is_over(desk: Desk, clock: ManualClock) -> None:
    worker = desk.alpha.people["supervisor_north"]
    begun_at = START - timedelta(hours=7, minutes=50)
    put_on_duty(parts_of(desk.app).sessions, desk.alpha, ["supervisor_north"], starts_at=begun_at)
    with desk.stream("supervisor_group") as source, desk.stream() as own:
        for each in (source, own):
            each.next("ping")
        desk.move(worker, 1)
        for each in (source, own):
            assert each.next("pos").data["n"] == 1
        clock.at = START + timedelta(minutes=10)
        desk.move(worker, 2)
        desk.tell_state(worker, "on_post")
        desk.tell_state(worker, "off_duty")
        for each in (source, own):
            assert each.next("pos", "state").data["status"] == "off_duty"
            assert each.silent_for(0.5, "pos", "state")


def test_a_shift_taken_off_the_roster_ends_the_events_within_five_seconds(desk: Desk) -> None:
    worker, parts = desk.alpha.people["manager_n2"], parts_of(desk.app)
    (entry_id,) = put_on_duty(parts.sessions, desk.alpha, ["manager_n2"], starts_at=START)
    with desk.stream() as source:
        source.next("ping")
        desk.move(worker, 1)
        assert source.next("pos").data["n"] == 1
        with unit_of_work(parts.sessions, tenant_id=desk.alpha.id) as session:
            cancel_assignment(session, parts.clock, tenant_id=desk.alpha.id, entry_id=entry_id)
        assert source.silent_for(5, "pos")
        desk.move(worker, 2)
        assert source.silent_for(1.5, "pos")


def test_the_first_position_of_a_shift_is_not_missed(desk: Desk, clock: ManualClock) -> None:
    worker, begins = desk.alpha.people["manager_n1"], START + timedelta(minutes=30)
    put_on_duty(parts_of(desk.app).sessions, desk.alpha, ["manager_n1"], starts_at=begins)
    clock.at = begins - timedelta(seconds=8)
    with desk.stream() as source:
        source.next("ping")
        desk.move(worker, 1)
        assert source.silent_for(0.5, "pos")
        clock.at = begins
        desk.move(worker, 2)
        assert source.next("pos").data["n"] == 2


def looks(desk: Desk, login: str, subject: str) -> list[AccessEntry]:
    """Entries of one account about one person, oldest first."""
    with unit_of_work(parts_of(desk.app).sessions, tenant_id=desk.alpha.id) as session:
        found = session.scalars(
            select(AccessEntry)
            .where(
                AccessEntry.actor_id == desk.alpha.logins[login].account_id,
                AccessEntry.subject_id == desk.alpha.people[subject],
            )
            .order_by(AccessEntry.at)
        ).all()
        session.expunge_all()
    return list(found)


def test_people_whose_position_was_sent_were_looked_at(desk: Desk) -> None:
    viewer = "manager_n1"
    with desk.stream(viewer) as source:
        source.next("ping")
        for number in range(3):
            desk.move(desk.alpha.people["employee"], number)
            source.next("pos")
        desk.tell_state(desk.alpha.people["peer"], "on_post")
        source.next("state")
        desk.move(desk.alpha.people["other_branch"], 9)
        _until(lambda: len(looks(desk, viewer, "employee")) == 1)
    (entry,) = looks(desk, viewer, "employee")
    assert (entry.purpose, entry.view) == (Purpose.LIVE_SUPERVISION, "live_map")
    assert looks(desk, viewer, "peer") == looks(desk, viewer, "other_branch") == []


def test_a_look_just_before_the_end_of_a_stream_is_recorded(desk: Desk) -> None:
    viewer = "supervisor_group"
    with desk.stream(viewer) as source:
        source.next("ping")
        desk.move(desk.alpha.people["other_team"], 1)
        source.next("pos")
    # That the browser is gone shows when something is written to it.
    _until(lambda: _told(desk) and bool(looks(desk, viewer, "other_team")))


def test_a_stream_records_a_look_once_an_hour_and_none_at_oneself(
    desk: Desk, clock: ManualClock
) -> None:
    viewer = "manager_n2"
    own, other = desk.alpha.people["manager_n2"], desk.alpha.people["other_team"]
    token = parse_cookie(desk.cookie(desk.alpha.logins[viewer]))
    assert token is not None
    watch = Watch(parts_of(desk.app).sessions, clock, token)
    assert watch.still_open()
    for minute in (0, 20, 59, 61):
        clock.at = START + timedelta(minutes=minute)
        for subject in (own, other):
            watch.sent(
                StoredEvent(
                    id="1-1",
                    tenant_id=desk.alpha.id,
                    type=LiveType.POSITION,
                    employee_id=subject,
                    json="{}",
                )
            )
        watch.close()
    recorded = [entry.at - START for entry in looks(desk, viewer, "other_team")]
    assert recorded == [timedelta(0), timedelta(minutes=61)]
    assert looks(desk, viewer, "manager_n2") == []


def test_an_employee_hears_of_themselves_only(desk: Desk) -> None:
    with desk.stream("employee") as source:
        source.next("ping")
        desk.move(desk.alpha.people["peer"], 1)
        desk.move(desk.alpha.people["employee"], 2)
        assert source.next("pos").data["n"] == 2


def test_strangers_get_401_and_no_stream(desk: Desk) -> None:
    with EventSource(desk.url) as source:
        assert source.status == 401


def test_signing_out_ends_the_stream_within_five_seconds(desk: Desk) -> None:
    cookie = desk.cookie(desk.alpha.logins["supervisor_north"])
    with EventSource(desk.url, cookie) as source:
        source.next("ping")
        token = parse_cookie(cookie)
        assert token is not None
        parts = parts_of(desk.app)
        with unit_of_work(parts.sessions, tenant_id=desk.alpha.id) as session:
            sign_out(session, parts.clock, token)
        source.next("closed", timeout_s=5)
        assert source.ends_within(2)


def test_somebody_who_moved_away_is_not_heard_of_five_seconds_later(desk: Desk) -> None:
    mover = desk.alpha.people["peer"]
    parts = parts_of(desk.app)
    with desk.stream() as source:
        source.next("ping")
        desk.move(mover, 1)
        assert source.next("pos").data["n"] == 1
        with unit_of_work(parts.sessions, tenant_id=desk.alpha.id) as session:
            services.move_employee(
                session,
                parts.clock,
                tenant_id=desk.alpha.id,
                employee_id=mover,
                unit_id=desk.alpha.units["s1"],
                from_on=TODAY,
            )
        assert source.silent_for(5, "pos")
        desk.move(mover, 2)
        assert source.silent_for(1.5, "pos")


def test_an_account_with_too_many_streams_loses_the_oldest(desk: Desk) -> None:
    cookie = desk.cookie(desk.alpha.logins["supervisor_north"])
    with ExitStack() as stack:
        held = [
            stack.enter_context(EventSource(desk.url, cookie))
            for _ in range(hub.STREAMS_PER_ACCOUNT)
        ]
        for source in held:
            source.next("ping")
        with EventSource(desk.url, cookie) as newest:
            held[0].next("crowded")
            assert held[0].ends_within(2)
            desk.move(desk.alpha.people["employee"], 5)
            for source in (*held[1:], newest):
                assert source.next("pos").data["n"] == 5


def test_a_crowded_out_stream_may_be_the_last_to_leave(desk: Desk) -> None:
    reading = hub.Hub(desk.redis, block_ms=50)
    account = desk.alpha.logins["supervisor_north"].account_id
    with ExitStack() as oldest, ExitStack() as newer:
        crowded, _missed = oldest.enter_context(
            reading.subscribe(desk.alpha.id, account, after_id=None)
        )
        for _ in range(hub.STREAMS_PER_ACCOUNT):
            newer.enter_context(reading.subscribe(desk.alpha.id, account, after_id=None))
        assert crowded.crowded_out
        newer.close()
        assert reading.streams == 1
        oldest.close()
    assert reading.streams == 0
    reading.stop()


def test_a_browser_that_went_away_leaves_nothing_behind(desk: Desk) -> None:
    found = desk.app.extensions["outpost.live_hub"]
    with desk.stream() as source:
        source.next("ping")
        assert found.streams > 0

    def gone() -> bool:
        # It shows when something is written.
        desk.move(desk.alpha.people["employee"], 0)
        return bool(found.streams == 0)

    _until(gone)


def _told(desk: Desk) -> bool:
    desk.move(desk.alpha.people["other_team"], 0)
    return True


def _until(true: Callable[[], bool], *, tries: int = 100) -> None:
    waiting = threading.Event()
    for _ in range(tries):
        if true():
            return
        waiting.wait(0.1)
    raise AssertionError("it never became true")
