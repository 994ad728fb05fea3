"""The door for HTTP: whatever goes wrong with one message, a phone gets rid of it."""

import json
import time
from collections.abc import Iterator

import psycopg
import pytest

from fixtures.stack import DatabaseUrls
from ingest.door import Door
from ingest.intake import Message
from server.crypto import Vault
from server.errors import Unavailable
from server.tracking.records import Via
from tests.factories.consumer import Rows
from tests.factories.crew import Phone, enlist, plain_url

VAULT = Vault(bytes(range(32)))


@pytest.fixture
def door(database: DatabaseUrls) -> Iterator[Door]:
    made = Door(database.ingest, VAULT)
    yield made
    made.close()


@pytest.fixture
def phone(database: DatabaseUrls) -> Phone:
    (made,) = enlist(database, 1)
    with psycopg.connect(plain_url(database.superuser)) as connection:
        connection.execute("ALTER TABLE fixes ADD CONSTRAINT unlucky CHECK (battery_pct <> 13)")
    return made


def _array(phone: Phone, *batteries: int) -> Message:
    now_s = time.time()
    fix = {"_type": "location", "lat": 31.23, "lon": 121.47}
    listed = [fix | {"tst": int(now_s) - no, "batt": batt} for no, batt in enumerate(batteries)]
    return Message(phone.topic, json.dumps(listed).encode(), now_s, Via.HTTP)


def test_a_member_the_database_refuses_goes_to_quarantine_alone(
    door: Door, phone: Phone, rows: Rows
) -> None:
    message = _array(phone, 10, 11, 13, 14, 13)
    taken = door.store(message)
    assert sum(part.recorded.stored for part in taken) == 3
    assert (
        rows.all("SELECT reason, detail, size < 120 FROM quarantine")
        == [("database", "23514", True)] * 2
    )
    door.store(message)
    assert rows.one("SELECT count(*) FROM fixes") == 3
    assert rows.one("SELECT count(*) FROM quarantine") == 2


@pytest.mark.parametrize("fault", [ValueError, KeyError, AttributeError])
def test_a_fault_of_ours_quarantines_what_triggers_it(
    door: Door, phone: Phone, rows: Rows, fault: type[Exception]
) -> None:
    def stumble(message: Message) -> None:
        if b'"batt":99' in message.payload:
            raise fault

    door._intake._before_decode = stumble
    message = _array(phone, 98, 99, 97)
    compact = json.dumps(json.loads(message.payload), separators=(",", ":")).encode()
    door.store(Message(message.topic, compact, message.received_s, Via.HTTP))
    assert rows.one("SELECT count(*) FROM fixes") == 2
    assert rows.all("SELECT reason, detail FROM quarantine") == [("database", fault.__name__)]


def test_what_cannot_even_be_quarantined_is_to_be_kept_by_the_phone(
    door: Door, phone: Phone, database: DatabaseUrls, rows: Rows
) -> None:
    with psycopg.connect(plain_url(database.superuser)) as connection:
        connection.execute("ALTER TABLE quarantine ADD CONSTRAINT never CHECK (false)")
    with pytest.raises(Unavailable):
        door.store(_array(phone, 13))
    assert rows.one("SELECT count(*) FROM fixes") == 0
