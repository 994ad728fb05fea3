"""A day in the life of both branches of both twins, every text and place marked.

Whoever sees the mark of a branch that is not theirs has found a hole in the wall. Marks of
places are prefixes of the longitude; everything of a branch lies within 500 m of its post.
"""

import re
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from itertools import count
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session, sessionmaker

from fixtures.stack import DatabaseUrls
from server.audit.models import Purpose
from server.audit.services import record_looks
from server.carriers.egress import Egress
from server.carriers.services import ProviderDraft, ProviderKind, add_provider
from server.claims.services import audit_due, save_draft, submit_claim
from server.clock import ManualClock
from server.crypto import Vault
from server.db.engine import make_engine, make_session_factory
from server.db.session import unit_of_work
from server.findings.models import Finding
from server.findings.rules import DayKey, FindingDraft, FindingKind
from server.findings.services import sync_findings
from server.imports.bearer import Bearer
from server.imports.kinds import Kind
from server.imports.planning import Options
from server.imports.services import check_import, receive_file
from server.people.policy import units_in_scope
from server.people.rules import Action, Principal, Role
from server.posts.queries import ExcusalKind, PolicyKind, get_post
from server.posts.services import assign_shift, create_post, create_shift, excuse
from server.sites.rules import SiteFacts
from server.sites.services import add_sites
from server.tracking.replayer import Replayer
from server.tracking.services import detect_presence_of_day
from server.tracking.what_if import ask_what_if
from server.tracking.what_if_rules import FamilyTrial, Trial
from server.tracking.what_if_trials import post_trial
from server.visits.rules import VisitDraft, VisitType
from server.visits.services import assign_visits, verify_due
from tests.factories.findings import sign_evidence
from tests.factories.footprints import absence
from tests.factories.world import MOVED_ON, ZONE, TenantWorld, World

WORK_ON = MOVED_ON
DAY_BEFORE = WORK_ON - timedelta(days=1)
NOON = datetime(2026, 11, 18, 4, 0, tzinfo=UTC)
_NINE = datetime(2026, 11, 18, 1, 0, tzinfo=UTC)

PLACES: dict[tuple[str, str], tuple[float, float]] = {
    ("alpha", "north"): (24.91123, 60.11123),
    ("alpha", "south"): (25.92123, 60.22123),
    ("beta", "north"): (26.93123, 61.33123),
    ("beta", "south"): (27.94123, 62.44123),
}
"""Longitude and latitude of each branch's post."""

_STAFF = {"north": ("employee", "peer", "other_team"), "south": ("other_branch", "mover")}
MOVES = {"moved": DAY_BEFORE, "arrived": WORK_ON}
"""Days of `mover`: the last in north, the first in south."""
_POST_UNIT = {"north": "n1", "south": "s1"}
_keys = count(1)
_FIX = text(
    "INSERT INTO fixes (tenant_id, device_id, fixed_at, msg_key, employee_id, received_at, "
    "position, accuracy_m, speed_mps, battery_pct, source, flags, via, raw) VALUES (:tenant, "
    ":device, :at, :key, :employee, :at, ST_SetSRID(ST_MakePoint(:lon, :lat), 4326), 8, 0.5, "
    "70, 'gps', 0, 'mqtt', '')"
)
_LAST = text(
    "INSERT INTO last_positions (tenant_id, employee_id, device_id, fixed_at, received_at, "
    "msg_key, position, accuracy_m, battery_pct, source) SELECT DISTINCT ON (employee_id) "
    "tenant_id, employee_id, device_id, fixed_at, received_at, msg_key, position, accuracy_m, "
    "battery_pct, source FROM fixes ORDER BY employee_id, fixed_at DESC"
)


@dataclass(slots=True)
class Marked:
    """What the marked day holds, by (tenant, branch)."""

    posts: dict[tuple[str, str], UUID] = field(default_factory=dict)
    entries: dict[tuple[str, str], UUID] = field(default_factory=dict)
    """Roster entry of the first of the branch's staff."""
    shifts: dict[tuple[str, str], UUID] = field(default_factory=dict)
    sites: dict[tuple[str, str], UUID] = field(default_factory=dict)
    imports: dict[tuple[str, str], UUID] = field(default_factory=dict)
    """A checked file of sites that the branch's supervisor brought."""
    runs: dict[tuple[str, str], UUID] = field(default_factory=dict)
    """Other thresholds that the branch's supervisor tried, two days later."""
    fence_runs: dict[tuple[str, str], UUID] = field(default_factory=dict)
    """The same of the branch's post with a larger radius."""
    claims: dict[tuple[str, str], UUID] = field(default_factory=dict)
    """A claim of the first of the branch's staff that was handed in and checked."""
    drafts: dict[tuple[str, str], UUID] = field(default_factory=dict)
    excusals: dict[tuple[str, str], UUID] = field(default_factory=dict)
    visits: dict[tuple[str, str], UUID] = field(default_factory=dict)
    """Of the first of the branch's staff, and of `mover` as `findings`."""
    providers: dict[tuple[str, str], UUID] = field(default_factory=dict)
    """Carriers belong to the whole tenant; there are two, for tests that remove one."""
    findings: dict[tuple[str, str], UUID] = field(default_factory=dict)
    """Also of `mover`: "moved" is the day before in north, "arrived" the first in south."""
    signs: dict[tuple[str, str], UUID] = field(default_factory=dict)
    """Signs of the same days as `findings`."""


def place_marks(slug: str, branch: str) -> re.Pattern[str]:
    """Return the pattern of a branch's longitudes in any text."""
    lon_deg, _lat_deg = PLACES[slug, branch]
    return re.compile(rf"(?<![\d.]){str(lon_deg)[:5].replace('.', '[.]')}\d{{2,}}")


def live_the_day(world: World, urls: DatabaseUrls) -> Marked:
    """Fill the world with a marked day: posts, roster, fixes, findings, looks.

    Each person walks 400 m away from the post from 10:00 to 10:25, so that each has an
    off-post finding; `mover` does so in north on the day before, too.
    """
    clock = ManualClock(NOON)
    marked = Marked()
    app, engine, ingest = (
        make_engine(u, pool_size=1) for u in (urls.app, urls.engine, urls.ingest)
    )
    try:
        for slug, branch in PLACES:
            tenant = world.tenants[slug]
            with unit_of_work(make_session_factory(app), tenant_id=tenant.id) as session:
                _plan(session, clock, tenant, branch, marked)
            marked.imports[slug, branch] = _bring(make_session_factory(app), clock, tenant, branch)
            with unit_of_work(make_session_factory(ingest), tenant_id=None) as session:
                for name, on in _days(branch):
                    session.execute(_FIX, _walk(tenant, branch, name, on))
        with unit_of_work(make_session_factory(engine), tenant_id=None) as session:
            _judge(session, clock, world, marked)
            assert verify_due(session, clock, limit=100) >= len(marked.visits)
        audit_due(make_session_factory(engine), clock)
        with unit_of_work(make_session_factory(ingest), tenant_id=None) as session:
            session.execute(_LAST)
        for slug, branch in PLACES:
            _try(
                make_session_factory(app),
                make_session_factory(engine),
                world.tenants[slug],
                branch,
                marked,
            )
    finally:
        for each in (app, engine, ingest):
            each.dispose()
    return marked


def _days(branch: str) -> list[tuple[str, date]]:
    """Return who was to be at a branch's post on which date."""
    moved = [("mover", DAY_BEFORE)] if branch == "north" else []
    return [*((name, WORK_ON) for name in _STAFF[branch]), *moved]


def _plan(
    session: Session, clock: ManualClock, tenant: TenantWorld, branch: str, marked: Marked
) -> None:
    lon_deg, lat_deg = PLACES[tenant.slug, branch]
    post_id = create_post(
        session,
        clock,
        tenant_id=tenant.id,
        unit_id=tenant.units[_POST_UNIT[branch]],
        name=f"hall {tenant.canary(branch)}",
        address=f"street {tenant.canary(branch)}",
        zone=ZONE,
        shape={"type": "Point", "coordinates": [lon_deg, lat_deg], "radius_m": 100},
        valid_from_at=NOON - timedelta(days=30),
    )
    marked.posts[tenant.slug, branch] = post_id
    site = SiteFacts(
        number=f"C-{branch}",
        name=f"customer {tenant.canary(branch)}",
        unit_id=tenant.units[_POST_UNIT[branch]],
        position=(lon_deg, lat_deg),
    )
    (site_id,) = add_sites(session, clock, tenant_id=tenant.id, sites=[site])
    marked.sites[tenant.slug, branch] = site_id
    marked.providers[tenant.slug, branch] = add_provider(
        session,
        clock,
        vault=Vault(bytes(32)),
        egress=Egress(),
        tenant_id=tenant.id,
        draft=ProviderDraft(
            name=f"carrier-{branch}", kind=ProviderKind.MLP, url="https://127.0.0.1:1/"
        ),
    )
    shift_id = create_shift(
        session, tenant_id=tenant.id, name=f"day of {branch}", starts=time(9), ends=time(18)
    )
    marked.shifts[tenant.slug, branch] = shift_id
    marked.excusals[tenant.slug, branch] = excuse(
        session,
        clock,
        tenant_id=tenant.id,
        employee_id=tenant.people[_STAFF[branch][0]],
        kind=ExcusalKind.LEAVE,
        starts_at=NOON + timedelta(days=20),
        ends_at=NOON + timedelta(days=21),
        note=f"leave {tenant.canary(branch)}",
    )
    marked.drafts[tenant.slug, branch] = _claim(session, tenant, branch)
    marked.claims[tenant.slug, branch] = claim_id = _claim(session, tenant, branch)
    submit_claim(
        session,
        clock,
        tenant_id=tenant.id,
        employee_id=tenant.people[_STAFF[branch][0]],
        claim_id=claim_id,
        zone=ZONE,
    )
    for name, on in _days(branch):
        entry_id = assign_shift(
            session,
            clock,
            tenant_id=tenant.id,
            employee_id=tenant.people[name],
            shift_id=shift_id,
            on_date=on,
            post_id=post_id,
            zone=ZONE,
        )
        marked.entries.setdefault((tenant.slug, branch), entry_id)
        nine = _NINE + (on - WORK_ON)
        visit = VisitDraft(
            employee_id=tenant.people[name],
            site_id=site_id,
            kind=VisitType.REGULAR,
            starts_at=nine,
            # Too short to be verified: it excuses nothing of what follows.
            ends_at=nine + timedelta(minutes=8),
            note=f"note {tenant.canary(branch)}",
        )
        [visit_id] = assign_visits(session, clock, tenant_id=tenant.id, zone=ZONE, drafts=[visit])
        side = branch if name != "mover" else "moved" if on == DAY_BEFORE else "arrived"
        marked.visits.setdefault((tenant.slug, side), visit_id)
        _look(session, tenant, name, branch)


def _claim(session: Session, tenant: TenantWorld, branch: str) -> UUID:
    """Write a claim of the morning's kilometres."""
    name = _STAFF[branch][0]
    line = {
        "id": "1",
        "kind": "mileage",
        "start": _NINE.isoformat(),
        "end": (_NINE + timedelta(hours=2)).isoformat(),
        "km": "1.0",
    }
    return save_draft(
        session,
        tenant_id=tenant.id,
        zone=ZONE,
        employee_id=tenant.people[name],
        document={"currency": "CNY", "rate_per_km": "1.20", "lines": [line, line | {"id": "2"}]},
        account_id=tenant.logins[name].account_id,
        reference=f"TC {tenant.canary(branch)}",
    )


def _bring(
    sessions: sessionmaker[Session], clock: ManualClock, tenant: TenantWorld, branch: str
) -> UUID:
    """Let the branch's supervisor bring a file of one site, and have it checked."""
    lon_deg, lat_deg = PLACES[tenant.slug, branch]
    bearer = Bearer.of(_supervisor(tenant, branch))
    mark = tenant.canary(branch)
    lines = (
        "number,name,unit,lon,lat",
        f"D-{branch},file {mark},{branch} {mark},{lon_deg},{lat_deg}",
    )

    def transaction() -> AbstractContextManager[Session]:
        return unit_of_work(sessions, tenant_id=tenant.id)

    with transaction() as session:
        import_id = receive_file(
            session,
            clock,
            bearer=bearer,
            kind=Kind.SITES,
            file_name=f"{tenant.canary(branch)}.csv",
            content="\n".join(lines).encode(),
            options=Options(),
        )
    check_import(transaction, clock, bearer=bearer, import_id=import_id)
    return import_id


def _try(
    app: sessionmaker[Session],
    engine: sessionmaker[Session],
    tenant: TenantWorld,
    branch: str,
    marked: Marked,
) -> None:
    """Let the branch's supervisor try other thresholds and another fence, and work both out."""
    clock, who = ManualClock(NOON + timedelta(days=2)), _supervisor(tenant, branch)
    key, post_id = (tenant.slug, branch), marked.posts[tenant.slug, branch]
    family = FamilyTrial(
        kind=PolicyKind.OFF_POST, params={"min_outside_s": 7_200}, before={}, based_on=0
    )
    for runs in (marked.runs, marked.fence_runs):
        with unit_of_work(app, tenant_id=tenant.id) as session:
            units = units_in_scope(who, Action.VIEW_POSTS, now=clock.now())
            post = get_post(session, units, post_id=post_id, at=clock.now())
            assert post is not None
            trial = Trial(families=(family,))
            if runs is marked.fence_runs:
                trial = Trial(post=post_trial(post, radius_m=900, grace_s=None, buffer_m=None))
            runs[key] = ask_what_if(session, clock, who, trial=trial)
        Replayer(engine, clock, rests=False).run_once()


def _supervisor(tenant: TenantWorld, branch: str) -> Principal:
    login = tenant.logins[f"supervisor_{branch}"]
    return Principal(
        tenant_id=tenant.id,
        tenant_slug=tenant.slug,
        account_id=login.account_id,
        employee_id=login.employee_id,
        name=f"bearer {tenant.canary(branch)}",
        login="",
        locale="en",
        theme=None,
        zone=ZONE,
        grants=((Role.SUPERVISOR, tenant.units[branch]),),
        epoch=0,
    )


def _walk(tenant: TenantWorld, branch: str, name: str, on: date) -> list[dict[str, object]]:
    lon_deg, lat_deg = PLACES[tenant.slug, branch]
    nine = _NINE + (on - WORK_ON)
    return [
        {
            "tenant": tenant.id,
            "device": tenant.devices[name].device_id,
            "employee": tenant.people[name],
            "at": nine + timedelta(minutes=step.minute),
            "key": next(_keys),
            "lon": lon_deg + step.east_m / 55_400.0,
            "lat": lat_deg + step.north_m / 111_400.0,
        }
        for step in absence()
    ]


def _judge(session: Session, clock: ManualClock, world: World, marked: Marked) -> None:
    for slug, branch in PLACES:
        tenant = world.tenants[slug]
        for name, on in _days(branch):
            detect_presence_of_day(
                session,
                clock,
                tenant_id=tenant.id,
                employee_id=tenant.people[name],
                work_on=on,
            )
    for finding in session.query(Finding).where(Finding.kind == "off_post"):
        for slug, branch in PLACES:
            tenant = world.tenants[slug]
            if finding.employee_id == tenant.people[_STAFF[branch][0]]:
                marked.findings[slug, branch] = finding.id
        for move, on in MOVES.items():
            alpha = world.alpha
            if (finding.employee_id, finding.work_on) == (alpha.people["mover"], on):
                marked.findings[alpha.slug, move] = finding.id
    assert len(marked.findings) == len(PLACES) + len(MOVES), "each branch has its alert"
    _note_signs(session, clock, marked)


def _note_signs(session: Session, clock: ManualClock, marked: Marked) -> None:
    """Let the days of the marked alerts show signs, too."""
    drafts = {}
    for key, finding_id in marked.findings.items():
        alert = session.query(Finding).where(Finding.id == finding_id).one()
        drafts[key] = FindingDraft(
            day=DayKey(alert.tenant_id, alert.employee_id, alert.work_on),
            kind=FindingKind.SIGNS,
            roster_entry_id=alert.roster_entry_id,
            post_id=alert.post_id,
            starts_at=alert.starts_at,
            ends_at=alert.ends_at or NOON,
            decided_at=alert.decided_at,
            evidence=sign_evidence(),
        )
    synced = sync_findings(
        session,
        clock,
        days=[draft.day for draft in drafts.values()],
        drafts=list(drafts.values()),
        kinds=(FindingKind.SIGNS,),
    )
    marked.signs = {key: synced.ids[draft.id] for key, draft in drafts.items()}


def _look(session: Session, tenant: TenantWorld, name: str, branch: str) -> None:
    login = tenant.logins[f"supervisor_{branch}"]
    who = Principal(
        tenant_id=tenant.id,
        tenant_slug=tenant.slug,
        account_id=login.account_id,
        employee_id=login.employee_id,
        name=f"looker {tenant.canary(branch)}",
        login="",
        locale="en",
        theme=None,
        zone=ZONE,
        grants=(),
        epoch=0,
    )
    record_looks(
        session,
        who,
        [tenant.people[name]],
        Purpose.ALERT_REVIEW,
        "marked",
        now=NOON - timedelta(days=2),
        reason=f"reason {tenant.canary(branch)}",
    )
