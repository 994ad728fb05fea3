"""Commands on tables of radio cells."""

import getpass
import io
import json
import sys
from pathlib import Path

import click

from geo.crs import Datum
from server.cells import queries
from server.cells.services import Progress, import_cells
from server.clock import SystemClock
from server.db.session import unit_of_work
from server.errors import InvalidInput
from server.main.database import connect

_SHOW_EVERY = 500_000


@click.group()
def cells() -> None:
    """Look after tables of radio cells; they serve every organisation."""


@cells.command("import")
@click.argument("file", metavar="FILE")
@click.option("--source", help="Name of the table it updates [default: the name of FILE].")
@click.option(
    "--datum", type=click.Choice([d.value for d in Datum]), default=Datum.WGS84.value,
    show_default=True, help="Datum of the positions in FILE; they are stored in WGS-84.",
)  # fmt: skip
@click.option("--replace", is_flag=True, help="Forget cells of the source that FILE lacks.")
@click.option("--by", help="Who imports it, for the list of tables [default: the system's user].")
@click.option("--json", "as_json", is_flag=True, help="Print the outcome as one JSON object.")
def cells_import(
    file: str, *, source: str | None, datum: str, replace: bool, by: str | None, as_json: bool
) -> None:
    """Import a cell file of OpenCelliD or MLS (.csv, .csv.gz; - reads standard input).

    All or nothing: lookups go on with what was there until the import is complete.
    """
    name = source or (Path(file).name.removesuffix(".gz").removesuffix(".csv"))
    factory, _settings = connect("owner")
    shown = _Shown()
    with _opened(file) as stream, unit_of_work(factory, tenant_id=None) as session:
        done = import_cells(
            session,
            SystemClock(),
            stream,
            source=name,
            file_name=Path(file).name,
            datum=Datum(datum),
            replace=replace,
            imported_by=by or _user(),
            progress=shown,
        )
    if as_json:
        answer = {"source": done.source, "rows": done.rows, "cells": done.cells}
        click.echo(json.dumps({**answer, "areas": done.areas, "rejected": done.rejected}))
        return
    click.echo(
        f"{done.source}: {done.rows} rows imported; {done.cells} cells in {done.areas} areas"
    )
    for reason, count in done.rejected.items():
        click.echo(f"left out: {count} ({reason})")


@cells.command("list")
def cells_list() -> None:
    """List the imported tables, one line each, tab-separated."""
    factory, _settings = connect("app")
    with unit_of_work(factory, tenant_id=None) as session:
        for row in queries.list_sources(session):
            left_out = sum(row.rejected.values())
            at = f"{row.imported_at:%Y-%m-%dT%H:%MZ}"
            fields = (row.name, row.cells, row.areas, left_out, row.datum, at, row.file)
            click.echo("\t".join(map(str, fields)))


def _user() -> str | None:
    """Return the name of the system's user; in a container it may have none."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return None


class _Shown:
    """Says on standard error how far an import is, now and then."""

    def __init__(self) -> None:
        self._next = _SHOW_EVERY

    def __call__(self, progress: Progress) -> None:
        if progress.rows >= self._next:
            self._next = progress.rows + _SHOW_EVERY
            megabytes = progress.bytes_read // 1_000_000
            click.echo(f"{progress.rows} rows, {megabytes} MB read", err=True)


def _opened(file: str) -> io.BufferedReader:
    if file == "-":
        assert isinstance(sys.stdin.buffer, io.BufferedReader)
        return sys.stdin.buffer
    try:
        return Path(file).open("rb")
    except OSError as error:
        raise InvalidInput("cannot_open", f"{file}: {error.strerror or error}") from None
