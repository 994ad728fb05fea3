"""Ask where somebody is now, and follow the answer."""

from datetime import datetime
from typing import Any
from uuid import UUID

from flask import Blueprint, flash, redirect, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as AnyResponse

from server.errors import Conflict, InvalidInput, TooManyRequests
from server.http.context import now, principal, runtime, transaction
from server.http.markers import policy
from server.http.openapi import describe
from server.http.problems import wants_json
from server.people.policy import is_in_scope, scoped_employee
from server.people.rules import Action
from server.tracking.locate import ask_where
from server.tracking.locate_queries import LocateView, newest_question
from server.tracking.locate_rules import LocatePurpose
from server.tracking.queries import duty_now
from web.locate import answers, words

blueprint = Blueprint("locate", __name__, template_folder="templates")

_NIL = UUID(int=0)
"""Stands in addresses where a script puts an id."""


@blueprint.app_context_processor
def _template_words() -> dict[str, Any]:
    return {"locate_words": words, "nil_id": _NIL}


@blueprint.post("/people/<uuid:employee_id>/locate")
@policy(Action.LOCATE_NOW)
def ask(employee_id: UUID) -> AnyResponse | tuple[dict[str, Any], int]:
    """Ask; a page gets JSON to follow, a plain form goes back to the person."""
    try:
        _ask(employee_id)
    except (Conflict, InvalidInput, TooManyRequests) as error:
        code = error.detail if isinstance(error, TooManyRequests) else error.code
        error.detail = str(words.REFUSALS.get(code, code))
        if wants_json():
            raise
        flash(error.detail, "danger")
    else:
        if wants_json():
            return _newest(employee_id), 202
        flash(_asked(), "ok")
    return redirect(url_for("people.show", employee_id=employee_id, _anchor="locate"), 303)


@blueprint.get("/api/people/<uuid:employee_id>/locate")
@policy(Action.LOCATE_NOW)
@describe(
    "What came of one's own newest question where somebody is",
    answer=answers.LocateNow,
    errors=(404,),
)
def newest(employee_id: UUID) -> dict[str, Any]:
    """Return one's own newest question about a person, and the answer while they are on duty."""
    return _newest(employee_id)


def _ask(employee_id: UUID) -> None:
    viewer, form = principal(), request.form
    try:
        purpose = LocatePurpose(form.get("purpose", ""))
    except ValueError:
        raise InvalidInput("bad_purpose", fields={"purpose": "bad_purpose"}) from None
    with transaction() as session:
        person = scoped_employee(session, viewer, Action.LOCATE_NOW, employee_id, now=now())
        asked = ask_where(
            session,
            runtime().clock,
            asker=viewer,
            employee_id=person.id,
            purpose=purpose,
            reason=form.get("reason", ""),
        )
    # Only now: the attempt itself is kept.
    if asked.refusal is not None:
        raise Conflict(asked.refusal.value)


def _newest(employee_id: UUID) -> dict[str, Any]:
    viewer, at = principal(), now()
    with transaction() as session:
        person = scoped_employee(session, viewer, Action.LOCATE_NOW, employee_id, now=at)
        view = newest_question(
            session, tenant_id=viewer.tenant_id, employee_id=person.id, asker_id=viewer.account_id
        )
        on_duty = duty_now(session, tenant_id=viewer.tenant_id, employee_id=person.id, now=at)
    shown = None if view is None else as_json(view, with_place=on_duty is not None)
    return {"as_of": at.timestamp(), "on_duty": on_duty is not None, "question": shown}


def as_json(view: LocateView, *, with_place: bool) -> dict[str, Any]:
    """Return a question as the page follows it; the place only while its person is on duty."""
    found = view.answer if with_place else None
    return {
        "id": str(view.id),
        "employee_id": str(view.employee_id),
        "state": view.state.value,
        "words": words.state_words(view),
        "purpose": str(words.PURPOSES[view.purpose]),
        "asked_at": view.asked_at.timestamp(),
        "due_at": view.due_at.timestamp(),
        "closed_at": _epoch(view.closed_at),
        "answered_by": view.answered_by.value if view.answered_by else None,
        "steps": [
            {
                "at": step.at.timestamp(),
                "outcome": step.outcome,
                "words": words.step_words(step.what, step.outcome, step.detail),
            }
            for step in view.steps
        ],
        "answer": None
        if found is None or view.fixed_at is None
        else {
            "lon": found.lon_deg,
            "lat": found.lat_deg,
            "accuracy_m": found.accuracy_m,
            "source": found.source,
            "fixed_at": view.fixed_at.timestamp(),
        },
    }


def may_ask(session: Session, employee_id: UUID) -> bool:
    """Tell whether the viewer may ask where a person is, duty aside."""
    return is_in_scope(session, principal(), Action.LOCATE_NOW, employee_id, now=now())


def _asked() -> str:
    return str(words.STEPS["phone", "waiting"])


def _epoch(at: datetime | None) -> float | None:
    return None if at is None else at.timestamp()
