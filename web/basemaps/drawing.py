"""A choice of streets as the browser's module `app/basemap` reads it."""

import json
from typing import Any, Final

from flask import url_for
from flask_babel import get_locale
from markupsafe import Markup, escape

from geo.mainland import OUTLINE
from server.http.context import principal_or_none, transaction
from server.http.headers import allow_origins
from server.people.basemaps import BUILT_IN, TIANDITU_HOSTS, Basemap, BasemapKind, basemap_of
from web.shell import asset

_TIANDITU: Final = (
    "{host}/{layer}_w/wmts?SERVICE=WMTS&REQUEST=GetTile&VERSION=1.0.0&LAYER={layer}"
    "&STYLE=default&TILEMATRIXSET=w&FORMAT=tiles&TILEMATRIX={{z}}&TILEROW={{y}}&TILECOL={{x}}"
    "&tk={key}"
)


def basemap_attributes() -> Markup:
    """Return the attributes of a map's element, and let its page fetch what they name.

    For templates: `<div class="map" data-map {{ basemap_attributes() }}></div>`. One statement.
    """
    viewer = principal_or_none()
    if viewer is None:
        return attributes_of(BUILT_IN)
    with transaction() as session:
        chosen = basemap_of(session, tenant_id=viewer.tenant_id)
    return attributes_of(chosen)


def attributes_of(basemap: Basemap) -> Markup:
    """Return the attributes for one choice, and let the page of this answer fetch it."""
    allow_origins(basemap.origins)
    return Markup('data-basemap="{}"').format(json.dumps(as_json(basemap), ensure_ascii=False))


def as_json(basemap: Basemap) -> dict[str, Any]:
    """Return a choice for the browser.

    Returns
    -------
    `kind`, `attribution` (escaped: the map shows it as HTML) and by kind `light` and `dark`
    (addresses of styles), `file`, `tiles` and `labels` (templates),
    `outline` (where GCJ-02 holds), `origins`.
    """
    kind = basemap.kind
    found: dict[str, Any] = {
        "kind": kind.value,
        "attribution": str(escape(basemap.attribution or "")),
    }
    if kind is BasemapKind.BUILT_IN:
        found |= {shade: asset(f"basemap/style-{shade}.json") for shade in ("light", "dark")}
    elif kind is BasemapKind.PMTILES:
        found["file"] = url_for("basemaps.file", name=basemap.address or "")
    elif kind is BasemapKind.STYLE:
        found |= {
            "light": basemap.address,
            "dark": basemap.dark_address or basemap.address,
            "origins": list(basemap.origins),
        }
    elif kind is BasemapKind.TIANDITU:
        names = "cva" if str(get_locale() or "zh").startswith("zh") else "eva"
        found |= {"tiles": _tianditu(basemap, "vec"), "labels": _tianditu(basemap, names)}
    else:
        found["tiles"] = [basemap.address]
    if kind is BasemapKind.AMAP:
        # Where its pictures are shifted; the shift itself is `app/gcj`.
        found["outline"] = [[lon, lat] for lon, lat in OUTLINE.exterior.coords]
    return found


def _tianditu(basemap: Basemap, layer: str) -> list[str]:
    return [
        _TIANDITU.format(host=host, layer=layer, key=basemap.access_key) for host in TIANDITU_HOSTS
    ]
