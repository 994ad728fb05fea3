"""Weekly partitions: made ahead, filled from the default, dropped when past retention."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Connection, Engine, text

from fixtures.stack import DatabaseUrls
from server.clock import ManualClock
from server.db.engine import make_engine
from server.tracking.partitions import UpkeepReport, Week, look_after_partitions

NOW = datetime(2026, 11, 18, 2, 0, tzinfo=UTC)
_INSERT = text(
    "INSERT INTO fixes (tenant_id, device_id, fixed_at, msg_key, employee_id, received_at, "
    "position, source, via, raw) VALUES (1, gen_random_uuid(), :at, 1, gen_random_uuid(), :at, "
    "ST_SetSRID(ST_MakePoint(24.9, 60.2), 4326), 'gps', 'mqtt', '')"
)


@pytest.fixture
def owner(database: DatabaseUrls) -> Iterator[Engine]:
    engine = make_engine(database.owner, pool_size=1)
    yield engine
    engine.dispose()


def run(owner: Engine, at: datetime) -> UpkeepReport:
    with owner.begin() as connection:
        return look_after_partitions(connection, ManualClock(at))


def places(connection: Connection) -> dict[datetime, str]:
    rows = connection.execute(text("SELECT fixed_at, tableoid::regclass::text FROM fixes"))
    return {row[0]: row[1] for row in rows}


def test_weeks_are_iso_weeks_in_utc() -> None:
    def table(year: int, month: int, day: int) -> str:
        midnight = datetime(year, month, day, tzinfo=UTC)
        assert Week.of(midnight + timedelta(hours=23, minutes=59)) == Week.of(midnight)
        return Week.of(midnight).table_of("fixes")

    assert table(2026, 11, 16) == "fixes_y2026_w47"
    assert table(2026, 11, 15) == "fixes_y2026_w46"
    # The first days of 2027 belong to the last week of 2026.
    assert table(2027, 1, 3) == "fixes_y2026_w53"
    assert table(2027, 1, 4) == "fixes_y2027_w01"


def test_the_first_run_makes_every_week_within_retention_and_fourteen_ahead(owner: Engine) -> None:
    done = run(owner, NOW)
    assert "fixes_y2026_w47" in done.created
    assert Week.of(NOW).moved(14).table_of("fixes") in done.created
    # 30 days before is in week 43; week 42 would be dropped at once.
    assert "fixes_y2026_w43" in done.created
    assert "fixes_y2026_w42" not in done.created
    weeks = {name.removeprefix("fixes") for name in done.created if name.startswith("fixes")}
    assert {f"radio_reports{week}" for week in weeks} <= set(done.created)
    assert run(owner, NOW) == UpkeepReport((), 0, (), 0)


def test_strays_move_from_the_default_partition_into_their_week(owner: Engine) -> None:
    edges = [
        datetime(2026, 11, 16, tzinfo=UTC),
        datetime(2026, 11, 22, 23, 59, 59, 999999, tzinfo=UTC),
        datetime(2026, 11, 23, tzinfo=UTC),
    ]
    far = NOW + timedelta(weeks=60)
    with owner.begin() as connection:
        for at in (*edges, far):
            connection.execute(_INSERT, {"at": at})
        assert set(places(connection).values()) == {"fixes_default"}
    assert run(owner, NOW).moved_rows == 3
    with owner.begin() as connection:
        assert places(connection) == {
            edges[0]: "fixes_y2026_w47",
            edges[1]: "fixes_y2026_w47",
            edges[2]: "fixes_y2026_w48",
            far: "fixes_default",
        }


def test_radio_reports_move_and_go_with_their_weeks(owner: Engine) -> None:
    insert = text(
        "INSERT INTO radio_reports (tenant_id, device_id, fixed_at, msg_key, employee_id,"
        " received_at, cells, wifi, has_fix, via) VALUES (1, gen_random_uuid(), :at, 1,"
        " gen_random_uuid(), :at, '[]', '[]', false, 'http')"
    )
    where = text("SELECT fixed_at, tableoid::regclass::text FROM radio_reports")
    with owner.begin() as connection:
        for at in (NOW, NOW - timedelta(days=31)):
            connection.execute(insert, {"at": at})
    assert run(owner, NOW).moved_rows == 1
    with owner.begin() as connection:
        assert connection.execute(where).all() == [(NOW, "radio_reports_y2026_w47")]
    run(owner, datetime(2026, 12, 23, tzinfo=UTC))
    with owner.begin() as connection:
        assert connection.execute(where).all() == []


def test_raw_fixes_live_thirty_days_and_not_a_day_less(owner: Engine) -> None:
    run(owner, NOW)
    with owner.begin() as connection:
        connection.execute(_INSERT, {"at": NOW})
    # Its week ends on Monday 23 November; thirty days later the whole week is past.
    kept = run(owner, datetime(2026, 12, 22, 23, 59, tzinfo=UTC))
    assert "fixes_y2026_w47" not in kept.dropped
    dropped = run(owner, datetime(2026, 12, 23, tzinfo=UTC))
    assert dropped.dropped == ("fixes_y2026_w47", "radio_reports_y2026_w47")
    with owner.begin() as connection:
        assert places(connection) == {}


def test_old_strays_and_old_quarantine_are_deleted(owner: Engine) -> None:
    insert = text(
        "INSERT INTO quarantine (tenant_id, id, username, topic, received_at, reason, detail, "
        "msg_key, size, via) VALUES (0, gen_random_uuid(), 'u', 't', :at, :at::text, '', 1, 0, "
        "'mqtt')".replace(":at::text", "CAST(:at AS timestamptz)::text")
    )
    old, young = NOW - timedelta(days=31), NOW - timedelta(days=29)
    with owner.begin() as connection:
        for at in (old, young):
            connection.execute(_INSERT, {"at": at})
            connection.execute(insert, {"at": at})
    assert run(owner, NOW).quarantine_deleted == 1
    with owner.begin() as connection:
        assert list(places(connection)) == [young]
        assert connection.scalars(text("SELECT received_at FROM quarantine")).all() == [young]


def test_partitions_are_reached_through_the_parent_only(
    owner: Engine, database: DatabaseUrls
) -> None:
    run(owner, NOW)
    with owner.begin() as connection:
        granted = connection.execute(
            text(
                "SELECT table_name, grantee FROM information_schema.role_table_grants "
                "WHERE table_name LIKE 'fixes\\_%' AND grantee <> 'outpost_owner'"
            )
        ).all()
    assert granted == []
    ingest = make_engine(database.ingest, pool_size=1)
    with ingest.begin() as connection:
        connection.execute(_INSERT, {"at": NOW})
    ingest.dispose()
    with owner.begin() as connection:
        assert places(connection) == {NOW: "fixes_y2026_w47"}
