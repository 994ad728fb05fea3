"""The consumer as a process: one at a time, drains, survives poison that kills it."""

import json
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest

from fixtures.stack import DatabaseUrls, Stack
from tests.factories.consumer import ROOT, Consumer, Rows, wait_until
from tests.factories.crew import Phone, admit, enlist, plain_url
from tests.factories.mqtt_client import MqttClient

pytestmark = pytest.mark.mqtt


def _fix(ago_s: int, **changes: object) -> str:
    at = int(time.time()) - ago_s
    fix = {"_type": "location", "lat": 31.23, "lon": 121.47, "tst": at, "acc": 9}
    return json.dumps(fix | changes)


def _publish(stack: Stack, phone: Phone, *payloads: str) -> None:
    with MqttClient(stack.credentials.device_port, phone.username, phone.secret) as client:
        for payload in payloads:
            client.publish(phone.topic, payload)


def _fixes(rows: Rows) -> int:
    return int(rows.one("SELECT count(*) FROM fixes"))


@pytest.fixture
def phone(stack: Stack, database: DatabaseUrls) -> Phone:
    (made,) = enlist(database, 1)
    admit(stack, [made])
    return made


def test_a_second_consumer_ends_with_a_clear_line_and_disturbs_nobody(
    stack: Stack,
    database: DatabaseUrls,
    consumer: Consumer,
    phone: Phone,
    rows: Rows,
    tmp_path: Path,
) -> None:
    consumer.start()
    consumer.wait_connected()
    second = subprocess.run(
        [sys.executable, "-m", "ingest"],
        cwd=ROOT,
        env={**stack.settings_env(database), "OUTPOST_RUN_DIR": str(tmp_path / "second")},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert second.returncode == 2
    assert second.stderr.strip().splitlines()[-1].endswith("this one stops")
    assert "disconnected" not in consumer.log.read_text(encoding="utf-8")
    _publish(stack, phone, _fix(5))
    wait_until(lambda: _fixes(rows) == 1)


def test_sigterm_drains_and_what_comes_later_waits_in_the_broker(
    stack: Stack, consumer: Consumer, phone: Phone, rows: Rows
) -> None:
    consumer.start()
    consumer.wait_connected()
    _publish(stack, phone, *[_fix(1000 + no) for no in range(200)])
    assert consumer.stop() == 0
    _publish(stack, phone, *[_fix(2000 + no) for no in range(100)])
    consumer.start()
    wait_until(lambda: _fixes(rows) == 300, 20)
    assert rows.one("SELECT sum(duplicate)::int FROM ingest_ledger") == 0


def test_a_message_that_kills_the_process_twice_is_quarantined_and_the_rest_stored(
    stack: Stack, consumer: Consumer, phone: Phone, rows: Rows
) -> None:
    consumer.start(OUTPOST_CRASH_TEXT="fatal")
    consumer.wait_connected()
    batch = [_fix(500 + no) for no in range(20)]
    _publish(stack, phone, *batch[:10], _fix(499, tid="fatal"), *batch[10:])
    deaths = 0
    assert consumer.child is not None
    while deaths < 5 and not rows.one("SELECT count(*) FROM quarantine"):
        if consumer.child.poll() is not None:
            deaths += 1
            consumer.start(OUTPOST_CRASH_TEXT="fatal")
        time.sleep(0.1)
    wait_until(lambda: _fixes(rows) == 20, 20)
    assert deaths == 2
    assert rows.all("SELECT reason FROM quarantine") == [("crash",)]


def test_the_stream_goes_on_when_the_database_was_away(
    stack: Stack, database: DatabaseUrls, consumer: Consumer, phone: Phone, rows: Rows
) -> None:
    consumer.start()
    consumer.wait_connected()
    with stack.postgres.connect("postgres") as admin:
        admin.execute(f"ALTER DATABASE {database.name} ALLOW_CONNECTIONS false".encode())
        admin.execute(
            b"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s",
            [database.name],
        )
        _publish(stack, phone, *[_fix(100 + no) for no in range(50)])
        time.sleep(1.0)
        admin.execute(f"ALTER DATABASE {database.name} ALLOW_CONNECTIONS true".encode())
    wait_until(lambda: _fixes(rows) == 50, 20)


def test_commits_are_durable_whatever_the_role_says(
    database: DatabaseUrls, consumer: Consumer
) -> None:
    with psycopg.connect(plain_url(database.superuser), autocommit=True) as admin:
        admin.execute(
            f"ALTER ROLE outpost_ingest IN DATABASE {database.name}"
            " SET synchronous_commit = off".encode()
        )
    consumer.start()
    # It sets the level for its own connection, and asks the server before it goes on.
    consumer.wait_connected()


def test_a_device_enrolled_while_running_is_known_at_once(
    stack: Stack, database: DatabaseUrls, consumer: Consumer, phone: Phone, rows: Rows
) -> None:
    consumer.start()
    consumer.wait_connected()
    _publish(stack, phone, _fix(9))
    (late,) = enlist(database, 1, tenant_id=2)
    admit(stack, [phone, late])
    _publish(stack, late, _fix(8))
    wait_until(lambda: _fixes(rows) == 2)
    assert rows.one("SELECT count(*) FROM quarantine") == 0


def test_messages_of_a_device_nobody_knows_are_counted_without_a_payload(
    stack: Stack, consumer: Consumer, phone: Phone, rows: Rows
) -> None:
    stack.mosquitto.set_devices({phone.username: phone.secret, "ghost-phone": "boo"})
    consumer.start()
    consumer.wait_connected()
    with MqttClient(stack.credentials.device_port, "ghost-phone", "boo") as client:
        client.publish("owntracks/ghost-phone/x", _fix(5))
    wait_until(lambda: rows.one("SELECT count(*) FROM quarantine") == 1)
    found = rows.all("SELECT tenant_id, device_id, reason, payload, username FROM quarantine")
    assert found == [(0, None, "device", None, "ghost-phone")]
    assert rows.all("SELECT tenant_id, received, quarantined FROM ingest_ledger") == [(0, 1, 1)]
    assert rows.one("SELECT count(*) FROM fixes") == 0


def test_the_heartbeat_tells_of_a_canary_through_broker_and_commit(
    consumer: Consumer, rows: Rows
) -> None:
    consumer.start()
    consumer.wait_connected()
    wait_until(lambda: rows.one("SELECT count(*) FROM ingest_heartbeat") == 1, 15)
    ((lag_s, dropped),) = rows.all("SELECT lag_s, broker_dropped FROM ingest_heartbeat")
    assert 0 <= lag_s < 10
    assert dropped in (None, 0)
