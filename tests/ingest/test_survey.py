"""Network Survey through a real broker: its topics, its scans, and nothing that stops others."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from fixtures.stack import DatabaseUrls, Stack
from server.broker.config import INGEST
from tests.factories.clients import encoded, message, spoilt
from tests.factories.consumer import Rows, consuming, wait_until
from tests.factories.crew import Phone, admit, enlist
from tests.factories.mqtt_client import MqttClient

pytestmark = pytest.mark.mqtt
AT = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=5)
CASES = spoilt("network-survey", AT)
_KINDS = {"LteRecord": "lte", "GsmRecord": "gsm", "NrRecord": "nr", "PhoneState": "device_status"}


def _record(kind: str, **data: Any) -> tuple[str, bytes]:
    value = message("network-survey", AT)
    plain = {k: v for k, v in value["data"].items() if k not in ("mcc", "mnc", "tac", "eci", "pci")}
    whole = value | {"messageType": kind, "data": plain | data}
    return f"{_KINDS[kind]}_message", encoded("network-survey", whole)


_SCAN = [
    _record("LteRecord", mcc=460, mnc=11, tac=9763, eci=21569537, servingCell=True),
    _record("LteRecord", mcc=460, mnc=11, tac=9763, eci=21569538, servingCell=False),
    _record("NrRecord", mcc=460, mnc=11, tac=9763, nci="68719476735", servingCell=False),
    _record("GsmRecord", mcc=460, lac=9763, ci=4711, servingCell=False),
]


@dataclass(frozen=True, slots=True)
class Arrived:
    """What phones sent to one consumer, in the database."""

    rows: Rows
    surveyor: Phone
    spoiler: Phone
    intruder: Phone
    retainer: Phone


@pytest.fixture(scope="module")
def arrived(
    stack: Stack, module_database: DatabaseUrls, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Arrived]:
    phones = enlist(module_database, 4, prefix="survey")
    surveyor, spoiler, intruder, retainer = phones
    admit(stack, phones)
    rows = Rows(module_database)
    port = stack.credentials.device_port
    with consuming(stack, module_database, tmp_path_factory.mktemp("ingest")) as consumer:
        consumer.start()
        consumer.wait_connected()
        with MqttClient(port, spoiler.username, spoiler.secret) as client:
            for case in CASES:
                client.publish(f"survey/{spoiler.username}/lte_message", case.payload)
            client.publish(f"survey/{spoiler.username}/lte_message", _SCAN[0][1])
        with MqttClient(port, intruder.username, intruder.secret) as client:
            # The broker says yes to a 3.1.1 client and drops what the rules forbid.
            client.publish(f"survey/{surveyor.username}/lte_message", _SCAN[0][1])
            client.publish(f"survey/{intruder.username}/a/b", _SCAN[0][1])
            client.publish(f"survey/{intruder.username}/wardriving", _SCAN[0][1])
            client.publish(f"survey/{intruder.username}/lte_message", b"")
            beacon = {"messageType": "WifiBeaconRecord", "data": {"ssid": "home"}}
            payload = json.dumps(beacon).encode()
            client.publish(f"survey/{intruder.username}/80211_beacon_message", payload)
        with MqttClient(port, retainer.username, retainer.secret) as client:
            client.publish(f"survey/{retainer.username}/lte_message", _SCAN[0][1], retain=True)
        with MqttClient(port, surveyor.username, surveyor.secret) as client:
            for kind, payload in _SCAN:
                client.publish(f"survey/{surveyor.username}/{kind}", payload)
            body = _record("LteRecord", latitude=0.0, longitude=0.0, groupNumber=2, eci=9,
                           mcc=460, mnc=0, tac=7)  # fmt: skip
            client.publish(f"survey/{surveyor.username}/{body[0]}", body[1])
        total = "SELECT coalesce(sum(received), 0)::int FROM ingest_ledger"
        expected = len(CASES) + 1 + 3 + 1 + len(_SCAN) + 1
        wait_until(lambda: rows.one(total) >= expected, 60)
        yield Arrived(rows, surveyor, spoiler, intruder, retainer)
        assert consumer.stop() == 0
    known = stack.credentials
    with MqttClient(known.service_port, INGEST, known.mqtt_ingest_password) as client:
        assert client.refused is None


def _of(arrived: Arrived, phone: Phone, query: str) -> list[tuple[Any, ...]]:
    return arrived.rows.all(f"{query} WHERE device_id = %s", phone.device_id)


def test_a_scan_is_one_fix_with_all_cells_and_one_without_a_position_waits(
    arrived: Arrived,
) -> None:
    found = _of(arrived, arrived.surveyor, "SELECT has_fix, cells, fixed_at FROM radio_reports")
    with_fix = {has: (cells, at) for has, cells, at in found}
    assert len(found) == 2
    cells, at = with_fix[True]
    assert at == AT
    assert {(cell["radio"], cell["mcc"], cell["mnc"], cell["cell"]) for cell in cells} == {
        ("lte", 460, 11, 21569537),
        ("lte", 460, 11, 21569538),
        ("nr", 460, 11, 2**36 - 1),
        ("gsm", 460, 0, 4711),
    }
    assert [cell["cell"] for cell in with_fix[False][0]] == [9]
    assert _of(arrived, arrived.surveyor, "SELECT fixed_at FROM fixes") == [(AT,)]


def test_every_spoilt_record_has_its_reason_and_the_good_one_behind_them_is_stored(
    arrived: Arrived,
) -> None:
    kept = _of(arrived, arrived.spoiler, "SELECT reason, attempts FROM quarantine")
    assert {reason for reason, _ in kept} == {case.reason for case in CASES}
    assert sum(attempts for _, attempts in kept) == len(CASES)
    assert len(_of(arrived, arrived.spoiler, "SELECT 1 FROM fixes")) == 1


def test_nobody_writes_below_another_name_and_other_topics_store_nothing(
    arrived: Arrived,
) -> None:
    counts = "SELECT stored::int, ignored::int, quarantined::int FROM ingest_ledger"
    assert _of(arrived, arrived.intruder, counts) == [(0, 2, 0)]
    refused = arrived.rows.all(
        "SELECT reason, payload FROM quarantine WHERE starts_with(topic, %s)",
        f"survey/{arrived.intruder.username}/",
    )
    assert refused == [("topic", None)]


def test_a_retained_record_is_stored_like_any_other(arrived: Arrived) -> None:
    assert len(_of(arrived, arrived.retainer, "SELECT 1 FROM fixes")) == 1


def test_every_device_balances(arrived: Arrived) -> None:
    wrong = arrived.rows.all(
        "SELECT 1 FROM ingest_ledger"
        " WHERE received <> stored + duplicate + quarantined + off_duty + ignored"
    )
    assert wrong == []
