"""Commands that bring files in and take the same kinds out."""

import sys
from collections import Counter
from contextlib import AbstractContextManager
from datetime import date, timedelta
from pathlib import Path
from uuid import UUID

import click
from sqlalchemy.orm import Session, sessionmaker

from geo.crs import Datum
from server.clock import SystemClock
from server.db.session import unit_of_work
from server.errors import InvalidInput
from server.imports.bearer import Bearer, Transactions
from server.imports.encodings import ENCODINGS
from server.imports.exports import export_rows
from server.imports.kinds import FileFormat, Kind, Outcome, State
from server.imports.opening import FORMATS
from server.imports.planning import Options
from server.imports.queries import ImportView, RowView, get_import, import_rows
from server.imports.services import apply_import, check_import, discard_import, receive_file
from server.imports.table import MAX_BYTES
from server.imports.writing import write_file
from server.main.database import connected, tenant_of
from server.people.policy import local_date
from server.people.queries import TenantView, tenants

_CLOCK = SystemClock()
_KINDS = click.Choice([kind.value for kind in Kind])
_SHOWN = 50
_TENANT_HELP = "Organisation; may be left out when there is only one."


@click.command("import")
@click.argument("kind", type=_KINDS)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--tenant", "slug", metavar="SLUG", help=_TENANT_HELP)
@click.option("--apply", "applies", is_flag=True, help="Write it; otherwise only look.")
@click.option(
    "--datum",
    type=click.Choice([datum.value for datum in Datum]),
    default=Datum.WGS84.value,
    show_default=True,
    help="Datum of the file's coordinates, degrees.",
)
@click.option(
    "--axes",
    type=click.Choice(["ask", "swap", "keep"]),
    default="ask",
    show_default=True,
    help="What to do when longitude and latitude look swapped.",
)
@click.option("--encoding", type=click.Choice(ENCODINGS), help="Found out when left out.")
@click.option("--replace", is_flag=True, help="A roster replaces shifts that have not begun.")
def import_file(
    kind: str,
    file: Path,
    *,
    slug: str | None,
    applies: bool,
    datum: str,
    axes: str,
    encoding: str | None,
    replace: bool,
) -> int:
    """Show what FILE would do, and do it with --apply, all of it or none.

    FILE is CSV or XLSX with a header row; posts and sites may be GeoJSON or KML. Exit 2
    when a row is refused or the file cannot be read.
    """
    options = Options(datum=Datum(datum), axes=axes, encoding=encoding, replace=replace)
    with connected("app") as factory:
        return _import(factory, slug, Kind(kind), file, options, applies=applies)


@click.command("export")
@click.argument("kind", type=_KINDS)
@click.option("--tenant", "slug", metavar="SLUG", help=_TENANT_HELP)
@click.option(
    "--format",
    "written",
    type=click.Choice([written.value for written in FileFormat]),
    default=FileFormat.CSV.value,
    show_default=True,
)
@click.option("--locale", type=click.Choice(["zh", "en"]), default="zh", show_default=True)
@click.option("--from", "first", metavar="DATE", help="First work date of a roster; today.")
@click.option("--days", default=31, show_default=True, type=click.IntRange(1, 366))
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="A file.")
def export_file(
    kind: str,
    *,
    slug: str | None,
    written: str,
    locale: str,
    first: str | None,
    days: int,
    output: Path | None,
) -> None:
    """Write everything of KIND to standard output or a file.

    Importing what was exported changes nothing. Coordinates are WGS-84 degrees, dates
    local to the tenant.
    """
    wanted, file_format = Kind(kind), FileFormat(written)
    if file_format not in FORMATS[wanted]:
        raise InvalidInput("format_not_for_kind", f"{kind} are not written as {written}")
    with connected("app") as factory:
        tenant = _tenant(factory, slug)
        begin = _date(first) if first else local_date(_CLOCK.now(), tenant.zone)
        with unit_of_work(factory, tenant_id=tenant.id) as session:
            rows = export_rows(
                session,
                _CLOCK,
                bearer=Bearer(tenant_id=tenant.id, zone=tenant.zone),
                kind=wanted,
                locale=locale,
                days=(begin, begin + timedelta(days=days - 1)),
            )
            content = write_file(wanted, file_format, rows, locale=locale)
    if output is None:
        sys.stdout.buffer.write(content)
    else:
        output.write_bytes(content)


def _import(
    factory: sessionmaker[Session],
    slug: str | None,
    kind: Kind,
    file: Path,
    options: Options,
    *,
    applies: bool,
) -> int:
    tenant = _tenant(factory, slug)
    bearer = Bearer(tenant_id=tenant.id, zone=tenant.zone)

    def transactions() -> AbstractContextManager[Session]:
        return unit_of_work(factory, tenant_id=tenant.id)

    with file.open("rb") as opened:
        content = opened.read(MAX_BYTES + 1)
    with transactions() as session:
        import_id = receive_file(
            session,
            _CLOCK,
            bearer=bearer,
            kind=kind,
            file_name=file.name,
            content=content,
            options=options,
        )
    check_import(transactions, _CLOCK, bearer=bearer, import_id=import_id)
    view, rows = _look(transactions, bearer, import_id)
    usable = view.state is State.CHECKED and not view.counts.get(Outcome.REFUSE.value)
    if usable and applies and view.writes:
        apply_import(transactions, _CLOCK, bearer=bearer, import_id=import_id)
    else:
        with transactions() as session:
            discard_import(session, _CLOCK, bearer=bearer, import_id=import_id)
    if view.state is State.REFUSED:
        refusal = view.reading["refusal"]
        raise InvalidInput(refusal["code"], f"{refusal['code']} {refusal['params'] or ''}".strip())
    _tell(view, rows)
    if applies and usable:
        click.echo("applied" if view.writes else "nothing to write")
    return 0 if usable else 2


def _tenant(factory: sessionmaker[Session], slug: str | None) -> TenantView:
    if slug is not None:
        return tenant_of(factory, slug)
    with unit_of_work(factory, tenant_id=None) as session:
        known = tenants(session)
    if len(known) != 1:
        raise InvalidInput(
            "tenant_missing", f"there are {len(known)} tenants; name one by --tenant"
        )
    return known[0]


def _look(
    transactions: Transactions, bearer: Bearer, import_id: UUID
) -> tuple[ImportView, list[RowView]]:
    with transactions() as session:
        view = get_import(session, tenant_id=bearer.tenant_id, import_id=import_id, account_id=None)
        refused = import_rows(
            session,
            tenant_id=bearer.tenant_id,
            import_id=import_id,
            outcomes=[Outcome.REFUSE],
            limit=1_000_000,
        )
    return view, refused


def _tell(view: ImportView, refused: list[RowView]) -> None:
    counts = Counter(view.counts)
    click.echo(" ".join(f"{outcome.value} {counts[outcome.value]}" for outcome in Outcome))
    told = 0
    for row in refused:
        for problem in row.problems:
            if told < _SHOWN:
                words = " ".join(f"{k}={v}" for k, v in problem["params"].items())
                where = f"row {row.row_no} {problem['column'] or ''}".rstrip()
                click.echo(f"{where}: {problem['code']} {words}".rstrip(), err=True)
            told += 1
    if told > _SHOWN:
        click.echo(f"and {told - _SHOWN} more", err=True)


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise InvalidInput("bad_date", f"{text!r} is no date like 2026-11-18") from None
