"""Bring questions to an end: the phone's answer, else the carrier's, else what is known."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import Select, and_, or_, select
from sqlalchemy.orm import Session

from geo.fix import NOT_EVIDENCE, Source
from server.clock import Clock
from server.db.geometry import lat_of, lon_of
from server.db.tables import devices
from server.posts.queries import DutyWindow
from server.tracking.live import LiveEvent
from server.tracking.live_map import duty_now
from server.tracking.locate import step
from server.tracking.locate_models import LocateRequest
from server.tracking.locate_rules import (
    OPEN_STATES,
    AnsweredBy,
    LocatePurpose,
    LocateState,
    Refusal,
    StepOutcome,
)
from server.tracking.models import FixRow, LastPosition
from server.tracking.records import NIL
from server.tracking.told_places import show_told_place

# Phones' clocks differ; an answer names its trigger, so an old time does not hide it.
_CLOCK_MARGIN: Final = timedelta(minutes=10)
_CARRIER_TIME: Final = timedelta(seconds=60)
"""Longer than a carrier may take; then its question goes on without it."""
_REPLY: Final = "r"
_Found = tuple[UUID, datetime, int, float | None, str, float, float]
_CELL_SOURCES: Final = (Source.CELL.value, Source.LBS.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where somebody was, by whom it was told; the fix when it is one of ours.

    `lon_deg`, `lat_deg` are WGS-84; `accuracy_m` as its source claims, None when unknown.
    """

    lon_deg: float
    lat_deg: float
    accuracy_m: float | None
    fixed_at: datetime
    source: str
    device_id: UUID | None = None
    msg_key: int | None = None


@dataclass(frozen=True, slots=True)
class CarrierSays:
    """A carrier's answer: a place, or the code of why not; neither when none is set up."""

    place: Place | None = None
    refusal: str | None = None


@dataclass(frozen=True, slots=True)
class CarrierQuestion:
    """A question that this worker, and no other, is to ask a carrier now."""

    tenant_id: int
    request_id: UUID
    employee_id: UUID
    purpose: LocatePurpose
    asker_id: UUID
    asker_name: str


AskCarrier = Callable[[CarrierQuestion], CarrierSays]
"""Asks the person's carrier, outside any transaction; a refusal is an answer, not an error."""


def open_questions(session: Session, *, limit: int = 50) -> list[tuple[int, UUID]]:
    """Return the questions somebody waits for, the most urgent first, without locking them."""
    rows = session.execute(
        select(LocateRequest.tenant_id, LocateRequest.id)
        .where(LocateRequest.state.in_(sorted(OPEN_STATES)))
        .order_by(LocateRequest.due_at)
        .limit(limit)
    )
    return [(tenant_id, id_) for tenant_id, id_ in rows]


def settle_question(
    session: Session, clock: Clock, *, tenant_id: int, request_id: UUID, carriers: bool = False
) -> CarrierQuestion | None:
    """Bring one question further, if there is anything to do.

    Before its time-out only the phone's own answer counts. After it the carrier is asked, if
    there is one to ask; then the newer of a position from cells and the last one known
    answers, of this duty only. A phone that answers meanwhile comes first. When the duty ends
    first, nobody is told anything.

    Parameters
    ----------
    session : one transaction, of the engine's role.
    tenant_id, request_id : one of `open_questions`; nothing happens when another worker has it.
    carriers : whether this worker can ask carriers.

    Returns
    -------
    What to ask a carrier after the commit; give its answer to `settle_by_carrier`. A worker
    that dies over it leaves a question that goes on without the carrier.
    """
    request = _open(session, tenant_id=tenant_id, request_id=request_id)
    if request is None:
        return None
    now = clock.now()
    duty = _duty_or_end(session, request, now)
    if duty is None or _answer_by_phone(session, request, now) or now < request.due_at:
        return None
    if request.state is LocateState.CARRIER:
        _note(request, now, "carrier", StepOutcome.NO_ANSWER)
        _use_what_is_known(session, request, duty, now)
        return None
    _settle_phone(request, now)
    if not carriers:
        _note(request, now, "carrier", StepOutcome.NOT_SET_UP)
        _use_what_is_known(session, request, duty, now)
        return None
    request.state = LocateState.CARRIER
    request.due_at = now + _CARRIER_TIME
    _note(request, now, "carrier", StepOutcome.WAITING)
    session.flush()
    return CarrierQuestion(
        tenant_id,
        request.id,
        request.employee_id,
        request.purpose,
        request.asker_id,
        request.asker_name,
    )


def settle_by_carrier(
    session: Session, clock: Clock, asked: CarrierQuestion, says: CarrierSays
) -> LiveEvent | None:
    """Take what a carrier said; without a place what is known answers.

    A place becomes the person's last position too, see `told_places`. Nothing happens when
    the question was settled meanwhile, by the phone or by the end of the duty.

    Returns
    -------
    What to publish after the commit, None for nothing.
    """
    # Another worker may be looking at it this moment; the answer must not be lost over that.
    request = _open(session, tenant_id=asked.tenant_id, request_id=asked.request_id, wait=True)
    if request is None:
        return None
    now = clock.now()
    duty = _duty_or_end(session, request, now)
    if duty is None or _answer_by_phone(session, request, now):
        return None
    event = None
    if says.place is not None:
        _note(request, now, "carrier", StepOutcome.ANSWERED)
        _answer(request, now, AnsweredBy.CARRIER, says.place)
        event = show_told_place(
            session,
            tenant_id=asked.tenant_id,
            employee_id=asked.employee_id,
            lon_deg=says.place.lon_deg,
            lat_deg=says.place.lat_deg,
            accuracy_m=says.place.accuracy_m,
            fixed_at=says.place.fixed_at,
            duty=duty,
            now=now,
        )
    else:
        refused = StepOutcome.REFUSED if says.refusal else StepOutcome.NOT_SET_UP
        _note(request, now, "carrier", refused, says.refusal or "")
        _use_what_is_known(session, request, duty, now)
    session.flush()
    return event


def _open(
    session: Session, *, tenant_id: int, request_id: UUID, wait: bool = False
) -> LocateRequest | None:
    return session.scalar(
        select(LocateRequest)
        .where(
            LocateRequest.tenant_id == tenant_id,
            LocateRequest.id == request_id,
            LocateRequest.state.in_(sorted(OPEN_STATES)),
        )
        .with_for_update(skip_locked=not wait)
    )


def _duty_or_end(session: Session, request: LocateRequest, now: datetime) -> DutyWindow | None:
    duty = duty_now(session, tenant_id=request.tenant_id, employee_id=request.employee_id, now=now)
    if duty is None:
        _close(request, now, LocateState.REFUSED, refusal=Refusal.DUTY_ENDED.value)
        session.flush()
    return duty


def _answer_by_phone(session: Session, request: LocateRequest, now: datetime) -> bool:
    place = _reply(session, request, now)
    if place is None:
        return False
    _note(request, now, "phone", StepOutcome.ANSWERED)
    by = AnsweredBy.CELL if place.source in _CELL_SOURCES else AnsweredBy.PHONE
    _answer(request, now, by, place)
    session.flush()
    return True


def _use_what_is_known(
    session: Session, request: LocateRequest, duty: DutyWindow, now: datetime
) -> None:
    known = _last_known(session, request, duty)
    cells = _by_cells(session, request, duty, now)
    if cells is not None and (known is None or cells.fixed_at >= known.fixed_at):
        _note(request, now, "cell", StepOutcome.ANSWERED)
        _answer(request, now, AnsweredBy.CELL, cells)
    elif known is not None:
        _note(request, now, "last_known", StepOutcome.ANSWERED)
        _answer(request, now, AnsweredBy.LAST_KNOWN, known)
    else:
        _note(request, now, "last_known", StepOutcome.NOTHING)
        _close(request, now, LocateState.UNANSWERED, refusal=Refusal.NOTHING_KNOWN.value)
    session.flush()


def _settle_phone(request: LocateRequest, now: datetime) -> None:
    """Say that the phone was waited for, unless there was none to wait for."""
    if not any(line["outcome"] == StepOutcome.NO_PHONE for line in request.steps):
        _note(request, now, "phone", StepOutcome.NO_ANSWER)


def _reply(session: Session, request: LocateRequest, now: datetime) -> Place | None:
    """Return what a phone sent since it was asked, an explicit reply before anything else."""
    asked = request.asked_at.replace(microsecond=0)  # phones tell whole seconds
    replies = FixRow.trigger == _REPLY
    row = session.execute(
        _fixes(request)
        .where(
            FixRow.fixed_at >= request.asked_at - _CLOCK_MARGIN,
            FixRow.fixed_at <= now + _CLOCK_MARGIN,
            FixRow.received_at >= request.asked_at,
            or_(FixRow.fixed_at >= asked, replies),
        )
        .order_by(replies.desc().nulls_last(), FixRow.fixed_at.desc(), FixRow.msg_key.desc())
        .limit(1)
    ).one_or_none()
    return None if row is None else _place(row)


def _by_cells(
    session: Session, request: LocateRequest, duty: DutyWindow, now: datetime
) -> Place | None:
    row = session.execute(
        _fixes(request)
        .where(
            FixRow.fixed_at >= duty.starts_at,
            FixRow.fixed_at <= now + _CLOCK_MARGIN,
            FixRow.source.in_(_CELL_SOURCES),
        )
        .order_by(FixRow.fixed_at.desc(), FixRow.msg_key.desc())
        .limit(1)
    ).one_or_none()
    return None if row is None else _place(row)


def _fixes(
    request: LocateRequest,
) -> Select[UUID, datetime, int, float | None, str, float, float]:
    return (
        select(
            FixRow.device_id,
            FixRow.fixed_at,
            FixRow.msg_key,
            FixRow.accuracy_m,
            FixRow.source,
            lon_of(FixRow.__table__.c.position).label("lon"),
            lat_of(FixRow.__table__.c.position).label("lat"),
        )
        .join(
            devices,
            and_(devices.c.tenant_id == FixRow.tenant_id, devices.c.id == FixRow.device_id),
        )
        .where(
            devices.c.tenant_id == request.tenant_id,
            devices.c.employee_id == request.employee_id,
            FixRow.flags.op("&")(int(NOT_EVIDENCE)) == 0,
        )
    )


def _last_known(session: Session, request: LocateRequest, duty: DutyWindow) -> Place | None:
    """Return the last position of this duty; none is left from an earlier one."""
    last = LastPosition.__table__
    row = session.execute(
        select(
            last.c.device_id,
            last.c.fixed_at,
            last.c.msg_key,
            last.c.accuracy_m,
            last.c.source,
            lon_of(last.c.position).label("lon"),
            lat_of(last.c.position).label("lat"),
        ).where(
            last.c.tenant_id == request.tenant_id,
            last.c.employee_id == request.employee_id,
            last.c.fixed_at >= duty.starts_at,
        )
    ).one_or_none()
    return None if row is None else _place(row)


def _place(found: _Found) -> Place:
    device_id, fixed_at, msg_key, accuracy_m, source, lon_deg, lat_deg = found
    # What a carrier told is of no device, and no fix.
    told = device_id == NIL
    return Place(
        lon_deg=lon_deg,
        lat_deg=lat_deg,
        accuracy_m=accuracy_m,
        fixed_at=fixed_at,
        source=source,
        device_id=None if told else device_id,
        msg_key=None if told else msg_key,
    )


def _answer(request: LocateRequest, now: datetime, by: AnsweredBy, place: Place) -> None:
    request.answered_by = by
    request.device_id = place.device_id
    request.fixed_at = place.fixed_at
    request.msg_key = place.msg_key
    request.answer = {
        "lon": place.lon_deg,
        "lat": place.lat_deg,
        "accuracy_m": place.accuracy_m,
        "source": place.source,
    }
    _close(request, now, LocateState.ANSWERED)


def _close(
    request: LocateRequest, now: datetime, state: LocateState, *, refusal: str | None = None
) -> None:
    request.state = state
    request.refusal = refusal
    request.closed_at = now


def _note(
    request: LocateRequest, now: datetime, what: str, outcome: StepOutcome, detail: str = ""
) -> None:
    # What was waited for is told once, by its end. A list changed in place is not seen by the
    # session.
    steps = list(request.steps)
    if steps and (steps[-1]["what"], steps[-1]["outcome"]) == (what, StepOutcome.WAITING):
        del steps[-1]
    request.steps = [*steps, step(now, what, outcome, detail)]
