"""A company at work, on real services, for a real browser: half an hour of fixes, judged."""

import math
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from urllib.parse import urlsplit
from uuid import UUID
from zoneinfo import ZoneInfo

from flask import Flask
from redis import Redis
from sqlalchemy import Engine as DatabaseEngine
from sqlalchemy.orm import Session

from fixtures.demo.door import Door
from fixtures.stack import DatabaseUrls, Stack
from fixtures.stack.ports import free_port
from ingest.wire import WireFix
from server.clock import ManualClock, SystemClock
from server.crypto import Vault
from server.db.engine import make_engine, make_session_factory
from server.db.session import unit_of_work
from server.http.extensions import db
from server.main.app import create_app, create_stream_app
from server.people import services as people
from server.people.models import DeviceKind, Role, UnitKind
from server.people.owntracks import BrokerAddress
from server.people.sessions import Credential, open_session
from server.posts import services as posts
from server.settings import Settings
from server.tracking.engine import Engine
from server.tracking.live import LivePublisher, position_event
from server.tracking.recording import record_fixes
from server.tracking.records import Batch, DeviceRef, DutySlot, FixRecord, Via
from tests.factories.browser import parts_of
from tests.factories.serving import serving

ZONE = "Asia/Shanghai"
PASSWORD = "quiet-harbour-42"
HIRED_ON = date(2020, 1, 6)
PLACES = (
    ("一号岗 · 车站", 24.9412, 60.1712, 140),
    ("二号岗 · 百货", 24.9425, 60.1686, 120),
    ("三号岗 · 市场", 24.9495, 60.1706, 110),
)
_BEFORE = timedelta(hours=3)

# name, post, what the last half hour looked like
CAST: tuple[tuple[str, int | None, str], ...] = (
    ("杨磊", 0, "left"),
    ("李娜", 1, "left"),
    ("王芳", 0, "inside"),
    ("刘洋", 1, "inside"),
    ("周婷", 2, "inside"),
    ("罗杰", 2, "inside"),
    ("孙鹏", 2, "inside"),
    ("徐丽", 0, "inside"),
    ("胡斌", 1, "inside"),
    ("郑爽", 0, "inside"),
    ("Aino Virtanen", 2, "inside"),
    ("Bo Peng", 1, "inside"),
    ("Emma Wright", 0, "inside"),
    ("张伟", None, "moving"),
    ("谢宇", None, "moving"),
    ("傅明", None, "moving"),
    ("Liam Chen", None, "moving"),
    ("赵敏", 1, "stale"),
    ("黄强", 2, "stale"),
    ("马超", 0, "silent"),
    ("董辉", 2, "silent"),
    ("陈静", None, "free"),
)


@dataclass(slots=True)
class Scene:
    """One tenant with a branch in sight and a branch out of sight of its supervisor."""

    url: str
    app: Flask
    urls: DatabaseUrls
    redis: Redis
    engine: Engine
    ingest: DatabaseEngine
    tenant_id: int
    employees: dict[str, UUID] = field(default_factory=dict)
    devices: dict[str, UUID] = field(default_factory=dict)
    entries: dict[str, UUID] = field(default_factory=dict)
    accounts: dict[str, UUID] = field(default_factory=dict)
    work_on: date = HIRED_ON
    _keys: int = 1

    def cookie(self, login: str) -> str:
        """Open a session as after a right password."""
        parts = parts_of(self.app)
        with unit_of_work(parts.sessions, tenant_id=self.tenant_id) as session:
            credential = Credential(self.tenant_id, self.accounts[login], "")
            return open_session(session, parts.clock, credential).cookie

    def report(self, name: str, *fixes: tuple[float, float, float], live: bool = True) -> None:
        """Store fixes (age in seconds, lon, lat) of a person, judge the day, tell open maps."""
        now = datetime.now(UTC)
        batch = Batch(devices=[DeviceRef(self.tenant_id, self.devices[name], self.employees[name])])
        slot = DutySlot(self.entries[name], (self.work_on,))
        for age_s, lon_deg, lat_deg in fixes:
            self._keys += 1
            fix = WireFix(
                fixed_s=now.timestamp() - age_s,
                lon_deg=lon_deg,
                lat_deg=lat_deg,
                key=self._keys,
                raw=b"{}",
                accuracy_m=12.0,
                speed_mps=1.3,
                course_deg=(self._keys * 47) % 360,
                battery_pct=20 + self._keys % 70,
            )
            batch.fixes.append(FixRecord(0, fix, now.timestamp(), 0, slot, Via.MQTT))
        with unit_of_work(make_session_factory(self.ingest), tenant_id=None) as session:
            moved = record_fixes(session, batch).moved
        if live:
            self._tell(name, moved)
            self.engine.run_until_idle()

    def _tell(self, name: str, moved: tuple[FixRecord, ...]) -> None:
        LivePublisher(self.redis).publish(
            position_event(
                tenant_id=self.tenant_id,
                employee_id=self.employees[name],
                lon_deg=record.fix.lon_deg,
                lat_deg=record.fix.lat_deg,
                accuracy_m=record.fix.accuracy_m,
                fixed_at=datetime.fromtimestamp(record.fix.fixed_s, UTC),
                speed_mps=record.fix.speed_mps,
                course_deg=record.fix.course_deg,
                battery_pct=record.fix.battery_pct,
                source=record.fix.source.value,
            )
            for record in moved
        )


@contextmanager
def opened(stack: Stack, urls: DatabaseUrls) -> Iterator[Scene]:
    """Seed a company, serve its pages and events on one address, and stop all of it."""
    with ExitStack() as closing:
        redis = closing.enter_context(Redis.from_url(stack.redis.url))
        redis.flushall()
        port = free_port()
        address = f"http://127.0.0.1:{port}"
        settings = replace(
            Settings.from_environ(stack.settings_env(urls)), public_url=address, proxy_hops=1
        )
        app, stream = create_app(settings), create_stream_app(settings)
        web_port = closing.enter_context(_served(app))
        stream_port = closing.enter_context(_served(stream))
        door = Door("127.0.0.1", port, web_port, stream_port)
        door.start()
        closing.callback(door.stop)
        ingest, derive = make_engine(urls.ingest), make_engine(urls.engine)
        closing.callback(ingest.dispose)
        closing.callback(derive.dispose)
        engine = Engine(make_session_factory(derive), SystemClock(), LivePublisher(redis))
        scene = Scene(address, app, urls, redis, engine, ingest, 0)
        _hire(scene)
        _work(scene)
        yield scene


@contextmanager
def _served(app: Flask) -> Iterator[int]:
    try:
        with serving(app) as address:
            yield urlsplit(address).port or 0
    finally:
        with app.app_context():
            db.engine.dispose()
        parts_of(app).redis.close()


def _hire(scene: Scene) -> None:
    clock = ManualClock(datetime.now(UTC) - timedelta(days=30))
    owner = make_engine(scene.urls.owner)
    with unit_of_work(make_session_factory(owner), tenant_id=None) as session:
        tenant = people.create_tenant(session, clock, slug="harbour", name="海港服务", zone=ZONE)
        scene.tenant_id = tenant.id
    owner.dispose()
    vault = Vault(bytes(range(32)))
    broker = BrokerAddress("127.0.0.1", 8883, tls=False)
    with unit_of_work(parts_of(scene.app).sessions, tenant_id=scene.tenant_id) as session:
        tenant_id = scene.tenant_id
        top = people.top_unit(session, tenant_id=tenant_id).id
        branch = people.add_unit(
            session,
            clock,
            parent_id=top,
            kind=UnitKind.BRANCH,
            name="华北分公司",
            tenant_id=tenant_id,
        ).id
        teams = [
            people.add_unit(
                session, clock, parent_id=branch, kind=UnitKind.TEAM, name=name, tenant_id=tenant_id
            ).id
            for name in ("城东一组", "城西二组", "中心督导组")
        ]
        foreign = people.add_unit(
            session,
            clock,
            parent_id=top,
            kind=UnitKind.BRANCH,
            name="华南分公司",
            tenant_id=tenant_id,
        ).id
        names = [*(name for name, _post, _story in CAST), "看不见", "督察", "李员工"]
        for number, name in enumerate(names):
            unit = foreign if name == "看不见" else teams[number % 3]
            scene.employees[name] = people.hire_employee(
                session,
                clock,
                number=f"E{number:03d}",
                name=name,
                unit_id=unit,
                hired_on=HIRED_ON,
                phone="+358401234567",
                tenant_id=tenant_id,
            ).id
            if name in {"督察", "李员工"}:
                continue
            device = people.enrol_device(
                session,
                clock,
                employee_id=scene.employees[name],
                kind=DeviceKind.OWNTRACKS_ANDROID,
                label="phone",
                broker=broker,
                vault=vault,
                tenant_id=tenant_id,
            )
            scene.devices[name] = device.device_id
        for login, name, role in (
            ("lead", "督察", Role.SUPERVISOR),
            ("worker", "李员工", None),
        ):
            account = people.create_account(
                session,
                clock,
                login=login,
                name=name,
                password=PASSWORD,
                employee_id=scene.employees[name],
                tenant_id=tenant_id,
            )
            scene.accounts[login] = account.id
            if role is not None:
                people.grant_role(
                    session,
                    clock,
                    account_id=account.id,
                    role=role,
                    unit_id=branch,
                    tenant_id=tenant_id,
                )
        _roster(scene, session, branch, foreign)


def _roster(scene: Scene, session: Session, branch: UUID, foreign: UUID) -> None:
    now = datetime.now(UTC).astimezone(ZoneInfo(ZONE))
    starts, ends = now - _BEFORE, now + timedelta(hours=6)
    scene.work_on = starts.date()
    clock = ManualClock(datetime.now(UTC) - timedelta(days=2))
    tenant_id = scene.tenant_id
    made = [
        posts.create_post(
            session,
            clock,
            unit_id=unit,
            name=name,
            zone=ZONE,
            shape={"type": "Point", "coordinates": [lon, lat], "radius_m": radius},
            tenant_id=tenant_id,
        )
        for unit, (name, lon, lat, radius) in (
            *((branch, place) for place in PLACES),
            (foreign, ("远方岗", 24.96, 60.18, 100)),
        )
    ]
    shift = posts.create_shift(
        session,
        name="日班",
        starts=starts.time().replace(second=0, microsecond=0),
        ends=ends.time().replace(second=0, microsecond=0),
        tenant_id=tenant_id,
    )
    for name, post, story in (*CAST, ("看不见", 3, "inside")):
        if story == "free":
            continue
        scene.entries[name] = posts.assign_shift(
            session,
            clock,
            employee_id=scene.employees[name],
            shift_id=shift,
            on_date=scene.work_on,
            post_id=None if post is None else made[post],
            zone=ZONE,
            tenant_id=tenant_id,
        )


def _work(scene: Scene) -> None:
    for number, (name, post, story) in enumerate((*CAST, ("看不见", None, "moving"))):
        if story == "free":
            continue
        lon, lat, radius = (24.9445, 60.1697, 0) if post is None else PLACES[post][1:]
        last = {"stale": 480, "silent": 2400}.get(story, 20 + number)
        fixes = []
        for age in range(5400, last - 1, -60):
            angle = number * 2.4 + (age / 900 if story == "moving" else age / 4000)
            away = 0.3 * radius * (1 + math.sin(number + age / 700))
            if story == "left" and age < 1500 - 300 * (number % 2):
                away = radius + min((1500 - age) / 5, 260)
            if story == "moving":
                away = 250 + 130 * math.sin(number + age / 600)
            fixes.append(
                (
                    float(age),
                    lon + away * math.cos(angle) / 55_400,
                    lat + away * math.sin(angle) / 111_200,
                )
            )
        fixes.append((float(last), fixes[-1][1], fixes[-1][2]))
        scene.report(name, *fixes, live=False)
    scene.engine.run_until_idle()
