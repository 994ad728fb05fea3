"""Pages of imports, and the downloads of exports and templates."""

from contextlib import AbstractContextManager
from datetime import timedelta
from uuid import UUID

from flask import Blueprint, Response, flash, redirect, render_template, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as AnyResponse

from server.errors import Conflict, Forbidden, InvalidInput, NotFound
from server.http.context import now, principal, runtime, transaction
from server.http.language import choose_language
from server.http.markers import policy
from server.http.openapi import describe
from server.imports.bearer import ACTIONS, Bearer
from server.imports.exports import export_rows
from server.imports.kinds import FileFormat, Kind, Outcome
from server.imports.opening import FORMATS
from server.imports.planning import Options
from server.imports.queries import ImportView, get_import, import_rows, list_imports
from server.imports.services import (
    apply_import,
    check_import,
    discard_import,
    receive_file,
    set_options,
)
from server.imports.table import MAX_BYTES
from server.imports.writing import MEDIA_TYPES, write_file
from server.people.policy import local_date
from server.people.queries import units
from server.people.rules import Action, granting_units, may_for_others
from web.imports import words
from web.imports.answers import ImportProgress
from web.params import date_or_none
from web.tables import TableState, csv_response
from web.texts import _, ngettext

blueprint = Blueprint("imports", __name__, template_folder="templates")

_MAX_BODY = MAX_BYTES + 64 * 1024
_ALL_ROWS = 1_000_000
_LONGEST_ROSTER = timedelta(days=366)


@blueprint.get("/imports")
@policy(Action.IMPORT_DATA)
def index() -> str:
    """Show the form to bring a file with, what can be taken out, and what was brought."""
    viewer = principal()
    kinds = _kinds()
    asked = request.args.get("kind", "")
    with transaction() as session:
        history = list_imports(
            session,
            tenant_id=viewer.tenant_id,
            account_id=viewer.account_id,
            of_others=_kinds_of_others(session),
        )
    return render_template(
        "imports/index.html",
        kinds=kinds,
        chosen=asked if asked in kinds else (kinds[0].value if kinds else ""),
        history=history,
        formats=FORMATS,
        words=words,
        today=local_date(now(), viewer.zone),
        month=local_date(now(), viewer.zone) + timedelta(days=30),
        limit_mb=MAX_BYTES // 1024 // 1024,
    )


@blueprint.post("/imports")
@policy(Action.IMPORT_DATA, max_body=_MAX_BODY)
def receive() -> AnyResponse:
    """Take a file in."""
    kind = _kind(request.form.get("kind", ""))
    try:
        name, content = _upload()
        with transaction() as session:
            import_id = receive_file(
                session,
                runtime().clock,
                bearer=Bearer.of(principal()),
                kind=kind,
                file_name=name,
                content=content,
                options=_options(Options()),
            )
    except InvalidInput as error:
        flash(words.act_reason(error, kind), "danger")
        return redirect(url_for("imports.index", kind=kind.value), 303)
    return redirect(url_for("imports.show", import_id=import_id), 303)


@blueprint.get("/imports/<uuid:import_id>")
@policy(Action.IMPORT_DATA)
def show(import_id: UUID) -> str:
    """Show how far a file is and what its rows would do."""
    table = TableState.from_request(request, filters=("only",))
    only = table.filters.get("only", "")
    chosen = [Outcome(only)] if only in list(Outcome) else []
    with transaction() as session:
        found = _load(session, import_id)
        rows = import_rows(
            session,
            tenant_id=principal().tenant_id,
            import_id=import_id,
            outcomes=chosen,
            limit=table.size,
            offset=table.offset,
        )
    count = found.counts.get(only, 0) if chosen else found.rows
    return render_template(
        "imports/show.html",
        found=found,
        table=table,
        only=only,
        rows=rows,
        count=count,
        words=words,
        outcomes=list(Outcome),
        segments=_segments(found, table, only),
        has_places=found.kind in {Kind.POSTS, Kind.SITES},
    )


@blueprint.get("/api/imports/<uuid:import_id>")
@policy(Action.IMPORT_DATA)
@describe("How far a file is", answer=ImportProgress)
def progress(import_id: UUID) -> dict[str, object]:
    """How far a file is."""
    with transaction() as session:
        found = _load(session, import_id)
    return {
        "state": found.state.value,
        "rows_done": found.rows_done,
        "rows_total": found.rows_total,
    }


@blueprint.post("/imports/<uuid:import_id>/check")
@policy(Action.IMPORT_DATA)
def check(import_id: UUID) -> AnyResponse:
    """Read a file and work out what its rows would do."""
    found = _loaded(import_id)
    try:
        check_import(
            _transactions, runtime().clock, bearer=Bearer.of(principal()), import_id=import_id
        )
    except Conflict as error:
        flash(words.act_reason(error, found.kind), "danger")
    return redirect(url_for("imports.show", import_id=import_id), 303)


@blueprint.post("/imports/<uuid:import_id>/options")
@policy(Action.IMPORT_DATA)
def answer(import_id: UUID) -> AnyResponse:
    """Take an answer to a question about a file; it is checked again."""
    found = _loaded(import_id)
    try:
        with transaction() as session:
            set_options(
                session,
                runtime().clock,
                bearer=Bearer.of(principal()),
                import_id=import_id,
                options=_options(found.options),
            )
    except Conflict as error:
        flash(words.act_reason(error, found.kind), "danger")
    return redirect(url_for("imports.show", import_id=import_id), 303)


@blueprint.post("/imports/<uuid:import_id>/apply")
@policy(Action.IMPORT_DATA)
def apply(import_id: UUID) -> AnyResponse:
    """Do what a file says, all of it or none."""
    found = _loaded(import_id)
    try:
        counts = apply_import(
            _transactions, runtime().clock, bearer=Bearer.of(principal()), import_id=import_id
        )
    except Conflict as error:
        flash(words.act_reason(error, found.kind), "danger")
    else:
        written = counts["add"] + counts["change"]
        text = ngettext("%(num)d row was written.", "%(num)d rows were written.", written)
        flash(text, "ok")
    return redirect(url_for("imports.show", import_id=import_id), 303)


@blueprint.post("/imports/<uuid:import_id>/discard")
@policy(Action.IMPORT_DATA)
def discard(import_id: UUID) -> AnyResponse:
    """Throw a file away."""
    found = _loaded(import_id)
    try:
        with transaction() as session:
            discard_import(
                session, runtime().clock, bearer=Bearer.of(principal()), import_id=import_id
            )
    except Conflict as error:
        flash(words.act_reason(error, found.kind), "danger")
    else:
        flash(_("The file was thrown away. Nothing of it was written."), "ok")
    return redirect(url_for("imports.index", kind=found.kind.value), 303)


@blueprint.get("/imports/<uuid:import_id>/problems.csv")
@policy(Action.IMPORT_DATA)
def problems(import_id: UUID) -> Response:
    """Download what is wrong, a line a problem."""
    with transaction() as session:
        found = _load(session, import_id)
        rows = import_rows(
            session,
            tenant_id=principal().tenant_id,
            import_id=import_id,
            outcomes=[Outcome.REFUSE],
            limit=_ALL_ROWS,
        )
    header = (_("Row"), _("What"), _("Column"), _("Reason"))
    lines = [
        (row.row_no, row.label, words.column_name(found.kind, p["column"]), words.row_reason(p))
        for row in rows
        for p in row.problems
    ]
    return csv_response("problems", header, lines)


@blueprint.get("/imports/templates/<kind>.<format_name>")
@policy(Action.IMPORT_DATA)
def template(kind: str, format_name: str) -> Response:
    """Download an empty table to fill in."""
    wanted, written = _kind(kind), _format(_kind(kind), format_name)
    content = write_file(wanted, written, [], locale=choose_language())
    return _download(content, f"{wanted.value}-template", written)


@blueprint.get("/imports/export/<kind>.<format_name>")
@policy(Action.IMPORT_DATA)
def export(kind: str, format_name: str) -> AnyResponse:
    """Download everything of a kind that one may import; an import of it changes nothing."""
    wanted, written = _kind(kind), _format(_kind(kind), format_name)
    today = local_date(now(), principal().zone)
    first_on = date_or_none(request.args.get("from")) or today
    last_on = date_or_none(request.args.get("until")) or first_on
    last_on = min(last_on, first_on + _LONGEST_ROSTER)
    try:
        with transaction() as session:
            locale = choose_language()
            rows = export_rows(
                session,
                runtime().clock,
                bearer=Bearer.of(principal()),
                kind=wanted,
                locale=locale,
                days=(first_on, last_on),
            )
            content = write_file(wanted, written, rows, locale=locale)
    except InvalidInput as error:
        flash(words.act_reason(error, wanted), "danger")
        return redirect(url_for("imports.index", kind=wanted.value), 303)
    return _download(content, f"{wanted.value}-{today.isoformat()}", written)


def _upload() -> tuple[str, bytes]:
    """Return name and content of the file that came.

    Raises
    ------
    InvalidInput : `file_missing`, `file_too_large`.
    """
    upload = request.files.get("file")
    if upload is None or not upload.filename:
        raise InvalidInput("file_missing")
    content = upload.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        limit = str(MAX_BYTES // 1024 // 1024)
        raise InvalidInput("file_too_large", fields={"limit": limit})
    return upload.filename, content


def _segments(found: ImportView, table: TableState, only: str) -> list[tuple[str, str, bool]]:
    """Return the choices of rows with their numbers: label, address, current."""
    choices = [(_("All"), table.url(only=None, page=None), not only)]
    for outcome in Outcome:
        number = found.counts.get(outcome.value, 0)
        if number:
            label = f"{words.OUTCOMES[outcome.value]} {number}"
            choices.append((label, table.url(only=outcome.value, page=None), only == outcome.value))
    return choices


def _download(content: bytes, name: str, written: FileFormat) -> Response:
    response = Response(content, mimetype=MEDIA_TYPES[written])
    response.headers.set("Content-Disposition", "attachment", filename=f"{name}.{written.value}")
    response.headers["Cache-Control"] = "no-store"
    return response


def _transactions() -> AbstractContextManager[Session]:
    return transaction()


def _kinds() -> list[Kind]:
    """Return the kinds that the viewer may bring."""
    return [kind for kind in Kind if may_for_others(principal(), ACTIONS[kind])]


def _kinds_of_others(session: Session) -> list[Kind]:
    """Return the kinds whose whole history the viewer may see: those allowed on the top unit."""
    viewer = principal()
    found = []
    for kind in _kinds():
        granted = granting_units(viewer, ACTIONS[kind])
        scope = Bearer.of(viewer).units(ACTIONS[kind], runtime().clock)
        tree = units(session, viewer, scope, now=now())
        if any(unit.parent_id is None and unit.id in granted for unit in tree):
            found.append(kind)
    return found


def _kind(name: str) -> Kind:
    """Return a kind the viewer may bring.

    Raises
    ------
    NotFound : there is no such kind.
    Forbidden : not for this viewer.
    """
    if name not in list(Kind):
        raise NotFound
    kind = Kind(name)
    if not may_for_others(principal(), ACTIONS[kind]):
        raise Forbidden("no_right", ACTIONS[kind].value)
    return kind


def _format(kind: Kind, name: str) -> FileFormat:
    if name not in list(FileFormat) or FileFormat(name) not in FORMATS[kind]:
        raise NotFound
    return FileFormat(name)


def _load(session: Session, import_id: UUID) -> ImportView:
    viewer = principal()
    return get_import(
        session,
        tenant_id=viewer.tenant_id,
        import_id=import_id,
        account_id=viewer.account_id,
    )


def _loaded(import_id: UUID) -> ImportView:
    with transaction() as session:
        return _load(session, import_id)


def _options(present: Options) -> Options:
    """Return the options a form says; what it does not mention stays."""
    said = {key: value for key, value in request.form.items() if value}
    document = present.to_json() | said
    document["encoding"] = said.get("encoding", present.encoding)
    if document["encoding"] == "auto":
        document["encoding"] = None
    document["replace"] = said.get("replace") == "1" or ("replace" not in said and present.replace)
    return Options.from_json(document)
