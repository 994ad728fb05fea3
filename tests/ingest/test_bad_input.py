"""The corpus of bad input through a real broker: nothing stops the stream."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from fixtures.stack import DatabaseUrls, Stack
from tests.factories.bad_input import Case, load
from tests.factories.consumer import Rows, consuming, wait_until
from tests.factories.crew import Phone, admit, enlist
from tests.factories.mqtt_client import MqttClient
from tests.factories.verdicts import check

pytestmark = pytest.mark.mqtt
CASES = load()


@pytest.fixture(scope="module")
def arrived(
    stack: Stack, module_database: DatabaseUrls, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Rows, dict[str, Phone]]]:
    """Every case sent by a phone of its own, between two good fixes, all to one consumer."""
    phones = enlist(module_database, len(CASES))
    admit(stack, phones)
    rows = Rows(module_database)
    with consuming(stack, module_database, tmp_path_factory.mktemp("ingest")) as consumer:
        consumer.start()
        consumer.wait_connected()
        now = datetime.now(UTC)
        for phone, case in zip(phones, CASES, strict=True):
            with MqttClient(stack.credentials.device_port, phone.username, phone.secret) as client:
                client.publish(phone.topic, _good(now, 300))
                client.publish(phone.topic, case.payload(now))
                client.publish(phone.topic, _good(now, 200))
        # The second good fix of the last phone comes last.
        wait_until(
            lambda: rows.one("SELECT count(*) FROM fixes WHERE battery_pct = 55") == 2 * len(CASES)
        )
        yield rows, {case.name: phone for phone, case in zip(phones, CASES, strict=True)}
        assert consumer.stop() == 0


def _good(now: datetime, ago_s: int) -> str:
    at = int(now.timestamp()) - ago_s
    fix = {"_type": "location", "lat": 31.2301, "lon": 121.4731, "tst": at, "batt": 55, "acc": 9}
    return json.dumps(fix)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_each_message_has_the_outcome_of_the_manifest(
    arrived: tuple[Rows, dict[str, Phone]], case: Case
) -> None:
    rows, phones = arrived
    check(rows, phones[case.name], case, extra_stored=2)


def test_every_device_balances(arrived: tuple[Rows, dict[str, Phone]]) -> None:
    rows, _ = arrived
    counted = rows.all(
        "SELECT l.stored, count(f.*) FILTER (WHERE f.device_id IS NOT NULL)"
        " + (SELECT count(*) FROM device_events e WHERE e.device_id = l.device_id)"
        " FROM ingest_ledger l LEFT JOIN fixes f USING (tenant_id, device_id)"
        " GROUP BY l.tenant_id, l.device_id, l.received_on, l.stored"
    )
    assert len(counted) == len(CASES)
    assert [stored for stored, _ in counted] == [found for _, found in counted]


def test_nothing_in_quarantine_or_events_names_a_saved_place(
    arrived: tuple[Rows, dict[str, Phone]],
) -> None:
    rows, _ = arrived
    bodies = rows.all("SELECT body::text FROM device_events WHERE kind = 'waypoint'")
    assert bodies
    assert not any("home" in body or "lat" in body for (body,) in bodies)
