"""Commands on tenants, accounts and devices."""

import json
import sys
from datetime import UTC, datetime
from typing import BinaryIO
from uuid import UUID

import click

from geo.crs import Datum
from geo.fix import Source
from server.clock import SystemClock
from server.crypto import Vault
from server.db.session import unit_of_work
from server.errors import InvalidInput
from server.main.database import connect, tenant_of
from server.people import queries, services
from server.people.datums import set_datum
from server.people.enrolment import MAX_BYTES, enrol_phones, plan_phones, read_sheet
from server.people.owntracks import BrokerAddress
from server.people.policy import local_date
from server.people.rules import DeviceKind, Role
from server.people.sessions import split_sign_in_name
from server.settings import Settings

_CLOCK = SystemClock()


@click.group()
def tenant() -> None:
    """Look after customer organisations."""


@tenant.command("add")
@click.argument("slug")
@click.option("--name", required=True, help="Name as shown on screen.")
@click.option("--zone", default="Asia/Shanghai", show_default=True, help="IANA time zone.")
@click.option("--locale", type=click.Choice(["zh", "en"]), default="zh", show_default=True)
def tenant_add(slug: str, name: str, zone: str, locale: str) -> None:
    """Add the organisation SLUG (2 to 31 of a-z, 0-9, hyphen)."""
    factory, _settings = connect("owner")
    with unit_of_work(factory, tenant_id=None) as session:
        made = services.create_tenant(
            session, _CLOCK, slug=slug, name=name, zone=zone, locale=locale
        )
    click.echo(f"tenant {made.slug} added; its accounts sign in as NAME@{made.slug}")


@click.group()
def account() -> None:
    """Look after accounts of people who sign in."""


@account.command("add")
@click.argument("sign_in_name", metavar="LOGIN@TENANT")
@click.option("--name", required=True, help="Name as shown to others.")
@click.option("--number", help="Staff number of the account's own employee record.")
@click.option(
    "--role",
    "roles",
    multiple=True,
    type=click.Choice([role.value for role in Role]),
    help="Role on the whole organisation; may be repeated.",
)
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
def account_add(
    sign_in_name: str,
    name: str,
    number: str | None,
    roles: tuple[str, ...],
    *,
    password_stdin: bool,
) -> None:
    """Add an account; asks for its password."""
    login, slug = _split(sign_in_name)
    factory, _settings = connect("app")
    password = _password(from_stdin=password_stdin)
    tenant_id = tenant_of(factory, slug).id
    with unit_of_work(factory, tenant_id=tenant_id) as session:
        person = (
            queries.employee_by_number(session, tenant_id=tenant_id, number=number)
            if number
            else None
        )
        made = services.create_account(
            session,
            _CLOCK,
            tenant_id=tenant_id,
            login=login,
            name=name,
            password=password,
            employee_id=person,
        )
        top = services.top_unit(session, tenant_id=tenant_id)
        for role in roles:
            services.grant_role(
                session,
                _CLOCK,
                tenant_id=tenant_id,
                account_id=made.id,
                role=Role(role),
                unit_id=top.id,
            )
    click.echo(f"account {login}@{slug} added")


@account.command("password")
@click.argument("sign_in_name", metavar="LOGIN@TENANT")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
def account_password(sign_in_name: str, *, password_stdin: bool) -> None:
    """Set an account's password and end its sessions."""
    login, slug = _split(sign_in_name)
    factory, _settings = connect("app")
    password = _password(from_stdin=password_stdin)
    tenant_id = tenant_of(factory, slug).id
    with unit_of_work(factory, tenant_id=tenant_id) as session:
        account_id = queries.account_by_login(session, tenant_id=tenant_id, login=login)
        services.set_password(
            session, _CLOCK, tenant_id=tenant_id, account_id=account_id, password=password
        )
    click.echo(f"password of {login}@{slug} set; its sessions have ended")


@click.group()
def device() -> None:
    """Look after phones that report."""


@device.command("enrol")
@click.argument("slug", metavar="TENANT")
@click.argument("number", metavar="STAFF_NUMBER")
@click.option("--label", default="phone", show_default=True, help="What people call it.")
@click.option(
    "--kind",
    type=click.Choice([kind.value for kind in DeviceKind]),
    default=DeviceKind.OWNTRACKS_ANDROID.value,
    show_default=True,
)
@click.option("--encrypt", is_flag=True, help="Also encrypt payloads with a key of the device.")
@click.option("--qr", is_flag=True, help="Draw the QR code that configures the app.")
@click.option("--json", "as_json", is_flag=True, help="Print everything as one JSON object.")
def device_enrol(
    slug: str, number: str, label: str, kind: str, *, encrypt: bool, qr: bool, as_json: bool
) -> None:
    """Enrol a phone of an employee and print its configuration, once."""
    factory, settings = connect("app")
    tenant_id = tenant_of(factory, slug).id
    with unit_of_work(factory, tenant_id=tenant_id) as session:
        employee_id = queries.employee_by_number(session, tenant_id=tenant_id, number=number)
        made = services.enrol_device(
            session,
            _CLOCK,
            tenant_id=tenant_id,
            employee_id=employee_id,
            kind=DeviceKind(kind),
            label=label,
            broker=_doors(settings),
            vault=Vault(settings.data_key),
            encrypt=encrypt,
        )
    _show(made, qr=qr, as_json=as_json)


@device.command("rotate")
@click.argument("slug", metavar="TENANT")
@click.argument("device_id", metavar="DEVICE", type=click.UUID)
@click.option("--qr", is_flag=True, help="Draw the QR code that configures the app.")
@click.option("--json", "as_json", is_flag=True, help="Print everything as one JSON object.")
def device_rotate(slug: str, device_id: UUID, *, qr: bool, as_json: bool) -> None:
    """Give a phone a new secret; the old one stops working at once."""
    factory, settings = connect("app")
    tenant_id = tenant_of(factory, slug).id
    with unit_of_work(factory, tenant_id=tenant_id) as session:
        made = services.rotate_device(
            session,
            _CLOCK,
            tenant_id=tenant_id,
            device_id=device_id,
            broker=_doors(settings),
            vault=Vault(settings.data_key),
        )
    _show(made, qr=qr, as_json=as_json)


@device.command("enrol-file")
@click.argument("slug", metavar="TENANT")
@click.argument("file", metavar="FILE", type=click.File("rb"))
@click.option("--dry-run", is_flag=True, help="Only check the rows.")
def device_enrol_file(slug: str, file: BinaryIO, *, dry_run: bool) -> None:
    """Enrol every phone of a CSV FILE (number, app, label), all of them or none.

    Prints one line a row, tab-separated: line, staff number, person, app, and the one-time
    link (valid for seven days) or the reason why the row cannot be applied.
    """
    factory, settings = connect("app")
    tenant = tenant_of(factory, slug)
    rows = read_sheet(file.read(MAX_BYTES + 1))
    with unit_of_work(factory, tenant_id=tenant.id) as session:
        plans = plan_phones(
            session,
            rows,
            tenant_id=tenant.id,
            scope=queries.everybody(tenant.id),
            today=local_date(_CLOCK.now(), tenant.zone),
        )
        bad = any(plan.error is not None for plan in plans)
        if bad or dry_run:
            for plan in plans:
                result = plan.error.value if plan.error else "ok"
                kind = plan.kind.value if plan.kind else "-"
                fields = (plan.line, plan.number, plan.name or "-", kind, result)
                click.echo("\t".join(map(str, fields)))
            if bad:
                raise InvalidInput("sheet_has_errors", "rows have errors, nothing was enrolled")
            return
        made = enrol_phones(
            session,
            _CLOCK,
            plans,
            tenant_id=tenant.id,
            broker=_doors(settings),
            vault=Vault(settings.data_key),
            labels={kind: kind.value for kind in DeviceKind},
        )
    for plan, phone in zip(plans, made, strict=True):
        link = f"{settings.public_url}/enrol/{phone.ticket.token}"
        fields = (plan.line, phone.number, phone.name, phone.kind.value, link)
        click.echo("\t".join(map(str, fields)))


@device.command("revoke")
@click.argument("slug", metavar="TENANT")
@click.argument("device_id", metavar="DEVICE", type=click.UUID)
def device_revoke(slug: str, device_id: UUID) -> None:
    """Take a phone's access away; a connected one is dropped within two seconds."""
    factory, _settings = connect("app")
    tenant_id = tenant_of(factory, slug).id
    with unit_of_work(factory, tenant_id=tenant_id) as session:
        services.revoke_device(session, _CLOCK, tenant_id=tenant_id, device_id=device_id)
    click.echo(f"device {device_id} revoked")


@device.command("datum")
@click.argument("slug", metavar="TENANT")
@click.argument("device_id", metavar="DEVICE", type=click.UUID)
@click.argument("datum", type=click.Choice([d.value for d in Datum]))
@click.option(
    "--source",
    "sources",
    multiple=True,
    metavar="SOURCE=DATUM",
    help="A source (gps, wifi, cell, lbs, unknown) that speaks another one; may be repeated.",
)
def device_datum(slug: str, device_id: UUID, datum: str, sources: tuple[str, ...]) -> None:
    """State what a phone's positions refer to; they are converted to WGS-84 from then on.

    Replaces what was stated before. Positions already stored stay as they are.
    """
    apart = dict(map(_source_datum, sources))
    factory, _settings = connect("app")
    tenant_id = tenant_of(factory, slug).id
    with unit_of_work(factory, tenant_id=tenant_id) as session:
        set_datum(
            session,
            _CLOCK,
            tenant_id=tenant_id,
            device_id=device_id,
            datum=Datum(datum),
            sources=apart,
        )
    told = "".join(f", {source.value} {other.value}" for source, other in apart.items())
    click.echo(f"device {device_id} speaks {datum}{told}")


@device.command("list")
@click.argument("slug", metavar="TENANT")
def device_list(slug: str) -> None:
    """List the phones of an organisation, one line each, tab-separated."""
    factory, _settings = connect("app")
    tenant_id = tenant_of(factory, slug).id
    with unit_of_work(factory, tenant_id=tenant_id) as session:
        rows = queries.all_devices(session, tenant_id=tenant_id)
    for row in rows:
        state = f"revoked {_minute(row.revoked_at)}" if row.revoked_at else "active"
        fields = (row.id, row.username, row.employee_number, row.kind.value, row.label, state)
        click.echo("\t".join(map(str, fields)))


def _source_datum(text: str) -> tuple[Source, Datum]:
    source, _, datum = text.partition("=")
    try:
        return Source(source), Datum(datum)
    except ValueError:
        raise InvalidInput("source_datum", f"{text!r} is not of the form wifi=gcj02") from None


def _doors(settings: Settings) -> BrokerAddress:
    return BrokerAddress(
        settings.mqtt_public_host,
        settings.mqtt_public_port,
        settings.mqtt_public_tls,
        settings.public_url,
    )


def _show(made: services.EnrolledDevice, *, qr: bool, as_json: bool) -> None:
    setup = made.setup
    if as_json:
        shown = {"username": made.username, "secret": made.secret, "link": made.link}
        told = {"settings": dict(setup.settings), "code": setup.code, "config": made.config}
        click.echo(json.dumps({"device": str(made.device_id), **shown, **told}))
        return
    click.echo(f"device   {made.device_id}\nuser     {made.username}\npassword {made.secret}")
    for name, value in setup.settings:
        if name not in {"username", "secret"}:
            click.echo(f"{name} {value}")
    if setup.link:
        click.echo(f"link     {setup.link}")
    if qr and setup.code:
        _draw(setup.code)
    elif qr:
        click.echo("This app scans no code; type the settings above.", err=True)
    click.echo("The password is not kept; rotate the device when it is lost.", err=True)


def _split(sign_in_name: str) -> tuple[str, str]:
    parts = split_sign_in_name(sign_in_name)
    if parts is None:
        raise InvalidInput("sign_in_name", f"{sign_in_name!r} is not of the form login@tenant")
    return parts


def _password(*, from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    return str(click.prompt("Password", hide_input=True, confirmation_prompt=True))


def _draw(link: str) -> None:
    import segno  # noqa: PLC0415 - only here

    segno.make(link, error="l", micro=False).terminal(compact=True)


def _minute(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%MZ")
