"""Pages of the organisation and what may be changed there."""

from collections.abc import Callable
from datetime import date
from uuid import UUID

from flask import Blueprint, Response, flash, redirect, render_template, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as AnyResponse

from server.errors import Conflict, Forbidden, InvalidInput, NotFound
from server.http.context import now, principal, runtime, transaction
from server.http.markers import policy
from server.people.accounts import create_account, grant_role, revoke_grant, set_active
from server.people.organisation import add_unit, hire_employee, move_employee
from server.people.policy import (
    employees_in_scope,
    local_date,
    scoped_employee,
    scoped_unit,
    units_in_scope,
)
from server.people.queries import AccountView, accounts, people, units
from server.people.rules import Action, Role, UnitKind, may_for_others
from web.choices import person_choices, tree_of, unit_choices
from web.organisation import words
from web.params import date_or_none, uuid_or_none
from web.tables import TableState, csv_response
from web.texts import _

blueprint = Blueprint("organisation", __name__, template_folder="templates")


@blueprint.get("/organisation")
@policy(Action.VIEW_PEOPLE)
def index() -> str | Response:
    """Show the tree of units and the employees of one of them or of all."""
    viewer = principal()
    table = TableState.from_request(request, filters=("unit",))
    chosen = uuid_or_none(table.filters.get("unit"))
    with transaction() as session:
        scope = employees_in_scope(viewer, Action.VIEW_PEOPLE, now=now())
        tree = units(
            session, viewer, units_in_scope(viewer, Action.VIEW_PEOPLE, now=now()), now=now()
        )
        staff = people(session, viewer, scope, now=now(), search=table.q or None, unit_id=chosen)
    if request.args.get("format") == "csv":
        header = ("number", "name", "title", "unit", "hired_on", "left_on")
        return csv_response(
            "employees",
            header,
            [(p.number, p.name, p.title, p.unit_name, p.hired_on, p.left_on) for p in staff],
        )
    return render_template(
        "organisation/index.html",
        table=table,
        tree=tree_of(tree),
        chosen=chosen,
        staff=staff[table.offset : table.offset + table.size],
        count=len(staff),
        unit_options=unit_choices(tree),
        words=words,
        today=local_date(now(), viewer.zone),
        may_edit=may_for_others(viewer, Action.MANAGE_PEOPLE),
        may_accounts=may_for_others(viewer, Action.MANAGE_ACCOUNTS),
    )


@blueprint.post("/organisation/units")
@policy(Action.MANAGE_PEOPLE)
def create_unit() -> AnyResponse:
    """Add a unit below another."""

    def act(session: Session) -> str:
        kind = request.form.get("kind", "")
        if kind not in list(UnitKind):
            raise InvalidInput("form")
        parent = scoped_unit(
            session, principal(), Action.MANAGE_PEOPLE, _required("parent"), now=now()
        )
        add_unit(
            session,
            runtime().clock,
            tenant_id=principal().tenant_id,
            parent_id=parent.id,
            kind=UnitKind(kind),
            name=request.form.get("name", "")[:120],
        )
        return _("The unit was added.")

    return _do(act, "organisation.index")


@blueprint.post("/organisation/people")
@policy(Action.MANAGE_PEOPLE)
def hire() -> AnyResponse:
    """Add an employee."""

    def act(session: Session) -> str:
        form = request.form
        number, name = form.get("number", "").strip()[:40], form.get("name", "").strip()[:120]
        if not (number and name):
            raise InvalidInput("form")
        unit = scoped_unit(session, principal(), Action.MANAGE_PEOPLE, _required("unit"), now=now())
        hire_employee(
            session,
            runtime().clock,
            tenant_id=principal().tenant_id,
            number=number,
            name=name,
            unit_id=unit.id,
            hired_on=_required_date("from"),
            title=form.get("title", "").strip()[:80] or None,
            phone=form.get("phone", "").strip()[:40] or None,
        )
        return _("The employee was added.")

    return _do(act, "organisation.index")


@blueprint.post("/organisation/move")
@policy(Action.MANAGE_PEOPLE)
def move() -> AnyResponse:
    """Move an employee to another unit from a date on."""

    def act(session: Session) -> str:
        viewer = principal()
        person = scoped_employee(session, viewer, Action.MANAGE_PEOPLE, _required("p"), now=now())
        unit = scoped_unit(session, viewer, Action.MANAGE_PEOPLE, _required("unit"), now=now())
        move_employee(
            session,
            runtime().clock,
            tenant_id=viewer.tenant_id,
            employee_id=person.id,
            unit_id=unit.id,
            from_on=_required_date("from"),
        )
        return _("The employee moves on that date. Earlier days stay where they were.")

    return _do(act, "organisation.index")


@blueprint.get("/organisation/accounts")
@policy(Action.MANAGE_ACCOUNTS)
def account_list() -> str:
    """Show who may sign in, and with which roles where."""
    viewer = principal()
    table = TableState.from_request(request)
    with transaction() as session:
        scope = employees_in_scope(viewer, Action.MANAGE_ACCOUNTS, now=now())
        found = accounts(session, tenant_id=viewer.tenant_id, scope=scope, now=now())
        staff = people(session, viewer, scope, now=now())
        tree = units(
            session, viewer, units_in_scope(viewer, Action.MANAGE_ACCOUNTS, now=now()), now=now()
        )
    shown = [a for a in found if table.q.casefold() in f"{a.login}\n{a.name}".casefold()]
    taken = {a.employee_id for a in found}
    return render_template(
        "organisation/accounts.html",
        table=table,
        rows=shown[table.offset : table.offset + table.size],
        count=len(shown),
        person_options=person_choices([p for p in staff if p.id not in taken]),
        unit_options=unit_choices(tree),
        words=words,
    )


@blueprint.post("/organisation/accounts")
@policy(Action.MANAGE_ACCOUNTS)
def open_account() -> AnyResponse:
    """Create an account for an employee."""

    def act(session: Session) -> str:
        viewer = principal()
        person = scoped_employee(session, viewer, Action.MANAGE_ACCOUNTS, _required("p"), now=now())
        create_account(
            session,
            runtime().clock,
            tenant_id=viewer.tenant_id,
            login=request.form.get("login", ""),
            name=person.name,
            password=request.form.get("password", ""),
            employee_id=person.id,
            actor_id=viewer.account_id,
        )
        return _("The account was created.")

    return _do(act, "organisation.account_list")


@blueprint.post("/organisation/accounts/<uuid:account_id>/grants")
@policy(Action.MANAGE_ACCOUNTS)
def grant(account_id: UUID) -> AnyResponse:
    """Give an account a role on a unit."""

    def act(session: Session) -> str:
        viewer, role = principal(), request.form.get("role", "")
        if role not in list(Role):
            raise InvalidInput("form")
        _account(session, account_id)
        grant_role(
            session,
            runtime().clock,
            tenant_id=viewer.tenant_id,
            account_id=account_id,
            role=Role(role),
            unit_id=_required("unit"),
            actor=viewer,
            reason=request.form.get("reason", "").strip()[:200] or None,
        )
        return _("The role was granted.")

    return _do(act, "organisation.account_list")


@blueprint.post("/organisation/accounts/<uuid:account_id>/grants/<uuid:grant_id>/revoke")
@policy(Action.MANAGE_ACCOUNTS)
def take_grant(account_id: UUID, grant_id: UUID) -> AnyResponse:
    """Take a role away; open streams of the account close."""

    def act(session: Session) -> str:
        _account(session, account_id)
        revoke_grant(
            session,
            runtime().clock,
            tenant_id=principal().tenant_id,
            grant_id=grant_id,
            actor=principal(),
        )
        return _("The role was taken away.")

    return _do(act, "organisation.account_list")


@blueprint.post("/organisation/accounts/<uuid:account_id>/active")
@policy(Action.MANAGE_ACCOUNTS)
def switch(account_id: UUID) -> AnyResponse:
    """Switch an account on or off; off ends its sessions."""

    def act(session: Session) -> str:
        viewer = principal()
        _account(session, account_id)
        if account_id == viewer.account_id:
            raise Forbidden("self_switch")
        active = request.form.get("active") == "1"
        set_active(
            session,
            runtime().clock,
            tenant_id=viewer.tenant_id,
            account_id=account_id,
            active=active,
            actor_id=viewer.account_id,
        )
        return _("The account is on.") if active else _("The account is off.")

    return _do(act, "organisation.account_list")


def _do(act: Callable[[Session], str], back: str) -> AnyResponse:
    """Run a change in one transaction; a refusal becomes a sentence on the page."""
    try:
        with transaction() as session:
            said = act(session)
    except (Conflict, InvalidInput, Forbidden) as error:
        flash(words.sentence(error), "danger")
    else:
        flash(said, "ok")
    return redirect(url_for(back), 303)


def _account(session: Session, account_id: UUID) -> AccountView:
    viewer = principal()
    scope = employees_in_scope(viewer, Action.MANAGE_ACCOUNTS, now=now())
    found = accounts(session, tenant_id=viewer.tenant_id, scope=scope, now=now())
    for account in found:
        if account.id == account_id:
            return account
    raise NotFound


def _required(name: str) -> UUID:
    found = uuid_or_none(request.form.get(name))
    if found is None:
        raise InvalidInput("form")
    return found


def _required_date(name: str) -> date:
    found = date_or_none(request.form.get(name))
    if found is None:
        raise InvalidInput("form")
    return found
