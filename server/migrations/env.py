"""Alembic environment: one transaction a revision, short locks, PostGIS-aware comparison."""

import os

from alembic import context
from geoalchemy2 import alembic_helpers
from sqlalchemy import create_engine, pool, text
from sqlalchemy.schema import SchemaItem

from server.migrations.registry import Base

# Weekly partitions come and go with time, those of cells with each import; they are upkeep's
# and the importer's, not the schema's.
_PARTITION_PREFIXES = ("fixes_", "radio_reports_", "cells_p")


def _include_object(
    obj: SchemaItem,
    name: str | None,
    kind: str,
    reflected: bool,  # noqa: FBT001  (Alembic passes it by position)
    compare: SchemaItem | None,
) -> bool:
    if kind == "table" and name is not None and name.startswith(_PARTITION_PREFIXES):
        return False
    return bool(alembic_helpers.include_object(obj, name, kind, reflected, compare))  # type: ignore[no-untyped-call]


def _run() -> None:
    engine = create_engine(os.environ["OUTPOST_OWNER_DATABASE_URL"], poolclass=pool.NullPool)
    with engine.connect() as connection:
        # A migration that cannot get its lock gives up instead of stopping ingest behind it.
        connection.execute(text("SET lock_timeout = '2s'"))
        connection.execute(text("SET timezone = 'UTC'"))
        connection.commit()
        context.configure(
            connection=connection,
            target_metadata=Base.metadata,
            include_object=_include_object,
            process_revision_directives=alembic_helpers.writer,
            render_item=alembic_helpers.render_item,
            transaction_per_migration=True,
            compare_type=True,
        )
        with context.begin_transaction():
            context.run_migrations()


_run()
