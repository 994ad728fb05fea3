"""The page where somebody states what a device's positions refer to."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from flask import flash, redirect, render_template, request, url_for
from sqlalchemy.orm import Session
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response as AnyResponse

from geo.crs import Datum
from geo.fix import Source
from server.audit.queries import TrailFilter, list_security_events
from server.errors import InvalidInput
from server.http.context import now, principal, runtime, transaction
from server.http.markers import policy
from server.people.datums import EVENT, DatumStatement, datum_statement, set_datum
from server.people.policy import employees_in_scope
from server.people.queries import DeviceView, device_in_scope
from server.people.rules import Action, may_for_others
from server.tracking.queries import device_health
from web.devices import words
from web.devices.scope import only
from web.devices.views import blueprint
from web.texts import _


@blueprint.get("/devices/<uuid:device_id>/datum")
@policy(Action.VIEW_DEVICES)
def datum(device_id: UUID) -> str:
    """Show what is stated, what was found, and who stated what before."""
    viewer = principal()
    with transaction() as session:
        device = _device(session, Action.VIEW_DEVICES, device_id)
        stated = datum_statement(session, tenant_id=viewer.tenant_id, device_id=device_id)
        found = _found(session, device)
        history = list_security_events(
            session,
            tenant_id=viewer.tenant_id,
            wanted=TrailFilter(kind=EVENT, subject=str(device_id)),
        )
    return render_template(
        "devices/datum.html",
        device=device,
        stated=stated,
        found=found,
        checked_at=_checked_at(found),
        proposed=None if found is None else _proposal(stated, found),
        history=history.rows,
        words=words,
        may_manage=may_for_others(viewer, Action.MANAGE_DEVICES) and device.revoked_at is None,
    )


@blueprint.post("/devices/<uuid:device_id>/datum")
@policy(Action.MANAGE_DEVICES)
def state_datum(device_id: UUID) -> AnyResponse:
    """State the datum of a device and of those of its sources that speak another."""
    viewer = principal()
    datum, sources = _stated(request.form)
    with transaction() as session:
        _device(session, Action.MANAGE_DEVICES, device_id)
        changed = set_datum(
            session,
            runtime().clock,
            tenant_id=viewer.tenant_id,
            device_id=device_id,
            datum=datum,
            sources=sources,
            actor_id=viewer.account_id,
        )
    if changed:
        flash(_("Stated. What the device sends from now on is converted so."), "ok")
    else:
        flash(_("Nothing changed: it was stated so already."), "info")
    return redirect(url_for("devices.datum", device_id=device_id), 303)


def _device(session: Session, action: Action, device_id: UUID) -> DeviceView:
    viewer = principal()
    scope = employees_in_scope(viewer, action, now=now())
    return device_in_scope(session, tenant_id=viewer.tenant_id, scope=scope, device_id=device_id)


def _found(session: Session, device: DeviceView) -> Mapping[str, Any] | None:
    """Return the constant offset between sources that nobody has answered yet."""
    scope = employees_in_scope(principal(), Action.VIEW_DEVICES, now=now())
    views = device_health(session, only(scope, device.employee_id), with_revoked=True)
    return next((view.datum_check for view in views if view.device_id == device.id), None)


def _checked_at(found: Mapping[str, Any] | None) -> datetime | None:
    told = None if found is None else found.get("checked_at")
    return datetime.fromisoformat(told) if isinstance(told, str) else None


def _proposal(stated: DatumStatement, found: Mapping[str, Any]) -> DatumStatement | None:
    """Return the statement that would make the sources agree; None when nobody can tell.

    What is converted already and still lies off was converted wrongly: a person has to look.
    """
    source, datum = found.get("source"), found.get("datum")
    if source not in set(Source) or datum not in set(Datum):
        return None
    if stated.of(Source(source)) is not Datum.WGS84:
        return None
    return DatumStatement(stated.datum, {**stated.sources, Source(source): Datum(datum)})


def _stated(form: MultiDict[str, str]) -> tuple[Datum, dict[Source, Datum]]:
    try:
        datum = Datum(form.get("datum", ""))
        sources = {source: Datum(told) for source in Source if (told := form.get(source.value, ""))}
    except ValueError:
        raise InvalidInput(fields={"datum": "malformed"}) from None
    return datum, sources
