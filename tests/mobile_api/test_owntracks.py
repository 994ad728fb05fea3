"""The HTTP door of phones, through the whole app."""

import json
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from flask import Flask
from flask.testing import FlaskClient
from redis import Redis

from fixtures.stack import DatabaseUrls, Stack
from fixtures.stack.ports import free_port
from server.http.context import EXTENSION
from server.http.extensions import db
from server.main.app import create_app
from server.settings import Settings
from server.tracking.live import cursor, read_after, stream_key
from tests.factories.bad_input import Case, load
from tests.factories.consumer import Rows
from tests.factories.crew import Phone, enlist, plain_url
from tests.factories.verdicts import check

CASES = load("http")


@dataclass(frozen=True, slots=True)
class Served:
    """The app, its database and the phones that may use it."""

    app: Flask
    rows: Rows
    urls: DatabaseUrls
    phones: dict[str, Phone]
    spare: list[Phone]

    def client(self) -> FlaskClient:
        return self.app.test_client()


@pytest.fixture(scope="module")
def served(stack: Stack, module_database: DatabaseUrls) -> Iterator[Served]:
    names = [case.name for case in CASES]
    phones = enlist(module_database, len(names))
    spare = enlist(module_database, 8, tenant_id=2, off_duty=1)
    settings = Settings.from_environ(stack.settings_env(module_database))
    app = create_app(settings)
    yield Served(
        app, Rows(module_database), module_database, dict(zip(names, phones, strict=True)), spare
    )
    with app.app_context():
        db.engine.dispose()
    app.extensions[EXTENSION].redis.close()
    if "outpost-http-door" in app.extensions:
        app.extensions["outpost-http-door"].close()


def _auth(username: str, secret: str) -> dict[str, str]:
    return {"Authorization": "Basic " + b64encode(f"{username}:{secret}".encode()).decode()}


def _fix(**changes: object) -> bytes:
    fix = {"_type": "location", "lat": 31.23, "lon": 121.47, "acc": 9, "batt": 55}
    fix["tst"] = int(datetime.now(UTC).timestamp())
    return json.dumps(fix | changes).encode()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_phone_hears_200_unless_the_manifest_says_and_the_outcome_is_as_it_says(
    served: Served, case: Case
) -> None:
    phone = served.phones[case.name]
    if case.credential == "revoked":
        with psycopg.connect(plain_url(served.urls.owner)) as connection:
            connection.execute(
                "UPDATE devices SET revoked_at = now() WHERE id = %s", [phone.device_id]
            )
    headers = _auth(case.disguise(phone).username, phone.secret) | case.door.get("headers", {})
    answer = served.client().post("/pub", data=case.payload(datetime.now(UTC)), headers=headers)
    expected = (case.door.get("status", 200), "[]")
    assert (answer.status_code, answer.get_data(as_text=True)) == expected
    check(served.rows, phone, case, extra_stored=0)


def test_a_stored_position_appears_on_the_live_feed(served: Served, stack: Stack) -> None:
    phone = served.spare[0]
    answer = served.client().post(
        "/api/owntracks", data=_fix(), headers=_auth(phone.username, phone.secret)
    )
    assert answer.status_code == 200
    with Redis.from_url(stack.redis.url) as redis:
        newest = redis.xrevrange(stream_key(phone.tenant_id), count=1)
    assert str(phone.employee_id).encode() in str(newest).encode()


def test_readers_of_a_feed_that_was_down_are_told_to_start_over(
    served: Served, stack: Stack
) -> None:
    phone = served.spare[0]
    headers = _auth(phone.username, phone.secret)
    pool = served.app.extensions[EXTENSION].redis.connection_pool
    port = pool.connection_kwargs["port"]
    later = int(datetime.now(UTC).timestamp()) + 30
    with Redis.from_url(stack.redis.url) as redis:
        start = cursor(redis, phone.tenant_id)
        pool.reset()
        pool.connection_kwargs["port"] = free_port()
        try:
            missed = served.client().post("/pub", data=_fix(tst=later + 1), headers=headers)
        finally:
            pool.connection_kwargs["port"] = port
            pool.reset()
        shown = served.client().post("/pub", data=_fix(tst=later + 2), headers=headers)
        types = [event.type for event in read_after(redis, phone.tenant_id, start)]
    assert (missed.status_code, shown.status_code) == (200, 200)
    assert types == ["reset", "pos"]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer abc"},
        {"Authorization": "Basic ???"},
        _auth("nobody-at-all", "x"),
        _auth("", ""),
    ],
)
def test_without_a_valid_credential_the_answer_is_401(
    served: Served, headers: dict[str, str]
) -> None:
    answer = served.client().post("/pub", data=_fix(), headers=headers)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Basic")


def test_a_wrong_secret_and_a_revoked_device_are_refused_alike(served: Served) -> None:
    phone = served.spare[1]
    wrong = served.client().post("/pub", data=_fix(), headers=_auth(phone.username, "no"))
    with psycopg.connect(plain_url(served.urls.owner)) as connection:
        connection.execute("UPDATE devices SET revoked_at = now() WHERE id = %s", [phone.device_id])
    revoked = served.client().post("/pub", data=_fix(), headers=_auth(phone.username, phone.secret))
    assert wrong.status_code == revoked.status_code == 401
    assert wrong.get_data() == revoked.get_data()
    assert not served.rows.all("SELECT 1 FROM fixes WHERE device_id = %s", phone.device_id)


def test_identity_comes_from_the_credential_whatever_headers_and_payload_say(
    served: Served,
) -> None:
    alice, bob = served.spare[2], served.spare[3]
    headers = _auth(alice.username, alice.secret)
    headers |= {"X-Limit-U": bob.username, "X-Limit-D": "../../etc"}
    body = _fix(topic=f"owntracks/{bob.username}/phone", username=bob.username)
    assert (
        served.client().post(f"/pub?u={bob.username}", data=body, headers=headers).status_code
        == 200
    )
    stored = served.rows.all(
        "SELECT device_id FROM fixes WHERE device_id IN (%s, %s)", alice.device_id, bob.device_id
    )
    assert stored == [(alice.device_id,)]


def test_a_body_beyond_a_mebibyte_is_413_and_stores_nothing(served: Served) -> None:
    phone = served.spare[4]
    answer = served.client().post(
        "/pub", data=b"[" + b" " * 1_100_000 + b"]", headers=_auth(phone.username, phone.secret)
    )
    assert answer.status_code == 413


def test_off_duty_positions_are_counted_and_kept_nowhere(served: Served) -> None:
    phone = served.spare[7]
    assert not phone.on_duty
    headers = _auth(phone.username, phone.secret)
    for body in (_fix(), _fix(lat=91), b'{"_type":"location","lat":31.2', _fix(tst=0)):
        assert served.client().post("/pub", data=body, headers=headers).status_code == 200
    ((off_duty, quarantined),) = served.rows.all(
        "SELECT off_duty, quarantined FROM ingest_ledger WHERE device_id = %s", phone.device_id
    )
    assert (off_duty, quarantined) == (1, 3)
    kept = served.rows.all("SELECT payload FROM quarantine WHERE device_id = %s", phone.device_id)
    assert kept == [(None,)] * 3


def test_503_while_nothing_can_be_stored_and_200_afterwards(served: Served, stack: Stack) -> None:
    phone = served.spare[5]
    headers = _auth(phone.username, phone.secret)
    body = _fix(tst=int((datetime.now(UTC) - timedelta(minutes=5)).timestamp()))
    with stack.postgres.connect("postgres") as connection:
        refuse = f"ALTER DATABASE {served.urls.name} ALLOW_CONNECTIONS "
        connection.execute((refuse + "false").encode())
        connection.execute(
            b"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s",
            [served.urls.name],
        )
        try:
            assert served.client().post("/pub", data=body, headers=headers).status_code == 503
        finally:
            connection.execute((refuse + "true").encode())
    assert served.client().post("/pub", data=body, headers=headers).status_code == 200
    assert len(served.rows.all("SELECT 1 FROM fixes WHERE device_id = %s", phone.device_id)) == 1


def test_the_same_message_through_both_doors_is_one_row(served: Served) -> None:
    phone = served.spare[6]
    headers = _auth(phone.username, phone.secret)
    body = _fix()
    over_http = json.dumps(json.loads(body) | {"topic": phone.topic}).encode()
    for payload in (body, over_http, body):
        assert served.client().post("/pub", data=payload, headers=headers).status_code == 200
    assert len(served.rows.all("SELECT 1 FROM fixes WHERE device_id = %s", phone.device_id)) == 1
