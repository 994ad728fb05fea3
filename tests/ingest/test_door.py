"""The door for HTTP: whatever goes wrong with one message, a phone gets rid of it."""

import json
import time
from collections.abc import Iterator

import psycopg
import pytest

from fixtures.stack import DatabaseUrls
from ingest.devices import DeviceEntry
from ingest.door import Door
from ingest.intake import Message
from server.crypto import Vault
from server.errors import Unavailable
from server.people.devices import encryption_context
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


def test_a_secret_that_does_not_open_keeps_nobody_from_being_checked(
    door: Door, phone: Phone, database: DatabaseUrls
) -> None:
    sealed = VAULT.seal(b"\xff\xfe", context=encryption_context(phone.username))
    for broken in (b"", b"\1rubbish", sealed):
        with psycopg.connect(plain_url(database.superuser)) as connection:
            connection.execute("UPDATE devices SET encryption_secret = %s", [broken])
        found = door.authenticate(phone.username, phone.secret)
        assert found is not None
        assert found.secret is None
        assert door.authenticate(phone.username, "wrong") is None


@pytest.mark.parametrize(
    "username", ["a\0b-phone", "\ud800-phone-1", "", "Phone-1-00000", "x" * 999]
)
def test_a_name_no_device_can_bear_is_nobody(door: Door, username: str) -> None:
    assert door.authenticate(username, "x") is None


def test_a_fault_while_checking_is_unavailable_and_nothing_else(
    door: Door, phone: Phone, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stumble(*_: object) -> DeviceEntry | None:
        raise TypeError

    monkeypatch.setattr(door._directory, "find", stumble)
    with pytest.raises(Unavailable):
        door.authenticate(phone.username, phone.secret)


def test_without_a_time_only_what_is_live_is_stored(door: Door, phone: Phone, rows: Rows) -> None:
    fix = b'{"_type":"location","lat":31.23,"lon":121.47,"batt":%d}'
    now_s = time.time()
    for payload, is_live in (
        (fix % 1, True),
        (fix % 2, False),
        (b"[" + fix % 3 + b"]", True),
        (b" \n[" + fix % 4 + b"," + fix % 5 + b"]", True),
    ):
        door.store(Message(phone.topic, payload, now_s, Via.HTTP, is_live=is_live))
    # Taken apart because the database refuses one of them, they are no more live than before.
    timed = json.loads(fix % 13) | {"tst": int(now_s)}
    listed = json.dumps([timed, json.loads(fix % 6)]).encode()
    door.store(Message(phone.topic, listed, now_s, Via.HTTP))
    assert rows.all("SELECT battery_pct FROM fixes") == [(1,)]
    assert rows.all("SELECT received, stored, off_duty, quarantined FROM ingest_ledger") == [
        (7, 1, 5, 1)
    ]
    assert rows.all("SELECT reason FROM quarantine") == [("database",)]
