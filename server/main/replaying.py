"""Past days of an organisation under another rule, for the command `what-if`."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

import click
from sqlalchemy import select, true
from sqlalchemy.orm import Session

from geo.verdict import canonical_json
from geo.what_if import Flip, FlipKind
from server.audit.services import Purpose, record_looks
from server.clock import SystemClock
from server.db import tables
from server.db.session import unit_of_work
from server.errors import InvalidInput, NotFound
from server.findings.rules import DayKey
from server.main.database import connected, tenant_of
from server.people.policy import local_date
from server.people.queries import TenantView
from server.posts.queries import PolicyKind, PostView, geo_policy, list_posts
from server.tracking.what_if import BATCH, days_to_replay, replay_days
from server.tracking.what_if_rules import FAMILIES, Trial, span_of
from server.tracking.what_if_trials import family_trial, post_trial

_CLOCK: Final = SystemClock()


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is tried on whom; the terms of a post need the post they are of."""

    thresholds: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    post: str | None = None
    radius_m: float | None = None
    dwell_s: float | None = None
    buffer_m: float | None = None
    unit: str | None = None
    first_on: date | None = None
    last_on: date | None = None

    @property
    def terms(self) -> bool:
        """Whether something of a post is tried."""
        return any(each is not None for each in (self.radius_m, self.dwell_s, self.buffer_m))


@dataclass(frozen=True, slots=True)
class _Operator:
    """Whoever runs commands on the server, as the access log names them."""

    tenant_id: int
    account_id: None = None
    employee_id: None = None
    name: str = "outpost what-if"


def replay_tenant(slug: str, wanted: Wanted) -> None:
    """Print the flips as JSON lines, and the sums as one on standard error.

    Each person whose verdict flips finds the look in their access log.

    Raises
    ------
    NotFound : no such tenant, post or unit.
    InvalidInput : thresholds that nobody should be judged by.
    """
    now = _CLOCK.now()
    with connected("app") as factory:
        tenant = tenant_of(factory, slug)
        with unit_of_work(factory, tenant_id=tenant.id) as session:
            sums = _replay(session, tenant, wanted, now)
    click.echo(canonical_json(sums), err=True)


def _replay(session: Session, tenant: TenantView, wanted: Wanted, now: datetime) -> dict[str, Any]:
    trial = _trial(session, tenant, wanted, now)
    first_on, last_on = span_of(
        wanted.first_on, wanted.last_on, now=now, today=local_date(now, tenant.zone)
    )
    query = days_to_replay(
        tenant.id,
        trial,
        true(),
        unit_id=None if wanted.unit is None else _unit(session, wanted.unit),
        first_on=first_on,
        last_on=last_on,
    )
    keys = sorted(
        (
            DayKey(tenant.id, employee_id, work_on)
            for employee_id, work_on in session.execute(query)
        ),
        key=lambda key: (key.work_on, key.employee_id),
    )
    counts: Counter[str] = Counter()
    for start in range(0, len(keys), BATCH):
        judged = replay_days(session, keys[start : start + BATCH], trial, now=now)
        numbers = _numbers(session, [day.key.employee_id for day in judged if day.flips])
        record_looks(
            session, _Operator(tenant.id), numbers, Purpose.POLICY_TRIAL, "what_if", now=now
        )
        for day in judged:
            counts["days_failed" if day.flips is None else "days"] += 1
            for post_id, flip in day.flips or ():
                counts[flip.kind.value] += 1
                click.echo(
                    canonical_json(_line(numbers[day.key.employee_id], day.key, post_id, flip))
                )
    return {
        "from": first_on.isoformat(),
        "to": last_on.isoformat(),
        **{name: counts[name] for name in ("days", "days_failed", *FlipKind)},
    }


def _trial(session: Session, tenant: TenantView, wanted: Wanted, now: datetime) -> Trial:
    """Return what is tried: one post, or thresholds over those in force now."""
    if wanted.post is not None:
        if wanted.thresholds or not wanted.terms:
            raise InvalidInput("bad_trial", "--post goes with --radius, --dwell and --buffer")
        post = _post(session, wanted.post, now)
        return Trial(
            post=post_trial(
                post,
                radius_m=wanted.radius_m,
                grace_s=post.grace_s if wanted.dwell_s is None else round(wanted.dwell_s),
                buffer_m=post.buffer_m if wanted.buffer_m is None else wanted.buffer_m,
            )
        )
    if wanted.terms:
        raise InvalidInput("bad_trial", "--radius, --dwell and --buffer need --post NAME")
    known = [kind.value for kind in FAMILIES]
    wrong = sorted(set(wanted.thresholds) - set(known))
    if wrong:
        said = " and ".join(known)
        raise InvalidInput("bad_trial", f"only {said} decide about absences, not {wrong[0]}")
    present = geo_policy(session, tenant_id=tenant.id, at=now).to_json()
    return Trial(
        families=tuple(
            family_trial(
                session,
                tenant_id=tenant.id,
                kind=PolicyKind(name),
                values={**present[name], **wanted.thresholds[name]},
                now=now,
            )
            for name in known
            if name in wanted.thresholds
        )
    )


def _line(number: str, key: DayKey, post_id: UUID | None, flip: Flip) -> dict[str, Any]:
    return {
        "number": number,
        "work_on": key.work_on.isoformat(),
        "post_id": None if post_id is None else str(post_id),
        "kind": flip.kind,
        "start": flip.start,
        "end": flip.end,
        "before_s": flip.before_s,
        "after_s": flip.after_s,
        "margin_before_m": flip.margin_before_m,
        "margin_after_m": flip.margin_after_m,
    }


def _numbers(session: Session, employee_ids: list[UUID]) -> dict[UUID, str]:
    people = tables.employees.c
    rows = session.execute(select(people.id, people.number).where(people.id.in_(employee_ids)))
    return {row.id: row.number for row in rows}


def _post(session: Session, name: str, now: datetime) -> PostView:
    everywhere = select(tables.units.c.id)
    found = [post for post in list_posts(session, everywhere, at=now) if post.name == name]
    if len(found) != 1:
        raise NotFound(None, f"there are {len(found)} posts named {name}")
    return found[0]


def _unit(session: Session, name: str) -> UUID:
    units = tables.units.c
    found = list(session.scalars(select(units.id).where(units.name == name)))
    if len(found) != 1:
        raise NotFound(None, f"there are {len(found)} units named {name}")
    return UUID(str(found[0]))
