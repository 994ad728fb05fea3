"""The page of what is known of radio cells, for administrators of the whole company."""

from flask import Blueprint, Response, render_template, request
from sqlalchemy.orm import Session

from geo.cell_survey import SurveyPolicy
from server.cells.queries import SourceView, learned_networks, list_sources
from server.errors import Forbidden, NotFound
from server.http.context import principal, transaction
from server.http.markers import policy
from server.people.rules import Action, granting_units
from server.people.services import top_unit
from web.cells import words
from web.tables import TableState, csv_response

blueprint = Blueprint("cells", __name__, template_folder="templates")

_SORTS = ("name", "cells", "areas", "left_out", "imported")


@blueprint.get("/cells")
@policy(Action.MANAGE_CARRIERS)
def index() -> str | Response:
    """List imported tables with what they cover, and what the fleet taught by network."""
    viewer = principal()
    table = TableState.from_request(request, sortable=_SORTS, default_sort="name")
    with transaction() as session:
        _whole_company(session)
        sources = list_sources(session)
        learned, counted_at = learned_networks(session, tenant_id=viewer.tenant_id)
    shown = [s for s in sources if table.q.casefold() in f"{s.name}\n{s.file}".casefold()]
    shown.sort(key=lambda s: _sort_key(table.sort_key, s), reverse=table.descending)
    if request.args.get("format") == "csv":
        return _csv(shown)
    return render_template(
        "cells/index.html",
        table=table,
        sources=shown[table.offset : table.offset + table.size],
        count=len(shown),
        total=len(sources),
        learned=learned,
        counted_at=counted_at,
        survey=SurveyPolicy(),
        words=words,
    )


def _sort_key(key: str, source: SourceView) -> tuple[object, ...]:
    values = {
        "cells": source.cells,
        "areas": source.areas,
        "left_out": sum(source.rejected.values()),
        "imported": source.imported_at,
    }
    return (values.get(key, 0), source.name)


def _csv(sources: list[SourceView]) -> Response:
    """Return one row a table and network; a table that was never counted has one row."""
    header = ("table", "file", "datum", "imported_at", "imported_by", "left_out")
    rows: list[tuple[object, ...]] = []
    for s in sources:
        left_out = sum(s.rejected.values())
        about = (s.name, s.file, s.datum, s.imported_at.isoformat(), s.imported_by, left_out)
        rows += [
            (*about, n.network.radio, n.network.mcc, n.network.mnc, n.cells, n.areas)
            for n in s.networks or ()
        ] or [(*about, None, None, None, s.cells, s.areas)]
    return csv_response("cell-tables", (*header, "radio", "mcc", "mnc", "cells", "areas"), rows)


def _whole_company(session: Session) -> None:
    """Refuse administrators of a part: tables and lessons serve everybody.

    Raises
    ------
    Forbidden : the viewer's right does not hold on the top unit.
    """
    viewer = principal()
    try:
        top = top_unit(session, tenant_id=viewer.tenant_id)
    except NotFound:
        raise Forbidden from None
    if top.id not in granting_units(viewer, Action.MANAGE_CARRIERS):
        raise Forbidden
