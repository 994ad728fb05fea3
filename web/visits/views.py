"""The list of visits, assigning and cancelling them, and the card of one."""

from collections.abc import Collection, Iterable, Mapping
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from flask import Blueprint, Response, flash, redirect, render_template, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as AnyResponse

from server.audit.services import Opening, Purpose, record_looks, record_opening
from server.db.paging import whole_list
from server.errors import Conflict, InvalidInput, NotFound, OutpostError
from server.http.context import now, principal, runtime, transaction
from server.http.markers import policy
from server.http.openapi import describe
from server.people.policy import (
    employees_in_scope,
    is_in_scope,
    local_date,
    units_in_scope,
)
from server.people.queries import UnitNode, people, units
from server.people.rules import Action, may_for_others
from server.sites.queries import list_sites
from server.visits.pin_doubts import PinDoubt, pin_doubts
from server.visits.queries import (
    SORTABLE,
    Scope,
    VisitDetail,
    VisitFilter,
    VisitPage,
    VisitRow,
    VisitType,
    VisitVerdict,
    get_visit,
    list_visits,
    visits_in_scope,
)
from server.visits.rules import MAX_NOTE, differences
from server.visits.services import cancel_visit
from web import answers
from web.cards.printing import Sheet, card_pdf, pdf_response
from web.cards.reading import read_card
from web.choices import person_choices, unit_choices
from web.params import date_or_none, uuid_or_none
from web.tables import TableState, csv_response
from web.texts import _, ngettext
from web.visits import words
from web.visits.assigning import assign_from
from web.visits.card import card_facts, card_subtitle, visit_map, visit_sketch

blueprint = Blueprint("visits", __name__, template_folder="templates")

BACK: Final = timedelta(days=14)
AHEAD: Final = timedelta(days=14)
_SUGGESTED: Final = 500
_FILTERS: Final = ("from", "to", "unit", "p", "site", "type", "verdict")
_STATES: Mapping[str, dict[str, Any]] = {
    **{verdict.value: {"verdicts": (verdict,), "cancelled": False} for verdict in VisitVerdict},
    "waiting": {"judged": False, "cancelled": False},
    "cancelled": {"cancelled": True},
}


@blueprint.get("/visits")
@policy(Action.VIEW_FINDINGS)
def index() -> str | Response:
    """List the visits of a span of days, with the newest verdict on each."""
    viewer = principal()
    table = TableState.from_request(
        request, sortable=SORTABLE, filters=_FILTERS, default_sort="-start"
    )
    as_csv = request.args.get("format") == "csv"
    may_assign = may_for_others(viewer, Action.ASSIGN_VISITS)
    with transaction() as session:
        tree = units(
            session, viewer, units_in_scope(viewer, Action.VIEW_FINDINGS, now=now()), now=now()
        )
        wanted = _wanted(table, tree)
        scope = visits_in_scope(viewer, Action.VIEW_FINDINGS, now=now())

        def read(part: VisitFilter) -> VisitPage:
            return list_visits(session, scope, wanted=part)

        page = whole_list(read, wanted) if as_csv else read(wanted)
        doubts = {} if as_csv else _doubts(session, scope, page.rows)
        told = {row.employee_id for row in page.rows if row.verdict is not None}
        _note_looks(session, told, "visits")
        form = _form(session) if may_assign and not as_csv else {}
    if as_csv:
        return _csv(page.rows)
    return render_template(
        "visits/index.html",
        table=table,
        page=page,
        words=words,
        doubts=doubts,
        first_on=wanted.first_on,
        last_on=wanted.last_on,
        at=now(),
        today=local_date(now(), viewer.zone),
        unit_options=unit_choices(tree),
        may_assign=may_assign,
        filtered=bool(table.q or table.filters),
        max_note=MAX_NOTE,
        **form,
    )


@blueprint.post("/visits")
@policy(Action.ASSIGN_VISITS)
def assign() -> AnyResponse:
    """Assign visits to people."""
    try:
        with transaction() as session:
            count = assign_from(session, runtime().clock, principal(), request.form)
    except (Conflict, InvalidInput) as error:
        flash(_sentence(error), "danger")
    else:
        flash(ngettext("%(num)d visit assigned.", "%(num)d visits assigned.", count), "ok")
    return redirect(url_for("visits.index"), 303)


@blueprint.get("/visits/<uuid:visit_id>")
@policy(Action.VIEW_FINDINGS)
def show(visit_id: UUID) -> str:
    """Show one visit with its verdicts and their evidence."""
    with transaction() as session:
        found = _load(session, visit_id, Action.VIEW_FINDINGS)
        _note_looks(session, {found.row.employee_id}, "visit", row=found.row)
        own = found.row.employee_id == principal().employee_id
        scope = visits_in_scope(principal(), Action.VIEW_FINDINGS, now=now())
        # Whom it is about is told of it too, without numbers of people one may not see.
        doubt = _doubts(session, None if own else scope, [found.row]).get(visit_id)
        may_cancel = _may(session, Action.ASSIGN_VISITS, found.row)
        may_see_track = _may(session, Action.VIEW_TRACK, found.row)
    newest = found.verdicts[0] if found.verdicts else None
    return render_template(
        "visits/show.html",
        found=found,
        row=found.row,
        newest=newest,
        words=words,
        at=now(),
        card=read_card(newest.evidence, zone=principal().zone) if newest else None,
        card_facts=card_facts(found, principal().zone),
        changes=_changes(found),
        own=own,
        doubt=doubt,
        may_cancel=may_cancel and not own,
        may_see_track=may_see_track,
    )


@blueprint.post("/visits/<uuid:visit_id>/cancel")
@policy(Action.ASSIGN_VISITS)
def cancel(visit_id: UUID) -> AnyResponse:
    """Cancel a visit."""
    viewer = principal()
    try:
        with transaction() as session:
            _require_other(_load(session, visit_id, Action.ASSIGN_VISITS).row)
            cancel_visit(
                session,
                runtime().clock,
                tenant_id=viewer.tenant_id,
                visit_id=visit_id,
                actor_id=viewer.account_id,
            )
    except (Conflict, InvalidInput) as error:
        flash(_sentence(error), "danger")
    else:
        flash(_("The visit was cancelled; it excuses nothing any more."), "ok")
    return redirect(url_for("visits.index"), 303)


@blueprint.get("/api/visits/<uuid:visit_id>/evidence")
@policy(Action.VIEW_FINDINGS)
@describe("Pin, fixes and accuracies of a visit", answer=answers.VisitEvidence, errors=(404,))
def evidence(visit_id: UUID) -> dict[str, Any]:
    """Pin with its radius and the fixes of one visit, for its map."""
    with transaction() as session:
        return _map(session, _load(session, visit_id, Action.VIEW_FINDINGS))


@blueprint.get("/visits/<uuid:visit_id>/card.pdf")
@policy(Action.VIEW_FINDINGS)
def card(visit_id: UUID) -> Response:
    """Print the evidence of one visit; the same look as its map."""
    viewer = principal()
    with transaction() as session:
        found = _load(session, visit_id, Action.VIEW_FINDINGS)
        if not found.verdicts:
            raise NotFound("not_judged")
        shown = _map(session, found)
    row, newest = found.row, found.verdicts[0]
    printed = card_pdf(
        [Sheet("", read_card(newest.evidence, zone=viewer.zone), card_facts(found, viewer.zone))],
        title=_("Evidence of a visit: %(name)s", name=row.employee_name),
        subtitle=card_subtitle(found, viewer.zone),
        dated_at=newest.decided_at,
        sketch=visit_sketch(shown, row.site_name),
    )
    return pdf_response(printed, f"visit-{row.on_date}-{str(row.id)[-8:]}")


def _load(session: Session, visit_id: UUID, action: Action) -> VisitDetail:
    return get_visit(session, visits_in_scope(principal(), action, now=now()), visit_id)


def _doubts(
    session: Session, reach: Scope | None, rows: Iterable[VisitRow]
) -> Mapping[UUID, PinDoubt]:
    """Return what others' stays say of those of some visits."""
    return pin_doubts(
        session,
        reach,
        tenant_id=principal().tenant_id,
        site_ids={row.site_id for row in rows if row.verdict and row.cancelled_at is None},
        now=now(),
    )


def _map(session: Session, found: VisitDetail) -> dict[str, Any]:
    """Return pin and fixes of a visit; a look that the quota counts."""
    viewer, row = principal(), found.row
    record_opening(
        session,
        viewer,
        row.employee_id,
        Purpose.VISIT_REVIEW,
        Opening.VISIT,
        now=now(),
        about_on=row.on_date,
    )
    return visit_map(session, found, tenant_id=viewer.tenant_id)


def _require_other(row: VisitRow) -> None:
    if row.employee_id == principal().employee_id:
        raise InvalidInput("own_visit")


def _may(session: Session, action: Action, row: VisitRow) -> bool:
    viewer, person = principal(), row.employee_id
    return is_in_scope(session, viewer, action, person, now=now(), on=row.on_date)


def _wanted(table: TableState, tree: list[UnitNode]) -> VisitFilter:
    today = local_date(now(), principal().zone)
    first_on = date_or_none(table.filters.get("from")) or today - BACK
    kind = table.filters.get("type", "")
    return VisitFilter(
        search=table.q,
        unit_ids=_below(tree, uuid_or_none(table.filters.get("unit"))),
        employee_id=uuid_or_none(table.filters.get("p")),
        site_id=uuid_or_none(table.filters.get("site")),
        kinds=(VisitType(kind),) if kind in set(VisitType) else (),
        first_on=first_on,
        last_on=date_or_none(table.filters.get("to")) or max(today, first_on) + AHEAD,
        sort=table.sort_key,
        descending=table.descending,
        limit=table.size,
        offset=table.offset,
        **_STATES.get(table.filters.get("verdict", ""), {}),
    )


def _below(tree: list[UnitNode], unit_id: UUID | None) -> Collection[UUID]:
    """Return a unit and everything below it; nothing without one."""
    found: set[UUID] = set() if unit_id is None else {unit_id}
    size = -1
    while size != len(found):
        size = len(found)
        found |= {unit.id for unit in tree if unit.parent_id in found}
    return found


def _form(session: Session) -> dict[str, Any]:
    """Return whom one may send, and the sites that the form suggests."""
    viewer = principal()
    scope = employees_in_scope(viewer, Action.ASSIGN_VISITS, now=now())
    sites, _count = list_sites(
        session, units_in_scope(viewer, Action.VIEW_POSTS, now=now()), limit=_SUGGESTED
    )
    return {
        "person_options": person_choices(
            [
                one
                for one in people(session, viewer, scope, now=now())
                if one.id != viewer.employee_id
            ]
        ),
        "sites": [site for site in sites if site.facts.position is not None],
    }


def _changes(found: VisitDetail) -> dict[int, list[tuple[str, str, str]]]:
    """Return in what each version differs from the one before, in words."""
    zone = principal().zone
    return {
        newer.version: [
            (
                words.label(name),
                words.figure(name, before, zone),
                words.figure(name, after, zone),
            )
            for name, before, after in differences(older.evidence, newer.evidence)
        ]
        for newer, older in zip(found.verdicts, found.verdicts[1:], strict=False)
    }


def _note_looks(
    session: Session, about: Collection[UUID], view: str, *, row: VisitRow | None = None
) -> None:
    record_looks(
        session,
        principal(),
        sorted(about),
        Purpose.VISIT_REVIEW,
        view,
        now=now(),
        about_on=None if row is None else row.on_date,
    )


def _csv(rows: Iterable[VisitRow]) -> Response:
    header = (
        *("person", "unit", "site_number", "site", "type", "on_date", "starts_at", "ends_at"),
        *("verdict", "version", "arrived_at", "left_at", "dwell_s", "nearest_m"),
        *("decided_at", "note", "by", "cancelled_at", "zone"),
    )
    return csv_response(
        "visits",
        header,
        [
            (
                *(row.employee_name, row.unit_name, row.site_number, row.site_name, row.kind),
                *(row.on_date, row.starts_at, row.ends_at),
                *(row.verdict, row.version or None, row.arrived_at, row.left_at),
                *(row.dwell_s, row.nearest_m, row.decided_at, row.note, row.by),
                *(row.cancelled_at, principal().zone),
            )
            for row in rows
        ],
    )


def _sentence(error: OutpostError) -> str:
    sentence = str(words.REFUSALS.get(error.code) or _("This cannot be saved."))
    named = error.code in {"unknown_site", "site_closed", "site_without_position"}
    return f"{error.detail}: {sentence}" if named and error.detail else sentence
