"""Pages of providers and of people's consent to being located by a carrier."""

from collections.abc import Callable
from datetime import datetime, time, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from flask import Blueprint, flash, redirect, render_template, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as AnyResponse

from server.carriers.egress import Egress
from server.carriers.queries import consent_views, newest_requests, provider_view, provider_views
from server.carriers.services import (
    SECRETS,
    Asker,
    ProviderKind,
    Withdrawn,
    add_provider,
    change_provider,
    desk_of,
    record_consent,
    remove_provider,
    try_provider,
    withdraw_consent,
)
from server.errors import Conflict, Forbidden, InvalidInput, NotFound, OutpostError
from server.http.context import now, principal, runtime, transaction
from server.http.limits import bucket
from server.http.markers import policy
from server.people.policy import employees_in_scope, scoped_employee
from server.people.rules import Action, granting_units
from server.people.services import top_unit
from server.tracking.scans import count_scans
from web.carriers import words
from web.carriers.forms import PHONE_ONLY, draft_of, values_of
from web.params import date_or_none
from web.tables import TableState
from web.texts import _

blueprint = Blueprint("carriers", __name__, template_folder="templates")

_TRIES = "10 per minute"
_SCANS_OF = timedelta(days=7)


@blueprint.get("/carriers")
@policy(Action.MANAGE_CARRIERS)
def index() -> str:
    """List the providers of the company with how they do."""
    viewer = principal()
    with transaction() as session:
        _whole_company(session)
        found = provider_views(session, tenant_id=viewer.tenant_id, now=now())
        scans = count_scans(session, since_at=now() - _SCANS_OF)
    return render_template("carriers/index.html", providers=found, scans=scans, words=words)


@blueprint.get("/carriers/new")
@policy(Action.MANAGE_CARRIERS)
def new() -> str:
    """Ask for a provider of one protocol."""
    with transaction() as session:
        _whole_company(session)
    kind = _kind(request.args.get("kind"))
    return _new_form(kind)


@blueprint.post("/carriers/new")
@policy(Action.MANAGE_CARRIERS)
def add() -> AnyResponse | tuple[str, int]:
    """Set a provider up."""
    viewer, parts = principal(), runtime()
    kind = _kind(request.form.get("kind"))
    try:
        with transaction() as session:
            _whole_company(session)
            provider_id = add_provider(
                session,
                parts.clock,
                vault=parts.vault,
                egress=Egress(parts.settings.carrier_hosts),
                tenant_id=viewer.tenant_id,
                draft=draft_of(request.form, kind=kind, name=request.form.get("name", "").strip()),
                actor_id=viewer.account_id,
            )
    except (Conflict, InvalidInput) as error:
        return _new_form(kind, error), 400
    flash(_("The provider is set up. Make a test call before people rely on it."), "ok")
    return redirect(url_for("carriers.show", provider_id=provider_id), 303)


@blueprint.get("/carriers/<uuid:provider_id>")
@policy(Action.MANAGE_CARRIERS)
def show(provider_id: UUID) -> str:
    """Show one provider: how it does, its settings, what it was asked lately."""
    return _page(provider_id)


@blueprint.post("/carriers/<uuid:provider_id>")
@policy(Action.MANAGE_CARRIERS)
def change(provider_id: UUID) -> AnyResponse | tuple[str, int]:
    """Change settings; credentials left empty stay, unless the host is another."""
    viewer, parts = principal(), runtime()
    try:
        with transaction() as session:
            _whole_company(session)
            view = provider_view(
                session, tenant_id=viewer.tenant_id, provider_id=provider_id, now=now()
            )
            change_provider(
                session,
                parts.clock,
                vault=parts.vault,
                egress=Egress(parts.settings.carrier_hosts),
                tenant_id=viewer.tenant_id,
                provider_id=provider_id,
                draft=draft_of(request.form, kind=view.kind, name=view.name),
                actor_id=viewer.account_id,
            )
    except InvalidInput as error:
        return _page(provider_id, error), 400
    flash(_("The settings are saved."), "ok")
    return redirect(url_for("carriers.show", provider_id=provider_id), 303)


@blueprint.post("/carriers/<uuid:provider_id>/remove")
@policy(Action.MANAGE_CARRIERS)
def remove(provider_id: UUID) -> AnyResponse:
    """Remove a provider and its credentials."""
    viewer = principal()
    with transaction() as session:
        _whole_company(session)
        remove_provider(
            session,
            tenant_id=viewer.tenant_id,
            provider_id=provider_id,
            actor_id=viewer.account_id,
        )
    flash(_("The provider is removed, its credentials are deleted."), "ok")
    return redirect(url_for("carriers.index"), 303)


@blueprint.post("/carriers/<uuid:provider_id>/test")
@policy(Action.MANAGE_CARRIERS)
def test(provider_id: UUID) -> AnyResponse:
    """Ask a provider once and say what it answered; never where."""
    viewer, parts = principal(), runtime()
    parts.limiter.count_leniently(bucket(_TRIES, "carrier-test", str(viewer.account_id)))
    with transaction() as session:
        _whole_company(session)
        provider_view(session, tenant_id=viewer.tenant_id, provider_id=provider_id, now=now())
    # No transaction is open while the provider takes its time.
    desk = desk_of(parts.settings, parts.sessions, parts.clock)
    asker = Asker(viewer.name, viewer.account_id)
    try:
        said = try_provider(desk, tenant_id=viewer.tenant_id, provider_id=provider_id, asker=asker)
    except InvalidInput as error:
        flash(words.sentence(error), "danger")
    else:
        took = f"{said.took_s:.1f}"
        if said.code is None:
            flash(_("It works: a position came back after %(seconds)s s.", seconds=took), "ok")
        elif said.code.value in {"not_found", "unknown_subscriber", "absent"}:
            flash(
                _("It answers after %(seconds)s s:", seconds=took)
                + f" {words.refusal(said.code.value)}",
                "ok",
            )
        else:
            known = (words.refusal(said.code.value), words.detail(said.detail))
            flash(" ".join(known).strip(), "danger")
    return redirect(url_for("carriers.show", provider_id=provider_id), 303)


@blueprint.get("/carriers/consents")
@policy(Action.MANAGE_CARRIERS)
def consents() -> str:
    """List people with their word on being located by the carrier."""
    viewer = principal()
    table = TableState.from_request(request, filters=("state",))
    with transaction() as session:
        scope = employees_in_scope(viewer, Action.MANAGE_CARRIERS, now=now())
        rows, count = consent_views(
            session,
            scope,
            search=table.q,
            state=table.filters.get("state"),
            offset=table.offset,
            limit=table.size,
        )
    return render_template(
        "carriers/consents.html",
        table=table,
        rows=rows,
        count=count,
        words=words,
        zone=ZoneInfo(viewer.zone),
        today=now().astimezone(ZoneInfo(viewer.zone)).date(),
    )


@blueprint.post("/carriers/consents/<uuid:employee_id>")
@policy(Action.MANAGE_CARRIERS)
def agree(employee_id: UUID) -> AnyResponse:
    """Note that a person agreed."""

    def act(session: Session) -> str:
        viewer = principal()
        person = scoped_employee(session, viewer, Action.MANAGE_CARRIERS, employee_id, now=now())
        on = date_or_none(request.form.get("given_on"))
        if on is None:
            raise InvalidInput("form")
        given_at = datetime.combine(on, time(), tzinfo=ZoneInfo(viewer.zone))
        record_consent(
            session,
            runtime().clock,
            tenant_id=viewer.tenant_id,
            employee_id=person.id,
            given_at=given_at,
            note=request.form.get("note", ""),
            actor_id=viewer.account_id,
        )
        return _("Consent of %(name)s is on record.", name=person.name)

    return _do(act)


@blueprint.post("/carriers/consents/<uuid:employee_id>/withdraw")
@policy(Action.MANAGE_CARRIERS)
def withdraw(employee_id: UUID) -> AnyResponse:
    """Take a person's consent back; the carrier is not asked any more, at once."""

    def act(session: Session) -> str:
        viewer = principal()
        person = scoped_employee(session, viewer, Action.MANAGE_CARRIERS, employee_id, now=now())
        withdraw_consent(
            session,
            runtime().clock,
            tenant_id=viewer.tenant_id,
            employee_id=person.id,
            how=Withdrawn.ACCOUNT,
            actor_id=viewer.account_id,
        )
        return _("Consent of %(name)s is withdrawn. The carrier is not asked.", name=person.name)

    return _do(act)


@blueprint.post("/me/carrier/withdraw")
@policy(Action.VIEW_OWN)
def withdraw_own() -> AnyResponse:
    """Take one's own consent back; nobody else has to agree."""
    viewer = principal()
    if viewer.employee_id is None:
        raise NotFound
    with transaction() as session:
        withdraw_consent(
            session,
            runtime().clock,
            tenant_id=viewer.tenant_id,
            employee_id=viewer.employee_id,
            how=Withdrawn.PERSON,
            actor_id=viewer.account_id,
        )
    flash(_("Your consent is withdrawn. The carrier is not asked about you."), "ok")
    return redirect(url_for("me.index"), 303)


def _page(provider_id: UUID, error: InvalidInput | None = None) -> str:
    viewer = principal()
    with transaction() as session:
        _whole_company(session)
        view = provider_view(
            session, tenant_id=viewer.tenant_id, provider_id=provider_id, now=now()
        )
        asked = newest_requests(session, tenant_id=viewer.tenant_id, provider_id=provider_id)
    return render_template(
        "carriers/show.html",
        provider=view,
        asked=asked,
        words=words,
        **_form_values(view.kind, view, error),
    )


def _new_form(kind: ProviderKind, error: OutpostError | None = None) -> str:
    return render_template(
        "carriers/new.html",
        kinds=list(ProviderKind),
        words=words,
        **_form_values(kind, None, error),
    )


def _form_values(
    kind: ProviderKind, view: object | None, error: OutpostError | None
) -> dict[str, object]:
    sent = request.form if error is not None else {}
    wrong = error.fields if error is not None else {}
    return {
        "kind": kind,
        "values": values_of(kind, view, sent),
        "secrets": [(name, words.SECRETS[name]) for name in SECRETS[kind]],
        "phones": kind is not ProviderKind.GEOLOCATE,
        "phone_only": PHONE_ONLY,
        "error": words.sentence(error) if error is not None else None,
        "wrong": list(wrong),
    }


def _do(act: Callable[[Session], str]) -> AnyResponse:
    """Run a change in one transaction; a refusal becomes a sentence on the page."""
    try:
        with transaction() as session:
            said = act(session)
    except InvalidInput as error:
        flash(words.sentence(error), "danger")
    else:
        flash(said, "ok")
    return redirect(url_for("carriers.consents"), 303)


def _kind(given: str | None) -> ProviderKind:
    return ProviderKind(given) if given in list(ProviderKind) else ProviderKind.LE2


def _whole_company(session: Session) -> None:
    """Refuse administrators of a part: a provider serves, and bills, everybody.

    Raises
    ------
    Forbidden : the viewer's right does not hold on the top unit.
    """
    viewer = principal()
    try:
        top = top_unit(session, tenant_id=viewer.tenant_id)
    except NotFound:
        raise Forbidden from None
    if top.id not in granting_units(viewer, Action.MANAGE_CARRIERS):
        raise Forbidden
