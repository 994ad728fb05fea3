"""The groups of the side navigation, cut down to what exists and what the viewer may open."""

from collections.abc import Collection
from dataclasses import dataclass

from flask_babel import lazy_gettext as _l
from flask_babel.speaklater import LazyString


@dataclass(frozen=True, slots=True)
class NavItem:
    """A link of the navigation.

    Parameters
    ----------
    endpoint : Flask endpoint; an item whose endpoint is not registered is left out.
    actions : values of `server.people.rules.Action`; one of them is enough. Empty: everybody.
    """

    endpoint: str
    label: LazyString
    icon: str
    actions: frozenset[str] = frozenset()

    @property
    def section(self) -> str:
        """Blueprint of the endpoint: every page of it marks this item as current."""
        return self.endpoint.split(".", maxsplit=1)[0]


@dataclass(frozen=True, slots=True)
class NavGroup:
    """Items under one small heading (None for the first group)."""

    label: LazyString | None
    items: tuple[NavItem, ...]


def _item(endpoint: str, label: LazyString, icon: str, *actions: str) -> NavItem:
    return NavItem(endpoint, label, icon, frozenset(actions))


GROUPS: tuple[NavGroup, ...] = (
    NavGroup(
        None,
        (
            _item("home.overview", _l("Overview"), "layout-dashboard", "view_live"),
            _item("me.index", _l("My day"), "circle-user-round", "view_own"),
        ),
    ),
    NavGroup(
        _l("Presence"),
        (
            _item("live.page", _l("Live map"), "radar", "view_live"),
            _item("distribution.page", _l("Distribution"), "hexagon", "view_distribution"),
            _item("people.index", _l("People"), "users", "view_person"),
            _item("tracks.index", _l("Tracks"), "route", "view_track"),
            _item("alerts.index", _l("Alerts"), "siren", "view_findings"),
            _item("visits.index", _l("Visits"), "badge-check", "view_findings"),
            _item("signs.index", _l("Signs to look at"), "scan-search", "review_finding"),
        ),
    ),
    NavGroup(
        _l("Time"),
        (
            _item("roster.index", _l("Roster"), "calendar-days", "view_roster", "edit_roster"),
            _item("excusals.index", _l("Leave & outings"), "calendar-clock", "excuse"),
        ),
    ),
    NavGroup(
        _l("Business"),
        (_item("claims.index", _l("Travel claims"), "receipt", "view_claims", "view_own"),),
    ),
    NavGroup(
        _l("Administration"),
        (
            _item("posts.index", _l("Posts & fences"), "pentagon", "view_posts", "edit_posts"),
            _item("sites.index", _l("Sites"), "map-pinned", "view_posts", "edit_posts"),
            _item("policies.index", _l("Rules"), "gauge", "view_posts", "manage_policies"),
            _item("organisation.index", _l("Organisation"), "network", "view_people"),
            _item("devices.index", _l("Devices"), "smartphone", "view_devices", "manage_devices"),
            _item("carriers.index", _l("Carriers & services"), "signal", "manage_carriers"),
            _item("cells.index", _l("Radio cells"), "layers", "manage_carriers"),
            _item("imports.index", _l("Import & export"), "upload", "import_data"),
            _item("basemaps.page", _l("Basemap"), "map", "manage_basemap"),
            _item("audit.index", _l("Audit log"), "shield-check", "view_audit"),
        ),
    ),
)


def visible_groups(
    endpoints: Collection[str], held: Collection[str], groups: tuple[NavGroup, ...] = GROUPS
) -> list[NavGroup]:
    """Return the groups with the items that exist and that the viewer may use.

    Parameters
    ----------
    endpoints : registered Flask endpoints.
    held : values of the actions that the viewer may take somewhere.
    """
    shown = []
    for group in groups:
        items = tuple(
            item
            for item in group.items
            if item.endpoint in endpoints
            and (not item.actions or any(action in held for action in item.actions))
        )
        if items:
            shown.append(NavGroup(group.label, items))
    return shown
