"""The wall between tenants, as the database enforces it."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError, ProgrammingError
from sqlalchemy.orm import Session, sessionmaker

from fixtures.stack import DatabaseUrls
from server.db.engine import make_engine
from server.db.session import unit_of_work
from server.migrations.registry import Base
from tests.factories.world import World

WITHOUT_TENANT = {
    "tenants": "the list of tenants itself; sign-in needs it before a wall is known",
    "alembic_version": "the schema's version",
    "spatial_ref_sys": "of PostGIS",
    "cell_areas": "of public cell tables",
    "cell_sources": "of public cell tables",
    "cells": "public cell tables, the same for everybody",
    "engine_heartbeat": "one row about the engine's workers, nothing of any tenant",
    "ingest_heartbeat": "one row about the ingest process, nothing of any tenant",
}


@pytest.fixture(scope="module")
def superuser(module_database: DatabaseUrls) -> Iterator[Connection]:
    engine = make_engine(module_database.superuser, pool_size=1)
    with engine.connect() as connection:
        yield connection
    engine.dispose()


def test_every_table_with_a_tenant_is_walled_by_force(superuser: Connection) -> None:
    rows = superuser.execute(
        text(
            "SELECT c.relname, c.relrowsecurity, c.relforcerowsecurity, c.relispartition, "
            "EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid "
            "        AND a.attname = 'tenant_id' AND NOT a.attisdropped) AS has_tenant, "
            "(SELECT count(*) FROM pg_policy p WHERE p.polrelid = c.oid) AS policies "
            "FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
            "WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p')"
        )
    ).all()
    assert len(rows) > 25
    for row in rows:
        if row.relispartition:
            continue
        if not row.has_tenant:
            assert row.relname in WITHOUT_TENANT, row.relname
            continue
        assert row.relrowsecurity and row.relforcerowsecurity, row.relname  # noqa: PT018
        assert row.policies >= 2, row.relname
    names = {row.relname for row in rows}
    assert set(WITHOUT_TENANT) <= names, "an allowed table is gone"


def test_partitions_are_open_to_nobody_but_their_owner(superuser: Connection) -> None:
    granted = superuser.execute(
        text(
            "SELECT c.relname, a.grantee::regrole::text FROM pg_class c, aclexplode(c.relacl) a "
            "WHERE c.relispartition AND a.grantee <> c.relowner"
        )
    ).all()
    assert granted == []


def test_our_roles_cannot_walk_around_the_wall(superuser: Connection) -> None:
    rows = superuser.execute(
        text(
            "SELECT rolname, rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb "
            "FROM pg_roles WHERE rolname LIKE 'outpost\\_%'"
        )
    ).all()
    assert len(rows) == 4
    assert not any(mighty for _name, mighty in rows)


def test_no_view_or_function_runs_with_its_makers_rights(superuser: Connection) -> None:
    found = superuser.execute(
        text(
            "SELECT p.proname FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace "
            "LEFT JOIN pg_depend d ON d.objid = p.oid AND d.deptype = 'e' "
            "WHERE n.nspname = 'public' AND p.prosecdef AND d.objid IS NULL "
            "UNION ALL SELECT c.relname FROM pg_class c "
            "JOIN pg_namespace n ON n.oid = c.relnamespace "
            "LEFT JOIN pg_depend d ON d.objid = c.oid AND d.deptype = 'e' "
            "WHERE n.nspname = 'public' AND c.relkind IN ('v', 'm') AND d.objid IS NULL"
        )
    ).all()
    assert found == []


def test_the_box_test_of_postgis_is_leakproof(superuser: Connection) -> None:
    flags = superuser.execute(
        text(
            "SELECT proname, proleakproof FROM pg_proc "
            "WHERE proname IN ('geometry_overlaps', 'geography_overlaps')"
        )
    ).all()
    assert len(flags) >= 2
    assert all(leakproof for _name, leakproof in flags)


@pytest.mark.usefixtures("world")
def test_without_a_tenant_there_are_no_rows(app_sessions: sessionmaker[Session]) -> None:
    with unit_of_work(app_sessions, tenant_id=None) as session:
        for table in _walled_tables_the_app_reads(session):
            assert session.scalar(text(f"SELECT count(*) FROM {table}")) == 0, table


def test_raw_sql_inside_one_tenant_returns_nothing_of_another(
    world: World, app_sessions: sessionmaker[Session]
) -> None:
    with unit_of_work(app_sessions, tenant_id=world.beta.id) as session:
        seen = 0
        for table in _walled_tables_the_app_reads(session):
            rows = session.execute(text(f"SELECT tenant_id, t::text FROM {table} t")).all()
            seen += len(rows)
            assert {row[0] for row in rows} <= {world.beta.id}, table
            everything = " ".join(row[1] for row in rows)
            assert "ALPHA-" not in everything, table
        assert seen > 100


def test_writing_into_another_tenant_is_refused(
    world: World, app_sessions: sessionmaker[Session]
) -> None:
    insert = text(
        "INSERT INTO employees (tenant_id, id, number, name, hired_on) "
        "VALUES (:tenant, gen_random_uuid(), 'X1', 'X', '2026-01-01')"
    )
    with (
        pytest.raises(ProgrammingError, match="row-level security"),
        unit_of_work(app_sessions, tenant_id=world.beta.id) as session,
    ):
        session.execute(insert, {"tenant": world.alpha.id})
    with unit_of_work(app_sessions, tenant_id=world.beta.id) as session:
        moved = session.execute(text("UPDATE employees SET name = 'stolen' WHERE number = 'E001'"))
        assert getattr(moved, "rowcount", None) == 1
    with unit_of_work(app_sessions, tenant_id=world.alpha.id) as session:
        names = session.scalars(text("SELECT name FROM employees WHERE number = 'E001'")).all()
    assert names != ["stolen"]


def test_a_reused_connection_forgets_the_tenant_before_it(
    world: World, module_database: DatabaseUrls
) -> None:
    engine = make_engine(module_database.app, pool_size=1)
    factory = sessionmaker(engine)
    backend = text("SELECT pg_backend_pid()")
    count = text("SELECT count(*), min(tenant_id), max(tenant_id) FROM employees")
    pids = set()
    people = len(world.beta.people)

    def fail() -> None:
        with unit_of_work(factory, tenant_id=world.alpha.id) as one:
            pids.add(one.scalar(backend))
            one.execute(text("SELECT 1/0"))

    try:
        for _ in range(100):
            with pytest.raises(DBAPIError):
                fail()
            with unit_of_work(factory, tenant_id=None) as none:
                assert none.execute(count).one() == (0, None, None)
            with unit_of_work(factory, tenant_id=world.beta.id) as two:
                pids.add(two.scalar(backend))
                assert two.execute(count).one() == (people, world.beta.id, world.beta.id)
            with unit_of_work(factory, tenant_id=None) as none:
                assert none.execute(count).one() == (0, None, None)
        assert len(pids) == 1, "the test must run on one connection"
    finally:
        engine.dispose()


def test_a_transaction_is_all_or_nothing(
    world: World, app_sessions: sessionmaker[Session], superuser: Connection
) -> None:
    insert = text(
        "INSERT INTO shifts (tenant_id, id, name, starts, ends) "
        "VALUES (:tenant, gen_random_uuid(), 'half made', '09:00', '17:00')"
    )

    def write_twice() -> None:
        with unit_of_work(app_sessions, tenant_id=world.alpha.id) as session:
            session.execute(insert, {"tenant": world.alpha.id})
            session.execute(insert, {"tenant": world.alpha.id})

    with pytest.raises(DBAPIError):
        write_twice()
    found = superuser.scalar(text("SELECT count(*) FROM shifts WHERE name = 'half made'"))
    superuser.rollback()
    assert found == 0


def test_services_read_all_tenants_and_hold_no_other_rights(
    module_database: DatabaseUrls, world: World
) -> None:
    engine: Engine = make_engine(module_database.ingest, pool_size=1)
    try:
        with engine.connect() as connection:
            owners = connection.scalars(text("SELECT DISTINCT tenant_id FROM devices")).all()
            assert set(owners) == {world.alpha.id, world.beta.id}
        for table in ("accounts", "sessions", "findings", "access_log"):
            with (
                engine.connect() as connection,
                pytest.raises(ProgrammingError, match="permission denied"),
            ):
                connection.execute(text(f"SELECT 1 FROM {table}"))
    finally:
        engine.dispose()


def _walled_tables_the_app_reads(session: Session) -> list[str]:
    readable = session.scalars(
        text(
            "SELECT table_name FROM information_schema.role_table_grants "
            "WHERE grantee = 'outpost_app' AND privilege_type = 'SELECT'"
        )
    ).all()
    walled = {t.name for t in Base.metadata.tables.values() if "tenant_id" in t.columns}
    found = sorted(walled & set(readable))
    assert len(found) > 20
    return found
