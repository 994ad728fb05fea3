"""What the scoped loader returns equals what an independent reference allows."""

import itertools
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from fixtures.stack import DatabaseUrls
from server.clock import ManualClock
from server.db.engine import make_engine, make_session_factory
from server.db.session import unit_of_work
from server.errors import NotFound
from server.people import services
from server.people.models import Role, UnitKind
from server.people.policy import (
    employees_in_scope,
    scoped_employee,
    scoped_unit,
    units_in_scope,
)
from server.people.rules import Action, Principal, can
from tests.factories.world import World

NOW = datetime(2026, 11, 18, 2, 0, tzinfo=UTC)
TODAY = date(2026, 11, 18)
KINDS = (UnitKind.BRANCH, UnitKind.DEPARTMENT, UnitKind.TEAM)

LOCATION = {"view_live", "view_person", "view_track", "export_track", "view_findings"}
LEADER = LOCATION | {
    *("view_distribution", "excuse"),
    *("locate_now", "review_finding", "view_posts", "edit_posts", "view_roster", "import_data"),
    *("assign_visits", "view_claims"),
}
REFERENCE: dict[str, set[str]] = {
    "supervisor": LEADER,
    "manager": LEADER,
    "finance": {"view_claims", "file_claim", "decide_claim"},
    "hr": {
        *("view_people", "manage_people", "view_roster", "edit_roster", "excuse"),
        *("view_posts", "edit_posts", "view_devices", "revoke_device", "import_data"),
        "manage_policies",
    },
    "admin": {
        *("view_people", "manage_people", "manage_accounts", "manage_carriers"),
        *("manage_basemap", "manage_policies"),
        *("view_posts", "edit_posts"),
        *("view_devices", "manage_devices", "revoke_device", "import_data"),
    },
    "auditor": {"view_audit"},
}
OWN = LOCATION | {"view_own", "view_claims", "file_claim"}


@dataclass
class Tree:
    """The organisation as the reference sees it: parents and places, nothing of the code."""

    tenant_id: int
    parent: dict[UUID, UUID | None] = field(default_factory=dict)
    level: dict[UUID, int] = field(default_factory=dict)
    place: dict[UUID, UUID | None] = field(default_factory=dict)

    def path(self, unit: UUID | None) -> set[UUID]:
        found: set[UUID] = set()
        while unit is not None:
            found.add(unit)
            unit = self.parent[unit]
        return found

    def allows(self, who: Principal, action: Action, person: UUID) -> bool:
        if person == who.employee_id and action.value in OWN:
            return True
        above = self.path(self.place[person])
        return any(u in above and action.value in REFERENCE[r.value] for r, u in who.grants)


@pytest.fixture(scope="module")
def owner_sessions(module_database: DatabaseUrls) -> Iterator[sessionmaker[Session]]:
    engine = make_engine(module_database.owner, pool_size=1)
    yield make_session_factory(engine)
    engine.dispose()


_slugs = itertools.count(1)


def grow(owner: sessionmaker[Session], app: sessionmaker[Session], seed: int) -> Tree:
    """Make a random organisation: units at random places, people who moved, left or are to come."""
    rng = random.Random(seed)
    clock = ManualClock(NOW)
    with unit_of_work(owner, tenant_id=None) as session:
        made = services.create_tenant(
            session, clock, slug=f"t{next(_slugs)}", name="any", zone="Asia/Shanghai"
        )
    tree = Tree(made.id)
    with unit_of_work(app, tenant_id=made.id) as session:
        top = services.top_unit(session, tenant_id=made.id).id
        tree.parent[top], tree.level[top] = None, 0
        for n in range(rng.randint(2, 9)):
            parent = rng.choice([u for u, level in tree.level.items() if level < len(KINDS)])
            level = rng.randint(tree.level[parent] + 1, len(KINDS))
            unit = services.add_unit(
                session,
                clock,
                tenant_id=made.id,
                parent_id=parent,
                kind=KINDS[level - 1],
                name=f"u{n}",
            ).id
            tree.parent[unit], tree.level[unit] = parent, level
        for n in range(rng.randint(2, 8)):
            _live_a_life(session, clock, tree, rng, n)
    return tree


def _live_a_life(
    session: Session, clock: ManualClock, tree: Tree, rng: random.Random, n: int
) -> None:
    units = list(tree.parent)
    home = rng.choice(units)
    hired_on = TODAY + timedelta(days=rng.choice([-300, -300, -300, 0, 1]))
    person = services.hire_employee(
        session,
        clock,
        tenant_id=tree.tenant_id,
        number=f"{n}",
        name=f"p{n}",
        unit_id=home,
        hired_on=hired_on,
    ).id
    tree.place[person] = home if hired_on <= TODAY else None
    if hired_on >= TODAY or rng.random() < 0.4:
        return
    change_on = TODAY + timedelta(days=rng.choice([-30, -1, 0, 1]))
    past = change_on <= TODAY
    if rng.random() < 0.5:
        target = rng.choice(units)
        services.move_employee(
            session,
            clock,
            tenant_id=tree.tenant_id,
            employee_id=person,
            unit_id=target,
            from_on=change_on,
        )
        tree.place[person] = target if past else home
    else:
        services.end_employment(
            session, clock, tenant_id=tree.tenant_id, employee_id=person, left_on=change_on
        )
        tree.place[person] = None if past else home


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(seed=st.integers(0, 2**32), data=st.data())
def test_the_scope_holds_exactly_what_the_reference_allows(
    owner_sessions: sessionmaker[Session],
    app_sessions: sessionmaker[Session],
    seed: int,
    data: st.DataObject,
) -> None:
    tree = grow(owner_sessions, app_sessions, seed)
    grants = data.draw(
        st.lists(
            st.tuples(st.sampled_from(list(Role)), st.sampled_from(list(tree.parent))), max_size=3
        )
    )
    own = data.draw(st.sampled_from([None, *tree.place]))
    who = _principal(tree.tenant_id, tuple(grants), own)
    with unit_of_work(app_sessions, tenant_id=tree.tenant_id) as session:
        for action in Action:
            scope = set(session.scalars(employees_in_scope(who, action, now=NOW)))
            allowed = {p for p in tree.place if tree.allows(who, action, p)}
            assert scope == allowed, action
            decided = {
                p
                for p, unit in tree.place.items()
                if can(who, action, unit_path=frozenset(tree.path(unit)), is_self=p == own)
            }
            assert decided == allowed, action
            units = set(session.scalars(units_in_scope(who, action, now=NOW)))
            assert units == {
                u
                for u in tree.parent
                if any(g in tree.path(u) and action.value in REFERENCE[r.value] for r, g in grants)
            }, action


def test_a_foreign_and_an_absent_person_give_the_same_answer(
    world: World, app_sessions: sessionmaker[Session]
) -> None:
    alpha, beta = world.alpha, world.beta
    who = _principal(alpha.id, ((Role.SUPERVISOR, alpha.units["north"]),), None)
    with unit_of_work(app_sessions, tenant_id=alpha.id) as session:
        seen = scoped_employee(session, who, Action.VIEW_TRACK, alpha.people["employee"], now=NOW)
        assert seen.unit_id == alpha.units["n1"]
        outside = (alpha.people["other_branch"], beta.people["employee"], uuid4())
        answers = []
        for person in outside:
            with pytest.raises(NotFound) as refusal:
                scoped_employee(session, who, Action.VIEW_TRACK, person, now=NOW)
            answers.append((refusal.value.code, refusal.value.detail, refusal.value.fields))
        assert answers[0] == answers[1] == answers[2]
        for unit in (alpha.units["s1"], alpha.units["group"], beta.units["north"], uuid4()):
            with pytest.raises(NotFound):
                scoped_unit(session, who, Action.EDIT_POSTS, unit, now=NOW)


def test_of_a_past_day_the_membership_of_that_day_counts(
    world: World, app_sessions: sessionmaker[Session]
) -> None:
    alpha = world.alpha
    mover, moved_on = alpha.people["employee"], NOW.date() - timedelta(days=1)
    north = _principal(alpha.id, ((Role.SUPERVISOR, alpha.units["north"]),), None)
    south = _principal(alpha.id, ((Role.SUPERVISOR, alpha.units["south"]),), None)
    with unit_of_work(app_sessions, tenant_id=alpha.id) as session:
        services.move_employee(
            session,
            world.clock,
            tenant_id=alpha.id,
            employee_id=mover,
            unit_id=alpha.units["s1"],
            from_on=moved_on,
        )

        def sees(who: Principal, on: date | None) -> bool:
            scope = employees_in_scope(who, Action.VIEW_TRACK, now=NOW, on=on)
            seen = mover in set(session.scalars(scope))
            try:
                scoped_employee(session, who, Action.VIEW_TRACK, mover, now=NOW, on=on)
            except NotFound:
                assert not seen
            else:
                assert seen
            return seen

        before = moved_on - timedelta(days=1)
        assert [sees(who, on) for who in (north, south) for on in (before, moved_on, None)] == [
            *(True, False, False),
            *(False, True, True),
        ]


def test_a_forged_principal_of_another_tenant_finds_nothing_behind_the_wall(
    world: World, app_sessions: sessionmaker[Session]
) -> None:
    alpha, beta = world.alpha, world.beta
    forged = _principal(beta.id, ((Role.SUPERVISOR, beta.units["group"]),), None)
    with unit_of_work(app_sessions, tenant_id=alpha.id) as session:
        scope = employees_in_scope(forged, Action.VIEW_LIVE, now=NOW)
        assert session.scalars(scope).all() == []
    with unit_of_work(app_sessions, tenant_id=beta.id) as session:
        assert len(session.scalars(scope).all()) > 5
        assert session.scalars(select(1).where(~scope.exists())).all() == []


def _principal(
    tenant_id: int, grants: tuple[tuple[Role, UUID], ...], own: UUID | None
) -> Principal:
    return Principal(
        tenant_id=tenant_id,
        tenant_slug="any",
        account_id=uuid4(),
        employee_id=own,
        name="Ann",
        login="ann",
        locale="en",
        theme=None,
        zone="Asia/Shanghai",
        grants=grants,
        epoch=0,
    )
