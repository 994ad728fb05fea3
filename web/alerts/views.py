"""Pages and JSON of alerts."""

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from flask import Blueprint, Response, flash, redirect, render_template, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as AnyResponse

from server.errors import Conflict, InvalidInput, OutpostError
from server.findings.queries import (
    FindingDetail,
    FindingFilter,
    FindingKind,
    FindingRow,
    FindingSort,
    FindingState,
    ReviewState,
    findings_in_scope,
    get_finding,
)
from server.http.context import now, principal, transaction
from server.http.markers import policy
from server.http.openapi import describe
from server.people.policy import is_in_scope, units_in_scope
from server.people.rules import Action, may_for_others
from server.posts.queries import list_posts
from web import answers
from web.alerts import words
from web.alerts.evidence import card_facts, card_subtitle, evidence_map, evidence_sketch
from web.alerts.reviewing import acknowledge, review_one
from web.alerts.versions import read_versions
from web.cards.printing import Sheet, card_pdf, pdf_response
from web.cards.reading import read_card
from web.findings.lists import FILTERS, Tabs, asked, note_looks, read_tabs
from web.params import uuid_or_none
from web.tables import TableState, csv_response
from web.texts import _, ngettext

blueprint = Blueprint("alerts", __name__, template_folder="templates")

TABS: Tabs = {
    "open": ((FindingState.OPEN,), (ReviewState.PENDING,)),
    "acknowledged": (
        (FindingState.OPEN,),
        (ReviewState.ACKNOWLEDGED, ReviewState.FALSE_ALARM),
    ),
    "closed": ((FindingState.CLOSED,), ()),
    "retracted": ((FindingState.RETRACTED,), ()),
}
KINDS: Mapping[str, tuple[FindingKind, ...]] = {
    "off_post": (FindingKind.OFF_POST,),
    "gap": (FindingKind.GAP,),
    "all": (FindingKind.OFF_POST, FindingKind.GAP),
}


@blueprint.get("/alerts")
@policy(Action.VIEW_FINDINGS)
def index() -> str | Response:
    """List alerts of one state, with how many each state has."""
    table = TableState.from_request(request, filters=(*FILTERS, "kind", "order", "post"))
    as_csv = request.args.get("format") == "csv"
    with transaction() as session:
        scope = findings_in_scope(principal(), Action.VIEW_FINDINGS, now=now())
        listed = read_tabs(session, scope, table, TABS, wanted=_wanted(table), whole=as_csv)
        posts = list_posts(
            session, units_in_scope(principal(), Action.VIEW_POSTS, now=now()), at=now()
        )
        note_looks(session, [row.employee_id for row in listed.page.rows], "alerts")
    if as_csv:
        return _csv(listed.page.rows)
    return render_template(
        "alerts/index.html",
        table=table,
        tab=listed.tab,
        counts=listed.counts,
        page=listed.page,
        posts=posts,
        orders=_order_choices(),
        may_review=listed.tab == "open" and may_for_others(principal(), Action.REVIEW_FINDING),
        filtered=any(k in table.filters for k in ("kind", "from", "to", "post", "p")),
    )


@blueprint.post("/alerts/review")
@policy(Action.REVIEW_FINDING)
def review_several() -> AnyResponse:
    """Acknowledge several alerts with one reason."""
    wanted = [uuid_or_none(text) for text in request.form.getlist("id")]
    chosen = [finding_id for finding_id in wanted if finding_id is not None]
    try:
        done = acknowledge(chosen, request.form.get("reason", ""))
    except InvalidInput as error:
        flash(_sentence(error), "danger")
    else:
        text = ngettext("%(num)d alert acknowledged.", "%(num)d alerts acknowledged.", done)
        if done < len(set(chosen)):
            text = " ".join((text, _("Somebody else was faster with the others.")))
        flash(text, "ok")
    return redirect(url_for("alerts.index"), 303)


@blueprint.get("/alerts/<uuid:finding_id>")
@policy(Action.VIEW_FINDINGS)
def show(finding_id: UUID) -> str:
    """Show one alert with its evidence."""
    return _show(finding_id)


@blueprint.post("/alerts/<uuid:finding_id>/review")
@policy(Action.REVIEW_FINDING)
def review(finding_id: UUID) -> AnyResponse | tuple[str, int]:
    """Take somebody's word on an alert."""
    reason = request.form.get("reason", "")
    try:
        review_one(finding_id, request.form.get("action", ""), reason)
    except (Conflict, InvalidInput) as error:
        status = 409 if isinstance(error, Conflict) else 400
        return _show(finding_id, problem=_sentence(error), reason=reason), status
    flash(_("Noted."), "ok")
    return redirect(url_for("alerts.show", finding_id=finding_id), 303)


@blueprint.post("/api/alerts/<uuid:finding_id>/reviews")
@policy(Action.REVIEW_FINDING)
@describe(
    "Say something of an alert",
    body=answers.ReviewWanted,
    answer=answers.ReviewDone,
    status=201,
    errors=(400, 404, 409),
)
def review_json(finding_id: UUID) -> tuple[dict[str, str], int]:
    """Take somebody's word on an alert; for the live map."""
    body = request.get_json(silent=True)
    given = body if isinstance(body, dict) else {}
    try:
        review_id = review_one(finding_id, str(given.get("action")), str(given.get("reason") or ""))
    except (Conflict, InvalidInput) as error:
        error.detail = _sentence(error)
        raise
    return {"id": str(review_id)}, 201


@blueprint.get("/api/alerts/<uuid:finding_id>/evidence")
@policy(Action.VIEW_FINDINGS)
@describe(
    "Fence, fixes and accuracies that an alert rests on", answer=answers.Evidence, errors=(404,)
)
def evidence(finding_id: UUID) -> dict[str, Any]:
    """Fence, evidence fixes and accuracies of one alert, for its map."""
    with transaction() as session:
        return evidence_map(session, _found(session, finding_id))


@blueprint.get("/alerts/<uuid:finding_id>/card.pdf")
@policy(Action.VIEW_FINDINGS)
def card(finding_id: UUID) -> Response:
    """Print the evidence of one alert; the same look as its page."""
    with transaction() as session:
        found = _found(session, finding_id)
        shown = evidence_map(session, found)
    row, zone = found.row, principal().zone
    printed = card_pdf(
        [Sheet("", read_card(found.evidence, zone=zone), card_facts(found, zone))],
        title=_("Evidence of an alert: %(name)s", name=row.employee_name),
        subtitle=card_subtitle(found, zone),
        dated_at=row.decided_at,
        sketch=evidence_sketch(shown),
    )
    return pdf_response(printed, f"alert-{row.work_on}-{str(row.id)[-8:]}")


def _found(session: Session, finding_id: UUID) -> FindingDetail:
    """Load an alert that the viewer may see, and note the look."""
    scope = findings_in_scope(principal(), Action.VIEW_FINDINGS, now=now())
    found = get_finding(session, scope, finding_id)
    note_looks(session, [found.row.employee_id], "alert", about_on=found.row.work_on)
    return found


def _show(finding_id: UUID, *, problem: str | None = None, reason: str = "") -> str:
    with transaction() as session:
        found = _found(session, finding_id)
        own = found.row.employee_id == principal().employee_id
        reviewable = not own and _may(session, Action.REVIEW_FINDING, found.row)
        track = _may(session, Action.VIEW_TRACK, found.row)
    zone = principal().zone
    return render_template(
        "alerts/show.html",
        found=found,
        row=found.row,
        words=words,
        card=read_card(found.evidence, zone=zone),
        card_facts=card_facts(found, zone),
        versions=read_versions(found.versions, rule=found.row.kind, zone=zone),
        may_review=reviewable,
        may_see_track=track,
        problem=problem,
        reason=reason,
    )


def _may(session: Session, action: Action, row: FindingRow) -> bool:
    viewer, person = principal(), row.employee_id
    return is_in_scope(session, viewer, action, person, now=now(), on=row.work_on)


def _wanted(table: TableState) -> FindingFilter:
    order = table.filters.get("order", "")
    among = FindingFilter(
        kinds=KINDS.get(table.filters.get("kind", ""), KINDS["off_post"]),
        post_id=uuid_or_none(table.filters.get("post")),
        sort=FindingSort(order) if order in list(FindingSort) else FindingSort.NEWEST,
    )
    return asked(table, among)


def _csv(rows: Iterable[FindingRow]) -> Response:
    zone = principal().zone
    header = (
        *("kind", "state", "review", "person", "unit", "post", "work_on", "starts_at"),
        *("ends_at", "duration_s", "distance_m", "confidence", "cause", "zone"),
    )
    return csv_response(
        "alerts",
        header,
        [
            (
                *(row.kind, row.state, row.review, row.employee_name, row.unit_name),
                *(row.post_name, row.work_on, row.starts_at),
                *(row.ends_at, row.duration_s),
                *(row.distance_m, row.confidence, row.cause, zone),
            )
            for row in rows
        ],
    )


def _order_choices() -> list[tuple[str, str]]:
    return [
        ("newest", _("Newest first")),
        ("oldest", _("Oldest first")),
        ("longest", _("Longest first")),
        ("person", _("By name")),
    ]


def _sentence(error: OutpostError) -> str:
    return str(words.PROBLEMS.get(error.code, error.detail or error.code))
