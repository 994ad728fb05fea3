"""Pages of signs: for those who lead, and for the person they are about."""

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from flask import Blueprint, Response, flash, redirect, render_template, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as AnyResponse

from server.audit.services import Opening, Purpose, record_opening
from server.errors import Conflict, InvalidInput, NotFound, OutpostError
from server.findings.queries import (
    FindingDetail,
    FindingFilter,
    FindingKind,
    FindingRow,
    FindingState,
    ReviewAction,
    ReviewState,
    Scope,
    get_finding,
    list_findings,
    own_signs,
    signs_in_scope,
)
from server.http.context import now, principal, transaction
from server.http.markers import policy
from server.http.openapi import describe
from server.people.rules import Action
from web import answers, formats
from web.cards.printing import Sheet, card_pdf, pdf_response
from web.cards.reading import read_card
from web.findings.lists import FILTERS, Tabs, asked, note_looks, read_tabs
from web.findings.reviewing import say, word_of
from web.signs import words
from web.signs.reading import sign_map, sign_sketch, signals_of
from web.tables import TableState, csv_response
from web.texts import _

blueprint = Blueprint("signs", __name__, template_folder="templates")

TABS: Tabs = {
    "pending": ((FindingState.CLOSED,), (ReviewState.PENDING,)),
    "talk": ((FindingState.CLOSED,), (ReviewState.NEEDS_TALK,)),
    "settled": ((FindingState.CLOSED,), (ReviewState.EXPLAINED, ReviewState.FALSE_ALARM)),
    "retracted": ((FindingState.RETRACTED,), ()),
}
_SAID = (
    ReviewAction.EXPLAINED,
    ReviewAction.NEEDS_TALK,
    ReviewAction.FALSE_ALARM,
    ReviewAction.NOTE,
)


@blueprint.get("/signs")
@policy(Action.REVIEW_FINDING)
def index() -> str | Response:
    """List signs of the people one leads, those that nobody looked at first."""
    table = TableState.from_request(request, filters=FILTERS)
    wanted = asked(table, FindingFilter(kinds=(FindingKind.SIGNS,)))
    as_csv = request.args.get("format") == "csv"
    with transaction() as session:
        scope = signs_in_scope(principal(), now=now())
        listed = read_tabs(session, scope, table, TABS, wanted=wanted, whole=as_csv)
        note_looks(session, [row.employee_id for row in listed.page.rows], "signs")
    if as_csv:
        return _csv(listed.page.rows)
    return render_template(
        "signs/index.html",
        table=table,
        tab=listed.tab,
        counts=listed.counts,
        page=listed.page,
        words=words,
        filtered=any(k in table.filters for k in ("from", "to", "p")),
    )


@blueprint.get("/signs/<uuid:sign_id>")
@policy(Action.REVIEW_FINDING)
def show(sign_id: UUID) -> str:
    """Show one sign with every signal, its map, and what people said."""
    return _show(sign_id)


@blueprint.get("/api/signs/<uuid:sign_id>/evidence")
@policy(Action.REVIEW_FINDING)
@describe("Fixes that show a sign", answer=answers.Evidence, errors=(404,))
def evidence(sign_id: UUID) -> dict[str, Any]:
    """Return the fixes of the stretch, for the map of one sign."""
    with transaction() as session:
        return _map(session, get_finding(session, signs_in_scope(principal(), now=now()), sign_id))


@blueprint.get("/signs/<uuid:sign_id>/card.pdf")
@policy(Action.REVIEW_FINDING)
def card(sign_id: UUID) -> Response:
    """Print the evidence of one sign; the same look as its map."""
    with transaction() as session:
        found = get_finding(session, signs_in_scope(principal(), now=now()), sign_id)
        return _printed(found, _map(session, found))


@blueprint.post("/signs/<uuid:sign_id>/review")
@policy(Action.REVIEW_FINDING)
def review(sign_id: UUID) -> AnyResponse | tuple[str, int]:
    """Take a leader's word on a sign. It is noted; nothing follows by itself."""
    said = word_of(request.form.get("action"), among=_SAID)
    problem = _say(signs_in_scope(principal(), now=now()), sign_id, said)
    if problem is not None:
        status = 409 if isinstance(problem, Conflict) else 400
        return _show(sign_id, problem=problem), status
    flash(_("Noted."), "ok")
    return redirect(url_for("signs.show", sign_id=sign_id), 303)


@blueprint.get("/me/signs/<uuid:sign_id>")
@policy(Action.VIEW_OWN)
def mine(sign_id: UUID) -> str:
    """Show a sign to the person it is about: the same as those who lead see."""
    return _show_own(sign_id)


@blueprint.get("/api/me/signs/<uuid:sign_id>/evidence")
@policy(Action.VIEW_OWN)
@describe("Fixes that show a sign of oneself", answer=answers.Evidence, errors=(404,))
def my_evidence(sign_id: UUID) -> dict[str, Any]:
    """Return the fixes of the stretch, for the map of a sign of one's own."""
    with transaction() as session:
        return sign_map(session, get_finding(session, _own(), sign_id))


@blueprint.get("/me/signs/<uuid:sign_id>/card.pdf")
@policy(Action.VIEW_OWN)
def my_card(sign_id: UUID) -> Response:
    """Print the evidence of a sign of one's own."""
    with transaction() as session:
        found = get_finding(session, _own(), sign_id)
        return _printed(found, sign_map(session, found))


@blueprint.post("/me/signs/<uuid:sign_id>/answer")
@policy(Action.VIEW_OWN)
def answer(sign_id: UUID) -> AnyResponse | tuple[str, int]:
    """Take the person's own explanation; it is kept beside what others say."""
    problem = _say(_own(), sign_id, ReviewAction.ANSWER)
    if problem is not None:
        return _show_own(sign_id, problem=problem), 400
    flash(_("Kept beside the sign."), "ok")
    return redirect(url_for("signs.mine", sign_id=sign_id), 303)


def signs_of_oneself(session: Session, employee_id: UUID) -> list[FindingRow]:
    """Return the newest signs of a person for their own page. One statement."""
    wanted = FindingFilter(kinds=(FindingKind.SIGNS,), states=(FindingState.CLOSED,), limit=10)
    return list_findings(session, own_signs(employee_id), wanted=wanted).rows


def _map(session: Session, found: FindingDetail) -> dict[str, Any]:
    """Return the fixes of somebody's sign; a look that the quota counts."""
    row = found.row
    record_opening(
        session,
        principal(),
        row.employee_id,
        Purpose.ALERT_REVIEW,
        Opening.SIGN,
        now=now(),
        about_on=row.work_on,
    )
    return sign_map(session, found)


def _own() -> Scope:
    employee_id = principal().employee_id
    if employee_id is None:
        raise NotFound("finding_not_found")
    return own_signs(employee_id)


def _say(scope: Scope, sign_id: UUID, said: ReviewAction | None) -> OutpostError | None:
    """Note a word; returns what stands against it."""
    try:
        with transaction() as session:
            say(session, scope, sign_id, said, request.form.get("reason", ""))
    except (Conflict, InvalidInput) as error:
        return error
    return None


def _show(sign_id: UUID, *, problem: OutpostError | None = None) -> str:
    with transaction() as session:
        found = get_finding(session, signs_in_scope(principal(), now=now()), sign_id)
        note_looks(session, [found.row.employee_id], "sign", about_on=found.row.work_on)
        return _rendered(session, found, problem=problem, own=False)


def _show_own(sign_id: UUID, *, problem: OutpostError | None = None) -> str:
    with transaction() as session:
        found = get_finding(session, _own(), sign_id)
        return _rendered(session, found, problem=problem, own=True)


def _rendered(
    session: Session, found: FindingDetail, *, problem: OutpostError | None, own: bool
) -> str:
    return render_template(
        "signs/show.html",
        found=found,
        row=found.row,
        own=own,
        signals=signals_of(session, found, principal(), now=now()),
        words=words,
        card=read_card(found.evidence, zone=principal().zone),
        problem=None if problem is None else words.PROBLEMS.get(problem.code, problem.detail),
        reason=request.form.get("reason", "") if problem is not None else "",
    )


def _printed(found: FindingDetail, shown: Mapping[str, Any]) -> Response:
    row, zone = found.row, principal().zone
    printed = card_pdf(
        [Sheet("", read_card(found.evidence, zone=zone))],
        title=_("Signs to look at: %(name)s", name=row.employee_name),
        subtitle=formats.day(row.work_on),
        dated_at=row.decided_at,
        sketch=sign_sketch(shown),
    )
    return pdf_response(printed, f"signs-{row.work_on}-{str(row.id)[-8:]}")


def _csv(rows: Iterable[FindingRow]) -> Response:
    return csv_response(
        "signs",
        ("state", "review", "person", "unit", "work_on", "starts_at", "ends_at", "score"),
        [
            (
                *(row.state, row.review, row.employee_name, row.unit_name, row.work_on),
                *(row.starts_at, row.ends_at, row.confidence),
            )
            for row in rows
        ],
    )
