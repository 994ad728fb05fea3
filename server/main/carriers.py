"""Commands on carriers and positioning services, and on people's consent."""

import json
import sys
from datetime import UTC, datetime
from typing import Any

import click

from server.carriers import queries, services
from server.carriers.egress import Egress
from server.carriers.services import (
    REFUSALS,
    SECRETS,
    Asker,
    ProviderDraft,
    ProviderKind,
    RefusalCode,
    Withdrawn,
)
from server.clock import SystemClock
from server.crypto import Vault
from server.db.session import unit_of_work
from server.errors import InvalidInput, Unavailable
from server.main.database import connect, tenant_of
from server.people import queries as people

_CLOCK = SystemClock()
_ASKER = Asker("command line")
_ANSWERS = frozenset({RefusalCode.NOT_FOUND, RefusalCode.UNKNOWN_SUBSCRIBER, RefusalCode.ABSENT})
"""Refusals that show that a provider works."""


@click.group()
def carrier() -> None:
    """Look after providers that locate phones or cells when asked."""


@carrier.command("add")
@click.argument("slug", metavar="TENANT")
@click.argument("name")
@click.option("--kind", type=click.Choice([k.value for k in ProviderKind]), required=True)
@click.option("--url", required=True, help="https; private hosts need OUTPOST_CARRIER_HOSTS.")
@click.option("--daily", default=1000, show_default=True, help="Requests a day in all.")
@click.option("--person", default=20, show_default=True, help="Requests a day about one person.")
@click.option("--position", default=0, show_default=True, help="Lower is asked first.")
@click.option("--option", "given", multiple=True, metavar="NAME=VALUE", help="May be repeated.")
@click.option("--credentials-stdin", is_flag=True, help="Read them as a JSON object; else asked.")
def carrier_add(
    slug: str,
    name: str,
    *,
    kind: str,
    url: str,
    daily: int,
    person: int,
    position: int,
    given: tuple[str, ...],
    credentials_stdin: bool,
) -> None:
    """Set up the provider NAME; its credentials are sealed and never shown again."""
    factory, settings = connect("app")
    tenant = tenant_of(factory, slug)
    secrets = _credentials(ProviderKind(kind), from_stdin=credentials_stdin)
    draft = ProviderDraft(
        name=name,
        kind=ProviderKind(kind),
        url=url,
        credentials=secrets,
        options=dict(_option(text) for text in given),
        daily_quota=daily,
        person_quota=person,
        position=position,
    )
    with unit_of_work(factory, tenant_id=tenant.id) as session:
        services.add_provider(
            session,
            _CLOCK,
            vault=Vault(settings.data_key),
            egress=Egress(settings.carrier_hosts),
            tenant_id=tenant.id,
            draft=draft,
        )
    click.echo(f"{name} is set up; try it with: outpost carrier test {slug} {name}")


@carrier.command("list")
@click.argument("slug", metavar="TENANT")
def carrier_list(slug: str) -> None:
    """List providers in the order they are asked, one line each, tab-separated."""
    factory, _settings = connect("app")
    tenant = tenant_of(factory, slug)
    with unit_of_work(factory, tenant_id=tenant.id) as session:
        found = queries.provider_views(session, tenant_id=tenant.id, now=_CLOCK.now())
    for row in found:
        state = row.breaker.value if row.enabled else "off"
        used = f"{row.used_today}/{row.daily_quota}"
        last = f"{row.last_outcome} {_minute(row.last_at)}" if row.last_at else "never asked"
        click.echo(f"{row.name}\t{row.kind.value}\t{row.url}\t{state}\t{used}\t{last}")


@carrier.command("remove")
@click.argument("slug", metavar="TENANT")
@click.argument("name")
def carrier_remove(slug: str, name: str) -> None:
    """Remove the provider NAME and its credentials."""
    factory, _settings = connect("app")
    tenant = tenant_of(factory, slug)
    with unit_of_work(factory, tenant_id=tenant.id) as session:
        provider_id = queries.provider_by_name(session, tenant_id=tenant.id, name=name)
        services.remove_provider(session, tenant_id=tenant.id, provider_id=provider_id)
    click.echo(f"{name} is removed")


@carrier.command("test")
@click.argument("slug", metavar="TENANT")
@click.argument("name")
def carrier_test(slug: str, name: str) -> None:
    """Ask the provider NAME once and say what came back; never a position of a person."""
    factory, settings = connect("app")
    tenant = tenant_of(factory, slug)
    with unit_of_work(factory, tenant_id=tenant.id) as session:
        provider_id = queries.provider_by_name(session, tenant_id=tenant.id, name=name)
    desk = services.desk_of(settings, factory, _CLOCK)
    said = services.try_provider(desk, tenant_id=tenant.id, provider_id=provider_id, asker=_ASKER)
    if said.code is not None and said.code not in _ANSWERS:
        words = f"{REFUSALS[said.code]} ({said.detail})" if said.detail else REFUSALS[said.code]
        raise Unavailable(said.code.value, words)
    came = "a position" if said.code is None else REFUSALS[said.code]
    click.echo(f"{name} answers after {said.took_s:.1f} s: {came}")


@carrier.group("consent")
def consent() -> None:
    """Record whose phone the carrier may be asked about."""


@consent.command("give")
@click.argument("slug", metavar="TENANT")
@click.argument("number", metavar="STAFF_NUMBER")
@click.option("--note", required=True, help="How it was given, and where it is kept.")
def consent_give(slug: str, number: str, note: str) -> None:
    """Note that a person agreed, for the phone number on record now."""
    factory, _settings = connect("app")
    tenant = tenant_of(factory, slug)
    with unit_of_work(factory, tenant_id=tenant.id) as session:
        services.record_consent(
            session,
            _CLOCK,
            tenant_id=tenant.id,
            employee_id=people.employee_by_number(session, tenant_id=tenant.id, number=number),
            given_at=_CLOCK.now(),
            note=note,
        )
    click.echo(f"consent of {number} is on record")


@consent.command("withdraw")
@click.argument("slug", metavar="TENANT")
@click.argument("number", metavar="STAFF_NUMBER")
def consent_withdraw(slug: str, number: str) -> None:
    """Take a person's consent back; the carrier is not asked from now on."""
    factory, _settings = connect("app")
    tenant = tenant_of(factory, slug)
    with unit_of_work(factory, tenant_id=tenant.id) as session:
        was = services.withdraw_consent(
            session,
            _CLOCK,
            tenant_id=tenant.id,
            employee_id=people.employee_by_number(session, tenant_id=tenant.id, number=number),
            how=Withdrawn.ACCOUNT,
        )
    click.echo(f"consent of {number} is withdrawn" if was else f"{number} had given none")


def _credentials(kind: ProviderKind, *, from_stdin: bool) -> dict[str, str]:
    if not from_stdin:
        return {
            name: str(click.prompt(name, default="", hide_input=True, show_default=False))
            for name in SECRETS[kind]
        }
    try:
        given: Any = json.loads(sys.stdin.read())
    except ValueError:
        given = None
    if not isinstance(given, dict) or not all(isinstance(v, str) for v in given.values()):
        raise InvalidInput("bad_secret", "credentials are a JSON object of texts")
    return given


def _option(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals:
        raise InvalidInput("bad_option", f"{text!r} is not of the form name=value")
    return name, value == "true" if name == "national_numbers" else value


def _minute(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%MZ")
