"""The decision function, row by row of the matrix."""

from uuid import UUID

import pytest

from server.people.rules import (
    LOCATION_ACTIONS,
    ROLE_ACTIONS,
    SELF_ACTIONS,
    Action,
    Principal,
    Role,
    can,
    may_for_others,
    may_somewhere,
)

GROUP, NORTH, SOUTH, TEAM = (UUID(int=n) for n in range(1, 5))
ME = UUID(int=99)
IN_TEAM = frozenset({TEAM, NORTH, GROUP})

# Written by hand from the reviewed matrix, not from the code.
ALLOWED = {
    Role.SUPERVISOR: "view_live view_distribution view_person view_track export_track locate_now "
    "view_findings review_finding view_posts edit_posts view_roster excuse assign_visits "
    "import_data view_claims",
    Role.MANAGER: "view_live view_distribution view_person view_track export_track locate_now "
    "view_findings review_finding view_posts edit_posts view_roster excuse assign_visits "
    "import_data view_claims",
    Role.FINANCE: "view_claims file_claim decide_claim",
    Role.HR: "view_people manage_people view_roster edit_roster excuse view_posts edit_posts "
    "view_devices revoke_device manage_policies import_data",
    Role.ADMIN: "view_people manage_people manage_accounts manage_carriers manage_basemap "
    "manage_policies view_posts edit_posts view_devices manage_devices revoke_device import_data",
    Role.AUDITOR: "view_audit",
}


def principal(*grants: tuple[Role, UUID], employee: UUID | None = ME) -> Principal:
    return Principal(
        tenant_id=1,
        tenant_slug="alpha",
        account_id=UUID(int=7),
        employee_id=employee,
        name="Ann",
        login="ann",
        locale="en",
        theme=None,
        zone="Asia/Shanghai",
        grants=grants,
        epoch=0,
    )


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize("action", list(Action))
def test_a_role_allows_what_the_matrix_says(role: Role, action: Action) -> None:
    decision = can(principal((role, NORTH)), action, unit_path=IN_TEAM, is_self=False)
    assert bool(decision) == (action.value in ALLOWED[role].split())
    if decision:
        assert decision.rule_id == f"{role.value}.{action.value}"


@pytest.mark.parametrize("action", list(Action))
def test_a_grant_does_not_reach_sideways_or_up(action: Action) -> None:
    who = principal(*((role, NORTH) for role in Role))
    assert not can(who, action, unit_path=frozenset({SOUTH, GROUP}), is_self=False)
    assert not can(who, action, unit_path=frozenset({GROUP}), is_self=False)
    assert not can(who, action, unit_path=frozenset(), is_self=False)


@pytest.mark.parametrize("role", [Role.ADMIN, Role.HR, Role.FINANCE, Role.AUDITOR])
def test_desk_roles_see_nobodys_location(role: Role) -> None:
    assert not ROLE_ACTIONS[role] & LOCATION_ACTIONS


def test_everybody_sees_their_own_data_and_judges_none_of_it() -> None:
    who = principal()
    own = {action for action in Action if can(who, action, unit_path=IN_TEAM, is_self=True)}
    assert own == set(SELF_ACTIONS)
    assert Action.REVIEW_FINDING not in own
    assert not any(can(who, action, unit_path=IN_TEAM, is_self=False) for action in Action)


def test_an_account_without_employee_record_has_nothing_of_its_own() -> None:
    assert not any(may_somewhere(principal(employee=None), action) for action in Action)


def test_navigation_tells_ones_own_from_others() -> None:
    assert may_somewhere(principal(), Action.VIEW_TRACK)
    assert not may_for_others(principal(), Action.VIEW_TRACK)
    assert may_for_others(principal((Role.MANAGER, TEAM)), Action.VIEW_TRACK)
