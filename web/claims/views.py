"""Pages of travel claims: the list, the audit of one, its decision and its print."""

from collections.abc import Iterable
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from flask import Blueprint, Response, flash, redirect, render_template, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as AnyResponse

from geo.fix import FixArray
from server.audit.services import Opening, Purpose, record_looks, record_opening
from server.claims.queries import (
    DECIDED,
    SORTABLE,
    ClaimDetail,
    ClaimFilter,
    ClaimPage,
    ClaimRow,
    ClaimState,
    ClaimVerdict,
    claim_fixes,
    claims_in_scope,
    get_claim,
    list_claims,
)
from server.claims.services import decide_claim
from server.db.paging import MAX_LIMIT, whole_list
from server.errors import Conflict, InvalidInput, NotFound
from server.http.context import now, principal, runtime, transaction
from server.http.markers import policy
from server.http.openapi import describe
from server.people.policy import in_scope_throughout, local_date, units_in_scope
from server.people.queries import units
from server.people.rules import Action, may_for_others
from web import answers
from web.cards.printing import card_pdf, pdf_response
from web.choices import unit_choices
from web.claims import words
from web.claims.cards import claim_map, claim_sketch, line_cards, sheets, travelled
from web.claims.filing import filing
from web.claims.forms import kind_or_first, typed_of
from web.params import uuid_or_none
from web.tables import TableState, csv_response
from web.texts import _

blueprint = Blueprint("claims", __name__, template_folder="templates")
filing(blueprint)


@blueprint.get("/claims")
@policy(Action.VIEW_CLAIMS)
def index() -> str | Response:
    """List claims, money at stake first."""
    viewer = principal()
    table = TableState.from_request(
        request,
        sortable=SORTABLE,
        filters=("unit", "state", "verdict", "month", "p"),
        default_sort="-stake",
    )
    as_csv = request.args.get("format") == "csv"
    with transaction() as session:
        reach = claims_in_scope(viewer, Action.VIEW_CLAIMS, now=now())

        def read(part: ClaimFilter) -> ClaimPage:
            return list_claims(session, reach, wanted=part)

        page = whole_list(read, _wanted(table)) if as_csv else read(_wanted(table))
        scope = units_in_scope(viewer, Action.VIEW_CLAIMS, now=now())
        choice = units(session, viewer, scope, now=now())
        _note(session, [row.employee_id for row in page.rows if row.verdict], "claims")
    if as_csv:
        return _csv(page.rows)
    return render_template(
        "claims/index.html",
        table=table,
        page=page,
        words=words,
        unit_options=unit_choices(choice),
        may_bring=may_for_others(viewer, Action.FILE_CLAIM),
        may_file=viewer.employee_id is not None,
        filtered=bool(table.q or table.filters),
    )


@blueprint.get("/claims/<uuid:claim_id>")
@policy(Action.VIEW_CLAIMS)
def show(claim_id: UUID) -> str:
    """Show one claim: a draft to go on with, else its audit."""
    return _show(claim_id)


@blueprint.post("/claims/<uuid:claim_id>/decide")
@policy(Action.DECIDE_CLAIM)
def decide(claim_id: UUID) -> AnyResponse | tuple[str, int]:
    """Approve, reduce or return a claim."""
    viewer, form = principal(), request.form
    chosen = form.get("decision", "")
    try:
        with transaction() as session:
            _load(session, claim_id, Action.DECIDE_CLAIM)
            decide_claim(
                session,
                runtime().clock,
                viewer,
                claim_id=claim_id,
                decision=ClaimState(chosen) if chosen in DECIDED else ClaimState.DRAFT,
                reason=form.get("reason", ""),
                seen_version=form.get("version", 0, type=int),
                seen_check=form.get("check", 0, type=int),
            )
    except (Conflict, InvalidInput) as error:
        status = 409 if isinstance(error, Conflict) else 400
        return _show(claim_id, words.refusal(error), form.get("reason", "")), status
    flash(_("Decided."), "ok")
    return redirect(url_for("claims.show", claim_id=claim_id), 303)


@blueprint.get("/claims/<uuid:claim_id>/card.pdf")
@policy(Action.VIEW_CLAIMS)
def card(claim_id: UUID) -> Response:
    """Print the evidence of a claim; the way is on it for those who may see it."""
    zone = principal().zone
    with transaction() as session:
        claim = _load(session, claim_id, Action.VIEW_CLAIMS)
        if not claim.checks:
            raise NotFound("not_checked_yet")
        way = _way(session, claim) if _may_see_way(session, claim.row) else None
        _note(session, [claim.row.employee_id], "claim", about_on=claim.row.first_on)
    check, row = claim.checks[0], claim.row
    printed = card_pdf(
        list(sheets(line_cards(claim, check, zone=zone), claim)),
        title=_("Evidence of a travel claim: %(name)s", name=row.employee_name),
        subtitle=_subtitle(claim),
        dated_at=check.checked_at,
        sketch=claim_sketch(claim, way, zone=zone),
    )
    return pdf_response(printed, f"claim-{row.first_on}-{str(row.id)[-8:]}")


@blueprint.get("/api/claims/<uuid:claim_id>/way")
@policy(Action.VIEW_TRACK)
@describe("Claimed stops, and fixes of the ways claimed", answer=answers.Evidence, errors=(404,))
def way(claim_id: UUID) -> dict[str, Any]:
    """Return the fixes over the kilometres and rides of a claim, for its map."""
    with transaction() as session:
        claim = _load(session, claim_id, Action.VIEW_CLAIMS)
        if not _may_see_way(session, claim.row):
            raise NotFound("claim_not_found")
        return claim_map(claim, _way(session, claim), zone=principal().zone)


def _show(claim_id: UUID, problem: str | None = None, reason: str = "") -> str:
    viewer = principal()
    with transaction() as session:
        claim = _load(session, claim_id, Action.VIEW_CLAIMS)
        may_see_way = _may_see_way(session, claim.row)
        may_decide = _may_decide(session, claim)
        next_id = _next_waiting(session, claim_id)
        if claim.checks:
            _note(session, [claim.row.employee_id], "claim", about_on=claim.row.first_on)
    newest = claim.checks[0] if claim.checks else None
    lines = {str(line["id"]): line for line in claim.document["lines"]}
    changed = lines.get(request.args.get("line", ""))
    typed = typed_of(changed, zone=viewer.zone) if changed else {}
    typed |= request.args.to_dict()
    return render_template(
        "claims/draft.html" if claim.row.state is ClaimState.DRAFT else "claims/show.html",
        claim=claim,
        row=claim.row,
        check=newest,
        cards=line_cards(claim, newest, zone=viewer.zone),
        next_id=next_id,
        words=words,
        own=claim.row.employee_id == viewer.employee_id,
        may_see_way=may_see_way,
        may_decide=may_decide,
        problem=problem,
        reason=reason,
        kind=kind_or_first(typed.get("kind")),
        typed=typed,
        changed=changed is not None,
    )


def _load(session: Session, claim_id: UUID, action: Action) -> ClaimDetail:
    return get_claim(session, claims_in_scope(principal(), action, now=now()), claim_id)


def _may_see_way(session: Session, row: ClaimRow) -> bool:
    """Whether the viewer may see where the claimant was, on each day of the claim."""
    return in_scope_throughout(
        session,
        principal(),
        Action.VIEW_TRACK,
        row.employee_id,
        first_on=row.first_on,
        last_on=row.last_on,
        now=now(),
    )


def _may_decide(session: Session, claim: ClaimDetail) -> bool:
    row, viewer = claim.row, principal()
    if row.state is not ClaimState.SUBMITTED or row.employee_id == viewer.employee_id:
        return False
    try:
        _load(session, row.id, Action.DECIDE_CLAIM)
    except NotFound:
        return False
    return bool(claim.checks)


def _next_waiting(session: Session, claim_id: UUID) -> UUID | None:
    """Return which claim waits for the viewer after this one, money at stake first, in a ring."""
    viewer = principal()
    if not may_for_others(viewer, Action.DECIDE_CLAIM):
        return None
    scope = claims_in_scope(viewer, Action.DECIDE_CLAIM, now=now())
    wanted = ClaimFilter(states=[ClaimState.SUBMITTED], limit=MAX_LIMIT)
    waiting = [
        row.id
        for row in list_claims(session, scope, wanted=wanted).rows
        if row.verdict and row.employee_id != viewer.employee_id
    ]
    after = waiting.index(claim_id) + 1 if claim_id in waiting else 0
    return next((id_ for id_ in waiting[after:] + waiting[:after] if id_ != claim_id), None)


def _way(session: Session, claim: ClaimDetail) -> FixArray:
    """Return the fixes of the ways claimed; a look that the quota counts."""
    viewer, row = principal(), claim.row
    record_opening(
        session,
        viewer,
        row.employee_id,
        Purpose.CLAIM_REVIEW,
        Opening.CLAIM,
        now=now(),
        about_on=row.first_on,
    )
    fixes = claim_fixes(session, claim, tenant_id=viewer.tenant_id, zone=viewer.zone)
    return travelled(claim, fixes, zone=viewer.zone)


def _note(session: Session, people: list[UUID], view: str, *, about_on: date | None = None) -> None:
    record_looks(
        session, principal(), people, Purpose.CLAIM_REVIEW, view, now=now(), about_on=about_on
    )


def _wanted(table: TableState) -> ClaimFilter:
    chosen = table.filters
    state, verdict = chosen.get("state", ""), chosen.get("verdict", "")
    unit, month = uuid_or_none(chosen.get("unit")), _month(chosen.get("month"))
    return ClaimFilter(
        search=table.q,
        unit_ids=[unit] if unit else [],
        employee_id=uuid_or_none(chosen.get("p")),
        states=[ClaimState(state)] if state in set(ClaimState) else [],
        verdicts=[ClaimVerdict(verdict)] if verdict in set(ClaimVerdict) else [],
        first_on=month[0] if month else None,
        last_on=month[1] if month else None,
        sort=table.sort_key,
        descending=table.descending,
        limit=table.size,
        offset=table.offset,
    )


def _month(text: str | None) -> tuple[date, date] | None:
    try:
        first = date.fromisoformat(f"{text}-01")
    except ValueError:
        return None
    after = (first.replace(day=28) + timedelta(days=4)).replace(day=1)
    return first, after - timedelta(days=1)


def _subtitle(claim: ClaimDetail) -> str:
    row = claim.row
    days = str(row.first_on) if row.first_on == row.last_on else f"{row.first_on} – {row.last_on}"
    return " · ".join(filter(None, (row.unit_name, row.reference, days)))


def _csv(rows: Iterable[ClaimRow]) -> Response:
    header = (
        *("person", "unit", "reference", "state", "verdict", "first_on", "last_on", "currency"),
        *("claimed_amount", "suggested_amount", "at_stake", "approved_amount", "amended"),
        *("submitted_at", "decided_at", "decided_by"),
    )
    return csv_response(
        f"claims-{local_date(now(), principal().zone)}",
        header,
        [
            (
                *(row.employee_name, row.unit_name, row.reference, row.state, row.verdict),
                *(row.first_on, row.last_on, row.currency, row.claimed_amount),
                *(row.suggested_amount, row.at_stake, row.approved_amount, row.amended),
                *(row.submitted_at, row.decided_at, row.decider_name),
            )
            for row in rows
        ],
    )
