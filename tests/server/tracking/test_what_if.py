"""Trials on stored facts: the same as saving and judging again, scoped, bounded, cancelable."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from redis import Redis
from sqlalchemy import Engine as Database
from sqlalchemy import select, text

from fixtures.stack import DatabaseUrls
from geo.what_if import Flip, FlipKind, Stretch, compare
from server.clock import ManualClock
from server.db import tables
from server.db.engine import make_engine
from server.errors import Conflict, InvalidInput, NotFound
from server.findings.rules import DayKey
from server.people.policy import units_in_scope
from server.people.rules import Action, Principal, Role
from server.posts.queries import PolicyKind, get_post, policy_versions, post_history
from server.posts.services import reshape_post, set_policy
from server.tracking.engine import Engine
from server.tracking.replayer import Replayer
from server.tracking.retention import forget_past_retention
from server.tracking.services import detect_presence_of_day
from server.tracking.what_if import (
    GIVEN_UP,
    ask_what_if,
    cancel_what_if,
    claim_run,
    replay_batch,
    replay_days,
)
from server.tracking.what_if_queries import (
    FlipSort,
    RunView,
    any_run,
    flips_of_run,
    own_run,
    recent_runs,
)
from server.tracking.what_if_rules import FamilyTrial, RunState, Trial, span_of
from server.tracking.what_if_saving import save_fence, save_policy
from server.tracking.what_if_trials import family_trial, post_trial
from tests.conftest import StatementCount
from tests.factories.canaries import NOON, WORK_ON, Marked, live_the_day
from tests.factories.company import DAY, Company
from tests.factories.phones import (
    NINE,
    SIX,
    Phone,
    at_post,
    away,
    derived_rows,
    minutes,
    phone,
    worker,
)
from tests.factories.world import ZONE, TenantWorld, World, build_world

Counter = Callable[[Database], AbstractContextManager[StatementCount]]
AFTERWARDS = SIX + timedelta(days=2)


def thresholds(kind: PolicyKind = PolicyKind.OFF_POST, /, **params: float) -> Trial:
    return Trial(families=(FamilyTrial(kind=kind, params=params, before={}, based_on=0),))


# One absence of 12 minutes, one of 25, one of 15 that is 125 m out, and one into silence.
def eventful(who: Phone) -> None:
    who.send(
        [
            *at_post(who, NINE - minutes(5), NINE + minutes(30)),
            *away(who, NINE + minutes(30), NINE + minutes(42)),
            *at_post(who, NINE + minutes(42), NINE + minutes(100)),
            *away(who, NINE + minutes(100), NINE + minutes(125)),
            *at_post(who, NINE + minutes(125), NINE + minutes(200)),
            *away(who, NINE + minutes(200), NINE + minutes(215), east_m=160.0),
            *at_post(who, NINE + minutes(215), NINE + minutes(300)),
            *away(who, NINE + minutes(300), NINE + minutes(320)),
            *at_post(who, NINE + minutes(400), SIX),
        ]
    )


@pytest.fixture
def engine(acme: Company, redis_client: Redis) -> Engine:
    return worker(acme, redis_client)


def judged(acme: Company, who: Phone) -> list[Stretch]:
    """What the engine says of the day now."""
    with acme.engine_transaction() as session:
        detect_presence_of_day(
            session,
            acme.clock,
            tenant_id=acme.tenant_id,
            employee_id=who.employee_id,
            work_on=DAY,
        )
        rows = session.execute(
            text(
                "SELECT starts_at, ends_at, evidence FROM findings"
                " WHERE kind = 'off_post' AND state <> 'retracted' AND employee_id = :who"
            ),
            {"who": who.employee_id},
        ).all()
    return [
        Stretch(start, end, said["figures"]["duration_s"], said["figures"]["margin_m"])
        for start, end, said in rows
    ]


def replayed(acme: Company, who: Phone, trial: Trial) -> list[Flip]:
    with acme.transaction() as session:
        (day,) = replay_days(
            session,
            [DayKey(acme.tenant_id, who.employee_id, DAY)],
            trial,
            now=acme.clock.now(),
        )
    assert day.flips is not None
    return [flip for _post, flip in day.flips]


@pytest.mark.parametrize(
    ("kind", "params", "kinds"),
    [
        (PolicyKind.OFF_POST, {"min_outside_s": 780.0}, {FlipKind.DISAPPEARED}),
        (PolicyKind.OFF_POST, {"min_outside_s": 0.0}, set()),
        (PolicyKind.OFF_POST, {"settle_s": 6_600.0}, {FlipKind.DISAPPEARED, FlipKind.SHORTER}),
        (PolicyKind.PRESENCE, {"buffer_min_m": 150.0}, {FlipKind.DISAPPEARED}),
        (PolicyKind.PRESENCE, {"max_gap_s": 7_200.0}, {FlipKind.LONGER}),
    ],
)
def test_a_replay_says_what_the_engine_says_once_the_policy_is_saved(
    acme: Company, kind: PolicyKind, params: dict[str, float], kinds: set[FlipKind]
) -> None:
    who = phone(acme)
    eventful(who)
    acme.clock.at = AFTERWARDS
    before = judged(acme, who)
    told = derived_rows(acme, with_retracted=True)
    flips = replayed(acme, who, thresholds(kind, **params))
    assert derived_rows(acme, with_retracted=True) == told, "a replay writes nothing"
    acme.clock.at = NINE - minutes(30)
    with acme.transaction() as session:
        set_policy(session, acme.clock, tenant_id=acme.tenant_id, kind=kind, params=params)
    acme.clock.at = AFTERWARDS
    assert flips == list(compare(before, judged(acme, who)))
    assert {flip.kind for flip in flips} == kinds


@pytest.mark.parametrize(
    "values",
    [
        {"radius_m": 150.0, "grace_s": None, "buffer_m": None},
        {"radius_m": 30.0, "grace_s": 780, "buffer_m": 0.0},
        {"radius_m": None, "grace_s": None, "buffer_m": 80.0},
    ],
)
def test_a_replay_says_what_the_engine_says_once_the_fence_is_saved(
    acme: Company, engine: Engine, values: dict[str, Any]
) -> None:
    who = phone(acme)
    eventful(who)
    acme.clock.at = AFTERWARDS
    before = judged(acme, who)
    with acme.transaction() as session:
        units = select(tables.units.c.id)
        post = get_post(session, units, post_id=acme.post_id, at=acme.clock.now())
        assert post is not None
        trial = Trial(post=post_trial(post, **values))
    flips = replayed(acme, who, trial)
    assert post.shape is not None
    radius_m = values["radius_m"] or post.shape["radius_m"]
    with acme.transaction() as session:
        reshape_post(
            session,
            acme.clock,
            tenant_id=acme.tenant_id,
            post_id=acme.post_id,
            shape={**post.shape, "radius_m": radius_m},
            grace_s=values["grace_s"],
            buffer_m=values["buffer_m"],
            valid_from_at=NINE - minutes(30),
        )
    engine.run_until_idle()
    assert flips == list(compare(before, judged(acme, who)))
    assert flips


def test_a_post_without_a_limit_of_its_own_has_the_policys(acme: Company) -> None:
    who = phone(acme)
    eventful(who)
    acme.clock.at = AFTERWARDS
    assert len(replayed(acme, who, thresholds(min_outside_s=780))) == 1
    with acme.transaction() as session:
        (version,) = post_history(session, tenant_id=acme.tenant_id, post_id=acme.post_id)
        assert version.grace_s is None
        reshape_post(
            session,
            acme.clock,
            tenant_id=acme.tenant_id,
            post_id=acme.post_id,
            shape=version.geofence.to_geojson(),
            grace_s=600,
            valid_from_at=NINE - minutes(30),
        )
    assert replayed(acme, who, thresholds(min_outside_s=780)) == []


@settings(max_examples=25)
@given(minute=st.integers(0, 525_600))
def test_the_past_month_is_what_is_over_and_still_there(minute: int) -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minute)
    first, last = span_of(None, None, now=now, today=now.date())
    assert last == now.date() - timedelta(days=1)
    assert timedelta(days=26) <= last - first <= timedelta(days=30)
    assert span_of(date(2020, 1, 1), date(2030, 1, 1), now=now, today=now.date()) == (first, last)
    nothing = span_of(now.date(), now.date(), now=now, today=now.date())
    assert nothing[0] > nothing[1]


@pytest.mark.parametrize("trial", [thresholds(min_fixes=3)])
def test_a_trial_survives_being_kept(trial: Trial) -> None:
    assert Trial.from_json(trial.to_json()) == trial
    assert trial.changes() == [("off_post", "min_fixes", None, 3)]
    assert replace(trial, families=()).changes() == []


# ---- runs of accounts, on the marked day of both branches


@pytest.fixture(scope="module")
def world(module_database: DatabaseUrls) -> World:
    return build_world(module_database, ManualClock(NOON))


@pytest.fixture(scope="module")
def marked(world: World, module_database: DatabaseUrls) -> Marked:
    return live_the_day(world, module_database)


@pytest.fixture
def house(world: World, marked: Marked, module_database: DatabaseUrls) -> Iterator["House"]:
    made = House(world.alpha, marked, module_database)
    yield made
    made.close()


class House:
    """The marked day, two days later."""

    def __init__(self, tenant: TenantWorld, marked: Marked, urls: DatabaseUrls) -> None:
        self.tenant, self.marked = tenant, marked
        self.company = _company(tenant, urls)
        self.clock = self.company.clock
        with self.company.owner.begin() as connection:
            connection.execute(text("DELETE FROM what_if_runs"))

    def close(self) -> None:
        for engine in (
            self.company.app, self.company.engine, self.company.ingest, self.company.owner,
        ):  # fmt: skip
            engine.dispose()

    def who(self, name: str, *grants: tuple[Role, str]) -> Principal:
        login = self.tenant.logins[name]
        return Principal(
            tenant_id=self.tenant.id,
            tenant_slug=self.tenant.slug,
            account_id=login.account_id,
            employee_id=login.employee_id,
            name=name,
            login=name,
            locale="en",
            theme=None,
            zone=ZONE,
            grants=tuple((role, self.tenant.units[unit]) for role, unit in grants),
            epoch=0,
        )

    def ask(self, who: Principal, trial: Trial | None = None, **options: Any) -> UUID:
        with self.company.transaction() as session:
            return ask_what_if(
                session, self.clock, who, trial=trial or thresholds(min_outside_s=7_200), **options
            )

    def run(self) -> None:
        replayer = Replayer(self.company.sessions(self.company.engine), self.clock, rests=False)
        while replayer.run_once():
            pass

    def view(self, who: Principal, run_id: UUID) -> RunView:
        with self.company.transaction() as session:
            return own_run(session, who, run_id, now=self.clock.now())

    def names(self, who: Principal, run_id: UUID) -> set[UUID]:
        with self.company.transaction() as session:
            rows, _counts = flips_of_run(session, who, run_id, now=self.clock.now())
        return {row.employee_id for row in rows}

    def people(self, *names: str) -> set[UUID]:
        return {self.tenant.people[name] for name in names}


def _company(tenant: TenantWorld, urls: DatabaseUrls) -> Company:
    app, engine, ingest, owner = (
        make_engine(url) for url in (urls.app, urls.engine, urls.ingest, urls.owner)
    )
    clock = ManualClock(NOON + timedelta(days=2))
    return Company(urls, clock, app, engine, ingest, owner, tenant_id=tenant.id)


def test_a_run_that_cannot_be_read_fails_and_keeps_no_other_waiting(house: House) -> None:
    north, south = house.who("supervisor_north", NORTH), house.who("supervisor_south", SOUTH)
    bad = house.ask(north)
    house.clock.advance(timedelta(seconds=1))
    good = house.ask(south)
    with house.company.owner.begin() as connection:
        connection.execute(text("UPDATE what_if_runs SET trial = '[]' WHERE id = :id"), {"id": bad})
    replayer = Replayer(house.company.sessions(house.company.engine), house.clock, rests=False)
    for _ in range(2):
        replayer.run_once()
    assert house.view(south, good).state is RunState.DONE
    with house.company.owner.begin() as connection:
        state = connection.scalar(
            text("SELECT state FROM what_if_runs WHERE id = :id"), {"id": bad}
        )
    assert state == RunState.FAILED


NORTH = (Role.SUPERVISOR, "north")
SOUTH = (Role.SUPERVISOR, "south")


def test_a_run_judges_whom_its_asker_leads_and_nobody_else(house: House) -> None:
    north, south = house.who("supervisor_north", NORTH), house.who("supervisor_south", SOUTH)
    ids = {who.name: house.ask(who) for who in (north, south)}
    assert house.view(north, ids["supervisor_north"]).state is RunState.WAITING
    house.run()
    view = house.view(north, ids["supervisor_north"])
    assert view.state is RunState.DONE
    # Four days: three people, and who moved to south on the day after.
    assert (view.people, view.days_total, view.days_done, view.days_flipped) == (4, 4, 4, 4)
    assert view.counts == {"appeared": 0, "disappeared": 4, "longer": 0, "shorter": 0}
    assert house.names(north, view.id) == house.people("employee", "peer", "other_team", "mover")
    assert house.names(south, ids["supervisor_south"]) == house.people("other_branch", "mover")
    with pytest.raises(NotFound), house.company.transaction() as session:
        own_run(session, south, view.id, now=house.clock.now())


def test_rights_lost_since_a_run_was_asked_count(house: House) -> None:
    run_id = house.ask(house.who("supervisor_group", (Role.SUPERVISOR, "group")))
    house.run()
    narrower = house.who("supervisor_group", (Role.MANAGER, "n2"))
    assert house.names(narrower, run_id) == house.people("other_team")
    assert house.names(house.who("supervisor_group"), run_id) == set()


def test_a_unit_and_a_post_narrow_a_run(house: House) -> None:
    north = house.who("supervisor_north", NORTH)
    run_id = house.ask(north, unit_id=house.tenant.units["n2"])
    house.run()
    assert house.names(north, run_id) == house.people("other_team")
    with pytest.raises(NotFound):
        house.ask(north, unit_id=house.tenant.units["s1"])
    with house.company.transaction() as session:
        units = units_in_scope(north, Action.VIEW_POSTS, now=house.clock.now())
        post = get_post(
            session, units, post_id=house.marked.posts["alpha", "north"], at=house.clock.now()
        )
        assert post is not None
    wide = Trial(post=post_trial(post, radius_m=2_000.0, grace_s=None, buffer_m=None))
    run_id = house.ask(north, wide, first_on=WORK_ON)
    house.run()
    view = house.view(north, run_id)
    assert (view.days_total, view.counts["disappeared"]) == (3, 3)


def test_one_run_at_a_time_and_cancelled_runs_leave_nothing(house: House) -> None:
    north = house.who("supervisor_north", NORTH)
    run_id = house.ask(north)
    with pytest.raises(Conflict, match="what_if_running"):
        house.ask(north)
    house.ask(house.who("supervisor_south", SOUTH))
    with pytest.raises(NotFound), house.company.transaction() as session:
        cancel_what_if(session, house.clock, house.who("supervisor_south", SOUTH), run_id)
    with house.company.engine_transaction() as session:
        claim = claim_run(session, now=house.clock.now())
    assert claim is not None
    with house.company.engine_transaction() as session:
        assert replay_batch(session, claim, now=house.clock.now())
    with house.company.transaction() as session:
        cancel_what_if(session, house.clock, north, run_id)
    with house.company.engine_transaction() as session:
        assert not replay_batch(session, claim, now=house.clock.now())
    assert house.view(north, run_id).state is RunState.CANCELLED
    assert house.names(north, run_id) == set()
    with pytest.raises(Conflict, match="what_if_over"), house.company.transaction() as session:
        cancel_what_if(session, house.clock, north, run_id)
    house.ask(north)


def test_a_run_whose_process_died_goes_on_elsewhere(house: House) -> None:
    run_id = house.ask(house.who("supervisor_north", NORTH))
    with house.company.engine_transaction() as session:
        dead = claim_run(session, now=house.clock.now())
    assert dead is not None
    with house.company.engine_transaction() as session:
        assert claim_run(session, now=house.clock.now()) is None
    house.clock.advance(GIVEN_UP + timedelta(seconds=1))
    house.run()
    assert house.view(house.who("supervisor_north"), run_id).state is RunState.DONE
    with house.company.engine_transaction() as session:
        assert not replay_batch(session, dead, now=house.clock.now())


def test_a_run_that_kills_its_process_again_and_again_fails(house: House) -> None:
    run_id = house.ask(house.who("supervisor_north", NORTH))
    for _ in range(6):
        with house.company.engine_transaction() as session:
            claim_run(session, now=house.clock.now())
        house.clock.advance(GIVEN_UP + timedelta(seconds=1))
    assert house.view(house.who("supervisor_north"), run_id).state is RunState.FAILED


def test_results_are_kept_for_a_day(house: House) -> None:
    north = house.who("supervisor_north", NORTH)
    run_id = house.ask(north)
    house.run()
    with house.company.transaction() as session:
        now = house.clock.now()
        assert [run.id for run in recent_runs(session, tenant_id=house.tenant.id, now=now)] == [
            run_id
        ]
    house.clock.advance(timedelta(days=1, seconds=1))
    with pytest.raises(NotFound):
        house.view(north, run_id)
    with house.company.owner.begin() as connection:
        assert forget_past_retention(connection, house.clock).what_ifs == 1
        assert not connection.scalar(text("SELECT count(*) FROM what_if_flips"))


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"trial": thresholds()}, "nothing_changed"),
        ({"last_on": date(2026, 1, 1)}, "nothing_to_replay"),
    ],
)
def test_runs_about_nothing_are_refused(
    house: House, options: Mapping[str, Any], code: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        house.ask(house.who("supervisor_north", NORTH), **options)
    assert refused.value.code == code
    with pytest.raises(InvalidInput, match="nothing_to_replay"):
        house.ask(house.who("admin", (Role.ADMIN, "group")))


def test_flips_are_ordered_filtered_and_paged(house: House) -> None:
    north = house.who("supervisor_north", NORTH)
    run_id = house.ask(north)
    house.run()
    with house.company.transaction() as session:
        now = house.clock.now()
        for sort in FlipSort:
            rows, counts = flips_of_run(
                session, north, run_id, now=now, sort=sort, descending=False
            )
            assert (len(rows), counts["disappeared"]) == (4, 4)
            assert rows[0].after_s == 0
            assert rows[0].post_name == f"hall {house.tenant.canary('north')}"
        rows, _counts = flips_of_run(session, north, run_id, now=now, kinds=[FlipKind.LONGER])
        assert rows == []
        rows, _counts = flips_of_run(session, north, run_id, now=now, limit=2, offset=3)
        assert len(rows) == 1


def test_what_was_tried_is_saved_in_one_step_with_what_it_showed(house: House) -> None:
    admin = house.who("supervisor_group", (Role.SUPERVISOR, "group"), (Role.ADMIN, "group"))
    with house.company.transaction() as session:
        now = house.clock.now()
        family = family_trial(
            session,
            tenant_id=house.tenant.id,
            kind=PolicyKind.OFF_POST,
            values={"min_outside_s": 7_200, "settle_s": 0},
            now=now,
        )
    assert (dict(family.params), family.based_on) == ({"min_outside_s": 7_200}, 0)
    run_id = house.ask(admin, Trial(families=(family,)))
    with pytest.raises(Conflict, match="what_if_not_done"), house.company.transaction() as session:
        save_policy(session, house.clock, admin, house.view(admin, run_id))
    house.run()
    with house.company.transaction() as session:
        view = any_run(session, tenant_id=house.tenant.id, run_id=run_id, now=now)
        assert save_policy(session, house.clock, admin, view, note="too many alerts") == {
            PolicyKind.OFF_POST: 1
        }
    with house.company.transaction() as session:
        (version,) = policy_versions(session, tenant_id=house.tenant.id)
        assert (version.by, version.note) == ("supervisor_group", "too many alerts")
        assert version.trial is not None
        assert (version.trial["run_id"], version.trial["disappeared"]) == (str(run_id), 6)
    with pytest.raises(Conflict) as refused, house.company.transaction() as session:
        save_policy(session, house.clock, admin, view)
    assert refused.value.code == "policy_changed"


def test_a_fence_that_was_tried_is_saved_unless_another_came_first(house: House) -> None:
    north = house.who("supervisor_north", NORTH)

    def present() -> Any:
        with house.company.transaction() as session:
            units = units_in_scope(north, Action.EDIT_POSTS, now=house.clock.now())
            return get_post(
                session, units, post_id=house.marked.posts["alpha", "north"], at=house.clock.now()
            )

    trial = Trial(post=post_trial(present(), radius_m=300.0, grace_s=1_200, buffer_m=None))
    run_id = house.ask(north, trial)
    house.run()
    house.clock.advance(timedelta(minutes=1))
    with house.company.transaction() as session:
        save_fence(session, house.clock, north, house.view(north, run_id), present())
    house.clock.advance(timedelta(minutes=1))
    post = present()
    assert (post.version, post.shape["radius_m"], post.grace_s) == (2, 300.0, 1_200)
    with (
        pytest.raises(Conflict, match="version_not_after_latest"),
        house.company.transaction() as session,
    ):
        save_fence(session, house.clock, north, house.view(north, run_id), post)


def test_a_hundred_days_take_a_bounded_number_of_statements(
    acme: Company, statement_counter: Counter
) -> None:
    """Two batches of fifty days, of many people or of few over many dates."""
    people = [phone(acme, name=f"人{n}") for n in range(4)]
    for who in people:
        for back in range(1, 26):
            acme.roster(who.employee_id, on_date=DAY - timedelta(days=back))
    acme.clock.at = NINE
    for who in people:
        who.send([who.fix(NINE)])
    keys = [
        DayKey(acme.tenant_id, who.employee_id, DAY - timedelta(days=back))
        for who in people
        for back in range(25)
    ]
    trial = thresholds(min_outside_s=60)
    with acme.engine_transaction() as session, statement_counter(acme.engine) as few:
        replay_days(session, keys[:2], trial, now=acme.clock.now())
    with acme.engine_transaction() as session, statement_counter(acme.engine) as many:
        replay_days(session, keys[:50], trial, now=acme.clock.now())
        replay_days(session, keys[50:], trial, now=acme.clock.now())
    assert many.count <= 2 * few.count <= 20
