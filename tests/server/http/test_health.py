"""Liveness, readiness and counts."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from flask import Flask
from sqlalchemy import Engine, text

from fixtures.stack import DatabaseUrls
from fixtures.stack.ports import free_port
from server.db.engine import make_engine
from server.http.health import code_revision
from server.main.app import create_app, create_stream_app
from server.settings import Settings
from tests.factories.world import World
from tests.server.conftest import dispose
from tests.server.http.conftest import BASE


@pytest.fixture
def owner(module_database: DatabaseUrls) -> Iterator[Engine]:
    engine = make_engine(module_database.superuser, pool_size=1)
    yield engine
    engine.dispose()


def ready(app: Flask) -> tuple[int, str]:
    answer = app.test_client().get("/readyz", base_url=BASE)
    return answer.status_code, answer.text


def test_a_whole_system_is_ready(app: Flask, owner: Engine) -> None:
    count = text("SELECT count(*) FROM security_events WHERE kind = 'write_probe'")
    assert ready(app) == (200, "ready\n")
    with owner.connect() as connection:
        assert connection.scalar(count) == 0


def test_the_stream_process_has_the_same_checks(settings: Settings, world: World) -> None:
    made = create_stream_app(settings, clock=world.clock)
    assert ready(made) == (200, "ready\n")
    assert made.test_client().get("/livez", base_url=BASE).text == "ok\n"
    missing = made.test_client().get("/nothing", base_url=BASE)
    assert (missing.status_code, missing.mimetype) == (404, "text/plain")
    dispose(made)


def test_another_schema_is_unready(app: Flask, owner: Engine) -> None:
    with owner.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '0000'"))
    try:
        assert ready(app) == (503, "unready\n")
    finally:
        with owner.begin() as connection:
            connection.execute(
                text("UPDATE alembic_version SET version_num = :head"), {"head": code_revision()}
            )
    assert ready(app) == (200, "ready\n")


def test_a_database_that_refuses_writes_is_unready(app: Flask, owner: Engine) -> None:
    with owner.begin() as connection:
        connection.execute(text("REVOKE INSERT ON security_events FROM outpost_app"))
    try:
        assert ready(app) == (503, "unready\n")
    finally:
        with owner.begin() as connection:
            connection.execute(text("GRANT INSERT ON security_events TO outpost_app"))


@pytest.mark.parametrize(("age_s", "status"), [(5, 200), (300, 503)])
def test_silent_ingest_is_unready(app: Flask, owner: Engine, age_s: int, status: int) -> None:
    with owner.begin() as connection:
        connection.execute(text("DELETE FROM ingest_heartbeat"))
        connection.execute(
            text(
                "INSERT INTO ingest_heartbeat (id, beat_at, lag_s, waiting) "
                "VALUES (1, now() - make_interval(secs => :age), 0.1, 0)"
            ),
            {"age": age_s},
        )
    assert ready(app)[0] == status
    with owner.begin() as connection:
        connection.execute(text("DELETE FROM ingest_heartbeat"))


@pytest.mark.parametrize(("age_s", "status"), [(5, 200), (300, 503)])
def test_an_engine_that_stopped_is_unready(
    app: Flask, owner: Engine, age_s: int, status: int
) -> None:
    with owner.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO engine_heartbeat (id, beat_at)"
                " VALUES (1, now() - make_interval(secs => :age))"
            ),
            {"age": age_s},
        )
    assert ready(app)[0] == status
    with owner.begin() as connection:
        connection.execute(text("DELETE FROM engine_heartbeat"))


def test_without_redis_it_is_unready(settings: Settings, world: World) -> None:
    made = create_app(
        replace(settings, redis_url=f"redis://127.0.0.1:{free_port(None)}/0"), clock=world.clock
    )
    assert ready(made) == (503, "unready\n")
    dispose(made)


def test_counts_are_for_the_machine_itself(app: Flask) -> None:
    client = app.test_client()
    client.get("/login", base_url=BASE)
    client.get("/no-such-address", base_url=BASE)
    client.get("/livez", base_url=BASE)
    shown = client.get("/metrics", base_url=BASE).text.splitlines()
    assert "outpost_web_responses_2xx 1" in shown
    assert "outpost_web_responses_4xx 1" in shown
    outside = {"REMOTE_ADDR": "203.0.113.9"}
    assert client.get("/metrics", base_url=BASE, environ_base=outside).status_code == 404
    proxied = {"X-Forwarded-For": "203.0.113.9"}
    assert client.get("/metrics", base_url=BASE, headers=proxied).status_code == 404


def test_metrics_say_what_ingest_did_today_over_all_tenants(
    app: Flask, owner: Engine, world: World
) -> None:
    entry = text(
        "INSERT INTO ingest_ledger (tenant_id, device_id, received_on, received, stored,"
        " duplicate, off_duty) VALUES (:tenant, :device,"
        " (now() AT TIME ZONE 'UTC')::date - :ago, 10000000, 5000000, 3000000, 2000000)"
    )
    with owner.begin() as connection:
        for tenant, ago in ((world.alpha, 0), (world.beta, 0), (world.alpha, 1)):
            device = tenant.devices["employee"].device_id
            connection.execute(entry, {"tenant": tenant.id, "device": device, "ago": ago})
        connection.execute(
            text(
                "INSERT INTO ingest_heartbeat (id, beat_at, lag_s, waiting)"
                " VALUES (1, now() - interval '7 s', 0.25, 3)"
            )
        )
    lines = app.test_client().get("/metrics", base_url=BASE).text.splitlines()
    figures = dict(line.split() for line in lines if line.startswith("outpost_ingest_"))
    assert figures["outpost_ingest_today_received"] == "20000000"
    assert figures["outpost_ingest_today_stored"] == "10000000"
    assert figures["outpost_ingest_today_duplicate"] == "6000000"
    assert figures["outpost_ingest_today_off_duty"] == "4000000"
    assert figures["outpost_ingest_today_quarantined"] == "0"
    assert figures["outpost_ingest_waiting"] == "3"
    assert 7 <= float(figures["outpost_ingest_last_commit_age_seconds"]) < 60
    with owner.begin() as connection:
        connection.execute(text("DELETE FROM ingest_heartbeat"))
        connection.execute(text("DELETE FROM ingest_ledger"))
