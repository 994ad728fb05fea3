"""Every spoilt form of the shared messages through the doors: 200, a reason, nothing stored."""

from base64 import b64encode
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask

from fixtures.stack import DatabaseUrls, Stack
from server.http.context import EXTENSION
from server.http.extensions import db
from server.main.app import create_app
from server.settings import Settings
from tests.factories.consumer import Rows
from tests.factories.crew import Phone, enlist
from tests.factories.vectors import FOLDER, malformed, vectors

AT = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=2)
FOUND = list(vectors(AT)) if FOLDER.is_dir() else []
# Network Survey speaks MQTT only; its spoilt records go through a broker in tests/ingest.
DOORS = {
    "osmand-query": "/pub/osmand",
    "osmand-json": "/pub/osmand",
    "overland": "/pub/overland",
    "geosubmit": "/pub/geosubmit",
    "owntracks": "/pub",
}
_FORM = "application/x-www-form-urlencoded"
pytestmark = [
    pytest.mark.data,
    pytest.mark.skipif(not FOUND, reason="no shared vectors beside this checkout"),
]


@pytest.fixture(scope="module")
def app(stack: Stack, module_database: DatabaseUrls) -> Iterator[Flask]:
    made = create_app(Settings.from_environ(stack.settings_env(module_database)))
    yield made
    with made.app_context():
        db.engine.dispose()
    made.extensions[EXTENSION].redis.close()
    if "outpost-http-door" in made.extensions:
        made.extensions["outpost-http-door"].close()


@pytest.fixture(scope="module")
def phones(module_database: DatabaseUrls) -> dict[str, Phone]:
    return dict(zip(DOORS, enlist(module_database, len(DOORS)), strict=True))


@pytest.mark.parametrize("kind", DOORS)
def test_none_blocks_none_is_stored_and_each_has_a_reason(
    app: Flask, module_database: DatabaseUrls, phones: dict[str, Phone], kind: str
) -> None:
    phone = phones[kind]
    rows, client = Rows(module_database), app.test_client()
    pair = b64encode(f"{phone.username}:{phone.secret}".encode()).decode()
    headers = {"Authorization": f"Basic {pair}"}
    content_type = _FORM if kind == "osmand-query" else "application/json"

    def send(payload: bytes) -> int:
        answer = client.post(DOORS[kind], data=payload, headers=headers, content_type=content_type)
        return answer.status_code

    mine = [vector for vector in FOUND if vector.kind == kind]
    cases = [case for vector in mine for case in malformed(vector)]
    assert len(cases) >= 80
    assert [case.name for case in cases if send(case.payload) != 200] == []
    kept = rows.all("SELECT reason FROM quarantine WHERE device_id = %s", phone.device_id)
    assert {reason for (reason,) in kept} <= {r for case in cases for r in case.reasons}
    stored = "SELECT count(*) FROM fixes WHERE device_id = %s"
    assert rows.one(stored, phone.device_id) == 0
    counts = "SELECT received, quarantined + duplicate FROM ingest_ledger WHERE device_id = %s"
    assert rows.all(counts, phone.device_id) == [(len(cases), len(cases))]
    assert [vector.name for vector in mine if send(vector.encoded()) != 200] == []
    assert rows.one(stored, phone.device_id) == len(mine)
