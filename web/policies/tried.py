"""What others tried, for whoever sets the rules: sums without names, and saving in one step."""

from uuid import UUID

from flask import flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from server.errors import Conflict, InvalidInput, NotFound
from server.http.context import now, principal, runtime, transaction
from server.http.markers import policy
from server.people.rules import Action
from server.tracking.what_if_queries import any_run
from server.tracking.what_if_saving import save_policy
from web.policies import words
from web.policies.forms import instant_or_none
from web.policies.views import blueprint, whole_company
from web.texts import _


@blueprint.get("/policies/tried/<uuid:run_id>")
@policy(Action.MANAGE_POLICIES)
def tried(run_id: UUID) -> str:
    """Show what a trial of thresholds changed, in sums."""
    with transaction() as session:
        whole_company(session)
        run = any_run(session, tenant_id=principal().tenant_id, run_id=run_id, now=now())
    if not run.trial.families:
        raise NotFound
    return render_template("policies/tried.html", run=run, words=words)


@blueprint.post("/policies/tried/<uuid:run_id>/save")
@policy(Action.MANAGE_POLICIES)
def save_tried(run_id: UUID) -> AnyResponse:
    """Make what was tried the next version."""
    viewer = principal()
    try:
        with transaction() as session:
            whole_company(session)
            run = any_run(session, tenant_id=viewer.tenant_id, run_id=run_id, now=now())
            if not run.trial.families:
                raise NotFound
            saved = save_policy(
                session,
                runtime().clock,
                viewer,
                run,
                effective_from_at=instant_or_none(request.form.get("from", ""), viewer.zone),
                note=request.form.get("note", "").strip() or None,
            )
    except (InvalidInput, Conflict) as error:
        flash(words.reason(error), "danger")
        return redirect(url_for("policies.tried", run_id=run_id), 303)
    flash(_("The new version is saved. It holds for shifts that start from then on."), "ok")
    return redirect(url_for("policies.show", family=next(iter(saved)).value), 303)
