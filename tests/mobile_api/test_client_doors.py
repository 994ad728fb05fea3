"""The HTTP doors of clients other than OwnTracks, through the whole app."""

import json
import logging
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from redis import Redis

from fixtures.stack import DatabaseUrls, Stack
from server.http.context import EXTENSION
from server.http.extensions import db
from server.main.app import create_app
from server.settings import Settings
from server.tracking.live import stream_key
from tests.factories.clients import encoded, message, spoilt
from tests.factories.consumer import Rows
from tests.factories.crew import Phone, enlist

DOORS = {
    "osmand-query": "osmand",
    "osmand-json": "osmand",
    "overland": "overland",
    "geosubmit": "geosubmit",
}
_ANSWERS = {"osmand": {}, "overland": {"result": "ok"}, "geosubmit": {}}
_FORM = "application/x-www-form-urlencoded"
NOW = datetime.now(UTC).replace(microsecond=0)


@dataclass(frozen=True, slots=True)
class Served:
    """The app, its database and phones that may use it; take one for each test."""

    app: Flask
    rows: Rows
    urls: DatabaseUrls
    phones: Iterator[Phone]
    off_duty: Phone

    def client(self) -> FlaskClient:
        return self.app.test_client()

    def ledger(self, phone: Phone) -> tuple[int, ...]:
        """Received, stored, duplicate, quarantined, off duty."""
        (found,) = self.rows.all(
            "SELECT received::int, stored::int, duplicate::int, quarantined::int, off_duty::int"
            " FROM ingest_ledger WHERE device_id = %s",
            phone.device_id,
        )
        return tuple(found)

    def fixes(self, phone: Phone) -> int:
        return int(
            self.rows.one("SELECT count(*) FROM fixes WHERE device_id = %s", phone.device_id)
        )


@pytest.fixture(scope="module")
def served(stack: Stack, module_database: DatabaseUrls) -> Iterator[Served]:
    phones = enlist(module_database, 40, off_duty=1)
    app = create_app(Settings.from_environ(stack.settings_env(module_database)))
    yield Served(app, Rows(module_database), module_database, iter(phones[:-1]), phones[-1])
    with app.app_context():
        db.engine.dispose()
    app.extensions[EXTENSION].redis.close()
    if "outpost-http-door" in app.extensions:
        app.extensions["outpost-http-door"].close()


def _basic(phone: Phone) -> dict[str, str]:
    pair = f"{phone.username}:{phone.secret}".encode()
    return {"Authorization": "Basic " + b64encode(pair).decode()}


def _bearer(phone: Phone) -> dict[str, str]:
    return {"Authorization": f"Bearer {phone.username}:{phone.secret}"}


def _good(name: str, **more: Any) -> bytes:
    return encoded(name, message(name, NOW - timedelta(minutes=2), **more))


def _post(
    served: Served, name: str, path: str, body: bytes, headers: dict[str, str] | None = None
) -> Any:
    kind = _FORM if name == "osmand-query" else "application/json"
    return served.client().post(path, data=body, headers=headers, content_type=kind)


@pytest.mark.parametrize("name", DOORS)
def test_each_way_of_telling_the_credential_stores_the_same_message_once(
    served: Served, name: str
) -> None:
    phone, door = next(served.phones), DOORS[name]
    ways = [
        (f"/pub/{door}", _basic(phone)),
        (f"/pub/{door}", _bearer(phone)),
        (f"/pub/{door}/", _bearer(phone)),
        (f"/api/{door}", _basic(phone)),
        (f"/pub/{door}/{phone.username}/{phone.secret}", {}),
        (f"/pub/{door}/{phone.username}/{phone.secret}/", {}),
    ]
    for path, headers in ways:
        answer = _post(served, name, path, _good(name), headers)
        assert (answer.status_code, answer.get_json()) == (200, _ANSWERS[door]), path
    assert (served.fixes(phone), served.ledger(phone)[:3]) == (1, (len(ways), 1, len(ways) - 1))


def test_a_query_is_a_form_is_one_message(served: Served) -> None:
    phone = next(served.phones)
    query = _good("osmand-query").decode()
    path = f"/pub/osmand/{phone.username}/{phone.secret}"
    client = served.client()
    assert client.get(f"{path}?{query}").status_code == 200
    assert client.post(f"{path}?{query}").status_code == 200
    assert client.post(path, data=query, content_type=_FORM).status_code == 200
    first, _, rest = query.partition("&")
    assert client.post(f"{path}?{first}", data=rest, content_type=_FORM).status_code == 200
    assert served.ledger(phone)[:3] == (4, 1, 3)


@pytest.mark.parametrize("name", DOORS)
def test_without_a_valid_credential_the_answer_is_401_and_nothing_is_stored(
    served: Served, name: str
) -> None:
    phone, door = next(served.phones), DOORS[name]
    wrong = "Basic " + b64encode(f"{phone.username}:no".encode()).decode()
    refused: list[tuple[str, dict[str, str]]] = [
        (f"/pub/{door}", {}),
        (f"/pub/{door}/{phone.username}/no", {}),
        (f"/pub/{door}/nobody-at-all/{phone.secret}", {}),
        (f"/api/{door}", {"Authorization": "Bearer abc"}),
        (f"/api/{door}", {"Authorization": f"Bearer {phone.username}:"}),
        (f"/pub/{door}", {"Authorization": wrong}),
        (f"/pub/{door}", {"Authorization": "nonsense"}),
        # A header goes first, whatever the address says.
        (f"/pub/{door}/{phone.username}/{phone.secret}", {"Authorization": wrong}),
    ]
    for path, headers in refused:
        answer = _post(served, name, path, _good(name), headers)
        assert (answer.status_code, answer.headers["WWW-Authenticate"][:5]) == (401, "Basic"), path
    assert served.fixes(phone) == 0


@pytest.mark.parametrize("name", DOORS)
def test_whatever_is_wrong_with_a_message_the_phone_may_go_on(served: Served, name: str) -> None:
    phone, door = next(served.phones), DOORS[name]
    cases = spoilt(name, NOW - timedelta(minutes=2))
    for case in cases:
        answer = _post(served, name, f"/pub/{door}", case.payload, _bearer(phone))
        assert (answer.status_code, answer.get_json()) == (200, _ANSWERS[door]), case.name
    found = served.rows.all(
        "SELECT reason, attempts FROM quarantine WHERE device_id = %s", phone.device_id
    )
    expected = [case.reason for case in cases]
    # Quarantine keeps the same bytes once a reason.
    assert {reason for reason, _ in found} == set(expected)
    assert sum(attempts for _, attempts in found) == len(cases)
    assert _post(served, name, f"/pub/{door}", _good(name), _bearer(phone)).status_code == 200
    received, stored, duplicate, quarantined, _ = served.ledger(phone)
    assert (received, stored, duplicate + quarantined) == (len(cases) + 1, 1, len(cases))
    assert served.fixes(phone) == 1


def test_identity_is_the_credential_whatever_the_payload_claims(served: Served) -> None:
    alice, bob = next(served.phones), next(served.phones)
    query = _good("osmand-query").replace(b"tracker-7", bob.username.encode())
    path = f"/pub/osmand/{alice.username}/{alice.secret}"
    assert _post(served, "osmand-query", path, query).status_code == 200
    assert (served.fixes(alice), served.fixes(bob)) == (1, 0)


def test_a_position_appears_on_the_live_feed_and_its_cells_in_the_reports(
    served: Served, stack: Stack
) -> None:
    phone = next(served.phones)
    body = encoded("osmand-query", message("osmand-query", datetime.now(UTC)))
    assert _post(served, "osmand-query", "/pub/osmand", body, _basic(phone)).status_code == 200
    with Redis.from_url(stack.redis.url) as redis:
        newest = redis.xrevrange(stream_key(phone.tenant_id), count=1)
    assert str(phone.employee_id).encode() in str(newest).encode()
    query = "SELECT has_fix, cells->0->>'cell' FROM radio_reports WHERE device_id = %s"
    assert served.rows.all(query, phone.device_id) == [(True, "21569")]


def test_off_duty_positions_are_counted_and_kept_nowhere(served: Served) -> None:
    phone = served.off_duty
    for name, door in DOORS.items():
        answer = _post(served, name, f"/pub/{door}", _good(name), _bearer(phone))
        assert answer.status_code == 200
    assert served.ledger(phone) == (4, 0, 0, 0, 4)
    held = "SELECT count(*) FROM radio_reports WHERE device_id = %s"
    assert (served.fixes(phone), served.rows.one(held, phone.device_id)) == (0, 0)


def test_sizes_and_compression_are_limited_as_for_owntracks(served: Served) -> None:
    phone = next(served.phones)
    huge = b'{"locations":[' + b" " * 1_100_000 + b"]}"
    assert _post(served, "overland", "/pub/overland", huge, _bearer(phone)).status_code == 413
    packed = _bearer(phone) | {"Content-Encoding": "gzip"}
    assert _post(served, "overland", "/pub/overland", b"\x1f\x8b", packed).status_code == 415
    assert served.client().put("/pub/overland", headers=_bearer(phone)).status_code == 405


def test_503_while_nothing_can_be_stored_and_200_afterwards(served: Served, stack: Stack) -> None:
    phone = next(served.phones)
    with stack.postgres.connect("postgres") as connection:
        refuse = f"ALTER DATABASE {served.urls.name} ALLOW_CONNECTIONS "
        connection.execute((refuse + "false").encode())
        connection.execute(
            b"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s",
            [served.urls.name],
        )
        try:
            for name, door in DOORS.items():
                answer = _post(served, name, f"/pub/{door}", _good(name), _bearer(phone))
                assert answer.status_code == 503
        finally:
            connection.execute((refuse + "true").encode())
    answer = _post(served, "overland", "/pub/overland", _good("overland"), _bearer(phone))
    assert answer.status_code == 200
    assert served.fixes(phone) == 1


def test_no_log_entry_holds_the_secret_of_an_address(
    served: Served, caplog: pytest.LogCaptureFixture
) -> None:
    phone = next(served.phones)
    path = f"/pub/osmand/{phone.username}/{phone.secret}"
    with caplog.at_level(logging.DEBUG):
        served.client().get(f"{path}?{_good('osmand-query').decode()}")
        served.client().get(f"{path}/nowhere")
        served.client().put(path)
    assert not [r for r in caplog.records if phone.secret in r.getMessage()]


def test_the_doors_are_described(served: Served) -> None:
    document = served.client().get("/api/openapi.json").get_json()
    for door in set(DOORS.values()):
        operation = document["paths"][f"/api/{door}"]["post"]
        assert {"200", "401", "413", "415", "503"} <= set(operation["responses"])
        assert operation["security"] == [{"device": []}]


def test_a_batch_of_a_thousand_locations_is_taken(served: Served) -> None:
    phone = next(served.phones)
    feature = message("overland", NOW)["locations"][0]
    features = []
    for no in range(1_000):
        at = (NOW - timedelta(seconds=no + 10)).isoformat()
        features.append(feature | {"properties": {"timestamp": at, "horizontal_accuracy": 9}})
    body = json.dumps({"locations": features}).encode()
    assert _post(served, "overland", "/pub/overland", body, _bearer(phone)).status_code == 200
    assert served.fixes(phone) == 1_000
