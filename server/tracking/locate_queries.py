"""Reading of questions: by who asked, and by the person asked about."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from server.errors import NotFound
from server.tracking.locate_models import LocateRequest
from server.tracking.locate_rules import AnsweredBy, LocatePurpose, LocateState


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerView:
    """A place as an answer: WGS-84 degrees, metres, where it came from."""

    lon_deg: float
    lat_deg: float
    accuracy_m: float | None
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StepView:
    """One thing that was tried."""

    at: datetime
    what: str
    outcome: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LocateView:
    """One question with what became of it.

    Attributes
    ----------
    fixed_at : instant of the position that answers.
    answer : None while open, when nothing was found, and once positions of that time are
        past their retention.
    """

    id: UUID
    employee_id: UUID
    asker_id: UUID
    asker_name: str
    purpose: LocatePurpose
    reason: str | None
    asked_at: datetime
    due_at: datetime
    sent_at: datetime | None
    closed_at: datetime | None
    state: LocateState
    answered_by: AnsweredBy | None
    refusal: str | None
    fixed_at: datetime | None
    answer: AnswerView | None
    steps: tuple[StepView, ...]


def question(session: Session, *, tenant_id: int, request_id: UUID, asker_id: UUID) -> LocateView:
    """Return one question to the account that asked it.

    Raises
    ------
    NotFound : there is none, or somebody else asked it.
    """
    row = session.scalar(
        select(LocateRequest).where(
            LocateRequest.tenant_id == tenant_id,
            LocateRequest.id == request_id,
            LocateRequest.asker_id == asker_id,
        )
    )
    if row is None:
        raise NotFound
    return _view(row)


def newest_question(
    session: Session, *, tenant_id: int, employee_id: UUID, asker_id: UUID
) -> LocateView | None:
    """Return the last question an account asked about a person, None when it never did."""
    row = session.scalar(
        select(LocateRequest)
        .where(
            LocateRequest.tenant_id == tenant_id,
            LocateRequest.employee_id == employee_id,
            LocateRequest.asker_id == asker_id,
        )
        .order_by(LocateRequest.asked_at.desc(), LocateRequest.id.desc())
        .limit(1)
    )
    return None if row is None else _view(row)


def questions_about(
    session: Session,
    *,
    tenant_id: int,
    employee_id: UUID,
    since_at: datetime,
    asker_id: UUID | None = None,
    limit: int = 50,
) -> list[LocateView]:
    """Return what was asked about one person, newest first.

    Parameters
    ----------
    employee_id : the caller has checked that it is themselves, or that they may locate them.
    since_at : aware instant.
    asker_id : only what this account asked; everybody's when left out.
    limit : at most so many.
    """
    query = select(LocateRequest).where(
        LocateRequest.tenant_id == tenant_id,
        LocateRequest.employee_id == employee_id,
        LocateRequest.asked_at >= since_at,
    )
    if asker_id is not None:
        query = query.where(LocateRequest.asker_id == asker_id)
    rows = session.scalars(query.order_by(LocateRequest.asked_at.desc()).limit(limit))
    return [_view(row) for row in rows]


def _view(row: LocateRequest) -> LocateView:
    found = row.answer
    return LocateView(
        id=row.id,
        employee_id=row.employee_id,
        asker_id=row.asker_id,
        asker_name=row.asker_name,
        purpose=row.purpose,
        reason=row.reason,
        asked_at=row.asked_at,
        due_at=row.due_at,
        sent_at=row.sent_at,
        closed_at=row.closed_at,
        state=row.state,
        answered_by=row.answered_by,
        refusal=row.refusal,
        fixed_at=row.fixed_at,
        answer=None
        if found is None
        else AnswerView(
            lon_deg=float(str(found["lon"])),
            lat_deg=float(str(found["lat"])),
            accuracy_m=None if found["accuracy_m"] is None else float(str(found["accuracy_m"])),
            source=str(found["source"]),
        ),
        steps=tuple(
            StepView(
                at=datetime.fromisoformat(line["at"]),
                what=line["what"],
                outcome=line["outcome"],
                detail=line.get("detail", ""),
            )
            for line in row.steps
        ),
    )
