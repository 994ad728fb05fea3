"""Pages of sites."""

from dataclasses import replace
from typing import Any
from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as AnyResponse

from server.audit.services import Purpose, record_looks
from server.errors import Conflict, InvalidInput
from server.http.context import now, principal, runtime, transaction
from server.http.markers import policy
from server.people.policy import scoped_unit, units_in_scope
from server.people.queries import UnitNode, units
from server.people.rules import Action, may_for_others
from server.posts.queries import extent_of_posts
from server.sites.queries import SORTABLE, SiteView, extent_of_sites, get_site, list_sites
from server.sites.services import add_sites, change_sites
from server.visits.queries import PinProposalView, open_pin_proposal
from server.visits.services import accept_pin, dismiss_pin
from web.choices import unit_choices
from web.params import uuid_or_none
from web.sites.forms import SiteForm
from web.tables import TableState
from web.texts import _

blueprint = Blueprint("sites", __name__, template_folder="templates")


@blueprint.get("/sites")
@policy(Action.VIEW_POSTS)
def index() -> str:
    """List the sites of the units one may see."""
    viewer = principal()
    table = TableState.from_request(
        request, sortable=SORTABLE, filters=("closed", "unplaced"), default_sort="number"
    )
    with transaction() as session:
        found, count = list_sites(
            session,
            units_in_scope(viewer, Action.VIEW_POSTS, now=now()),
            search=table.q or None,
            with_closed="closed" in table.filters,
            without_position="unplaced" in table.filters,
            sort=table.sort_key,
            descending=table.descending,
            limit=table.size,
            offset=table.offset,
        )
    return render_template(
        "sites/index.html",
        table=table,
        rows=found,
        count=count,
        may_edit=may_for_others(viewer, Action.EDIT_POSTS),
        may_import=may_for_others(viewer, Action.IMPORT_DATA),
    )


@blueprint.get("/sites/new")
@policy(Action.EDIT_POSTS)
def new() -> str:
    """Show an empty form."""
    with transaction() as session:
        choice = _editable_units(session)
    return _form(SiteForm(unit_id=str(choice[0].id) if len(choice) == 1 else ""), choice)


@blueprint.post("/sites/new")
@policy(Action.EDIT_POSTS)
def create() -> AnyResponse | tuple[str, int]:
    """Add a site."""
    viewer, form = principal(), SiteForm.from_request(request.form)
    try:
        with transaction() as session:
            unit = scoped_unit(session, viewer, Action.EDIT_POSTS, form.unit(), now=now())
            add_sites(
                session,
                runtime().clock,
                tenant_id=viewer.tenant_id,
                sites=[form.facts(unit_id=unit.id, active=True)],
                actor_id=viewer.account_id,
            )
    except (InvalidInput, Conflict) as error:
        form.refuse(error)
        with transaction() as session:
            choice = _editable_units(session)
        return _form(form, choice), 422
    flash(_("The site was added."), "ok")
    return redirect(url_for("sites.index"), 303)


@blueprint.get("/sites/<uuid:site_id>")
@policy(Action.VIEW_POSTS)
def show(site_id: UUID) -> str:
    """Show one site, to change it when one may."""
    viewer = principal()
    with transaction() as session:
        site = _load(session, site_id, Action.VIEW_POSTS)
        choice = _editable_units(session)
        proposal = open_pin_proposal(session, viewer, site_id=site_id, now=now())
        if proposal is not None:
            record_looks(
                session, viewer, proposal.about, Purpose.VISIT_REVIEW, "pin_proposal", now=now()
            )
    return _form(SiteForm.of(site), choice, site=site, proposal=proposal)


@blueprint.post("/sites/<uuid:site_id>")
@policy(Action.EDIT_POSTS)
def change(site_id: UUID) -> AnyResponse | tuple[str, int]:
    """Change a site."""
    viewer, form = principal(), SiteForm.from_request(request.form)
    try:
        with transaction() as session:
            site = _load(session, site_id, Action.EDIT_POSTS)
            unit = scoped_unit(session, viewer, Action.EDIT_POSTS, form.unit(), now=now())
            change_sites(
                session,
                runtime().clock,
                tenant_id=viewer.tenant_id,
                sites={site_id: form.facts(unit_id=unit.id, active=site.facts.active)},
                actor_id=viewer.account_id,
            )
    except (InvalidInput, Conflict) as error:
        form.refuse(error)
        with transaction() as session:
            site, choice = _load(session, site_id, Action.EDIT_POSTS), _editable_units(session)
        return _form(form, choice, site=site), 422
    flash(_("The site was saved."), "ok")
    return redirect(url_for("sites.show", site_id=site_id), 303)


@blueprint.post("/sites/<uuid:site_id>/active")
@policy(Action.EDIT_POSTS)
def switch(site_id: UUID) -> AnyResponse:
    """Close a site, or open it again."""
    viewer, active = principal(), request.form.get("active") == "1"
    with transaction() as session:
        site = _load(session, site_id, Action.EDIT_POSTS)
        change_sites(
            session,
            runtime().clock,
            tenant_id=viewer.tenant_id,
            sites={site_id: replace(site.facts, active=active)},
            actor_id=viewer.account_id,
        )
    flash(_("The site is open again.") if active else _("The site is closed."), "ok")
    return redirect(url_for("sites.show", site_id=site_id), 303)


@blueprint.post("/sites/<uuid:site_id>/pin")
@policy(Action.EDIT_POSTS)
def decide_pin(site_id: UUID) -> AnyResponse:
    """Move the pin to where several people's stays say that the site is, or leave it."""
    viewer, accepted = principal(), request.form.get("do") == "accept"
    try:
        with transaction() as session:
            _load(session, site_id, Action.EDIT_POSTS)
            (accept_pin if accepted else dismiss_pin)(
                session,
                runtime().clock,
                tenant_id=viewer.tenant_id,
                proposal_id=_proposed(session, site_id),
                actor_id=viewer.account_id,
            )
    except Conflict:
        flash(_("Newer visits changed the proposal, or somebody else decided it."), "danger")
    else:
        flash(
            _("The pin was moved. Visits of the last 30 days are judged again.")
            if accepted
            else _("The pin stays. This place is not proposed again."),
            "ok",
        )
    return redirect(url_for("sites.show", site_id=site_id), 303)


def _proposed(session: Session, site_id: UUID) -> UUID:
    """Return the open proposal that the form was shown with."""
    proposal = open_pin_proposal(session, principal(), site_id=site_id, now=now())
    if proposal is None or proposal.id != uuid_or_none(request.form.get("proposal")):
        raise Conflict("already_decided")
    return proposal.id


def _form(
    form: SiteForm,
    choice: list[UnitNode],
    *,
    site: SiteView | None = None,
    proposal: PinProposalView | None = None,
) -> str:
    mine = {unit.id for unit in choice}
    with transaction() as session:
        # Where the map begins while the site has no position.
        scope = units_in_scope(principal(), Action.VIEW_POSTS, now=now())
        extent = extent_of_sites(
            session, tenant_id=principal().tenant_id, units=scope
        ) or extent_of_posts(session, tenant_id=principal().tenant_id, units=scope)
    values: dict[str, Any] = {
        "form": form,
        "site": site,
        "proposal": proposal,
        "extent": extent,
        "unit_options": unit_choices(choice),
        "may_edit": bool(choice) if site is None else site.facts.unit_id in mine,
    }
    return render_template("sites/form.html", **values)


def _load(session: Session, site_id: UUID, action: Action) -> SiteView:
    scope = units_in_scope(principal(), action, now=now())
    return get_site(session, scope, site_id=site_id)


def _editable_units(session: Session) -> list[UnitNode]:
    viewer = principal()
    scope = units_in_scope(viewer, Action.EDIT_POSTS, now=now())
    return units(session, viewer, scope, now=now())
