"""The employee's own page."""

from datetime import timedelta
from uuid import UUID

from flask import Blueprint, Response, render_template, request

from server.errors import NotFound
from server.http.context import now, principal, transaction
from server.http.markers import policy
from server.people.policy import employees_in_scope, local_date, scoped_employee
from server.people.rules import Action
from server.tracking.locate_queries import questions_about
from server.visits.queries import VisitFilter, list_visits, visits_in_scope
from web.carriers.mine import own_carrier
from web.devices.scope import only
from web.me.export import archive_of
from web.me.receipt import receipt_of
from web.params import date_or_none
from web.people.views import person_facts
from web.signs.views import signs_of_oneself
from web.signs.words import REVIEWS as SIGN_REVIEWS
from web.visits import words as visit_words

blueprint = Blueprint("me", __name__, template_folder="templates")


@blueprint.get("/me")
@policy(Action.VIEW_OWN)
def index() -> str:
    """Show one's own status, day, phones, and the privacy receipt of a day."""
    viewer, employee_id = principal(), _own()
    today = local_date(now(), viewer.zone)
    on = min(date_or_none(request.args.get("d")) or today, today)
    with transaction() as session:
        person = scoped_employee(session, viewer, Action.VIEW_OWN, employee_id, now=now())
        facts = person_facts(session, employee_id)
        receipt = receipt_of(
            session,
            only(employees_in_scope(viewer, Action.VIEW_OWN, now=now()), employee_id),
            tenant_id=viewer.tenant_id,
            employee_id=employee_id,
            on=on,
            zone=viewer.zone,
        )
        asked = questions_about(
            session,
            tenant_id=viewer.tenant_id,
            employee_id=employee_id,
            since_at=now() - timedelta(days=30),
        )
        signs = signs_of_oneself(session, employee_id)
        visits = list_visits(
            session,
            visits_in_scope(viewer, Action.VIEW_OWN, now=now()),
            wanted=VisitFilter(
                first_on=today - timedelta(days=7), last_on=today + timedelta(days=7), limit=20
            ),
        )
        carrier = own_carrier(session, tenant_id=viewer.tenant_id, employee_id=employee_id)
    return render_template(
        "me/index.html",
        person=person,
        carrier=carrier,
        signs=signs,
        sign_reviews=SIGN_REVIEWS,
        asked=asked,
        visits=visits.rows,
        visit_words=visit_words,
        at=now(),
        receipt=receipt,
        before=on - timedelta(days=1),
        after=on + timedelta(days=1) if on < today else None,
        **facts,
    )


@blueprint.get("/me/export")
@policy(Action.VIEW_OWN)
def export() -> Response:
    """Hand out everything that is held of oneself."""
    viewer, employee_id = principal(), _own()
    today = local_date(now(), viewer.zone)
    with transaction() as session:
        person = scoped_employee(session, viewer, Action.VIEW_OWN, employee_id, now=now())
        content = archive_of(
            session,
            person,
            only(employees_in_scope(viewer, Action.VIEW_OWN, now=now()), employee_id),
            tenant_id=viewer.tenant_id,
            today=today,
            now=now(),
            zone=viewer.zone,
        )
    response = Response(content, mimetype="application/zip")
    response.headers.set(
        "Content-Disposition", "attachment", filename=f"outpost-{person.number}-{today}.zip"
    )
    return response


def _own() -> UUID:
    employee_id = principal().employee_id
    if employee_id is None:
        raise NotFound
    return employee_id
