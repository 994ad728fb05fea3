"""Commands on the streets under a tenant's maps."""

import json

import click

from server.clock import SystemClock
from server.db.session import unit_of_work
from server.main.database import connect, tenant_of
from server.people.basemaps import Basemap, BasemapKind, basemap_of, choose_basemap

_CLOCK = SystemClock()


@click.group()
def basemap() -> None:
    """Choose the streets under an organisation's maps."""


@basemap.command("set")
@click.argument("slug", metavar="TENANT")
@click.argument("kind", type=click.Choice([kind.value for kind in BasemapKind]))
@click.option(
    "--address", help="File name (pmtiles), style URL, or template with {z} {x} {y} (raster, amap)."
)
@click.option("--dark-address", help="Style URL for the dark theme (style).")
@click.option("--key", "access_key", help="Access key (tianditu); browsers see it.")
@click.option("--attribution", help="Words always shown on the map [default: the provider's].")
@click.option("--host", "hosts", multiple=True, help="Further https origin of a style.")
def basemap_set(
    slug: str,
    kind: str,
    *,
    address: str | None,
    dark_address: str | None,
    access_key: str | None,
    attribution: str | None,
    hosts: tuple[str, ...],
) -> None:
    """Choose the basemap of TENANT; built_in takes a choice back.

    Browsers of the tenant may then ask exactly the hosts that the choice names.
    """
    factory, _settings = connect("owner")
    found = tenant_of(factory, slug)
    wanted = Basemap(
        kind=BasemapKind(kind),
        address=address,
        dark_address=dark_address,
        access_key=access_key,
        attribution=attribution,
        hosts=hosts,
    )
    with unit_of_work(factory, tenant_id=None) as session:
        chosen = choose_basemap(session, _CLOCK, tenant_id=found.id, wanted=wanted)
    asks = ", ".join(chosen.origins) or "nobody outside"
    click.echo(f"maps of {slug}: {chosen.kind.value}; browsers ask {asks}")


@basemap.command("show")
@click.argument("slug", metavar="TENANT")
def basemap_show(slug: str) -> None:
    """Print the basemap of TENANT as one JSON object."""
    factory, _settings = connect("owner")
    found = tenant_of(factory, slug)
    with unit_of_work(factory, tenant_id=None) as session:
        chosen = basemap_of(session, tenant_id=found.id)
    click.echo(
        json.dumps(
            {
                "kind": chosen.kind.value,
                "address": chosen.address,
                "dark_address": chosen.dark_address,
                "attribution": chosen.attribution,
                "origins": list(chosen.origins),
            },
            ensure_ascii=False,
        )
    )
