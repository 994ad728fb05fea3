"""The corpus of bad input through a real broker: nothing stops the stream."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime

import psycopg
import pytest

from fixtures.stack import DatabaseUrls, Stack
from ingest.topics import is_username
from tests.factories.bad_input import Case, load, names_refused, unexplained
from tests.factories.consumer import Rows, consuming, wait_until
from tests.factories.crew import Phone, admit, enlist, plain_url
from tests.factories.mqtt_client import MqttClient
from tests.factories.verdicts import check, check_unowned

pytestmark = pytest.mark.mqtt
CASES = load("mqtt")


@pytest.fixture(scope="module")
def arrived(
    stack: Stack, module_database: DatabaseUrls, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Rows, dict[str, Phone]]]:
    """Every case sent by a phone of its own, between two good fixes, all to one consumer."""
    phones = enlist(module_database, len(CASES))
    pairs = list(zip(phones, CASES, strict=True))
    unknown = [case.disguise(phone) for phone, case in pairs if case.credential == "unknown"]
    admit(stack, phones + unknown)
    with psycopg.connect(plain_url(module_database.owner)) as connection:
        connection.execute(
            "UPDATE devices SET revoked_at = now() - interval '1 hour' WHERE id = ANY(%s)",
            [[phone.device_id for phone, case in pairs if case.credential == "revoked"]],
        )
    rows = Rows(module_database)
    with consuming(stack, module_database, tmp_path_factory.mktemp("ingest")) as consumer:
        consumer.start()
        consumer.wait_connected()
        for phone, case in pairs:
            _send(stack.credentials.device_port, phone, case)
        # The second good fix of the last phone comes last.
        good = sum(_good_of(case) for case in CASES)
        wait_until(
            lambda: rows.one("SELECT count(*) FROM fixes WHERE battery_pct = 55") == good, 30
        )
        yield rows, {case.name: phone for phone, case in pairs}
        assert consumer.stop() == 0


def _send(port: int, phone: Phone, case: Case) -> None:
    """Send one case between two good fixes; its own alone when the credential is the case."""
    now = datetime.now(UTC)
    sender = case.disguise(phone)
    topic = case.door.get("topic", "owntracks/{user}/phone").format(user=sender.username)
    with MqttClient(port, sender.username, sender.secret) as client:
        assert (client.refused is not None) is ("refused" in case.door)
        if client.refused is not None:
            return
        if not case.credential:
            client.publish(topic=phone.topic, payload=_good(now, 300))
        if "cut" in case.door:
            client.offer(topic, case.payload(now))
            assert client.disconnected.wait(10)
        else:
            client.publish(topic, case.payload(now))
    if not case.credential:
        with MqttClient(port, sender.username, sender.secret) as client:
            client.publish(phone.topic, _good(now, 200))


def _good_of(case: Case) -> int:
    return 0 if case.credential else 2


def _good(now: datetime, ago_s: int) -> str:
    at = int(now.timestamp()) - ago_s
    fix = {"_type": "location", "lat": 31.2301, "lon": 121.4731, "tst": at, "batt": 55, "acc": 9}
    return json.dumps(fix)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_each_message_has_the_outcome_of_the_manifest(
    arrived: tuple[Rows, dict[str, Phone]], case: Case
) -> None:
    rows, phones = arrived
    phone = phones[case.name]
    check(rows, phone, case, extra_stored=_good_of(case))
    if "topic" in case.door or "unowned" in case.door:
        check_unowned(rows, case.disguise(phone), case)


def test_every_device_balances(arrived: tuple[Rows, dict[str, Phone]]) -> None:
    rows, _ = arrived
    counted = rows.all(
        "SELECT l.stored, count(f.*) FILTER (WHERE f.device_id IS NOT NULL)"
        " + (SELECT count(*) FROM device_events e WHERE e.device_id = l.device_id)"
        " + (SELECT count(*) FROM radio_reports r WHERE r.device_id = l.device_id"
        "    AND NOT r.has_fix)"
        " FROM ingest_ledger l LEFT JOIN fixes f USING (tenant_id, device_id)"
        " WHERE l.device_id IN (SELECT id FROM devices)"
        " GROUP BY l.tenant_id, l.device_id, l.received_on, l.stored"
    )
    heard_of = [case for case in CASES if _good_of(case) or case.outcome]
    assert len(counted) == len(heard_of)
    assert [stored for stored, _ in counted] == [found for _, found in counted]


def test_nothing_in_quarantine_or_events_names_a_saved_place(
    arrived: tuple[Rows, dict[str, Phone]],
) -> None:
    rows, _ = arrived
    bodies = rows.all("SELECT body::text FROM device_events WHERE kind = 'waypoint'")
    assert bodies
    assert not any("home" in body or "lat" in body for (body,) in bodies)


def test_what_the_corpus_leaves_out_it_gives_a_reason_for() -> None:
    assert unexplained() == []


@pytest.mark.parametrize("name", names_refused(), ids=ascii)
def test_names_that_look_like_another_cannot_be_enrolled(
    arrived: tuple[Rows, dict[str, Phone]], module_database: DatabaseUrls, name: str
) -> None:
    _, phones = arrived
    phone = next(iter(phones.values()))
    assert not is_username(name)
    with (
        psycopg.connect(plain_url(module_database.owner)) as connection,
        pytest.raises(psycopg.errors.CheckViolation, match="username"),
    ):
        connection.execute(
            "INSERT INTO devices (tenant_id, id, employee_id, username, kind, label,"
            " credential_hash, enrolled_at)"
            " VALUES (%s, gen_random_uuid(), %s, %s, 'owntracks_android', 'p', 'x', now())",
            [phone.tenant_id, phone.employee_id, name],
        )
