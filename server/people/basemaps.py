"""The streets under a tenant's maps: what may be chosen, and what a browser may fetch for it.

Nothing outside is asked by default. A choice names the hosts its tiles come from; pages with
a map let the browser speak to these and to no other.
"""

import ipaddress
import re
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import urlsplit

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from server.audit.services import record_security_event
from server.clock import Clock
from server.errors import Forbidden, InvalidInput
from server.people.models import BasemapKind, TenantBasemap, Unit
from server.people.rules import Action, Principal, granting_units

__all__ = [
    "BUILT_IN",
    "Basemap",
    "BasemapKind",
    "basemap_of",
    "checked",
    "choose_basemap",
    "may_choose",
]

OSM: Final = "https://tile.openstreetmap.org/{z}/{x}/{y}.png"
AMAP: Final = (
    "https://webrd01.is.autonavi.com/appmaptile?lang=zh_cn&size=1&scale=1&style=8&x={x}&y={y}&z={z}"
)
TIANDITU_HOSTS: Final = tuple(f"https://t{number}.tianditu.gov.cn" for number in range(8))
ATTRIBUTIONS: Final = {
    BasemapKind.PMTILES: "© OpenStreetMap contributors",
    BasemapKind.RASTER: "© OpenStreetMap contributors",
    BasemapKind.TIANDITU: "© 天地图 (国家地理信息公共服务平台)",
    BasemapKind.AMAP: "© 高德地图 (AutoNavi)",
}
"""Shown where a tenant gives none; it is never hidden."""
_FILE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}\.pmtiles")
_KEY: Final = re.compile(r"[A-Za-z0-9_-]{8,128}")
_HOST: Final = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")
_MAX_LENGTH: Final = 500
_MAX_HOSTS: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Basemap:
    """One choice, as `checked` lets it through.

    Attributes
    ----------
    address : by kind: a file's name (pmtiles), a style's URL (style), a template of tiles with
        {z}, {x} and {y} (raster, amap); None where there is nothing to choose.
    dark_address : the same for the dark theme, style only.
    access_key : Tianditu's; every browser of the tenant gets it.
    attribution : plain text.
    hosts : further https origins that a style needs for tiles, fonts and pictures.
    """

    kind: BasemapKind = BasemapKind.BUILT_IN
    address: str | None = None
    dark_address: str | None = None
    access_key: str | None = None
    attribution: str | None = None
    hosts: tuple[str, ...] = ()

    @property
    def origins(self) -> tuple[str, ...]:
        """What a browser must be let speak to; empty for what we serve ourselves."""
        if self.kind in {BasemapKind.BUILT_IN, BasemapKind.PMTILES}:
            return ()
        if self.kind is BasemapKind.TIANDITU:
            return TIANDITU_HOSTS
        addresses = [each for each in (self.address, self.dark_address) if each]
        return tuple(dict.fromkeys([*map(_origin, addresses), *self.hosts]))


BUILT_IN: Final = Basemap()


def basemap_of(session: Session, *, tenant_id: int) -> Basemap:
    """Return what a tenant chose; the built-in map before any choice."""
    row = session.scalars(
        select(TenantBasemap).where(TenantBasemap.tenant_id == tenant_id)
    ).one_or_none()
    if row is None:
        return BUILT_IN
    return Basemap(
        kind=row.kind,
        address=row.address,
        dark_address=row.dark_address,
        access_key=row.access_key,
        attribution=row.attribution,
        hosts=tuple(row.hosts),
    )


def may_choose(session: Session, principal: Principal) -> bool:
    """Tell whether somebody administers the whole tenant; a map is chosen for all of it."""
    top = session.scalars(
        select(Unit.id).where(Unit.tenant_id == principal.tenant_id, Unit.parent_id.is_(None))
    ).all()
    return bool(granting_units(principal, Action.MANAGE_BASEMAP) & set(top))


def choose_basemap(
    session: Session,
    clock: Clock,
    *,
    tenant_id: int,
    wanted: Basemap,
    principal: Principal | None = None,
) -> Basemap:
    """Choose the streets of a tenant's maps.

    Parameters
    ----------
    wanted : checked here; the built-in map takes an earlier choice back.
    principal : who chooses; None for the command line, which may.

    Returns
    -------
    What was stored. One security event says who chose which kind and hosts.

    Raises
    ------
    Forbidden : the account does not administer the whole tenant.
    InvalidInput : naming the field.
    """
    if principal is not None and not may_choose(session, principal):
        raise Forbidden
    actor_id = principal.account_id if principal else None
    found = checked(wanted)
    if found == BUILT_IN:
        session.execute(delete(TenantBasemap).where(TenantBasemap.tenant_id == tenant_id))
    else:
        values = {
            "kind": found.kind,
            "address": found.address,
            "dark_address": found.dark_address,
            "access_key": found.access_key,
            "attribution": found.attribution,
            "hosts": list(found.hosts),
            "changed_at": clock.now(),
            "changed_by": actor_id,
        }
        session.execute(
            insert(TenantBasemap)
            .values(tenant_id=tenant_id, **values)
            .on_conflict_do_update(index_elements=["tenant_id"], set_=values)
        )
    record_security_event(
        session,
        tenant_id=tenant_id,
        kind="basemap_chosen",
        actor_id=actor_id,
        detail={"kind": found.kind.value, "origins": list(found.origins)},
    )
    return found


def checked(wanted: Basemap) -> Basemap:
    """Return a choice with defaults filled in and everything dropped that its kind ignores.

    Raises
    ------
    InvalidInput : naming each field that is missing or malformed.
    """
    kind = wanted.kind
    if kind is BasemapKind.BUILT_IN:
        return BUILT_IN
    wrong: dict[str, str] = {}
    attribution = (wanted.attribution or ATTRIBUTIONS.get(kind, "")).strip()
    if len(attribution) > _MAX_LENGTH:
        wrong["attribution"] = "too_long"
    found = Basemap(kind=kind, attribution=attribution or None)
    if kind is BasemapKind.PMTILES:
        if not _FILE.fullmatch(wanted.address or ""):
            wrong["address"] = "not_a_file_name"
        found = replace(found, address=wanted.address)
    elif kind is BasemapKind.TIANDITU:
        if not _KEY.fullmatch(wanted.access_key or ""):
            wrong["access_key"] = "malformed"
        found = replace(found, access_key=wanted.access_key)
    else:
        given = wanted.address or {BasemapKind.RASTER: OSM, BasemapKind.AMAP: AMAP}.get(kind)
        found = replace(found, address=given)
        wrong |= _wrong_address("address", given, template=kind is not BasemapKind.STYLE)
        if kind is BasemapKind.STYLE:
            found = replace(found, dark_address=wanted.dark_address or None, hosts=wanted.hosts)
            if wanted.dark_address:
                wrong |= _wrong_address("dark_address", wanted.dark_address, template=False)
            if len(wanted.hosts) > _MAX_HOSTS or any(not _is_origin(h) for h in wanted.hosts):
                wrong["hosts"] = "malformed"
    if wrong:
        raise InvalidInput(fields=wrong)
    return found


def _wrong_address(name: str, address: str | None, *, template: bool) -> dict[str, str]:
    if not address:
        return {name: "missing"}
    if len(address) > _MAX_LENGTH or not _is_origin(_origin(address)):
        return {name: "not_https"}
    if template and any(part not in address for part in ("{z}", "{x}", "{y}")):
        return {name: "not_a_template"}
    return {}


def _origin(address: str) -> str:
    """Return scheme, host and port; something that is no origin for what has none."""
    try:
        parts = urlsplit(address)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return ""
    if "@" in parts.netloc:
        return ""
    return f"{parts.scheme}://{parts.hostname or ''}{port}"


def _is_origin(text: str) -> bool:
    """Tell whether a text is an https origin, or a plain one on this very machine."""
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return False
    whole = f"{parts.scheme}://{host}{'' if port is None else f':{port}'}"
    if whole != text or not _HOST.fullmatch(host):
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(host))


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
