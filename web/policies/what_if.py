"""Pages of what-ifs: what is tried, how far it is, whose verdicts flip."""

from collections.abc import Mapping
from typing import Final
from uuid import UUID

from flask import Response, flash, redirect, render_template, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as AnyResponse

from geo.what_if import FlipKind
from server.audit.services import Purpose, record_looks
from server.errors import Conflict, InvalidInput, NotFound, OutpostError
from server.http.context import now, principal, runtime, transaction
from server.http.markers import policy
from server.http.openapi import describe
from server.people.policy import local_date, units_in_scope
from server.people.queries import units
from server.people.rules import Action, may_for_others
from server.posts.queries import (
    PolicyKind,
    PostView,
    get_post,
    in_force,
    list_posts,
    policy_versions,
)
from server.posts.thresholds import Number, complete, thresholds_of
from server.tracking.what_if import ask_what_if, cancel_what_if
from server.tracking.what_if_queries import (
    FlipRow,
    FlipSort,
    RunView,
    flips_of_run,
    own_run,
    recent_runs,
)
from server.tracking.what_if_rules import FAMILIES, MAX_DAYS, Trial, span_of
from server.tracking.what_if_saving import save_fence
from server.tracking.what_if_trials import family_trial, post_trial
from web import formats
from web.choices import unit_choices
from web.params import date_or_none, uuid_or_none
from web.policies import thresholds, words
from web.policies.answers import WhatIfProgress
from web.policies.forms import field_name, has_family, number_or_none, typed, values_of
from web.policies.views import blueprint, sets_rules
from web.tables import TableState, csv_response
from web.texts import _

_KINDS: Final = [kind.value for kind in FlipKind]


@blueprint.get("/what-if")
@policy(Action.REVIEW_FINDING)
def what_if() -> str:
    """Ask what is to be tried: thresholds, or one post's fence."""
    return _form(request.args)


@blueprint.post("/what-if")
@policy(Action.REVIEW_FINDING)
def ask() -> AnyResponse | tuple[str, int]:
    """Take a trial; a process of the engine works it out."""
    form = request.form
    try:
        with transaction() as session:
            unit_id = uuid_or_none(form.get("unit"))
            if form.get("unit") and unit_id is None:
                raise NotFound
            run_id = ask_what_if(
                session,
                runtime().clock,
                principal(),
                trial=_trial(session, form),
                unit_id=unit_id,
                first_on=date_or_none(form.get("first")),
                last_on=date_or_none(form.get("last")),
            )
    except (InvalidInput, Conflict) as error:
        return _form(form, error), 409 if isinstance(error, Conflict) else 400
    return redirect(url_for("policies.result", run_id=run_id), 303)


@blueprint.get("/what-if/<uuid:run_id>")
@policy(Action.REVIEW_FINDING)
def result(run_id: UUID) -> str | Response:
    """Show how far a trial is, and whose verdicts flip."""
    viewer = principal()
    table = TableState.from_request(
        request, sortable=list(FlipSort), filters=("kind",), default_sort="-change"
    )
    kind = table.filters.get("kind", "")
    as_csv = request.args.get("format") == "csv"
    with transaction() as session:
        run = own_run(session, viewer, run_id, now=now())
        rows, counts = flips_of_run(
            session,
            viewer,
            run_id,
            now=now(),
            kinds=[FlipKind(kind)] if kind in _KINDS else [],
            sort=FlipSort(table.sort_key),
            descending=table.descending,
            limit=MAX_DAYS * 10 if as_csv else table.size,
            offset=0 if as_csv else table.offset,
        )
        record_looks(
            session,
            viewer,
            [row.employee_id for row in rows],
            Purpose.POLICY_TRIAL,
            "what_if.csv" if as_csv else "what_if",
            now=now(),
            reason=words.trial_line(run.trial),
        )
        may_save = sets_rules(session)
    if as_csv:
        return _csv(rows)
    return render_template(
        "policies/result.html",
        run=run,
        rows=rows,
        counts=counts,
        count=counts.get(kind, sum(counts.values())),
        kind=kind,
        table=table,
        words=words,
        exact_duration=formats.exact_duration,
        flip_choices=_flip_choices,
        may_save_policy=may_save and bool(run.trial.families),
        may_save_fence=run.trial.post is not None and may_for_others(viewer, Action.EDIT_POSTS),
    )


@blueprint.get("/api/what-if/<uuid:run_id>")
@policy(Action.REVIEW_FINDING)
@describe("How far a trial of other rules is", answer=WhatIfProgress, errors=(404,))
def progress(run_id: UUID) -> dict[str, object]:
    """How far a trial is."""
    run = _own(run_id)
    return {
        "state": run.state.value,
        "days_done": run.days_done,
        "days_total": run.days_total,
    }


@blueprint.post("/what-if/<uuid:run_id>/cancel")
@policy(Action.REVIEW_FINDING)
def cancel(run_id: UUID) -> AnyResponse:
    """Stop a trial."""
    try:
        with transaction() as session:
            cancel_what_if(session, runtime().clock, principal(), run_id)
    except Conflict as error:
        flash(words.reason(error), "danger")
    return redirect(url_for("policies.result", run_id=run_id), 303)


@blueprint.post("/what-if/<uuid:run_id>/fence")
@policy(Action.EDIT_POSTS)
def save_tried_fence(run_id: UUID) -> AnyResponse:
    """Make the fence that was tried the post's next version."""
    viewer = principal()
    try:
        with transaction() as session:
            run = own_run(session, viewer, run_id, now=now())
            post_id = run.trial.post.post_id if run.trial.post is not None else None
            post = _post(session, post_id, Action.EDIT_POSTS)
            save_fence(session, runtime().clock, viewer, run, post)
    except (InvalidInput, Conflict) as error:
        flash(words.reason(error), "danger")
        return redirect(url_for("policies.result", run_id=run_id), 303)
    flash(_("The new fence was saved. Days since it holds are judged again."), "ok")
    return redirect(url_for("posts.show", post_id=post.id), 303)


def _form(form: Mapping[str, str], error: OutpostError | None = None) -> str:
    viewer = principal()
    with transaction() as session:
        scope = units_in_scope(viewer, Action.REVIEW_FINDING, now=now())
        tree = units(session, viewer, scope, now=now())
        posts = list_posts(session, scope, at=now())
        present = _present(session)
        runs = recent_runs(
            session, tenant_id=viewer.tenant_id, now=now(), account_id=viewer.account_id
        )
    chosen = [p for p in posts if str(p.id) == form.get("post") and p.shape is not None]
    first_on, last_on = span_of(None, None, now=now(), today=local_date(now(), viewer.zone))
    return render_template(
        "policies/what_if.html",
        of="post" if "post" in form or form.get("of") == "post" else "rules",
        families=[
            (
                k.value,
                [(t, field_name(k, t.name), present[k][t.name]) for t in thresholds_of(k).values()],
            )
            for k in FAMILIES
        ],
        shown=typed(form, FAMILIES, present),
        form=form,
        error=error,
        posts=posts,
        post=chosen[0] if chosen else None,
        unit_options=unit_choices(tree),
        first_on=first_on,
        last_on=last_on,
        runs=runs,
        words=words,
        thresholds=thresholds,
    )


def _trial(session: Session, form: Mapping[str, str]) -> Trial:
    """Return what a form wants to try."""
    if "post" in form:
        post = _post(session, uuid_or_none(form.get("post")), Action.REVIEW_FINDING)
        minutes = number_or_none(form, "grace_min")
        return Trial(
            post=post_trial(
                post,
                radius_m=number_or_none(form, "radius_m"),
                grace_s=None if minutes is None else round(minutes * 60),
                buffer_m=number_or_none(form, "buffer_m"),
            )
        )
    present = _present(session)
    return Trial(
        families=tuple(
            family_trial(
                session,
                tenant_id=principal().tenant_id,
                kind=kind,
                values=values_of(form, kind, present[kind]),
                now=now(),
            )
            for kind in FAMILIES
            if has_family(form, kind)
        )
    )


def _present(session: Session) -> dict[PolicyKind, dict[str, Number]]:
    """Return the thresholds of absences in force now."""
    versions = policy_versions(session, tenant_id=principal().tenant_id, kinds=FAMILIES)
    current = {k: in_force([v for v in versions if v.kind is k], at=now()) for k in FAMILIES}
    return {k: complete(k, found.params if found else {}) for k, found in current.items()}


def _post(session: Session, post_id: UUID | None, action: Action) -> PostView:
    scope = units_in_scope(principal(), action, now=now())
    found = None if post_id is None else get_post(session, scope, post_id=post_id, at=now())
    if found is None:
        raise NotFound
    return found


def _flip_choices(table: TableState, kind: str) -> list[tuple[str, str, bool]]:
    return [
        (str(text), table.url(kind=name, page=None), name == kind)
        for name, text in words.FLIPS.items()
    ]


def _own(run_id: UUID) -> RunView:
    with transaction() as session:
        return own_run(session, principal(), run_id, now=now())


def _csv(rows: list[FlipRow]) -> Response:
    header = (
        *("person", "number", "work_on", "post", "change", "starts_at", "ends_at"),
        *("before_s", "after_s", "margin_before_m", "margin_after_m"),
    )
    return csv_response(
        "what-if",
        header,
        [
            (
                *(row.employee_name, row.employee_number, row.work_on, row.post_name, row.kind),
                row.starts_at.isoformat(),
                row.ends_at.isoformat() if row.ends_at else None,
                *(row.before_s, row.after_s, row.margin_before_m, row.margin_after_m),
            )
            for row in rows
        ],
    )
