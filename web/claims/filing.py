"""Writing one's own claim line by line, handing it in, and bringing one as a file."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as AnyResponse

from server.claims.queries import ClaimDetail, claims_in_scope, get_claim
from server.claims.services import (
    bring_claim,
    copy_returned,
    discard_draft,
    explain_claim,
    save_draft,
    submit_claim,
)
from server.errors import Conflict, InvalidInput, NotFound
from server.http.context import now, principal, runtime, transaction
from server.http.markers import policy
from server.people.policy import employees_in_scope
from server.people.queries import people
from server.people.rules import Action, granting_units
from web.claims import words
from web.claims.forms import (
    MAX_FILE,
    TYPED,
    document_of,
    header_of,
    kind_or_first,
    line_again,
    line_of,
    next_id,
)
from web.texts import _


def filing(blueprint: Blueprint) -> None:
    """Add the pages of claimants, and the door for files, to the blueprint of claims."""
    blueprint.get("/claims/new")(new)
    blueprint.post("/claims/new")(create)
    blueprint.post("/claims/bring")(bring)
    blueprint.post("/claims/<uuid:draft_id>/lines")(save_line)
    blueprint.post("/claims/<uuid:draft_id>/lines/remove")(remove_line)
    blueprint.post("/claims/<uuid:draft_id>/header")(save_header)
    blueprint.post("/claims/<uuid:draft_id>/submit")(submit)
    blueprint.post("/claims/<uuid:draft_id>/discard")(discard)
    blueprint.post("/claims/<uuid:claim_id>/explain")(explain)
    blueprint.post("/claims/<uuid:claim_id>/copy")(copy)


@policy(Action.FILE_CLAIM)
def new() -> str:
    """Show the form of a new claim with its first line."""
    _own()
    return _new({})


@policy(Action.FILE_CLAIM)
def create() -> AnyResponse | tuple[str, int]:
    """Write a draft with its first line."""
    try:
        with transaction() as session:
            line = line_of(request.form, id_="1", zone=principal().zone)
            claim_id = _save(session, header_of(request.form) | {"lines": [line]})
    except InvalidInput as error:
        return _new(dict(request.form), words.refusal(error)), 422
    return redirect(url_for("claims.show", claim_id=claim_id), 303)


@policy(Action.FILE_CLAIM)
def save_line(draft_id: UUID) -> AnyResponse:
    """Add a line to one's own draft, or write the one that the form names anew."""
    wanted, zone = request.form.get("line"), principal().zone

    def changed(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
        if wanted not in {line["id"] for line in lines}:
            return [*lines, line_of(request.form, id_=next_id(lines), zone=zone)]
        return [
            line_again(line, request.form, zone=zone) if line["id"] == wanted else line
            for line in lines
        ]

    return _change(draft_id, changed, line=wanted)


@policy(Action.FILE_CLAIM)
def remove_line(draft_id: UUID) -> AnyResponse:
    """Take a line out of one's own draft."""
    gone = request.form.get("line")
    return _change(draft_id, lambda lines: [line for line in lines if line["id"] != gone])


@policy(Action.FILE_CLAIM)
def save_header(draft_id: UUID) -> AnyResponse:
    """Write reference, currency and rate of one's own draft anew."""
    typed: dict[str, Any] = {n: request.form.get(n, "") for n in ("reference", "currency", "rate")}

    def act(session: Session) -> None:
        document = _mine(session, draft_id).document | header_of(request.form)
        _save(session, document, claim_id=draft_id, reference=typed["reference"])

    page = url_for("claims.show", claim_id=draft_id)
    return _act(act, None, page, failed=url_for("claims.show", claim_id=draft_id, **typed))


@policy(Action.FILE_CLAIM)
def submit(draft_id: UUID) -> AnyResponse:
    """Hand one's own draft in."""
    viewer = principal()
    done = _("Handed in. It is checked against your positions on duty within a few seconds.")

    def act(session: Session) -> None:
        submit_claim(
            session,
            runtime().clock,
            tenant_id=viewer.tenant_id,
            employee_id=_own(),
            claim_id=draft_id,
            zone=viewer.zone,
        )

    return _act(act, done, url_for("claims.show", claim_id=draft_id))


@policy(Action.FILE_CLAIM)
def discard(draft_id: UUID) -> AnyResponse:
    """Throw one's own draft away."""
    tenant_id = principal().tenant_id

    def act(session: Session) -> None:
        discard_draft(session, tenant_id=tenant_id, employee_id=_own(), claim_id=draft_id)

    return _act(act, _("The draft is gone."), url_for("claims.index"))


@policy(Action.FILE_CLAIM)
def explain(claim_id: UUID) -> AnyResponse:
    """Say what whoever decides should know."""

    def act(session: Session) -> None:
        _mine(session, claim_id)
        explain_claim(
            session,
            tenant_id=principal().tenant_id,
            employee_id=_own(),
            claim_id=claim_id,
            explanation=request.form.get("explanation", ""),
        )

    return _act(act, _("Noted."), url_for("claims.show", claim_id=claim_id))


@policy(Action.FILE_CLAIM)
def copy(claim_id: UUID) -> AnyResponse:
    """Go on with a copy of one's own returned claim."""
    viewer = principal()
    try:
        with transaction() as session:
            draft_id = copy_returned(
                session,
                tenant_id=viewer.tenant_id,
                zone=viewer.zone,
                employee_id=_own(),
                claim_id=_mine(session, claim_id).row.id,
                account_id=viewer.account_id,
            )
    except (Conflict, InvalidInput) as error:
        flash(words.refusal(error), "danger")
        return redirect(url_for("claims.show", claim_id=claim_id), 303)
    flash(_("A draft with the same lines. Correct it and hand it in again."), "ok")
    return redirect(url_for("claims.show", claim_id=draft_id), 303)


@policy(Action.FILE_CLAIM, max_body=MAX_FILE + 16 * 1024)
def bring() -> AnyResponse:
    """Hand in somebody's claim from a CLAIM.json; for finance."""
    viewer, number = principal(), request.form.get("number", "").strip()
    if not granting_units(viewer, Action.FILE_CLAIM):
        raise NotFound
    try:
        document = _upload()
        with transaction() as session:
            claim_id = bring_claim(
                session,
                runtime().clock,
                viewer,
                employee_id=_person(session, number),
                document=document,
                reason=request.form.get("reason", ""),
                reference=request.form.get("reference"),
            )
    except (Conflict, InvalidInput) as error:
        flash(words.refusal(error), "danger")
        return redirect(url_for("claims.index"), 303)
    flash(_("Brought in; it is being checked."), "ok")
    return redirect(url_for("claims.show", claim_id=claim_id), 303)


def _upload() -> dict[str, Any]:
    file = request.files.get("file")
    if file is None or not file.filename:
        raise InvalidInput("no_file")
    return document_of(file.stream.read(MAX_FILE + 1))


def _change(
    claim_id: UUID,
    changed: Callable[[list[dict[str, Any]]], list[dict[str, Any]]],
    *,
    line: str | None = None,
) -> AnyResponse:
    def act(session: Session) -> None:
        draft = _mine(session, claim_id)
        document = dict(draft.document)
        document["lines"] = changed(list(document["lines"]))
        _save(session, document, claim_id=claim_id, reference=draft.row.reference)

    typed: dict[str, Any] = {n: text for n, text in request.form.items() if n in TYPED}
    kind = request.form.get("kind")
    failed = url_for("claims.show", claim_id=claim_id, kind=kind, line=line, **typed)
    return _act(act, None, url_for("claims.show", claim_id=claim_id, kind=kind), failed=failed)


def _act(
    act: Callable[[Session], None], done: str | None, target: str, *, failed: str | None = None
) -> AnyResponse:
    try:
        with transaction() as session:
            act(session)
    except (Conflict, InvalidInput) as error:
        flash(words.refusal(error), "danger")
        return redirect(failed or target, 303)
    if done:
        flash(done, "ok")
    return redirect(target, 303)


def _save(
    session: Session,
    document: dict[str, Any],
    *,
    claim_id: UUID | None = None,
    reference: str | None = None,
) -> UUID:
    viewer = principal()
    return save_draft(
        session,
        tenant_id=viewer.tenant_id,
        zone=viewer.zone,
        employee_id=_own(),
        document=document,
        account_id=viewer.account_id,
        claim_id=claim_id,
        reference=reference if claim_id else request.form.get("reference"),
    )


def _mine(session: Session, claim_id: UUID) -> ClaimDetail:
    """Load one's own claim; the same answer for those of others and none."""
    scope = claims_in_scope(principal(), Action.VIEW_CLAIMS, now=now())
    found = get_claim(session, scope, claim_id)
    if found.row.employee_id != _own():
        raise NotFound("claim_not_found")
    return found


def _person(session: Session, number: str) -> UUID:
    viewer = principal()
    scope = employees_in_scope(viewer, Action.DECIDE_CLAIM, now=now())
    found = [
        p.id for p in people(session, viewer, scope, now=now(), search=number) if p.number == number
    ]
    if not found:
        raise InvalidInput("no_person")
    return found[0]


def _new(typed: dict[str, str], problem: str | None = None) -> str:
    return render_template(
        "claims/new.html",
        words=words,
        problem=problem,
        kind=kind_or_first(typed.get("kind") or request.args.get("kind")),
        typed=typed,
    )


def _own() -> UUID:
    employee_id = principal().employee_id
    if employee_id is None:
        raise NotFound
    return employee_id
