"""Commands on who is expected where: leavers, excusals, thresholds."""

import json
from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import click

from server.clock import SystemClock
from server.db.session import unit_of_work
from server.errors import InvalidInput
from server.main.database import connect, tenant_of
from server.people import queries
from server.people.policy import local_date
from server.posts import queries as posts
from server.posts import services
from server.posts.rules import GEO_GROUP, ExcusalKind, PolicyKind

_CLOCK = SystemClock()


@click.group()
def employee() -> None:
    """Look after people."""


@employee.command("leave")
@click.argument("slug", metavar="TENANT")
@click.argument("number", metavar="STAFF_NUMBER")
@click.option("--on", "on", metavar="DATE", help="First day they are gone; today when left out.")
def employee_leave(slug: str, number: str, on: str | None) -> None:
    """Let a person leave: off duty from DATE on, phones revoked, account switched off."""
    factory, _settings = connect("app")
    tenant = tenant_of(factory, slug)
    left_on = local_date(_CLOCK.now(), tenant.zone) if on is None else _date(on)
    with unit_of_work(factory, tenant_id=tenant.id) as session:
        services.let_go(
            session,
            _CLOCK,
            tenant_id=tenant.id,
            employee_id=queries.employee_by_number(session, tenant_id=tenant.id, number=number),
            left_on=left_on,
        )
    click.echo(f"{number} has left from {left_on} on")


@click.group()
def excuse() -> None:
    """Excuse people from their post; leave and pause also end duty for the span."""


@excuse.command("add")
@click.argument("slug", metavar="TENANT")
@click.argument("number", metavar="STAFF_NUMBER")
@click.argument("kind", type=click.Choice([kind.value for kind in ExcusalKind]))
@click.argument("span", nargs=2, metavar="FROM UNTIL")
@click.option("--note", help="Why, for those who look at the roster.")
def excuse_add(slug: str, number: str, kind: str, span: tuple[str, str], note: str | None) -> None:
    """Excuse a person over FROM until UNTIL, such as 2026-11-18T09:00 in the tenant's zone."""
    factory, _settings = connect("app")
    tenant = tenant_of(factory, slug)
    starts_at, ends_at = (_instant(text, tenant.zone) for text in span)
    with unit_of_work(factory, tenant_id=tenant.id) as session:
        excusal_id = services.excuse(
            session,
            _CLOCK,
            tenant_id=tenant.id,
            employee_id=queries.employee_by_number(session, tenant_id=tenant.id, number=number),
            kind=ExcusalKind(kind),
            starts_at=starts_at,
            ends_at=ends_at,
            note=note,
        )
    click.echo(str(excusal_id))


@excuse.command("list")
@click.argument("slug", metavar="TENANT")
@click.argument("number", metavar="STAFF_NUMBER")
@click.option("--days", default=31, show_default=True, help="So far back and ahead.")
def excuse_list(slug: str, number: str, days: int) -> None:
    """List a person's excusals in force, one line each, tab-separated."""
    factory, _settings = connect("app")
    tenant = tenant_of(factory, slug)
    now, reach = _CLOCK.now(), timedelta(days=days)
    with unit_of_work(factory, tenant_id=tenant.id) as session:
        rows = posts.excusals_between(
            session,
            tenant_id=tenant.id,
            employee_id=queries.employee_by_number(session, tenant_id=tenant.id, number=number),
            start_at=now - reach,
            end_at=now + reach,
        )
    zone = ZoneInfo(tenant.zone)
    for row in rows:
        span = (at.astimezone(zone).isoformat() for at in (row.starts_at, row.ends_at))
        click.echo("\t".join((str(row.id), row.kind.value, *span, row.note or "")))


@excuse.command("withdraw")
@click.argument("slug", metavar="TENANT")
@click.argument("excusal_id", metavar="EXCUSAL", type=click.UUID)
def excuse_withdraw(slug: str, excusal_id: UUID) -> None:
    """Take an excusal back; the days it touched are judged again."""
    factory, _settings = connect("app")
    tenant = tenant_of(factory, slug)
    with unit_of_work(factory, tenant_id=tenant.id) as session:
        services.withdraw_excusal(session, _CLOCK, tenant_id=tenant.id, excusal_id=excusal_id)
    click.echo(f"excusal {excusal_id} withdrawn")


@click.group()
def policy() -> None:
    """Show and set thresholds, by family: what is judged how, and when duty is."""


@policy.command("show")
@click.argument("slug", metavar="TENANT")
def policy_show(slug: str) -> None:
    """Print every threshold in force now, defaults included, as JSON."""
    factory, _settings = connect("app")
    tenant = tenant_of(factory, slug)
    now = _CLOCK.now()
    with unit_of_work(factory, tenant_id=tenant.id) as session:
        duty = asdict(posts.duty_policies(session).at(tenant.id, now))
        geo = posts.geo_policy(session, tenant_id=tenant.id, at=now).to_json()
    shown = {kind.value: geo[group] for kind, group in GEO_GROUP.items()}
    click.echo(json.dumps({"version": geo["version"], **shown, "duty": duty}, indent=2))


@policy.command("set")
@click.argument("slug", metavar="TENANT")
@click.argument("kind", type=click.Choice([kind.value for kind in PolicyKind]))
@click.argument("thresholds", nargs=-1, required=True, metavar="NAME=NUMBER...")
@click.option("--from", "start", metavar="INSTANT", help="In force from here; now when left out.")
def policy_set(slug: str, kind: str, thresholds: tuple[str, ...], start: str | None) -> None:
    """Set thresholds for shifts that start from now on; those not named are the defaults."""
    factory, _settings = connect("app")
    tenant = tenant_of(factory, slug)
    with unit_of_work(factory, tenant_id=tenant.id) as session:
        number = services.set_policy(
            session,
            _CLOCK,
            tenant_id=tenant.id,
            kind=PolicyKind(kind),
            params=dict(_threshold(text) for text in thresholds),
            effective_from_at=None if start is None else _instant(start, tenant.zone),
        )
    click.echo(f"{kind} version {number} set")


def _threshold(text: str) -> tuple[str, float]:
    name, _, value = text.partition("=")
    try:
        number = float(value)
    except ValueError:
        raise InvalidInput("bad_threshold", f"{text!r} is not of the form name=number") from None
    return name, int(number) if number.is_integer() else number


def _instant(text: str, zone: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidInput("bad_time", f"{text!r} is no time like 2026-11-18T09:00") from None
    return (at if at.tzinfo is not None else at.replace(tzinfo=ZoneInfo(zone))).astimezone(UTC)


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise InvalidInput("bad_date", f"{text!r} is no date like 2026-11-18") from None
