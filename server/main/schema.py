"""Commands on the schema: migrations and the upkeep of partitions."""

import os
from importlib.resources import as_file, files

import click
from alembic import command
from alembic.config import Config
from sqlalchemy import text

from server.clock import SystemClock
from server.db.engine import make_engine, make_session_factory
from server.db.session import unit_of_work
from server.imports.services import forget_undecided
from server.people.services import cut_off_leavers, forget_expired
from server.settings import Settings
from server.tracking import services
from server.tracking.datum_check import check_datums
from server.tracking.learning import learn_from_reports
from server.tracking.partitions import look_after_partitions
from server.tracking.retention import forget_past_retention


@click.command()
def migrate() -> None:
    """Bring the database to the schema of this version, then look after partitions."""
    url = Settings.from_environ(os.environ, role="owner").database_url
    os.environ["OUTPOST_OWNER_DATABASE_URL"] = url
    with as_file(files("server") / "migrations") as scripts:
        config = Config()
        config.set_main_option("script_location", str(scripts))
        command.upgrade(config, "head")
    _look_after(url)
    click.echo("the database is up to date")


@click.command()
@click.option(
    "--rebuild-last-positions",
    is_flag=True,
    help="Also make the table of last positions again, from the fixes of a week.",
)
def upkeep(*, rebuild_last_positions: bool) -> None:
    """Make coming partitions, move strays into them, drop what is past retention.

    Run it once a day; running it twice changes nothing.
    """
    url = Settings.from_environ(os.environ, role="owner").database_url
    _look_after(url)
    _learn(url)
    if rebuild_last_positions:
        engine = make_engine(url, pool_size=1, statement_timeout_s=600, application_name="upkeep")
        with unit_of_work(make_session_factory(engine), tenant_id=None) as session:
            count = services.rebuild_last_positions(session, SystemClock())
        engine.dispose()
        click.echo(f"{count} people have a last position")


def _learn(url: str) -> None:
    """Conclude from the last weeks what no single message tells."""
    engine = make_engine(url, pool_size=1, statement_timeout_s=600, application_name="upkeep")
    sessions = make_session_factory(engine)
    with unit_of_work(sessions, tenant_id=None) as session:
        cells = learn_from_reports(session, SystemClock())
    with unit_of_work(sessions, tenant_id=None) as session:
        offset = check_datums(session, SystemClock())
    engine.dispose()
    click.echo(
        f"cells: {cells.learned} learned, {cells.forgotten} forgotten, {cells.undecided} not "
        f"decidable yet; {offset} phones whose sources lie apart by a constant offset"
    )


def _look_after(url: str) -> None:
    engine = make_engine(url, pool_size=1, statement_timeout_s=600, application_name="upkeep")
    with engine.begin() as connection:
        connection.execute(text("SET LOCAL lock_timeout = '10s'"))
        done = look_after_partitions(connection, SystemClock())
        gone = forget_past_retention(connection, SystemClock())
    with unit_of_work(make_session_factory(engine), tenant_id=None) as session:
        forgotten = forget_expired(session, SystemClock())
        cut_off = cut_off_leavers(session, SystemClock())
        undecided = forget_undecided(session, SystemClock())
    engine.dispose()
    click.echo(
        f"partitions: {len(done.created)} made, {len(done.dropped)} dropped, "
        f"{done.moved_rows} fixes moved; {done.quarantine_deleted} quarantined messages and "
        f"{forgotten} ended sessions deleted; {gone.device_events} device events, "
        f"{gone.last_positions} last positions and places of {gone.days_stripped} days deleted; "
        f"{gone.days} days, {gone.intervals} intervals and {gone.findings} findings deleted; "
        f"{cut_off} phones and accounts of leavers cut off; "
        f"{undecided} imports nobody decided on thrown away"
    )
