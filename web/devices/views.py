"""Pages of devices, and the one-time page that configures a phone."""

from collections import Counter
from collections.abc import Iterable
from datetime import timedelta
from typing import Any
from uuid import UUID

import segno
from flask import Blueprint, Response, flash, redirect, render_template, request, url_for
from flask_babel.speaklater import LazyString
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as AnyResponse

from server.errors import Conflict, NotFound
from server.http.context import now, principal, runtime, transaction
from server.http.limits import bucket
from server.http.markers import policy, public
from server.people.datums import datum_statement
from server.people.policy import employees_in_scope, scoped_employee
from server.people.provisioning import ENCRYPTS, Setup
from server.people.queries import device_in_scope, people
from server.people.rules import Action, DeviceKind, may_for_others
from server.people.services import (
    EnrolledDevice,
    enrol_device,
    issue_ticket,
    open_ticket,
    revoke_device,
    rotate_device,
    ticket_tenant,
)
from server.posts.queries import duty_windows
from server.tracking.phone_rules import Condition, Health, health_of
from server.tracking.queries import (
    DeviceHealthView,
    delivery,
    device_health,
    ledger,
    quarantine,
)
from web.choices import person_choices
from web.devices import words
from web.devices.scope import only
from web.params import uuid_or_none
from web.tables import TableState, csv_response
from web.texts import _

blueprint = Blueprint("devices", __name__, template_folder="templates")

_LEDGER_DAYS = 14
_WORST = list(Condition)
_TICKET_LIMIT = "30 per minute"


@blueprint.get("/devices")
@policy(Action.VIEW_DEVICES)
def index() -> str | Response:
    """List devices with how they do."""
    viewer = principal()
    table = TableState.from_request(
        request,
        sortable=("person", "kind", "seen", "fix", "battery", "condition"),
        filters=("revoked", "condition", "kind"),
        default_sort="person",
    )
    with transaction() as session:
        scope = employees_in_scope(viewer, Action.VIEW_DEVICES, now=now())
        found = device_health(session, scope, with_revoked="revoked" in table.filters)
        rows = _with_health(session, found)
    wanted, kind = table.filters.get("condition"), table.filters.get("kind")
    shown = [
        (device, health)
        for device, health in rows
        if table.q.casefold()
        in f"{device.employee_name}\n{device.label}\n{device.username}".casefold()
        and wanted in {None, health.condition.value}
        and kind in {None, device.kind}
    ]
    shown.sort(key=lambda row: _sort_key(table.sort_key, *row), reverse=table.descending)
    if request.args.get("format") == "csv":
        return _csv(shown)
    counts = Counter(health.condition.value for _device, health in rows)
    return render_template(
        "devices/index.html",
        table=table,
        rows=shown[table.offset : table.offset + table.size],
        count=len(shown),
        total=len(found),
        counts=counts,
        kinds=Counter(device.kind for device in found),
        words=words,
        may_manage=may_for_others(viewer, Action.MANAGE_DEVICES),
    )


@blueprint.get("/devices/<uuid:device_id>")
@policy(Action.VIEW_DEVICES)
def show(device_id: UUID) -> str:
    """Show one device: health, what became of its messages, what to do."""
    viewer = principal()
    with transaction() as session:
        scope = employees_in_scope(viewer, Action.VIEW_DEVICES, now=now())
        device = device_in_scope(
            session, tenant_id=viewer.tenant_id, scope=scope, device_id=device_id
        )
        mine = only(scope, device.employee_id)
        health = [
            h for h in device_health(session, mine, with_revoked=True) if h.device_id == device_id
        ]
        ((view, state),) = _with_health(session, health)
        today = now().date()
        days = ledger(session, mine, first_on=today - timedelta(days=_LEDGER_DAYS), last_on=today)
        refused = quarantine(session, mine, since_at=now() - timedelta(days=30))
        arrived = delivery(session, tenant_id=viewer.tenant_id, device_id=device_id, now=now())
        stated = datum_statement(session, tenant_id=viewer.tenant_id, device_id=device_id)
    return render_template(
        "devices/show.html",
        device=view,
        encrypted=device.encrypted,
        delivery=arrived,
        stated=stated,
        health=state,
        app=words.APPS.get(view.kind, view.kind),
        words=words,
        days=[d for d in days if d.device_id == device_id],
        refused=[q for q in refused if q.device_id == device_id],
        number_columns=_number_columns,
        may_manage=may_for_others(viewer, Action.MANAGE_DEVICES),
        may_revoke=may_for_others(viewer, Action.REVOKE_DEVICE),
    )


@blueprint.get("/devices/new")
@policy(Action.MANAGE_DEVICES)
def new() -> str:
    """Ask whose phone it is and which app is on it."""
    return _form(request.args.get("p", ""), "", "")


@blueprint.post("/devices/new")
@policy(Action.MANAGE_DEVICES)
def enrol() -> str | tuple[str, int]:
    """Enrol a phone and show its configuration, this once."""
    viewer, parts = principal(), runtime()
    given, kind = request.form.get("p", ""), request.form.get("kind", "")
    label = " ".join(request.form.get("label", "").split())[:60]
    employee_id = uuid_or_none(given)
    if employee_id is None or kind not in list(DeviceKind):
        return _form(given, kind, label, wrong=True), 400
    with transaction() as session:
        person = scoped_employee(session, viewer, Action.MANAGE_DEVICES, employee_id, now=now())
        enrolled = enrol_device(
            session,
            parts.clock,
            tenant_id=viewer.tenant_id,
            employee_id=person.id,
            kind=DeviceKind(kind),
            label=label or words.KINDS[kind],
            broker=parts.broker,
            vault=parts.vault,
            encrypt=request.form.get("encrypt") == "1",
            actor_id=viewer.account_id,
        )
        token = _ticket(session, enrolled)
    return configuration(enrolled.setup, name=person.name, token=token)


@blueprint.post("/devices/<uuid:device_id>/rotate")
@policy(Action.MANAGE_DEVICES)
def rotate(device_id: UUID) -> str | AnyResponse:
    """Give a device a new secret and show it, this once."""
    viewer, parts = principal(), runtime()
    try:
        with transaction() as session:
            scope = employees_in_scope(viewer, Action.MANAGE_DEVICES, now=now())
            device = device_in_scope(
                session, tenant_id=viewer.tenant_id, scope=scope, device_id=device_id
            )
            enrolled = rotate_device(
                session,
                parts.clock,
                tenant_id=viewer.tenant_id,
                device_id=device_id,
                broker=parts.broker,
                vault=parts.vault,
                actor_id=viewer.account_id,
            )
            token = _ticket(session, enrolled)
    except Conflict:
        flash(_("A revoked device gets no new secret. Enrol the phone again."), "danger")
        return redirect(url_for("devices.show", device_id=device_id), 303)
    return configuration(enrolled.setup, name=device.employee_name, token=token)


@blueprint.post("/devices/<uuid:device_id>/revoke")
@policy(Action.REVOKE_DEVICE)
def revoke(device_id: UUID) -> AnyResponse:
    """Take a device's access away."""
    viewer = principal()
    with transaction() as session:
        scope = employees_in_scope(viewer, Action.REVOKE_DEVICE, now=now())
        device_in_scope(session, tenant_id=viewer.tenant_id, scope=scope, device_id=device_id)
        revoke_device(
            session,
            runtime().clock,
            tenant_id=viewer.tenant_id,
            device_id=device_id,
            actor_id=viewer.account_id,
        )
    flash(_("The device is revoked. A connected phone is cut off within two seconds."), "ok")
    return redirect(url_for("devices.show", device_id=device_id), 303)


@blueprint.get("/enrol/<token>")
@public("the phone that opens a one-time link has nobody signed in")
def ticket(token: str) -> str:
    """Offer to show a configuration; a link preview must not use the ticket up."""
    if ticket_tenant(token) is None:
        raise NotFound
    return render_template("devices/ticket.html", token=token, used=False)


@blueprint.post("/enrol/<token>")
@public("the phone that opens a one-time link has nobody signed in")
def use_ticket(token: str) -> str | tuple[str, int]:
    """Show a configuration once and erase it."""
    parts, tenant_id = runtime(), ticket_tenant(token)
    parts.limiter.count_leniently(bucket(_TICKET_LIMIT, "ticket", request.remote_addr or "unknown"))
    if tenant_id is None:
        raise NotFound
    try:
        with transaction(tenant_id=tenant_id) as session:
            _device, setup = open_ticket(session, parts.clock, token=token, vault=parts.vault)
    except NotFound:
        return render_template("devices/ticket.html", token=token, used=True), 404
    return configuration(setup)


def _ticket(session: Session, enrolled: EnrolledDevice) -> str:
    parts = runtime()
    made = issue_ticket(
        session,
        parts.clock,
        tenant_id=principal().tenant_id,
        enrolled=enrolled,
        vault=parts.vault,
    )
    return made.token


def configuration(setup: Setup, *, name: str | None = None, token: str | None = None) -> str:
    """Render the page that shows a phone's configuration, this once."""
    return render_template(
        "devices/configuration.html",
        name=name,
        setup=setup,
        words=words,
        app=words.APPS[setup.kind],
        image=qr_image(setup.code) if setup.code else None,
        one_time=one_time_url(token) if token else None,
    )


def qr_image(text: str) -> str:
    """Return a QR code as the address of an image that needs no request."""
    # Error level L as the code is shown on a clean screen; more would make it too dense to scan.
    code = segno.make(text, error="l", boost_error=False, micro=False)
    return code.svg_data_uri(scale=4, border=4, light="#ffffff", dark="#000000")


def one_time_url(token: str) -> str:
    """Return the whole address of a one-time link, for people to send."""
    return f"{runtime().settings.public_url}{url_for('devices.ticket', token=token)}"


def _form(person: str, kind: str, label: str, *, wrong: bool = False) -> str:
    viewer = principal()
    with transaction() as session:
        scope = employees_in_scope(viewer, Action.MANAGE_DEVICES, now=now())
        choice = people(session, viewer, scope, now=now())
    return render_template(
        "devices/new.html",
        people=choice,
        person=person,
        kind=kind,
        label=label,
        wrong=wrong,
        kinds=words.KINDS,
        notes=words.KIND_NOTES,
        encrypts=ENCRYPTS,
        person_options=person_choices,
    )


def _with_health(
    session: Session, found: Iterable[DeviceHealthView]
) -> list[tuple[DeviceHealthView, Health]]:
    devices = list(found)
    windows = duty_windows(
        session,
        start_at=now(),
        end_at=now() + timedelta(seconds=1),
        employee_ids={d.employee_id for d in devices},
    )
    since = {w.employee_id: w.starts_at for w in windows if w.starts_at <= now() < w.ends_at}
    return [(d, health_of(d, duty_since=since.get(d.employee_id), now=now())) for d in devices]


def _sort_key(key: str, device: DeviceHealthView, health: Health) -> tuple[Any, ...]:
    name = (device.employee_name, str(device.device_id))
    if key == "seen":
        return (device.seen_at.timestamp() if device.seen_at else 0.0, *name)
    if key == "battery":
        return (-1 if device.battery_pct is None else device.battery_pct, *name)
    if key == "condition":
        return (-_WORST.index(health.condition), *name)
    if key == "kind":
        return (words.KINDS.get(device.kind, device.kind), *name)
    if key == "fix":
        return (device.fixed_at.timestamp() if device.fixed_at else 0.0, *name)
    return name


def _csv(rows: Iterable[tuple[DeviceHealthView, Health]]) -> Response:
    header = ("person", "device", "app", "condition", "seen_at", "fixed_at", "battery_pct", "mode")
    return csv_response(
        "devices",
        (*header, "troubles", "username", "enrolled_at", "revoked_at"),
        [
            (
                *(d.employee_name, d.label, d.kind, h.condition.value, d.seen_at, d.fixed_at),
                *(d.battery_pct, d.mode, " ".join(h.troubles), d.username),
                *(d.enrolled_at, d.revoked_at),
            )
            for d, h in rows
        ],
    )


def _number_columns(pairs: Iterable[tuple[str, LazyString]]) -> list[tuple[str, LazyString, str]]:
    return [(key, label, "num") for key, label in pairs]
