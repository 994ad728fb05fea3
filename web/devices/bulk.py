"""Enrolling many phones from one file: look first, then all or nothing, then a sheet to print."""

from typing import Final

from flask import render_template, request
from sqlalchemy.orm import Session

from server.errors import InvalidInput
from server.http.context import now, principal, runtime, transaction
from server.http.markers import policy
from server.people.enrolment import (
    PlannedPhone,
    SheetPhone,
    SheetRow,
    enrol_phones,
    plan_phones,
    read_sheet,
)
from server.people.policy import employees_in_scope, local_date
from server.people.rules import Action, DeviceKind
from web.devices import words
from web.devices.views import blueprint, one_time_url, qr_image

EXAMPLE: Final = "number,app,label\nE001,owntracks_android,Redmi Note 13\nE002,traccar,\n"


@blueprint.get("/devices/bulk")
@policy(Action.MANAGE_DEVICES)
def bulk() -> str:
    """Ask for the file."""
    return _page()


@blueprint.post("/devices/bulk")
@policy(Action.MANAGE_DEVICES)
def enrol_many() -> str | tuple[str, int]:
    """Show what a file would do; with `apply` do it, all of it or nothing."""
    content = _given()
    try:
        rows = read_sheet(content)
        with transaction() as session:
            plans = _plans(session, rows)
            if request.form.get("apply") != "1":
                return _page(plans=plans, text=content.decode("utf-8", "replace"))
            made = enrol_phones(
                session,
                runtime().clock,
                plans,
                tenant_id=principal().tenant_id,
                broker=runtime().broker,
                vault=runtime().vault,
                labels={kind: words.KINDS[kind] for kind in DeviceKind},
                actor_id=principal().account_id,
            )
    except InvalidInput as error:
        problem = str(words.SHEET_ERRORS.get(error.code, error.code))
        return _page(text=content.decode("utf-8", "replace"), problem=problem), 400
    return _sheet(made)


def _given() -> bytes:
    """Return the file, as UTF-8 when it was looked at before."""
    file = request.files.get("file")
    if file is not None and file.filename:
        content = file.read()
        return _utf8(content)
    return request.form.get("text", "").encode()


def _utf8(content: bytes) -> bytes:
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        try:
            return content.decode("gb18030").encode()
        except UnicodeDecodeError:
            return content
    return content


def _plans(session: Session, rows: list[SheetRow]) -> list[PlannedPhone]:
    viewer = principal()
    return plan_phones(
        session,
        rows,
        tenant_id=viewer.tenant_id,
        scope=employees_in_scope(viewer, Action.MANAGE_DEVICES, now=now()),
        today=local_date(now(), viewer.zone),
    )


def _page(
    *, plans: list[PlannedPhone] | None = None, text: str = "", problem: str | None = None
) -> str:
    return render_template(
        "devices/bulk.html",
        plans=plans,
        bad=sum(plan.error is not None for plan in plans or ()),
        text=text,
        problem=problem,
        words=words,
        example=EXAMPLE,
    )


def _sheet(made: list[SheetPhone]) -> str:
    phones = [
        (phone, url, qr_image(url)) for phone in made if (url := one_time_url(phone.ticket.token))
    ]
    return render_template("devices/sheet.html", phones=phones, words=words)
