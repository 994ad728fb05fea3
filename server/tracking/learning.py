"""Learn where cells are from the fleet's own honest pairs of a satellite fix and its cells.

Run daily by upkeep. Only pairs of the days that raw positions are kept are looked at, and
what stays is a cell: no phone, no person, no hour. Without any service from outside, cells
that enough phones met on enough days become known to their tenant, and to nobody else.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from itertools import groupby, islice
from typing import Any, Final

import numpy as np
from sqlalchemy import text
from sqlalchemy.orm import Session

from geo.cell_identity import CellId, Radio, check_identity
from geo.cell_survey import NotSurveyed, Observations, SurveyedCell, SurveyPolicy, survey_cell
from geo.distance import FloatArray
from geo.fix import QualityFlag
from server.cells.services import Lesson, forget_cells, learn_cells, note_waits
from server.clock import Clock
from server.db.geometry import lat_sql, lon_sql
from server.people.queries import tenants
from server.tracking.crosscheck import look_again

WINDOW: Final = timedelta(days=28)
MAX_PHONES: Final = 64
MAX_OF_A_DAY: Final = 8
"""So many people a cell and measurements a person and day; more would not tell more."""
_CELLS_AT_ONCE: Final = 500
_RADIOS: Final = {radio.value: radio for radio in Radio}
# Late and corrected messages are as honest as others; everything else a flag says is a doubt.
_DOUBTFUL: Final = ~int(
    QualityFlag.LATE | QualityFlag.DUPLICATE | QualityFlag.FIELD_NULLED | QualityFlag.CLOCK
)
_PAIRS: Final = text(
    f"""
    WITH pairs AS (
        SELECT c.radio, c.mcc, c.mnc, c.area, c.cell, r.employee_id, r.fixed_at,
            (r.fixed_at AT TIME ZONE 'UTC')::date AS day, f.position, f.accuracy_m, f.speed_mps,
            c.age_s, c.signal_dbm,
            row_number() OVER (
                PARTITION BY c.radio, c.mcc, c.mnc, c.area, c.cell, r.employee_id,
                    (r.fixed_at AT TIME ZONE 'UTC')::date
                ORDER BY f.accuracy_m, r.fixed_at, r.msg_key) AS of_day,
            dense_rank() OVER (
                PARTITION BY c.radio, c.mcc, c.mnc, c.area, c.cell
                ORDER BY r.employee_id) AS phone
        FROM radio_reports r
        JOIN fixes f ON f.tenant_id = r.tenant_id AND f.device_id = r.device_id
            AND f.fixed_at = r.fixed_at AND f.msg_key = r.msg_key
        CROSS JOIN LATERAL jsonb_to_recordset(r.cells) AS c (radio text, mcc int, mnc int,
            area int, cell bigint, signal_dbm float8, age_s float8)
        WHERE r.tenant_id = :tenant_id AND r.has_fix AND r.fixed_at > :since
          AND f.source = 'gps' AND f.mock IS NOT TRUE AND f.flags & :doubtful = 0
          AND f.accuracy_m <= :accuracy_m AND r."check" IS DISTINCT FROM 'impossible'
          AND c.radio IS NOT NULL AND c.area IS NOT NULL AND c.cell IS NOT NULL)
    SELECT radio, mcc, mnc, area, cell, phone, day - DATE '2000-01-01' AS day, fixed_at,
        {lon_sql("position")} AS lon, {lat_sql("position")} AS lat,
        accuracy_m, speed_mps, age_s, signal_dbm
    FROM pairs WHERE of_day <= {MAX_OF_A_DAY} AND phone <= {MAX_PHONES}
    ORDER BY radio, mcc, mnc, area, cell, phone, fixed_at
    """  # noqa: S608  # constants
)


@dataclass(frozen=True, slots=True)
class Learned:
    """What one run taught, over all tenants: cells written, forgotten, and not decidable yet."""

    learned: int
    forgotten: int
    undecided: int


def learn_from_reports(
    session: Session, clock: Clock, *, policy: SurveyPolicy | None = None
) -> Learned:
    """Learn cells of every tenant, in the caller's transaction.

    A pair counts when the position was measured by satellite, to 100 m, without any doubt
    about it, and its own cells do not contradict it. Everybody has one say a cell, see
    `geo.cell_survey.survey_cell`. A cell whose phones now disagree is forgotten.

    Parameters
    ----------
    session : of the owner; inside no tenant.
    clock : the days before its now are looked at.

    Returns
    -------
    Counts. Running it again changes nothing. One pass over the reports of four weeks; memory
    is bounded by the measurements of one cell.
    """
    policy = policy or SurveyPolicy()
    learned = forgotten = undecided = 0
    for tenant in tenants(session):
        lessons = _lessons(session, clock, tenant_id=tenant.id, policy=policy)
        waits: Counter[tuple[int, str]] = Counter()
        while some := list(islice(lessons, _CELLS_AT_ONCE)):
            taught = [one for one in some if isinstance(one.outcome, SurveyedCell)]
            disputed = [one for one in some if _is_disputed(one)]
            waits.update(
                (one.name.network, one.outcome.reason)
                for one in some
                if isinstance(one.outcome, NotSurveyed)
            )
            undecided += len(some) - len(taught) - len(disputed)
            learned += learn_cells(session, clock, tenant_id=tenant.id, lessons=taught)
            forgotten += forget_cells(
                session, tenant_id=tenant.id, names=[one.name for one in disputed]
            )
        note_waits(session, clock, tenant_id=tenant.id, waits=waits)
        look_again(session, tenant_id=tenant.id, now=clock.now())
    return Learned(learned, forgotten, undecided)


def _is_disputed(lesson: Lesson) -> bool:
    said = lesson.outcome
    return isinstance(said, NotSurveyed) and said.reason in {"disputed", "moving"}


def _lessons(
    session: Session, clock: Clock, *, tenant_id: int, policy: SurveyPolicy
) -> Iterator[Lesson]:
    rows = session.execute(
        _PAIRS,
        {
            "tenant_id": tenant_id,
            "since": clock.now() - WINDOW,
            "doubtful": _DOUBTFUL,
            "accuracy_m": policy.max_accuracy_m,
        },
        execution_options={"yield_per": 5_000},
    )
    for claimed, group in groupby(rows, key=_claimed_name):
        said, mcc, mnc, area, cell = claimed
        radio = _RADIOS.get(said)
        if radio is None:
            continue
        names = check_identity(radio=radio, mcc=mcc, mnc=mnc, area=area, cell=cell)
        if isinstance(names, tuple):
            yield _lesson(names[0], radio, list(group), policy)


def _claimed_name(row: Any) -> tuple[str, int | None, int | None, int, int]:  # noqa: ANN401  # a row
    return row.radio, row.mcc, row.mnc, row.area, row.cell


def _lesson(name: CellId, radio: Radio, rows: list[Any], policy: SurveyPolicy) -> Lesson:
    def column(attribute: str) -> FloatArray:
        values = [getattr(row, attribute) for row in rows]
        return np.array([np.nan if v is None else v for v in values], dtype=np.float64)

    observations = Observations(
        lon_deg=column("lon"),
        lat_deg=column("lat"),
        accuracy_m=column("accuracy_m"),
        speed_mps=column("speed_mps"),
        age_s=column("age_s"),
        signal_dbm=column("signal_dbm"),
        device=column("phone").astype(np.int64),
        day=column("day").astype(np.int64),
    )
    return Lesson(
        name=name,
        outcome=survey_cell(observations, radio=radio, policy=policy),
        first_seen_at=min(row.fixed_at for row in rows),
        last_seen_at=max(row.fixed_at for row in rows),
    )
