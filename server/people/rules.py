"""Who may do what to whom: the one decision function, pure.

Roles add up and nothing is allowed that no rule allows. A grant covers its unit and
everything below it; everybody may see what is recorded of themselves. Administrators and
HR have no rule that shows a location.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from server.people.models import DeviceKind, Role, UnitKind

__all__ = [
    "DENIED",
    "LOCATION_ACTIONS",
    "ROLE_ACTIONS",
    "SELF_ACTIONS",
    "Action",
    "Decision",
    "DeviceKind",
    "Principal",
    "Role",
    "UnitKind",
    "allows_self",
    "can",
    "granting_units",
    "may_for_others",
    "may_somewhere",
]
"""With the words of the organisation, so that other slices need not reach for its tables."""


class Action(StrEnum):
    """What a route does; each route declares exactly one."""

    VIEW_LIVE = "view_live"
    VIEW_DISTRIBUTION = "view_distribution"
    VIEW_PERSON = "view_person"
    VIEW_TRACK = "view_track"
    EXPORT_TRACK = "export_track"
    LOCATE_NOW = "locate_now"
    VIEW_FINDINGS = "view_findings"
    REVIEW_FINDING = "review_finding"
    VIEW_POSTS = "view_posts"
    EDIT_POSTS = "edit_posts"
    VIEW_ROSTER = "view_roster"
    EDIT_ROSTER = "edit_roster"
    EXCUSE = "excuse"
    ASSIGN_VISITS = "assign_visits"
    VIEW_DEVICES = "view_devices"
    MANAGE_DEVICES = "manage_devices"
    REVOKE_DEVICE = "revoke_device"
    VIEW_PEOPLE = "view_people"
    MANAGE_PEOPLE = "manage_people"
    MANAGE_ACCOUNTS = "manage_accounts"
    MANAGE_CARRIERS = "manage_carriers"
    MANAGE_BASEMAP = "manage_basemap"
    MANAGE_POLICIES = "manage_policies"
    IMPORT_DATA = "import_data"
    VIEW_CLAIMS = "view_claims"
    FILE_CLAIM = "file_claim"
    DECIDE_CLAIM = "decide_claim"
    VIEW_AUDIT = "view_audit"
    VIEW_OWN = "view_own"


LOCATION_ACTIONS = frozenset(
    {
        Action.VIEW_LIVE,
        Action.VIEW_DISTRIBUTION,
        Action.VIEW_PERSON,
        Action.VIEW_TRACK,
        Action.EXPORT_TRACK,
        Action.LOCATE_NOW,
        Action.VIEW_FINDINGS,
        Action.REVIEW_FINDING,
    }
)
"""Actions that show or judge where somebody is."""

_LEADER = LOCATION_ACTIONS | {
    Action.VIEW_POSTS,
    Action.EDIT_POSTS,
    Action.VIEW_ROSTER,
    Action.EXCUSE,
    Action.ASSIGN_VISITS,
    Action.IMPORT_DATA,
    Action.VIEW_CLAIMS,
}

ROLE_ACTIONS: Mapping[Role, frozenset[Action]] = {
    Role.SUPERVISOR: _LEADER,
    Role.MANAGER: _LEADER,
    Role.FINANCE: frozenset({Action.VIEW_CLAIMS, Action.FILE_CLAIM, Action.DECIDE_CLAIM}),
    Role.HR: frozenset(
        {
            Action.VIEW_PEOPLE,
            Action.MANAGE_PEOPLE,
            Action.VIEW_ROSTER,
            Action.EDIT_ROSTER,
            Action.EXCUSE,
            Action.VIEW_POSTS,
            Action.EDIT_POSTS,
            Action.VIEW_DEVICES,
            Action.REVOKE_DEVICE,
            Action.MANAGE_POLICIES,
            Action.IMPORT_DATA,
        }
    ),
    Role.ADMIN: frozenset(
        {
            Action.VIEW_PEOPLE,
            Action.MANAGE_PEOPLE,
            Action.MANAGE_ACCOUNTS,
            Action.MANAGE_CARRIERS,
            Action.MANAGE_BASEMAP,
            Action.MANAGE_POLICIES,
            Action.VIEW_POSTS,
            Action.EDIT_POSTS,
            Action.VIEW_DEVICES,
            Action.MANAGE_DEVICES,
            Action.REVOKE_DEVICE,
            Action.IMPORT_DATA,
        }
    ),
    Role.AUDITOR: frozenset({Action.VIEW_AUDIT}),
}
"""What a role allows on its unit and below."""

SELF_ACTIONS = frozenset(
    {
        Action.VIEW_OWN,
        Action.VIEW_LIVE,
        Action.VIEW_PERSON,
        Action.VIEW_TRACK,
        Action.EXPORT_TRACK,
        Action.VIEW_FINDINGS,
        Action.VIEW_CLAIMS,
        Action.FILE_CLAIM,
    }
)
"""What everybody with an employee record may do to their own data."""


@dataclass(frozen=True, slots=True)
class Principal:
    """A signed-in account with the grants in force; what every decision is about."""

    tenant_id: int
    tenant_slug: str
    account_id: UUID
    employee_id: UUID | None
    name: str
    login: str
    locale: str
    """`zh` or `en`: the account's, else its tenant's; see `locale_chosen`."""
    theme: str | None
    zone: str
    """IANA zone of the tenant; decides what "today" means for memberships."""
    grants: tuple[tuple[Role, UUID], ...]
    epoch: int
    """Counts changes of rights; an open stream whose epoch is old must close."""
    locale_chosen: bool = True
    """Whether somebody chose `locale` for this account; otherwise the browser is asked first."""


@dataclass(frozen=True, slots=True)
class Decision:
    """An answer with the rule it follows from; truthy when allowed."""

    allowed: bool
    rule_id: str

    def __bool__(self) -> bool:
        return self.allowed


DENIED = Decision(allowed=False, rule_id="default_deny")


def can(
    principal: Principal, action: Action, *, unit_path: frozenset[UUID], is_self: bool
) -> Decision:
    """Decide whether a principal may do something to one person or unit.

    Parameters
    ----------
    principal : who asks, with the grants in force now.
    action : what they want to do.
    unit_path : the subject's unit and all units above it; empty for somebody who belongs
        nowhere today.
    is_self : the subject is the principal's own employee record.

    Returns
    -------
    The decision and the rule behind it; `default_deny` when no rule allows it.
    """
    if is_self and action in SELF_ACTIONS:
        return Decision(allowed=True, rule_id=f"self.{action.value}")
    for role, unit_id in principal.grants:
        if unit_id in unit_path and action in ROLE_ACTIONS[role]:
            return Decision(allowed=True, rule_id=f"{role.value}.{action.value}")
    return DENIED


def granting_units(principal: Principal, action: Action) -> frozenset[UUID]:
    """Return the units on which a grant allows `action`; it holds for all units below them."""
    return frozenset(unit for role, unit in principal.grants if action in ROLE_ACTIONS[role])


def allows_self(principal: Principal, action: Action) -> bool:
    """Tell whether `action` is open to the principal for their own record."""
    return principal.employee_id is not None and action in SELF_ACTIONS


def may_somewhere(principal: Principal, action: Action) -> bool:
    """Tell whether there can be anything at all that the principal may do `action` to."""
    return allows_self(principal, action) or bool(granting_units(principal, action))


def may_for_others(principal: Principal, action: Action) -> bool:
    """Tell whether a grant allows `action` on somebody else; what navigation shows follows it."""
    return bool(granting_units(principal, action))
