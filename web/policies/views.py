"""Pages of thresholds: those in force, what they were, and new versions of them."""

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as AnyResponse

from server.errors import Conflict, Forbidden, InvalidInput, NotFound, OutpostError
from server.http.context import now, principal, runtime, transaction
from server.http.markers import policy
from server.people.rules import Action, granting_units, may_for_others
from server.people.services import top_unit
from server.posts.queries import PolicyKind, PolicyVersion, in_force, policy_versions
from server.posts.services import set_policy
from server.posts.thresholds import Number, changed, complete, thresholds_of
from server.tracking.what_if_queries import recent_runs
from server.tracking.what_if_rules import FAMILIES as TRIABLE
from web.policies import thresholds, words
from web.policies.forms import field_name, instant_or_none, typed, values_of
from web.texts import _

blueprint = Blueprint("policies", __name__, template_folder="templates")


@blueprint.app_template_filter("tried")
def tried_line(trial: Mapping[str, Any]) -> str:
    """Write what a trial had shown before a version was saved."""
    return words.tried(trial)


@blueprint.get("/policies")
@policy(Action.VIEW_POSTS)
def index() -> str:
    """Show the thresholds of absences."""
    return _page(PolicyKind.OFF_POST)


@blueprint.get("/policies/<family>")
@policy(Action.VIEW_POSTS)
def show(family: str) -> str:
    """Show the thresholds of one family, and who changed them when."""
    return _page(_kind(family))


@blueprint.post("/policies/<family>")
@policy(Action.MANAGE_POLICIES)
def save(family: str) -> AnyResponse | tuple[str, int]:
    """Save a new version; nothing that was judged before is judged again."""
    viewer, kind = principal(), _kind(family)
    try:
        with transaction() as session:
            whole_company(session)
            versions = policy_versions(session, tenant_id=viewer.tenant_id, kinds=[kind])
            set_policy(
                session,
                runtime().clock,
                tenant_id=viewer.tenant_id,
                kind=kind,
                params=_asked(kind, request.form, versions),
                effective_from_at=instant_or_none(request.form.get("from", ""), viewer.zone),
                based_on=int(based)
                if (based := request.form.get("based_on", "")).isdecimal()
                else None,
                note=request.form.get("note", "").strip() or None,
                actor_id=viewer.account_id,
            )
    except (InvalidInput, Conflict) as error:
        status = 409 if isinstance(error, Conflict) else 400
        return _page(kind, error, request.form), status
    flash(_("The new version is saved. It holds for shifts that start from then on."), "ok")
    return redirect(url_for("policies.show", family=kind.value), 303)


def whole_company(session: Session) -> None:
    """Refuse whoever looks after a part only: rules hold for everybody.

    Raises
    ------
    Forbidden : the viewer's right does not hold on the top unit.
    """
    if not sets_rules(session):
        raise Forbidden


def sets_rules(session: Session) -> bool:
    """Tell whether the viewer may save rules for the whole company."""
    viewer = principal()
    try:
        top = top_unit(session, tenant_id=viewer.tenant_id)
    except NotFound:
        return False
    return top.id in granting_units(viewer, Action.MANAGE_POLICIES)


def _page(
    kind: PolicyKind, error: OutpostError | None = None, form: Mapping[str, str] | None = None
) -> str:
    viewer = principal()
    with transaction() as session:
        versions = policy_versions(session, tenant_id=viewer.tenant_id, kinds=[kind])
        may_save = sets_rules(session)
        runs = recent_runs(session, tenant_id=viewer.tenant_id, now=now()) if may_save else []
    present = _present(versions, kind)
    known = thresholds_of(kind)
    return render_template(
        "policies/show.html",
        kind=kind.value,
        families=thresholds.FAMILIES,
        rows=[(t, field_name(kind, t.name), present[t.name]) for t in known.values()],
        shown=typed(form or {}, [kind], {kind: present}),
        form=form or {},
        error=error,
        current=in_force(versions, at=now()),
        history=words.history(versions),
        based_on=versions[0].version if versions else 0,
        runs=[run for run in runs if run.trial.families],
        may_save=may_save,
        may_try=kind in TRIABLE and may_for_others(viewer, Action.REVIEW_FINDING),
        words=words,
        thresholds=thresholds,
        now=now(),
    )


def _asked(
    kind: PolicyKind, form: Mapping[str, str], versions: list[PolicyVersion]
) -> dict[str, Number]:
    """Return what a form changes of the defaults.

    Raises
    ------
    InvalidInput : as `values_of`; `nothing_changed` when it is in force, and nothing else is
        to come.
    """
    present = _present(versions, kind)
    params = changed(kind, values_of(form, kind, present))
    newest = versions[0].params if versions else {}
    if params == changed(kind, present) == changed(kind, newest):
        raise InvalidInput("nothing_changed")
    return params


def _present(versions: list[PolicyVersion], kind: PolicyKind) -> dict[str, Number]:
    current = in_force(versions, at=now())
    return complete(kind, current.params if current else {})


def _kind(name: str) -> PolicyKind:
    if name not in list(PolicyKind):
        raise NotFound
    return PolicyKind(name)
