"""A question on its whole way: database, broker, phone, ingest, answer."""

import json
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from sqlalchemy.orm import Session, sessionmaker

from fixtures.stack import DatabaseUrls, Stack
from ingest.commands import Commander
from ingest.gatekeeper import run_gatekeeper
from server.broker.config import GATEKEEPER, INGEST
from server.clock import SystemClock
from server.db.engine import make_engine, make_session_factory
from server.db.session import unit_of_work
from server.db.types import new_id
from server.settings import Settings
from server.tracking.locate import Question, ask_where
from server.tracking.locate_queries import LocateView, question
from server.tracking.locate_rules import AnsweredBy, LocateLimits, LocatePurpose, LocateState
from server.tracking.locator import Locator
from tests.factories.asker import Asker
from tests.factories.consumer import Consumer, Rows, wait_until
from tests.factories.crew import Phone, enlist, plain_url
from tests.factories.mqtt_client import MqttClient

pytestmark = pytest.mark.mqtt

COMMAND = {"_type": "cmd", "action": "reportLocation"}


@pytest.fixture
def phone(database: DatabaseUrls) -> Phone:
    (made,) = enlist(database, 1)
    return made


@pytest.fixture
def lead(database: DatabaseUrls, phone: Phone) -> Asker:
    made = Asker(phone.tenant_id, new_id(), None, "Lead")
    with psycopg.connect(plain_url(database.owner)) as connection:
        connection.execute(
            "INSERT INTO accounts (tenant_id, id, login, name, password_hash)"
            " VALUES (%s, %s, 'lead', 'Lead', '')",
            [made.tenant_id, made.account_id],
        )
    return made


@pytest.fixture
def gatekeeper(stack: Stack, database: DatabaseUrls, phone: Phone) -> Iterator[None]:
    """The gatekeeper at work; the phone may connect when the test begins."""
    settings = Settings.from_environ(
        stack.settings_env(database, mqtt_user=GATEKEEPER), role="engine"
    )
    stopped = threading.Event()
    thread = threading.Thread(target=run_gatekeeper, args=(settings, stopped))
    thread.start()
    try:
        wait_until(lambda: _connects(stack, phone), 30)
        yield
    finally:
        stopped.set()
        thread.join(30)
    assert not thread.is_alive()


@pytest.fixture
def app(database: DatabaseUrls) -> Iterator[sessionmaker[Session]]:
    engine = make_engine(database.app, pool_size=1)
    yield make_session_factory(engine)
    engine.dispose()


@pytest.fixture
def locator(database: DatabaseUrls) -> Iterator[Locator]:
    engine = make_engine(database.engine, pool_size=1)
    yield Locator(make_session_factory(engine), SystemClock())
    engine.dispose()


def _connects(stack: Stack, phone: Phone) -> bool:
    port = stack.credentials.device_port
    with MqttClient(port, phone.username, phone.secret) as client:
        return client.refused is None


def _ask(
    app: sessionmaker[Session], lead: Asker, phone: Phone, *, phone_s: float = 60.0
) -> Question:
    with unit_of_work(app, tenant_id=lead.tenant_id) as session:
        return ask_where(
            session,
            SystemClock(),
            asker=lead,
            employee_id=phone.employee_id,
            purpose=LocatePurpose.SAFETY,
            limits=LocateLimits(phone_s=phone_s, again_s=0.0),
        )


def _view(app: sessionmaker[Session], lead: Asker, asked: Question) -> LocateView:
    with unit_of_work(app, tenant_id=lead.tenant_id) as session:
        return question(
            session,
            tenant_id=lead.tenant_id,
            request_id=asked.request_id,
            asker_id=lead.account_id,
        )


@pytest.mark.usefixtures("gatekeeper")
def test_a_phone_is_asked_and_its_answer_is_the_answer(
    stack: Stack,
    phone: Phone,
    lead: Asker,
    app: sessionmaker[Session],
    locator: Locator,
    consumer: Consumer,
) -> None:
    consumer.start()
    consumer.wait_connected()
    with MqttClient(stack.credentials.device_port, phone.username, phone.secret) as client:
        client.subscribe(f"{phone.topic}/cmd")
        asked = _ask(app, lead, phone)
        command = client.take(20)
        assert json.loads(command.payload) == COMMAND
        assert (command.qos, command.retain) == (1, False)
        wait_until(lambda: _view(app, lead, asked).state is LocateState.SENT)
        fix = {"_type": "location", "lat": 31.23, "lon": 121.47, "acc": 9, "t": "r"}
        client.publish(phone.topic, json.dumps(fix | {"tst": int(time.time())}))

    def answered() -> bool:
        locator.run_once()
        return _view(app, lead, asked).state is LocateState.ANSWERED

    wait_until(answered, 20)
    found = _view(app, lead, asked)
    assert found.answered_by is AnsweredBy.PHONE
    assert found.answer is not None
    assert (found.answer.lon_deg, found.answer.lat_deg) == (121.47, 31.23)
    assert found.answer.accuracy_m == 9.0


@pytest.mark.usefixtures("gatekeeper")
def test_a_phone_that_was_away_is_not_asked_when_nobody_waits_any_more(
    stack: Stack, phone: Phone, lead: Asker, app: sessionmaker[Session]
) -> None:
    known = stack.credentials
    topic = f"{phone.topic}/cmd"
    with MqttClient(known.device_port, phone.username, phone.secret, clean=False) as client:
        client.subscribe(topic)
    asked = _ask(app, lead, phone, phone_s=3.0)
    # Published as late as possible it lives a second more, and the broker counts whole ones.
    gone_at = _view(app, lead, asked).due_at + timedelta(seconds=3)
    wait_until(lambda: datetime.now(UTC) > gone_at, 20)
    with MqttClient(known.device_port, phone.username, phone.secret, clean=False) as client:
        with MqttClient(known.service_port, INGEST, known.mqtt_ingest_password) as service:
            service.publish(topic, "what comes after")
        # Messages keep their order, so an old question would come first.
        assert client.take(20).payload == b"what comes after"
    with MqttClient(known.device_port, phone.username, phone.secret):
        pass  # leaves no session behind


def test_without_a_broker_a_command_waits(
    database: DatabaseUrls, phone: Phone, lead: Asker, app: sessionmaker[Session], rows: Rows
) -> None:
    _ask(app, lead, phone)
    engine = make_engine(database.engine, pool_size=1)
    offered: list[tuple[str, bytes, int]] = []
    takes = [False, True]

    def publish(topic: str, payload: bytes, lives_s: int) -> bool:
        offered.append((topic, payload, lives_s))
        return takes[len(offered) - 1]

    commander = Commander(
        make_session_factory(engine), plain_url(database.engine), SystemClock(), publish
    )
    assert commander.run_once() == 0
    assert rows.one("SELECT state FROM locate_requests") == "asked"
    assert commander.run_once() == 1
    assert rows.one("SELECT state FROM locate_requests") == "sent"
    assert commander.run_once() == 0
    engine.dispose()
    assert [topic for topic, _, _ in offered] == [f"{phone.topic}/cmd"] * 2
    assert all(0 < lives_s <= 60 for _, _, lives_s in offered)
